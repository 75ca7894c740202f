// tls_gf128_mul.v - product in GF(2^128) as GCM defines it: a product every clock, or a small one.
//
// In    a, b, and `user` bits that travel along; taken when s_valid and s_ready are high.
// Out   p = a * b and the same user bits, in order, for one clock: the taker must be ready.
//       SMALL = 0: s_ready is always high; 4 clocks. SMALL = 1: 8 clocks, one at a time.
// MUL   how the one of SMALL = 0 is built; same products in the same clocks:
//       "GATES"  tls_gf128_mul_pipe, for hardware
//       "WORDS"  tls_gf128_mul_words, for simulation
// Order bit 127 is the coefficient of x^0 (the first bit of byte 0), bit 0 that of x^127.
// Spec  SP 800-38D, 6.3.  Model model/gf128.py.
`default_nettype none
module tls_gf128_mul #(
    parameter SMALL  = 0,
    parameter MUL    = "GATES",     // or "WORDS"
    parameter USER_W = 1            // bits that travel along
) (
    input  wire              clk,
    input  wire              rst,
    input  wire              s_valid,
    output wire              s_ready,
    input  wire [127:0]      s_a,
    input  wire [127:0]      s_b,
    input  wire [USER_W-1:0] s_user,
    output wire              m_valid,
    output wire [127:0]      m_p,
    output wire [USER_W-1:0] m_user
);
generate
    if (SMALL != 0) begin : little
        tls_gf128_mul_serial #(.USER_W(USER_W)) serial (
            .clk(clk), .rst(rst), .s_valid(s_valid), .s_ready(s_ready),
            .s_a(s_a), .s_b(s_b), .s_user(s_user),
            .m_valid(m_valid), .m_p(m_p), .m_user(m_user));
    end else begin : full
        reg [3:0] valid_q;
        assign s_ready = 1'b1;
        assign m_valid = valid_q[3];
        if (MUL == "GATES") begin : gates_kind
            tls_gf128_mul_pipe pipe (.clk(clk), .a(s_a), .b(s_b), .p(m_p));
        end else if (MUL == "WORDS") begin : words_kind
            tls_gf128_mul_words words (.clk(clk), .valid(s_valid), .a(s_a), .b(s_b), .p(m_p));
        end else begin : bad
            tls_gf128_mul_has_no_such_kind stop();
        end
        tls_delay #(.W(USER_W), .N(4)) user_delay (.clk(clk), .d(s_user), .q(m_user));
        always @(posedge clk) begin
            valid_q <= {valid_q[2:0], s_valid};
            if (rst) valid_q <= 4'd0;
        end
    end
endgenerate
endmodule
`default_nettype wire
