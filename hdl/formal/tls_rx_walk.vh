// tls_rx_walk.vh - properties of tls_rx_walk; tools/formal.py writes them into its end.
//
// Proved  for a stream that comes in order, in frames of any sizes, with records of any lengths: the
//         pieces, items and ranges are those of a reference that reads byte after byte. It knows
//         `have` bytes of a prefix, or the place in a record; it takes from a frame what is left of
//         the prefix, the text or the tag, whichever it is in, or of the frame. So the pieces are all
//         bytes of text and tags, each once and in order, with their places, their record's number,
//         nonce, type and length, and the marks of its first and last piece; a record without text
//         has its empty piece; a bad header ends the walk with BAD_RECORD. After each frame the
//         connection that is written (next, number, have, version) is the reference's. Rule 2 of
//         pieces, items and ranges. Whatever stalls where.
// How     by induction, unbounded; the invariants set the walker's registers equal to the reference's.
//         The step is one clock (depth 1), and is proved from each of the walker's states on its own
//         (F_CASE, F_PIECE): the assumptions below bind nothing but the state the step starts from.
// Assumed no resync; frames of one connection and frames that need none; each of the connection
//         starts where the one before ended, with a byte or more, without a reason; none after a bad
//         header. Its state comes as last written, or with s_same. Bytes of the frame come two clocks
//         after hdr_addr; f_wire_q is what is on the wire from the prefix's start, where the reference
//         is. Of tls_rx_search nothing: its outputs are free.
parameter [4:0] F_CASE = 5'd31;                 // 0 to 8: the step of the induction from this state
parameter [2:0] F_PIECE = 3'd4;                 // 0 none, 1 text, 2 text and tag, 3 a tag went out
reg          f_run_q;                           // there was a reset
// the reference
reg          r_known_q;                         // there is a connection
reg          r_dead_q;                          // after a bad header
reg          r_version_q, r_in_q;               // in a record, beyond its prefix
reg          r_first_q;                         // no piece of it went out
reg  [3:0]   r_have_q;
reg  [31:0]  r_next_q;                          // of the next header; in a prefix: of this one
reg  [63:0]  r_number_q;                        // of the next record
reg  [14:0]  r_total_q, r_place_q;              // of the record, in the record
reg  [31:0]  r_start_q, r_pos_q;                // of the record; of the byte that comes
reg  [103:0] r_head_q;
// the frame
reg          f_busy_q, f_needs_q, f_bad_q, f_insert_q;
reg  [ID_W-1:0] f_id_q;
reg  [ADDR_W-1:0] f_addr_q;
reg  [13:0]  f_offset_q, f_bytes_q, f_pos_q;
reg  [9:0]   f_ranges_q;
// the context
reg          f_live_q;                          // the walker's own is the newest
localparam    F_CONN_W = CONN_W - SEARCH_BITS;      // without what the search knows
reg  [F_CONN_W-1:0] f_conn_q;
reg  [REC_W-1:0]  f_rec0_q, f_rec1_q;
// the buffer
(* anyseq *) reg [103:0] f_any;
reg  [103:0] f_wire_q;
reg  [ADDR_W-1:0] f_hdr1_q, f_hdr2_q;

wire [4:0]   r_prefix  = (r_version_q == TLS_VERSION_TLS_1_3) ? 5'd5 : 5'd13;
wire [14:0]  r_end     = r_total_q - 15'd16;            // of the text
wire         r_none    = r_in_q && r_first_q && r_end == {10'd0, r_prefix};
wire         r_text    = r_in_q && !r_none && r_place_q < r_end;
wire         r_tag     = r_in_q && !r_none && r_place_q >= r_end;
wire [13:0]  f_left    = f_bytes_q - f_pos_q;
wire [14:0]  r_region  = (r_text ? r_end : r_total_q) - r_place_q;
wire [13:0]  r_bytes   = r_none ? 14'd0 : (r_region < {1'b0, f_left}) ? r_region[13:0] : f_left;
wire         r_last    = r_tag && r_region == {1'b0, r_bytes};
// the prefix
wire [4:0]   r_missing = r_prefix - {1'b0, r_have_q};
wire [4:0]   r_take    = (f_left < {9'd0, r_missing}) ? f_left[4:0] : r_missing;
wire [4:0]   r_grown   = {1'b0, r_have_q} + r_take;
wire [ADDR_W-1:0] f_wire_addr = f_addr_q + {{ADDR_W-14{1'b0}}, f_pos_q} - {{ADDR_W-4{1'b0}}, r_have_q};
reg  [103:0] r_head;
integer f_j;
always @* for (f_j = 0; f_j < 13; f_j = f_j + 1)
    r_head[8*f_j +: 8] = (f_j < {28'd0, r_have_q}) ? r_head_q[8*f_j +: 8] : f_wire_q[8*f_j +: 8];
wire [15:0]  r_length  = {r_head[31:24], r_head[39:32]};
wire         r_good    = r_head[7:0] >= 8'd20 && r_head[7:0] <= 8'd23
    && r_head[15:8] == 8'd3 && r_head[23:16] == 8'd3
    && (r_version_q == TLS_VERSION_TLS_1_3 ? r_length >= 16 && r_length <= 16401
                                           : r_length >= 24 && r_length <= 16408);
wire [15:0]  r_new     = r_length + 16'd5;
wire         r_reads   = (state_q == ST_OPEN);          // when the reference reads: its pace only
wire         f_piece   = m_piece_valid && m_piece_ready;
wire         f_end     = (m_item_kind == ITEM_FRAME || m_item_kind == ITEM_REMOVED);
wire         f_ends    = m_item_valid && m_item_ready && f_end;

initial f_run_q = 1'b0;
always @(posedge clk) begin
    f_run_q  <= 1'b1;
    f_hdr1_q <= hdr_addr;
    f_hdr2_q <= f_hdr1_q;
    if (r_reads) begin
        f_wire_q <= f_any;
        if (r_grown >= 5'd5 && !r_good) begin
            r_dead_q <= 1'b1;
            f_bad_q  <= 1'b1;
        end else begin
            f_pos_q  <= f_pos_q + {9'd0, r_take};
            r_pos_q  <= r_pos_q + {27'd0, r_take};
            r_head_q <= r_head;
            r_have_q <= r_grown[3:0];
            if (r_grown == r_prefix) begin
                r_in_q     <= 1'b1;
                r_first_q  <= 1'b1;
                r_have_q   <= 4'd0;
                r_place_q  <= {10'd0, r_prefix};
                r_total_q  <= r_new[14:0];
                r_next_q   <= r_next_q + {16'd0, r_new};
                r_number_q <= r_number_q + 64'd1;
                r_start_q  <= r_next_q;
            end
        end
    end
    if (f_piece) begin
        f_pos_q   <= f_pos_q + r_bytes;
        r_place_q <= r_place_q + {1'b0, r_bytes};
        r_pos_q   <= r_pos_q + {18'd0, r_bytes};
        r_first_q <= 1'b0;
        if (r_last) r_in_q <= 1'b0;
        if (r_text) f_ranges_q <= f_ranges_q + 10'd1;
    end
    if (wr_conn_en) f_conn_q <= wr_conn[F_CONN_W-1:0];
    if (wr_rec_en && !wr_slot) f_rec0_q <= wr_rec;
    if (wr_rec_en && wr_slot)  f_rec1_q <= wr_rec;
    if (leaves) f_busy_q <= 1'b0;
    if (inserted) begin
        r_known_q   <= 1'b1;
        r_dead_q    <= 1'b0;
        r_version_q <= new_version;
        r_next_q    <= new_seq;
        r_pos_q     <= new_seq;
        r_number_q  <= new_record;
        r_have_q    <= 4'd0;
        r_in_q      <= 1'b0;
    end
    if (enters) begin
        f_busy_q   <= 1'b1;
        f_needs_q  <= s_needs;
        f_insert_q <= s_insert;
        f_bad_q    <= 1'b0;
        f_id_q     <= s_id;
        f_addr_q   <= s_addr;
        f_offset_q <= s_offset;
        f_bytes_q  <= s_bytes;
        f_pos_q    <= 14'd0;
        f_ranges_q <= 10'd0;
        if (s_needs) f_live_q <= 1'b1;
        if (s_insert) f_live_q <= 1'b0;
    end
    if (rst) begin
        f_busy_q  <= 1'b0;
        f_live_q  <= 1'b0;
        r_known_q <= 1'b0;
        r_dead_q  <= 1'b0;
        r_in_q    <= 1'b0;
        r_have_q  <= 4'd0;
    end
end

wire f_stored = leaves && (needs_q || insert_q);
wire f_dead   = r_dead_q || (r_reads && r_grown >= 5'd5 && !r_good);
always @* begin
    if (!f_run_q) assume (rst);
    if (f_hdr2_q == f_wire_addr) assume (hdr_data[103:0] == f_wire_q);
    if (enters) begin
        assume (!s_resync);
        assume (!(s_needs && s_insert) && !(s_remove && (s_needs || s_insert)));
        if (s_needs) begin
            // a connection that is being written can be no other frame's yet (tls_rx_context)
            assume (r_known_q && !f_dead && !inserted && s_seq == r_pos_q && s_bytes != 14'd0);
            assume (s_reason == RX_PASS_NONE);
            assume (s_bytes <= 14'd9600);
            assume ({1'b0, s_offset} + {1'b0, s_bytes} <= 15'd9600);
            if (s_same) assume (f_live_q);
            else begin
                assume (s_conn[F_CONN_W-1:0] == (wr_conn_en ? wr_conn[F_CONN_W-1:0] : f_conn_q));
                if (!(wr_rec_en && wr_slot == s_conn[0]))
                    assume (s_rec == (s_conn[0] ? f_rec1_q : f_rec0_q));
                else assume (s_rec == wr_rec);
            end
        end else assume (!s_same);
    end
end

always @* if (f_run_q) begin
    if (m_piece_valid) begin
        assert (m_piece_ready && m_item_valid && m_item_ready && !f_end);
        assert (f_busy_q && f_needs_q && r_in_q && !f_bad_q);
        assert (m_range_valid == r_text);
        assert (r_none || r_bytes != 14'd0);
        assert (m_piece_is_tag == r_tag && m_item_kind == (r_tag ? ITEM_TAG : ITEM_TEXT));
        assert (m_piece_bytes == r_bytes && m_item_some == !r_none);
        assert (m_piece_place == (r_tag ? r_place_q - r_end : r_place_q - {10'd0, r_prefix}));
        if (!r_none) assert (m_piece_addr == f_addr_q + {{ADDR_W-14{1'b0}}, f_pos_q});
        assert (m_piece_version == r_version_q && m_piece_type == r_head_q[1:0]);
        assert (m_piece_number == r_number_q - 64'd1);
        assert (m_piece_len == r_end - {10'd0, r_prefix});
        if (r_version_q == TLS_VERSION_TLS_1_3) assert (m_piece_nonce == r_number_q - 64'd1);
        else assert (m_piece_nonce == {r_head_q[47:40], r_head_q[55:48], r_head_q[63:56], r_head_q[71:64],
                         r_head_q[79:72], r_head_q[87:80], r_head_q[95:88], r_head_q[103:96]});
        assert (m_item_first == r_first_q && m_item_last == r_last);
        assert (m_piece_id == f_id_q && m_item_id == f_id_q);
    end else if (m_item_valid) assert (f_end);
    if (m_range_valid) begin
        assert (m_piece_valid && m_range_ready);
        assert (m_range_from == f_offset_q + f_pos_q && m_range_to == f_offset_q + f_pos_q + r_bytes);
    end
    if (f_ends) begin
        assert (f_busy_q && !f_insert_q && m_item_id == f_id_q);
        if (f_needs_q) begin
            assert (f_bad_q || (f_pos_q == f_bytes_q && !r_none));
            assert (m_item_reason == (f_bad_q ? RX_PASS_BAD_RECORD : RX_PASS_NONE));
            assert (m_item_ranges == f_ranges_q && m_item_bytes == f_bytes_q);
        end
    end
    if (f_stored && needs_q) begin
        assert (wr_conn_en && wr_id == f_id_q);
        assert (wr_conn[F_CONN_W-1 -: 101]
                == {r_version_q, r_next_q, r_number_q, r_in_q ? 4'd0 : r_have_q});
    end
end

// ---- invariants ----
reg [4:0] f_state_q;                            // a clock ago
always @(posedge clk) f_state_q <= state_q;
reg [1:0] f_piece_q;
always @(posedge clk) f_piece_q <= !m_piece_valid ? 2'd0 : !has_tag ? 2'd1 : has_text ? 2'd2 : 2'd3;
always @* if (F_CASE != 5'd31) assume (f_state_q == F_CASE);
always @* if (F_PIECE != 3'd4) assume (f_piece_q == F_PIECE[1:0]);
wire [14:0] r_y = (r_total_q - r_place_q < {1'b0, f_left}) ? r_total_q : r_place_q + {1'b0, f_left};
wire        f_run    = (state_q == ST_RUN || state_q == ST_TEXT);
wire        f_read   = (state_q == ST_READ || state_q == ST_CHECK || state_q == ST_OPEN);
wire        f_in_tag = (state_q == ST_TAG);             // the reference is beyond the text already
wire [14:0] f_lag    = f_in_tag ? r_place_q - x_q : 15'd0;
wire        f_gone   = f_in_tag && complete;            // closed, and its tag goes out
wire        f_open   = r_in_q && !f_gone;
reg  [95:0] f_mask;                             // of the bytes of the prefix that are known
always @* for (f_j = 0; f_j < 12; f_j = f_j + 1) f_mask[8*f_j +: 8] = {8{f_j < {28'd0, r_have_q}}};
// as stored
wire        c_version;
wire [31:0] c_next;
wire [63:0] c_number;
wire [3:0]  c_have;
wire [95:0] c_prefix;
wire [OPEN_W-1:0] c_count;
wire [WINDOW-1:0] c_used;
wire [WINDOW*SLOT_W-1:0] c_order;
wire [SLOT_W-1:0] c_young;
assign {c_version, c_next, c_number, c_have, c_prefix, c_count, c_used, c_order, c_young} = f_conn_q;
wire [31:0] e_start;
wire [14:0] e_total, e_edge;
wire [1:0]  e_type;
wire [63:0] e_number, e_nonce;
wire        e_partial, e_fresh;
wire [RUNS-1:0] e_run;
wire [15*RUNS-1:0] e_from, e_to;
assign {e_start, e_total, e_type, e_number, e_nonce, e_partial, e_fresh, e_edge, e_run, e_from, e_to}
    = f_live_q ? (slot_q ? f_rec1_q : f_rec0_q) : (c_young ? f_rec1_q : f_rec0_q);
wire [63:0] r_nonce = {r_head_q[47:40], r_head_q[55:48], r_head_q[63:56], r_head_q[71:64],
                       r_head_q[79:72], r_head_q[87:80], r_head_q[95:88], r_head_q[103:96]};
wire        f_work  = f_busy_q && f_needs_q;
always @* if (f_run_q) begin
    assert (f_busy_q == (state_q != ST_IDLE));
    assert (state_q <= ST_EMPTY);
    assert (!tried_q);
    if (f_busy_q) assert (!resync_q && !passing_q && !trying_q);
    if (!f_busy_q) assert (!dirty_q);
    if (f_busy_q) begin
        assert (needs_q == f_needs_q && insert_q == f_insert_q && id_q == f_id_q);
        assert (!(needs_q && insert_q) && !(remove_q && (needs_q || insert_q)));
        if (!f_needs_q) assert (state_q == ST_STEP && !dirty_q);
        if (insert_q) assert (!f_live_q);
    end
    if (f_live_q) assert (r_known_q);
    if (f_work) assert (f_live_q && r_known_q);
    // the reference
    if (r_known_q) begin
        assert (r_have_q < r_prefix);
        assert (r_next_q == (r_in_q ? r_start_q + {17'd0, r_total_q} : r_pos_q - {28'd0, r_have_q}));
        if (r_in_q) assert (r_pos_q == r_start_q + {17'd0, r_place_q});
        if (!r_in_q && r_have_q >= 4'd5)
            assert (r_head_q[7:2] == 6'd5 && r_head_q[23:8] == 16'h0303
                    && {r_head_q[31:24], r_head_q[39:32]} >= 16'd24
                    && {r_head_q[31:24], r_head_q[39:32]} <= 16'd16408);
        if (r_in_q) begin
            assert (r_have_q == 4'd0);
            assert (r_total_q <= 15'd16413 && r_total_q >= {10'd0, r_prefix} + 15'd16);
            assert (r_place_q >= {10'd0, r_prefix} && r_place_q < r_total_q);
            if (r_place_q != {10'd0, r_prefix}) assert (!r_first_q);
            else if (r_end != {10'd0, r_prefix}) assert (r_first_q);
        end
    end
    // the walker's
    if (f_live_q) begin
        assert (version_q == r_version_q && next_q == r_next_q && number_q == r_number_q);
        assert (have_q == (r_in_q ? 4'd0 : r_have_q));
        assert (((prefix_q ^ r_head_q[95:0]) & f_mask) == 96'd0);
        assert (count_q == {{OPEN_W-1{1'b0}}, f_open});
        assert (used_q == (f_open ? {{WINDOW-1{1'b0}}, 1'b1} << slot_q : {WINDOW{1'b0}}));
        assert (rec_q == f_open);
        if (f_open) assert (order_q[SLOT_W-1:0] == slot_q);
        if (r_in_q) begin
            assert (start_q == r_start_q && total_q == r_total_q && type_q == r_head_q[1:0]);
            assert (rec_number_q == r_number_q - 64'd1 && !partial_q);
            if (r_version_q != TLS_VERSION_TLS_1_3) assert (nonce_q == r_nonce);
            assert (fresh_q == r_first_q);
            if (!f_gone) assert (run_q == {RUNS{1'b0}});
            if (!f_in_tag) assert (edge_q == r_place_q);
            else if (!f_gone) assert (edge_q == y_q);
        end
    end
    if (f_work) begin
        assert (bytes_q == f_bytes_q && f_bytes_q <= 14'd9600 && f_pos_q <= f_bytes_q);
        assert ({1'b0, f_offset_q} + {1'b0, f_bytes_q} <= 15'd9600);
        assert (ranges_q == f_ranges_q);
        assert (reason_q == (f_bad_q ? RX_PASS_BAD_RECORD : RX_PASS_NONE));
        assert (f_bad_q == r_dead_q);
        if (f_bad_q) assert (state_q == ST_STEP && left_q == 14'd0 && !r_in_q);
        else begin
            assert (f_lag <= {1'b0, f_pos_q});
            assert (left_q == f_left + f_lag[13:0] && place_q == f_offset_q + f_pos_q - f_lag[13:0]);
            assert (addr_q == f_addr_q + {{ADDR_W-14{1'b0}}, f_pos_q - f_lag[13:0]});
            assert (pos_q == r_pos_q - {17'd0, f_lag});
            assert (to_edge_q == (r_in_q ? {17'd0, r_total_q - r_place_q + f_lag} : 32'd0));
            if (r_in_q) assert (in_rec_q == {17'd0, r_place_q - f_lag});
        end
        if (f_read) begin
            assert (!r_in_q && f_left != 14'd0 && !dirty_q);
            if (state_q == ST_READ) assert (f_hdr1_q == f_wire_addr);
            if (state_q == ST_CHECK) assert (f_hdr2_q == f_wire_addr);
            if (state_q == ST_OPEN) begin
                assert (grown_q == r_grown && bad_head_q == (r_grown >= 5'd5 && !r_good));
                assert (head_q == r_head);
            end
        end
        if (f_run) assert (r_in_q && !r_none && !dirty_q);
        if (f_in_tag) assert (dirty_q == !complete);
        if (f_run) assert (x_q == r_place_q && y_q == r_y && f_left != 14'd0);
        if (f_in_tag) assert (r_place_q == r_end && x_q < r_end && y_q > r_end && r_in_q && !r_none
                              && y_q - r_end <= {1'b0, f_left} && !skips && at_edge_run_q
                              && x_q >= {10'd0, r_prefix} && f_left != 14'd0
                              && y_q == r_y && merged_to_q == y_q);
        if (state_q == ST_TEXT) assert (!skips && at_edge_run_q && merged_to_q == y_q
                                        && left_run_q == {RUNS{1'b0}} && right_run_q == {RUNS{1'b0}});
        if (state_q == ST_EMPTY) assert (r_none && fresh_q);
        else if (state_q == ST_STEP) assert (!r_none);
    end else if (r_known_q) begin
        // between the frames
        assert (c_version == r_version_q && c_next == r_next_q && c_number == r_number_q);
        assert (c_have == (r_in_q ? 4'd0 : r_have_q));
        assert (((c_prefix ^ r_head_q[95:0]) & f_mask) == 96'd0);
        assert (c_count == {{OPEN_W-1{1'b0}}, r_in_q} && !r_none);
        assert (c_used == (r_in_q ? {{WINDOW-1{1'b0}}, 1'b1} << c_young : {WINDOW{1'b0}}));
        if (r_in_q) assert (c_order[SLOT_W-1:0] == c_young && (!f_live_q || slot_q == c_young));
    end
    // the record is stored, but for what is newer
    if (r_known_q && r_in_q && !dirty_q && (!f_work || state_q == ST_STEP || f_run)) begin
        assert (e_start == r_start_q && e_total == r_total_q && e_type == r_head_q[1:0]);
        assert (e_number == r_number_q - 64'd1 && !e_partial && e_fresh == r_first_q);
        if (r_version_q != TLS_VERSION_TLS_1_3) assert (e_nonce == r_nonce);
        assert (e_edge == r_place_q && e_run == {RUNS{1'b0}});
    end
end
// ---- end of invariants ----
stream_rules #(.WORD_W(ADDR_W + 14 + 15 + 3 + 64 + 64 + 15)) f_pieces (
    .clk(clk), .rst(rst), .valid(m_piece_valid), .ready(m_piece_ready),
    .word({m_piece_addr, m_piece_bytes, m_piece_place, m_piece_version, m_piece_type, m_piece_number,
           m_piece_nonce, m_piece_len}));
stream_rules #(.WORD_W(3 + ID_W + SLOT_W + 5 + 4 + 14 + 10 + 10 + 1)) f_items (
    .clk(clk), .rst(rst), .valid(m_item_valid), .ready(m_item_ready),
    .word({m_item_kind, m_item_id, m_item_slot, m_item_first, m_item_last, m_item_some, m_item_found,
           m_item_csum_good, m_item_reason, m_item_bytes, m_item_ranges, m_item_words, m_item_asks}));
stream_rules #(.WORD_W(28)) f_ranges (
    .clk(clk), .rst(rst), .valid(m_range_valid), .ready(m_range_ready),
    .word({m_range_from, m_range_to}));
