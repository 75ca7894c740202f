// tls_aes_sbox_gates.v - one AES S-box as logic, in three layers.
//
// In    a: a byte.   Out  y: its S-box value, REGS clocks later.
// REGS  0: none; 1: a register between the two halves (after the inputs of the inversion in
//       GF(2^4)); 2: that one and one at the output. Each half is 4 levels of LUT4, 72 in all:
//       the paper's sums are written out and balanced for that. A mapper takes the S-box by itself
//       (keep_hierarchy): among longer paths it would give the levels up for area.
// Spec  FIPS 197, 5.1.1; the circuit is J. Boyar and R. Peralta, "A new combinational logic
//       minimization technique with applications to cryptology", 2010, with its names
//       (x input, y top layer, t and z middle, s output; index 0 is the highest bit).
// Model model/aes.py; equal to the table for all 256 inputs (cocotb_tests).
`default_nettype none
(* keep_hierarchy *)
module tls_aes_sbox_gates #(
    parameter REGS = 2
) (
    input  wire       clk,
    input  wire [7:0] a,
    output wire [7:0] y
);
// what the second half needs of the first: the byte, four of its sums that are long, and four bits
wire [15:0] cut_d;
wire [15:0] cut;

// ---- first half: top linear layer on a, then the middle up to t21..t24 ----
wire x0 = a[7], x1 = a[6], x2 = a[5], x3 = a[4], x4 = a[3], x5 = a[2], x6 = a[1], x7 = a[0];
wire y14 = x3 ^ x5,           y13 = x0 ^ x6,           y9  = x0 ^ x3,           y8  = x0 ^ x5;
wire y12 = x0 ^ x3 ^ x5 ^ x6, y1  = x1 ^ x2 ^ x7,      y4  = x1 ^ x2 ^ x7 ^ x3;
wire y2  = x1 ^ x2 ^ x7 ^ x0, y5  = x1 ^ x2 ^ x7 ^ x6, y15 = x0 ^ x3 ^ x4 ^ x6;
wire y11 = x1 ^ x4 ^ x5 ^ x6, y17 = x0 ^ x2 ^ x3 ^ x5, y16 = x2 ^ x4 ^ x5 ^ x6;
wire y21 = x0 ^ x2 ^ x4 ^ x5;
wire y3  = y5 ^ x0 ^ x5,      y6  = y15 ^ x7,          y7  = y11 ^ x7,          y10 = y15 ^ x1 ^ x2;
wire y20 = y15 ^ x1 ^ x5,     y19 = y11 ^ x2 ^ x3,     y18 = y16 ^ x0;
wire t4  = (y3 & y6)   ^ (y12 & y15),  t6  = (y4 & x7)  ^ (y12 & y15);
wire t9  = (y5 & y1)   ^ (y13 & y16),  t11 = (y2 & y7)  ^ (y13 & y16);
wire t14 = (y14 & y17) ^ (y9 & y11),   t16 = (y8 & y10) ^ (y9 & y11);
assign cut_d = {a, y3, y6, y7, y10,
                t4 ^ t14 ^ y20, t6 ^ t16 ^ y19, t9 ^ t14 ^ y21, t11 ^ t16 ^ y18};

generate
    if (REGS == 0) begin : uncut
        assign cut = cut_d;
    end else begin : in_two
        reg [15:0] cut_q;
        always @(posedge clk) cut_q <= cut_d;
        assign cut = cut_q;
    end
endgenerate

// ---- second half: inversion in GF(2^4), the products, the bottom linear layer ----
wire u0 = cut[15], u1 = cut[14], u2 = cut[13], u3 = cut[12];
wire u4 = cut[11], u5 = cut[10], u6 = cut[9],  u7 = cut[8];
wire v3 = cut[7],  v6 = cut[6],  v7 = cut[5],  v10 = cut[4];
wire t21 = cut[3], t22 = cut[2], t23 = cut[1], t24 = cut[0];
// the rest of the top layer again, on the byte carried over
wire v14 = u3 ^ u5,           v13 = u0 ^ u6,           v9  = u0 ^ u3,           v8  = u0 ^ u5;
wire v12 = u0 ^ u3 ^ u5 ^ u6, v1  = u1 ^ u2 ^ u7,      v4  = u1 ^ u2 ^ u7 ^ u3;
wire v2  = u1 ^ u2 ^ u7 ^ u0, v5  = u1 ^ u2 ^ u7 ^ u6, v15 = u0 ^ u3 ^ u4 ^ u6;
wire v11 = u1 ^ u4 ^ u5 ^ u6, v17 = u0 ^ u2 ^ u3 ^ u5, v16 = u2 ^ u4 ^ u5 ^ u6;
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
wire t61 = (t50 ^ t53) ^ z14;
wire t62 = (t46 ^ t52) ^ z4;
wire t63 = (t46 ^ t49) ^ z4;
wire [7:0] s = {(t54 ^ t63) ^ z3, ~((t54 ^ t49) ^ (t46 ^ (z0 ^ z1))),
                ~((t61 ^ t62) ^ ((t54 ^ t55) ^ (z3 ^ z4))), (t53 ^ t63) ^ z1,
                (t51 ^ t63) ^ z1, (t61 ^ t62) ^ t47, ~((t48 ^ t62) ^ z12),
                ~((t46 ^ t48) ^ (t50 ^ t53))};

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
