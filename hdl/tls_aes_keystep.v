// tls_aes_keystep.v - the next AES round key from the two before it, AES-128 or AES-256 per block.
//
// In    prev, cur: round keys n-2 and n-1; n: number of the key to make, 1 to 14; is256.
//       For n = 1 there is no n-2: prev is then the low half of an AES-256 key.
// Out   next: round key n; cur_s: cur. Both REGS clocks later.
// Why   the key travels with its block, so any two neighbours in the pipeline may have different
//       keys, nothing expands a key beforehand, and there is one place that holds it.
// Spec  FIPS 197, 5.2, four words at a time.  Model model/aes.py.
`default_nettype none
module tls_aes_keystep #(
    parameter SBOX = "TABLE",       // see tls_aes_subword
    parameter REGS = 2
) (
    input  wire         clk,
    input  wire [127:0] prev,
    input  wire [127:0] cur,
    input  wire         is256,
    input  wire [3:0]   n,
    output wire [127:0] next,
    output wire [127:0] cur_s
);
function [7:0] rcon(input [3:0] i);             // x^(i-1) in GF(2^8)
    case (i)
        4'd1: rcon = 8'h01;   4'd2: rcon = 8'h02;   4'd3: rcon = 8'h04;   4'd4:  rcon = 8'h08;
        4'd5: rcon = 8'h10;   4'd6: rcon = 8'h20;   4'd7: rcon = 8'h40;   4'd8:  rcon = 8'h80;
        4'd9: rcon = 8'h1b;   default: rcon = 8'h36;
    endcase
endfunction

// AES-256 turns and adds a constant for every second key only
wire        turn = !is256 || !n[0];
wire [7:0]  con  = !is256 ? rcon(n) : n[0] ? 8'h00 : rcon({1'b0, n[3:1]});

wire [127:0] prev_s;
wire [31:0]  sub;
wire [7:0]   con_s;
wire         is256_s, first_s;
tls_aes_subword #(.KIND(SBOX), .REGS(REGS)) subword (
    .clk(clk), .a(turn ? {cur[23:0], cur[31:24]} : cur[31:0]), .y(sub));
tls_delay #(.W(128), .N(REGS)) prev_delay (.clk(clk), .d(prev), .q(prev_s));
tls_delay #(.W(128), .N(REGS)) cur_delay (.clk(clk), .d(cur), .q(cur_s));
tls_delay #(.W(10), .N(REGS)) how_delay (
    .clk(clk), .d({con, is256, n == 4'd1}), .q({con_s, is256_s, first_s}));

wire [127:0] base = is256_s ? prev_s : cur_s;
wire [31:0]  w0   = base[127:96] ^ sub ^ {con_s, 24'd0};
wire [31:0]  w1   = base[95:64] ^ w0;
wire [31:0]  w2   = base[63:32] ^ w1;
wire [31:0]  w3   = base[31:0]  ^ w2;
assign next = (is256_s && first_s) ? prev_s : {w0, w1, w2, w3};
endmodule
`default_nettype wire
