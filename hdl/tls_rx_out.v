// tls_rx_out.v - sends frames on, decrypted or as they came, with their descriptors.
//
// In    s_frame  a frame whose fate is known, in order
//       s_range  where in a frame its text is, in order: those of a frame come before its fate
//       raw_*    words as they came; text_* as decrypted; both a clock after rd_addr
//       wr_addr  the buffer's next free word
// Out   m_axis   the frames; tuser is the descriptor, the same in every word
//       rd_addr  also: the word after the last one sent; what lies before it is free
//       count_*  one pulse a frame
// How   a frame has s_frame_words words; 0 says that it is too long for its end to be known, and
//       its words are then awaited one by one, up to the last.
// Spec  docs/receive.md, 4.  Model model/rx.py.
//       A word every clock; of a frame that is too long, every second one.
`default_nettype none
module tls_rx_out #(
    parameter ID_W   = 6,           // bits of a connection's id
    parameter ADDR_W = 11           // bits of a word's address in the buffer
) (
    input  wire              clk,
    input  wire              rst,
    input  wire              s_frame_valid,
    output wire              s_frame_ready,
    input  wire [ID_W-1:0]   s_frame_id,
    input  wire              s_frame_found,
    input  wire              s_frame_csum_good,
    input  wire [3:0]        s_frame_reason,
    input  wire [13:0]       s_frame_bytes,
    input  wire [9:0]        s_frame_ranges,
    input  wire [9:0]        s_frame_words,
    input  wire              s_frame_asks,
    input  wire [31:0]       s_frame_ask_seq,
    input  wire              s_range_valid,
    output wire              s_range_ready,
    input  wire [13:0]       s_range_from,
    input  wire [13:0]       s_range_to,
    input  wire [ADDR_W-1:0] wr_addr,
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
    output wire [63:0]       m_axis_tuser,
    output wire              count_valid,
    output wire [3:0]        count_reason,      // 0: decrypted
    output wire [13:0]       count_bytes
);
`include "tls_regs.vh"              // RX_PASS_*

// ---- a word is asked for ----
localparam WORDS = 8;                           // asked for and not taken
reg               busy_q;                       // with the frame of user_q
reg  [63:0]       user_q;
reg               decrypted_q, long_q;
reg  [9:0]        ranges_q;                     // left of this frame, or of the one before
reg  [9:0]        left_q;                       // words
reg  [9:0]        word_q;
reg  [ADDR_W-1:0] rd_q;
reg  [3:0]        room_q;
reg               wait_q;                       // a word of a frame that is too long is not there yet

wire              pop;
wire              covered = (ranges_q == 10'd0) || !decrypted_q || s_range_valid;
wire              ask     = busy_q && room_q != 4'd0 && rd_q != wr_addr && covered && !wait_q;
wire              v1_last;                      // of a frame that is too long
wire              ends    = long_q ? v1_last : ask && left_q == 10'd1;
// text in this word: of one piece at most, as a tag and a header lie between two
wire [9:0]        from_w  = s_range_from[13:4];
wire [9:0]        to_w    = s_range_to[13:4];
wire              ranged  = (ranges_q != 10'd0) && s_range_valid;
wire [15:0]       mask    = (!ranged || !decrypted_q || from_w > word_q) ? 16'd0
                          : ((from_w == word_q) ? 16'hffff << s_range_from[3:0] : 16'hffff)
                          & ((to_w == word_q) ? ~(16'hffff << s_range_to[3:0]) : 16'hffff);
wire              spent   = (to_w == word_q) || (to_w == word_q + 10'd1 && s_range_to[3:0] == 4'd0);
wire [9:0]        ranges  = ranges_q - {9'd0, s_range_valid && s_range_ready};
assign s_range_ready = ranged && (!busy_q || !decrypted_q || (ask && spent));
assign s_frame_ready = (!busy_q || ends) && ranges == 10'd0;
assign rd_addr       = rd_q;
wire              starts  = s_frame_valid && s_frame_ready;

always @(posedge clk) begin
    room_q   <= room_q - {3'd0, ask} + {3'd0, pop};
    ranges_q <= ranges;
    if (ask) begin
        rd_q   <= rd_q + {{ADDR_W-1{1'b0}}, 1'b1};
        word_q <= word_q + 10'd1;
        left_q <= left_q - 10'd1;
    end
    wait_q <= ask && long_q;
    if (ends) busy_q <= 1'b0;
    if (starts) begin
        busy_q      <= 1'b1;
        word_q      <= 10'd0;
        left_q      <= s_frame_words;
        long_q      <= (s_frame_words == 10'd0);
        ranges_q    <= s_frame_ranges;
        decrypted_q <= (s_frame_reason == RX_PASS_NONE);
        user_q      <= {s_frame_asks ? s_frame_ask_seq : 32'd0, 4'd0, s_frame_reason, 4'd0,
                        s_frame_asks, s_frame_csum_good,
                        s_frame_reason == RX_PASS_NONE, s_frame_found,
                        {16-ID_W{1'b0}}, s_frame_found ? s_frame_id : {ID_W{1'b0}}};
    end
    if (rst) begin
        busy_q   <= 1'b0;
        wait_q   <= 1'b0;
        ranges_q <= 10'd0;
        rd_q     <= {ADDR_W{1'b0}};
        room_q   <= WORDS;
    end
end

// ---- it is there ----
reg               v1_q;
reg  [15:0]       mask_q;
reg  [63:0]       user1_q;
reg               v2_q, last_q;
reg  [127:0]      data_q;
reg  [15:0]       keep_q;
reg  [63:0]       user2_q;
assign v1_last = wait_q && raw_last;
integer i;
always @(posedge clk) begin
    v1_q    <= ask && !rst;
    mask_q  <= mask;
    user1_q <= user_q;
    v2_q    <= v1_q && !rst;
    last_q  <= raw_last;
    keep_q  <= ~(16'hfffe << raw_bytes);
    user2_q <= user1_q;
    for (i = 0; i < 16; i = i + 1)
        data_q[8*i +: 8] <= mask_q[i] ? text_data[8*i +: 8] : raw_data[8*i +: 8];
end

wire              room;
axis_fifo #(.DATA_W(64 + 1 + 16 + 128), .DEPTH(WORDS), .BLOCK(0)) words (
    .clk(clk), .rst(rst),
    .s_axis_tdata({user2_q, last_q, keep_q, data_q}), .s_axis_tvalid(v2_q), .s_axis_tready(room),
    .m_axis_tdata({m_axis_tuser, m_axis_tlast, m_axis_tkeep, m_axis_tdata}),
    .m_axis_tvalid(m_axis_tvalid), .m_axis_tready(m_axis_tready));
assign pop = m_axis_tvalid && m_axis_tready;

assign count_valid  = starts;
assign count_reason = s_frame_reason;
assign count_bytes  = s_frame_bytes;

wire unused_ok = &{1'b0, room};                 // counted by room_q
endmodule
`default_nettype wire
