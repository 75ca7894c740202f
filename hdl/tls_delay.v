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
generate
    if (N == 0) begin : none
        wire unused_ok = &{1'b0, clk};
        assign q = d;
    end else if (N == 1) begin : one
        reg [W-1:0] d_q;
        always @(posedge clk) d_q <= d;
        assign q = d_q;
    end else begin : many
        reg [N*W-1:0] d_q;
        always @(posedge clk) d_q <= {d_q[(N-1)*W-1:0], d};
        assign q = d_q[N*W-1 -: W];
    end
endgenerate
endmodule
`default_nettype wire
