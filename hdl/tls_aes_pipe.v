// tls_aes_pipe.v - AES encryption, a block every clock, key and key size free for every block.
//
// In    block, key (256 bits; AES-128 uses the upper half), is256. Taken at every clock that
//       `s_valid` is high; the pipeline cannot be stopped.
// Out   the ciphertext, in order, 15 * ROUND_REGS clocks later for both key sizes.
// How   15 stages of ROUND_REGS registers: stage 0 adds the first key, stage r is round r. Each
//       stage also makes the round key of the next one. AES-128 is complete after round 10 and
//       waits in a shift register (cheaper than a bypass in each of rounds 11 to 14).
// Order byte 0 of block and key is the highest byte.
// Spec  FIPS 197.  Model model/aes.py.
`default_nettype none
module tls_aes_pipe #(
    parameter SBOX       = "TABLE", // see tls_aes_subword
    parameter ROUND_REGS = 3        // registers a round, 1 to 3: clock against delay
) (
    input  wire         clk,
    input  wire         rst,
    input  wire         s_valid,
    input  wire [127:0] s_block,
    input  wire [255:0] s_key,
    input  wire         s_is256,
    output wire         m_valid,
    output wire [127:0] m_block
);
localparam REGS   = ROUND_REGS - 1;             // those inside the S-box
localparam ROUNDS = 14;

// index r: what enters stage r
wire [127:0] state [0:ROUNDS+1];
wire [127:0] prev  [0:ROUNDS];
wire [127:0] cur   [0:ROUNDS];
wire         is256 [0:ROUNDS+1];

assign state[0] = s_block ^ s_key[255:128];
assign prev[0]  = s_key[127:0];
assign cur[0]   = s_key[255:128];
assign is256[0] = s_is256;

genvar r;
generate
    for (r = 0; r <= ROUNDS; r = r + 1) begin : stage
        localparam [3:0] NUMBER = r;
        wire [127:0] state_d, cur_s;
        reg  [127:0] state_q;
        wire         is256_s;
        reg          is256_q;
        if (r == 0) begin : whitening
            tls_delay #(.W(128), .N(REGS)) wait_for_key (.clk(clk), .d(state[0]), .q(state_d));
        end else begin : rounds
            tls_aes_round #(.SBOX(SBOX), .REGS(REGS)) round (
                .clk(clk), .state(state[r]), .last(r == 14 || (r == 10 && !is256[r])),
                .round_key(cur_s), .y(state_d));
        end
        if (r < ROUNDS) begin : key
            wire [127:0] next;
            reg  [127:0] prev_q, cur_q;
            tls_aes_keystep #(.SBOX(SBOX), .REGS(REGS)) keystep (
                .clk(clk), .prev(prev[r]), .cur(cur[r]), .is256(is256[r]), .n(NUMBER + 4'd1),
                .next(next), .cur_s(cur_s));
            always @(posedge clk) begin
                prev_q <= cur_s;
                cur_q  <= next;
            end
            assign prev[r+1] = prev_q;
            assign cur[r+1]  = cur_q;
        end else begin : last_key
            tls_delay #(.W(128), .N(REGS)) delay (.clk(clk), .d(cur[r]), .q(cur_s));
            wire unused_ok = &{1'b0, prev[r]};
        end
        tls_delay #(.W(1), .N(REGS)) size_delay (.clk(clk), .d(is256[r]), .q(is256_s));
        always @(posedge clk) begin
            state_q <= state_d;
            is256_q <= is256_s;
        end
        assign state[r+1] = state_q;
        assign is256[r+1] = is256_q;
    end
endgenerate

wire [127:0] early;
tls_delay #(.W(128), .N(4*ROUND_REGS)) aes128_wait (.clk(clk), .d(state[11]), .q(early));
assign m_block = is256[ROUNDS+1] ? state[ROUNDS+1] : early;

reg [15*ROUND_REGS-1:0] valid_q;
assign m_valid = valid_q[15*ROUND_REGS-1];
always @(posedge clk) begin
    valid_q <= {valid_q[15*ROUND_REGS-2:0], s_valid};
    if (rst) valid_q <= {15*ROUND_REGS{1'b0}};
end
endmodule
`default_nettype wire
