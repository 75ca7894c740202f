// tls_rx_verdict.vh - properties of tls_rx_verdict; tools/formal.py writes them into its end.
//
// Proved  rule 2 of m_frame, when s_item keeps it: a frame's reason does not change while it waits.
//         returned comes once for each piece of text, when it is taken; removed with the item.
// How     by induction, unbounded.
reg f_run_q;                                    // there was a reset
initial f_run_q = 1'b0;
always @(posedge clk) f_run_q <= 1'b1;
always @* if (!f_run_q) assume (rst);
localparam F_ITEM_W = 3 + ID_W + SLOT_W + 3 + 2 + 4 + 14 + 10 + 10 + 33;
wire [F_ITEM_W-1:0] f_item = {
    s_item_kind, s_item_id, s_item_slot, s_item_first, s_item_last, s_item_some, s_item_found,
    s_item_csum_good, s_item_reason, s_item_bytes, s_item_ranges, s_item_words, s_item_asks,
    s_item_ask_seq};
always @* if (f_run_q) begin
    assert (returned == (s_item_valid && s_item_ready
                         && (s_item_kind == ITEM_TEXT || s_item_kind == ITEM_GUESS)));
    if (removed) assert (s_item_ready);
    if (m_frame_valid) assert (s_item_valid && (m_frame_ready == s_item_ready));
end
// ---- invariants ----
always @* if (f_run_q) begin
    assert (state_q <= ST_ADD);
    if (state_q != ST_WAIT) assert (s_item_valid && is_piece);
end
// ---- end of invariants ----
stream_rules #(.WORD_W(F_ITEM_W), .ASSUME(1)) f_in (
    .clk(clk), .rst(rst), .valid(s_item_valid), .ready(s_item_ready), .word(f_item));
stream_rules #(.WORD_W(ID_W + 2 + 4 + 14 + 10 + 10 + 33)) f_out (
    .clk(clk), .rst(rst), .valid(m_frame_valid), .ready(m_frame_ready),
    .word({m_frame_id, m_frame_found, m_frame_csum_good, m_frame_reason, m_frame_bytes,
           m_frame_ranges, m_frame_words, m_frame_asks, m_frame_ask_seq}));
