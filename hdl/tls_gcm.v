// tls_gcm.v - the AES-GCM lane: 16 bytes a clock, key and direction free for every part.
//
// In    s_key    installs or wipes a key slot; m_key answers
//       s_part   a part of a record: any run of its bytes; s_axis its data
// Out   m_axis   the same bytes, encrypted or decrypted, in order, each at its place
//       m_sum    one 128-bit sum a part, in any order. The XOR of the sums of all parts of a
//                record is its tag, in whatever order and however small the parts were, as long
//                as each byte was in exactly one. Nothing of a record is kept here.
// Error a part for a slot without key, or one that does not fit its record: its text is zero, its
//       sum is zero and tells why. All streams by the four stream rules (docs/interfaces.md).
// How   issue -> AES (data waits in a queue) -> XOR -> GHASH -> sum. What is not a block of text
//       stays off that path: AAD times H, the sum's power of H, the powers of H.
// Order on ports byte 0 is bits 7:0, as AXI has it; inside byte 0 is the highest.
// Spec  SP 800-38D; RFC 5288; RFC 8446 5.2, 5.3.  Model model/gcm.py.
//       A block a clock, one more beat a record. docs/interfaces.md has the delays, and what
//       short parts of long records cost.
`default_nettype none
module tls_gcm #(
    parameter SLOTS      = 64,      // key slots, a power of two
    parameter SMALL      = 0,       // 1: one AES round at a time, serial GHASH; ROUND_REGS 1
    parameter SBOX       = "TABLE", // see tls_aes_subword
    parameter MUL        = "GATES", // see tls_gf128_mul
    parameter ROUND_REGS = 3,       // registers (SMALL: clocks) an AES round
    parameter ID_W       = 8        // bits of a part's name
) (
    input  wire                     clk,
    input  wire                     rst,
    // keys
    input  wire                     s_key_valid,
    output wire                     s_key_ready,
    input  wire [$clog2(SLOTS)-1:0] s_key_slot,
    input  wire [1:0]               s_key_cipher,
    input  wire [255:0]             s_key_key,
    input  wire [95:0]              s_key_iv,
    output wire                     m_key_valid,
    input  wire                     m_key_ready,
    output wire [$clog2(SLOTS)-1:0] m_key_slot,
    output wire                     m_key_refused,
    // parts
    input  wire                     s_part_valid,
    output wire                     s_part_ready,
    input  wire [$clog2(SLOTS)-1:0] s_part_slot,
    input  wire                     s_part_decrypt,
    input  wire                     s_part_is_aad,
    input  wire [63:0]              s_part_nonce,
    input  wire [14:0]              s_part_len,
    input  wire [14:0]              s_part_aad_len,
    input  wire [14:0]              s_part_offset,
    input  wire [14:0]              s_part_bytes,
    input  wire [127:0]             s_part_aad,
    input  wire [ID_W-1:0]          s_part_id,
    input  wire [127:0]             s_axis_tdata,
    input  wire                     s_axis_tvalid,
    output wire                     s_axis_tready,
    // text
    output wire [127:0]             m_axis_tdata,
    output wire [15:0]              m_axis_tkeep,
    output wire                     m_axis_tlast,
    output wire [ID_W-1:0]          m_axis_tuser,
    output wire                     m_axis_tvalid,
    input  wire                     m_axis_tready,
    // sums
    output wire                     m_sum_valid,
    input  wire                     m_sum_ready,
    output wire [127:0]             m_sum_tdata,
    output wire [ID_W-1:0]          m_sum_id,
    output wire [1:0]               m_sum_error     // 0 none, 1 no key, 2 bad part
);
localparam SLOT_W = $clog2(SLOTS);
localparam PARTS  = 32;             // parts under way at most
localparam TEXTS  = 64;             // blocks under way: covers the longest delay at full rate
localparam PART_W = $clog2(PARTS) + 1;
localparam TEXT_W = $clog2(TEXTS) + 1;
generate if (SLOTS < 2 || SLOTS != (1 << SLOT_W)) begin : bad tls_gcm_slots_is_no_power_of_two stop(); end endgenerate

// byte 0 is the lowest on the ports and the highest inside
function [127:0] swap(input [127:0] x);
    integer n;
    for (n = 0; n < 16; n = n + 1) swap[8*n +: 8] = x[127-8*n -: 8];
endfunction
wire [127:0] iv_swapped = swap({32'd0, s_key_iv});

// ---- what is under way: room for it is kept free behind the lane ----
// Words are counted from registers and told through one, two clocks late: so there is room for two
// more then. Parts are few, and counted to the last.
wire text_taken, sum_taken;
reg  text_in_q, text_out_q;
wire sum_out = m_sum_valid && m_sum_ready;
reg  text_room_q, sum_room_q;
reg  [TEXT_W-1:0] texts_q;
reg  [PART_W-1:0] parts_q;
always @(posedge clk) begin
    text_in_q   <= text_taken;
    text_out_q  <= m_axis_tvalid && m_axis_tready;
    texts_q     <= texts_q + {{TEXT_W-1{1'b0}}, text_in_q} - {{TEXT_W-1{1'b0}}, text_out_q};
    if (sum_taken != sum_out) parts_q <= sum_out ? parts_q - 1'b1 : parts_q + 1'b1;
    text_room_q <= !texts_q[TEXT_W-1] && !(&texts_q[TEXT_W-2:1]);
    sum_room_q  <= sum_out || !(parts_q[PART_W-1] || ((&parts_q[PART_W-2:0]) && sum_taken));
    if (rst) begin
        text_in_q   <= 1'b0;
        text_out_q  <= 1'b0;
        text_room_q <= 1'b0;
        sum_room_q  <= 1'b0;
        texts_q     <= {TEXT_W{1'b0}};
        parts_q     <= {PART_W{1'b0}};
    end
end

// ---- parts to beats ----
wire              i_valid, i_ready, i_is_h, i_is_text, i_is_tag, i_decrypt, i_text_end;
wire              i_early, i_inject, i_bad;
wire [SLOT_W-1:0] i_slot;
wire [63:0]       i_nonce;
wire [11:0]       i_count;
wire [127:0]      i_data;
wire [15:0]       i_keep;
wire [2:0]        i_owed;
wire [1:0]        i_index;
wire [10:0]       i_k;
wire [ID_W-1:0]   i_id;
wire              h_valid, h_ready, aad_valid, aad_ready, key_idle, key_hold;
wire [SLOT_W-1:0] h_slot, aad_slot;
wire [127:0]      aad_block;
tls_gcm_issue #(.SLOT_W(SLOT_W), .ID_W(ID_W), .SMALL(SMALL)) issue (
    .clk(clk), .rst(rst),
    .s_part_valid(s_part_valid), .s_part_ready(s_part_ready), .s_part_slot(s_part_slot),
    .s_part_decrypt(s_part_decrypt), .s_part_is_aad(s_part_is_aad), .s_part_nonce(s_part_nonce),
    .s_part_len(s_part_len), .s_part_aad_len(s_part_aad_len), .s_part_offset(s_part_offset),
    .s_part_bytes(s_part_bytes), .s_part_aad(s_part_aad), .s_part_id(s_part_id),
    .s_axis_tvalid(s_axis_tvalid), .s_axis_tready(s_axis_tready), .s_axis_tdata(s_axis_tdata),
    .key_valid(s_key_valid && key_idle), .key_slot(s_key_slot), .key_hold(key_hold),
    .h_valid(h_valid), .h_ready(h_ready), .h_slot(h_slot),
    .text_room(text_room_q), .sum_room(sum_room_q),
    .text_taken(text_taken), .sum_taken(sum_taken),
    .aad_valid(aad_valid), .aad_ready(aad_ready), .aad_block(aad_block), .aad_slot(aad_slot),
    .m_valid(i_valid), .m_ready(i_ready), .m_slot(i_slot), .m_is_h(i_is_h), .m_nonce(i_nonce),
    .m_count(i_count), .m_is_text(i_is_text), .m_is_tag(i_is_tag), .m_decrypt(i_decrypt),
    .m_data(i_data), .m_keep(i_keep), .m_text_end(i_text_end), .m_owed(i_owed),
    .m_index(i_index), .m_early(i_early), .m_inject(i_inject), .m_k(i_k), .m_id(i_id),
    .m_bad(i_bad));

// ---- beats through AES ----
wire              key_en, is256, usable, h_done, text_valid, text_end;
wire [255:0]      key;
wire [95:0]       iv;
wire [127:0]      h_block, text, c_x, c_add;
wire [15:0]       text_keep;
wire [SLOT_W+3:0] hash_addr;
wire [SLOT_W-1:0] key_slot;
wire              c_valid, c_early, c_inject;
wire [2:0]        c_owed;
wire [1:0]        c_index, c_error;
wire [10:0]       c_k;
wire [SLOT_W-1:0] c_slot;
wire [ID_W-1:0]   c_id;
tls_gcm_cipher #(.SLOT_W(SLOT_W), .ID_W(ID_W), .DEPTH(TEXTS), .SMALL(SMALL), .SBOX(SBOX),
                 .ROUND_REGS(ROUND_REGS)) cipher (
    .clk(clk), .rst(rst),
    .s_valid(i_valid), .s_ready(i_ready), .s_slot(i_slot), .s_is_h(i_is_h), .s_nonce(i_nonce),
    .s_count(i_count), .s_is_text(i_is_text), .s_is_tag(i_is_tag), .s_decrypt(i_decrypt),
    .s_data(i_data), .s_keep(i_keep), .s_text_end(i_text_end), .s_owed(i_owed),
    .s_index(i_index), .s_early(i_early), .s_inject(i_inject), .s_k(i_k), .s_id(i_id),
    .s_bad(i_bad),
    .key_en(key_en), .key_slot(key_slot), .key(key), .iv(iv), .is256(is256), .usable(usable),
    .h_done(h_done), .h_block(h_block),
    .m_text_valid(text_valid), .m_text(text), .m_text_keep(text_keep), .m_text_end(text_end),
    .power_addr(hash_addr), .m_valid(c_valid), .m_x(c_x), .m_add(c_add), .m_owed(c_owed),
    .m_index(c_index), .m_early(c_early), .m_inject(c_inject), .m_k(c_k), .m_slot(c_slot),
    .m_id(c_id), .m_error(c_error));

wire texts_room, sums_room;
axis_fifo #(.DATA_W(128 + 16 + 1 + ID_W), .DEPTH(TEXTS), .BLOCK(1)) texts (
    .clk(clk), .rst(rst), .s_axis_tdata({c_id, text_end, text_keep, swap(text)}),
    .s_axis_tvalid(text_valid), .s_axis_tready(texts_room),
    .m_axis_tdata({m_axis_tuser, m_axis_tlast, m_axis_tkeep, m_axis_tdata}),
    .m_axis_tvalid(m_axis_tvalid), .m_axis_tready(m_axis_tready));

// ---- blocks to sums ----
wire              cube_valid, cube_ready, cube_done, sum_valid;
wire [127:0]      cube_square, cube_value, hash_power, jump_power, sum;
wire [SLOT_W-1:0] cube_slot;
wire [SLOT_W+3:0] jump_addr;
wire [ID_W-1:0]   sum_id;
wire [1:0]        sum_error;
tls_gcm_sums #(.SLOT_W(SLOT_W), .ID_W(ID_W), .PARTS(PARTS), .SMALL(SMALL), .MUL(MUL)) sum_up (
    .clk(clk), .rst(rst),
    .s_valid(c_valid), .s_x(c_x), .s_add(c_add), .s_owed(c_owed), .s_index(c_index),
    .s_early(c_early), .s_inject(c_inject), .s_k(c_k), .s_slot(c_slot), .s_id(c_id),
    .s_error(c_error), .hash_power(hash_power),
    .s_aad_valid(aad_valid), .s_aad_ready(aad_ready), .s_aad(aad_block), .s_aad_slot(aad_slot),
    .s_cube_valid(cube_valid), .s_cube_ready(cube_ready), .s_cube(cube_square),
    .s_cube_slot(cube_slot), .m_cube_valid(cube_done), .m_cube(cube_value),
    .jump_addr(jump_addr), .jump_power(jump_power),
    .m_sum_valid(sum_valid), .m_sum(sum), .m_sum_id(sum_id), .m_sum_error(sum_error));
axis_fifo #(.DATA_W(128 + ID_W + 2), .DEPTH(PARTS), .BLOCK(0)) sums (
    .clk(clk), .rst(rst),
    .s_axis_tdata({swap(sum), sum_id, sum_error}),
    .s_axis_tvalid(sum_valid), .s_axis_tready(sums_room),
    .m_axis_tdata({m_sum_tdata, m_sum_id, m_sum_error}),
    .m_axis_tvalid(m_sum_valid), .m_axis_tready(m_sum_ready));
wire unused_ok = &{1'b0, texts_room, sums_room, iv_swapped[31:0]};

// ---- keys ----
tls_gcm_keys #(.SLOT_W(SLOT_W)) keys (
    .clk(clk), .rst(rst),
    .s_key_valid(s_key_valid), .s_key_ready(s_key_ready), .s_key_hold(key_hold),
    .s_key_idle(key_idle), .s_key_slot(s_key_slot),
    .s_key_cipher(s_key_cipher), .s_key_key({swap(s_key_key[127:0]), swap(s_key_key[255:128])}),
    .s_key_iv(iv_swapped[127:32]),
    .m_key_valid(m_key_valid), .m_key_ready(m_key_ready), .m_key_slot(m_key_slot),
    .m_key_refused(m_key_refused),
    .rd_en(key_en), .rd_slot(key_slot), .rd_key(key), .rd_iv(iv), .rd_is256(is256),
    .rd_usable(usable),
    .h_valid(h_valid), .h_ready(h_ready), .h_slot(h_slot), .h_done(h_done), .h_block(h_block),
    .cube_valid(cube_valid), .cube_ready(cube_ready), .cube_square(cube_square),
    .cube_slot(cube_slot), .cube_done(cube_done), .cube_value(cube_value),
    .hash_addr(hash_addr), .hash_power(hash_power),
    .jump_addr(jump_addr), .jump_power(jump_power));
endmodule
`default_nettype wire
