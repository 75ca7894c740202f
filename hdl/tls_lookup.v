// tls_lookup.v - which connection a frame belongs to; keeps the table of connections.
//
// In    s_*      addresses and ports, and what goes along; s_op says what is to be done with them:
//                find; insert at s_id; remove s_id (the answer to these two, and to others, says nothing)
// Out   m_*      in order: found or not, the connection's id, whether it has the same fingerprint
//                without being the same, whether s_id is a connection, and what went along
//       used     the connections of the table
// How   a fingerprint of each connection is compared with all at once; the one that has it is then
//       compared in full. The table takes no two with one fingerprint. A frame a clock, whatever
//       the one before did to the table.
// Spec  docs/receive.md, 1 and 6; CRC-32C of RFC 3720, 12.1.  Model model/lookup.py.
//       5 clocks.
`default_nettype none
module tls_lookup #(
    parameter CONNS  = 64,
    parameter ALONG_W = 64          // bits of what goes along
) (
    input  wire                     clk,
    input  wire                     rst,
    input  wire                     s_valid,
    output wire                     s_ready,
    input  wire [2:0]               s_op,
    input  wire [$clog2(CONNS)-1:0] s_id,
    input  wire                     s_is_v6,
    input  wire [127:0]             s_local_addr,
    input  wire [127:0]             s_remote_addr,
    input  wire [15:0]              s_local_port,
    input  wire [15:0]              s_remote_port,
    input  wire [ALONG_W-1:0]       s_along,
    output wire                     m_valid,
    input  wire                     m_ready,
    output wire                     m_found,
    output wire                     m_collides,
    output wire                     m_there,    // s_id is in the table
    output wire [$clog2(CONNS)-1:0] m_id,
    output wire [ALONG_W-1:0]       m_along,
    output wire [CONNS-1:0]         used
);
localparam ID_W  = $clog2(CONNS);
localparam KEY_W = 1 + 128 + 128 + 16 + 16;
localparam BITS  = 37 * 8;                      // that the fingerprint is of
localparam [31:0] POLY = 32'h82f63b78;          // reflected
`include "tls_ops.vh"           // OP_*

// CRC-32C of so many bytes is linear: bit j of it is the parity of some of their bits. The last bit
// leaves the polynomial behind, and each one before it what that becomes in one more step.
function [BITS-1:0] bits_of_crc(input [4:0] j);
    integer i;
    reg [31:0] left;
    begin
        left = POLY;
        for (i = BITS - 1; i >= 0; i = i - 1) begin
            bits_of_crc[i] = left[j];
            left = (left >> 1) ^ (left[0] ? POLY : 32'd0);
        end
    end
endfunction

wire [KEY_W-1:0] s_key = {s_is_v6, s_local_addr, s_remote_addr, s_local_port, s_remote_port};

// byte 0 in bits 7:0; the first 32 bits inverted, as the CRC begins with ones
wire [BITS-1:0]  bytes = {s_remote_port[7:0], s_remote_port[15:8], s_local_port[7:0],
                          s_local_port[15:8], s_remote_addr, s_local_addr, 7'd0, s_is_v6}
                       ^ {{BITS-32{1'b0}}, {32{1'b1}}};

// the pipeline moves when its end does
reg               v1, v2, v3, v4, v5;
wire              move = !v5 || m_ready;
assign s_ready = move;

reg  [2:0]         op1;
reg  [ID_W-1:0]    id1;
reg  [31:0]        print1;
reg  [KEY_W-1:0]   key1, key2, key3, key4;
reg  [ALONG_W-1:0] along1, along2, along3, along4, along5;
reg  [CONNS-1:0]   match2;
reg  [ID_W-1:0]    id3, id4, id5;
reg                any3, any4, found5, any5;
reg                there2, there3, there4, there5;
reg  [KEY_W-1:0]   stored4;

reg  [31:0]        prints [0:CONNS-1];
reg  [CONNS-1:0]   used_q;
reg  [KEY_W-1:0]   keys [0:CONNS-1];

genvar j;
generate
    for (j = 0; j < 32; j = j + 1) begin : fingerprint
        localparam [4:0] BIT = j;
        localparam [BITS-1:0] OF = bits_of_crc(BIT);
        always @(posedge clk) if (move && s_valid) print1[j] <= ~^(bytes & OF);
    end
endgenerate

integer i;
reg [ID_W-1:0] number;                          // of the one bit in match2
always @* begin
    number = {ID_W{1'b0}};
    for (i = 0; i < CONNS; i = i + 1) number = number | (match2[i] ? i[ID_W-1:0] : {ID_W{1'b0}});
end

integer n;
always @(posedge clk) begin
    if (move) begin
        v1 <= s_valid;
        v2 <= v1;
        v3 <= v2;
        v4 <= v3;
        v5 <= v4;
        if (s_valid) begin                      // 1: fingerprint, above
            op1    <= s_op;
            id1    <= s_id;
            key1   <= s_key;
            along1 <= s_along;
        end
        if (v1) begin                           // 2: who has it
            for (n = 0; n < CONNS; n = n + 1) match2[n] <= used_q[n] && prints[n] == print1;
            there2 <= used_q[id1];
            key2   <= key1;
            along2 <= along1;
            if (op1 == OP_INSERT) begin
                used_q[id1] <= 1'b1;
                prints[id1] <= print1;
                keys[id1]   <= key1;
            end
            if (op1 == OP_REMOVE) used_q[id1] <= 1'b0;
        end
        if (v2) begin                           // 3: its number
            id3    <= number;
            any3   <= (match2 != {CONNS{1'b0}});
            there3 <= there2;
            key3   <= key2;
            along3 <= along2;
        end
        if (v3) begin                           // 4: its addresses and ports
            stored4 <= keys[id3];
            id4     <= id3;
            any4    <= any3;
            there4  <= there3;
            key4    <= key3;
            along4  <= along3;
        end
        if (v4) begin                           // 5: are they the same
            found5  <= any4 && stored4 == key4;
            any5    <= any4;
            there5  <= there4;
            id5     <= id4;
            along5  <= along4;
        end
    end
    if (rst) begin
        {v1, v2, v3, v4, v5} <= 5'd0;
        used_q <= {CONNS{1'b0}};
    end
end

assign m_valid    = v5;
assign m_found    = found5;
assign m_collides = any5 && !found5;
assign m_there    = there5;
assign m_id       = id5;
assign m_along    = along5;
assign used       = used_q;
endmodule
`default_nettype wire
