// tls_tx_walk.v - takes frames along their records: which bytes are text and tag of which record.
//
// In    s_*      frames, contexts and commands in order, with what is known of them
//       new_*    what ADD and RESYNC_TX tell
//       hdr_*    16 bytes of the buffer from any byte, two clocks later
// Out   m_piece  runs of text for the lane
//       m_item   the same in order, with bytes of tags, and where each frame ends (tls_tx_items.vh)
//       m_end    with ITEM_FRAME: what becomes of the frame, if nothing but this is in its way
//       m_given  with ITEM_GIVEN: the tag
//       m_gap    bytes of a frame that stay as they are between its first and last byte of payload
//       inserted, resynced  a command was carried out, one clock
// Rules a piece, a given tag and a frame's end go out in the clock of their item: valid of each
//       waits for ready of both.
// How   a connection is what its next byte is: sequence and record number, its place in the record,
//       and the prefix as far as it went. It is read while a frame's header may be read, too, and
//       written when the frame has ended well. A frame that seeks has all this from a context.
// Error the frame has a reason, and the connection is as it was.
// Spec  docs/transmit.md, 2 and 3.  Model model/tx_walk.py.
//       A frame in 4 clocks, and of each record in it 3, or 2 without its start; one that seeks takes
//       1 more, or 3 to within a prefix. A context in 6.
`default_nettype none
module tls_tx_walk #(
    parameter ID_W    = 6,          // bits of a connection's id
    parameter ADDR_W  = 15,         // bits of a byte's address in the buffer
    parameter ALONG_W = 32          // bits that go along with a frame
) (
    input  wire              clk,
    input  wire              rst,
    input  wire              s_valid,
    output wire              s_ready,
    input  wire [2:0]        s_op,              // OP_*
    input  wire [ID_W-1:0]   s_id,
    input  wire [1:0]        s_kind,            // TX_KIND_*, of a frame
    input  wire [2:0]        s_reason,          // why it is dropped, if it is by now
    input  wire [ADDR_W-1:0] s_addr,            // of its payload; of a context
    input  wire [13:0]       s_offset,          // of the payload in the frame
    input  wire [13:0]       s_bytes,           // of payload
    input  wire [31:0]       s_seq,
    input  wire [ALONG_W-1:0] s_along,
    input  wire              new_version,
    input  wire [31:0]       new_seq,
    input  wire [63:0]       new_record,
    output wire [ADDR_W-1:0] hdr_addr,
    input  wire [127:0]      hdr_data,
    output wire              m_piece_valid,
    input  wire              m_piece_ready,
    output wire [ID_W-1:0]   m_piece_id,
    output wire [ADDR_W-1:0] m_piece_addr,
    output wire [13:0]       m_piece_bytes,
    output wire [14:0]       m_piece_place,     // in the text
    output wire              m_piece_version,
    output wire [1:0]        m_piece_type,
    output wire [63:0]       m_piece_number,
    output wire [63:0]       m_piece_nonce,
    output wire [14:0]       m_piece_len,       // of the text
    output wire              m_item_valid,
    input  wire              m_item_ready,
    output wire [2:0]        m_item_kind,
    output wire [ID_W-1:0]   m_item_id,
    output wire              m_item_first,      // TEXT: its record begins with it
    output wire              m_item_last,       // it ends with it
    output wire              m_item_apart,      // it counts for no sum
    output wire              m_item_some,       // it has bytes
    output wire [31:0]       m_item_seq,        // of its record
    output wire [ADDR_W-1:0] m_item_addr,       // TAG: where its first byte would be
    output wire [3:0]        m_item_from,       // bytes of it that are written
    output wire [4:0]        m_item_to,
    output wire              m_end_valid,
    input  wire              m_end_ready,
    output wire [1:0]        m_end_kind,
    output wire [2:0]        m_end_reason,
    output wire              m_end_keeps,       // its sums count for later frames
    output wire              m_end_crypts,      // it has payload
    output wire [13:0]       m_end_offset,
    output wire [13:0]       m_end_bytes,
    output wire [9:0]        m_end_gaps,
    output wire [ALONG_W-1:0] m_end_along,
    output wire              m_given_valid,
    input  wire              m_given_ready,
    output wire [127:0]      m_given_tag,
    output wire              m_gap_valid,
    input  wire              m_gap_ready,
    output wire [13:0]       m_gap_from,
    output wire [13:0]       m_gap_to,
    output wire              inserted,
    output wire              resynced
);
`include "tls_regs.vh"              // TX_KIND_*, TX_DROP_*, TLS_VERSION_*
`include "tls_record.vh"
`include "tls_ops.vh"
`include "tls_tx_items.vh"
localparam [2:0]
    ST_IDLE    = 3'd0,
    ST_LOAD    = 3'd1,                          // the connection is there
    ST_WALK    = 3'd2,                          // one of its runs of bytes a clock
    ST_END     = 3'd3,                          // the frame has ended
    ST_SEEK    = 3'd4,                          // where the context says: can that be
    ST_CONTEXT = 3'd5,                          // a context is being read
    ST_REMOVE  = 3'd6;

reg  [2:0]         state_q;
// the frame
reg  [2:0]         op_q;
reg  [ID_W-1:0]    id_q;
reg  [1:0]         kind_q;
reg  [2:0]         reason_q;
reg  [31:0]        seq_q;                       // of its next byte
reg  [ADDR_W-1:0]  pos_q;                       // its place in the buffer
reg  [13:0]        off_q, left_q;               // and in the frame; bytes that are left
reg  [13:0]        offset_q, bytes_q;           // of the payload
reg  [9:0]         gaps_q;
reg  [ALONG_W-1:0] along_q;
reg                seeks_q;
reg                known_q;                     // the record at hand is that of the context
reg                apart_q;                     // the record at hand began before what is known of it
// the connection
localparam CONN_W = 1 + 32 + 64 + 15 + 104;     // version, next, number, at, prefix
localparam [118:0] START = 119'd0;              // of a record: at and prefix
reg                version_q;
reg  [63:0]        number_q;
reg  [14:0]        at_q, total_q;               // bytes of the record that went before; of the record
reg  [103:0]       prefix_q;
reg                fresh_q;                     // the text begins now
reg  [1:0]         age_q;                       // clocks since hdr_addr is what it is; 2 is enough
reg  [CONN_W-1:0]  conns [0:(1<<ID_W)-1];
reg  [CONN_W-1:0]  conn_q;
wire               c_version;
wire [31:0]        c_next;
wire [63:0]        c_number;
wire [14:0]        c_at;
wire [103:0]       c_prefix;
assign {c_version, c_next, c_number, c_at, c_prefix} = conn_q;
wire [14:0]        c_total = {c_prefix[30:24], c_prefix[39:32]} + 15'd5;
// the context for the next frame
reg                seek_q, has_tag_q;
reg  [ID_W-1:0]    seek_id_q;
reg  [31:0]        seek_seq_q;
reg  [63:0]        seek_number_q;
reg  [103:0]       seek_prefix_q;
reg  [127:0]       given_q;
reg  [1:0]         word_q;                      // of the context

function [3:0] prefix_of(input version);        // bytes of the prefix
    prefix_of = (version == TLS_VERSION_TLS_1_3) ? 4'd5 : 4'd13;
endfunction
function [14:0] least(input [13:0] one, input [14:0] other);
    least = ({1'b0, one} < other) ? {1'b0, one} : other;
endfunction

// ---- the next run of bytes ----
wire [3:0]   prefix_len = prefix_of(version_q);
wire [14:0]  text_end   = total_q - 15'd16;
wire         no_text    = (text_end == {11'd0, prefix_len});
wire         in_prefix  = (at_q < {11'd0, prefix_len});
wire         in_text    = !in_prefix && at_q < text_end;
wire         is_empty   = fresh_q && no_text;   // its piece is due, even if the frame has ended
wire [14:0]  run_end    = in_prefix ? {11'd0, prefix_len} : in_text ? text_end : total_q;
wire [14:0]  run        = is_empty ? 15'd0 : least(left_q, run_end - at_q);
wire [14:0]  reached    = at_q + run;
wire         done       = (left_q == 14'd0) && !is_empty;
wire         walks      = (state_q == ST_WALK) && !done;
wire         is_piece   = walks && (in_text || is_empty);
wire         is_prefix  = walks && in_prefix && age_q == 2'd2;
wire         is_tag     = walks && !in_prefix && !in_text && !is_empty;
wire         goes       = is_prefix ? m_gap_ready : is_piece ? m_piece_ready && m_item_ready
                        : is_tag && m_item_ready;

// the prefix, when this run of it has come to it
wire [103:0] from_here = hdr_data[103:0] << {at_q[3:0], 3'd0};
reg  [103:0] joined;
integer j;
always @* for (j = 0; j < 13; j = j + 1)
    joined[8*j +: 8] = ({17'd0, at_q} > j) ? prefix_q[8*j +: 8] : from_here[8*j +: 8];
// the context knows the prefix already: it is this one
reg          differs;
always @* begin
    differs = 1'b0;
    for (j = 0; j < 13; j = j + 1)
        if ({17'd0, reached} > j && joined[8*j +: 8] != prefix_q[8*j +: 8]) differs = known_q;
end
wire         bad_head  = differs || (at_q < 15'd5 && reached >= 15'd5 && !is_header(joined[39:0], version_q));

// ---- where a frame seeks to ----
wire [31:0]  seek_at    = seq_q - seek_seq_q;
wire [14:0]  seek_total = {seek_prefix_q[30:24], seek_prefix_q[39:32]} + 15'd5;
wire         seek_bad   = !is_header(seek_prefix_q[39:0], version_q);
wire         seek_far   = (seek_at >= {17'd0, total_q});
wire         seek_apart = (seek_at > {28'd0, prefix_len});
wire         seek_tag   = seek_apart && {1'b0, seek_at[14:0]} + {2'd0, left_q} > {1'b0, text_end};
wire         seek_fails = seek_bad || seek_far || (seek_tag && !has_tag_q);

wire         same_seek = seek_q && seek_id_q == id_q;
wire         is_load   = (state_q == ST_LOAD) && op_q == OP_FRAME;
wire         walked    = is_load && reason_q == TX_DROP_NONE && bytes_q != 14'd0
                      && (kind_q == TX_KIND_ENCRYPT || kind_q == TX_KIND_FEED);
wire         told      = (state_q == ST_LOAD) && (op_q == OP_INSERT || op_q == OP_RESYNC);
wire         ended     = (state_q == ST_END) && m_item_ready && m_end_ready;
wire         keeps     = (reason_q == TX_DROP_NONE) && !seeks_q
                      && (kind_q == TX_KIND_ENCRYPT || kind_q == TX_KIND_FEED) && bytes_q != 14'd0;
wire [31:0]  ctx_seq;
wire [63:0]  ctx_number;
wire         ctx_seeks, ctx_has_tag;            // docs/transmit.md, 1
assign {ctx_has_tag, ctx_seeks, ctx_number, ctx_seq} = hdr_data[97:0];
wire         context_told = (state_q == ST_CONTEXT) && word_q == 2'd0;

assign s_ready = (state_q == ST_IDLE);
always @(posedge clk) begin
    fresh_q <= 1'b0;
    if (age_q != 2'd2) age_q <= age_q + 2'd1;
    case (state_q)
        ST_IDLE: if (s_valid) begin
            op_q     <= s_op;
            id_q     <= s_id;
            kind_q   <= s_kind;
            reason_q <= s_reason;
            seq_q    <= s_seq;
            pos_q    <= s_addr;
            off_q    <= s_offset;
            left_q   <= s_bytes;
            offset_q <= s_offset;
            bytes_q  <= s_bytes;
            gaps_q   <= 10'd0;
            along_q  <= s_along;
            seeks_q  <= 1'b0;
            apart_q  <= 1'b0;
            known_q  <= 1'b0;
            word_q   <= 2'd0;
            if (s_op == OP_REMOVE && s_id == seek_id_q) seek_q <= 1'b0;
            state_q  <= (s_op == OP_REMOVE) ? ST_REMOVE : ST_LOAD;
        end
        ST_LOAD: begin
            version_q <= c_version;
            number_q  <= c_number;
            at_q      <= c_at;
            total_q   <= c_total;
            prefix_q  <= c_prefix;
            age_q     <= (c_at < {11'd0, prefix_of(c_version)}) ? 2'd2 : 2'd0;
            state_q   <= (op_q != OP_FRAME) ? ST_IDLE : ST_END;
            if (is_load) seek_q <= 1'b0;
            if (is_load && kind_q == TX_KIND_CONTEXT && reason_q == TX_DROP_NONE) state_q <= ST_CONTEXT;
            if (walked && same_seek) begin
                seeks_q  <= 1'b1;
                number_q <= seek_number_q;
                prefix_q <= seek_prefix_q;
                total_q  <= seek_total;
                state_q  <= ST_SEEK;
            end else if (walked) begin
                if (seq_q == c_next) state_q <= ST_WALK;
                else reason_q <= TX_DROP_OUT_OF_ORDER;
            end
        end
        ST_SEEK: begin
            at_q    <= seek_at[14:0];
            fresh_q <= (seek_at == {28'd0, prefix_len});
            apart_q <= seek_apart;
            known_q <= 1'b1;
            age_q   <= 2'd0;
            if (seek_fails) reason_q <= seek_bad ? TX_DROP_BAD_RECORD
                                      : seek_far ? TX_DROP_OUT_OF_ORDER : TX_DROP_NO_TAG;
            if (seek_fails) state_q <= ST_END;
            else if (!seek_tag || (m_item_ready && m_given_ready)) state_q <= ST_WALK;
        end
        ST_WALK: begin
            if (goes) begin
                seq_q  <= seq_q + {17'd0, run};
                pos_q  <= pos_q + {{ADDR_W-15{1'b0}}, run};
                off_q  <= off_q + run[13:0];
                left_q <= left_q - run[13:0];
                at_q   <= reached;
            end
            if (is_prefix && goes) begin
                prefix_q <= joined;
                total_q  <= {joined[30:24], joined[39:32]} + 15'd5;
                fresh_q  <= (reached == {11'd0, prefix_len});
                age_q    <= 2'd0;
                gaps_q   <= gaps_q + 10'd1;
                if (bad_head) begin
                    reason_q <= TX_DROP_BAD_RECORD;
                    state_q  <= ST_END;
                end
            end
            if (is_empty && !goes) fresh_q <= 1'b1;
            if (is_tag && goes && reached == total_q) begin
                at_q     <= 15'd0;
                number_q <= number_q + 64'd1;
                apart_q  <= 1'b0;
                known_q  <= 1'b0;
            end
            if (done) state_q <= ST_END;
        end
        ST_CONTEXT: begin
            word_q <= word_q + 2'd1;
            case (word_q)
                2'd0: begin
                    seek_seq_q    <= ctx_seq;
                    seek_number_q <= ctx_number;
                    seek_q        <= ctx_seeks;
                    has_tag_q     <= ctx_has_tag;
                    seek_id_q     <= id_q;
                end
                2'd1: seek_prefix_q <= hdr_data[103:0];
                default: begin
                    given_q <= hdr_data;
                    state_q <= ST_END;
                end
            endcase
        end
        ST_REMOVE: if (m_item_ready) state_q <= ST_IDLE;
        default: if (ended) state_q <= ST_IDLE;             // ST_END
    endcase
    if (rst) begin
        state_q <= ST_IDLE;
        seek_q  <= 1'b0;
    end
end

always @(posedge clk) begin
    conn_q <= conns[s_id];
    if (told) conns[id_q] <= {(op_q == OP_INSERT) ? new_version : c_version, new_seq, new_record, START};
    else if (context_told && !ctx_seeks) conns[id_q] <= {version_q, ctx_seq, ctx_number, START};
    else if (ended && keeps) conns[id_q] <= {version_q, seq_q, number_q, at_q, prefix_q};
end

wire [1:0]   ctx_word = (state_q == ST_LOAD) ? 2'd1 : word_q + 2'd2;
// In IDLE and LOAD the payload's first bytes are asked for, then the rest of the prefix or the next
// header, whichever comes; of a context its words one after the other.
assign hdr_addr = (state_q == ST_IDLE) ? s_addr
                : (kind_q == TX_KIND_CONTEXT) ? pos_q + {{ADDR_W-6{1'b0}}, ctx_word, 4'd0}
                : (state_q == ST_LOAD || in_prefix) ? pos_q
                : pos_q + {{ADDR_W-15{1'b0}}, total_q} - {{ADDR_W-15{1'b0}}, at_q};

assign m_piece_valid   = is_piece && m_item_ready;
assign m_piece_id      = id_q;
assign m_piece_addr    = pos_q;
assign m_piece_bytes   = run[13:0];
assign m_piece_place   = at_q - {11'd0, prefix_len};
assign m_piece_version = version_q;
assign m_piece_type    = prefix_q[1:0];
assign m_piece_number  = number_q;
assign m_piece_nonce   = (version_q == TLS_VERSION_TLS_1_3) ? number_q
                       : {prefix_q[47:40], prefix_q[55:48], prefix_q[63:56], prefix_q[71:64],
                          prefix_q[79:72], prefix_q[87:80], prefix_q[95:88], prefix_q[103:96]};
assign m_piece_len     = text_end - {11'd0, prefix_len};

wire         gives    = (state_q == ST_SEEK) && seek_tag && !seek_fails;
wire [4:0]   tag_from = at_q[4:0] - text_end[4:0];
assign m_item_valid = (is_piece && m_piece_ready) || is_tag || (gives && m_given_ready)
                   || (state_q == ST_END && m_end_ready) || state_q == ST_REMOVE;
assign m_item_kind  = is_piece ? ITEM_TEXT : is_tag ? ITEM_TAG : gives ? ITEM_GIVEN
                    : (state_q == ST_REMOVE) ? ITEM_REMOVED : ITEM_FRAME;
assign m_item_id    = id_q;
assign m_item_first = (at_q == {11'd0, prefix_len});
assign m_item_last  = (reached == text_end);
assign m_item_apart = apart_q;
assign m_item_some  = (run != 15'd0);
assign m_item_seq   = seq_q - {17'd0, at_q};
assign m_item_addr  = pos_q - {{ADDR_W-5{1'b0}}, tag_from};
assign m_item_from  = tag_from[3:0];
assign m_item_to    = tag_from + run[4:0];

assign m_end_valid  = (state_q == ST_END) && m_item_ready;
assign m_end_kind   = kind_q;
assign m_end_reason = reason_q;
assign m_end_keeps  = keeps;
assign m_end_crypts = (bytes_q != 14'd0);
assign m_end_offset = offset_q;
assign m_end_bytes  = bytes_q;
assign m_end_gaps   = gaps_q;
assign m_end_along  = along_q;

assign m_given_valid = gives && m_item_ready;
assign m_given_tag   = given_q;
assign m_gap_valid   = is_prefix;
assign m_gap_from    = off_q;
assign m_gap_to      = off_q + run[13:0];
assign inserted      = told && op_q == OP_INSERT;
assign resynced      = told && op_q == OP_RESYNC;
endmodule
`default_nettype wire
