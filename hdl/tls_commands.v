// tls_commands.v - carries out the commands of one direction, one at a time.
//
// In    s_cmd    a command of the mailbox; its fields stay as they are until the answer, but for key
//                and IV, which are gone when it is taken
// Out   m_rsp    the answer
//       m_entry  goes in line with the frames, so that a command takes effect between two of them
//       m_key    installs or wipes a key in the lane;  s_key  that was done
// How   ADD: ask the table (OP_QUERY), install the key, then enter the connection (OP_INSERT).
//       DEL: take it out (OP_REMOVE), wait until its last frame is out of the lane, wipe the key.
//       RESYNC_*: in line; the walk says what became of it. Frames go on meanwhile.
// Error a reason of the register map, and nothing has changed.
// Spec  docs/receive.md, 6; docs/transmit.md, 7.  Model model/rx.py, model/tx.py.
`default_nettype none
module tls_commands #(
    parameter CONNS     = 64,
    parameter DIRECTION = 0         // of the map
) (
    input  wire                     clk,
    input  wire                     rst,
    input  wire                     s_cmd_valid,
    output wire                     s_cmd_ready,
    input  wire [3:0]               s_cmd_opcode,
    input  wire                     s_cmd_version,
    input  wire [1:0]               s_cmd_cipher,
    input  wire [15:0]              s_cmd_id,
    input  wire [255:0]             s_cmd_key,
    input  wire [95:0]              s_cmd_iv,
    output wire                     m_rsp_valid,
    input  wire                     m_rsp_ready,
    output wire [3:0]               m_rsp_reason,
    output wire [15:0]              m_rsp_id,
    // in line with the frames
    output wire                     m_entry_valid,
    input  wire                     m_entry_ready,
    output wire [2:0]               m_entry_op,
    output wire [$clog2(CONNS)-1:0] m_entry_id,
    input  wire [CONNS-1:0]         used,
    input  wire                     answered,   // OP_QUERY: one clock
    input  wire                     found,
    input  wire                     collides,
    input  wire                     inserted,
    input  wire                     removed,
    input  wire                     resynced,
    input  wire                     stale,
    // lane
    output wire                     m_key_valid,
    input  wire                     m_key_ready,
    output wire [$clog2(CONNS)-1:0] m_key_slot,
    output wire [1:0]               m_key_cipher,
    output wire [255:0]             m_key_key,
    output wire [95:0]              m_key_iv,
    input  wire                     s_key_valid
);
`include "tls_regs.vh"              // OPCODE_*, REASON_*, DIRECTION_*, CIPHER_*
`include "tls_ops.vh"
localparam ID_W = $clog2(CONNS);
localparam [3:0]
    ST_IDLE   = 4'd0,
    ST_QUERY  = 4'd1,                           // ADD: the question is in line
    ST_ASKED  = 4'd2,                           // its answer is not there yet
    ST_KEY    = 4'd3,                           // the key goes to the lane
    ST_KEYED  = 4'd4,                           // it is being installed
    ST_INSERT = 4'd5,                           // the connection is in line
    ST_ENTER  = 4'd6,                           // the walk does not know it yet
    ST_PAUSE  = 4'd7,                           // DEL, RESYNC: frames that came in are on their way into line
    ST_REMOVE = 4'd8,                           // its end is in line
    ST_DRAIN  = 4'd9,                           // frames of it are in the lane
    ST_WIPE   = 4'd10,                          // the key is to be wiped
    ST_WIPED  = 4'd11,                          // it is being wiped
    ST_TAKE   = 4'd12,                          // done with the mailbox
    ST_ANSWER = 4'd13,
    ST_RESYNC = 4'd14,                          // RESYNC is in line
    ST_PLACED = 4'd15;                          // the walk has not come to it yet
localparam [3:0] PAUSE = 4'd8;                  // clocks from a frame's last word to its place in line

reg  [3:0]      state_q;
reg  [3:0]      pause_q;
reg  [3:0]      reason_q;
reg  [ID_W-1:0] id_q;
reg             known_q;                        // the answer has an id

reg  [ID_W-1:0] free_id;
integer i;
always @* begin
    free_id = {ID_W{1'b0}};
    for (i = CONNS - 1; i >= 0; i = i - 1) if (!used[i]) free_id = i[ID_W-1:0];
end
wire is_add = (s_cmd_opcode == OPCODE_ADD);
wire is_del = (s_cmd_opcode == OPCODE_DEL);
localparam [3:0] OTHERS = (DIRECTION == DIRECTION_RX) ? OPCODE_RESYNC_TX : OPCODE_RESYNC_RX;
wire is_others = (s_cmd_opcode == OTHERS);      // there is no such connection in this direction
wire is_resync = (s_cmd_opcode == OPCODE_RESYNC_RX) || (s_cmd_opcode == OPCODE_RESYNC_TX);
wire good   = (s_cmd_cipher == CIPHER_AES_128_GCM || s_cmd_cipher == CIPHER_AES_256_GCM);
wire there  = !is_others && {16'd0, s_cmd_id} < CONNS && used[s_cmd_id[ID_W-1:0]];

always @(posedge clk) begin
    case (state_q)
        ST_IDLE: if (s_cmd_valid) begin
            known_q <= 1'b0;
            pause_q <= PAUSE;
            id_q    <= s_cmd_id[ID_W-1:0];
            if (is_add && good) state_q <= ST_QUERY;
            else if ((is_del || is_resync) && there) state_q <= ST_PAUSE;
            else begin
                reason_q <= (is_del || is_resync) ? REASON_NO_CONNECTION : REASON_BAD_ARGUMENT;
                state_q  <= ST_TAKE;
            end
        end
        ST_QUERY: if (m_entry_ready) state_q <= ST_ASKED;
        ST_ASKED: if (answered) begin
            id_q     <= free_id;
            reason_q <= found ? REASON_EXISTS : REASON_NO_SPACE;
            state_q  <= (found || collides || used == {CONNS{1'b1}}) ? ST_TAKE : ST_KEY;
        end
        ST_KEY:    if (m_key_ready) state_q <= ST_KEYED;
        ST_KEYED:  if (s_key_valid) state_q <= ST_INSERT;
        ST_INSERT: if (m_entry_ready) state_q <= ST_ENTER;
        ST_ENTER:  if (inserted) begin
            reason_q <= REASON_OK;
            known_q  <= 1'b1;
            state_q  <= ST_TAKE;
        end
        ST_PAUSE: begin
            pause_q <= pause_q - 4'd1;
            if (pause_q == 4'd0) state_q <= is_resync ? ST_RESYNC : ST_REMOVE;
        end
        ST_REMOVE: if (m_entry_ready) state_q <= ST_DRAIN;
        ST_DRAIN:  if (removed) state_q <= ST_WIPE;
        ST_WIPE:   if (m_key_ready) state_q <= ST_WIPED;
        ST_WIPED:  if (s_key_valid) begin
            reason_q <= REASON_OK;
            state_q  <= ST_TAKE;
        end
        ST_RESYNC: if (m_entry_ready) state_q <= ST_PLACED;
        ST_PLACED: if (resynced) begin
            reason_q <= stale ? REASON_STALE : REASON_OK;
            state_q  <= ST_TAKE;
        end
        ST_TAKE:   state_q <= ST_ANSWER;
        default: if (m_rsp_ready) state_q <= ST_IDLE;       // ST_ANSWER
    endcase
    if (rst) state_q <= ST_IDLE;
end

assign s_cmd_ready   = (state_q == ST_TAKE);
assign m_rsp_valid   = (state_q == ST_ANSWER);
assign m_rsp_reason  = reason_q;
assign m_rsp_id      = known_q ? {{16-ID_W{1'b0}}, id_q} : is_add ? 16'd0 : s_cmd_id;
assign m_entry_valid = (state_q == ST_QUERY) || (state_q == ST_INSERT) || (state_q == ST_REMOVE)
                    || (state_q == ST_RESYNC);
assign m_entry_op    = (state_q == ST_QUERY) ? OP_QUERY : (state_q == ST_INSERT) ? OP_INSERT
                    : (state_q == ST_RESYNC) ? OP_RESYNC : OP_REMOVE;
assign m_entry_id    = id_q;
assign m_key_valid   = (state_q == ST_KEY) || (state_q == ST_WIPE);
assign m_key_slot    = id_q;
assign m_key_cipher  = (state_q == ST_WIPE) ? CIPHER_NONE : s_cmd_cipher;
assign m_key_key     = s_cmd_key;
// the salt alone in TLS 1.2: the lane XORs the explicit nonce to the rest
assign m_key_iv      = (s_cmd_version == TLS_VERSION_TLS_1_2) ? {64'd0, s_cmd_iv[31:0]} : s_cmd_iv;
endmodule
`default_nettype wire
