// tls_gf128_mul_pipe.v - product in GF(2^128), one every clock, 4 clocks' delay.
//
// In    a, b.   Out  p = a * b, 4 clocks later.
// How   Karatsuba, LEVELS deep: operands are split into halves and their sum until words of
//       128 / 2^LEVELS bits remain (1), these are multiplied (2), the products put together
//       again (3) and reduced (4); a register after each. An XOR in front of `a` or `b` merges
//       into step 1, which is why GHASH adds its block there.
// Order bit 127 is the coefficient of x^0.
// Spec  SP 800-38D, 6.3.  Model model/gf128.py.
`default_nettype none
module tls_gf128_mul_pipe (
    input  wire         clk,
    input  wire [127:0] a,
    input  wire [127:0] b,
    output wire [127:0] p
);
localparam LEVELS = 3;
localparam WORD   = 128 >> LEVELS;              // bits of a word
localparam WORDS  = 27;                         // 3^LEVELS
localparam PROD   = 2*WORD - 1;                 // bits of a product of words

// ---- 1: split ----
// level[l] holds 3^l operands; operand n becomes low half, high half and their sum, 3n to 3n+2
genvar l, n, k;
generate
    for (l = 0; l <= LEVELS; l = l + 1) begin : level
        localparam W = 128 >> l;
        localparam N = 3**l;
        wire [N*W-1:0] x, y;
        if (l == 0) begin : whole
            for (n = 0; n < 128; n = n + 1) begin : reflect     // x^0 to bit 0
                assign x[n] = a[127-n];
                assign y[n] = b[127-n];
            end
        end else begin : halves
            for (n = 0; n < N/3; n = n + 1) begin : split
                wire [W-1:0] xl = level[l-1].x[2*W*n +: W], xh = level[l-1].x[2*W*n+W +: W];
                wire [W-1:0] yl = level[l-1].y[2*W*n +: W], yh = level[l-1].y[2*W*n+W +: W];
                assign x[3*W*n +: 3*W] = {xl ^ xh, xh, xl};
                assign y[3*W*n +: 3*W] = {yl ^ yh, yh, yl};
            end
        end
    end
endgenerate
reg [WORDS*WORD-1:0] x_q, y_q;
always @(posedge clk) begin
    x_q <= level[LEVELS].x;
    y_q <= level[LEVELS].y;
end

// ---- 2: multiply words: a balanced tree over the shifted rows ----
reg  [WORDS*PROD-1:0] prod_q;
wire [WORDS*PROD-1:0] prod_d;
always @(posedge clk) prod_q <= prod_d;
generate
    for (n = 0; n < WORDS; n = n + 1) begin : word
        wire [WORD-1:0] xw = x_q[WORD*n +: WORD], yw = y_q[WORD*n +: WORD];
        for (k = 2*WORD-1; k >= 1; k = k - 1) begin : node     // node k sums nodes 2k and 2k+1
            wire [PROD-1:0] sum;
            if (k >= WORD) begin : row
                assign sum = {{WORD-1{1'b0}}, yw & {WORD{xw[k-WORD]}}} << (k - WORD);
            end else begin : inner
                assign sum = node[2*k].sum ^ node[2*k+1].sum;
            end
        end
        assign prod_d[PROD*n +: PROD] = node[1].sum;
    end
endgenerate

// ---- 3: put together: back[l] holds 3^l products of level l operands ----
generate
    for (l = LEVELS; l >= 0; l = l - 1) begin : back
        localparam W = 128 >> l;
        localparam N = 3**l;
        localparam P = 2*W - 1;
        wire [N*P-1:0] z;
        if (l == LEVELS) begin : leaf
            assign z = prod_q;
        end else begin : join3
            localparam Q = W - 1;                              // bits of a half's product
            for (n = 0; n < N; n = n + 1) begin : product
                wire [Q-1:0] lo  = back[l+1].z[3*Q*n     +: Q];
                wire [Q-1:0] hi  = back[l+1].z[3*Q*n+Q   +: Q];
                wire [Q-1:0] mid = back[l+1].z[3*Q*n+2*Q +: Q] ^ lo ^ hi;
                assign z[P*n +: P] = {hi, {W{1'b0}}} ^ {{W{1'b0}}, lo}
                                   ^ {{W/2{1'b0}}, mid, {W/2{1'b0}}};
            end
        end
    end
endgenerate
reg [254:0] wide_q;
always @(posedge clk) wide_q <= back[0].z;

// ---- 4: reduce by x^128 = x^7 + x^2 + x + 1 ----
wire [126:0] h    = wide_q[254:128];
wire [133:0] fold = {7'd0, h} ^ {6'd0, h, 1'b0} ^ {5'd0, h, 2'b0} ^ {h, 7'b0};
wire [5:0]   g    = fold[133:128];              // what sticks out once more
wire [127:0] r    = wide_q[127:0] ^ fold[127:0]
                  ^ {115'd0, {7'd0, g} ^ {6'd0, g, 1'b0} ^ {5'd0, g, 2'b0} ^ {g, 7'b0}};
reg  [127:0] r_q;
always @(posedge clk) r_q <= r;
generate
    for (n = 0; n < 128; n = n + 1) begin : reflect_back
        assign p[n] = r_q[127-n];
    end
endgenerate
endmodule
`default_nettype wire
