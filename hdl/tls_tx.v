// tls_tx.v - the transmit path: frames in, the same frames out, their records encrypted.
//
// In    s_axis   frames of the host, 16 bytes a word; tkeep is a run from bit 0, full but for the last
//                word; tuser is the descriptor
//       s_cmd    commands of the mailbox
// Out   m_axis   the frames for the MAC, in order
//       m_axis_txc  completions: what became of each, and tags
//       m_rsp    answers;  m_count  one pulse a counter of the map
// How   a frame is written to the buffer and parsed on the way; looked up; walked along its records,
//       which makes pieces for the lane; fed to it; its text comes back beside the buffer, and so do
//       tags, made of the pieces' sums; then it leaves, through the maker of checksums.
//       docs/dataflow.md follows one.
// Error what asks for encryption and cannot have it is dropped, with a reason. Where a queue is full
//       s_axis waits.
// Spec  docs/transmit.md.  Model model/tx.py.
//       A word a clock; a frame every 5 clocks, every 11 with a whole record in it.
`default_nettype none
module tls_tx #(
    parameter CONNS      = 64,      // connections, a power of two
    parameter MAX_FRAME  = 9600,    // bytes
    parameter ADDR_W     = 11,      // the buffer has 2^ADDR_W words: two of the longest frames or more
    parameter COUNT_W    = 41,      // bits of m_count: COUNTERS of the map
    parameter SMALL      = 0,       // these four are the lane's
    parameter SBOX       = "TABLE",
    parameter MUL        = "GATES",
    parameter ROUND_REGS = 3
) (
    input  wire               clk,
    input  wire               rst,
    input  wire               enable,
    input  wire [127:0]       s_axis_tdata,
    input  wire [15:0]        s_axis_tkeep,
    input  wire               s_axis_tlast,
    input  wire [31:0]        s_axis_tuser,
    input  wire               s_axis_tvalid,
    output wire               s_axis_tready,
    output wire [127:0]       m_axis_tdata,
    output wire [15:0]        m_axis_tkeep,
    output wire               m_axis_tlast,
    output wire               m_axis_tvalid,
    input  wire               m_axis_tready,
    output wire [127:0]       m_axis_txc_tdata,
    output wire [63:0]        m_axis_txc_tuser,
    output wire               m_axis_txc_tvalid,
    input  wire               m_axis_txc_tready,
    // commands
    input  wire               s_cmd_valid,
    output wire               s_cmd_ready,
    input  wire [3:0]         s_cmd_opcode,
    input  wire               s_cmd_version,
    input  wire               s_cmd_ip_version,
    input  wire [1:0]         s_cmd_cipher,
    input  wire [15:0]        s_cmd_id,
    input  wire [127:0]       s_cmd_local_addr,
    input  wire [127:0]       s_cmd_remote_addr,
    input  wire [15:0]        s_cmd_local_port,
    input  wire [15:0]        s_cmd_remote_port,
    input  wire [31:0]        s_cmd_seq,
    input  wire [63:0]        s_cmd_record,
    input  wire [255:0]       s_cmd_key,
    input  wire [95:0]        s_cmd_iv,
    output wire               m_rsp_valid,
    input  wire               m_rsp_ready,
    output wire [3:0]         m_rsp_reason,
    output wire [15:0]        m_rsp_id,
    // counters
    output reg  [COUNT_W-1:0] m_count,
    output reg  [15:0]        m_count_bytes
);
`include "tls_regs.vh"              // COUNTER_*, TX_DROP_*, TX_KIND_*, RX_PASS_*, REASON_*, IP_VERSION_*
`include "tls_ops.vh"
localparam ID_W    = $clog2(CONNS);
localparam BYTE_W  = ADDR_W + 4;                // bits of a byte's address in the buffer
localparam PART_W  = 6;                         // bits of a part's number
localparam FRAMES  = 16;                        // frames that wait for the lookup
localparam GAPS    = 512;                       // more than the longest frame can have: one in 21 bytes
localparam [9:0]  CONTEXT_WORDS = 10'd3;
localparam [31:0] MAX_WORDS = MAX_FRAME / 16;
localparam [31:0] MAX_GAPS  = MAX_FRAME / 21 + 1;
generate
    if (MAX_FRAME > (16 << ADDR_W) / 2 || MAX_FRAME > 16 * 1023) begin : bad tls_tx_buffer_is_too_small stop(); end
    if (MAX_GAPS >= GAPS) begin : too_many tls_tx_has_room_for_fewer_gaps stop(); end
endgenerate

// ---- the buffer; of a frame that is too long only the beginning is written ----
reg  [ADDR_W-1:0] wr_q;
wire [ADDR_W-1:0] out_addr;
wire [ADDR_W-1:0] used_words = wr_q - out_addr;
reg  [9:0]        word_q;                       // of the frame; MAX_WORDS: the rest is not written
reg  [2:0]        pace_q;                       // clocks until a frame may end: 5 a frame at least
reg  [4:0]        frames_q;                     // frames that did not reach the lookup
wire              line_pop_frame;
wire              rest     = (word_q == MAX_WORDS[9:0]);
wire              full     = (word_q == MAX_WORDS[9:0] - 10'd1);
wire              taken    = s_axis_tvalid && s_axis_tready;
wire              word     = taken && !rest;
wire              last     = s_axis_tlast || full;      // that is written
wire              starts   = word && word_q == 10'd0;
assign s_axis_tready = rest || (used_words < {ADDR_W{1'b1}}
                    && (word_q != 10'd0 || frames_q < FRAMES - 4) && !(last && pace_q != 3'd0));
always @(posedge clk) begin
    if (word) wr_q <= wr_q + {{ADDR_W-1{1'b0}}, 1'b1};
    if (taken) word_q <= s_axis_tlast ? 10'd0 : rest ? word_q : word_q + 10'd1;
    pace_q   <= (word && last) ? 3'd4 : (pace_q == 3'd0) ? 3'd0 : pace_q - 3'd1;
    frames_q <= frames_q + {4'd0, starts} - {4'd0, line_pop_frame};
    if (rst) begin
        wr_q     <= {ADDR_W{1'b0}};
        word_q   <= 10'd0;
        pace_q   <= 3'd0;
        frames_q <= 5'd0;
    end
end

// one copy for each reader: the walk, the lane, the way out
wire [BYTE_W-1:0] hdr_addr, feed_addr;
wire [127:0]      hdr_data, feed_data, text_data;
tls_byte_ram #(.ADDR_W(ADDR_W)) heads (
    .clk(clk), .wr_en(word), .wr_addr(wr_q), .wr_data(s_axis_tdata),
    .rd_addr(hdr_addr), .rd_data(hdr_data));
tls_byte_ram #(.ADDR_W(ADDR_W)) bodies (
    .clk(clk), .wr_en(word), .wr_addr(wr_q), .wr_data(s_axis_tdata),
    .rd_addr(feed_addr), .rd_data(feed_data));
reg  [132:0]      raw [0:(1<<ADDR_W)-1];
reg  [132:0]      raw_q;
function [3:0] top_of(input [15:0] keep);       // number of the highest one
    integer k;
    begin
        top_of = 4'd0;
        for (k = 0; k < 16; k = k + 1) if (keep[k]) top_of = k[3:0];
    end
endfunction
always @(posedge clk) begin
    if (word) raw[wr_q] <= {last, top_of(s_axis_tkeep), s_axis_tdata};
    raw_q <= raw[out_addr];
end

// ---- what it is, and whose ----
wire              p_valid, p_is_v6, p_opens;
wire [3:0]        p_reason;
wire [ADDR_W-1:0] p_addr;
wire [9:0]        p_words;
wire [127:0]      p_local_addr, p_remote_addr;
wire [15:0]       p_local_port, p_remote_port;
wire [31:0]       p_seq;
wire [13:0]       p_offset, p_bytes, p_l4;
wire [16:0]       p_pseudo;
tls_parse #(.ADDR_W(ADDR_W), .MAX_FRAME(MAX_FRAME)) parse (
    .clk(clk), .rst(rst), .enable(1'b1),
    .s_valid(word), .s_data(s_axis_tdata), .s_keep(s_axis_tkeep), .s_last(last), .s_addr(wr_q),
    .m_valid(p_valid), .m_reason(p_reason), .m_addr(p_addr), .m_words(p_words), .m_is_v6(p_is_v6),
    .m_dst_addr(p_remote_addr), .m_src_addr(p_local_addr),
    .m_dst_port(p_remote_port), .m_src_port(p_local_port),
    .m_seq(p_seq), .m_opens(p_opens), .m_offset(p_offset), .m_bytes(p_bytes),
    .m_l4(p_l4), .m_pseudo(p_pseudo));

// its descriptor, and whether it can be a context
reg               enable_q;                     // when the frame began
wire              enabled  = starts ? enable : enable_q;
wire              d_enabled, d_whole, d_is_3, d_room, d_valid;
wire [1:0]        d_kind;
wire [15:0]       d_id;
always @(posedge clk) if (starts) enable_q <= enable;
axis_fifo #(.DATA_W(16 + 2 + 3), .DEPTH(FRAMES), .BLOCK(0)) descriptors (
    .clk(clk), .rst(rst),
    .s_axis_tdata({s_axis_tuser[17:0], enabled, s_axis_tlast, word_q == CONTEXT_WORDS - 10'd1}),
    .s_axis_tvalid(word && last), .s_axis_tready(d_room),
    .m_axis_tdata({d_kind, d_id, d_enabled, d_whole, d_is_3}), .m_axis_tvalid(d_valid), .m_axis_tready(p_valid));
wire              d_context = (d_kind == TX_KIND_CONTEXT);
wire              p_bad     = (p_reason != RX_PASS_NONE && p_reason != RX_PASS_BAD_TCP_CSUM)
                           || (p_opens && p_bytes != 14'd0);
wire [2:0]        p_why     = !d_whole ? TX_DROP_BAD_FRAME
                            : (d_kind == TX_KIND_PLAIN) ? TX_DROP_NONE
                            : !d_enabled ? TX_DROP_DISABLED
                            : (d_context ? !d_is_3 : p_bad) ? TX_DROP_BAD_FRAME : TX_DROP_NONE;
// what is told of a frame goes along with it to the end
localparam ALONG_W = 16 + 10 + 14 + 17;
wire [ALONG_W-1:0] p_along = {d_id, p_words, p_l4, p_pseudo};

// commands stand in line with the frames
wire              c_valid, c_ready;
wire [2:0]        c_op;
wire [ID_W-1:0]   c_id;
localparam WALK_W = 2 + 3 + BYTE_W + 14 + 14 + 32 + ALONG_W;
localparam PASS_W = 3 + ID_W + 1 + WALK_W;
localparam LINE_W = 1 + 128 + 128 + 16 + 16 + PASS_W;
wire              c_v6    = (s_cmd_ip_version == IP_VERSION_IPV6);
wire [127:0]      v4_mask = c_v6 ? {128{1'b1}} : {96'd0, {32{1'b1}}};
wire              d_in_range = {16'd0, d_id} < CONNS;
wire [BYTE_W-1:0] p_place = {p_addr, 4'd0} + (d_context ? {BYTE_W{1'b0}} : {{BYTE_W-14{1'b0}}, p_offset});
wire [LINE_W-1:0] frame_line = {p_is_v6, p_local_addr, p_remote_addr, p_local_port, p_remote_port,
                                OP_FRAME, d_id[ID_W-1:0], d_in_range,
                                d_kind, p_why, p_place, p_offset, p_bytes, p_seq, p_along};
wire [LINE_W-1:0] cmd_line   = {c_v6, s_cmd_local_addr & v4_mask, s_cmd_remote_addr & v4_mask,
                                s_cmd_local_port, s_cmd_remote_port, c_op, c_id, {1+WALK_W{1'b0}}};
wire              line_room, line_valid, line_ready;
wire              l_is_v6;
wire [127:0]      l_local_addr, l_remote_addr;
wire [15:0]       l_local_port, l_remote_port;
wire [PASS_W-1:0] l_pass;
assign c_ready = line_room && !p_valid;
axis_fifo #(.DATA_W(LINE_W), .DEPTH(FRAMES), .BLOCK(0)) line (
    .clk(clk), .rst(rst),
    .s_axis_tdata(p_valid ? frame_line : cmd_line), .s_axis_tvalid(p_valid || c_valid),
    .s_axis_tready(line_room),
    .m_axis_tdata({l_is_v6, l_local_addr, l_remote_addr, l_local_port, l_remote_port, l_pass}),
    .m_axis_tvalid(line_valid), .m_axis_tready(line_ready));
wire [2:0]        l_op = l_pass[PASS_W-1 -: 3];
assign line_pop_frame = line_valid && line_ready && l_op == OP_FRAME;

wire              k_valid, k_ready, k_found, k_collides, k_there;
wire [ID_W-1:0]   k_found_id;
wire [PASS_W-1:0] k_pass;
wire [CONNS-1:0]  used;
tls_lookup #(.CONNS(CONNS), .ALONG_W(PASS_W)) lookup (
    .clk(clk), .rst(rst),
    .s_valid(line_valid), .s_ready(line_ready), .s_op(l_op), .s_id(l_pass[PASS_W-4 -: ID_W]),
    .s_is_v6(l_is_v6), .s_local_addr(l_local_addr), .s_remote_addr(l_remote_addr),
    .s_local_port(l_local_port), .s_remote_port(l_remote_port), .s_along(l_pass),
    .m_valid(k_valid), .m_ready(k_ready), .m_found(k_found), .m_collides(k_collides),
    .m_there(k_there), .m_id(k_found_id), .m_along(k_pass), .used(used));

wire [2:0]        k_op;
wire [ID_W-1:0]   k_id;
wire              k_in_range;
wire [1:0]        k_kind;
wire [2:0]        k_why;
wire [BYTE_W-1:0] k_place;
wire [13:0]       k_offset, k_bytes;
wire [31:0]       k_seq;
wire [ALONG_W-1:0] k_along;
assign {k_op, k_id, k_in_range, k_kind, k_why, k_place, k_offset, k_bytes, k_seq, k_along} = k_pass;
wire              k_query   = (k_op == OP_QUERY);
wire              k_is_its  = k_in_range
                           && (k_kind == TX_KIND_CONTEXT ? k_there : k_found && k_found_id == k_id);
wire              k_asks    = (k_kind == TX_KIND_CONTEXT) || (k_kind != TX_KIND_PLAIN && k_bytes != 14'd0);
wire [2:0]        k_reason  = (k_why != TX_DROP_NONE) ? k_why
                            : (k_asks && !k_is_its) ? TX_DROP_NO_CONNECTION : TX_DROP_NONE;
wire              walk_ready;
assign k_ready = k_query || walk_ready;

// ---- along its records ----
localparam PIECE_W = ID_W + BYTE_W + 14 + 15 + 1 + 2 + 64 + 64 + 15;
localparam ITEM_W  = 3 + ID_W + 4 + 32 + BYTE_W + 4 + 5;
localparam END_W   = 2 + 3 + 1 + 1 + 14 + 14 + 10 + ALONG_W;
wire               w_piece_valid, w_piece_ready, w_item_valid, w_item_ready, w_end_valid, w_end_ready;
wire [PIECE_W-1:0] w_piece;
wire [ITEM_W-1:0]  w_item;
wire [END_W-1:0]   w_end;
wire               w_given_valid, w_given_ready, w_gap_valid, w_gap_ready, inserted, resynced;
wire [127:0]       w_given;
wire [27:0]        w_gap;
wire               w_version;
wire [1:0]         w_type;
wire [63:0]        w_number, w_nonce;
wire [14:0]        w_place, w_len;
wire [13:0]        w_bytes;
wire [BYTE_W-1:0]  w_addr, w_tag_addr;
wire [ID_W-1:0]    w_piece_id, w_item_id;
wire [2:0]         w_kind;
wire               w_first, w_final, w_apart, w_some;
wire [31:0]        w_seq;
wire [3:0]         w_from;
wire [4:0]         w_to;
wire [1:0]         w_end_kind;
wire [2:0]         w_end_reason;
wire               w_keeps, w_crypts;
wire [13:0]        w_end_offset, w_end_bytes;
wire [9:0]         w_gaps;
wire [ALONG_W-1:0] w_along;
tls_tx_walk #(.ID_W(ID_W), .ADDR_W(BYTE_W), .ALONG_W(ALONG_W)) walk (
    .clk(clk), .rst(rst),
    .s_valid(k_valid && !k_query), .s_ready(walk_ready), .s_op(k_op), .s_id(k_id), .s_kind(k_kind),
    .s_reason(k_reason), .s_addr(k_place), .s_offset(k_offset), .s_bytes(k_bytes), .s_seq(k_seq),
    .s_along(k_along),
    .new_version(s_cmd_version), .new_seq(s_cmd_seq), .new_record(s_cmd_record),
    .hdr_addr(hdr_addr), .hdr_data(hdr_data),
    .m_piece_valid(w_piece_valid), .m_piece_ready(w_piece_ready), .m_piece_id(w_piece_id),
    .m_piece_addr(w_addr), .m_piece_bytes(w_bytes), .m_piece_place(w_place),
    .m_piece_version(w_version), .m_piece_type(w_type), .m_piece_number(w_number),
    .m_piece_nonce(w_nonce), .m_piece_len(w_len),
    .m_item_valid(w_item_valid), .m_item_ready(w_item_ready), .m_item_kind(w_kind),
    .m_item_id(w_item_id), .m_item_first(w_first), .m_item_last(w_final), .m_item_apart(w_apart),
    .m_item_some(w_some), .m_item_seq(w_seq), .m_item_addr(w_tag_addr), .m_item_from(w_from),
    .m_item_to(w_to),
    .m_end_valid(w_end_valid), .m_end_ready(w_end_ready), .m_end_kind(w_end_kind),
    .m_end_reason(w_end_reason), .m_end_keeps(w_keeps), .m_end_crypts(w_crypts),
    .m_end_offset(w_end_offset), .m_end_bytes(w_end_bytes), .m_end_gaps(w_gaps),
    .m_end_along(w_along),
    .m_given_valid(w_given_valid), .m_given_ready(w_given_ready), .m_given_tag(w_given),
    .m_gap_valid(w_gap_valid), .m_gap_ready(w_gap_ready), .m_gap_from(w_gap[27:14]),
    .m_gap_to(w_gap[13:0]), .inserted(inserted), .resynced(resynced));
assign w_piece = {w_piece_id, w_addr, w_bytes, w_place, w_version, w_type, w_number, w_nonce, w_len};
assign w_item  = {w_kind, w_item_id, w_first, w_final, w_apart, w_some, w_seq, w_tag_addr, w_from, w_to};
assign w_end   = {w_end_kind, w_end_reason, w_keeps, w_crypts, w_end_offset, w_end_bytes, w_gaps, w_along};

// ---- through the lane ----
wire               f_piece_valid, f_piece_ready, f_version;
wire [ID_W-1:0]    f_id;
wire [BYTE_W-1:0]  f_addr;
wire [13:0]        f_bytes;
wire [14:0]        f_place, f_len;
wire [1:0]         f_type;
wire [63:0]        f_number, f_nonce;
axis_fifo #(.DATA_W(PIECE_W), .DEPTH(16), .BLOCK(0)) pieces (
    .clk(clk), .rst(rst),
    .s_axis_tdata(w_piece), .s_axis_tvalid(w_piece_valid), .s_axis_tready(w_piece_ready),
    .m_axis_tdata({f_id, f_addr, f_bytes, f_place, f_version, f_type, f_number, f_nonce, f_len}),
    .m_axis_tvalid(f_piece_valid), .m_axis_tready(f_piece_ready));

wire              part_valid, part_ready, data_valid, data_ready, no_tag_valid, place_valid, returned;
wire [ID_W-1:0]   part_slot;
wire [63:0]       part_nonce;
wire [14:0]       part_len, part_aad_len, part_offset, part_bytes;
wire [127:0]      part_aad, data, no_tag;
wire [PART_W-1:0] part_id;
wire [BYTE_W-1:0] place;
tls_feed #(.ID_W(ID_W), .PART_W(PART_W), .ADDR_W(BYTE_W)) feed (
    .clk(clk), .rst(rst),
    .s_piece_valid(f_piece_valid), .s_piece_ready(f_piece_ready), .s_piece_is_tag(1'b0),
    .s_piece_id(f_id), .s_piece_addr(f_addr), .s_piece_bytes(f_bytes), .s_piece_place(f_place),
    .s_piece_version(f_version), .s_piece_type(f_type), .s_piece_number(f_number),
    .s_piece_nonce(f_nonce), .s_piece_len(f_len),
    .rd_addr(feed_addr), .rd_data(feed_data), .returned(returned),
    .m_part_valid(part_valid), .m_part_ready(part_ready), .m_part_slot(part_slot),
    .m_part_nonce(part_nonce), .m_part_len(part_len), .m_part_aad_len(part_aad_len),
    .m_part_offset(part_offset), .m_part_bytes(part_bytes), .m_part_aad(part_aad),
    .m_part_id(part_id),
    .m_axis_tvalid(data_valid), .m_axis_tready(data_ready), .m_axis_tdata(data),
    .m_tag_valid(no_tag_valid), .m_tag_ready(1'b1), .m_tag_data(no_tag),
    .m_place_valid(place_valid), .m_place_addr(place));

wire              key_valid, key_ready, keyed, key_refused;
wire [ID_W-1:0]   key_slot, keyed_slot;
wire [1:0]        key_cipher;
wire [255:0]      key;
wire [95:0]       iv;
wire              text_valid, text_last, sum_valid;
wire [127:0]      text, sum;
wire [15:0]       text_keep;
wire [PART_W-1:0] sum_id, text_id;
wire [1:0]        sum_error;
tls_gcm #(.SLOTS(CONNS), .SMALL(SMALL), .SBOX(SBOX), .MUL(MUL), .ROUND_REGS(ROUND_REGS), .ID_W(PART_W)) lane (
    .clk(clk), .rst(rst),
    .s_key_valid(key_valid), .s_key_ready(key_ready), .s_key_slot(key_slot),
    .s_key_cipher(key_cipher), .s_key_key(key), .s_key_iv(iv),
    .m_key_valid(keyed), .m_key_ready(1'b1), .m_key_slot(keyed_slot), .m_key_refused(key_refused),
    .s_part_valid(part_valid), .s_part_ready(part_ready), .s_part_slot(part_slot),
    .s_part_decrypt(1'b0), .s_part_is_aad(1'b0), .s_part_nonce(part_nonce), .s_part_len(part_len),
    .s_part_aad_len(part_aad_len), .s_part_offset(part_offset), .s_part_bytes(part_bytes),
    .s_part_aad(part_aad), .s_part_id(part_id),
    .s_axis_tdata(data), .s_axis_tvalid(data_valid), .s_axis_tready(data_ready),
    .m_axis_tdata(text), .m_axis_tkeep(text_keep), .m_axis_tlast(text_last), .m_axis_tuser(text_id),
    .m_axis_tvalid(text_valid), .m_axis_tready(1'b1),
    .m_sum_valid(sum_valid), .m_sum_ready(1'b1), .m_sum_tdata(sum), .m_sum_id(sum_id),
    .m_sum_error(sum_error));

wire              text_done, tag_valid, tag_ready;
wire [BYTE_W-1:0] tag_addr;
wire [127:0]      tag;
wire [15:0]       tag_keep;
tls_text #(.ADDR_W(BYTE_W), .PARTS(1 << PART_W)) texts (
    .clk(clk), .rst(rst), .s_place_valid(place_valid), .s_place_addr(place),
    .s_axis_tvalid(text_valid), .s_axis_tdata(text), .s_axis_tkeep(text_keep),
    .s_axis_tlast(text_last), .s_tag_valid(tag_valid), .s_tag_ready(tag_ready), .s_tag_addr(tag_addr),
    .s_tag_data(tag), .s_tag_keep(tag_keep), .done(text_done), .rd_addr(out_addr), .rd_data(text_data));

// ---- what becomes of it ----
wire               t_item_valid, t_item_ready, t_end_valid, t_end_ready, t_given_valid, t_given_ready;
wire [2:0]         t_kind;
wire [ID_W-1:0]    t_id;
wire               t_first, t_final, t_apart, t_some;
wire [31:0]        t_seq;
wire [BYTE_W-1:0]  t_tag_addr;
wire [3:0]         t_from;
wire [4:0]         t_to;
axis_fifo #(.DATA_W(ITEM_W), .DEPTH(64), .BLOCK(0)) items (
    .clk(clk), .rst(rst),
    .s_axis_tdata(w_item), .s_axis_tvalid(w_item_valid), .s_axis_tready(w_item_ready),
    .m_axis_tdata({t_kind, t_id, t_first, t_final, t_apart, t_some, t_seq, t_tag_addr, t_from, t_to}),
    .m_axis_tvalid(t_item_valid), .m_axis_tready(t_item_ready));
wire [1:0]         t_end_kind;
wire [2:0]         t_end_reason;
wire               t_keeps, t_crypts;
wire [13:0]        t_offset, t_bytes, t_l4;
wire [9:0]         t_gaps, t_words;
wire [15:0]        t_desc_id;
wire [16:0]        t_pseudo;
axis_fifo #(.DATA_W(END_W), .DEPTH(32), .BLOCK(0)) fates (
    .clk(clk), .rst(rst),
    .s_axis_tdata(w_end), .s_axis_tvalid(w_end_valid), .s_axis_tready(w_end_ready),
    .m_axis_tdata({t_end_kind, t_end_reason, t_keeps, t_crypts, t_offset, t_bytes, t_gaps,
                   t_desc_id, t_words, t_l4, t_pseudo}),
    .m_axis_tvalid(t_end_valid), .m_axis_tready(t_end_ready));
wire [127:0]       t_given;
axis_fifo #(.DATA_W(128), .DEPTH(4), .BLOCK(0)) given (
    .clk(clk), .rst(rst),
    .s_axis_tdata(w_given), .s_axis_tvalid(w_given_valid), .s_axis_tready(w_given_ready),
    .m_axis_tdata(t_given), .m_axis_tvalid(t_given_valid), .m_axis_tready(t_given_ready));

// a frame that leaves, and what is to be done with it on the way
localparam OUT_W = 14 + 14 + 17;                // TCP header, end, pseudo-header
localparam GO_W  = 2 + 10 + 14 + 10 + OUT_W;
wire               t_good    = (t_end_reason == TX_DROP_NONE);
wire               t_asks    = (t_end_kind == TX_KIND_ENCRYPT);
wire               t_seals   = t_crypts && t_asks;
wire               t_leaves  = t_good && (t_end_kind == TX_KIND_PLAIN || t_end_kind == TX_KIND_ENCRYPT);
wire [13:0]        t_tail    = t_offset + t_bytes;
wire [GO_W-1:0]    t_go      = {t_asks, t_seals, t_words, t_offset, t_gaps, t_l4, t_tail, t_pseudo};
wire               x_valid, x_ready, x_leaves, x_told, x_ready_to_tell, removed;
wire [GO_W-1:0]    x_go;
wire [127:0]       x_data;
wire [63:0]        x_user;
tls_tx_tags #(.ID_W(ID_W), .PART_W(PART_W), .ADDR_W(BYTE_W), .ALONG_W(GO_W)) tags (
    .clk(clk), .rst(rst),
    .s_item_valid(t_item_valid), .s_item_ready(t_item_ready), .s_item_kind(t_kind), .s_item_id(t_id),
    .s_item_first(t_first), .s_item_last(t_final), .s_item_apart(t_apart), .s_item_some(t_some),
    .s_item_seq(t_seq), .s_item_addr(t_tag_addr), .s_item_from(t_from), .s_item_to(t_to),
    .s_given_valid(t_given_valid), .s_given_ready(t_given_ready), .s_given_tag(t_given),
    .s_end_ready(t_end_ready), .s_end_id(t_desc_id), .s_end_keeps(t_keeps), .s_end_leaves(t_leaves),
    .s_end_reason(t_end_reason), .s_end_along(t_go),
    .s_sum_valid(sum_valid), .s_sum_data(sum), .s_sum_id(sum_id), .text_done(text_done),
    .returned(returned), .removed(removed),
    .m_tag_valid(tag_valid), .m_tag_ready(tag_ready), .m_tag_addr(tag_addr), .m_tag_data(tag),
    .m_tag_keep(tag_keep),
    .m_frame_valid(x_valid), .m_frame_ready(x_ready), .m_frame_leaves(x_leaves), .m_frame_along(x_go),
    .m_axis_tvalid(x_told), .m_axis_tready(x_ready_to_tell), .m_axis_tdata(x_data),
    .m_axis_tuser(x_user));
axis_fifo #(.DATA_W(64 + 128), .DEPTH(32), .BLOCK(0)) completions (
    .clk(clk), .rst(rst),
    .s_axis_tdata({x_user, x_data}), .s_axis_tvalid(x_told), .s_axis_tready(x_ready_to_tell),
    .m_axis_tdata({m_axis_txc_tuser, m_axis_txc_tdata}), .m_axis_tvalid(m_axis_txc_tvalid),
    .m_axis_tready(m_axis_txc_tready));

wire               o_valid, o_ready, o_leaves, o_asks, o_seals;
wire [9:0]         o_words, o_gaps;
wire [13:0]        o_offset;
wire [OUT_W-1:0]   o_along;
wire [13:0]        o_end = o_along[17 +: 14];
axis_fifo #(.DATA_W(1 + GO_W), .DEPTH(16), .BLOCK(0)) frames (
    .clk(clk), .rst(rst),
    .s_axis_tdata({x_leaves, x_go}), .s_axis_tvalid(x_valid), .s_axis_tready(x_ready),
    .m_axis_tdata({o_leaves, o_asks, o_seals, o_words, o_offset, o_gaps, o_along}),
    .m_axis_tvalid(o_valid), .m_axis_tready(o_ready));
wire               gap_valid, gap_ready;
wire [27:0]        gap;
axis_fifo #(.DATA_W(28), .DEPTH(GAPS), .BLOCK(1)) gaps (
    .clk(clk), .rst(rst),
    .s_axis_tdata(w_gap), .s_axis_tvalid(w_gap_valid), .s_axis_tready(w_gap_ready),
    .m_axis_tdata(gap), .m_axis_tvalid(gap_valid), .m_axis_tready(gap_ready));

wire               q_valid, q_ready, q_last, q_asks;
wire [127:0]       q_data;
wire [15:0]        q_keep;
wire [13:0]        q_l4, q_tail;
wire [16:0]        q_pseudo;
tls_tx_out #(.ADDR_W(ADDR_W), .ALONG_W(1 + OUT_W)) out (
    .clk(clk), .rst(rst),
    .s_frame_valid(o_valid), .s_frame_ready(o_ready), .s_frame_leaves(o_leaves),
    .s_frame_crypts(o_asks), .s_frame_words(o_words), .s_frame_offset(o_offset),
    .s_frame_end(o_end), .s_frame_gaps(o_gaps), .s_frame_along({o_seals, o_along}),
    .s_gap_valid(gap_valid), .s_gap_ready(gap_ready), .s_gap_from(gap[27:14]), .s_gap_to(gap[13:0]),
    .rd_addr(out_addr), .raw_data(raw_q[127:0]), .raw_bytes(raw_q[131:128]), .raw_last(raw_q[132]),
    .text_data(text_data),
    .m_axis_tvalid(q_valid), .m_axis_tready(q_ready), .m_axis_tdata(q_data), .m_axis_tkeep(q_keep),
    .m_axis_tlast(q_last), .m_axis_tuser({q_asks, q_l4, q_tail, q_pseudo}));
tls_tx_checksum #(.ADDR_W(ADDR_W)) checksum (
    .clk(clk), .rst(rst),
    .s_axis_tvalid(q_valid), .s_axis_tready(q_ready), .s_axis_tdata(q_data), .s_axis_tkeep(q_keep),
    .s_axis_tlast(q_last), .s_asks(q_asks), .s_l4(q_l4), .s_end(q_tail), .s_pseudo(q_pseudo),
    .m_axis_tvalid(m_axis_tvalid), .m_axis_tready(m_axis_tready), .m_axis_tdata(m_axis_tdata),
    .m_axis_tkeep(m_axis_tkeep), .m_axis_tlast(m_axis_tlast));

// ---- commands and counters ----
tls_commands #(.CONNS(CONNS), .DIRECTION(DIRECTION_TX)) commands (
    .clk(clk), .rst(rst),
    .s_cmd_valid(s_cmd_valid), .s_cmd_ready(s_cmd_ready), .s_cmd_opcode(s_cmd_opcode),
    .s_cmd_version(s_cmd_version), .s_cmd_cipher(s_cmd_cipher),
    .s_cmd_id(s_cmd_id), .s_cmd_key(s_cmd_key), .s_cmd_iv(s_cmd_iv),
    .m_rsp_valid(m_rsp_valid), .m_rsp_ready(m_rsp_ready), .m_rsp_reason(m_rsp_reason),
    .m_rsp_id(m_rsp_id),
    .m_entry_valid(c_valid), .m_entry_ready(c_ready), .m_entry_op(c_op), .m_entry_id(c_id),
    .used(used), .answered(k_valid && k_query), .found(k_found), .collides(k_collides),
    .inserted(inserted), .removed(removed), .resynced(resynced), .stale(1'b0),
    .m_key_valid(key_valid), .m_key_ready(key_ready), .m_key_slot(key_slot),
    .m_key_cipher(key_cipher), .m_key_key(key), .m_key_iv(iv), .s_key_valid(keyed));

wire              answers = m_rsp_valid && m_rsp_ready;
wire              is_add  = (s_cmd_opcode == OPCODE_ADD);
wire              is_del  = (s_cmd_opcode == OPCODE_DEL);
integer i;
always @(posedge clk) begin
    m_count       <= {COUNT_W{1'b0}};
    m_count_bytes <= {2'd0, t_bytes};
    if (t_end_ready) begin
        if (t_good && t_seals) begin
            m_count[COUNTER_TX_TLS_ENCRYPTED_PACKETS] <= 1'b1;
            m_count[COUNTER_TX_TLS_ENCRYPTED_BYTES]   <= 1'b1;
        end
        if (t_good && t_crypts && t_end_kind == TX_KIND_FEED) begin
            m_count[COUNTER_TX_TLS_DUMP_PACKETS] <= 1'b1;
            m_count[COUNTER_TX_TLS_DUMP_BYTES]   <= 1'b1;
        end
        if (t_good && t_end_kind == TX_KIND_CONTEXT) m_count[COUNTER_TX_TLS_OOO] <= 1'b1;
        for (i = 1; i <= TX_DROP_NO_TAG; i = i + 1)
            if (t_end_reason == i[2:0]) m_count[COUNTER_TX_DROP_DISABLED + i - 1] <= 1'b1;
    end
    if (answers && is_del && m_rsp_reason == REASON_OK) m_count[COUNTER_TX_TLS_DEL] <= 1'b1;
    if (answers && is_add) case (m_rsp_reason)
        REASON_OK:           m_count[COUNTER_TX_TLS_CTX] <= 1'b1;
        REASON_NO_SPACE:     m_count[COUNTER_ADD_REFUSED_NO_SPACE] <= 1'b1;
        REASON_BAD_ARGUMENT: m_count[COUNTER_ADD_REFUSED_BAD_ARGUMENT] <= 1'b1;
        default:             m_count[COUNTER_ADD_REFUSED_EXISTS] <= 1'b1;
    endcase
    if (rst) m_count <= {COUNT_W{1'b0}};
end

// rooms are counted; a part has its key, which was there before the connection and goes after it, and
// if it had none its text would be zero
wire unused_ok = &{1'b0, s_axis_tuser[31:18], d_room, d_valid, t_end_valid, no_tag_valid, no_tag,
                   keyed_slot, key_refused, text_id, sum_error};
endmodule
`default_nettype wire
