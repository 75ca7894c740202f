// tls_tx_tags.vh - properties of tls_tx_tags; tools/formal.py writes them into its end.
//
// Proved  frame, fate and completion go in one clock, with the frame's item: so they stay together, and
//         in order, each once, as they came. A frame goes only when all before it was done: as many
//         parts' text is in place as the items before it have, their sums were used, and no byte of a
//         tag was written in the F_SETTLE clocks before (tls_text).
//         The tag that is written or told is that of a reference, which has all sums, and what is kept
//         of one connection, whichever (f_id): what is kept, or the given tag, or, from a record's
//         first piece on, the XOR of its pieces' sums; pieces that are apart change nothing. What is
//         kept changes with the end of a frame that keeps, and with nothing else. A tag is told once,
//         after the last piece of its record and before any other item, with id and sequence number.
//         returned comes once for each piece; removed with its item. Rule 2 of m_tag, m_frame, m_axis.
// How     by induction, unbounded.
// Assumed rule 2 of s_item and, with ITEM_FRAME, of s_end; the queues behind m_frame and m_axis do not
//         take back that they are ready; a frame's items have its id. A part has one sum, which comes
//         when that of the part before of the same number was used; parts with text that is not used
//         are at most 2^PART_W (tls_feed).
localparam F_SETTLE = 3;                        // a tag is written to memory in the third clock after
(* anyconst *) reg [ID_W-1:0] f_id;
reg                    f_run_q;                 // there was a reset
reg                    f_new_q;                 // a clock ago
reg  [PART_W:0]        f_texts_q;               // parts whose text is in place, and that were not used
reg  [PART_W-1:0]      f_part_q;                // number of the next piece's part
reg  [(1<<PART_W)-1:0] f_there_q;               // parts whose sum came
reg  [127:0]           f_sums [0:(1<<PART_W)-1];
reg  [127:0]           f_kept_q;                // of the connection
reg                    f_mid_q;                 // in a frame, after an item of it
reg  [ID_W-1:0]        f_mid_id_q;
reg  [127:0]           f_tag_q;                 // of the record at hand
reg                    f_tell_q;                // a tag is to be told
reg  [15:0]            f_tell_id_q;
reg  [31:0]            f_tell_seq_q;
reg  [1:0]             f_quiet_q;               // clocks since a tag was written
reg                    f_frame_waits_q, f_told_waits_q;     // a ready was not used
wire         f_taken = s_item_valid && s_item_ready;
wire         f_text  = f_taken && s_item_kind == ITEM_TEXT;
wire         f_end   = f_taken && s_item_kind == ITEM_FRAME;
wire         f_write = m_tag_valid && m_tag_ready;
wire         f_go    = m_frame_valid && m_frame_ready;
wire         f_told  = m_axis_tvalid && m_axis_tready;
wire         f_mine  = (s_item_id == f_id);
wire [127:0] f_cur   = f_mid_q ? f_tag_q : f_kept_q;
wire [127:0] f_sum   = f_sums[f_part_q];
initial begin
    f_run_q = 1'b0;
    f_new_q = 1'b0;
end
always @(posedge clk) begin
    f_run_q   <= 1'b1;
    f_new_q   <= !f_run_q;
    f_texts_q <= f_texts_q + {{PART_W{1'b0}}, text_done} - {{PART_W{1'b0}}, f_text && s_item_some};
    if (f_text) begin
        f_part_q            <= f_part_q + 1'b1;
        f_there_q[f_part_q] <= 1'b0;
        f_tell_q            <= s_item_last && !s_item_apart;
        f_tell_id_q         <= {{16-ID_W{1'b0}}, s_item_id};
        f_tell_seq_q        <= s_item_seq;
    end
    if (s_sum_valid) begin
        f_sums[s_sum_id]    <= s_sum_data;
        f_there_q[s_sum_id] <= 1'b1;
    end
    if (f_taken && s_item_kind != ITEM_REMOVED) begin
        f_mid_q    <= !f_end;
        f_mid_id_q <= s_item_id;
        f_tag_q    <= (s_item_kind == ITEM_GIVEN) ? s_given_tag
                    : (f_text && !s_item_apart) ? (s_item_first ? 128'd0 : f_cur) ^ f_sum : f_cur;
        if (f_end && f_mid_q && s_end_keeps && f_mine && f_run_q) f_kept_q <= f_tag_q;
    end
    if (f_told) f_tell_q <= 1'b0;
    f_quiet_q       <= f_write ? 2'd1 : (f_quiet_q == F_SETTLE) ? f_quiet_q : f_quiet_q + 2'd1;
    f_frame_waits_q <= m_frame_ready && !f_go && !rst;
    f_told_waits_q  <= m_axis_tready && !f_told && !rst;
    if (rst) begin
        f_texts_q <= {PART_W+1{1'b0}};
        f_part_q  <= {PART_W{1'b0}};
        f_there_q <= {(1<<PART_W){1'b0}};
        f_mid_q   <= 1'b0;
        f_tell_q  <= 1'b0;
        f_quiet_q <= F_SETTLE;
    end
end
always @* begin
    if (!f_run_q) assume (rst);
    else begin
        if (f_new_q) assume (accs[f_id] == f_kept_q);       // whatever it is at first
        if (s_item_valid && s_item_kind != ITEM_REMOVED && f_mid_q) assume (s_item_id == f_mid_id_q);
        if (s_sum_valid) assume (!f_there_q[s_sum_id]);
        if (text_done) assume (f_texts_q < (1 << PART_W));
        if (f_frame_waits_q) assume (m_frame_ready);
        if (f_told_waits_q) assume (m_axis_tready);
    end
end
always @* if (f_run_q) begin
    // all in one clock
    assert (f_go == f_end && s_end_ready == f_end && (f_told && !f_tell_q) == f_end);
    if (m_frame_valid) begin
        assert (s_item_valid && s_item_kind == ITEM_FRAME);
        assert (m_frame_leaves == s_end_leaves && m_frame_along == s_end_along);
    end
    if (m_axis_tvalid && !f_tell_q) begin
        assert (s_item_valid && s_item_kind == ITEM_FRAME && m_axis_tdata == 128'd0);
        assert (m_axis_tuser == {37'd0, s_end_reason, 6'd0, s_end_leaves, 1'b0, s_end_id});
    end
    // when it was done
    if (f_text) begin
        assert (f_there_q[f_part_q]);
        if (s_item_some) assert (f_texts_q != {PART_W+1{1'b0}});
    end
    if (f_go) assert (f_quiet_q == F_SETTLE);
    // tags
    if (m_tag_valid) begin
        assert (s_item_valid && s_item_kind == ITEM_TAG && m_tag_addr == s_item_addr);
        assert (m_tag_keep == ((16'hffff << s_item_from) & ~(16'hffff << s_item_to)));
        if (f_mine) assert (m_tag_data == f_cur);
    end
    assert (f_write == (f_taken && s_item_kind == ITEM_TAG));
    if (f_tell_q) begin
        assert (m_axis_tvalid && !f_taken);
        assert (m_axis_tuser == {f_tell_seq_q, 15'd0, 1'b1, f_tell_id_q});
        if (f_tell_id_q == {{16-ID_W{1'b0}}, f_id}) assert (m_axis_tdata == f_tag_q);
    end
    assert (s_given_ready == (f_taken && s_item_kind == ITEM_GIVEN));
    if (s_given_ready) assert (s_given_valid);
    assert (returned == f_text && removed == (f_taken && s_item_kind == ITEM_REMOVED));
end
// ---- invariants ----
integer f_i;
always @* if (f_run_q) begin
    assert (texts_q == f_texts_q && f_texts_q <= (1 << PART_W));
    assert (id_q == f_part_q && there_q == f_there_q && f_tell_q == tell);
    for (f_i = 0; f_i < (1 << PART_W); f_i = f_i + 1) begin
        if (f_there_q[f_i]) assert (sums[f_i] == f_sums[f_i]);
    end
    assert (accs[f_id] == f_kept_q);
    if (f_mid_q) assert (open_q);
    assert (settle_q + f_quiet_q >= F_SETTLE && f_quiet_q <= F_SETTLE);
    if (open_q && !f_mid_q) begin
        assert (is_text || is_tag);
        if (f_mine) assert (tag_q == f_kept_q);
    end
    if (f_mid_q && f_mid_id_q == f_id) assert (tag_q == f_tag_q);
    if (f_tell_q) assert (told_id_q == f_tell_id_q && told_seq_q == f_tell_seq_q && f_mid_q
                          && f_tell_id_q == {{16-ID_W{1'b0}}, f_mid_id_q});
    if (state_q == ST_LOAD) begin
        assert ((is_text || is_tag) && !open_q);
        if (f_mine) assert (kept_q == f_kept_q);
    end
    if (add) assert (is_text && open_q && ready && sum_q == f_sum);
end
// ---- end of invariants ----
localparam F_ITEM_W = 3 + ID_W + 4 + 32 + ADDR_W + 4 + 5;
stream_rules #(.WORD_W(F_ITEM_W), .ASSUME(1)) f_in (
    .clk(clk), .rst(rst), .valid(s_item_valid), .ready(s_item_ready),
    .word({s_item_kind, s_item_id, s_item_first, s_item_last, s_item_apart, s_item_some, s_item_seq,
           s_item_addr, s_item_from, s_item_to}));
stream_rules #(.WORD_W(16 + 2 + 3 + ALONG_W), .ASSUME(1)) f_fate (
    .clk(clk), .rst(rst), .valid(s_item_valid && s_item_kind == ITEM_FRAME), .ready(s_end_ready),
    .word({s_end_id, s_end_keeps, s_end_leaves, s_end_reason, s_end_along}));
stream_rules #(.WORD_W(ADDR_W + 128 + 16)) f_tag (
    .clk(clk), .rst(rst), .valid(m_tag_valid), .ready(m_tag_ready),
    .word({m_tag_addr, m_tag_data, m_tag_keep}));
stream_rules #(.WORD_W(1 + ALONG_W)) f_frame (
    .clk(clk), .rst(rst), .valid(m_frame_valid), .ready(m_frame_ready),
    .word({m_frame_leaves, m_frame_along}));
stream_rules #(.WORD_W(128 + 64)) f_axis (
    .clk(clk), .rst(rst), .valid(m_axis_tvalid), .ready(m_axis_tready),
    .word({m_axis_tdata, m_axis_tuser}));
