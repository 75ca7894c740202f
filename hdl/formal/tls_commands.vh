// tls_commands.vh - properties of tls_commands; tools/formal.py writes them into its end.
//
// Proved  rule 2 of m_rsp, m_entry and m_key; one answer for each command, after it was taken; a
//         key is installed only by an ADD that is answered with OK, and wiped only by a DEL; a
//         RESYNC_RX goes in line once, if it is answered with OK or STALE, and nothing else does.
// How     by induction, unbounded.
// Assumed a command keeps rule 2, and all of it but key and IV stays to its answer.
reg          f_run_q;                           // there was a reset
reg          f_held_q;                          // a command was offered, and is not answered
reg          f_taken_q;                         // it was taken
reg          f_keyed_q;                         // a key was installed or wiped
reg          f_lined_q;                         // a resync went in line
reg [24:0]   f_word_q;
wire [24:0]  f_word = {s_cmd_opcode, s_cmd_direction, s_cmd_version, s_cmd_id, s_cmd_cipher, 1'b0};
wire         f_done = m_rsp_valid && m_rsp_ready;
initial begin
    f_run_q  = 1'b0;
    f_held_q = 1'b0;
end
always @(posedge clk) begin
    f_run_q   <= 1'b1;
    f_held_q  <= (f_held_q || s_cmd_valid) && !f_done && !rst;
    f_taken_q <= (f_taken_q || (s_cmd_valid && s_cmd_ready)) && !f_done && !rst;
    f_keyed_q <= (f_keyed_q || (m_key_valid && m_key_ready)) && !f_done && !rst;
    f_lined_q <= (f_lined_q || (m_entry_valid && m_entry_ready && m_entry_op == OP_RESYNC))
              && !f_done && !rst;
    f_word_q  <= f_word;
end
always @* begin
    if (!f_run_q) assume (rst);
    if (f_held_q) assume (f_word == f_word_q);
    if (f_taken_q) assume (!s_cmd_valid);
end
always @* if (f_run_q) begin
    if (m_rsp_valid) assert (f_taken_q && f_keyed_q == (m_rsp_reason == REASON_OK && !is_resync));
    if (m_rsp_valid && is_resync)
        assert (f_lined_q == (m_rsp_reason == REASON_OK || m_rsp_reason == REASON_STALE));
    if (m_entry_valid && m_entry_op == OP_RESYNC) assert (is_resync && !f_lined_q);
    if (s_cmd_ready) assert (s_cmd_valid && !f_taken_q);
    if (m_key_valid) assert (!f_keyed_q && (is_add || is_del)
                             && (m_key_cipher == CIPHER_NONE) == is_del);
end
// ---- invariants ----
always @* if (f_run_q) begin
    if (!f_held_q) assert (!f_lined_q);
    if (f_lined_q) assert (state_q == ST_PLACED || state_q == ST_TAKE || state_q == ST_ANSWER);
    if (state_q == ST_PLACED) assert (f_lined_q);
    if (state_q == ST_RESYNC || state_q == ST_PLACED) assert (is_resync);
    if ((state_q == ST_TAKE || state_q == ST_ANSWER) && is_resync)
        assert (f_lined_q == (reason_q == REASON_OK || reason_q == REASON_STALE));
    assert (f_taken_q == (state_q == ST_ANSWER));
    assert (!f_taken_q || f_held_q);
    if (state_q != ST_IDLE) assert (f_held_q && s_cmd_valid == (state_q != ST_ANSWER));
    if (state_q >= ST_QUERY && state_q <= ST_ENTER) assert (is_add && good);
    if (state_q == ST_PAUSE) assert (is_del || is_resync);
    if (state_q >= ST_REMOVE && state_q <= ST_WIPED) assert (is_del);
    if (state_q < ST_TAKE || state_q > ST_ANSWER) assert (f_keyed_q == (state_q == ST_KEYED || state_q == ST_INSERT
                                                 || state_q == ST_ENTER || state_q == ST_WIPED));
    else assert (f_keyed_q == (reason_q == REASON_OK && !is_resync));
end
// ---- end of invariants ----
stream_rules #(.WORD_W(352), .ASSUME(1)) f_cmd (
    .clk(clk), .rst(rst), .valid(s_cmd_valid), .ready(s_cmd_ready), .word({s_cmd_key, s_cmd_iv}));
stream_rules #(.WORD_W(20)) f_rsp (
    .clk(clk), .rst(rst), .valid(m_rsp_valid), .ready(m_rsp_ready), .word({m_rsp_reason, m_rsp_id}));
stream_rules #(.WORD_W(3 + ID_W)) f_entry (
    .clk(clk), .rst(rst), .valid(m_entry_valid), .ready(m_entry_ready), .word({m_entry_op, m_entry_id}));
stream_rules #(.WORD_W(ID_W + 354)) f_key (
    .clk(clk), .rst(rst), .valid(m_key_valid), .ready(m_key_ready),
    .word({m_key_slot, m_key_cipher, m_key_key, m_key_iv}));
