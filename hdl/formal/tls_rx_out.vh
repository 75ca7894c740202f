// tls_rx_out.vh - properties of tls_rx_out; tools/formal.py writes them into its end.
//
// Proved  buffer and way out are one queue of words: a word written at wr_addr, whichever (f_mark), is
//         the word that leaves after as many as were in front of it, once: with its bytes, each from
//         the buffer or, where the mask says so, from the text, its tkeep and its tlast, and with the
//         descriptor of its frame. Words that were asked for always find room. Rule 2 of m_axis.
//         For one byte of a frame, whichever (f_byte): it is text if the frame is decrypted and one
//         of the frame's ranges has it, and else as it came; a frame uses as many ranges as it has.
// How     by induction, unbounded; the queue's own properties (axis_fifo.vh) come along.
// Assumed the buffer is written in order, and at most 2^ADDR_W - 1 words are in it (tls_rx); what was
//         written there comes a clock after rd_addr; a word has `last` where its frame ends by
//         s_frame_words. Ranges of a frame are in order, of a byte or more, and at least 16 bytes
//         apart, and end within it.
(* anyseq *)   reg f_mark;                      // follow the word that is written now
(* anyconst *) reg [13:0] f_byte;
reg               f_run_q;                      // there was a reset
reg               f_in_q;                       // the word is in the buffer or on its way
reg  [ADDR_W+4:0] f_ahead_q, f_level_q;         // words in front of it; all
reg  [127:0]      f_raw_q;
reg  [4:0]        f_more_q;                     // its last, and its bytes less one
reg  [ADDR_W-1:0] f_wr_q, f_addr_q;             // the writer; where the word is
reg               f_asked_q;                    // the word was asked for, with
reg               f_there_q;                    // and its text came:
reg  [15:0]       f_mask_q;
reg  [63:0]       f_user_q, f_desc_q;           // descriptor, of the frame that is sent
reg  [127:0]      f_text_q;
reg               f_ask_q, f_last_q;            // a word was asked for a clock ago; it ends its frame
reg  [ADDR_W-1:0] f_rd_q;
wire              f_write  = (wr_addr != f_wr_q);       // a clock ago
wire              f_pop    = m_axis_tvalid && m_axis_tready;
wire [ADDR_W+4:0] f_left   = f_level_q - {{ADDR_W+4{1'b0}}, f_pop};
wire [ADDR_W-1:0] f_filled = wr_addr - rd_addr;
(* anyseq *) reg  f_writes;
initial begin
    f_run_q = 1'b0;
    f_in_q  = 1'b0;
end
// a write: raw_* of f_new, at wr_addr, which steps on with the clock
(* anyseq *) reg [127:0] f_new;
(* anyseq *) reg [4:0]   f_new_more;
integer f_i;
reg  [127:0] f_due;
always @* for (f_i = 0; f_i < 16; f_i = f_i + 1)
    f_due[8*f_i +: 8] = f_mask_q[f_i] ? f_text_q[8*f_i +: 8] : f_raw_q[8*f_i +: 8];
always @(posedge clk) begin
    f_run_q   <= 1'b1;
    f_wr_q    <= wr_addr + {{ADDR_W-1{1'b0}}, f_writes};
    f_level_q <= f_left + {{ADDR_W+4{1'b0}}, f_writes};
    f_ask_q   <= ask && !rst;
    f_last_q  <= (left_q == 10'd1);
    f_rd_q    <= rd_addr;
    if (f_pop && f_in_q) begin
        f_ahead_q <= f_ahead_q - {{ADDR_W+4{1'b0}}, 1'b1};
        if (f_ahead_q == {ADDR_W+5{1'b0}}) f_in_q <= 1'b0;
    end
    if (ask && f_in_q && !f_asked_q && rd_addr == f_addr_q) begin
        f_asked_q <= 1'b1;
        f_mask_q  <= mask;
        f_user_q  <= f_desc_q;
    end
    if (f_asked_q && !f_there_q) begin
        f_there_q <= 1'b1;
        f_text_q  <= text_data;
    end
    if (f_writes && f_mark && !f_in_q) begin
        f_in_q    <= 1'b1;
        f_ahead_q <= f_left;
        f_raw_q   <= f_new;
        f_more_q  <= f_new_more;
        f_addr_q  <= wr_addr;
        f_asked_q <= 1'b0;
        f_there_q <= 1'b0;
    end
    if (rst) begin
        f_in_q    <= 1'b0;
        f_wr_q    <= {ADDR_W{1'b0}};
        f_level_q <= {ADDR_W+5{1'b0}};
    end
end
always @* begin
    if (!f_run_q) assume (rst);
    else begin
        assume (wr_addr == f_wr_q);
        if (f_filled == {ADDR_W{1'b1}}) assume (!f_writes);
        if (f_in_q && f_rd_q == f_addr_q && (!f_asked_q || !f_there_q))
            assume (raw_data == f_raw_q && {raw_last, raw_bytes} == f_more_q);
        if (f_ask_q && !wait_q) assume (raw_last == f_last_q);
    end
    if (starts) assume (s_frame_words <= 10'd600);
    if (starts && s_frame_words == 10'd0) assume (s_frame_reason != RX_PASS_NONE);
end
always @* if (f_run_q) begin
    if (m_axis_tvalid) assert (f_level_q != {ADDR_W+5{1'b0}});
    if (f_in_q && f_ahead_q == {ADDR_W+5{1'b0}} && m_axis_tvalid) begin
        assert (f_there_q && m_axis_tdata == f_due);
        assert (m_axis_tlast == f_more_q[4] && m_axis_tkeep == ~(16'hfffe << f_more_q[3:0]));
        assert (m_axis_tuser == f_user_q);
    end
    if (v2_q) assert (room);
end

// the byte of the frame
reg         f_frame_q;                          // in a frame
reg         f_text_frame_q;                     // decrypted
reg         f_past_q, f_is_text_q;              // its word was asked for; as text
reg  [9:0]  f_ranges_q;                         // ranges of the frame that are left
reg  [9:0]  f_word_q;                           // asked for
reg  [13:0] f_to_q;                             // end of the last range
reg         f_some_q;                           // there was one
wire        f_hit  = s_range_valid && f_byte >= s_range_from && f_byte < s_range_to;
wire        f_head = (f_ranges_q != 10'd0);
wire        f_take = s_range_valid && s_range_ready;
always @(posedge clk) begin
    if (ask) begin
        f_word_q <= f_word_q + 10'd1;
        if (f_word_q == f_byte[13:4]) begin
            f_past_q    <= 1'b1;
            f_is_text_q <= mask[f_byte[3:0]];
        end
    end
    if (f_take) begin
        f_ranges_q <= f_ranges_q - 10'd1;
        f_to_q     <= s_range_to;
        f_some_q   <= 1'b1;
    end
    if (ends) f_frame_q <= 1'b0;
    if (starts) begin
        f_frame_q      <= 1'b1;
        f_desc_q       <= 64'd0;
        f_desc_q[16]   <= s_frame_found;
        f_desc_q[17]   <= (s_frame_reason == RX_PASS_NONE);
        f_desc_q[18]   <= s_frame_csum_good;
        f_desc_q[19]   <= s_frame_asks;
        f_desc_q[27:24] <= s_frame_reason;
        if (s_frame_asks) f_desc_q[63:32] <= s_frame_ask_seq;
        if (s_frame_found) f_desc_q[ID_W-1:0] <= s_frame_id;
        f_text_frame_q <= (s_frame_reason == RX_PASS_NONE);
        f_past_q       <= 1'b0;
        f_ranges_q     <= s_frame_ranges;
        f_word_q       <= 10'd0;
        f_some_q       <= 1'b0;
    end
    if (rst) begin
        f_frame_q  <= 1'b0;
        f_ranges_q <= 10'd0;
    end
end
always @* if (f_run_q) begin
    if (s_range_valid && f_head && f_text_frame_q && f_frame_q) begin
        assume (s_range_from < s_range_to);
        if (f_some_q) assume ({1'b0, s_range_from} >= {1'b0, f_to_q} + 15'd16);
        assume ({1'b0, s_range_to} <= {1'b0, f_word_q, 4'd0} + {1'b0, left_q, 4'd0});
    end
    if (ask && f_word_q == f_byte[13:4])
        assert (mask[f_byte[3:0]] == (f_text_frame_q && f_head && f_hit));
    if (f_take) begin
        assert (f_head);
        // what was not asked for as text is in no range that is gone
        if (f_frame_q && f_text_frame_q && f_hit) assert (f_past_q ? f_is_text_q
            : ask && f_word_q == f_byte[13:4]);
    end
    if (starts) assert (!f_head || (f_ranges_q == 10'd1 && f_take));
end
// ---- invariants ----
(* hierconn *) wire [3:0] \words.fill ;
// the queue follows the same word
(* hierconn *) wire         \words.f_mark ;
(* hierconn *) wire         \words.f_in_q ;
(* hierconn *) wire [4:0]   \words.f_ahead_q ;
(* hierconn *) wire [208:0] \words.f_word_q ;
wire              f_enters = v2_q && f_in_q && f_there_q && f_ahead_q == {{ADDR_W+1{1'b0}}, \words.fill };
wire [208:0]      f_whole  = {f_user_q, f_more_q[4], ~(16'hfffe << f_more_q[3:0]), f_due};
always @* assume (\words.f_mark == f_enters);
wire [ADDR_W+4:0] f_out   = {{ADDR_W+1{1'b0}}, \words.fill } + {{ADDR_W+4{1'b0}}, v2_q}
                          + {{ADDR_W+4{1'b0}}, v1_q};
wire [ADDR_W-1:0] f_place = f_addr_q - rd_addr;         // in the buffer
always @* if (f_run_q) begin
    assert (room_q <= WORDS);
    assert ({{ADDR_W+1{1'b0}}, room_q} + f_out == WORDS);
    assert (f_level_q == f_out + {5'd0, f_filled});
    assert (f_ask_q == v1_q && (!wait_q || v1_q));
    assert (f_ranges_q == ranges_q && f_frame_q == busy_q);
    if (f_frame_q) assert (f_desc_q == user_q);
    if (f_frame_q) assert (f_word_q == word_q && f_text_frame_q == decrypted_q
                           && long_q <= !decrypted_q);
    if (wait_q) assert (busy_q && long_q);
    if (busy_q && !long_q) assert (left_q != 10'd0 && left_q <= 10'd600 && word_q <= 10'd600 - left_q);
    if (f_in_q) begin
        assert (f_ahead_q < f_level_q);
        if (!f_asked_q) assert (f_ahead_q == f_out + {5'd0, f_place} && !f_there_q && f_place < f_filled);
        else assert (f_ahead_q < f_out);
        if (f_asked_q && !f_there_q) assert (v1_q && f_ahead_q == f_out - 1'b1 && f_rd_q == f_addr_q
                                             && mask_q == f_mask_q && user1_q == f_user_q);
        if (f_there_q) assert (f_ahead_q + {{ADDR_W+4{1'b0}}, v1_q} < f_out);
        if (f_enters) assert ({user2_q, last_q, keep_q, data_q} == f_whole);
        else if (f_there_q) assert (\words.f_in_q && {{ADDR_W{1'b0}}, \words.f_ahead_q } == f_ahead_q
                                    && \words.f_word_q == f_whole);
    end
    if (!(f_in_q && f_there_q)) assert (!\words.f_in_q );
    // the ranges
    if (f_frame_q && f_text_frame_q) begin
        assert (f_past_q == (f_word_q > f_byte[13:4]));
        if (f_some_q) assert ({1'b0, f_to_q} <= {1'b0, f_word_q, 4'd0});
        if (f_head && !s_range_valid && f_word_q != 10'd0)
            assert (f_some_q && {1'b0, f_to_q} + 15'd16 > {1'b0, f_word_q, 4'd0});
        if (f_head && s_range_valid) begin
            assert ({s_range_to, 1'b0} > {f_word_q, 5'd0});
            if (f_past_q && f_hit) assert (f_is_text_q);
        end
    end
end
// ---- end of invariants ----
stream_rules #(.WORD_W(128 + 16 + 1 + 64)) f_axis (
    .clk(clk), .rst(rst), .valid(m_axis_tvalid), .ready(m_axis_tready),
    .word({m_axis_tdata, m_axis_tkeep, m_axis_tlast, m_axis_tuser}));
stream_rules #(.WORD_W(28), .ASSUME(1)) f_range (
    .clk(clk), .rst(rst), .valid(s_range_valid), .ready(s_range_ready),
    .word({s_range_from, s_range_to}));
