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
//       stays off that path: AAD times H, the sum's power of H, H and its powers.
// Order on ports byte 0 is bits 7:0, as AXI has it; inside byte 0 is the highest.
// Spec  SP 800-38D; RFC 5288; RFC 8446 5.2, 5.3.  Model model/gcm.py.
//       A block a clock, one more slot a record. docs/interfaces.md has the delays.
`default_nettype none
module tls_gcm #(
    parameter SLOTS      = 64,      // key slots, a power of two
    parameter SMALL      = 0,       // 1: one AES round a clock, serial GHASH
    parameter SBOX       = "TABLE", // "TABLE", "GATES", "BRAM": see tls_aes_subword
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
localparam LANES  = (SMALL != 0) ? 1 : 4;
localparam PARTS  = 32;             // parts under way at most
localparam TEXTS  = 64;             // text blocks under way: covers the delay at full rate
localparam [1:0] ERROR_NO_KEY = 2'd1, ERROR_BAD_PART = 2'd2;
generate if (SLOTS < 2 || SLOTS != (1 << SLOT_W)) begin : bad tls_gcm_slots_is_no_power_of_two stop(); end endgenerate

function [127:0] swap_bytes(input [127:0] x);
    integer n;
    for (n = 0; n < 16; n = n + 1) swap_bytes[8*n +: 8] = x[127-8*n -: 8];
endfunction

// ---- issue ----
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
wire              h_valid, h_ready, h_done;
wire [SLOT_W-1:0] h_slot, aad_slot;
wire              aad_valid, aad_ready, text_taken, sum_taken;
wire [127:0]      aad_block;

reg  [$clog2(TEXTS):0] texts_q;                 // under way
reg  [$clog2(PARTS):0] parts_q;
wire text_given = m_axis_tvalid && m_axis_tready;
wire sum_given  = m_sum_valid && m_sum_ready;
always @(posedge clk) begin
    texts_q <= texts_q + {{$clog2(TEXTS){1'b0}}, text_taken} - {{$clog2(TEXTS){1'b0}}, text_given};
    parts_q <= parts_q + {{$clog2(PARTS){1'b0}}, sum_taken}  - {{$clog2(PARTS){1'b0}}, sum_given};
    if (rst) begin
        texts_q <= {$clog2(TEXTS)+1{1'b0}};
        parts_q <= {$clog2(PARTS)+1{1'b0}};
    end
end

tls_gcm_issue #(.SLOT_W(SLOT_W), .ID_W(ID_W), .LANES(LANES)) issue (
    .clk(clk), .rst(rst),
    .s_part_valid(s_part_valid), .s_part_ready(s_part_ready), .s_part_slot(s_part_slot),
    .s_part_decrypt(s_part_decrypt), .s_part_is_aad(s_part_is_aad), .s_part_nonce(s_part_nonce),
    .s_part_len(s_part_len), .s_part_aad_len(s_part_aad_len), .s_part_offset(s_part_offset),
    .s_part_bytes(s_part_bytes), .s_part_aad(s_part_aad), .s_part_id(s_part_id),
    .s_axis_tvalid(s_axis_tvalid), .s_axis_tready(s_axis_tready), .s_axis_tdata(s_axis_tdata),
    .h_valid(h_valid), .h_ready(h_ready), .h_slot(h_slot),
    .text_room(!texts_q[$clog2(TEXTS)]), .sum_room(!parts_q[$clog2(PARTS)]),
    .text_taken(text_taken), .sum_taken(sum_taken),
    .aad_valid(aad_valid), .aad_ready(aad_ready), .aad_block(aad_block), .aad_slot(aad_slot),
    .m_valid(i_valid), .m_ready(i_ready), .m_slot(i_slot), .m_is_h(i_is_h), .m_nonce(i_nonce),
    .m_count(i_count), .m_is_text(i_is_text), .m_is_tag(i_is_tag), .m_decrypt(i_decrypt),
    .m_data(i_data), .m_keep(i_keep), .m_text_end(i_text_end), .m_owed(i_owed),
    .m_index(i_index), .m_early(i_early), .m_inject(i_inject), .m_k(i_k), .m_id(i_id),
    .m_bad(i_bad));

// ---- key: two clocks for its memory; everything waits when the small AES is busy ----
localparam BESIDE_W = 1 + SLOT_W + 3 + 16 + 1 + 3 + 2 + 2 + 11 + ID_W + 1 + 128;
wire                aes_ready;
reg                 k1_valid_q, k2_valid_q;
reg                 k1_is_h_q, k2_is_h_q;
reg  [63:0]         k1_nonce_q, k2_nonce_q;
reg  [11:0]         k1_count_q, k2_count_q;
reg  [BESIDE_W-1:0] k1_beside_q, k2_beside_q;
wire [255:0]        key;
wire [95:0]         iv;
wire                is256, usable;
wire                k_move = aes_ready || !k2_valid_q;

assign i_ready = k_move;
always @(posedge clk) begin
    if (k_move) begin
        k1_valid_q  <= i_valid;
        k1_is_h_q   <= i_is_h;
        k1_nonce_q  <= i_nonce;
        k1_count_q  <= i_count;
        k1_beside_q <= {i_is_h, i_slot, i_is_text, i_is_tag, i_decrypt, i_keep, i_text_end, i_owed,
                        i_index, i_early, i_inject, i_k, i_id, i_bad, i_data};
        k2_valid_q  <= k1_valid_q;
        k2_is_h_q   <= k1_is_h_q;
        k2_nonce_q  <= k1_nonce_q;
        k2_count_q  <= k1_count_q;
        k2_beside_q <= k1_beside_q;
    end
    if (rst) begin
        k1_valid_q <= 1'b0;
        k2_valid_q <= 1'b0;
    end
end

// ---- AES, and the queue that its block waits in ----
wire         ks_valid, b_valid, beside_room;
wire [127:0] ks;
wire [95:0]  nonce = iv ^ {32'd0, k2_nonce_q};
wire         k2_go = k2_valid_q && aes_ready;
tls_aes #(.SMALL(SMALL), .SBOX(SBOX), .ROUND_REGS(ROUND_REGS)) aes (
    .clk(clk), .rst(rst), .s_valid(k2_valid_q), .s_ready(aes_ready),
    .s_block(k2_is_h_q ? 128'd0 : {nonce, 20'd0, k2_count_q}), .s_key(key), .s_is256(is256),
    .m_valid(ks_valid), .m_block(ks));

wire              b_usable, b_is_h, b_is_text, b_is_tag, b_decrypt, b_text_end, b_early, b_inject;
wire              b_bad;
wire [SLOT_W-1:0] b_slot;
wire [15:0]       b_keep;
wire [2:0]        b_owed;
wire [1:0]        b_index;
wire [10:0]       b_k;
wire [ID_W-1:0]   b_id;
wire [127:0]      b_data;
axis_fifo #(.DATA_W(1 + BESIDE_W), .DEPTH(TEXTS), .BLOCK(1)) beside (
    .clk(clk), .rst(rst),
    .s_axis_tdata({usable, k2_beside_q}), .s_axis_tvalid(k2_go), .s_axis_tready(beside_room),
    .m_axis_tdata({b_usable, b_is_h, b_slot, b_is_text, b_is_tag, b_decrypt, b_keep, b_text_end,
                   b_owed, b_index, b_early, b_inject, b_k, b_id, b_bad, b_data}),
    .m_axis_tvalid(b_valid), .m_axis_tready(ks_valid));

assign h_done = ks_valid && b_is_h;

// ---- XOR; at the same time the power's address goes out ----
wire [127:0] mask;
wire [127:0] x     = b_data ^ ks;
wire         b_ok  = b_usable && !b_bad;
wire [2:0]   power = (LANES == 1) ? 3'd0 : (b_owed > 3'd4 ? 3'd4 : b_owed) - 3'd1;
genvar i;
generate
    for (i = 0; i < 16; i = i + 1) begin : mask_of
        assign mask[127-8*i -: 8] = {8{b_keep[i]}};
    end
endgenerate

reg               g1_valid_q, g1_text_q, g1_text_end_q;
reg  [127:0]      g1_text_data_q, g1_x_q, g1_add_q;
reg  [15:0]       g1_keep_q;
reg  [2:0]        g1_owed_q, g2_owed_q;
reg  [1:0]        g1_index_q, g2_index_q, g1_error_q, g2_error_q;
reg               g1_early_q, g2_early_q, g1_inject_q, g2_valid_q;
reg  [10:0]       g1_k_q, g2_k_q;
reg  [ID_W-1:0]   g1_id_q, g2_id_q;
reg  [SLOT_W-1:0] g1_slot_q, g2_slot_q;
reg  [127:0]      g2_x_q, g2_add_q;
wire [127:0]      aad_times_h;
wire              aad_here;
always @(posedge clk) begin
    g1_valid_q     <= ks_valid && !b_is_h;
    g1_text_q      <= ks_valid && b_is_text;
    g1_text_end_q  <= b_text_end;
    g1_text_data_q <= b_ok ? x & mask : 128'd0;
    g1_x_q         <= (b_is_text && !b_decrypt ? x : b_data) & mask;
    g1_add_q       <= b_is_tag ? ks : 128'd0;
    g1_keep_q      <= b_keep;
    g1_owed_q      <= b_owed;
    g1_index_q     <= b_index;
    g1_early_q     <= b_early;
    g1_inject_q    <= b_inject;
    g1_error_q     <= b_bad ? ERROR_BAD_PART : b_usable ? 2'd0 : ERROR_NO_KEY;
    g1_k_q         <= b_k;
    g1_id_q        <= b_id;
    g1_slot_q      <= b_slot;

    g2_valid_q     <= g1_valid_q;
    g2_x_q         <= g1_x_q ^ (g1_inject_q ? aad_times_h : 128'd0);
    g2_add_q       <= g1_add_q;
    g2_owed_q      <= g1_owed_q;
    g2_index_q     <= g1_index_q;
    g2_early_q     <= g1_early_q;
    g2_error_q     <= g1_error_q;
    g2_k_q         <= g1_k_q;
    g2_id_q        <= g1_id_q;
    g2_slot_q      <= g1_slot_q;
    if (rst) begin
        g1_valid_q <= 1'b0;
        g1_text_q  <= 1'b0;
        g2_valid_q <= 1'b0;
    end
end

// ---- text goes out ----
wire text_room;
axis_fifo #(.DATA_W(128 + 16 + 1 + ID_W), .DEPTH(TEXTS), .BLOCK(1)) texts (
    .clk(clk), .rst(rst),
    .s_axis_tdata({g1_id_q, g1_text_end_q, g1_keep_q, swap_bytes(g1_text_data_q)}),
    .s_axis_tvalid(g1_text_q), .s_axis_tready(text_room),
    .m_axis_tdata({m_axis_tuser, m_axis_tlast, m_axis_tkeep, m_axis_tdata}),
    .m_axis_tvalid(m_axis_tvalid), .m_axis_tready(m_axis_tready));

// ---- GHASH ----
wire              hash_room, part_valid;
wire [127:0]      hash_power, part_sum;
wire [10:0]       part_k;
wire [SLOT_W-1:0] part_slot;
wire [ID_W-1:0]   part_id;
wire [1:0]        part_error;
tls_ghash #(.SMALL(SMALL), .USER_W(11 + SLOT_W + ID_W + 2)) ghash (
    .clk(clk), .rst(rst), .s_valid(g2_valid_q), .s_ready(hash_room), .s_x(g2_x_q),
    .s_power(hash_power), .s_owed(g2_owed_q), .s_index(g2_index_q), .s_early(g2_early_q),
    .s_add(g2_add_q), .s_user({g2_k_q, g2_slot_q, g2_id_q, g2_error_q}),
    .m_valid(part_valid), .m_sum(part_sum),
    .m_user({part_k, part_slot, part_id, part_error}));

// ---- sums that are complete go out, others into the jump ring ----
wire              wait_room, wait_valid, wait_ready;
wire [127:0]      wait_sum;
wire [10:0]       wait_k;
wire [SLOT_W-1:0] wait_slot;
wire [ID_W-1:0]   wait_id, ring_id;
wire [1:0]        wait_error, ring_error;
wire              ring_valid;
wire [127:0]      ring_sum;
wire              part_done = part_valid && part_k == 11'd0;
axis_fifo #(.DATA_W(128 + 11 + SLOT_W + ID_W + 2), .DEPTH(PARTS), .BLOCK(0)) waiting (
    .clk(clk), .rst(rst),
    .s_axis_tdata({part_sum, part_k, part_slot, part_id, part_error}),
    .s_axis_tvalid(part_valid && !part_done), .s_axis_tready(wait_room),
    .m_axis_tdata({wait_sum, wait_k, wait_slot, wait_id, wait_error}),
    .m_axis_tvalid(wait_valid), .m_axis_tready(wait_ready));

wire              cube_valid, cube_ready, cube_done, aad_done;
wire [127:0]      cube_square, cube_value, aad_product, jump_power;
wire [SLOT_W-1:0] cube_slot;
wire [SLOT_W+3:0] jump_addr;
tls_ghash_jump #(.SMALL(SMALL), .SLOT_W(SLOT_W), .USER_W(ID_W + 2)) jump (
    .clk(clk), .rst(rst),
    .s_sum_valid(wait_valid), .s_sum_ready(wait_ready), .s_sum(wait_sum), .s_sum_k(wait_k),
    .s_sum_slot(wait_slot), .s_sum_user({wait_id, wait_error}),
    .m_sum_valid(ring_valid), .m_sum_ready(!part_done), .m_sum(ring_sum),
    .m_sum_user({ring_id, ring_error}),
    .s_aad_valid(aad_valid), .s_aad_ready(aad_ready), .s_aad(aad_block), .s_aad_slot(aad_slot),
    .m_aad_valid(aad_done), .m_aad(aad_product),
    .s_key_valid(cube_valid), .s_key_ready(cube_ready), .s_key(cube_square),
    .s_key_slot(cube_slot), .m_key_valid(cube_done), .m_key(cube_value),
    .power_addr(jump_addr), .power(jump_power));

// AAD times H waits here for its first block, which is still in the AES
wire aad_room;
axis_fifo #(.DATA_W(128), .DEPTH(PARTS), .BLOCK(0)) aads (
    .clk(clk), .rst(rst),
    .s_axis_tdata(aad_product), .s_axis_tvalid(aad_done), .s_axis_tready(aad_room),
    .m_axis_tdata(aad_times_h), .m_axis_tvalid(aad_here),
    .m_axis_tready(g1_valid_q && g1_inject_q));

wire [127:0] sum;
wire [1:0]   sum_error;
wire         sums_room;
axis_fifo #(.DATA_W(128 + ID_W + 2), .DEPTH(PARTS), .BLOCK(0)) sums (
    .clk(clk), .rst(rst),
    .s_axis_tdata(part_done ? {part_sum, part_id, part_error} : {ring_sum, ring_id, ring_error}),
    .s_axis_tvalid(part_done || ring_valid), .s_axis_tready(sums_room),
    .m_axis_tdata({sum, m_sum_id, sum_error}),
    .m_axis_tvalid(m_sum_valid), .m_axis_tready(m_sum_ready));
assign m_sum_error = sum_error;
assign m_sum_tdata = (sum_error != 2'd0) ? 128'd0 : swap_bytes(sum);

// ---- keys ----
tls_gcm_keys #(.SLOT_W(SLOT_W)) keys (
    .clk(clk), .rst(rst),
    .s_key_valid(s_key_valid), .s_key_ready(s_key_ready), .s_key_slot(s_key_slot),
    .s_key_cipher(s_key_cipher), .s_key_key(swap_key(s_key_key)), .s_key_iv(swap_iv(s_key_iv)),
    .m_key_valid(m_key_valid), .m_key_ready(m_key_ready), .m_key_slot(m_key_slot),
    .m_key_refused(m_key_refused),
    .rd_en(k_move), .rd_slot(i_slot), .rd_key(key), .rd_iv(iv), .rd_is256(is256),
    .rd_usable(usable),
    .h_valid(h_valid), .h_ready(h_ready), .h_slot(h_slot), .h_done(h_done), .h_block(ks),
    .cube_valid(cube_valid), .cube_ready(cube_ready), .cube_square(cube_square),
    .cube_slot(cube_slot), .cube_done(cube_done), .cube_value(cube_value),
    .hash_addr({b_slot, 1'b0, power}), .hash_power(hash_power),
    .jump_addr(jump_addr), .jump_power(jump_power));
function [255:0] swap_key(input [255:0] k);
    swap_key = {swap_bytes(k[127:0]), swap_bytes(k[255:128])};
endfunction
function [95:0] swap_iv(input [95:0] v);
    integer n;
    for (n = 0; n < 12; n = n + 1) swap_iv[8*n +: 8] = v[95-8*n -: 8];
endfunction

// the counts of what is under way keep every queue from overflowing
wire unused_ok = &{1'b0, beside_room, b_valid, text_room, hash_room, wait_room, aad_room,
                   aad_here, sums_room};
endmodule
`default_nettype wire
