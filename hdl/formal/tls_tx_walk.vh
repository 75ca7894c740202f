// tls_tx_walk.vh - properties of tls_tx_walk; tools/formal.py writes them into its end.
//
// Proved  for frames, contexts and commands of one connection, whichever (f_id), among those of others:
//         gaps, pieces and items of tags follow each other: each begins with the byte behind the one
//         before, the first with the payload's first, and those of a frame without a reason end with
//         its last. So each byte of it is in exactly one of them. The header of a record is read where
//         its gap lies. A piece has its item; as many gaps are told as there were.
//         The stored connection changes with ADD and RESYNC_TX, a context without SEEK, and the end of
//         a frame for ENCRYPT or FEED with payload, without a reason, that does not seek; with nothing
//         else. Such a frame began with `next`, which its end moves behind it; so does what a context
//         tells. A frame seeks if the one before it was a context with SEEK that was taken, of the same
//         connection, and that did not go meanwhile. A frame that has a reason when it comes keeps it,
//         and has no gap, piece or tag. Rule 2 of gaps.
// How     by induction, unbounded. The step is one clock (depth 1).
// Assumed what is stored before the first ADD is used by no frame, and is as if it were added. Bytes of
//         the buffer come two clocks after hdr_addr; f_word_q is a context's first word.
localparam F_CONN = 1 + 32 + 64 + 15 + 104;
(* anyconst *) reg [ID_W-1:0] f_id;
(* anyseq *)   reg [127:0] f_any;
reg               f_run_q, f_new_q;             // there was a reset; a clock ago
reg  [ADDR_W-1:0] f_hdr1_q, f_hdr2_q;           // hdr_addr, clocks ago
// what is at hand
reg               f_busy_q;                     // it is a frame
reg  [ID_W-1:0]   f_id_q;
reg  [1:0]        f_kind_q;
reg  [2:0]        f_reason_q;
reg  [ADDR_W-1:0] f_addr_q;
reg  [13:0]       f_offset_q, f_bytes_q, f_pos_q;
reg  [31:0]       f_seq_q;
reg  [9:0]        f_gaps_q;
reg  [ALONG_W-1:0] f_along_q;
reg               f_seeks_q;
reg  [127:0]      f_word_q;
// the connection
reg  [31:0]       r_next_q;
reg               r_seek_q;                     // the frame before was a context with SEEK, of
reg  [ID_W-1:0]   r_seek_id_q;
reg  [F_CONN-1:0] f_was_q;                      // stored a clock ago,
reg               f_may_q;                      // when it could change
wire              f_takes  = s_valid && s_ready;
wire              f_mine   = (f_id_q == f_id);
wire              f_item   = m_item_valid && m_item_ready;
wire              f_gap    = m_gap_valid && m_gap_ready;
wire              f_piece  = m_piece_valid && m_piece_ready;
wire              f_tag    = f_item && m_item_kind == ITEM_TAG;
wire              f_ends   = f_item && m_item_kind == ITEM_FRAME;
wire [13:0]       f_len    = f_gap ? m_gap_to - m_gap_from : f_piece ? m_piece_bytes
                           : {9'd0, m_item_to - {1'b0, m_item_from}};
wire              f_walked = (f_kind_q == TX_KIND_ENCRYPT || f_kind_q == TX_KIND_FEED) && f_bytes_q != 14'd0;
wire              f_well   = f_busy_q && f_walked && m_end_reason == TX_DROP_NONE;
wire              f_told   = f_busy_q && f_kind_q == TX_KIND_CONTEXT && f_reason_q == TX_DROP_NONE;
initial begin
    f_run_q = 1'b0;
    f_new_q = 1'b0;
end
always @(posedge clk) begin
    f_run_q  <= 1'b1;
    f_new_q  <= rst;
    f_hdr1_q <= hdr_addr;
    f_hdr2_q <= f_hdr1_q;
    f_was_q  <= conns[f_id];
    f_may_q  <= f_mine && (inserted || resynced || (f_told && !f_word_q[96])
                           || (f_ends && f_well && !f_seeks_q));
    if (f_gap || f_piece || f_tag) f_pos_q <= f_pos_q + f_len;
    if (f_gap) f_gaps_q <= f_gaps_q + 10'd1;
    if (f_mine) begin
        if (inserted || resynced) r_next_q <= new_seq;
        if (f_ends && f_told && !f_word_q[96]) r_next_q <= f_word_q[31:0];
        if (f_ends && f_well && !f_seeks_q) r_next_q <= f_seq_q + {18'd0, f_bytes_q};
    end
    if (f_ends) begin
        f_busy_q    <= 1'b0;
        r_seek_q    <= f_told && f_word_q[96];
        r_seek_id_q <= f_id_q;
    end
    if (f_takes && s_op == OP_REMOVE && s_id == r_seek_id_q) r_seek_q <= 1'b0;
    if (f_takes) begin
        f_busy_q   <= (s_op == OP_FRAME);
        f_id_q     <= s_id;
        f_kind_q   <= s_kind;
        f_reason_q <= s_reason;
        f_addr_q   <= s_addr;
        f_offset_q <= s_offset;
        f_bytes_q  <= s_bytes;
        f_seq_q    <= s_seq;
        f_along_q  <= s_along;
        f_pos_q    <= 14'd0;
        f_gaps_q   <= 10'd0;
        f_seeks_q  <= r_seek_q && r_seek_id_q == s_id;
        f_word_q   <= f_any;
    end
    if (rst) begin
        f_busy_q <= 1'b0;
        r_seek_q <= 1'b0;
        r_next_q <= f_any[31:0];
    end
end
wire [F_CONN-1:0] f_conn = conns[f_id];
wire [31:0]       f_next = f_conn[F_CONN-2 -: 32];
always @* begin
    if (!f_run_q) assume (rst);
    else begin
        if (f_new_q) assume (f_next == r_next_q && f_conn[118:104] == 15'd0);   // before ADD
        if (f_told && f_hdr2_q == f_addr_q) assume (hdr_data == f_word_q);
        if (s_valid) begin
            assume (s_op == OP_FRAME || s_op == OP_INSERT || s_op == OP_REMOVE || s_op == OP_RESYNC);
            assume ({1'b0, s_offset} + {1'b0, s_bytes} <= 15'd9600);
        end
    end
end
always @* if (f_run_q) begin
    assert (f_conn == f_was_q || f_may_q || f_new_q);
    if (m_piece_valid || m_gap_valid || (m_item_valid && m_item_kind == ITEM_TAG)) begin
        assert (f_busy_q && f_walked && f_reason_q == TX_DROP_NONE);
        if (f_mine) assert (f_seeks_q || f_seq_q == r_next_q);
    end
    assert (f_piece == (f_item && m_item_kind == ITEM_TEXT));
    assert (f_ends == (m_end_valid && m_end_ready) && !(f_gap && f_item));
    if (f_mine && f_gap) begin
        assert (m_gap_from == f_offset_q + f_pos_q && f_len <= 14'd13 && f_hdr2_q == f_addr_q + f_pos_q);
        assert (f_len != 14'd0 && {1'b0, f_pos_q} + {1'b0, f_len} <= {1'b0, f_bytes_q});
    end
    if (f_mine && f_piece) begin
        assert (m_piece_addr == f_addr_q + f_pos_q && {1'b0, f_pos_q} + {1'b0, f_len} <= {1'b0, f_bytes_q});
        assert (m_item_some == (f_len != 14'd0) && m_piece_id == f_id);
    end
    if (f_mine && f_tag) begin
        assert (m_item_addr + m_item_from == f_addr_q + f_pos_q);
        assert (m_item_to > {1'b0, m_item_from} && m_item_to <= 5'd16);
        assert ({1'b0, f_pos_q} + {1'b0, f_len} <= {1'b0, f_bytes_q});
    end
    if (f_item) assert (m_item_id == f_id_q);
    if (f_ends) begin
        assert (f_busy_q && m_end_kind == f_kind_q && m_end_along == f_along_q);
        assert (m_end_offset == f_offset_q && m_end_bytes == f_bytes_q && m_end_gaps == f_gaps_q);
        assert (m_end_crypts == (f_bytes_q != 14'd0));
        if (f_reason_q != TX_DROP_NONE) assert (m_end_reason == f_reason_q);
        if (f_mine && f_well) assert (f_pos_q == f_bytes_q);
        if (f_mine && f_well && !f_seeks_q) assert (f_seq_q == r_next_q);
        assert (m_end_keeps == (f_well && !f_seeks_q));
    end
end
// ---- invariants ----
wire              f_walking = (state_q == ST_WALK);
wire              f_read    = (state_q == ST_CONTEXT && word_q != 2'd0) || (state_q == ST_END && f_told);
wire [14:0]       f_total   = {f_conn[30:24], f_conn[39:32]} + 15'd5;
wire [14:0]       f_at      = f_conn[118:104];
wire [ADDR_W-1:0] f_hdr     = in_prefix ? pos_q : pos_q + {{ADDR_W-15{1'b0}}, total_q} - {{ADDR_W-15{1'b0}}, at_q};
always @* if (f_run_q) begin
    assert (state_q <= ST_REMOVE && f_busy_q == (state_q != ST_IDLE && state_q != ST_REMOVE
                                                 && (state_q != ST_LOAD || op_q == OP_FRAME)));
    assert (f_next == ((f_read && f_mine && f_told && !f_word_q[96]) ? f_word_q[31:0] : r_next_q));
    if (f_at >= 15'd5) assert (is_header(f_conn[39:0], f_conn[F_CONN-1]) && f_at < f_total);
    if (state_q != ST_IDLE) assert (id_q == f_id_q);
    if (state_q == ST_LOAD && f_mine) assert (conn_q == f_conn);
    if (state_q == ST_LOAD && f_busy_q) assert (f_hdr1_q == f_addr_q && word_q == 2'd0);
    if (state_q == ST_IDLE || state_q == ST_LOAD || state_q == ST_REMOVE)
        assert (seek_q == r_seek_q && (!seek_q || seek_id_q == r_seek_id_q));
    else assert (seek_q == (f_read && f_told && f_word_q[96]) && (!seek_q || seek_id_q == f_id_q));
    if (f_busy_q) begin
        assert (op_q == OP_FRAME && kind_q == f_kind_q && bytes_q == f_bytes_q && offset_q == f_offset_q);
        assert (along_q == f_along_q && gaps_q == f_gaps_q && {1'b0, f_offset_q} + {1'b0, f_bytes_q} <= 15'd9600);
        if (f_mine || state_q == ST_LOAD || f_told) begin
            assert (f_pos_q <= f_bytes_q && left_q == f_bytes_q - f_pos_q && off_q == f_offset_q + f_pos_q);
            assert (pos_q == f_addr_q + f_pos_q && seq_q == f_seq_q + {18'd0, f_pos_q});
        end
        if (f_reason_q != TX_DROP_NONE) assert (reason_q == f_reason_q);
        if (state_q != ST_LOAD) begin
            assert (seeks_q == (f_seeks_q && f_walked && f_reason_q == TX_DROP_NONE));
            if (f_mine) assert (version_q == f_conn[F_CONN-1]);
        end else assert (!seeks_q && f_pos_q == 14'd0);
        if (state_q != ST_END) assert (reason_q == f_reason_q);
    end
    if (state_q == ST_LOAD && f_busy_q) assert (f_seeks_q == (seek_q && seek_id_q == id_q));
    if (state_q == ST_CONTEXT) begin
        assert (f_told && word_q <= 2'd2);
        if (word_q == 2'd0) assert (f_hdr2_q == f_addr_q);
    end
    if (state_q == ST_SEEK || f_walking) assert (f_walked && f_reason_q == TX_DROP_NONE);
    if (state_q == ST_SEEK) begin
        assert (seeks_q && f_pos_q == 14'd0 && prefix_q == seek_prefix_q && total_q == seek_total);
    end
    if (f_walking) begin
        if (f_mine && !f_seeks_q) assert (f_seq_q == r_next_q);
        if (fresh_q) assert (at_q == {11'd0, prefix_len});
        if (f_mine && age_q != 2'd0) assert (f_hdr1_q == f_hdr);
        if (f_mine && age_q == 2'd2) assert (f_hdr2_q == f_hdr);
        assert (age_q != 2'd3);
        if (f_mine && at_q >= 15'd5)
            assert (total_q == {prefix_q[30:24], prefix_q[39:32]} + 15'd5
                    && is_header(prefix_q[39:0], version_q) && at_q < total_q);
    end
    if (state_q == ST_END && f_well && f_mine) begin
        assert (f_pos_q == f_bytes_q && (f_seeks_q || f_seq_q == r_next_q));
        if (at_q >= 15'd5) assert (is_header(prefix_q[39:0], version_q)
                                   && at_q < {prefix_q[30:24], prefix_q[39:32]} + 15'd5);
    end
end
// ---- end of invariants ----
stream_rules #(.WORD_W(28)) f_gaps (
    .clk(clk), .rst(rst), .valid(m_gap_valid), .ready(m_gap_ready), .word({m_gap_from, m_gap_to}));
