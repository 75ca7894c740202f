// tls_aes_iter.v - AES encryption with one round's hardware: the small configuration.
//
// In    block, key (256 bits; AES-128 uses the upper half), is256, taken when s_ready is high.
// Out   the ciphertext, 11 (AES-128) or 15 (AES-256) steps of ROUND_REGS clocks later, for that
//       one clock only: the taker must be ready. The next block may enter in the same clock as
//       the result leaves: one round a clock with ROUND_REGS = 1.
// Spec  FIPS 197.  Model model/aes.py.  Same ports and results as tls_aes_pipe, but for s_ready.
`default_nettype none
module tls_aes_iter #(
    parameter SBOX       = "TABLE", // see tls_aes_subword
    parameter ROUND_REGS = 1        // clocks a round, 1 to 3
) (
    input  wire         clk,
    input  wire         rst,
    input  wire         s_valid,
    output wire         s_ready,
    input  wire [127:0] s_block,
    input  wire [255:0] s_key,
    input  wire         s_is256,
    output wire         m_valid,
    output wire [127:0] m_block
);
localparam       REGS      = ROUND_REGS - 1;
localparam [1:0] LAST_STEP = REGS;

reg          busy_q, is256_q;
reg  [3:0]   round_q;                           // the round under way
reg  [1:0]   step_q;                            // its clock
reg  [127:0] state_q, prev_q, cur_q;

wire [3:0]   last_round = is256_q ? 4'd14 : 4'd10;
wire         round_end  = (step_q == LAST_STEP);
wire         take       = s_valid && s_ready;
wire         done       = busy_q && round_end && round_q == last_round;
wire [127:0] rounded, next, cur_s;

assign s_ready = !busy_q || done;
assign m_valid = done;
assign m_block = rounded;

tls_aes_round #(.SBOX(SBOX), .REGS(REGS)) round (
    .clk(clk), .state(state_q), .last(round_q == last_round), .round_key(cur_s), .y(rounded));
tls_aes_keystep #(.SBOX(SBOX), .REGS(REGS)) keystep (
    .clk(clk), .prev(prev_q), .cur(cur_q), .is256(is256_q), .n(round_q + 4'd1),
    .next(next), .cur_s(cur_s));

always @(posedge clk) begin
    if (busy_q) begin
        step_q <= step_q + 2'd1;
        if (round_end) begin
            step_q  <= 2'd0;
            round_q <= round_q + 4'd1;
            if (round_q != 4'd0) state_q <= rounded;    // round 0 makes the first key only
            prev_q  <= cur_s;
            cur_q   <= next;
            if (done) busy_q <= 1'b0;
        end
    end
    if (take) begin
        busy_q  <= 1'b1;
        step_q  <= 2'd0;
        round_q <= 4'd0;
        is256_q <= s_is256;
        state_q <= s_block ^ s_key[255:128];
        prev_q  <= s_key[127:0];
        cur_q   <= s_key[255:128];
    end
    if (rst) busy_q <= 1'b0;
end
endmodule
`default_nettype wire
