// tls_rx_context.vh - properties of tls_rx_context; tools/formal.py writes them into its end.
//
// Proved  for one connection and one place in its window, whichever (f_id, f_slot): a frame that needs
//         the connection gets what was last written to it, before the clock in which the frame is
//         taken or in it: from m_conn and, if that names the place, m_rec; or, with m_same, from the
//         walker, whose own is then that. A scanned record is as it was last written. Whatever frames
//         of this and other connections, insertions, results and scans follow one another.
//         Entries leave in order, once and as they came. Rule 2 at the output.
// How     by induction, unbounded; f_conn_q and f_rec_q are the atomic memory.
// Assumed of the walker, as the header of tls_rx_context has it:
//         it writes the connection of the frame it was last given, or records of it, as often as it
//         likes, the last time in the clock in which it takes the next entry; it writes a new
//         connection in the clock after it took that, or the next; it scans while it is at a frame
//         that needed a connection.
(* anyconst *) reg [ID_W-1:0]   f_id;
(* anyconst *) reg [SLOT_W-1:0] f_slot;
reg              f_run_q;                       // there was a reset
reg [CONN_W-1:0] f_conn_q;                      // the atomic memory at f_id
reg [REC_W-1:0]  f_rec_q;                       // at f_id and f_slot
// the walker
reg              f_at_q;                        // it is at a frame that needed a connection
reg              f_new_q, f_new2_q;             // it has a new connection to write; since a clock
reg [ID_W-1:0]   f_at_id_q;                     // whose
reg              f_has_q;                       // f_own_q is a connection: f_own_id_q's
reg [ID_W-1:0]   f_own_id_q;
reg [CONN_W-1:0] f_own_q;
// order
reg              f_in_q;                        // an entry is in here
reg              f_needs_q, f_insert_q;
reg [ID_W-1:0]   f_in_id_q;
reg [ALONG_W-1:0] f_along_q;
reg              f_scan_q;                      // f_slot of f_id was scanned
reg [REC_W-1:0]  f_scan_rec_q;

wire [CONN_W-1:0] f_conn = (wr_conn_en && wr_id == f_id) ? wr_conn : f_conn_q;
wire [REC_W-1:0]  f_rec  = (wr_rec_en && wr_id == f_id && wr_slot == f_slot) ? wr_rec : f_rec_q;
wire [CONN_W-1:0] f_own  = (f_at_q && wr_conn_en) ? wr_conn : f_own_q;
initial f_run_q = 1'b0;
always @(posedge clk) begin
    f_run_q  <= 1'b1;
    f_conn_q <= f_conn;
    f_rec_q  <= f_rec;
    f_own_q  <= f_own;
    f_scan_q <= scan_en && f_at_id_q == f_id && scan_slot == f_slot;
    f_scan_rec_q <= f_rec_q;
    f_new2_q <= f_new_q;
    if (wr_conn_en) f_new_q <= 1'b0;
    if (leaves) begin
        f_in_q    <= 1'b0;
        f_at_q    <= m_needs;
        f_new_q   <= m_insert;
        f_new2_q  <= 1'b0;
        f_at_id_q <= m_id;
        if (m_needs) begin
            f_has_q    <= 1'b1;
            f_own_id_q <= m_id;
            if (!m_same) f_own_q <= m_conn;
        end
        if (m_insert && m_id == f_own_id_q) f_has_q <= 1'b0;
    end
    if (enters) begin
        f_in_q     <= 1'b1;
        f_needs_q  <= s_needs;
        f_insert_q <= s_insert;
        f_in_id_q  <= s_id;
        f_along_q  <= s_along;
    end
    if (rst) begin
        f_in_q   <= 1'b0;
        f_at_q   <= 1'b0;
        f_new_q  <= 1'b0;
        f_has_q  <= 1'b0;
        f_scan_q <= 1'b0;
    end
end

always @* begin
    if (!f_run_q) begin
        assume (rst);
        assume (f_conn_q == conns[f_id] && f_rec_q == recs[{f_id, f_slot}]);
    end
    if (wr_conn_en) assume ((f_at_q || f_new_q) && wr_id == f_at_id_q);
    if (wr_rec_en)  assume (f_at_q && wr_id == f_at_id_q);
    if (scan_en)    assume (f_at_q && wr_id == f_at_id_q);
    if (f_new_q && f_new2_q) assume (wr_conn_en);
    if (m_ready && f_new_q)  assume (wr_conn_en);
    assume (!(s_needs && s_insert));
end
wire [CONN_W-1:0] f_stored = conns[f_id];
wire [REC_W-1:0]  f_stored_rec = recs[{f_id, f_slot}];

always @* if (f_run_q) begin
    // what the frame gets
    if (leaves && m_needs && m_id == f_id) begin
        if (m_same) assert (f_has_q && f_own_id_q == f_id && f_own == f_conn);
        else begin
            assert (m_conn == f_conn);
            if (m_conn[SLOT_W-1:0] == f_slot) assert (m_rec == f_rec);
        end
    end
    if (f_scan_q) assert (scan_rec == f_scan_rec_q);
    // order
    if (m_valid) assert (f_in_q && m_needs == f_needs_q && m_insert == f_insert_q && m_id == f_in_id_q
                         && m_along == f_along_q);
    if (s_ready) assert (!f_in_q || leaves);
end

// ---- invariants ----
always @* if (f_run_q) begin
    // what is stored; who holds what
    assert (f_stored == f_conn_q && f_stored_rec == f_rec_q);
    assert (state_q <= ST_WRITE);
    assert (f_in_q == (state_q != ST_EMPTY && state_q != ST_WRITE));
    assert (!(f_at_q && f_new_q));
    if (f_in_q) begin
        assert (needs_q == f_needs_q && insert_q == f_insert_q && id_q == f_in_id_q
                && along_q == f_along_q && !(needs_q && insert_q));
        if (state_q != ST_FULL) assert (needs_q && !same_q);
    end
    // only the connection of the last frame that needed one can change
    if (f_has_q && f_own_id_q == f_id) assert (f_own_q == f_conn_q);
    if (f_at_q) assert (f_has_q && f_own_id_q == f_at_id_q);
    if (f_new_q && f_has_q) assert (f_own_id_q != f_at_id_q);
    if (f_new_q) assert (f_new2_q ? state_q == ST_EMPTY : state_q == ST_WRITE);
    if (f_in_q && needs_q) begin
        assert (held_q && held_id_q == id_q);
        if (same_q) assert (f_has_q && f_own_id_q == id_q);
        else assert (!(f_at_q && f_at_id_q == id_q));
    end else if (held_q && !(f_in_q && insert_q)) assert (f_has_q && held_id_q == f_own_id_q);
    if (!(f_in_q && needs_q) && !held_q && f_at_q) assert (f_in_q && insert_q);
    if (f_in_q && insert_q) assert (!held_q);
    // on its way
    if (state_q == ST_KEEP && id_q == f_id) assert (conn_read == f_conn_q);
    if ((state_q == ST_REC || (state_q == ST_FULL && needs_q && !same_q)) && id_q == f_id) begin
        assert (conn_q == f_conn_q);
        if (conn_q[SLOT_W-1:0] == f_slot) begin
            if (state_q == ST_REC) assert (rec_read == f_rec_q);
            else assert (rec_q == f_rec_q);
        end
    end
end
// ---- end of invariants ----
stream_rules #(.WORD_W(3 + ID_W + ALONG_W)) f_out (
    .clk(clk), .rst(rst), .valid(m_valid), .ready(m_ready),
    .word({m_needs, m_insert, m_same, m_id, m_along}));
