// tls_tx_checksum.vh - properties of tls_tx_checksum; tools/formal.py writes them into its end.
//
// Proved  buffer and way out are one queue of words: a word that comes in, whichever (f_mark), is the
//         word that leaves after as many as were in front of it, once, with its tkeep and tlast, and of
//         its bytes each, whichever (f_lane), as it came: but if its frame's last word asks and the byte
//         is one of the two of the checksum, it is that of the sum that was made of its frame (`made`,
//         when the frame's last word reached it). Nothing is read before it is there. Sums and words
//         that were asked for always find room. Rule 2 of m_axis.
// How     by induction, unbounded; the queues' own properties (axis_fifo.vh) come along. Words are counted
//         in ten bits: ADDR_W is at most 8.
// Assumed a TCP header begins at an even byte. The words of the frames whose sums wait add up: those of
//         all, and those in front of the word's own. For a sum goes into its queue with the words of its
//         frame, which is proved here of any frame, and leaves it in order, which is the proof of
//         axis_fifo. What the sum is, is left to simulation.
(* anyseq *)   reg f_mark;                      // follow the word that comes now
(* anyconst *) reg [3:0] f_lane;
reg               f_run_q;                      // there was a reset
reg  [9:0]        f_level_q;                    // words that came and did not leave
reg  [9:0]        f_word_q;                     // words that came of the frame that comes
reg  [4:0]        f_ended_q;                    // a frame's last word came one to five clocks ago
reg  [4:0]        f_frames_q;                   // frames that came and did not begin to leave
reg  [9:0]        f_words_q;                    // their words
reg               f_in_q;                       // the word that is followed did not leave
reg  [3:0]        f_step_q;                     // its frame: 0 comes, 1 to 5 is summed, 6 waits, 7 leaves,
localparam F_WAITS = 4'd6, F_LEAVES = 4'd7, F_ASKED = 4'd8;     // 8 and the word was asked for
reg  [9:0]        f_ahead_q;                    // words in front of it
reg  [4:0]        f_before_q;                   // frames in front of its own, of those of f_frames_q
reg  [9:0]        f_front_q;                    // their words
reg  [ADDR_W-1:0] f_addr_q;                     // where it is
reg  [9:0]        f_place_q;                    // in its frame, which
reg  [9:0]        f_size_q;                     // has so many words,
reg               f_asks_q;                     // asks, and has
reg  [13:0]       f_field_q;
reg  [15:0]       f_made_q;
reg  [7:0]        f_old_q;                      // its byte
reg  [16:0]       f_more_q;                     // its tlast and tkeep
wire              f_pop    = m_axis_tvalid && m_axis_tready;
wire [9:0]        f_left   = f_level_q - f_pop;
wire              f_end    = word && s_axis_tlast;
wire [9:0]        f_size   = f_word_q + 10'd1;
wire              f_begin  = word && f_mark && !f_in_q;
wire [4:0]        f_frames = f_frames_q - begins;
wire [9:0]        f_words  = f_words_q - (begins ? words : 10'd0);
wire              f_early  = f_in_q && f_step_q <= F_WAITS;     // its frame did not begin to leave
wire [13:0]       f_byte   = {f_place_q, f_lane};
wire [7:0]        f_due    = (f_asks_q && f_byte == f_field_q) ? f_made_q[15:8]
                           : (f_asks_q && f_byte == f_field_q + 14'd1) ? f_made_q[7:0] : f_old_q;
initial begin
    f_run_q = 1'b0;
    f_in_q  = 1'b0;
end
always @(posedge clk) begin
    f_run_q    <= 1'b1;
    f_level_q  <= f_left + word;
    f_ended_q  <= {f_ended_q[3:0], f_end};
    f_frames_q <= f_frames + f_end;
    f_words_q  <= f_words + (f_end ? f_size : 10'd0);
    if (word) f_word_q <= s_axis_tlast ? 10'd0 : f_size;
    if (f_pop && f_in_q) begin
        f_ahead_q <= f_ahead_q - 10'd1;
        if (f_ahead_q == 10'd0) f_in_q <= 1'b0;
    end
    if (f_step_q != 4'd0 && f_step_q < F_WAITS) f_step_q <= f_step_q + 4'd1;
    if (f_step_q == 4'd5) f_made_q <= made;
    if (begins && f_early) begin
        f_before_q <= f_before_q - 5'd1;
        f_front_q  <= f_front_q - words;
        if (f_before_q == 5'd0) f_step_q <= F_LEAVES;
    end
    if (ask && f_step_q == F_LEAVES && rd_q == f_addr_q) f_step_q <= F_ASKED;
    if (f_begin) begin
        f_in_q     <= 1'b1;
        f_step_q   <= 4'd0;
        f_ahead_q  <= f_left;
        f_before_q <= f_frames;
        f_front_q  <= f_words;
        f_addr_q   <= wr_q;
        f_place_q  <= f_word_q;
        f_old_q    <= s_axis_tdata[8*f_lane +: 8];
        f_more_q   <= {s_axis_tlast, s_axis_tkeep};
    end
    if (f_end && (f_begin || f_step_q == 4'd0)) begin
        f_step_q  <= 4'd1;
        f_size_q  <= f_size;
        f_asks_q  <= s_asks;
        f_field_q <= s_l4 + 14'd16;
    end
    if (rst) begin
        f_in_q     <= 1'b0;
        f_level_q  <= 10'd0;
        f_word_q   <= 10'd0;
        f_ended_q  <= 5'd0;
        f_frames_q <= 5'd0;
        f_words_q  <= 10'd0;
    end
end
always @* begin
    if (!f_run_q) assume (rst);
    else begin
        if (s_axis_tvalid) assume (!s_l4[0]);
        if (sum_valid) begin
            assume (words != 10'd0 && words <= f_words_q && (words == f_words_q) == (f_frames_q == 5'd1));
            if (f_early && f_before_q != 5'd0)
                assume (words <= f_front_q && (words == f_front_q) == (f_before_q == 5'd1));
        end
    end
end
always @* if (f_run_q) begin
    if (m_axis_tvalid) assert (f_level_q != 10'd0);
    if (f_in_q && f_ahead_q == 10'd0 && m_axis_tvalid) begin
        assert (f_step_q == F_ASKED && m_axis_tdata[8*f_lane +: 8] == f_due);
        assert ({m_axis_tlast, m_axis_tkeep} == f_more_q);
    end
    assert (e_last == f_ended_q[4]);
    if (f_in_q && f_step_q == 4'd5) assert (e_words == f_size_q);
    if (ask) assert (used != {ADDR_W{1'b0}});
    if (v1_q) assert (words_room);
    if (e_last) assert (room);
end
// ---- invariants ----
(* hierconn *) wire [4:0] \sums.fill ;
(* hierconn *) wire [3:0] \leaving.fill ;
// the sums' queue follows the word's frame
(* hierconn *) wire        \sums.f_mark ;
(* hierconn *) wire        \sums.f_in_q ;
(* hierconn *) wire [5:0]  \sums.f_ahead_q ;
(* hierconn *) wire [40:0] \sums.f_word_q ;
wire [24:0]       f_frame  = {f_size_q, f_asks_q, f_field_q};
always @* assume (\sums.f_mark == (f_in_q && f_step_q == 4'd5));
// the way out follows the word
(* hierconn *) wire         \leaving.f_mark ;
(* hierconn *) wire         \leaving.f_in_q ;
(* hierconn *) wire [4:0]   \leaving.f_ahead_q ;
(* hierconn *) wire [144:0] \leaving.f_word_q ;
wire [9:0]        f_out    = \leaving.fill  + {9'd0, v1_q};
wire              f_enters = v1_q && f_in_q && f_step_q == F_ASKED && f_ahead_q == {6'd0, \leaving.fill };
always @* assume (\leaving.f_mark == f_enters);
wire [144:0]      f_entry  = f_enters ? {read_q[144:128], data} : \leaving.f_word_q ;
wire [9:0]        f_rest   = busy_q ? left_q : 10'd0;
wire [ADDR_W-1:0] f_way    = f_addr_q - rd_q;           // words in front of it in the buffer
wire [4:0]        f_older  = f_ended_q >> f_step_q;     // frames that ended before its own
wire [4:0]        f_summed = f_ended_q[0] + f_ended_q[1] + f_ended_q[2] + f_ended_q[3] + f_ended_q[4];
always @* if (f_run_q) begin
    assert (room_q <= WORDS && room_q + f_out == WORDS);
    assert (f_level_q == f_out + used);
    assert (used == f_rest + f_words_q + f_word_q && f_word_q == word_q);
    assert (f_rest <= used && f_words_q <= used && f_word_q <= used);       // no carry is lost
    assert (f_ended_q == {e_last, d_last, c_last, b_last, a_last});
    assert (f_frames_q == frames_q && frames_q <= FRAMES && frames_q == \sums.fill + f_summed);
    assert ((f_frames_q == 5'd0) == (f_words_q == 10'd0));
    if (busy_q) assert (left_q != 10'd0);
    if (f_in_q) begin
        assert (f_ahead_q < f_level_q && f_step_q <= F_ASKED);
        if (f_step_q != 4'd0) assert (!f_field_q[0]);
        if (f_early) begin
            assert ((f_before_q == 5'd0) == (f_front_q == 10'd0) && f_front_q <= f_words_q);
            assert (f_way == f_rest + f_front_q + f_place_q);
            if (f_step_q == 4'd0) assert (f_before_q == f_frames_q && f_front_q == f_words_q && f_place_q < f_word_q);
            else assert (f_before_q < f_frames_q && f_size_q <= f_words_q - f_front_q && f_place_q < f_size_q);
        end
        if (f_step_q == F_WAITS)
            assert (f_before_q == \sums.f_ahead_q && \sums.f_word_q == {f_frame, f_made_q});
        else if (f_early)
            assert (f_before_q == \sums.fill + f_older[0] + f_older[1] + f_older[2] + f_older[3] + f_older[4]);
        case (f_step_q)
            4'd1: assert (a_last && {a_words, a_asks, a_field} == f_frame);
            4'd2: assert (b_last && {b_words, b_asks, b_field} == f_frame);
            4'd3: assert (c_last && {c_words, c_asks, c_field} == f_frame);
            4'd4: assert (d_last && {d_words, d_asks, d_field} == f_frame);
            4'd5: assert (e_last && {e_words, e_asks, e_field} == f_frame);
        endcase
        if (f_step_q == F_LEAVES) begin
            assert (busy_q && at_q <= f_place_q && f_place_q < f_size_q && at_q + left_q == f_size_q);
            assert (f_way == f_place_q - at_q);
            assert ({asks_q, place_q, sum_q} == {f_asks_q, f_field_q, f_made_q});
        end
        if (f_step_q != F_ASKED) begin
            assert (f_ahead_q == f_out + f_way);
            assert (mem[f_addr_q][8*f_lane +: 8] == f_old_q && mem[f_addr_q][144:128] == f_more_q);
        end else begin
            assert (f_ahead_q < f_out);
            assert (f_entry[8*f_lane +: 8] == f_due && f_entry[144:128] == f_more_q);
            if (!f_enters) assert (\leaving.f_ahead_q == f_ahead_q);
        end
    end
    assert (\sums.f_in_q == (f_in_q && f_step_q == F_WAITS));
    assert (\leaving.f_in_q == (f_in_q && f_step_q == F_ASKED && !f_enters));
end
// ---- end of invariants ----
stream_rules #(.WORD_W(145)) f_axis (
    .clk(clk), .rst(rst), .valid(m_axis_tvalid), .ready(m_axis_tready),
    .word({m_axis_tlast, m_axis_tkeep, m_axis_tdata}));
