// axis_fifo.vh - properties of axis_fifo; tools/formal.py writes them into the end of that module.
//
// Proved  one word, whichever (f_mark), is followed from where it enters to where it leaves: with as
//         many words before it as there were when it entered, and as it was. So nothing is lost,
//         repeated or changes places: the n-th word in is the n-th out.
//         The queue takes a word unless it holds DEPTH of them, its output registers aside; it offers
//         one if it holds one (BLOCK: at the latest three clocks after it came). Rule 2 at its output.
// How     by induction, unbounded; the invariants say where the word is. In proofs of other modules
//         their queues bring all this along.
(* anyseq *) reg  f_mark;                       // follow the word that enters now
reg               f_in_q;                       // it is in the queue
reg  [A+1:0]      f_ahead_q;                    // words in front of it
reg  [DATA_W-1:0] f_word_q;
reg  [A+1:0]      f_level_q;                    // words in the queue
reg               f_run_q;                      // there was a reset
wire              f_pop  = m_axis_tvalid && m_axis_tready;
wire [A+1:0]      f_left = f_level_q - {{A+1{1'b0}}, f_pop};
initial begin
    f_in_q  = 1'b0;
    f_run_q = 1'b0;
end
always @(posedge clk) begin
    f_run_q   <= 1'b1;
    f_level_q <= f_left + {{A+1{1'b0}}, write};
    if (f_pop && f_in_q) begin
        f_ahead_q <= f_ahead_q - {{A+1{1'b0}}, 1'b1};
        if (f_ahead_q == {A+2{1'b0}}) f_in_q <= 1'b0;
    end
    if (write && f_mark && !f_in_q) begin
        f_in_q    <= 1'b1;
        f_ahead_q <= f_left;
        f_word_q  <= s_axis_tdata;
    end
    if (rst) begin
        f_in_q    <= 1'b0;
        f_level_q <= {A+2{1'b0}};
    end
end
always @* if (!f_run_q) assume (rst);

always @* if (f_run_q) begin
    if (f_in_q && f_ahead_q == {A+2{1'b0}} && m_axis_tvalid) assert (m_axis_tdata == f_word_q);
    if (m_axis_tvalid) assert (f_level_q != {A+2{1'b0}});
    if (!s_axis_tready) assert (f_level_q >= DEPTH);
    assert (f_level_q <= (BLOCK == 0 ? DEPTH : DEPTH + 2));
end
wire [A+1:0] f_regs = f_level_q - {1'b0, fill};         // words in the output registers
generate
    if (BLOCK == 0) begin : f_distributed
        always @* if (f_run_q) assert (m_axis_tvalid == (f_level_q != {A+2{1'b0}}));
        always @* if (f_run_q) assert (s_axis_tready == (f_level_q != DEPTH));
    end else begin : f_block
        reg [1:0] f_wait_q;                     // clocks with a word, and none on offer
        always @(posedge clk)
            f_wait_q <= (rst || f_left == {A+2{1'b0}} || m_axis_tvalid) ? 2'd0 : f_wait_q + 2'd1;
        always @* if (f_run_q && f_level_q != {A+2{1'b0}} && !m_axis_tvalid) assert (f_wait_q < 2'd2);
// ---- invariants ----
        // it came to the memory, went to the middle and to the output
        always @* if (f_run_q) begin
            if (!m_axis_tvalid && f_wait_q == 2'd1) assert (block.mid_valid_q);
            assert (f_regs == {{A+1{1'b0}}, block.mid_valid_q} + {{A+1{1'b0}}, block.out_valid_q});
            if (f_in_q && f_ahead_q < f_regs) begin
                if (block.out_valid_q && f_ahead_q == {A+2{1'b0}}) assert (block.out_q == f_word_q);
                else assert (block.mid_q == f_word_q);
            end
        end
// ---- end of invariants ----
    end
endgenerate
// ---- invariants ----
wire [A+1:0] f_place = f_ahead_q - f_regs;              // the word's place in the memory
wire [A-1:0] f_addr  = rd_q[A-1:0] + f_place[A-1:0];
always @* if (f_run_q) begin
    assert (fill <= DEPTH);
    assert (full_q == fill[A] && some_q == (fill != {A+1{1'b0}}));
    if (BLOCK == 0) assert (f_regs == {A+2{1'b0}});
    if (f_in_q) assert (f_ahead_q < f_level_q);
    if (f_in_q && f_ahead_q >= f_regs) assert (mem[f_addr] == f_word_q);
end
// ---- end of invariants ----
stream_rules #(.WORD_W(DATA_W)) f_out (
    .clk(clk), .rst(rst), .valid(m_axis_tvalid), .ready(m_axis_tready), .word(m_axis_tdata));
