// tls_ghash.v - GHASH of the blocks of a part, a block every clock, no pause between parts.
//
// In    one block a clock at most (SMALL: not before s_ready), with
//         x        the block, bytes that do not belong to the part zero
//         power    H^LANES, or H^owed when owed <= LANES (the key of this block's part)
//         owed     multiplications from this block to the end of its part, itself included,
//                  saturating above LANES; 1 at the last block
//         index    place in the part modulo LANES; `early`: it is one of the first LANES
//         next_index, next_early  a clock ahead: those of the block of the next clock, if there is
//                  one (SMALL: not used)
//         add      at the last block: XORed to the sum, unmultiplied (E(J0) with the tag)
//         user     at the last block: travels to the sum
// Out   m_sum = add + x[1]*H^n + x[2]*H^(n-1) + ... + x[n]*H, for one clock.
// How   the multiplier takes 4 clocks, so LANES = 4 interleaved sums step by H^4, and the last
//       four blocks are multiplied by just what is owed and gathered. A lane is kept until its
//       next block comes, so gaps between blocks are free. The next part, of any key, may start
//       on the next clock. With SMALL the multiplier is faster than the blocks: LANES = 1.
// Order bit 127 is the coefficient of x^0.
// Spec  SP 800-38D, 6.4.  Model model/ghash.py.  SMALL = 0: m_sum 4 clocks after the last block.
`default_nettype none
module tls_ghash #(
    parameter SMALL  = 0,
    parameter MUL    = "GATES",     // see tls_gf128_mul
    parameter USER_W = 1
) (
    input  wire              clk,
    input  wire              rst,
    input  wire              s_valid,
    output wire              s_ready,
    input  wire [127:0]      s_x,
    input  wire [127:0]      s_power,
    input  wire [2:0]        s_owed,
    input  wire [1:0]        s_index,
    input  wire [1:0]        s_next_index,
    input  wire              s_early,
    input  wire              s_next_early,
    input  wire [127:0]      s_add,
    input  wire [USER_W-1:0] s_user,
    output wire              m_valid,
    output wire [127:0]      m_sum,
    output wire [USER_W-1:0] m_user
);
localparam [2:0] LANES = (SMALL != 0) ? 3'd1 : 3'd4;

// ---- lanes: what a product that is not final waits for its next block in ----
reg  [127:0] lane [0:3];
wire         p_valid, p_keep, p_first, p_last;
wire [1:0]   p_index;
wire [127:0] p, p_add;
wire [USER_W-1:0] p_user;
wire         p_to_lane, p_gather, p_sum;        // what p is for
wire [127:0] carry;                             // what s_x is added to
always @(posedge clk) if (p_to_lane) lane[p_index] <= p;

// ---- multiply ----
wire s_keep  = s_owed > LANES;
wire s_last  = s_owed == 3'd1;
// the gathering starts with the block that owes LANES, or with the first of a shorter part
wire s_first = !s_keep && (s_owed == LANES || (s_early && s_index == 2'd0));
tls_gf128_mul #(.SMALL(SMALL), .MUL(MUL), .USER_W(133 + USER_W)) mul (
    .clk(clk), .rst(rst), .s_valid(s_valid), .s_ready(s_ready),
    .s_a(s_x ^ carry), .s_b(s_power),
    .s_user({s_keep, s_first, s_last, s_index, s_add, s_user}),
    .m_valid(p_valid), .m_p(p),
    .m_user({p_keep, p_first, p_last, p_index, p_add, p_user}));

// ---- what comes out: known a clock ahead, as it steers 128 bits; the small one has the time ----
// When a final product comes out, nobody wants what its lane has any more: it may pass for it.
generate
    if (SMALL != 0) begin : little
        assign p_to_lane = p_valid && p_keep;
        assign p_gather  = p_valid && !p_keep;
        assign p_sum     = p_valid && p_last;
        wire   same      = p_to_lane && p_index == s_index;
        assign carry     = s_early ? 128'd0 : same ? p : lane[s_index];
        wire unused_ok = &{1'b0, s_next_index, s_next_early};
    end else begin : full
        // a block's lane is just coming out (a copy a word of it), or was kept, or there is none yet;
        // what comes out is of the block four before, so then it is not one of the first
        wire [3:0]   same;
        wire         same_d;
        reg          to_lane_q, gather_q, sum_q;
        reg  [127:0] kept_q;
        reg  [2:0]   valid_q;
        wire         next_keep, next_last;
        wire [1:0]   next_index;
        tls_delay #(.W(4), .N(3)) how_delay (
            .clk(clk), .d({s_keep, s_last, s_index}), .q({next_keep, next_last, next_index}));
        always @(posedge clk) begin
            valid_q   <= {valid_q[1:0], s_valid};
            to_lane_q <= valid_q[2] && next_keep;
            gather_q  <= valid_q[2] && !next_keep;
            sum_q     <= valid_q[2] && next_last;
            kept_q    <= ((p_valid && p_index == s_next_index) ? p : lane[s_next_index])
                       & {128{!s_next_early}};
            if (rst) begin
                valid_q   <= 3'd0;
                to_lane_q <= 1'b0;
                gather_q  <= 1'b0;
                sum_q     <= 1'b0;
            end
        end
        assign same_d = valid_q[2] && next_keep && next_index == s_next_index;
        genvar w;
        for (w = 0; w < 4; w = w + 1) begin : word
            tls_copy same_copy (.clk(clk), .d(same_d && !rst), .q(same[w]));
            assign carry[32*w +: 32] = same[w] ? p[32*w +: 32] : kept_q[32*w +: 32];
        end
        assign p_to_lane = to_lane_q;
        assign p_gather  = gather_q;
        assign p_sum     = sum_q;
        wire unused_ok = &{1'b0, p_keep, p_last};
    end
endgenerate

// ---- gather what is final ----
reg  [127:0] gathered_q;
wire [127:0] gathered = p ^ (p_first ? 128'd0 : gathered_q);
always @(posedge clk) if (p_gather) gathered_q <= gathered;

assign m_valid = p_sum;
assign m_sum   = gathered ^ p_add;
assign m_user  = p_user;
endmodule
`default_nettype wire
