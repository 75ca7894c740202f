// tls_gf128_sq.v - square in GF(2^128): a linear map, so only XORs, no clock.
//
// In    a.   Out  y = a * a.
// How   squaring a polynomial puts a zero between any two coefficients; then the reduction.
// Order bit 127 is the coefficient of x^0.
// Spec  SP 800-38D, 6.3.  Model model/gf128.py.
`default_nettype none
module tls_gf128_sq (
    input  wire [127:0] a,
    output wire [127:0] y
);
wire [255:0] wide;                              // bit i: coefficient of x^i
genvar i;
generate
    for (i = 0; i < 128; i = i + 1) begin : spread
        assign wide[2*i +: 2] = {1'b0, a[127-i]};
    end
endgenerate
wire [127:0] h    = wide[255:128];
wire [134:0] fold = {7'd0, h} ^ {6'd0, h, 1'b0} ^ {5'd0, h, 2'b0} ^ {h, 7'b0};
wire [6:0]   g    = fold[134:128];
wire [127:0] r    = wide[127:0] ^ fold[127:0]
                  ^ {114'd0, {7'd0, g} ^ {6'd0, g, 1'b0} ^ {5'd0, g, 2'b0} ^ {g, 7'b0}};
generate
    for (i = 0; i < 128; i = i + 1) begin : reflect
        assign y[i] = r[127-i];
    end
endgenerate
endmodule
`default_nettype wire
