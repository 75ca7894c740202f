// tls_feed.vh - properties of tls_feed; tools/formal.py writes them into its end.
//
// Proved  rule 2 of m_part, m_axis and m_tag, when s_piece keeps it. The words that are read always
//         find room in their queue, so none is lost. At most 2^PART_W parts are out.
// How     by induction, unbounded; the queues' own properties (axis_fifo.vh) come along.
// Assumed returned comes only for a part that is out.
reg f_run_q;                                    // there was a reset
initial f_run_q = 1'b0;
always @(posedge clk) f_run_q <= 1'b1;
always @* begin
    if (!f_run_q) assume (rst);
    if (returned) assume (f_run_q && out_q != {PART_W+1{1'b0}});
end
localparam F_PIECE_W = 1 + ID_W + ADDR_W + 14 + 15 + 1 + 2 + 64 + 64 + 15;
always @* if (f_run_q && v2_q) assert (words_room);
always @* if (f_run_q) begin
    assert (out_q <= (1 << PART_W));
    if (m_part_valid && m_part_ready) assert (s_piece_ready && !s_piece_is_tag);
    if (s_piece_valid && s_piece_ready && !s_piece_is_tag) assert (m_part_valid && m_part_ready);
end
// ---- invariants ----
(* hierconn *) wire [3:0] \words.fill ;
always @* if (f_run_q) assert (room_q <= WORDS);
always @* if (f_run_q) assert (room_q + \words.fill  + {3'd0, v1_q} + {3'd0, v2_q} == WORDS);
// ---- end of invariants ----
stream_rules #(.WORD_W(F_PIECE_W), .ASSUME(1)) f_in (
    .clk(clk), .rst(rst), .valid(s_piece_valid), .ready(s_piece_ready),
    .word({s_piece_is_tag, s_piece_id, s_piece_addr, s_piece_bytes, s_piece_place, s_piece_version,
           s_piece_type, s_piece_number, s_piece_nonce, s_piece_len}));
stream_rules #(.WORD_W(ID_W + 64 + 60 + 128 + PART_W)) f_part (
    .clk(clk), .rst(rst), .valid(m_part_valid), .ready(m_part_ready),
    .word({m_part_slot, m_part_nonce, m_part_len, m_part_aad_len, m_part_offset, m_part_bytes,
           m_part_aad, m_part_id}));
stream_rules #(.WORD_W(128)) f_data (
    .clk(clk), .rst(rst), .valid(m_axis_tvalid), .ready(m_axis_tready), .word(m_axis_tdata));
stream_rules #(.WORD_W(128)) f_tag (
    .clk(clk), .rst(rst), .valid(m_tag_valid), .ready(m_tag_ready), .word(m_tag_data));
