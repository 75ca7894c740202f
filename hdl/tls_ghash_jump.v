// tls_ghash_jump.v - the multiplications that are off the main path: sums times H^k.
//
// In    s_sum   a part's sum that must still be multiplied by H^k, 0 <= k < 2048
//       s_aad   an AAD block to multiply by H; first in line, but not twice running before others
//       s_key   H^2 to multiply by H, while a key is installed
// Out   m_sum   sum * H^k, in any order, with its user bits; not taken, it is withdrawn and comes
//               again a round later (the one stream that does not keep what it offers)
//       m_aad   AAD block * H, in order, 8 clocks after it was taken (SMALL 12; no ready)
//       m_key   H^3 (no ready)
// How   one multiplier in a ring. A token goes round once for each digit of k that is not zero,
//       in base 4, multiplied by the stored power H^(d * 4^j): six times at the most. Where a
//       token may leave but cannot yet, it goes round once more, times one: the ring never
//       stops, so it cannot lock. New tokens enter where no sum comes round, be it that it is
//       leaving: so the gap is known from a register, and nobody waits for what comes out.
//       The power comes two clocks after its address from the memory outside.
// Order bit 127 is the coefficient of x^0.
// Spec  SP 800-38D, 6.4 (a sum may be taken in parts).  Model model/ghash.py.
//       A round takes 7 clocks and 7 tokens go round at once; with SMALL 11 clocks, one token.
`default_nettype none
module tls_ghash_jump #(
    parameter SMALL  = 0,
    parameter MUL    = "GATES",     // see tls_gf128_mul
    parameter SLOT_W = 6,           // bits of a key slot's number
    parameter USER_W = 1
) (
    input  wire              clk,
    input  wire              rst,
    // part sums
    input  wire              s_sum_valid,
    output wire              s_sum_ready,
    input  wire [127:0]      s_sum,
    input  wire [10:0]       s_sum_k,
    input  wire [SLOT_W-1:0] s_sum_slot,
    input  wire [USER_W-1:0] s_sum_user,
    output wire              m_sum_valid,
    input  wire              m_sum_ready,
    output wire [127:0]      m_sum,
    output wire [USER_W-1:0] m_sum_user,
    // AAD blocks
    input  wire              s_aad_valid,
    output wire              s_aad_ready,
    input  wire [127:0]      s_aad,
    input  wire [SLOT_W-1:0] s_aad_slot,
    output wire              m_aad_valid,
    output wire [127:0]      m_aad,
    // key installation
    input  wire              s_key_valid,
    output wire              s_key_ready,
    input  wire [127:0]      s_key,
    input  wire [SLOT_W-1:0] s_key_slot,
    output wire              m_key_valid,
    output wire [127:0]      m_key,
    // stored powers: {slot, 3*j + d-1} -> H^(d * 4^j)
    output wire [SLOT_W+3:0] power_addr,
    input  wire [127:0]      power
);
localparam [1:0] KIND_SUM = 2'd0, KIND_AAD = 2'd1, KIND_KEY = 2'd2;
localparam       TOKEN_W  = 3 + 11 + SLOT_W + USER_W;   // kind, done, k left, slot, user
localparam [127:0] ONE    = {1'b1, 127'd0};

// ---- the end of the ring ----
wire               end_valid;
wire [127:0]       end_value;
wire [1:0]         end_kind;
wire               end_done;                    // nothing is left of k
wire [10:0]        end_k;
wire [SLOT_W-1:0]  end_slot;
wire [USER_W-1:0]  end_user;
wire               end_sum = end_valid && end_kind == KIND_SUM;
wire               again   = end_sum && !(end_done && m_sum_ready);

assign m_sum_valid = end_sum && end_done;
assign m_sum       = end_value;
assign m_sum_user  = end_user;
assign m_aad_valid = end_valid && end_kind == KIND_AAD;
assign m_aad       = end_value;
assign m_key_valid = end_valid && end_kind == KIND_KEY;
assign m_key       = end_value;

// ---- 0: who goes next ----
// `taken`: at the end of the ring is a sum, which may come round again. An AAD block was promised
// the clock after it was taken, and is in a register by then: nothing here waits for far logic.
reg                valid1_q, valid2_q, valid3_q;
reg  [6:0]         sums_q;                      // full: stages 1 to 7 that hold a sum
reg                busy_q;                      // small: a token is in the ring
reg                aad_valid_q;
reg  [127:0]       aad_q;
reg  [SLOT_W-1:0]  aad_slot_q;
wire               taken = (SMALL != 0) ? busy_q : sums_q[6];
(* keep *)
reg                aad_next_q;                  // the same once more: it chooses 128 bits
reg                yield_q, blocked_q;          // others wait for the AAD blocks to let them in, out
wire               aad_in = s_aad_valid && s_aad_ready;
wire               hold  = (SMALL != 0) && aad_in;          // the small ring must stay empty for it
wire               sum_in, key_in;
assign s_aad_ready = !yield_q && ((SMALL != 0) ? !busy_q && !aad_valid_q : !sums_q[5]);
assign s_key_ready = !taken && !aad_valid_q && !hold;
assign s_sum_ready = !taken && !aad_valid_q && !hold && !s_key_valid;
assign key_in      = s_key_valid && s_key_ready;
assign sum_in      = s_sum_valid && s_sum_ready;

reg  [127:0]       value1_q, value2_q, value3_q;
reg  [TOKEN_W-1:0] token1_q, token2_q, token3_q;
always @(posedge clk) begin
    aad_valid_q <= aad_in;
    aad_next_q  <= aad_in;
    blocked_q   <= (blocked_q || (end_sum && end_done)) && !(m_sum_valid && m_sum_ready);
    yield_q     <= (aad_in && (s_key_valid || s_sum_valid || blocked_q))
                || (yield_q && (s_key_valid || s_sum_valid) && !(key_in || sum_in));
    aad_q       <= s_aad;
    aad_slot_q  <= s_aad_slot;
    if (taken) begin
        value1_q <= end_value;
        token1_q <= {KIND_SUM, end_done, end_k, end_slot, end_user};
    end else if (aad_next_q) begin
        value1_q <= aad_q;
        token1_q <= {KIND_AAD, 1'b0, 11'd1, aad_slot_q, {USER_W{1'b0}}};
    end else if (s_key_valid) begin
        value1_q <= s_key;
        token1_q <= {KIND_KEY, 1'b0, 11'd1, s_key_slot, {USER_W{1'b0}}};
    end else begin
        value1_q <= s_sum;
        token1_q <= {KIND_SUM, 1'b0, s_sum_k, s_sum_slot, s_sum_user};
    end
    valid1_q <= again || aad_valid_q || key_in || sum_in;
    valid2_q <= valid1_q;
    valid3_q <= valid2_q;
    sums_q   <= {sums_q[5:0], again || sum_in};
    busy_q   <= (busy_q || aad_valid_q || key_in || sum_in) && !(end_valid && !again);
    if (rst) begin
        aad_valid_q <= 1'b0;
        blocked_q   <= 1'b0;
        yield_q     <= 1'b0;
        valid1_q    <= 1'b0;
        valid2_q    <= 1'b0;
        valid3_q    <= 1'b0;
        sums_q      <= 7'd0;
        busy_q      <= 1'b0;
    end
end

// ---- 1: the lowest digit that is not zero names the power; it is then done with ----
wire [1:0]        kind1;
wire [10:0]       k1;
wire [SLOT_W-1:0] slot1;
wire [USER_W-1:0] user1;
wire              done1;
assign {kind1, done1, k1, slot1, user1} = token1_q;
reg  [3:0]  index;
reg  [10:0] left;
always @* begin
    left = k1;
    if      (k1[1:0] != 2'd0) begin index = {2'd0, k1[1:0]} - 4'd1;  left[1:0] = 2'd0; end
    else if (k1[3:2] != 2'd0) begin index = {2'd0, k1[3:2]} + 4'd2;  left[3:2] = 2'd0; end
    else if (k1[5:4] != 2'd0) begin index = {2'd0, k1[5:4]} + 4'd5;  left[5:4] = 2'd0; end
    else if (k1[7:6] != 2'd0) begin index = {2'd0, k1[7:6]} + 4'd8;  left[7:6] = 2'd0; end
    else if (k1[9:8] != 2'd0) begin index = {2'd0, k1[9:8]} + 4'd11; left[9:8] = 2'd0; end
    else                      begin index = 4'd15;                   left[10]  = 1'b0; end
end
assign power_addr = {slot1, index};

// ---- 2, 3: the memory answers ----
reg one2_q, one3_q;                             // times one: nothing was left to do
always @(posedge clk) begin
    value2_q <= value1_q;
    token2_q <= {kind1, left == 11'd0, left, slot1, user1};
    one2_q   <= done1 || k1 == 11'd0;
    value3_q <= value2_q;
    token3_q <= token2_q;
    one3_q   <= one2_q;
end

// ---- 4 to 7: multiply ----
wire mul_ready;
tls_gf128_mul #(.SMALL(SMALL), .MUL(MUL), .USER_W(TOKEN_W)) mul (
    .clk(clk), .rst(rst), .s_valid(valid3_q), .s_ready(mul_ready),
    .s_a(one3_q ? ONE : power), .s_b(value3_q), .s_user(token3_q),
    .m_valid(end_valid), .m_p(end_value),
    .m_user({end_kind, end_done, end_k, end_slot, end_user}));
// one token at a time finds the small multiplier idle
wire unused_ok = &{1'b0, mul_ready};
endmodule
`default_nettype wire
