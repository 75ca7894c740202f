// tls_tx_checksum.v - makes the TCP checksum of frames that ask for it; holds each until its end is there.
//
// In    s_axis   frames; with each word: does the frame ask, where its TCP header is and the packet
//                ends, and the sum of the pseudo-header
// Out   m_axis   the same frames, the checksum in place where it is asked for
// How   a frame is written to memory while it is summed, five clocks behind; when its sum is there it
//       is read again, and the two bytes are put in on the way. A TCP header begins at an even byte, so
//       the checksum is in one word.
// Spec  RFC 9293, 3.1; RFC 1071.  Model model/parse.py.
//       A word a clock; a frame starts to leave 9 clocks after its last word came.
`default_nettype none
module tls_tx_checksum #(
    parameter ADDR_W = 11           // 2^ADDR_W words are held: two of the longest frames or more
) (
    input  wire         clk,
    input  wire         rst,
    input  wire [127:0] s_axis_tdata,
    input  wire [15:0]  s_axis_tkeep,
    input  wire         s_axis_tlast,
    input  wire         s_axis_tvalid,
    output wire         s_axis_tready,
    input  wire         s_asks,
    input  wire [13:0]  s_l4,                   // place of the TCP header in the frame
    input  wire [13:0]  s_end,                  // of the packet in the frame
    input  wire [16:0]  s_pseudo,
    output wire [127:0] m_axis_tdata,
    output wire [15:0]  m_axis_tkeep,
    output wire         m_axis_tlast,
    output wire         m_axis_tvalid,
    input  wire         m_axis_tready
);
`include "tls_checksum.vh"
localparam FRAMES = 16;                         // that are held

// ---- in ----
reg  [ADDR_W-1:0] wr_q;
reg  [9:0]        word_q;
wire [ADDR_W-1:0] rd;
wire              room;                         // for a frame's sum
wire              word = s_axis_tvalid && s_axis_tready;
wire [ADDR_W-1:0] used = wr_q - rd;
reg  [4:0]        frames_q;                     // whose last word came, and whose first is not asked for
wire              begins;
wire [13:0]       field = s_l4 + 14'd16;        // place of the checksum
assign s_axis_tready = used < {ADDR_W{1'b1}} && !frames_q[4];

reg               a_valid, a_last, a_asks;
reg  [127:0]      a_data;
reg  [15:0]       a_mask;
reg  [16:0]       a_pseudo;
reg               a_first;
reg  [13:0]       a_field;
reg               b_valid, b_last, b_asks, b_first;
reg  [67:0]       b_four;
reg  [16:0]       b_pseudo;
reg  [13:0]       b_field;
reg               c_valid, c_last, c_asks, c_first;
reg  [18:0]       c_sum;
reg  [16:0]       c_pseudo;
reg  [13:0]       c_field;
reg               d_last, d_asks;
reg  [31:0]       d_sum;
reg  [13:0]       d_field;
reg               e_last, e_asks;
reg  [16:0]       e_sum;
reg  [13:0]       e_field;
reg  [9:0]        a_words, b_words, c_words, d_words, e_words;       // of the frame, with its last
always @(posedge clk) begin
    if (word) begin
        wr_q   <= wr_q + {{ADDR_W-1{1'b0}}, 1'b1};
        word_q <= s_axis_tlast ? 10'd0 : word_q + 10'd1;
    end
    frames_q <= frames_q + {4'd0, word && s_axis_tlast} - {4'd0, begins};
    a_valid  <= word && !rst;
    a_last   <= word && s_axis_tlast && !rst;
    a_first  <= (word_q == 10'd0);
    a_asks   <= s_asks;
    a_data   <= s_axis_tdata;
    a_mask   <= span(word_q, {3'd0, s_l4}, {3'd0, s_end})
              & ~span(word_q, {3'd0, field}, {3'd0, field} + 17'd2);
    a_pseudo <= s_pseudo;
    a_field  <= field;
    a_words  <= word_q + 10'd1;
    b_valid  <= a_valid && !rst;
    b_last   <= a_last && !rst;
    b_first  <= a_first;
    b_asks   <= a_asks;
    b_four   <= pairs_of(a_data, a_mask);
    b_pseudo <= a_pseudo;
    b_field  <= a_field;
    b_words  <= a_words;
    c_valid  <= b_valid && !rst;
    c_last   <= b_last && !rst;
    c_first  <= b_first;
    c_asks   <= b_asks;
    c_sum    <= sum_of(b_four);
    c_pseudo <= b_pseudo;
    c_field  <= b_field;
    c_words  <= b_words;
    d_last   <= c_last && !rst;
    d_asks   <= c_asks;
    d_field  <= c_field;
    d_words  <= c_words;
    if (c_valid) d_sum <= (c_first ? {15'd0, c_pseudo} : d_sum) + {13'd0, c_sum};
    e_last   <= d_last && !rst;
    e_asks   <= d_asks;
    e_field  <= d_field;
    e_words  <= d_words;
    e_sum    <= fold(d_sum);
    if (rst) begin
        wr_q     <= {ADDR_W{1'b0}};
        word_q   <= 10'd0;
        frames_q <= 5'd0;
    end
end
wire [16:0]       folded = fold({15'd0, e_sum});        // no carry is left
wire [15:0]       made   = ~folded[15:0];

// ---- out ----
wire              sum_valid, asks, free;
wire [15:0]       sum;
wire [13:0]       place;
wire [9:0]        words;
axis_fifo #(.DATA_W(10 + 1 + 14 + 16), .DEPTH(FRAMES), .BLOCK(0)) sums (
    .clk(clk), .rst(rst),
    .s_axis_tdata({e_words, e_asks, e_field, made}), .s_axis_tvalid(e_last), .s_axis_tready(room),
    .m_axis_tdata({words, asks, place, sum}), .m_axis_tvalid(sum_valid), .m_axis_tready(free));

localparam WORDS = 8;                           // asked for and not taken
reg  [144:0]      mem [0:(1<<ADDR_W)-1];
reg  [144:0]      read_q;
reg               busy_q, asks_q, v1_q;
reg  [13:0]       place_q;
reg  [15:0]       sum_q, sum1_q;
reg  [9:0]        at_q, left_q;                 // words of the frame
reg  [ADDR_W-1:0] rd_q;
reg  [3:0]        room_q;
reg  [15:0]       put_q;                        // bytes where the checksum goes
wire              pop;
wire              ask    = busy_q && room_q != 4'd0;
wire              ends   = ask && left_q == 10'd1;
assign free   = !busy_q || ends;
assign begins = sum_valid && free;
assign rd     = rd_q;
always @(posedge clk) begin
    if (word) mem[wr_q] <= {s_axis_tlast, s_axis_tkeep, s_axis_tdata};
    read_q <= mem[rd_q];
    room_q <= room_q - {3'd0, ask} + {3'd0, pop};
    v1_q   <= ask && !rst;
    sum1_q <= sum_q;
    put_q  <= asks_q ? span(at_q, {3'd0, place_q}, {3'd0, place_q} + 17'd2) : 16'd0;
    if (ask) begin
        rd_q <= rd_q + {{ADDR_W-1{1'b0}}, 1'b1};
        at_q <= at_q + 10'd1;
        left_q <= left_q - 10'd1;
    end
    if (ends) busy_q <= 1'b0;
    if (begins) begin
        busy_q  <= 1'b1;
        asks_q  <= asks;
        place_q <= place;
        sum_q   <= sum;
        at_q    <= 10'd0;
        left_q  <= words;
    end
    if (rst) begin
        busy_q <= 1'b0;
        rd_q   <= {ADDR_W{1'b0}};
        room_q <= WORDS;
    end
end
reg  [127:0]      data;
integer i;
always @* for (i = 0; i < 16; i = i + 1)        // the field is at an even byte, the higher byte first
    data[8*i +: 8] = !put_q[i] ? read_q[8*i +: 8] : (i % 2 == 0) ? sum1_q[15:8] : sum1_q[7:0];
wire              words_room;
axis_fifo #(.DATA_W(145), .DEPTH(WORDS), .BLOCK(0)) leaving (
    .clk(clk), .rst(rst),
    .s_axis_tdata({read_q[144:128], data}), .s_axis_tvalid(v1_q), .s_axis_tready(words_room),
    .m_axis_tdata({m_axis_tlast, m_axis_tkeep, m_axis_tdata}),
    .m_axis_tvalid(m_axis_tvalid), .m_axis_tready(m_axis_tready));
assign pop = m_axis_tvalid && m_axis_tready;

wire unused_ok = &{1'b0, room, words_room, folded[16]};      // counted by frames_q and room_q
endmodule
`default_nettype wire
