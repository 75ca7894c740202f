// tls_byte_ram.v - memory written by words of 16 bytes and read from any byte.
//
// In    wr_*     a word and its address, every clock
//       rd_addr  address of a byte, every clock
// Out   rd_data  that byte and the next 15, two clocks later; at the end comes the start again
// How   even and odd words lie in two banks, so that two neighbours can be read at once.
//       A word can be read from the clock after it was written.
// Order byte i of a word is bits 8*i+7 : 8*i.
`default_nettype none
module tls_byte_ram #(
    parameter ADDR_W = 11           // bits of a word's address
) (
    input  wire              clk,
    input  wire              wr_en,
    input  wire [ADDR_W-1:0] wr_addr,
    input  wire [127:0]      wr_data,
    input  wire [ADDR_W+3:0] rd_addr,
    output reg  [127:0]      rd_data
);
reg  [127:0]      even [0:(1<<(ADDR_W-1))-1];
reg  [127:0]      odd  [0:(1<<(ADDR_W-1))-1];
reg  [127:0]      even_q, odd_q;
reg               swap_q;                       // the first of the two is the odd one
reg  [3:0]        shift_q;
wire [ADDR_W-2:0] row      = rd_addr[ADDR_W+3:5];
wire [ADDR_W-2:0] even_row = row + {{ADDR_W-2{1'b0}}, rd_addr[4]};     // a wire of its own, to wrap
wire [255:0]      both = swap_q ? {even_q, odd_q} : {odd_q, even_q};

always @(posedge clk) begin
    if (wr_en && !wr_addr[0]) even[wr_addr[ADDR_W-1:1]] <= wr_data;
    if (wr_en && wr_addr[0])  odd[wr_addr[ADDR_W-1:1]]  <= wr_data;
    even_q  <= even[even_row];
    odd_q   <= odd[row];
    swap_q  <= rd_addr[4];
    shift_q <= rd_addr[3:0];
    rd_data <= both[{1'b0, shift_q, 3'd0} +: 128];
end
endmodule
`default_nettype wire
