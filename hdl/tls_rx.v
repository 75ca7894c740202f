// tls_rx.v - the receive path: frames in, the same frames out, decrypted where that could be done.
//
// In    s_axis   frames from the MAC, 16 bytes a word; tkeep is a run from bit 0, full but for the
//                last word
//       s_cmd    commands of the mailbox
// Out   m_axis   the frames for the host, in order; tuser is the descriptor
//       m_event  for the host
//       m_rsp    answers;  m_count  one pulse a counter of the map
// How   a frame is written to the buffer and parsed on the way; looked up; walked along its records,
//       which makes pieces for the lane; fed to it; its text comes back beside the buffer; and when
//       the sums of its records are known it leaves, from the one or the other. docs/dataflow.md
//       follows one.
// Error nothing is lost: where a queue is full s_axis waits. What is not understood passes.
// Spec  docs/receive.md.  Model model/rx.py.
//       A word a clock; a frame every 5 clocks.
`default_nettype none
module tls_rx #(
    parameter CONNS      = 64,      // connections, a power of two
    parameter WINDOW     = 8,       // open records of a connection, a power of two
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
    input  wire               avoid_partials,
    input  wire               self_confirm,
    input  wire [127:0]       s_axis_tdata,
    input  wire [15:0]        s_axis_tkeep,
    input  wire               s_axis_tlast,
    input  wire               s_axis_tvalid,
    output wire               s_axis_tready,
    output wire [127:0]       m_axis_tdata,
    output wire [15:0]        m_axis_tkeep,
    output wire               m_axis_tlast,
    output wire [63:0]        m_axis_tuser,
    output wire               m_axis_tvalid,
    input  wire               m_axis_tready,
    // commands
    input  wire               s_cmd_valid,
    output wire               s_cmd_ready,
    input  wire [3:0]         s_cmd_opcode,
    input  wire               s_cmd_version,
    input  wire               s_cmd_ip_version,
    input  wire               s_cmd_answer,
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
    // events; always taken
    output wire               m_event_valid,
    output wire [3:0]         m_event_event,
    output wire [15:0]        m_event_id,
    output wire [31:0]        m_event_seq,
    output wire [31:0]        m_event_records,
    // counters
    output reg  [COUNT_W-1:0] m_count,
    output reg  [15:0]        m_count_bytes
);
`include "tls_regs.vh"              // COUNTER_*, RX_PASS_*, REASON_*, IP_VERSION_*
`include "tls_rx_state.vh"
`include "tls_ops.vh"
localparam ID_W    = $clog2(CONNS);
localparam BYTE_W  = ADDR_W + 4;                // bits of a byte's address in the buffer
localparam PART_W  = 6;                         // bits of a part's number
localparam FRAMES  = 16;                        // frames that wait for the lookup
localparam RANGES  = 512;                       // more than the longest frame can have: 22 bytes each
localparam [31:0] MAX_PIECES = MAX_FRAME / 22;
generate if (MAX_FRAME > (16 << ADDR_W) / 2 || MAX_PIECES >= RANGES) begin : bad tls_rx_buffer_is_too_small stop(); end endgenerate

// ---- the buffer ----
reg  [ADDR_W-1:0] wr_q;
wire [ADDR_W-1:0] out_addr;
wire [ADDR_W-1:0] used_words = wr_q - out_addr;
reg               inside_q;                     // of a frame
reg  [2:0]        pace_q;                       // clocks until a frame may end: 5 a frame at least
reg  [4:0]        frames_q;                     // frames that did not reach the lookup
wire              line_pop_frame;
wire              word     = s_axis_tvalid && s_axis_tready;
wire              starts   = word && !inside_q;
assign s_axis_tready = used_words < {ADDR_W{1'b1}}
                    && (inside_q || frames_q < FRAMES - 4) && !(s_axis_tlast && pace_q != 3'd0);
always @(posedge clk) begin
    if (word) begin
        wr_q     <= wr_q + {{ADDR_W-1{1'b0}}, 1'b1};
        inside_q <= !s_axis_tlast;
    end
    pace_q   <= (word && s_axis_tlast) ? 3'd4 : (pace_q == 3'd0) ? 3'd0 : pace_q - 3'd1;
    frames_q <= frames_q + {4'd0, starts} - {4'd0, line_pop_frame};
    if (rst) begin
        wr_q     <= {ADDR_W{1'b0}};
        inside_q <= 1'b0;
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
    if (word) raw[wr_q] <= {s_axis_tlast, top_of(s_axis_tkeep), s_axis_tdata};
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
    .clk(clk), .rst(rst), .enable(enable),
    .s_valid(word), .s_data(s_axis_tdata), .s_keep(s_axis_tkeep), .s_last(s_axis_tlast), .s_addr(wr_q),
    .m_valid(p_valid), .m_reason(p_reason), .m_addr(p_addr), .m_words(p_words), .m_is_v6(p_is_v6),
    .m_dst_addr(p_local_addr), .m_src_addr(p_remote_addr),
    .m_dst_port(p_local_port), .m_src_port(p_remote_port),
    .m_seq(p_seq), .m_opens(p_opens), .m_offset(p_offset), .m_bytes(p_bytes),
    .m_l4(p_l4), .m_pseudo(p_pseudo));

// commands stand in line with the frames
wire              c_valid, c_ready;
wire [2:0]        c_op;
wire [ID_W-1:0]   c_id;
localparam ALONG_W = 3 + ID_W + 4 + ADDR_W + 10 + 14 + 14 + 32 + 1;
localparam LINE_W  = 1 + 128 + 128 + 16 + 16 + ALONG_W;
wire              c_v6    = (s_cmd_ip_version == IP_VERSION_IPV6);
wire [127:0]      v4_mask = c_v6 ? {128{1'b1}} : {96'd0, {32{1'b1}}};
wire [LINE_W-1:0] frame_line = {p_is_v6, p_local_addr, p_remote_addr, p_local_port, p_remote_port,
                                OP_FRAME, {ID_W{1'b0}}, p_reason, p_addr, p_words, p_offset, p_bytes,
                                p_seq, p_opens};
wire [LINE_W-1:0] cmd_line   = {c_v6, s_cmd_local_addr & v4_mask, s_cmd_remote_addr & v4_mask,
                                s_cmd_local_port, s_cmd_remote_port, c_op, c_id,
                                {ALONG_W-3-ID_W{1'b0}}};
wire              line_room, line_valid, line_ready;
wire              l_is_v6;
wire [127:0]      l_local_addr, l_remote_addr;
wire [15:0]       l_local_port, l_remote_port;
wire [ALONG_W-1:0] l_along;
assign c_ready = line_room && !p_valid;
axis_fifo #(.DATA_W(LINE_W), .DEPTH(FRAMES), .BLOCK(0)) line (
    .clk(clk), .rst(rst),
    .s_axis_tdata(p_valid ? frame_line : cmd_line), .s_axis_tvalid(p_valid || c_valid),
    .s_axis_tready(line_room),
    .m_axis_tdata({l_is_v6, l_local_addr, l_remote_addr, l_local_port, l_remote_port, l_along}),
    .m_axis_tvalid(line_valid), .m_axis_tready(line_ready));
wire [2:0]        l_op = l_along[ALONG_W-1 -: 3];
assign line_pop_frame = line_valid && line_ready && l_op == OP_FRAME;

wire              k_valid, k_ready, k_found, k_collides, k_there;
wire [ID_W-1:0]   k_id;
wire [ALONG_W-1:0] k_along;
wire [CONNS-1:0]  used;
tls_lookup #(.CONNS(CONNS), .ALONG_W(ALONG_W)) lookup (
    .clk(clk), .rst(rst),
    .s_valid(line_valid), .s_ready(line_ready), .s_op(l_op), .s_id(l_along[ALONG_W-4 -: ID_W]),
    .s_is_v6(l_is_v6), .s_local_addr(l_local_addr), .s_remote_addr(l_remote_addr),
    .s_local_port(l_local_port), .s_remote_port(l_remote_port), .s_along(l_along),
    .m_valid(k_valid), .m_ready(k_ready), .m_found(k_found), .m_collides(k_collides), .m_there(k_there), .m_id(k_id),
    .m_along(k_along), .used(used));

wire [2:0]        k_op;
wire [ID_W-1:0]   k_cmd_id;
wire [3:0]        k_reason;
wire [ADDR_W-1:0] k_addr;
wire [9:0]        k_words;
wire [13:0]       k_offset, k_bytes;
wire [31:0]       k_seq;
wire              k_opens;
assign {k_op, k_cmd_id, k_reason, k_addr, k_words, k_offset, k_bytes, k_seq, k_opens} = k_along;
wire              k_frame   = (k_op == OP_FRAME);
wire              k_good    = (k_reason == RX_PASS_NONE);
wire              k_is      = k_frame && k_good && k_found;
wire              k_empty   = k_opens || k_bytes == 14'd0;
wire [3:0]        k_why     = !k_good ? k_reason : !k_found ? RX_PASS_NO_CONNECTION
                            : k_empty ? RX_PASS_NO_PAYLOAD : RX_PASS_NONE;
wire              k_query   = (k_op == OP_QUERY);
wire              k_resync  = (k_op == OP_RESYNC);
wire              ctx_ready;
assign k_ready = k_query || ctx_ready;

// ---- along its records ----
localparam MORE_W = 4 + 4 + BYTE_W + 10 + 14 + 14 + 32;
wire              n_valid, n_ready, n_needs, n_insert, n_same;
wire [ID_W-1:0]   n_id;
wire [CONN_BITS-1:0] n_conn, wr_conn;
wire [REC_BITS-1:0]  n_rec, wr_rec, scan_rec;
wire              n_remove, n_resync, n_found, n_csum_good;
wire [3:0]        n_reason;
wire [BYTE_W-1:0] n_addr;
wire [9:0]        n_words;
wire [13:0]       n_offset, n_bytes;
wire [31:0]       n_seq;
wire              wr_conn_en, wr_rec_en, scan_en;
wire [ID_W-1:0]   wr_id;
wire [SLOT_W-1:0] wr_slot, scan_slot;
tls_rx_context #(.ID_W(ID_W), .SLOT_W(SLOT_W), .CONN_W(CONN_BITS), .REC_W(REC_BITS),
                 .ALONG_W(MORE_W)) contexts (
    .clk(clk), .rst(rst),
    .s_valid(k_valid && !k_query), .s_ready(ctx_ready), .s_needs((k_is && !k_empty) || k_resync),
    .s_insert(k_op == OP_INSERT), .s_id(k_frame ? k_id : k_cmd_id),
    .s_along({k_op == OP_REMOVE, k_resync, k_is, k_good, k_why,
              {k_addr, 4'd0} + {{BYTE_W-14{1'b0}}, k_offset}, k_words, k_offset, k_bytes, k_seq}),
    .m_valid(n_valid), .m_ready(n_ready), .m_needs(n_needs), .m_insert(n_insert), .m_same(n_same),
    .m_id(n_id),
    .m_along({n_remove, n_resync, n_found, n_csum_good, n_reason, n_addr, n_words, n_offset, n_bytes, n_seq}),
    .m_conn(n_conn), .m_rec(n_rec),
    .wr_conn_en(wr_conn_en), .wr_id(wr_id), .wr_conn(wr_conn),
    .wr_rec_en(wr_rec_en), .wr_slot(wr_slot), .wr_rec(wr_rec),
    .scan_en(scan_en), .scan_slot(scan_slot), .scan_rec(scan_rec));

wire              w_piece_valid, w_piece_ready, w_piece_is_tag, w_piece_version;
wire [ID_W-1:0]   w_piece_id;
wire [BYTE_W-1:0] w_piece_addr;
wire [13:0]       w_piece_bytes;
wire [14:0]       w_piece_place, w_piece_len;
wire [1:0]        w_piece_type;
wire [63:0]       w_piece_number, w_piece_nonce;
localparam ITEM_W = 33 + 3 + ID_W + SLOT_W + 3 + 2 + 4 + 14 + 10 + 10;
wire              w_item_valid, w_item_ready, w_range_valid, w_range_ready, inserted, resynced, stale;
wire              guess_valid, guess_right, event_is_request, count_lost, count_proved;
wire [ID_W-1:0]   event_id;
wire [ITEM_W-1:0] w_item;
wire [13:0]       w_range_from, w_range_to;
tls_rx_walk #(.ID_W(ID_W), .ADDR_W(BYTE_W), .WINDOW(WINDOW), .CONN_W(CONN_BITS), .REC_W(REC_BITS)) walk (
    .clk(clk), .rst(rst), .avoid_partials(avoid_partials), .self_confirm(self_confirm),
    .s_valid(n_valid), .s_ready(n_ready), .s_needs(n_needs), .s_insert(n_insert),
    .s_remove(n_remove), .s_resync(n_resync), .s_same(n_same), .s_id(n_id), .s_found(n_found),
    .s_csum_good(n_csum_good), .s_reason(n_reason), .s_addr(n_addr), .s_offset(n_offset),
    .s_bytes(n_bytes), .s_words(n_words), .s_seq(n_seq), .s_conn(n_conn), .s_rec(n_rec),
    .new_version(s_cmd_version), .new_seq(s_cmd_seq), .new_record(s_cmd_record),
    .new_accept(s_cmd_answer == ANSWER_ACCEPT),
    .hdr_addr(hdr_addr), .hdr_data(hdr_data),
    .wr_conn_en(wr_conn_en), .wr_id(wr_id), .wr_conn(wr_conn),
    .wr_rec_en(wr_rec_en), .wr_slot(wr_slot), .wr_rec(wr_rec),
    .scan_en(scan_en), .scan_slot(scan_slot), .scan_rec(scan_rec),
    .m_piece_valid(w_piece_valid), .m_piece_ready(w_piece_ready), .m_piece_is_tag(w_piece_is_tag),
    .m_piece_id(w_piece_id), .m_piece_addr(w_piece_addr), .m_piece_bytes(w_piece_bytes),
    .m_piece_place(w_piece_place), .m_piece_version(w_piece_version), .m_piece_type(w_piece_type),
    .m_piece_number(w_piece_number), .m_piece_nonce(w_piece_nonce), .m_piece_len(w_piece_len),
    .m_item_valid(w_item_valid), .m_item_ready(w_item_ready),
    .m_item_asks(w_item[ITEM_W-1]), .m_item_ask_seq(w_item[ITEM_W-2 -: 32]),
    .m_item_kind(w_item[ITEM_W-34 -: 3]), .m_item_id(w_item[ITEM_W-37 -: ID_W]),
    .m_item_slot(w_item[43 +: SLOT_W]), .m_item_first(w_item[42]), .m_item_last(w_item[41]),
    .m_item_some(w_item[40]), .m_item_found(w_item[39]), .m_item_csum_good(w_item[38]),
    .m_item_reason(w_item[37:34]), .m_item_bytes(w_item[33:20]), .m_item_ranges(w_item[19:10]),
    .m_item_words(w_item[9:0]),
    .m_range_valid(w_range_valid), .m_range_ready(w_range_ready), .m_range_from(w_range_from),
    .m_range_to(w_range_to), .guess_valid(guess_valid), .guess_right(guess_right),
    .inserted(inserted), .resynced(resynced), .stale(stale),
    .m_event_valid(m_event_valid), .m_event_is_request(event_is_request), .m_event_id(event_id),
    .m_event_seq(m_event_seq), .m_event_records(m_event_records),
    .count_lost(count_lost), .count_proved(count_proved));
assign m_event_event = event_is_request ? EVENT_RESYNC_REQUEST : EVENT_RESYNC_WITHDRAWN;
assign m_event_id    = {{16-ID_W{1'b0}}, event_id};

// ---- through the lane ----
localparam PIECE_W = 1 + ID_W + BYTE_W + 14 + 15 + 1 + 2 + 64 + 64 + 15;
wire              f_piece_valid, f_piece_ready, f_piece_is_tag, f_piece_version;
wire [ID_W-1:0]   f_piece_id;
wire [BYTE_W-1:0] f_piece_addr;
wire [13:0]       f_piece_bytes;
wire [14:0]       f_piece_place, f_piece_len;
wire [1:0]        f_piece_type;
wire [63:0]       f_piece_number, f_piece_nonce;
axis_fifo #(.DATA_W(PIECE_W), .DEPTH(16), .BLOCK(0)) pieces (
    .clk(clk), .rst(rst),
    .s_axis_tdata({w_piece_is_tag, w_piece_id, w_piece_addr, w_piece_bytes, w_piece_place,
                   w_piece_version, w_piece_type, w_piece_number, w_piece_nonce, w_piece_len}),
    .s_axis_tvalid(w_piece_valid), .s_axis_tready(w_piece_ready),
    .m_axis_tdata({f_piece_is_tag, f_piece_id, f_piece_addr, f_piece_bytes, f_piece_place,
                   f_piece_version, f_piece_type, f_piece_number, f_piece_nonce, f_piece_len}),
    .m_axis_tvalid(f_piece_valid), .m_axis_tready(f_piece_ready));

wire              part_valid, part_ready, data_valid, data_ready, tag_valid, tag_room, place_valid;
wire [ID_W-1:0]   part_slot;
wire [63:0]       part_nonce;
wire [14:0]       part_len, part_aad_len, part_offset, part_bytes;
wire [127:0]      part_aad, data, tag;
wire [PART_W-1:0] part_id;
wire [BYTE_W-1:0] place;
wire              returned;
tls_feed #(.ID_W(ID_W), .PART_W(PART_W), .ADDR_W(BYTE_W)) feed (
    .clk(clk), .rst(rst),
    .s_piece_valid(f_piece_valid), .s_piece_ready(f_piece_ready), .s_piece_is_tag(f_piece_is_tag),
    .s_piece_id(f_piece_id), .s_piece_addr(f_piece_addr), .s_piece_bytes(f_piece_bytes),
    .s_piece_place(f_piece_place), .s_piece_version(f_piece_version), .s_piece_type(f_piece_type),
    .s_piece_number(f_piece_number), .s_piece_nonce(f_piece_nonce), .s_piece_len(f_piece_len),
    .rd_addr(feed_addr), .rd_data(feed_data), .returned(returned),
    .m_part_valid(part_valid), .m_part_ready(part_ready), .m_part_slot(part_slot),
    .m_part_nonce(part_nonce), .m_part_len(part_len), .m_part_aad_len(part_aad_len),
    .m_part_offset(part_offset), .m_part_bytes(part_bytes), .m_part_aad(part_aad),
    .m_part_id(part_id),
    .m_axis_tvalid(data_valid), .m_axis_tready(data_ready), .m_axis_tdata(data),
    .m_tag_valid(tag_valid), .m_tag_ready(tag_room), .m_tag_data(tag),
    .m_place_valid(place_valid), .m_place_addr(place));

wire              key_valid, key_ready, keyed;
wire [ID_W-1:0]   key_slot;
wire [1:0]        key_cipher;
wire [255:0]      key;
wire [95:0]       iv;
wire              text_valid, text_last, sum_valid, sum_ready;
wire [127:0]      text, sum;
wire [15:0]       text_keep;
wire [PART_W-1:0] sum_id;
wire [1:0]        sum_error;
wire [ID_W-1:0]   keyed_slot;
wire              key_refused;
wire [PART_W-1:0] text_id;
tls_gcm #(.SLOTS(CONNS), .SMALL(SMALL), .SBOX(SBOX), .MUL(MUL), .ROUND_REGS(ROUND_REGS), .ID_W(PART_W)) lane (
    .clk(clk), .rst(rst),
    .s_key_valid(key_valid), .s_key_ready(key_ready), .s_key_slot(key_slot),
    .s_key_cipher(key_cipher), .s_key_key(key), .s_key_iv(iv),
    .m_key_valid(keyed), .m_key_ready(1'b1), .m_key_slot(keyed_slot), .m_key_refused(key_refused),
    .s_part_valid(part_valid), .s_part_ready(part_ready), .s_part_slot(part_slot),
    .s_part_decrypt(1'b1), .s_part_is_aad(1'b0), .s_part_nonce(part_nonce), .s_part_len(part_len),
    .s_part_aad_len(part_aad_len), .s_part_offset(part_offset), .s_part_bytes(part_bytes),
    .s_part_aad(part_aad), .s_part_id(part_id),
    .s_axis_tdata(data), .s_axis_tvalid(data_valid), .s_axis_tready(data_ready),
    .m_axis_tdata(text), .m_axis_tkeep(text_keep), .m_axis_tlast(text_last), .m_axis_tuser(text_id),
    .m_axis_tvalid(text_valid), .m_axis_tready(1'b1),
    .m_sum_valid(sum_valid), .m_sum_ready(sum_ready), .m_sum_tdata(sum), .m_sum_id(sum_id),
    .m_sum_error(sum_error));

wire              text_done, no_tag;
tls_text #(.ADDR_W(BYTE_W), .PARTS(1 << PART_W)) texts (
    .clk(clk), .rst(rst), .s_place_valid(place_valid), .s_place_addr(place),
    .s_axis_tvalid(text_valid), .s_axis_tdata(text), .s_axis_tkeep(text_keep),
    .s_axis_tlast(text_last), .s_tag_valid(1'b0), .s_tag_ready(no_tag), .s_tag_addr({BYTE_W{1'b0}}),
    .s_tag_data(128'd0), .s_tag_keep(16'd0), .done(text_done), .rd_addr(out_addr), .rd_data(text_data));

// ---- what becomes of it ----
wire              v_item_valid, v_item_ready, v_tag_valid, v_tag_ready;
wire [ITEM_W-1:0] v_item;
wire [127:0]      v_tag;
axis_fifo #(.DATA_W(ITEM_W), .DEPTH(64), .BLOCK(0)) items (
    .clk(clk), .rst(rst),
    .s_axis_tdata(w_item), .s_axis_tvalid(w_item_valid), .s_axis_tready(w_item_ready),
    .m_axis_tdata(v_item), .m_axis_tvalid(v_item_valid), .m_axis_tready(v_item_ready));
axis_fifo #(.DATA_W(128), .DEPTH(16), .BLOCK(0)) tags (
    .clk(clk), .rst(rst),
    .s_axis_tdata(tag), .s_axis_tvalid(tag_valid), .s_axis_tready(tag_room),
    .m_axis_tdata(v_tag), .m_axis_tvalid(v_tag_valid), .m_axis_tready(v_tag_ready));

localparam FRAME_W = 33 + ID_W + 2 + 4 + 14 + 10 + 10;
wire               o_valid, o_ready, d_valid, d_ready, removed, bad_tag;
wire [FRAME_W-1:0] o_frame, d_frame;
tls_rx_verdict #(.ID_W(ID_W), .WINDOW(WINDOW), .PART_W(PART_W)) verdict (
    .clk(clk), .rst(rst),
    .s_item_valid(v_item_valid), .s_item_ready(v_item_ready),
    .s_item_asks(v_item[ITEM_W-1]), .s_item_ask_seq(v_item[ITEM_W-2 -: 32]),
    .s_item_kind(v_item[ITEM_W-34 -: 3]), .s_item_id(v_item[ITEM_W-37 -: ID_W]),
    .s_item_slot(v_item[43 +: SLOT_W]), .s_item_first(v_item[42]), .s_item_last(v_item[41]),
    .s_item_some(v_item[40]), .s_item_found(v_item[39]), .s_item_csum_good(v_item[38]),
    .s_item_reason(v_item[37:34]), .s_item_bytes(v_item[33:20]), .s_item_ranges(v_item[19:10]),
    .s_item_words(v_item[9:0]),
    .s_sum_valid(sum_valid), .s_sum_ready(sum_ready), .s_sum_data(sum), .s_sum_id(sum_id),
    .s_sum_error(sum_error != 2'd0),
    .s_tag_valid(v_tag_valid), .s_tag_ready(v_tag_ready), .s_tag_data(v_tag),
    .text_done(text_done), .returned(returned), .removed(removed), .bad_tag(bad_tag),
    .guess_valid(guess_valid), .guess_right(guess_right),
    .m_frame_valid(d_valid), .m_frame_ready(d_ready), .m_frame_asks(d_frame[FRAME_W-1]),
    .m_frame_ask_seq(d_frame[FRAME_W-2 -: 32]), .m_frame_id(d_frame[FRAME_W-34 -: ID_W]),
    .m_frame_found(d_frame[39]), .m_frame_csum_good(d_frame[38]), .m_frame_reason(d_frame[37:34]),
    .m_frame_bytes(d_frame[33:20]), .m_frame_ranges(d_frame[19:10]), .m_frame_words(d_frame[9:0]));
axis_fifo #(.DATA_W(FRAME_W), .DEPTH(16), .BLOCK(0)) frames (
    .clk(clk), .rst(rst),
    .s_axis_tdata(d_frame), .s_axis_tvalid(d_valid), .s_axis_tready(d_ready),
    .m_axis_tdata(o_frame), .m_axis_tvalid(o_valid), .m_axis_tready(o_ready));

wire              range_valid, range_ready;
wire [13:0]       range_from, range_to;
axis_fifo #(.DATA_W(28), .DEPTH(RANGES), .BLOCK(1)) ranges (
    .clk(clk), .rst(rst),
    .s_axis_tdata({w_range_from, w_range_to}), .s_axis_tvalid(w_range_valid),
    .s_axis_tready(w_range_ready),
    .m_axis_tdata({range_from, range_to}), .m_axis_tvalid(range_valid), .m_axis_tready(range_ready));

wire              count_valid;
wire [3:0]        count_reason;
wire [13:0]       count_bytes;
tls_rx_out #(.ID_W(ID_W), .ADDR_W(ADDR_W)) out (
    .clk(clk), .rst(rst),
    .s_frame_valid(o_valid), .s_frame_ready(o_ready), .s_frame_asks(o_frame[FRAME_W-1]),
    .s_frame_ask_seq(o_frame[FRAME_W-2 -: 32]), .s_frame_id(o_frame[FRAME_W-34 -: ID_W]),
    .s_frame_found(o_frame[39]), .s_frame_csum_good(o_frame[38]), .s_frame_reason(o_frame[37:34]),
    .s_frame_bytes(o_frame[33:20]), .s_frame_ranges(o_frame[19:10]), .s_frame_words(o_frame[9:0]),
    .s_range_valid(range_valid), .s_range_ready(range_ready), .s_range_from(range_from),
    .s_range_to(range_to),
    .wr_addr(wr_q), .rd_addr(out_addr), .raw_data(raw_q[127:0]), .raw_bytes(raw_q[131:128]),
    .raw_last(raw_q[132]), .text_data(text_data),
    .m_axis_tvalid(m_axis_tvalid), .m_axis_tready(m_axis_tready), .m_axis_tdata(m_axis_tdata),
    .m_axis_tkeep(m_axis_tkeep), .m_axis_tlast(m_axis_tlast), .m_axis_tuser(m_axis_tuser),
    .count_valid(count_valid), .count_reason(count_reason), .count_bytes(count_bytes));

// ---- commands and counters ----
tls_commands #(.CONNS(CONNS), .DIRECTION(DIRECTION_RX)) commands (
    .clk(clk), .rst(rst),
    .s_cmd_valid(s_cmd_valid), .s_cmd_ready(s_cmd_ready), .s_cmd_opcode(s_cmd_opcode),
    .s_cmd_version(s_cmd_version), .s_cmd_cipher(s_cmd_cipher),
    .s_cmd_id(s_cmd_id), .s_cmd_key(s_cmd_key), .s_cmd_iv(s_cmd_iv),
    .m_rsp_valid(m_rsp_valid), .m_rsp_ready(m_rsp_ready), .m_rsp_reason(m_rsp_reason),
    .m_rsp_id(m_rsp_id),
    .m_entry_valid(c_valid), .m_entry_ready(c_ready), .m_entry_op(c_op), .m_entry_id(c_id),
    .used(used), .answered(k_valid && k_query), .found(k_found), .collides(k_collides),
    .inserted(inserted), .removed(removed), .resynced(resynced), .stale(stale),
    .m_key_valid(key_valid), .m_key_ready(key_ready), .m_key_slot(key_slot),
    .m_key_cipher(key_cipher), .m_key_key(key), .m_key_iv(iv), .s_key_valid(keyed));

wire              answers = m_rsp_valid && m_rsp_ready;
wire              is_add  = (s_cmd_opcode == OPCODE_ADD);
wire              is_resync = (s_cmd_opcode == OPCODE_RESYNC_RX) || (s_cmd_opcode == OPCODE_RESYNC_TX);
integer i;
always @(posedge clk) begin
    m_count       <= {COUNT_W{1'b0}};
    m_count_bytes <= {2'd0, count_bytes};
    if (count_valid && count_reason == RX_PASS_NONE) begin
        m_count[COUNTER_RX_TLS_DECRYPTED_PACKETS] <= 1'b1;
        m_count[COUNTER_RX_TLS_DECRYPTED_BYTES]   <= 1'b1;
    end
    for (i = 1; i < 16; i = i + 1)
        if (count_valid && count_reason == i[3:0] && i[3:0] <= RX_PASS_BAD_TAG)
            m_count[COUNTER_RX_PASS_DISABLED + i - 1] <= 1'b1;
    if (bad_tag) m_count[COUNTER_RX_TLS_ERR] <= 1'b1;
    if (count_lost) m_count[COUNTER_RX_SYNC_LOST] <= 1'b1;
    if (count_proved) m_count[COUNTER_RX_SYNC_SELF] <= 1'b1;
    if (m_event_valid && event_is_request) m_count[COUNTER_RX_TLS_RESYNC_REQ_PKT] <= 1'b1;
    if (answers && is_resync && m_rsp_reason != REASON_NO_CONNECTION)
        m_count[(s_cmd_answer == ANSWER_ACCEPT && m_rsp_reason == REASON_OK)
                ? COUNTER_RX_TLS_RESYNC_RES_OK : COUNTER_RX_TLS_RESYNC_RES_SKIP] <= 1'b1;
    if (answers && !is_resync && m_rsp_reason == REASON_OK)
        m_count[is_add ? COUNTER_RX_TLS_CTX : COUNTER_RX_TLS_DEL] <= 1'b1;
    if (answers && is_add && m_rsp_reason == REASON_NO_SPACE) m_count[COUNTER_ADD_REFUSED_NO_SPACE] <= 1'b1;
    if (answers && is_add && m_rsp_reason == REASON_BAD_ARGUMENT)
        m_count[COUNTER_ADD_REFUSED_BAD_ARGUMENT] <= 1'b1;
    if (answers && is_add && m_rsp_reason == REASON_EXISTS) m_count[COUNTER_ADD_REFUSED_EXISTS] <= 1'b1;
    if (rst) m_count <= {COUNT_W{1'b0}};
end

wire unused_ok = &{1'b0, k_there, no_tag, p_l4, p_pseudo, keyed_slot, key_refused, text_id};
endmodule
`default_nettype wire
