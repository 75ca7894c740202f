// tls_aes_sbox_gates.v - one AES S-box as logic: 113 gates in three layers.
//
// In    a: a byte.   Out  y: its S-box value, REGS clocks later.
// REGS  0: none; 1: a register between the two halves (after the inputs of the inversion in
//       GF(2^4)); 2: that one and one at the output. Each half is 4 to 5 levels of LUT4.
// Spec  FIPS 197, 5.1.1; the circuit is J. Boyar and R. Peralta, "A new combinational logic
//       minimization technique with applications to cryptology", 2010, with its names
//       (x input, y top layer, t and z middle, s output; index 0 is the highest bit).
// Model model/aes.py; equal to the table for all 256 inputs (cocotb_tests).
`default_nettype none
module tls_aes_sbox_gates #(
    parameter REGS = 2
) (
    input  wire       clk,
    input  wire [7:0] a,
    output wire [7:0] y
);
// what the second half needs of the first: the byte and four bits
wire [11:0] cut_d;
wire [11:0] cut;

// ---- first half: top linear layer on a, then the middle up to t21..t24 ----
wire x0 = a[7], x1 = a[6], x2 = a[5], x3 = a[4], x4 = a[3], x5 = a[2], x6 = a[1], x7 = a[0];
wire y14 = x3 ^ x5,   y13 = x0 ^ x6,   y9  = x0 ^ x3,   y8  = x0 ^ x5;
wire t0  = x1 ^ x2,   y1  = t0 ^ x7,   y4  = y1 ^ x3,   y12 = y13 ^ y14;
wire y2  = y1 ^ x0,   y5  = y1 ^ x6,   y3  = y5 ^ y8,   t1  = x4 ^ y12;
wire y15 = t1 ^ x5,   y20 = t1 ^ x1,   y6  = y15 ^ x7,  y10 = y15 ^ t0;
wire y11 = y20 ^ y9,  y7  = x7 ^ y11,  y17 = y10 ^ y11, y19 = y10 ^ y8;
wire y16 = t0 ^ y11,  y21 = y13 ^ y16, y18 = x0 ^ y16;
wire t2  = y12 & y15, t7  = y13 & y16, t12 = y9 & y11;
wire t4  = (y3 & y6) ^ t2,             t6  = (y4 & x7) ^ t2;
wire t9  = (y5 & y1) ^ t7,             t11 = (y2 & y7) ^ t7;
wire t14 = (y14 & y17) ^ t12,          t16 = (y8 & y10) ^ t12;
assign cut_d = {a, t4 ^ t14 ^ y20, t6 ^ t16 ^ y19, t9 ^ t14 ^ y21, t11 ^ t16 ^ y18};

generate
    if (REGS == 0) begin : uncut
        assign cut = cut_d;
    end else begin : in_two
        reg [11:0] cut_q;
        always @(posedge clk) cut_q <= cut_d;
        assign cut = cut_q;
    end
endgenerate

// ---- second half: inversion in GF(2^4), the products, the bottom linear layer ----
wire u0 = cut[11], u1 = cut[10], u2 = cut[9], u3 = cut[8];
wire u4 = cut[7],  u5 = cut[6],  u6 = cut[5], u7 = cut[4];
wire t21 = cut[3], t22 = cut[2], t23 = cut[1], t24 = cut[0];
// the top layer again, on the byte carried over
wire v14 = u3 ^ u5,   v13 = u0 ^ u6,   v9  = u0 ^ u3,   v8  = u0 ^ u5;
wire w0  = u1 ^ u2,   v1  = w0 ^ u7,   v4  = v1 ^ u3,   v12 = v13 ^ v14;
wire v2  = v1 ^ u0,   v5  = v1 ^ u6,   v3  = v5 ^ v8,   w1  = u4 ^ v12;
wire v15 = w1 ^ u5,   v20 = w1 ^ u1,   v6  = v15 ^ u7,  v10 = v15 ^ w0;
wire v11 = v20 ^ v9,  v7  = u7 ^ v11,  v17 = v10 ^ v11, v16 = w0 ^ v11;
// inversion
wire t25 = t21 ^ t22, t26 = t21 & t23, t27 = t24 ^ t26, t28 = t25 & t27;
wire t29 = t28 ^ t22, t30 = t23 ^ t24, t31 = t22 ^ t26, t32 = t31 & t30;
wire t33 = t32 ^ t24, t34 = t23 ^ t33, t35 = t27 ^ t33, t36 = t24 & t35;
wire t37 = t36 ^ t34, t38 = t27 ^ t36, t39 = t29 & t38, t40 = t25 ^ t39;
wire t41 = t40 ^ t37, t42 = t29 ^ t33, t43 = t29 ^ t40, t44 = t33 ^ t37, t45 = t42 ^ t41;
// products
wire z0  = t44 & v15, z1  = t37 & v6,  z2  = t33 & u7,  z3  = t43 & v16, z4  = t40 & v1;
wire z5  = t29 & v7,  z6  = t42 & v11, z7  = t45 & v17, z8  = t41 & v10, z9  = t44 & v12;
wire z10 = t37 & v3,  z11 = t33 & v4,  z12 = t43 & v13, z13 = t40 & v5,  z14 = t29 & v2;
wire z15 = t42 & v9,  z16 = t45 & v14, z17 = t41 & v8;
// bottom linear layer
wire t46 = z15 ^ z16, t47 = z10 ^ z11, t48 = z5 ^ z13,  t49 = z9 ^ z10,  t50 = z2 ^ z12;
wire t51 = z2 ^ z5,   t52 = z7 ^ z8,   t53 = z0 ^ z3,   t54 = z6 ^ z7,   t55 = z16 ^ z17;
wire t56 = z12 ^ t48, t57 = t50 ^ t53, t58 = z4 ^ t46,  t59 = z3 ^ t54,  t60 = t46 ^ t57;
wire t61 = z14 ^ t57, t62 = t52 ^ t58, t63 = t49 ^ t58, t64 = z4 ^ t59,  t65 = t61 ^ t62;
wire t66 = z1 ^ t63,  t67 = t64 ^ t65;
wire s3  = t53 ^ t66;
wire [7:0] s = {t59 ^ t63, ~(t64 ^ s3), ~(t55 ^ t67), s3,
                t51 ^ t66, t47 ^ t65, ~(t56 ^ t62), ~(t48 ^ t60)};

generate
    if (REGS < 2) begin : open_end
        assign y = s;
        if (REGS == 0) begin : no_clock
            wire unused_ok = &{1'b0, clk};
        end
    end else begin : closed_end
        reg [7:0] s_q;
        always @(posedge clk) s_q <= s;
        assign y = s_q;
    end
endgenerate
endmodule
`default_nettype wire
