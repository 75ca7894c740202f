// tls_aes_subword.v - the AES S-box on the four bytes of a word.
//
// In    a: four bytes.
// Out   y: S-box of each byte, in place, REGS clocks later.
// KIND  how it is built; all kinds give the same bits after the same delay:
//       "TABLE"  indexed constant: fastest to simulate; LUT6 parts
//       "GATES"  Boyar-Peralta logic, cut in the middle when REGS > 0: LUT4 parts, ASIC
//       "BLOCK"   two dual-port ROMs in block memory, REGS >= 1
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
// FIPS 197, table 4: entry 00 first, that is in the highest byte
localparam [2047:0] SBOX = {
    128'h637c777bf26b6fc53001672bfed7ab76, 128'hca82c97dfa5947f0add4a2af9ca472c0,
    128'hb7fd9326363ff7cc34a5e5f171d83115, 128'h04c723c31896059a071280e2eb27b275,
    128'h09832c1a1b6e5aa0523bd6b329e32f84, 128'h53d100ed20fcb15b6acbbe394a4c58cf,
    128'hd0efaafb434d338545f9027f503c9fa8, 128'h51a3408f929d38f5bcb6da2110fff3d2,
    128'hcd0c13ec5f974417c4a77e3d645d1973, 128'h60814fdc222a908846eeb814de5e0bdb,
    128'he0323a0a4906245cc2d3ac629195e479, 128'he7c8376d8dd54ea96c56f4ea657aae08,
    128'hba78252e1ca6b4c6e8dd741f4bbd8b8a, 128'h703eb5664803f60e613557b986c11d9e,
    128'he1f8981169d98e949b1e87e9ce5528df, 128'h8ca1890dbfe6426841992d0fb054bb16};

genvar i;
generate
    if (KIND == "TABLE") begin : table_kind
        wire [31:0] s;
        for (i = 0; i < 4; i = i + 1) begin : byte_of
            assign s[8*i +: 8] = SBOX[{~a[8*i +: 8], 3'b000} +: 8];
        end
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
