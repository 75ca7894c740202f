// tls_rx_context.v - what is known of each connection, and of its open records.
//
// In    s_*      frames and commands in order; `needs` says that a frame is one to be walked
//       wr_*     the walker's results: a connection, with the clock in which it takes the next
//                frame at the latest, of a new one in the clock after it came; a record of it
//       scan_*   the walker looks for another record of the connection it is at
// Out   m_*      the same frames; with one that needs it its connection and youngest open record,
//                or `same`: it is the connection of the frame before it that needed one, and what the
//                walker has is newer than what is stored
// How   the next frame's are fetched while the walker is at one. Only that one's can change
//       meanwhile, and then `same` says so: no read waits for a write.
// Spec  docs/receive.md, 2.  Model: model/rx_walk.py keeps these in objects.
//       A frame every 4 clocks.
`default_nettype none
module tls_rx_context #(
    parameter ID_W    = 6,          // bits of a connection's id
    parameter SLOT_W  = 3,          // bits of a record's place in the window
    parameter CONN_W  = 64,         // bits kept of a connection; the lowest are the youngest's place
    parameter REC_W   = 64,         // bits kept of a record
    parameter ALONG_W = 64
) (
    input  wire                   clk,
    input  wire                   rst,
    input  wire                   s_valid,
    output wire                   s_ready,
    input  wire                   s_needs,
    input  wire                   s_insert,     // a connection is new
    input  wire [ID_W-1:0]        s_id,
    input  wire [ALONG_W-1:0]     s_along,
    output wire                   m_valid,
    input  wire                   m_ready,
    output wire                   m_needs,
    output wire                   m_insert,
    output wire                   m_same,
    output wire [ID_W-1:0]        m_id,
    output wire [ALONG_W-1:0]     m_along,
    output wire [CONN_W-1:0]      m_conn,
    output wire [REC_W-1:0]       m_rec,
    // results
    input  wire                   wr_conn_en,
    input  wire [ID_W-1:0]        wr_id,
    input  wire [CONN_W-1:0]      wr_conn,
    input  wire                   wr_rec_en,
    input  wire [SLOT_W-1:0]      wr_slot,
    input  wire [REC_W-1:0]       wr_rec,
    // a record of wr_id, in the clocks after that of scan_en
    input  wire                   scan_en,
    input  wire [SLOT_W-1:0]      scan_slot,
    output wire [REC_W-1:0]       scan_rec
);
localparam [2:0]
    ST_EMPTY = 3'd0,
    ST_CONN  = 3'd1,                            // the connection is being read
    ST_KEEP  = 3'd2,                            // it is there, its youngest record is being read
    ST_REC   = 3'd3,                            // that is there
    ST_FULL  = 3'd4,                            // all is there
    ST_WRITE = 3'd5;                            // a new connection is being written

reg  [2:0]         state_q;
reg                needs_q, insert_q, same_q;
reg  [ID_W-1:0]    id_q;
reg  [ALONG_W-1:0] along_q;
reg                held_q;                      // the walker has held_id_q's connection
reg  [ID_W-1:0]    held_id_q;

reg  [CONN_W-1:0]  conns [0:(1<<ID_W)-1];
reg  [REC_W-1:0]   recs  [0:(1<<(ID_W+SLOT_W))-1];
reg  [CONN_W-1:0]  conn_read, conn_q;
reg  [REC_W-1:0]   rec_read, rec_q;

wire leaves = m_valid && m_ready;
wire enters = s_valid && s_ready;
assign s_ready = (state_q == ST_EMPTY) || (leaves && !insert_q);

always @(posedge clk) begin
    case (state_q)
        ST_CONN: state_q <= ST_KEEP;
        ST_KEEP: if (!scan_en) state_q <= ST_REC;
        ST_REC:  state_q <= ST_FULL;
        ST_WRITE: state_q <= ST_EMPTY;
        default: if (leaves) state_q <= insert_q ? ST_WRITE : ST_EMPTY;
    endcase
    if (enters) begin
        needs_q  <= s_needs;
        insert_q <= s_insert;
        same_q   <= held_q && held_id_q == s_id;
        id_q     <= s_id;
        along_q  <= s_along;
        state_q  <= (s_needs && !(held_q && held_id_q == s_id)) ? ST_CONN : ST_FULL;
    end
    if (enters && (s_needs || s_insert)) begin
        held_q    <= s_needs;
        held_id_q <= s_id;
    end
    if (rst) begin
        state_q <= ST_EMPTY;
        held_q  <= 1'b0;
    end
end

always @(posedge clk) begin
    if (wr_conn_en) conns[wr_id] <= wr_conn;
    if (wr_rec_en) recs[{wr_id, wr_slot}] <= wr_rec;
    conn_read <= conns[id_q];
    if (state_q == ST_KEEP) conn_q <= conn_read;
    rec_read <= recs[scan_en ? {wr_id, scan_slot} : {id_q, conn_read[SLOT_W-1:0]}];
    if (state_q == ST_REC) rec_q <= rec_read;
end

assign m_valid  = (state_q == ST_FULL);
assign m_needs  = needs_q;
assign m_insert = insert_q;
assign m_same   = same_q;
assign m_id     = id_q;
assign m_along  = along_q;
assign m_conn   = conn_q;
assign m_rec    = rec_q;
assign scan_rec = rec_read;
endmodule
`default_nettype wire
