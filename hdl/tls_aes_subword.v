// tls_aes_subword.v - the AES S-box on the four bytes of a word.
//
// In    a: four bytes.
// Out   y: S-box of each byte, in place, REGS clocks later.
// KIND  how it is built; all kinds give the same bits after the same delay:
//       "TABLE"  indexed constant: LUT6 parts
//       "GATES"  Boyar-Peralta logic, cut in the middle when REGS > 0: LUT4 parts, ASIC
//       "BLOCK"  two dual-port ROMs in block memory, REGS >= 1
//       "WORDS"  tls_aes_column, of which a round takes MixColumns too: for simulation
// Spec  FIPS 197, 5.1.1 (SubBytes), 5.2 (SubWord).  Model model/aes.py.
`default_nettype none
module tls_aes_subword #(
    parameter KIND = "TABLE",
    parameter REGS = 2              // registers inside: 0, 1 or 2
) (
    input  wire        clk,
    input  wire [31:0] a,
    output wire [31:0] y
);
`include "tls_aes_sbox.vh"          // SBOX

genvar i;
generate
    if (KIND == "TABLE") begin : table_kind
        wire [31:0] s;
        for (i = 0; i < 4; i = i + 1) begin : byte_of
            assign s[8*i +: 8] = SBOX[{~a[8*i +: 8], 3'b000} +: 8];
        end
        tls_delay #(.W(32), .N(REGS)) delay (.clk(clk), .d(s), .q(y));
    end else if (KIND == "WORDS") begin : words_kind
        wire [31:0] s, unused_ok;
        tls_aes_column column (.a(a), .sub(s), .mixed(unused_ok));
        tls_delay #(.W(32), .N(REGS)) delay (.clk(clk), .d(s), .q(y));
    end else if (KIND == "GATES") begin : gates_kind
        for (i = 0; i < 4; i = i + 1) begin : byte_of
            tls_aes_sbox_gates #(.REGS(REGS)) sbox (
                .clk(clk), .a(a[8*i +: 8]), .y(y[8*i +: 8]));
        end
    end else if (KIND == "BLOCK" && REGS > 0) begin : bram_kind
        for (i = 0; i < 2; i = i + 1) begin : rom_of
            (* ram_style = "block", rom_style = "block", syn_romstyle = "EBR" *)
            reg [7:0] rom [0:255];
            reg [15:0] q0;
            integer n;
            initial for (n = 0; n < 256; n = n + 1) rom[n] = SBOX[8*(255 - n) +: 8];
            always @(posedge clk) begin
                q0[7:0]  <= rom[a[16*i +: 8]];
                q0[15:8] <= rom[a[16*i+8 +: 8]];
            end
            if (REGS == 1) begin : short
                assign y[16*i +: 16] = q0;
            end else begin : registered
                reg [15:0] q1;
                always @(posedge clk) q1 <= q0;
                assign y[16*i +: 16] = q1;
            end
        end
    end else begin : bad
        tls_aes_subword_has_no_such_kind stop();
    end
endgenerate
generate if (REGS > 2) begin : too_deep tls_aes_subword_regs_is_0_to_2 stop(); end endgenerate
endmodule
`default_nettype wire
