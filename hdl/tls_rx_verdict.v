// tls_rx_verdict.v - adds the sums of a record's pieces and says which frames are decrypted.
//
// In    s_item   pieces and ends of frames in the order of the walk (tls_rx_state.vh)
//       s_sum    the lane's sums, in any order; s_tag the pieces of tags, in order
//       text_done  the text of one more part is in place
// Out   m_frame  a frame whose fate is known, in order
//       returned a part's sum was used;  removed  all pieces of the removed connection were;
//       bad_tag  a complete record had a wrong tag;  guess_* whether a guess was right
// How   a record's tag is the XOR of the sums of its parts, so with the tag that came the XOR is
//       zero. It is kept for each place in each window. Pieces are taken in the order of the walk,
//       so a place has one record at a time.
// Spec  docs/receive.md, 2; docs/interfaces.md, Sums.  Model model/rx.py.
//       3 clocks a piece, 1 a frame.
`default_nettype none
module tls_rx_verdict #(
    parameter ID_W   = 6,           // bits of a connection's id
    parameter WINDOW = 8,           // open records of a connection
    parameter PART_W = 6            // bits of a part's number
) (
    input  wire                      clk,
    input  wire                      rst,
    input  wire                      s_item_valid,
    output wire                      s_item_ready,
    input  wire [2:0]                s_item_kind,
    input  wire [ID_W-1:0]           s_item_id,
    input  wire [$clog2(WINDOW)-1:0] s_item_slot,
    input  wire                      s_item_first,
    input  wire                      s_item_last,
    input  wire                      s_item_some,
    input  wire                      s_item_found,
    input  wire                      s_item_csum_good,
    input  wire [3:0]                s_item_reason,
    input  wire [13:0]               s_item_bytes,
    input  wire [9:0]                s_item_ranges,
    input  wire [9:0]                s_item_words,
    input  wire                      s_item_asks,
    input  wire [31:0]               s_item_ask_seq,
    input  wire                      s_sum_valid,
    output wire                      s_sum_ready,
    input  wire [127:0]              s_sum_data,
    input  wire [PART_W-1:0]         s_sum_id,
    input  wire                      s_sum_error,
    input  wire                      s_tag_valid,
    output wire                      s_tag_ready,
    input  wire [127:0]              s_tag_data,
    input  wire                      text_done,
    output wire                      returned,
    output wire                      removed,
    output wire                      bad_tag,
    output wire                      guess_valid,
    output wire                      guess_right,
    output wire                      m_frame_valid,
    input  wire                      m_frame_ready,
    output wire [ID_W-1:0]           m_frame_id,
    output wire                      m_frame_found,
    output wire                      m_frame_csum_good,
    output wire [3:0]                m_frame_reason,
    output wire [13:0]               m_frame_bytes,
    output wire [9:0]                m_frame_ranges,
    output wire [9:0]                m_frame_words,
    output wire                      m_frame_asks,
    output wire [31:0]               m_frame_ask_seq
);
`include "tls_regs.vh"              // RX_PASS_*
`include "tls_rx_state.vh"
localparam [1:0]
    ST_WAIT = 2'd0,                             // for the piece's sum
    ST_READ = 2'd1,                             // sums are there
    ST_ADD  = 2'd2;                             // so is their XOR

reg  [1:0]               state_q;
reg  [PART_W-1:0]        id_q;                  // of the next part
reg  [(1<<PART_W)-1:0]   there_q;               // parts whose sums are there
reg  [PART_W:0]          texts_q;               // parts whose text is, and whose sum was not used
reg  [128:0]             sum_q, acc_q;          // the highest bit: no key, or a bad part
reg                      bad_q;                 // the frame completed a record with a wrong tag
reg  [128:0]             total_q;

reg  [128:0]             sums [0:(1<<PART_W)-1];
reg  [128:0]             accs [0:(1<<(ID_W+SLOT_W))-1];

wire is_guess = (s_item_kind == ITEM_GUESS);
wire is_text  = (s_item_kind == ITEM_TEXT) || is_guess;
wire is_piece = is_text || (s_item_kind == ITEM_TAG);
wire ready    = s_item_valid && is_piece &&
                (is_text ? there_q[id_q] && (!s_item_some || texts_q != {PART_W+1{1'b0}}) : s_tag_valid);
wire add      = (state_q == ST_ADD);
wire frame    = s_item_valid && (s_item_kind == ITEM_FRAME);

assign s_sum_ready   = 1'b1;
assign s_tag_ready   = (state_q == ST_WAIT) && ready && !is_text;
assign s_item_ready  = add || (s_item_valid && !is_piece && (!frame || m_frame_ready));
assign returned      = add && is_text;
assign removed       = s_item_valid && (s_item_kind == ITEM_REMOVED);
assign bad_tag       = add && s_item_last && total_q != 129'd0;
assign guess_valid   = add && is_guess;
assign guess_right   = (total_q == 129'd0);

wire [127:0] total = (s_item_first ? 128'd0 : acc_q[127:0]) ^ sum_q[127:0];
always @(posedge clk) begin
    if (s_sum_valid) begin
        sums[s_sum_id]    <= {s_sum_error, s_sum_data};
        there_q[s_sum_id] <= 1'b1;
    end
    texts_q <= texts_q + {{PART_W{1'b0}}, text_done}
             - {{PART_W{1'b0}}, (returned && s_item_some)};
    acc_q   <= accs[{s_item_id, s_item_slot}];
    if (add && !is_guess) accs[{s_item_id, s_item_slot}] <= total_q;
    case (state_q)
        ST_WAIT: if (ready) begin
            sum_q   <= is_text ? sums[id_q] : {1'b0, s_tag_data};
            state_q <= ST_READ;
        end
        ST_READ: begin
            // an error stays: its bit is ORed
            total_q <= {(!s_item_first && acc_q[128]) || sum_q[128], total};
            state_q <= ST_ADD;
        end
        default: begin
            if (is_text) begin
                there_q[id_q] <= 1'b0;
                id_q <= id_q + {{PART_W-1{1'b0}}, 1'b1};
            end
            if (bad_tag) bad_q <= 1'b1;
            state_q <= ST_WAIT;
        end
    endcase
    if (frame && m_frame_ready) bad_q <= 1'b0;
    if (rst) begin
        state_q <= ST_WAIT;
        id_q    <= {PART_W{1'b0}};
        there_q <= {(1<<PART_W){1'b0}};
        texts_q <= {PART_W+1{1'b0}};
        bad_q   <= 1'b0;
    end
end

assign m_frame_valid     = frame;
assign m_frame_id        = s_item_id;
assign m_frame_found     = s_item_found;
assign m_frame_csum_good = s_item_csum_good;
assign m_frame_reason    = (s_item_reason != RX_PASS_NONE) ? s_item_reason
                         : bad_q ? RX_PASS_BAD_TAG : RX_PASS_NONE;
assign m_frame_bytes     = s_item_bytes;
assign m_frame_ranges    = s_item_ranges;
assign m_frame_words     = s_item_words;
assign m_frame_asks      = s_item_asks;
assign m_frame_ask_seq   = s_item_ask_seq;
endmodule
`default_nettype wire
