// tls_tx_out.v - takes frames from the buffer, with text and tags in their places, or skips them.
//
// In    s_frame  what becomes of a frame, in order
//       s_gap    bytes that stay as they are within a frame's payload, in order: those of a frame come
//                before it
//       raw_*    words as they came; text_* as encrypted; both a clock after rd_addr
// Out   m_axis   the frames that leave; tuser is s_frame_along, the same in every word
//       rd_addr  also: the word after the last one that is needed; what lies before it is free
// How   with crypts, payload is text and tags but for its gaps: prefixes of records, of which no two
//       are in one word, as a tag lies between them. What is behind the payload is zero then.
// Spec  docs/transmit.md, 3.  Model model/tx.py.
//       A word every clock; a frame that is skipped takes a clock, or one for each gap in it.
`default_nettype none
module tls_tx_out #(
    parameter ADDR_W  = 11,         // bits of a word's address in the buffer, 10 or more
    parameter ALONG_W = 32          // bits that go along with a frame
) (
    input  wire              clk,
    input  wire              rst,
    input  wire              s_frame_valid,
    output wire              s_frame_ready,
    input  wire              s_frame_leaves,
    input  wire              s_frame_crypts,
    input  wire [9:0]        s_frame_words,
    input  wire [13:0]       s_frame_offset,    // of the payload
    input  wire [13:0]       s_frame_end,       // of the payload
    input  wire [9:0]        s_frame_gaps,
    input  wire [ALONG_W-1:0] s_frame_along,
    input  wire              s_gap_valid,
    output wire              s_gap_ready,
    input  wire [13:0]       s_gap_from,
    input  wire [13:0]       s_gap_to,
    output wire [ADDR_W-1:0] rd_addr,
    input  wire [127:0]      raw_data,
    input  wire [3:0]        raw_bytes,         // of the word, less one
    input  wire              raw_last,
    input  wire [127:0]      text_data,
    output wire              m_axis_tvalid,
    input  wire              m_axis_tready,
    output wire [127:0]      m_axis_tdata,
    output wire [15:0]       m_axis_tkeep,
    output wire              m_axis_tlast,
    output wire [ALONG_W-1:0] m_axis_tuser
);
`include "tls_checksum.vh"          // span

// ---- a word is asked for ----
localparam WORDS = 8;                           // asked for and not taken
reg               busy_q;                       // with a frame that leaves
reg               crypts_q;
reg  [ALONG_W-1:0] along_q;
reg  [13:0]       offset_q, end_q;
reg  [9:0]        gaps_q;                       // left of this frame, or of the one before
reg  [9:0]        left_q, word_q;
reg  [ADDR_W-1:0] rd_q;
reg  [3:0]        room_q;
wire              pop;
wire              gapped  = (gaps_q != 10'd0);
wire              ask     = busy_q && room_q != 4'd0 && (!crypts_q || !gapped || s_gap_valid);
wire              ends    = ask && left_q == 10'd1;
wire [15:0]       payload = span(word_q, {3'd0, offset_q}, {3'd0, end_q});
wire [15:0]       gap     = (gapped && s_gap_valid) ? span(word_q, {3'd0, s_gap_from}, {3'd0, s_gap_to}) : 16'd0;
wire [15:0]       mask    = crypts_q ? payload & ~gap : 16'd0;
wire [15:0]       behind  = crypts_q ? ~span(word_q, 17'd0, {3'd0, end_q}) : 16'd0;
// the gap ends with this word, or ended before it
wire              spent   = s_gap_to[13:4] <= word_q
                         || (s_gap_to[13:4] == word_q + 10'd1 && s_gap_to[3:0] == 4'd0);
wire [9:0]        gaps    = gaps_q - {9'd0, s_gap_valid && s_gap_ready};
assign s_gap_ready   = gapped && (!busy_q || !crypts_q || (ask && spent));
assign s_frame_ready = (!busy_q || ends) && gaps == 10'd0;
assign rd_addr       = rd_q;
wire              starts  = s_frame_valid && s_frame_ready;

always @(posedge clk) begin
    room_q <= room_q - {3'd0, ask} + {3'd0, pop};
    gaps_q <= gaps;
    if (ask) begin
        rd_q   <= rd_q + {{ADDR_W-1{1'b0}}, 1'b1};
        word_q <= word_q + 10'd1;
        left_q <= left_q - 10'd1;
    end
    if (ends) busy_q <= 1'b0;
    if (starts) begin
        busy_q   <= s_frame_leaves;
        word_q   <= 10'd0;
        left_q   <= s_frame_words;
        crypts_q <= s_frame_crypts;
        offset_q <= s_frame_offset;
        end_q    <= s_frame_end;
        gaps_q   <= s_frame_gaps;
        along_q  <= s_frame_along;
        if (!s_frame_leaves) rd_q <= rd_q + {{ADDR_W-1{1'b0}}, ask} + {{ADDR_W-10{1'b0}}, s_frame_words};
    end
    if (rst) begin
        busy_q <= 1'b0;
        gaps_q <= 10'd0;
        rd_q   <= {ADDR_W{1'b0}};
        room_q <= WORDS;
    end
end

// ---- it is there ----
reg               v1_q, v2_q, last_q;
reg  [15:0]       mask_q, behind_q, keep_q;
reg  [ALONG_W-1:0] along1_q, along2_q;
reg  [127:0]      data_q;
integer i;
always @(posedge clk) begin
    v1_q     <= ask && !rst;
    mask_q   <= mask;
    behind_q <= behind;
    along1_q <= along_q;
    v2_q     <= v1_q && !rst;
    last_q   <= raw_last;
    keep_q   <= ~(16'hfffe << raw_bytes);
    along2_q <= along1_q;
    for (i = 0; i < 16; i = i + 1)
        data_q[8*i +: 8] <= mask_q[i] ? text_data[8*i +: 8]
                          : behind_q[i] ? 8'd0 : raw_data[8*i +: 8];
end

wire              room;
axis_fifo #(.DATA_W(ALONG_W + 1 + 16 + 128), .DEPTH(WORDS), .BLOCK(0)) words (
    .clk(clk), .rst(rst),
    .s_axis_tdata({along2_q, last_q, keep_q, data_q}), .s_axis_tvalid(v2_q), .s_axis_tready(room),
    .m_axis_tdata({m_axis_tuser, m_axis_tlast, m_axis_tkeep, m_axis_tdata}),
    .m_axis_tvalid(m_axis_tvalid), .m_axis_tready(m_axis_tready));
assign pop = m_axis_tvalid && m_axis_tready;

wire unused_ok = &{1'b0, room};                 // counted by room_q
endmodule
`default_nettype wire
