// tls_gf128_mul_serial.v - product in GF(2^128), 16 bits of one factor a clock.
//
// In    a, b, user, taken when s_ready is high.
// Out   p = a * b, 8 clocks later, for one clock; a new pair may enter in that clock.
// Order bit 127 is the coefficient of x^0.
// Spec  SP 800-38D, 6.3, algorithm 1, sixteen steps a clock.  Model model/gf128.py.
`default_nettype none
module tls_gf128_mul_serial #(
    parameter USER_W = 1
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
reg              busy_q;
reg [2:0]        step_q;
reg [127:0]      a_q, z_q, v_q;                 // rest of a; sum; b * x^(16 * step)
reg [USER_W-1:0] user_q;

reg [127:0]      z_d, v_d;
integer i;
always @* begin
    z_d = z_q;
    v_d = v_q;
    for (i = 0; i < 16; i = i + 1) begin
        z_d = z_d ^ (v_d & {128{a_q[127-i]}});
        v_d = {1'b0, v_d[127:1]} ^ (v_d[0] ? {8'he1, 120'd0} : 128'd0);
    end
end

wire last = busy_q && step_q == 3'd7;
assign s_ready = !busy_q || last;
assign m_valid = last;
assign m_p     = z_d;
assign m_user  = user_q;

always @(posedge clk) begin
    if (busy_q) begin                           // idle registers rest: power, and Icarus' time
        step_q <= step_q + 3'd1;
        a_q    <= {a_q[111:0], 16'd0};
        z_q    <= z_d;
        v_q    <= v_d;
    end
    if (last) begin                             // nothing of a key stays behind
        busy_q <= 1'b0;
        a_q    <= 128'd0;
        z_q    <= 128'd0;
        v_q    <= 128'd0;
    end
    if (s_valid && s_ready) begin
        busy_q <= 1'b1;
        step_q <= 3'd0;
        a_q    <= s_a;
        z_q    <= 128'd0;
        v_q    <= s_b;
        user_q <= s_user;
    end
    if (rst) busy_q <= 1'b0;
end
endmodule
`default_nettype wire
