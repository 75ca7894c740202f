// tls_gf128_sq.v - square in GF(2^128): a linear map, so only XORs, no clock.
//
// In    a.   Out  y = a * a.
// How   squaring a polynomial puts a zero between any two coefficients; then the reduction. All by
//       words, which simulators move faster than bits; in hardware the masks and shifts are wires.
// Order bit 127 is the coefficient of x^0.
// Spec  SP 800-38D, 6.3.  Model model/gf128.py.
`default_nettype none
module tls_gf128_sq (
    input  wire [127:0] a,
    output wire [127:0] y
);
function [63:0] spread(input [31:0] x);         // bit i to bit 2i, half the distance each time
    reg [63:0] s;
    begin
        s = {32'd0, x};
        s = (s | s << 16) & 64'h0000ffff0000ffff;
        s = (s | s << 8)  & 64'h00ff00ff00ff00ff;
        s = (s | s << 4)  & 64'h0f0f0f0f0f0f0f0f;
        s = (s | s << 2)  & 64'h3333333333333333;
        spread = (s | s << 1) & 64'h5555555555555555;
    end
endfunction
// bit 127: x^0 in lo, x^128 in hi
wire [127:0] lo = {spread(a[127:96]), spread(a[95:64])} << 1;
wire [127:0] hi = {spread(a[63:32]), spread(a[31:0])} << 1;
// x^128 = x^7 + x^2 + x + 1, to the right; what leaves there is x^256 on, once more
wire [127:0] f  = hi ^ {hi[0], 127'd0} ^ {hi[1:0], 126'd0} ^ {hi[6:0], 121'd0};
assign y = lo ^ f ^ f >> 1 ^ f >> 2 ^ f >> 7;
endmodule
`default_nettype wire
