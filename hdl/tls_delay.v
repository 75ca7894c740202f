// tls_delay.v - a word, N clocks later. N may be 0. No reset: it carries data.
`default_nettype none
module tls_delay #(
    parameter W = 1,                // bits
    parameter N = 1                 // clocks
) (
    input  wire         clk,
    input  wire [W-1:0] d,
    output wire [W-1:0] q
);
// a register a clock, and not one long one that shifts: simulators move words, not their bits
genvar n;
generate
    for (n = 0; n < N; n = n + 1) begin : step
        reg [W-1:0] d_q;
        if (n == 0) begin : first
            always @(posedge clk) d_q <= d;
        end else begin : next
            always @(posedge clk) d_q <= step[n-1].d_q;
        end
    end
    if (N == 0) begin : none
        wire unused_ok = &{1'b0, clk};
        assign q = d;
    end else begin : some
        assign q = step[N-1].d_q;
    end
endgenerate
endmodule
`default_nettype wire
