// tls_text.v - puts the lane's text, and tags, where they belong in the frame.
//
// In    s_place  address of byte 0 of a part's first block, one for each part with bytes, in order
//       s_axis   the text of these parts, block by block; always taken
//       s_tag    16 bytes for an address, taken when no text comes. That comes to be: while a tag waits no
//                sum behind it is used, so at most PARTS parts go into the lane, and then none
//       rd_addr  address of a word
// Out   rd_data  that word, a clock later, where text was written; anything elsewhere
//       done     the text of one more part can be read
// How   as tls_byte_ram, the other way round: a block lies in two neighbouring words.
// Order byte i of a word is bits 8*i+7 : 8*i.
`default_nettype none
module tls_text #(
    parameter ADDR_W = 15,          // bits of a byte's address in the buffer
    parameter PARTS  = 64           // parts in the lane at most, a power of two
) (
    input  wire              clk,
    input  wire              rst,
    input  wire              s_place_valid,
    input  wire [ADDR_W-1:0] s_place_addr,
    input  wire              s_axis_tvalid,
    input  wire [127:0]      s_axis_tdata,
    input  wire [15:0]       s_axis_tkeep,
    input  wire              s_axis_tlast,
    input  wire              s_tag_valid,
    output wire              s_tag_ready,
    input  wire [ADDR_W-1:0] s_tag_addr,        // of the tag's first byte
    input  wire [127:0]      s_tag_data,
    input  wire [15:0]       s_tag_keep,        // the bytes that are written
    output reg               done,
    input  wire [ADDR_W-5:0] rd_addr,
    output wire [127:0]      rd_data
);
localparam ROW_W = ADDR_W - 5;
wire              place_room, place_valid;
wire [ADDR_W-1:0] place;
axis_fifo #(.DATA_W(ADDR_W), .DEPTH(PARTS), .BLOCK(0)) places (
    .clk(clk), .rst(rst),
    .s_axis_tdata(s_place_addr), .s_axis_tvalid(s_place_valid), .s_axis_tready(place_room),
    .m_axis_tdata(place), .m_axis_tvalid(place_valid),
    .m_axis_tready(s_axis_tvalid && s_axis_tlast));

assign s_tag_ready = !s_axis_tvalid;
reg  [ADDR_W-5:0] block_q;                      // of the part
reg               v1_q, last1_q;
reg  [127:0]      data1_q;
reg  [15:0]       keep1_q;
reg  [ADDR_W-1:0] addr1_q;
always @(posedge clk) begin
    v1_q    <= (s_axis_tvalid || s_tag_valid) && !rst;
    last1_q <= s_axis_tvalid && s_axis_tlast;
    data1_q <= s_axis_tvalid ? s_axis_tdata : s_tag_data;
    keep1_q <= s_axis_tvalid ? s_axis_tkeep : s_tag_keep;
    addr1_q <= s_axis_tvalid ? place + {block_q, 4'd0} : s_tag_addr;
    if (s_axis_tvalid) block_q <= s_axis_tlast ? {ADDR_W-4{1'b0}} : block_q + {{ADDR_W-5{1'b0}}, 1'b1};
    if (rst) block_q <= {ADDR_W-4{1'b0}};
end

wire [255:0]      pair      = {128'd0, data1_q} << {addr1_q[3:0], 3'd0};
wire [31:0]       pair_keep = {16'd0, keep1_q} << addr1_q[3:0];
reg               v2_q, last2_q;
reg  [127:0]      even_data_q, odd_data_q;
reg  [15:0]       even_keep_q, odd_keep_q;
reg  [ROW_W-1:0]  even_row_q, odd_row_q;
always @(posedge clk) begin
    v2_q        <= v1_q && !rst;
    last2_q     <= last1_q;
    even_data_q <= addr1_q[4] ? pair[255:128] : pair[127:0];
    odd_data_q  <= addr1_q[4] ? pair[127:0] : pair[255:128];
    even_keep_q <= addr1_q[4] ? pair_keep[31:16] : pair_keep[15:0];
    odd_keep_q  <= addr1_q[4] ? pair_keep[15:0] : pair_keep[31:16];
    even_row_q  <= addr1_q[ADDR_W-1:5] + {{ROW_W-1{1'b0}}, addr1_q[4]};
    odd_row_q   <= addr1_q[ADDR_W-1:5];
    done        <= v2_q && last2_q && !rst;
end

reg  [127:0]      even [0:(1<<ROW_W)-1];
reg  [127:0]      odd  [0:(1<<ROW_W)-1];
reg  [127:0]      even_read, odd_read;
reg               odd_q;
integer i;
always @(posedge clk) begin
    for (i = 0; i < 16; i = i + 1) begin
        if (v2_q && even_keep_q[i]) even[even_row_q][8*i +: 8] <= even_data_q[8*i +: 8];
        if (v2_q && odd_keep_q[i])  odd[odd_row_q][8*i +: 8]   <= odd_data_q[8*i +: 8];
    end
    even_read <= even[rd_addr[ADDR_W-5:1]];
    odd_read  <= odd[rd_addr[ADDR_W-5:1]];
    odd_q     <= rd_addr[0];
end
assign rd_data = odd_q ? odd_read : even_read;

wire unused_ok = &{1'b0, place_room, place_valid};      // at most PARTS are under way
endmodule
`default_nettype wire
