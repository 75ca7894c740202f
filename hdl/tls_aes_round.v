// tls_aes_round.v - one AES round on a state: SubBytes, ShiftRows, MixColumns, AddRoundKey.
//
// In    state; last: this is the final round, without MixColumns. REGS clocks later (they lie
//       in or behind the S-box): round_key, because only then it is needed. `last` goes with
//       `state`.
// Out   y, REGS clocks after state. No register at the output; the caller places it.
// Order byte 0 of the block is bits 127:120; columns are four bytes each, byte 0 first.
// Spec  FIPS 197, 5.1.  Model model/aes.py.
`default_nettype none
module tls_aes_round #(
    parameter SBOX = "TABLE",       // see tls_aes_subword
    parameter REGS = 2
) (
    input  wire         clk,
    input  wire [127:0] state,
    input  wire         last,
    input  wire [127:0] round_key,
    output wire [127:0] y
);
function [7:0] xtime(input [7:0] b);            // b * x in GF(2^8)
    xtime = {b[6:0], 1'b0} ^ (b[7] ? 8'h1b : 8'h00);
endfunction

wire [127:0] before_key;
assign y = before_key ^ round_key;

genvar c, r;
generate
    if (SBOX == "WORDS") begin : by_words
        for (c = 0; c < 4; c = c + 1) begin : column
            wire [31:0] sub, mixed;
            tls_aes_column both (
                .a({state[127-32*c -: 8], state[119-32*((c+1)%4) -: 8],
                    state[111-32*((c+2)%4) -: 8], state[103-32*((c+3)%4) -: 8]}),
                .sub(sub), .mixed(mixed));
            tls_delay #(.W(32), .N(REGS)) delay (
                .clk(clk), .d(last ? sub : mixed), .q(before_key[127-32*c -: 32]));
        end
    end else begin : by_bytes
        wire [127:0] sub, shifted, mixed;
        wire         last_s;
        for (c = 0; c < 4; c = c + 1) begin : column
            tls_aes_subword #(.KIND(SBOX), .REGS(REGS)) subword (
                .clk(clk), .a(state[127-32*c -: 32]), .y(sub[127-32*c -: 32]));
            for (r = 0; r < 4; r = r + 1) begin : row
                // row r is rotated left by r columns
                assign shifted[127-32*c-8*r -: 8] = sub[127-32*((c+r)%4)-8*r -: 8];
            end
            wire [7:0] b0 = shifted[127-32*c -: 8], b1 = shifted[119-32*c -: 8],
                       b2 = shifted[111-32*c -: 8], b3 = shifted[103-32*c -: 8];
            assign mixed[127-32*c -: 32] = {
                xtime(b0) ^ xtime(b1) ^ b1 ^ b2 ^ b3,
                b0 ^ xtime(b1) ^ xtime(b2) ^ b2 ^ b3,
                b0 ^ b1 ^ xtime(b2) ^ xtime(b3) ^ b3,
                xtime(b0) ^ b0 ^ b1 ^ b2 ^ xtime(b3)};
        end
        tls_delay #(.W(1), .N(REGS)) last_delay (.clk(clk), .d(last), .q(last_s));
        assign before_key = last_s ? shifted : mixed;
    end
endgenerate
endmodule
`default_nettype wire
