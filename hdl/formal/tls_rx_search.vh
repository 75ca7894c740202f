// tls_rx_search.vh - properties of tls_rx_search; tools/formal.py writes them into its end.
//
// Proved  what the host is told: one event a clock; a withdrawal only of what was asked, with its
//         start, and not of what was answered, withdrawn or forgotten; what is pending stays as it
//         was asked until then; a request is about a chain that there is, and not about the pending
//         one. A trial's chain is there.
// How     by induction, unbounded.
// Assumed the walk's pulses do not come while it searches; ask, go, check, load, broken, and what else
//         it tells, not together, but for moved; ask behind a search; reject, and accept, as the walk has them. What is
//         loaded is what was stored: pending and trial have their chains. The frame stays.
reg          f_run_q;                           // there was a reset
reg          f_known_q;                         // a connection was loaded
reg          f_gone_q;                          // and searched since
reg          f_pending_q;
reg  [31:0]  f_seq_q;                           // what the host was asked about
reg  [13:0]  f_bytes_q;
reg  [31:0]  f_frame_q;
wire [CHAINS-1:0]  l_chain = load_state[CHAINS*CHAIN_BITS +: CHAINS];
localparam         F_AT    = CHAINS*CHAIN_BITS + CHAINS + 32 + 4 + 96 + 15;
wire [CHAIN_W-1:0] l_trial_chain   = load_state[F_AT +: CHAIN_W];
wire               l_trial         = load_state[F_AT + CHAIN_W + SLOT_W];
wire [CHAIN_W-1:0] l_pending_chain = load_state[F_AT + CHAIN_W + SLOT_W + 1 +: CHAIN_W];
wire               l_pending       = load_state[F_AT + CHAIN_W + SLOT_W + 1 + CHAIN_W];
wire [3:0]         l_tail_bytes    = load_state[CHAINS*CHAIN_BITS + CHAINS + 32 +: 4];
wire         f_search = (state_q != ST_IDLE && state_q != ST_DONE);
wire         f_told   = moved || half_way || broken || accept || reject || check || ahead
                     || trial_failed || load;
wire         f_request  = m_event_valid && m_event_is_request;
wire         f_withdraw = m_event_valid && !m_event_is_request;
initial begin
    f_run_q   = 1'b0;
    f_known_q = 1'b0;
end
always @(posedge clk) begin
    f_run_q   <= 1'b1;
    f_bytes_q <= s_bytes;
    f_frame_q <= s_seq;
    if (f_request) begin
        f_pending_q <= 1'b1;
        f_seq_q     <= m_event_seq;
    end
    if (f_withdraw || accept || reject) f_pending_q <= 1'b0;
    if (go) f_gone_q <= 1'b1;
    if (load) begin
        f_gone_q    <= 1'b0;
        f_known_q   <= 1'b1;
        f_pending_q <= l_pending;
        f_seq_q     <= load_state[CHAIN_BITS*l_pending_chain + 81 + COUNT_BITS + 32 +: 32];
    end
    if (rst) f_known_q <= 1'b0;
end
always @* begin
    if (!f_run_q) assume (rst);
    if (f_search || !f_known_q) assume (!go && !ask);
    if (!f_gone_q) assume (!ask);
    if (f_search) assume (!f_told && s_bytes == f_bytes_q && s_seq == f_frame_q);
    if (!f_known_q) assume (!f_told || load);
    if (ask || go) assume (!f_told && !(ask && go));
    if (load) assume (!moved && !half_way && !broken && !accept && !reject && !check && !ahead && !trial_failed);
    if (reject) assume (m_pending && !moved && !check && !half_way && !accept);
    if (accept) assume (moved && !check && !half_way);
    if (check && m_hit) assume (moved);
    assume (s_bytes != 14'd0 && s_bytes <= 14'd9600);
    if (load) begin
        if (l_pending) assume (l_chain[l_pending_chain]);
        if (l_trial) assume (l_chain[l_trial_chain]);
        assume (l_tail_bytes <= 4'd12);
    end
end
always @* if (f_run_q && f_known_q && !rst && !load) begin
    assert (m_pending == f_pending_q);
    if (m_pending) assert (m_pending_start == f_seq_q);
    if (f_withdraw) assert (f_pending_q && m_event_seq == f_seq_q && m_event_records == 32'd0);
    if (f_request) assert (!withdraw && chain_q[made_chain_q] && m_event_seq == start_q[made_chain_q]
                           && !(f_pending_q && pending_chain_q == made_chain_q));
    if (m_trial) assert (chain_q[trial_chain_q]);
end
// ---- invariants ----
always @* if (f_run_q && f_known_q) begin
    assert (state_q <= ST_DONE);
    if (pending_q) assert (chain_q[pending_chain_q]);
    if (made_q && f_gone_q) assert (chain_q[made_chain_q]);
    if (f_search) assert (f_gone_q);
    assert (tail_bytes_q <= 4'd12 && (!f_gone_q || tail_now_q <= 4'd12));
    if (f_search) assert (f_bytes_q != 14'd0 && f_bytes_q <= 14'd9600);
    if (state_q == ST_READ) begin
        if (track_q) assert (chain_q[track_chain_q]);
    end
    if (state_q == ST_NOTE && track_q) assert (chain_q[track_chain_q]);
end
always @* if (f_run_q && !f_known_q) assert (!f_search);
// ---- end of invariants ----
