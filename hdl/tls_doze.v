// tls_doze.v - the clock of a path that stands still while the path has nothing to do.
//
// In    wake     something goes in, comes out or waits, in this clock
// Out   doze_clk clk, but for the clocks after 2^IDLE_W of them without
// How   the switch moves while clk is low, before the edge that the path needs. Nothing may be under
//       way in the path for 2^IDLE_W clocks without being seen at its ports.
// Use   for simulation, where a clock takes as long as the registers that it moves.
`default_nettype none
module tls_doze #(
    parameter IDLE_W = 14
) (
    input  wire clk,
    input  wire rst,
    input  wire wake,
    output wire doze_clk
);
reg  [IDLE_W-1:0] idle_q;
wire              long = (idle_q == {IDLE_W{1'b1}});
reg               open_q;
initial open_q = 1'b1;
always @(posedge clk) begin
    if (wake || rst) idle_q <= {IDLE_W{1'b0}};
    else if (!long)  idle_q <= idle_q + 1'b1;
end
always @(negedge clk) open_q <= wake || rst || !long;
assign doze_clk = clk && open_q;
endmodule
`default_nettype wire
