// tls_tx_tags.v - makes tags of the sums of records' pieces, writes them, and lets frames go.
//
// In    s_item   pieces, bytes of tags and ends of frames in the order of the walk (tls_tx_items.vh)
//       s_given  a tag that the host gave; s_end what becomes of a frame
//       s_sum    the lane's sums, in any order
//       text_done  the text of one more part is in place
// Out   m_tag    bytes of a tag for their place in the frame
//       m_frame  a frame that can leave, or be skipped, in order
//       m_axis   completions: tags, and each frame's own
//       returned a part's sum was used;  removed  all frames of the removed connection went
// How   the sum of the record at hand is taken from memory with the first item of a frame that needs
//       it, and put back with the end of a frame that counts.
// Spec  docs/transmit.md, 3 and 4.  Model model/tx.py.
//       A clock a frame, 2 more for its record's sum, and 3 more if a tag is the last thing in it; 2 a
//       piece, 1 a tag and 1 to tell it.
`default_nettype none
module tls_tx_tags #(
    parameter ID_W    = 6,          // bits of a connection's id
    parameter PART_W  = 6,          // bits of a part's number
    parameter ADDR_W  = 15,         // bits of a byte's address in the buffer
    parameter ALONG_W = 32          // bits that go along with a frame
) (
    input  wire              clk,
    input  wire              rst,
    input  wire              s_item_valid,
    output wire              s_item_ready,
    input  wire [2:0]        s_item_kind,
    input  wire [ID_W-1:0]   s_item_id,
    input  wire              s_item_first,
    input  wire              s_item_last,
    input  wire              s_item_apart,
    input  wire              s_item_some,
    input  wire [31:0]       s_item_seq,
    input  wire [ADDR_W-1:0] s_item_addr,
    input  wire [3:0]        s_item_from,
    input  wire [4:0]        s_item_to,
    input  wire              s_given_valid,
    output wire              s_given_ready,
    input  wire [127:0]      s_given_tag,
    // with ITEM_FRAME, and there before it
    output wire              s_end_ready,
    input  wire [15:0]       s_end_id,          // of its descriptor
    input  wire              s_end_keeps,
    input  wire              s_end_leaves,
    input  wire [2:0]        s_end_reason,
    input  wire [ALONG_W-1:0] s_end_along,
    input  wire              s_sum_valid,
    input  wire [127:0]      s_sum_data,
    input  wire [PART_W-1:0] s_sum_id,
    input  wire              text_done,
    output wire              returned,
    output wire              removed,
    output wire              m_tag_valid,
    input  wire              m_tag_ready,
    output wire [ADDR_W-1:0] m_tag_addr,
    output wire [127:0]      m_tag_data,
    output wire [15:0]       m_tag_keep,
    output wire              m_frame_valid,
    input  wire              m_frame_ready,
    output wire              m_frame_leaves,
    output wire [ALONG_W-1:0] m_frame_along,
    output wire              m_axis_tvalid,
    input  wire              m_axis_tready,
    output wire [127:0]      m_axis_tdata,
    output wire [63:0]       m_axis_tuser
);
`include "tls_tx_items.vh"
localparam [1:0]
    ST_NEXT = 2'd0,
    ST_LOAD = 2'd1,                             // the sum of the record at hand is there
    ST_ADD  = 2'd2,                             // the piece's is
    ST_TELL = 2'd3;                             // the record's tag is
localparam [1:0] SETTLE = 2'd3;                 // clocks until a tag can be read

reg  [1:0]             state_q;
reg  [PART_W-1:0]      id_q;                    // of the next part
reg  [(1<<PART_W)-1:0] there_q;                 // parts whose sums are there
reg  [PART_W:0]        texts_q;                 // parts whose text is, and whose sum was not used
reg                    open_q;                  // the frame's record is at hand
reg  [127:0]           sum_q, tag_q, kept_q;
reg  [15:0]            told_id_q;
reg  [31:0]            told_seq_q;
reg  [1:0]             settle_q;
reg  [127:0]           sums [0:(1<<PART_W)-1];
reg  [127:0]           accs [0:(1<<ID_W)-1];

wire is_text  = s_item_valid && (s_item_kind == ITEM_TEXT);
wire is_tag   = s_item_valid && (s_item_kind == ITEM_TAG);
wire is_given = s_item_valid && (s_item_kind == ITEM_GIVEN) && s_given_valid;
wire is_frame = s_item_valid && (s_item_kind == ITEM_FRAME);
wire next     = (state_q == ST_NEXT);
wire load     = next && (is_text || is_tag) && !open_q;
wire ready    = there_q[id_q] && (!s_item_some || texts_q != {PART_W+1{1'b0}});
wire add      = (state_q == ST_ADD);
wire tell     = (state_q == ST_TELL);
wire write    = next && is_tag && open_q;
wire leave    = next && is_frame && settle_q == 2'd0 && m_frame_ready && m_axis_tready;

assign removed       = next && s_item_valid && (s_item_kind == ITEM_REMOVED);
assign returned      = add;
assign s_item_ready  = add || (write && m_tag_ready) || (next && is_given) || leave || removed;
assign s_given_ready = next && is_given;
assign s_end_ready   = leave;

always @(posedge clk) begin
    if (s_sum_valid) begin
        sums[s_sum_id]    <= s_sum_data;
        there_q[s_sum_id] <= 1'b1;
    end
    texts_q  <= texts_q + {{PART_W{1'b0}}, text_done} - {{PART_W{1'b0}}, (returned && s_item_some)};
    kept_q   <= accs[s_item_id];
    settle_q <= (write && m_tag_ready) ? SETTLE : (settle_q == 2'd0) ? 2'd0 : settle_q - 2'd1;
    case (state_q)
        ST_NEXT: begin
            if (load) state_q <= ST_LOAD;
            else if (is_text && ready) begin
                sum_q   <= sums[id_q];
                state_q <= ST_ADD;
            end
            if (is_given) begin
                tag_q  <= s_given_tag;
                open_q <= 1'b1;
            end
            if (leave) begin
                open_q <= 1'b0;
                if (open_q && s_end_keeps) accs[s_item_id] <= tag_q;
            end
        end
        ST_LOAD: begin
            tag_q   <= kept_q;
            open_q  <= 1'b1;
            state_q <= ST_NEXT;
        end
        ST_ADD: begin
            if (!s_item_apart) tag_q <= (s_item_first ? 128'd0 : tag_q) ^ sum_q;
            there_q[id_q] <= 1'b0;
            id_q          <= id_q + {{PART_W-1{1'b0}}, 1'b1};
            told_id_q     <= {{16-ID_W{1'b0}}, s_item_id};
            told_seq_q    <= s_item_seq;
            state_q       <= (s_item_last && !s_item_apart) ? ST_TELL : ST_NEXT;
        end
        default: if (m_axis_tready) state_q <= ST_NEXT;     // ST_TELL
    endcase
    if (rst) begin
        state_q  <= ST_NEXT;
        id_q     <= {PART_W{1'b0}};
        there_q  <= {(1<<PART_W){1'b0}};
        texts_q  <= {PART_W+1{1'b0}};
        open_q   <= 1'b0;
        settle_q <= 2'd0;
    end
end

assign m_tag_valid    = write;
assign m_tag_addr     = s_item_addr;
assign m_tag_data     = tag_q;
assign m_tag_keep     = (16'hffff << s_item_from) & ~(16'hffff << s_item_to);
assign m_frame_valid  = next && is_frame && settle_q == 2'd0 && m_axis_tready;
assign m_frame_leaves = s_end_leaves;
assign m_frame_along  = s_end_along;
assign m_axis_tvalid  = tell || (next && is_frame && settle_q == 2'd0 && m_frame_ready);
assign m_axis_tdata   = tell ? tag_q : 128'd0;
assign m_axis_tuser   = tell ? {told_seq_q, 15'd0, 1'b1, told_id_q}
                      : {32'd0, 5'd0, s_end_reason, 6'd0, s_end_leaves, 1'b0, s_end_id};
endmodule
`default_nettype wire
