// tlsnic.v - the device: registers, and the paths between MAC and host.
//
// In    s_axil     the host's accesses to registers (docs/registers.md)
//       s_axis_rx  frames from the MAC
//       s_axis_tx  frames from the host; tuser is the descriptor (docs/transmit.md, 1)
// Out   m_axis_rx  frames for the host; tuser is the descriptor (docs/receive.md, 4)
//       m_axis_tx  frames for the MAC
//       m_axis_txc completions of transmit (docs/transmit.md, 4)
//       irq        level
// Order byte 0 of a frame is bits 7:0 of its first word.
// Spec  docs/receive.md, docs/transmit.md.  Model model/tlsnic.py.
`default_nettype none
module tlsnic #(
    parameter CONNS      = 64,      // connections each way, a power of two
    parameter WINDOW     = 8,       // open records of a connection, a power of two
    parameter SMALL      = 0,       // these four are the lanes'
    parameter SBOX       = "TABLE",
    parameter MUL        = "GATES",
    parameter ROUND_REGS = 3,
    parameter DOZE       = 0        // 1, for simulation: a path sleeps while it has nothing to do
) (
    input  wire         clk,
    input  wire         rst,
    input  wire [11:0]  s_axil_awaddr,
    input  wire [2:0]   s_axil_awprot,
    input  wire         s_axil_awvalid,
    output wire         s_axil_awready,
    input  wire [31:0]  s_axil_wdata,
    input  wire [3:0]   s_axil_wstrb,
    input  wire         s_axil_wvalid,
    output wire         s_axil_wready,
    output wire [1:0]   s_axil_bresp,
    output wire         s_axil_bvalid,
    input  wire         s_axil_bready,
    input  wire [11:0]  s_axil_araddr,
    input  wire [2:0]   s_axil_arprot,
    input  wire         s_axil_arvalid,
    output wire         s_axil_arready,
    output wire [31:0]  s_axil_rdata,
    output wire [1:0]   s_axil_rresp,
    output wire         s_axil_rvalid,
    input  wire         s_axil_rready,
    output wire         irq,
    input  wire [127:0] s_axis_rx_tdata,
    input  wire [15:0]  s_axis_rx_tkeep,
    input  wire         s_axis_rx_tlast,
    input  wire         s_axis_rx_tvalid,
    output wire         s_axis_rx_tready,
    output wire [127:0] m_axis_rx_tdata,
    output wire [15:0]  m_axis_rx_tkeep,
    output wire         m_axis_rx_tlast,
    output wire [63:0]  m_axis_rx_tuser,
    output wire         m_axis_rx_tvalid,
    input  wire         m_axis_rx_tready,
    input  wire [127:0] s_axis_tx_tdata,
    input  wire [15:0]  s_axis_tx_tkeep,
    input  wire         s_axis_tx_tlast,
    input  wire [31:0]  s_axis_tx_tuser,
    input  wire         s_axis_tx_tvalid,
    output wire         s_axis_tx_tready,
    output wire [127:0] m_axis_tx_tdata,
    output wire [15:0]  m_axis_tx_tkeep,
    output wire         m_axis_tx_tlast,
    output wire         m_axis_tx_tvalid,
    input  wire         m_axis_tx_tready,
    output wire [127:0] m_axis_txc_tdata,
    output wire [63:0]  m_axis_txc_tuser,
    output wire         m_axis_txc_tvalid,
    input  wire         m_axis_txc_tready
);
`include "tls_regs.vh"              // CAPS_*, COUNTERS, DIRECTION_*
localparam MAX_FRAME = 9600;
localparam [31:0] CAPS = (32'd1 << CAPS_AES_128_GCM_LSB) | (32'd1 << CAPS_AES_256_GCM_LSB)
                       | (32'd1 << CAPS_TLS_1_2_LSB) | (32'd1 << CAPS_TLS_1_3_LSB)
                       | (32'd1 << CAPS_RX_LSB) | (32'd1 << CAPS_ORDER_FREE_LSB)
                       | (32'd1 << CAPS_HEADER_SCAN_LSB) | (32'd1 << CAPS_SELF_CONFIRM_LSB)
                       | (32'd1 << CAPS_TX_LSB) | (32'd1 << CAPS_TX_REBUILD_LSB)
                       | (32'd1 << CAPS_TX_SEEK_LSB);

wire                rx_enable, tx_enable, avoid_partials, self_confirm;
wire                cmd_valid, cmd_ready, cmd_direction, cmd_version, cmd_ip_version, cmd_answer;
wire [3:0]          cmd_opcode, rsp_reason;
wire [1:0]          cmd_cipher;
wire [15:0]         cmd_id, cmd_local_port, cmd_remote_port, rsp_id;
wire [127:0]        cmd_local_addr, cmd_remote_addr;
wire [31:0]         cmd_seq;
wire [63:0]         cmd_record;
wire [255:0]        cmd_key;
wire [95:0]         cmd_iv;
wire                rsp_valid, rsp_ready, event_valid, event_ready;
wire [3:0]          event_event;
wire [15:0]         event_id;
wire [31:0]         event_seq, event_records;
wire [COUNTERS-1:0] rx_count, tx_count;
wire [15:0]         rx_bytes, tx_bytes;

// a command goes to its direction; one is under way at a time
wire                is_tx = (cmd_direction == DIRECTION_TX);
wire                rx_cmd_ready, tx_cmd_ready, rx_rsp_valid, tx_rsp_valid;
wire [3:0]          rx_rsp_reason, tx_rsp_reason;
wire [15:0]         rx_rsp_id, tx_rsp_id;
assign cmd_ready  = is_tx ? tx_cmd_ready : rx_cmd_ready;
assign rsp_valid  = rx_rsp_valid || tx_rsp_valid;
assign rsp_reason = tx_rsp_valid ? tx_rsp_reason : rx_rsp_reason;
assign rsp_id     = tx_rsp_valid ? tx_rsp_id : rx_rsp_id;

tls_csr #(
    .CAPS(CAPS), .CAP_CONNECTIONS(CONNS), .CAP_WINDOW(WINDOW), .CAP_KEY_SLOTS(CONNS),
    .CAP_DATA_BYTES(16), .CAP_MAX_FRAME(MAX_FRAME), .CAP_EVENT_DEPTH(16), .COUNT_W(COUNTERS)
) csr (
    .clk(clk), .rst(rst),
    .s_axil_awaddr(s_axil_awaddr), .s_axil_awprot(s_axil_awprot),
    .s_axil_awvalid(s_axil_awvalid), .s_axil_awready(s_axil_awready),
    .s_axil_wdata(s_axil_wdata), .s_axil_wstrb(s_axil_wstrb),
    .s_axil_wvalid(s_axil_wvalid), .s_axil_wready(s_axil_wready),
    .s_axil_bresp(s_axil_bresp), .s_axil_bvalid(s_axil_bvalid), .s_axil_bready(s_axil_bready),
    .s_axil_araddr(s_axil_araddr), .s_axil_arprot(s_axil_arprot),
    .s_axil_arvalid(s_axil_arvalid), .s_axil_arready(s_axil_arready),
    .s_axil_rdata(s_axil_rdata), .s_axil_rresp(s_axil_rresp),
    .s_axil_rvalid(s_axil_rvalid), .s_axil_rready(s_axil_rready), .m_irq(irq),
    .m_rx_enable(rx_enable), .m_tx_enable(tx_enable),
    .m_avoid_partials(avoid_partials), .m_self_confirm(self_confirm),
    .m_cmd_valid(cmd_valid), .m_cmd_ready(cmd_ready), .m_cmd_opcode(cmd_opcode),
    .m_cmd_direction(cmd_direction), .m_cmd_version(cmd_version),
    .m_cmd_ip_version(cmd_ip_version), .m_cmd_answer(cmd_answer), .m_cmd_cipher(cmd_cipher),
    .m_cmd_id(cmd_id), .m_cmd_local_addr(cmd_local_addr), .m_cmd_remote_addr(cmd_remote_addr),
    .m_cmd_local_port(cmd_local_port), .m_cmd_remote_port(cmd_remote_port),
    .m_cmd_seq(cmd_seq), .m_cmd_record(cmd_record), .m_cmd_key(cmd_key), .m_cmd_iv(cmd_iv),
    .s_rsp_valid(rsp_valid), .s_rsp_ready(rsp_ready), .s_rsp_reason(rsp_reason),
    .s_rsp_id(rsp_id),
    .s_event_valid(event_valid), .s_event_ready(event_ready), .s_event_event(event_event),
    .s_event_id(event_id), .s_event_seq(event_seq), .s_event_records(event_records),
    .s_count(rx_count | tx_count), .s_count_rx_bytes(rx_bytes), .s_count_tx_bytes(tx_bytes));

// ---- the paths ----
wire rx_clk, tx_clk;
generate
    if (DOZE != 0) begin : dozing
        tls_doze rx_doze (
            .clk(clk), .rst(rst), .doze_clk(rx_clk),
            .wake(s_axis_rx_tvalid || m_axis_rx_tvalid || (cmd_valid && !is_tx) || rx_rsp_valid));
        tls_doze tx_doze (
            .clk(clk), .rst(rst), .doze_clk(tx_clk),
            .wake(s_axis_tx_tvalid || m_axis_tx_tvalid || m_axis_txc_tvalid || (cmd_valid && is_tx)
                  || tx_rsp_valid));
    end else begin : awake
        assign rx_clk = clk;
        assign tx_clk = clk;
    end
endgenerate

tls_rx #(
    .CONNS(CONNS), .WINDOW(WINDOW), .MAX_FRAME(MAX_FRAME), .COUNT_W(COUNTERS),
    .SMALL(SMALL), .SBOX(SBOX), .MUL(MUL), .ROUND_REGS(ROUND_REGS)
) rx (
    .clk(rx_clk), .rst(rst), .enable(rx_enable), .avoid_partials(avoid_partials),
    .self_confirm(self_confirm),
    .s_axis_tdata(s_axis_rx_tdata), .s_axis_tkeep(s_axis_rx_tkeep),
    .s_axis_tlast(s_axis_rx_tlast), .s_axis_tvalid(s_axis_rx_tvalid),
    .s_axis_tready(s_axis_rx_tready),
    .m_axis_tdata(m_axis_rx_tdata), .m_axis_tkeep(m_axis_rx_tkeep),
    .m_axis_tlast(m_axis_rx_tlast), .m_axis_tuser(m_axis_rx_tuser),
    .m_axis_tvalid(m_axis_rx_tvalid), .m_axis_tready(m_axis_rx_tready),
    .s_cmd_valid(cmd_valid && !is_tx), .s_cmd_ready(rx_cmd_ready), .s_cmd_opcode(cmd_opcode),
    .s_cmd_version(cmd_version),
    .s_cmd_ip_version(cmd_ip_version), .s_cmd_answer(cmd_answer), .s_cmd_cipher(cmd_cipher),
    .s_cmd_id(cmd_id), .s_cmd_local_addr(cmd_local_addr), .s_cmd_remote_addr(cmd_remote_addr),
    .s_cmd_local_port(cmd_local_port), .s_cmd_remote_port(cmd_remote_port),
    .s_cmd_seq(cmd_seq), .s_cmd_record(cmd_record), .s_cmd_key(cmd_key), .s_cmd_iv(cmd_iv),
    .m_rsp_valid(rx_rsp_valid), .m_rsp_ready(rsp_ready), .m_rsp_reason(rx_rsp_reason),
    .m_rsp_id(rx_rsp_id),
    .m_event_valid(event_valid), .m_event_event(event_event), .m_event_id(event_id),
    .m_event_seq(event_seq), .m_event_records(event_records),
    .m_count(rx_count), .m_count_bytes(rx_bytes));

tls_tx #(
    .CONNS(CONNS), .MAX_FRAME(MAX_FRAME), .COUNT_W(COUNTERS),
    .SMALL(SMALL), .SBOX(SBOX), .MUL(MUL), .ROUND_REGS(ROUND_REGS)
) tx (
    .clk(tx_clk), .rst(rst), .enable(tx_enable),
    .s_axis_tdata(s_axis_tx_tdata), .s_axis_tkeep(s_axis_tx_tkeep),
    .s_axis_tlast(s_axis_tx_tlast), .s_axis_tuser(s_axis_tx_tuser),
    .s_axis_tvalid(s_axis_tx_tvalid), .s_axis_tready(s_axis_tx_tready),
    .m_axis_tdata(m_axis_tx_tdata), .m_axis_tkeep(m_axis_tx_tkeep),
    .m_axis_tlast(m_axis_tx_tlast), .m_axis_tvalid(m_axis_tx_tvalid),
    .m_axis_tready(m_axis_tx_tready),
    .m_axis_txc_tdata(m_axis_txc_tdata), .m_axis_txc_tuser(m_axis_txc_tuser),
    .m_axis_txc_tvalid(m_axis_txc_tvalid), .m_axis_txc_tready(m_axis_txc_tready),
    .s_cmd_valid(cmd_valid && is_tx), .s_cmd_ready(tx_cmd_ready), .s_cmd_opcode(cmd_opcode),
    .s_cmd_version(cmd_version), .s_cmd_ip_version(cmd_ip_version), .s_cmd_cipher(cmd_cipher),
    .s_cmd_id(cmd_id), .s_cmd_local_addr(cmd_local_addr), .s_cmd_remote_addr(cmd_remote_addr),
    .s_cmd_local_port(cmd_local_port), .s_cmd_remote_port(cmd_remote_port),
    .s_cmd_seq(cmd_seq), .s_cmd_record(cmd_record), .s_cmd_key(cmd_key), .s_cmd_iv(cmd_iv),
    .m_rsp_valid(tx_rsp_valid), .m_rsp_ready(rsp_ready), .m_rsp_reason(tx_rsp_reason),
    .m_rsp_id(tx_rsp_id),
    .m_count(tx_count), .m_count_bytes(tx_bytes));

wire unused_ok = &{1'b0, event_ready};          // events are always taken
endmodule
`default_nettype wire
