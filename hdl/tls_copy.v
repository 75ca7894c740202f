// tls_copy.v - a register that synthesis must leave alone: one of several with the same input.
//
// Why   one register that steers 128 bits is far from most of them. Copies of it are near, but
//       synthesis makes one of them again, unless each is a module of its own (keep_hierarchy).
`default_nettype none
(* keep_hierarchy *)
module tls_copy (
    input  wire clk,
    input  wire d,
    output reg  q
);
always @(posedge clk) q <= d;
endmodule
`default_nettype wire
