// tls_gf128_mul_words.v - product in GF(2^128), one every clock, 4 clocks' delay: for simulation.
//
// In    a, b, when valid is high.   Out  p = a * b, 4 clocks later; else p means nothing.
// How   by products of integers, a step each for a processor. Every fourth bit of a word is taken,
//       at four places: the product of two such words has at most eight ones in a column, which do
//       not reach the next column of the same place, and the lowest bit of their sum is what they
//       are in GF(2). From words of 32 bits to 128 by Karatsuba, twice.
//       Nothing is computed when nothing valid comes.
// Order bit 127 is the coefficient of x^0, and bit 254 of a product before it is reduced: the sum
//       of places says the power in either direction, so no word needs to be turned round.
// Spec  SP 800-38D, 6.3.  Model model/gf128.py.
`default_nettype none
module tls_gf128_mul_words (
    input  wire         clk,
    input  wire         valid,
    input  wire [127:0] a,
    input  wire [127:0] b,
    output wire [127:0] p
);
localparam [63:0] AT_0 = 64'h1111111111111111, AT_1 = AT_0 << 1, AT_2 = AT_0 << 2, AT_3 = AT_0 << 3;

function [63:0] product32(input [31:0] x, input [31:0] y);
    reg [63:0] x0, x1, x2, x3, y0, y1, y2, y3;
    begin
        x0 = {32'd0, x} & AT_0;  y0 = {32'd0, y} & AT_0;
        x1 = {32'd0, x} & AT_1;  y1 = {32'd0, y} & AT_1;
        x2 = {32'd0, x} & AT_2;  y2 = {32'd0, y} & AT_2;
        x3 = {32'd0, x} & AT_3;  y3 = {32'd0, y} & AT_3;
        product32 = (((x0 * y0) ^ (x1 * y3) ^ (x2 * y2) ^ (x3 * y1)) & AT_0)
                  | (((x0 * y1) ^ (x1 * y0) ^ (x2 * y3) ^ (x3 * y2)) & AT_1)
                  | (((x0 * y2) ^ (x1 * y1) ^ (x2 * y0) ^ (x3 * y3)) & AT_2)
                  | (((x0 * y3) ^ (x1 * y2) ^ (x2 * y1) ^ (x3 * y0)) & AT_3);
    end
endfunction

function [127:0] product64(input [63:0] x, input [63:0] y);
    reg [63:0] lo, hi, mid;
    begin
        lo  = product32(x[31:0], y[31:0]);
        hi  = product32(x[63:32], y[63:32]);
        mid = product32(x[63:32] ^ x[31:0], y[63:32] ^ y[31:0]) ^ hi ^ lo;
        product64 = {hi[63:32], hi[31:0] ^ mid[63:32], lo[63:32] ^ mid[31:0], lo[31:0]};
    end
endfunction

function [127:0] product(input [127:0] x, input [127:0] y);
    reg [127:0] lo, hi, mid;
    reg [255:0] wide;                           // bit 255: x^0; bit 127: x^128
    reg [63:0]  h, l, g;
    begin
        lo   = product64(x[63:0], y[63:0]);
        hi   = product64(x[127:64], y[127:64]);
        mid  = product64(x[127:64] ^ x[63:0], y[127:64] ^ y[63:0]) ^ hi ^ lo;
        wide = {hi[127:64], hi[63:0] ^ mid[127:64], lo[127:64] ^ mid[63:0], lo[63:0]} << 1;
        // x^128 = x^7 + x^2 + x + 1, to the right; what leaves l there is x^256 on, once more
        h = wide[127:64];
        l = wide[63:0];
        g = h ^ l << 63 ^ l << 62 ^ l << 57;
        product = wide[255:128]
                ^ {g ^ g >> 1 ^ g >> 2 ^ g >> 7,
                   l ^ l >> 1 ^ l >> 2 ^ l >> 7 ^ g << 63 ^ g << 62 ^ g << 57};
    end
endfunction

reg [127:0] p_q;
always @(posedge clk) if (valid) p_q <= product(a, b);
tls_delay #(.W(128), .N(3)) delay (.clk(clk), .d(p_q), .q(p));
endmodule
`default_nettype wire
