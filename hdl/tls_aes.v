// tls_aes.v - AES encryption: the pipeline, or the small one-round machine, behind the same ports.
//
// In    block, key (256 bits; AES-128 uses the upper half), is256, with s_valid and s_ready.
// Out   the ciphertext, in order, valid for one clock; the taker must be ready.
//       SMALL = 0: s_ready is always high, 15 * ROUND_REGS clocks' delay.
//       SMALL = 1: one block at a time, (11 or 15) * ROUND_REGS clocks.
// Order byte 0 of block and key is the highest byte.
// Spec  FIPS 197.  Model model/aes.py.
`default_nettype none
module tls_aes #(
    parameter SMALL      = 0,
    parameter SBOX       = "TABLE", // see tls_aes_subword
    parameter ROUND_REGS = 3        // registers, or clocks, a round
) (
    input  wire         clk,
    input  wire         rst,
    input  wire         s_valid,
    output wire         s_ready,
    input  wire [127:0] s_block,
    input  wire [255:0] s_key,
    input  wire         s_is256,
    output wire         m_valid,
    output wire [127:0] m_block
);
generate
    if (ROUND_REGS < 1 || ROUND_REGS > 3) begin : bad tls_aes_round_regs_is_1_to_3 stop(); end
    if (SMALL != 0) begin : little
        tls_aes_iter #(.SBOX(SBOX), .ROUND_REGS(ROUND_REGS)) iter (
            .clk(clk), .rst(rst), .s_valid(s_valid), .s_ready(s_ready), .s_block(s_block),
            .s_key(s_key), .s_is256(s_is256), .m_valid(m_valid), .m_block(m_block));
    end else begin : full
        assign s_ready = 1'b1;
        tls_aes_pipe #(.SBOX(SBOX), .ROUND_REGS(ROUND_REGS)) pipe (
            .clk(clk), .rst(rst), .s_valid(s_valid), .s_block(s_block),
            .s_key(s_key), .s_is256(s_is256), .m_valid(m_valid), .m_block(m_block));
    end
endgenerate
endmodule
`default_nettype wire
