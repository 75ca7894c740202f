// tls_feed.v - brings the pieces of records from the buffer to the lane.
//
// In    s_piece  a run of bytes of a record's text or tag (tls_rx_walk, tls_tx_walk)
//       rd_*     16 bytes of the buffer from any byte, two clocks later
//       returned a part's sum was used
// Out   m_part   the lane's part, by the number `id` in order; m_axis its data
//       m_tag    tag bytes, each at its place in the tag, others zero
//       m_place  where in the buffer a part's first block belongs; for parts with bytes
// How   a byte's place in its block is that of the text, whatever it is in the frame, so each block
//       is read from its own byte address; blocks of pieces follow one another without a gap.
// Spec  docs/receive.md, 3; docs/interfaces.md, Parts.  Model model/rx.py, model/tx.py.
`default_nettype none
module tls_feed #(
    parameter ID_W   = 6,           // bits of a connection's id: its key slot
    parameter PART_W = 6,           // bits of a part's number
    parameter ADDR_W = 15           // bits of a byte's address in the buffer
) (
    input  wire              clk,
    input  wire              rst,
    input  wire              s_piece_valid,
    output wire              s_piece_ready,
    input  wire              s_piece_is_tag,
    input  wire [ID_W-1:0]   s_piece_id,
    input  wire [ADDR_W-1:0] s_piece_addr,
    input  wire [13:0]       s_piece_bytes,
    input  wire [14:0]       s_piece_place,
    input  wire              s_piece_version,
    input  wire [1:0]        s_piece_type,
    input  wire [63:0]       s_piece_number,
    input  wire [63:0]       s_piece_nonce,
    input  wire [14:0]       s_piece_len,
    output wire [ADDR_W-1:0] rd_addr,
    input  wire [127:0]      rd_data,
    input  wire              returned,
    // lane
    output wire              m_part_valid,
    input  wire              m_part_ready,
    output wire [ID_W-1:0]   m_part_slot,
    output wire [63:0]       m_part_nonce,
    output wire [14:0]       m_part_len,
    output wire [14:0]       m_part_aad_len,
    output wire [14:0]       m_part_offset,
    output wire [14:0]       m_part_bytes,
    output wire [127:0]      m_part_aad,
    output wire [PART_W-1:0] m_part_id,
    output wire              m_axis_tvalid,
    input  wire              m_axis_tready,
    output wire [127:0]      m_axis_tdata,
    // beside it
    output wire              m_tag_valid,
    input  wire              m_tag_ready,
    output wire [127:0]      m_tag_data,
    output wire              m_place_valid,
    output wire [ADDR_W-1:0] m_place_addr
);
`include "tls_regs.vh"              // TLS_VERSION_*

// ---- a piece becomes a part, and a job for the reader ----
reg  [PART_W:0]   out_q;                        // parts whose sums were not used yet
reg  [PART_W-1:0] id_q;
wire              some    = (s_piece_bytes != 14'd0);
wire              part_ok = s_piece_is_tag || (m_part_ready && !out_q[PART_W]);
wire              job_room;
wire [ADDR_W-1:0] base    = s_piece_addr - {{ADDR_W-4{1'b0}}, s_piece_place[3:0]};
wire [14:0]       blocks  = {11'd0, s_piece_place[3:0]} + {1'b0, s_piece_bytes} + 15'd15;
wire              v12     = (s_piece_version == TLS_VERSION_TLS_1_2);
wire [15:0]       length  = {1'b0, s_piece_len} + (v12 ? 16'd0 : 16'd16);
// type, 03 03 and length; in TLS 1.2 after the record's number
wire [39:0]       head    = {length[7:0], length[15:8], 16'h0303, 8'd20 + {6'd0, s_piece_type}};
function [63:0] bytes_of(input [63:0] number);  // the highest first
    integer i;
    for (i = 0; i < 8; i = i + 1) bytes_of[8*i +: 8] = number[56-8*i +: 8];
endfunction

assign s_piece_ready  = part_ok && job_room;
assign m_part_valid   = s_piece_valid && !s_piece_is_tag && !out_q[PART_W] && job_room;
assign m_part_slot    = s_piece_id;
assign m_part_nonce   = s_piece_nonce;
assign m_part_len     = s_piece_len;
assign m_part_aad_len = v12 ? 15'd13 : 15'd5;
assign m_part_offset  = s_piece_place;
assign m_part_bytes   = {1'b0, s_piece_bytes};
assign m_part_aad     = v12 ? {24'd0, head, bytes_of(s_piece_number)} : {88'd0, head};
assign m_part_id      = id_q;
wire   part           = m_part_valid && m_part_ready;
assign m_place_valid  = part && some;
assign m_place_addr   = base;
always @(posedge clk) begin
    out_q <= out_q + {{PART_W{1'b0}}, part} - {{PART_W{1'b0}}, returned};
    if (part) id_q <= id_q + {{PART_W-1{1'b0}}, 1'b1};
    if (rst) begin
        out_q <= {PART_W+1{1'b0}};
        id_q  <= {PART_W{1'b0}};
    end
end

localparam JOB_W = 1 + ADDR_W + 11 + 4 + 5;
wire              job_valid, job_take, job_is_tag;
wire [ADDR_W-1:0] job_base;
wire [10:0]       job_blocks;
wire [3:0]        job_from;
wire [4:0]        job_bytes;
axis_fifo #(.DATA_W(JOB_W), .DEPTH(8), .BLOCK(0)) jobs (
    .clk(clk), .rst(rst),
    .s_axis_tdata({s_piece_is_tag, base, blocks[14:4], s_piece_place[3:0], s_piece_bytes[4:0]}),
    .s_axis_tvalid(s_piece_valid && part_ok && some), .s_axis_tready(job_room),
    .m_axis_tdata({job_is_tag, job_base, job_blocks, job_from, job_bytes}),
    .m_axis_tvalid(job_valid), .m_axis_tready(job_take));

// ---- block by block ----
localparam WORDS = 8;                           // read ahead
reg               busy_q, is_tag_q;
reg  [ADDR_W-1:0] addr_q;
reg  [10:0]       left_q;
reg  [15:0]       mask_q;
reg  [3:0]        room_q;                       // for words that are not asked for yet
wire              read = busy_q && room_q != 4'd0;
wire              last = (left_q == 11'd1);
wire              pop;
assign job_take = !busy_q || (read && last);
assign rd_addr  = addr_q;
always @(posedge clk) begin
    room_q <= room_q - {3'd0, read} + {3'd0, pop};
    if (read) begin
        addr_q <= addr_q + {{ADDR_W-5{1'b0}}, 5'd16};
        left_q <= left_q - 11'd1;
    end
    if (job_take) begin
        busy_q   <= job_valid;
        is_tag_q <= job_is_tag;
        addr_q   <= job_base;
        left_q   <= job_blocks;
        mask_q   <= ~(16'hffff << job_bytes) << job_from;
    end
    if (rst) begin
        busy_q <= 1'b0;
        room_q <= WORDS;
    end
end

reg               v1_q, v2_q, is_tag1_q, is_tag2_q;
reg  [15:0]       mask1_q, mask2_q;
wire              word_valid, word_is_tag, words_room;
wire [15:0]       word_mask;
wire [127:0]      word;
always @(posedge clk) begin
    v1_q      <= read && !rst;
    v2_q      <= v1_q && !rst;
    is_tag1_q <= is_tag_q;
    is_tag2_q <= is_tag1_q;
    mask1_q   <= mask_q;
    mask2_q   <= mask1_q;
end
axis_fifo #(.DATA_W(1 + 16 + 128), .DEPTH(WORDS), .BLOCK(0)) words (
    .clk(clk), .rst(rst),
    .s_axis_tdata({is_tag2_q, mask2_q, rd_data}), .s_axis_tvalid(v2_q), .s_axis_tready(words_room),
    .m_axis_tdata({word_is_tag, word_mask, word}), .m_axis_tvalid(word_valid), .m_axis_tready(pop));
assign pop           = word_valid && (word_is_tag ? m_tag_ready : m_axis_tready);
assign m_axis_tvalid = word_valid && !word_is_tag;
assign m_axis_tdata  = word;
assign m_tag_valid   = word_valid && word_is_tag;
genvar g;
generate
    for (g = 0; g < 16; g = g + 1) begin : byte_of
        assign m_tag_data[8*g +: 8] = word[8*g +: 8] & {8{word_mask[g]}};
    end
endgenerate

wire unused_ok = &{1'b0, words_room, blocks[3:0]};      // counted by room_q
endmodule
`default_nettype wire
