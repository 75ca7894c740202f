// tls_tx_out.vh - properties of tls_tx_out; tools/formal.py writes them into its end.
//
// Proved  no plaintext leaves: for one byte, whichever (f_byte), of one frame that leaves, whichever
//         (f_mark): it is text if the frame crypts and the byte is in its payload and in none of its
//         gaps, zero if the frame crypts and it is behind, and else as it came. Its word leaves after as many as were in front of it, once, with
//         its tkeep and tlast, and what goes along with its frame. So words leave in order, those of
//         all frames that leave and no others: none of a frame that does not. Each frame, whether it
//         leaves or not, uses as many gaps as it has. Words that were asked for always find room.
//         Rule 2 of m_axis.
// How     by induction, unbounded; the queue's own properties (axis_fifo.vh) come along.
// Assumed frames lie one behind the other in the buffer, from its beginning, none of more than 600
//         words, those that leave of one or more; what is in the buffer, as it came and as text, comes
//         a clock after rd_addr, for as long as rd_addr did not pass it; a word has `last` where its
//         frame ends by s_frame_words. Gaps of a frame that crypts are in order, of a byte or more,
//         and at least 16 bytes apart, and end within it. Rule 2 of s_gap.
(* anyconst *) reg [13:0] f_byte;
(* anyconst *) reg [7:0]  f_raw, f_text;        // what it is in the buffer
(* anyconst *) reg [3:0]  f_more;               // bytes of its word, less one
(* anyseq *)   reg f_mark;                      // follow the byte of the frame that starts now
reg               f_run_q;                      // there was a reset
reg  [ADDR_W-1:0] f_base_q;                     // where the next frame begins
reg  [11:0]       f_level_q;                    // words of frames that started, and that did not leave
reg               f_in_q;                       // the byte that is followed did not leave,
reg               f_asked_q, f_there_q;         // but was asked for, and came
reg  [11:0]       f_ahead_q;                    // words in front of it
reg  [ADDR_W-1:0] f_addr_q;
reg               f_last_q;                     // it is in its frame's last word
reg               f_due_q, f_void_q;            // it must leave as text; as zero
reg  [ALONG_W-1:0] f_along_q;
reg  [ADDR_W-1:0] f_rd_q;                       // rd_addr a clock ago
// the frame at hand
reg               f_frame_q, f_crypts_q;
reg  [13:0]       f_offset_q, f_end_q;
reg  [9:0]        f_gaps_q;                     // left
reg  [9:0]        f_words_q, f_word_q;          // of it; asked for
reg               f_past_q, f_is_text_q;        // its byte was asked for; as text
reg               f_some_q;                     // a gap was taken
reg  [13:0]       f_to_q;                       // its end
wire [9:0]        f_place = f_byte[13:4];
wire              f_pop   = m_axis_tvalid && m_axis_tready;
wire [11:0]       f_left  = f_level_q - {11'd0, f_pop};
wire              f_goes  = starts && s_frame_leaves;
wire              f_begin = f_goes && f_mark && !f_in_q && f_place < s_frame_words;
wire              f_take  = s_gap_valid && s_gap_ready;
wire              f_head  = (f_gaps_q != 10'd0);            // s_gap is one of this frame
wire              f_hit   = s_gap_valid && f_byte >= s_gap_from && f_byte < s_gap_to;
wire              f_seal  = f_crypts_q && f_byte >= f_offset_q && f_byte < f_end_q && !(f_head && f_hit);
wire              f_now   = ask && f_word_q == f_place;     // the frame's byte is asked for
wire              f_own   = f_in_q && !f_asked_q;           // the frame is the one that is followed
initial begin
    f_run_q = 1'b0;
    f_in_q  = 1'b0;
end
always @(posedge clk) begin
    f_run_q   <= 1'b1;
    f_rd_q    <= rd_addr;
    f_level_q <= f_left + (f_goes ? {2'd0, s_frame_words} : 12'd0);
    if (f_pop && f_in_q) begin
        f_ahead_q <= f_ahead_q - 12'd1;
        if (f_ahead_q == 12'd0) f_in_q <= 1'b0;
    end
    if (f_asked_q) f_there_q <= 1'b1;
    if (f_now) begin
        f_past_q    <= 1'b1;
        f_is_text_q <= f_seal;
        if (f_own) begin
            f_asked_q <= 1'b1;
            f_due_q   <= f_seal;
            f_void_q  <= f_crypts_q && f_byte >= f_end_q;
        end
    end
    if (ask) f_word_q <= f_word_q + 10'd1;
    if (f_take) begin
        f_gaps_q <= f_gaps_q - 10'd1;
        f_some_q <= 1'b1;
        f_to_q   <= s_gap_to;
    end
    if (ends) f_frame_q <= 1'b0;
    if (starts) begin
        f_base_q   <= f_base_q + {{ADDR_W-10{1'b0}}, s_frame_words};
        f_frame_q  <= s_frame_leaves;
        f_crypts_q <= s_frame_crypts;
        f_offset_q <= s_frame_offset;
        f_end_q    <= s_frame_end;
        f_gaps_q   <= s_frame_gaps;
        f_words_q  <= s_frame_words;
        f_word_q   <= 10'd0;
        f_past_q   <= 1'b0;
        f_some_q   <= 1'b0;
    end
    if (f_begin) begin
        f_in_q    <= 1'b1;
        f_asked_q <= 1'b0;
        f_there_q <= 1'b0;
        f_ahead_q <= f_left + {2'd0, f_place};
        f_addr_q  <= f_base_q + {{ADDR_W-10{1'b0}}, f_place};
        f_last_q  <= (f_place + 10'd1 == s_frame_words);
        f_along_q <= s_frame_along;
    end
    if (rst) begin
        f_in_q    <= 1'b0;
        f_frame_q <= 1'b0;
        f_gaps_q  <= 10'd0;
        f_base_q  <= {ADDR_W{1'b0}};
        f_level_q <= 12'd0;
    end
end
always @* begin
    if (!f_run_q) assume (rst);
    else begin
        if (starts) assume (s_frame_words <= 10'd600);
        if (f_goes) assume (s_frame_words != 10'd0);
        if (f_in_q && !f_there_q && f_rd_q == f_addr_q) begin
            assume (raw_data[8*f_byte[3:0] +: 8] == f_raw && text_data[8*f_byte[3:0] +: 8] == f_text);
            assume (raw_bytes == f_more && raw_last == f_last_q);
        end
        if (s_gap_valid && f_head && f_frame_q && f_crypts_q) begin
            assume (s_gap_from < s_gap_to);
            if (f_some_q) assume ({1'b0, s_gap_from} >= {1'b0, f_to_q} + 15'd16);
            assume (s_gap_to <= {f_words_q, 4'd0});
        end
    end
end
always @* if (f_run_q) begin
    if (m_axis_tvalid) assert (f_level_q != 12'd0);
    if (f_in_q && f_ahead_q == 12'd0 && m_axis_tvalid) begin
        assert (f_there_q);
        assert (m_axis_tdata[8*f_byte[3:0] +: 8] == (f_due_q ? f_text : f_void_q ? 8'd0 : f_raw));
        assert (m_axis_tkeep == ~(16'hfffe << f_more) && m_axis_tlast == f_last_q);
        assert (m_axis_tuser == f_along_q);
    end
    if (v2_q) assert (room);
    if (f_take) begin
        assert (f_head);
        // a gap that has the byte was there when it was asked for
        if (f_frame_q && f_crypts_q && f_hit) assert (f_past_q ? !f_is_text_q : f_now);
    end
    if (starts) assert (!f_head || (f_gaps_q == 10'd1 && f_take));
end
// ---- invariants ----
(* hierconn *) wire [3:0] \words.fill ;
// the queue follows the same word
localparam F_W = ALONG_W + 1 + 16 + 128;
(* hierconn *) wire           \words.f_mark ;
(* hierconn *) wire           \words.f_in_q ;
(* hierconn *) wire [4:0]     \words.f_ahead_q ;
(* hierconn *) wire [F_W-1:0] \words.f_word_q ;
wire              f_enters = v2_q && f_in_q && f_there_q && f_ahead_q == {8'd0, \words.fill };
always @* assume (\words.f_mark == f_enters);
wire [F_W-1:0]    f_entry  = f_enters ? {along2_q, last_q, keep_q, data_q} : \words.f_word_q ;
wire [127:0]      f_data   = f_entry[127:0];
wire [11:0]       f_out    = {8'd0, \words.fill } + {11'd0, v2_q} + {11'd0, v1_q};
always @* if (f_run_q) begin
    assert (room_q <= WORDS && {8'd0, room_q} + f_out == WORDS);
    assert (f_level_q == f_out + (busy_q ? {2'd0, left_q} : 12'd0));
    assert (f_base_q == rd_q + (busy_q ? {{ADDR_W-10{1'b0}}, left_q} : {ADDR_W{1'b0}}));
    assert (f_frame_q == busy_q && f_gaps_q == gaps_q);
    if (busy_q) begin
        assert (f_crypts_q == crypts_q && f_offset_q == offset_q && f_end_q == end_q);
        assert (f_words_q <= 10'd600 && left_q <= f_words_q && left_q != 10'd0);
        assert (f_word_q == word_q && word_q == f_words_q - left_q);
        assert (f_past_q == (word_q > f_place));
    end
    if (f_in_q) begin
        assert (f_ahead_q < f_level_q);
        if (!f_asked_q) begin
            assert (busy_q && !f_there_q && f_place >= word_q && f_place < f_words_q);
            assert (f_ahead_q == f_out + {2'd0, f_place - word_q});
            assert (f_addr_q == rd_q + {{ADDR_W-10{1'b0}}, f_place - word_q});
            assert (f_last_q == (f_place + 10'd1 == f_words_q) && f_along_q == along_q);
        end else if (!f_there_q) begin
            assert (v1_q && f_ahead_q == f_out - 12'd1 && f_rd_q == f_addr_q);
            assert (mask_q[f_byte[3:0]] == f_due_q && along1_q == f_along_q);
            assert (behind_q[f_byte[3:0]] == f_void_q && !(f_due_q && f_void_q));
        end else begin
            assert (f_ahead_q + {11'd0, v1_q} < f_out);
            assert (f_data[8*f_byte[3:0] +: 8] == (f_due_q ? f_text : f_void_q ? 8'd0 : f_raw));
            assert (f_entry[F_W-1:128] == {f_along_q, f_last_q, ~(16'hfffe << f_more)});
            if (!f_enters) assert (\words.f_in_q && {7'd0, \words.f_ahead_q } == f_ahead_q);
        end
    end
    if (!(f_in_q && f_there_q)) assert (!\words.f_in_q );
    // the gaps
    if (busy_q && crypts_q) begin
        if (f_some_q) assert ({1'b0, f_to_q} <= {1'b0, word_q, 4'd0});
        if (f_head && !s_gap_valid && word_q != 10'd0)
            assert (f_some_q && {1'b0, f_to_q} + 15'd16 > {1'b0, word_q, 4'd0});
        if (f_head && s_gap_valid) begin
            assert ({s_gap_to, 1'b0} > {word_q, 5'd0});
            if (f_past_q && f_hit) assert (!f_is_text_q);
        end
    end
end
// ---- end of invariants ----
stream_rules #(.WORD_W(128 + 16 + 1 + ALONG_W)) f_axis (
    .clk(clk), .rst(rst), .valid(m_axis_tvalid), .ready(m_axis_tready),
    .word({m_axis_tdata, m_axis_tkeep, m_axis_tlast, m_axis_tuser}));
stream_rules #(.WORD_W(28), .ASSUME(1)) f_gap (
    .clk(clk), .rst(rst), .valid(s_gap_valid), .ready(s_gap_ready), .word({s_gap_from, s_gap_to}));
