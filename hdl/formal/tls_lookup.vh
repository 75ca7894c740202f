// tls_lookup.vh - properties of tls_lookup; tools/formal.py writes them into its end.
//
// Proved  rule 2 at the output, whatever goes on in front; entries leave in order, once, as they came.
// How     by induction, unbounded.
(* anyseq *) reg  f_mark;                       // follow the entry that enters now
reg               f_run_q;                      // there was a reset
reg               f_in_q;
reg [2:0]         f_ahead_q, f_level_q;
reg [ALONG_W-1:0] f_along_q;
wire              f_push = s_valid && s_ready;
wire              f_pop  = m_valid && m_ready;
wire [2:0]        f_left = f_level_q - {2'd0, f_pop};
initial begin
    f_run_q = 1'b0;
    f_in_q  = 1'b0;
end
always @(posedge clk) begin
    f_run_q   <= 1'b1;
    f_level_q <= f_left + {2'd0, f_push};
    if (f_pop && f_in_q) begin
        f_ahead_q <= f_ahead_q - 3'd1;
        if (f_ahead_q == 3'd0) f_in_q <= 1'b0;
    end
    if (f_push && f_mark && !f_in_q) begin
        f_in_q    <= 1'b1;
        f_ahead_q <= f_left;
        f_along_q <= s_along;
    end
    if (rst) begin
        f_in_q    <= 1'b0;
        f_level_q <= 3'd0;
    end
end
always @* if (!f_run_q) assume (rst);
always @* if (f_run_q) begin
    if (m_valid) assert (f_level_q != 3'd0);
    if (f_in_q && f_ahead_q == 3'd0 && m_valid) assert (m_along == f_along_q);
end
// ---- invariants ----
wire [2:0] f_behind4 = {2'd0, v5};
wire [2:0] f_behind3 = f_behind4 + {2'd0, v4};
wire [2:0] f_behind2 = f_behind3 + {2'd0, v3};
wire [2:0] f_behind1 = f_behind2 + {2'd0, v2};
always @* if (f_run_q) begin
    assert (f_level_q == f_behind1 + {2'd0, v1});
    if (f_in_q) begin
        assert (f_ahead_q < f_level_q);
        if (v5 && f_ahead_q == 3'd0)      assert (along5 == f_along_q);
        if (v4 && f_ahead_q == f_behind4) assert (along4 == f_along_q);
        if (v3 && f_ahead_q == f_behind3) assert (along3 == f_along_q);
        if (v2 && f_ahead_q == f_behind2) assert (along2 == f_along_q);
        if (v1 && f_ahead_q == f_behind1) assert (along1 == f_along_q);
    end
end
// ---- end of invariants ----
stream_rules #(.WORD_W(2 + ID_W + ALONG_W)) f_out (
    .clk(clk), .rst(rst), .valid(m_valid), .ready(m_ready),
    .word({m_found, m_collides, m_id, m_along}));
