// tls_aes_column.v - SubBytes and MixColumns of one column from one table: for simulation.
//
// In    a: the column's four bytes as ShiftRows leaves them, byte 0 highest.
// Out   sub: S-box of each byte; mixed: MixColumns of that. No registers.
// Why   each byte adds to the mixed column its S-box value times 2, 1, 1 and 3, turned to its row.
//       The table has these four bytes as a word for each byte: a processor reads it in one step,
//       where the arithmetic takes it ten times as many. Hardware would get a large ROM.
// Spec  FIPS 197, 5.1.1, 5.1.3.  Model model/aes.py.
`default_nettype none
module tls_aes_column (
    input  wire [31:0] a,
    output wire [31:0] sub,
    output wire [31:0] mixed
);
`include "tls_aes_sbox.vh"          // SBOX

function [8191:0] share_of_all(input unused);   // entry 00 lowest
    integer n;
    reg [7:0] s, twice;
    for (n = 0; n < 256; n = n + 1) begin
        s     = SBOX[8*(255 - n) +: 8];
        twice = {s[6:0], 1'b0} ^ (s[7] ? 8'h1b : 8'h00);
        share_of_all[32*n +: 32] = {twice, s, s, twice ^ s};
    end
endfunction
localparam [8191:0] SHARE = share_of_all(1'b0);

wire [31:0] s0 = SHARE[{a[31:24], 5'd0} +: 32], s1 = SHARE[{a[23:16], 5'd0} +: 32],
            s2 = SHARE[{a[15:8],  5'd0} +: 32], s3 = SHARE[{a[7:0],   5'd0} +: 32];
// masks and shifts, as Verilator would read the table once more for every part of a word
assign sub   = (s0 << 8 & 32'hff000000) | (s1 & 32'h00ff0000)
             | (s2 & 32'h0000ff00)      | (s3 >> 8 & 32'h000000ff);
assign mixed = s0 ^ (s1 >> 8 | s1 << 24) ^ (s2 >> 16 | s2 << 16) ^ (s3 >> 24 | s3 << 8);
endmodule
`default_nettype wire
