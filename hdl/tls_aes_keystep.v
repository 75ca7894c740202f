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

// AES-256 turns and adds a constant for every second key only; its second key is there already
wire        turn = !is256 || !n[0];
wire [7:0]  con  = !is256 ? rcon(n) : n[0] ? 8'h00 : rcon({1'b0, n[3:1]});
wire        copy = is256 && n == 4'd1;

// ---- what needs no S-box: ready a clock before its word is, so that one XOR is left ----
localparam LATE = (REGS > 0) ? 1 : 0;
wire [127:0] base, cur_m, before_s;
wire         copy_m;
tls_delay #(.W(257), .N(REGS - LATE)) first_delay (
    .clk(clk), .d({is256 ? prev : cur, cur, copy}), .q({base, cur_m, copy_m}));
wire [31:0]  b0 = base[127:96];
wire [31:0]  b1 = base[95:64] ^ b0;
wire [31:0]  b2 = base[63:32] ^ b1;
wire [31:0]  b3 = base[31:0]  ^ b2;
tls_delay #(.W(256), .N(LATE)) second_delay (
    .clk(clk), .d({copy_m ? base : {b0, b1, b2, b3}, cur_m}), .q({before_s, cur_s}));

// ---- the word: turned behind the S-box, which is the longer way ----
wire [31:0]  sub;
wire [7:0]   con_s;
wire         turn_s, copy_s;
tls_aes_subword #(.KIND(SBOX), .REGS(REGS)) subword (.clk(clk), .a(cur[31:0]), .y(sub));
tls_delay #(.W(10), .N(REGS)) how_delay (
    .clk(clk), .d({con, turn, copy}), .q({con_s, turn_s, copy_s}));
wire [31:0]  word = (turn_s ? {sub[23:0], sub[31:24]} : sub) ^ {con_s, 24'd0};
assign next = before_s ^ (copy_s ? 128'd0 : {4{word}});
endmodule
`default_nettype wire
