// tls_csr.v - control and status registers: what the host sees of the device.
//
// In    s_axil   the host's accesses
//       s_rsp    answer to a command;  s_event  a question or news for the host
//       s_count  one pulse a counter, by its index; the byte counters add s_count_*_bytes with it
// Out   m_cmd    a command;  m_irq  level, high while an enabled bit of IRQ_STATUS is 1
//       m_*      switches of CTRL
// Error where there is no register: SLVERR. A command or an event too many is flagged, not taken.
// How   the bus side, then one module a block; small blocks are here. Addresses, fields and
//       encodings come from the register map alone (tls_regs.vh).
// Order bits 7:0 of a word are the byte at its lowest address; first byte of addresses, key and IV
//       in bits 7:0.
// Spec  docs/registers.md.
`default_nettype none
module tls_csr #(
    parameter [31:0] CAPS            = 32'd0,   // bits as in the register, and so on
    parameter [31:0] CAP_CONNECTIONS = 32'd64,
    parameter [31:0] CAP_WINDOW      = 32'd8,
    parameter [31:0] CAP_KEY_SLOTS   = 32'd64,
    parameter [31:0] CAP_DATA_BYTES  = 32'd16,
    parameter [31:0] CAP_MAX_FRAME   = 32'd2048,
    parameter [31:0] CAP_EVENT_DEPTH = 32'd16,  // a power of two
    parameter        COUNT_W         = 41       // bits of s_count: COUNTERS of the map
) (
    input  wire               clk,
    input  wire               rst,
    // AXI4-Lite
    input  wire [11:0]        s_axil_awaddr,
    input  wire [2:0]         s_axil_awprot,
    input  wire               s_axil_awvalid,
    output wire               s_axil_awready,
    input  wire [31:0]        s_axil_wdata,
    input  wire [3:0]         s_axil_wstrb,
    input  wire               s_axil_wvalid,
    output wire               s_axil_wready,
    output wire [1:0]         s_axil_bresp,
    output wire               s_axil_bvalid,
    input  wire               s_axil_bready,
    input  wire [11:0]        s_axil_araddr,
    input  wire [2:0]         s_axil_arprot,
    input  wire               s_axil_arvalid,
    output wire               s_axil_arready,
    output wire [31:0]        s_axil_rdata,
    output wire [1:0]         s_axil_rresp,
    output wire               s_axil_rvalid,
    input  wire               s_axil_rready,
    output wire               m_irq,
    // switches
    output wire               m_rx_enable,
    output wire               m_tx_enable,
    output wire               m_avoid_partials,
    output wire               m_self_confirm,
    // commands
    output wire               m_cmd_valid,
    input  wire               m_cmd_ready,
    output wire [3:0]         m_cmd_opcode,
    output wire               m_cmd_direction,
    output wire               m_cmd_version,
    output wire               m_cmd_ip_version,
    output wire               m_cmd_answer,
    output wire [1:0]         m_cmd_cipher,
    output wire [15:0]        m_cmd_id,
    output wire [127:0]       m_cmd_local_addr,
    output wire [127:0]       m_cmd_remote_addr,
    output wire [15:0]        m_cmd_local_port,
    output wire [15:0]        m_cmd_remote_port,
    output wire [31:0]        m_cmd_seq,
    output wire [63:0]        m_cmd_record,
    output wire [255:0]       m_cmd_key,
    output wire [95:0]        m_cmd_iv,
    input  wire               s_rsp_valid,
    output wire               s_rsp_ready,
    input  wire [3:0]         s_rsp_reason,
    input  wire [15:0]        s_rsp_id,
    // events
    input  wire               s_event_valid,
    output wire               s_event_ready,
    input  wire [3:0]         s_event_event,
    input  wire [15:0]        s_event_id,
    input  wire [31:0]        s_event_seq,
    input  wire [31:0]        s_event_records,
    // counters
    input  wire [COUNT_W-1:0] s_count,
    input  wire [15:0]        s_count_rx_bytes,
    input  wire [15:0]        s_count_tx_bytes
);
`include "tls_regs.vh"
generate if (COUNT_W != COUNTERS) begin : bad tls_csr_count_w_is_not_that_of_the_map stop(); end endgenerate

// ---- bus ----
wire        wr_valid, rd_valid, rd_ready;
wire [11:0] wr_addr, rd_addr;
wire [31:0] wr_data, wr_bits;
reg  [31:0] rd_data;

function mapped(input [11:0] addr);             // blocks have no holes
    mapped = (addr <= BLOCK_IDENTITY_LAST)
          || (addr >= BLOCK_CAPABILITIES_FIRST && addr <= BLOCK_CAPABILITIES_LAST)
          || (addr >= BLOCK_CONTROL_FIRST      && addr <= BLOCK_CONTROL_LAST)
          || (addr >= BLOCK_COMMAND_FIRST      && addr <= BLOCK_COMMAND_LAST)
          || (addr >= BLOCK_EVENTS_FIRST       && addr <= BLOCK_EVENTS_LAST)
          || (addr >= BLOCK_COUNTERS_FIRST     && addr <= BLOCK_COUNTERS_LAST);
endfunction

tls_csr_axil #(.ADDR_W(CSR_ADDR_W)) axil (
    .clk(clk), .rst(rst),
    .s_axil_awaddr(s_axil_awaddr), .s_axil_awprot(s_axil_awprot),
    .s_axil_awvalid(s_axil_awvalid), .s_axil_awready(s_axil_awready),
    .s_axil_wdata(s_axil_wdata), .s_axil_wstrb(s_axil_wstrb),
    .s_axil_wvalid(s_axil_wvalid), .s_axil_wready(s_axil_wready),
    .s_axil_bresp(s_axil_bresp), .s_axil_bvalid(s_axil_bvalid), .s_axil_bready(s_axil_bready),
    .s_axil_araddr(s_axil_araddr), .s_axil_arprot(s_axil_arprot),
    .s_axil_arvalid(s_axil_arvalid), .s_axil_arready(s_axil_arready),
    .s_axil_rdata(s_axil_rdata), .s_axil_rresp(s_axil_rresp),
    .s_axil_rvalid(s_axil_rvalid), .s_axil_rready(s_axil_rready),
    .wr_valid(wr_valid), .wr_addr(wr_addr), .wr_data(wr_data), .wr_bits(wr_bits),
    .wr_mapped(mapped(wr_addr)),
    .rd_valid(rd_valid), .rd_ready(rd_ready), .rd_addr(rd_addr), .rd_data(rd_data),
    .rd_mapped(mapped(rd_addr)));

wire wr_command  = (wr_addr >= BLOCK_COMMAND_FIRST  && wr_addr <= BLOCK_COMMAND_LAST);
wire rd_command  = (rd_addr >= BLOCK_COMMAND_FIRST  && rd_addr <= BLOCK_COMMAND_LAST);
wire rd_events   = (rd_addr >= BLOCK_EVENTS_FIRST   && rd_addr <= BLOCK_EVENTS_LAST);
wire rd_counters = (rd_addr >= BLOCK_COUNTERS_FIRST && rd_addr <= BLOCK_COUNTERS_LAST);

// ---- blocks ----
wire [31:0] command_data, events_data, counters_data;
wire        answered, lost, some_event, counters_ready;
reg  [31:0] ctrl_q, status_q, enable_q, scratch_q;

tls_csr_mailbox mailbox (
    .clk(clk), .rst(rst),
    .wr_valid(wr_valid && wr_command), .wr_addr(wr_addr), .wr_data(wr_data), .wr_bits(wr_bits),
    .rd_addr(rd_addr), .rd_data(command_data), .answered(answered),
    .m_cmd_valid(m_cmd_valid), .m_cmd_ready(m_cmd_ready), .m_cmd_opcode(m_cmd_opcode),
    .m_cmd_direction(m_cmd_direction), .m_cmd_version(m_cmd_version),
    .m_cmd_ip_version(m_cmd_ip_version), .m_cmd_answer(m_cmd_answer),
    .m_cmd_cipher(m_cmd_cipher), .m_cmd_id(m_cmd_id), .m_cmd_local_addr(m_cmd_local_addr),
    .m_cmd_remote_addr(m_cmd_remote_addr), .m_cmd_local_port(m_cmd_local_port),
    .m_cmd_remote_port(m_cmd_remote_port), .m_cmd_seq(m_cmd_seq), .m_cmd_record(m_cmd_record),
    .m_cmd_key(m_cmd_key), .m_cmd_iv(m_cmd_iv),
    .s_rsp_valid(s_rsp_valid), .s_rsp_ready(s_rsp_ready), .s_rsp_reason(s_rsp_reason),
    .s_rsp_id(s_rsp_id));

tls_csr_events #(.DEPTH(CAP_EVENT_DEPTH)) events (
    .clk(clk), .rst(rst),
    .s_event_valid(s_event_valid), .s_event_ready(s_event_ready), .s_event_event(s_event_event),
    .s_event_id(s_event_id), .s_event_seq(s_event_seq), .s_event_records(s_event_records),
    .rd_done(rd_valid && rd_ready), .rd_addr(rd_addr), .rd_data(events_data),
    .lost_before(status_q[IRQ_STATUS_EVENT_LOST_LSB]), .lost(lost), .some(some_event));

reg [COUNT_W-1:0] count;
always @* begin
    count = s_count;
    if (lost) count[COUNTER_EVENT_LOST] = 1'b1;
end
tls_csr_counters #(.COUNT_W(COUNT_W)) counters (
    .clk(clk), .rst(rst),
    .count(count), .rx_bytes(s_count_rx_bytes), .tx_bytes(s_count_tx_bytes),
    .rd_valid(rd_valid && rd_counters), .rd_ready(counters_ready),
    .rd_offset(rd_addr - BLOCK_COUNTERS_FIRST), .rd_data(counters_data));

// ---- control ----
wire [31:0] wr_ones  = wr_data & wr_bits;
reg  [31:0] status_set, status_clear;
always @* begin
    status_set = 32'd0;
    status_set[IRQ_STATUS_COMMAND_DONE_LSB]    = answered;
    status_set[IRQ_STATUS_EVENT_AVAILABLE_LSB] = some_event;
    status_set[IRQ_STATUS_EVENT_LOST_LSB]      = lost;
    status_clear = (wr_valid && wr_addr == ADDR_IRQ_STATUS) ? wr_ones : 32'd0;
end

reg irq_q;
always @(posedge clk) begin
    if (wr_valid && wr_addr == ADDR_CTRL)
        ctrl_q <= (ctrl_q & ~wr_bits) | (wr_ones & CTRL_MASK);
    if (wr_valid && wr_addr == ADDR_IRQ_ENABLE)
        enable_q <= (enable_q & ~wr_bits) | (wr_ones & IRQ_ENABLE_MASK);
    if (wr_valid && wr_addr == ADDR_SCRATCH)
        scratch_q <= (scratch_q & ~wr_bits) | wr_ones;
    status_q <= (status_q & ~status_clear) | status_set;
    irq_q    <= |(status_q & enable_q);
    if (rst) begin
        ctrl_q    <= CTRL_RESET;
        status_q  <= IRQ_STATUS_RESET;
        enable_q  <= IRQ_ENABLE_RESET;
        scratch_q <= SCRATCH_RESET;
        irq_q     <= 1'b0;
    end
end

assign m_irq            = irq_q;
assign m_rx_enable      = ctrl_q[CTRL_RX_ENABLE_LSB];
assign m_tx_enable      = ctrl_q[CTRL_TX_ENABLE_LSB];
assign m_avoid_partials = ctrl_q[CTRL_AVOID_PARTIALS_LSB];
assign m_self_confirm   = ctrl_q[CTRL_SELF_CONFIRM_LSB];

// ---- reads ----
assign rd_ready = rd_counters ? counters_ready : 1'b1;
always @* begin
    case (rd_addr)
        ADDR_ID:              rd_data = ID_RESET;
        ADDR_VERSION:         rd_data = VERSION_RESET;
        ADDR_CAPS:            rd_data = CAPS & CAPS_MASK;
        ADDR_CAP_CONNECTIONS: rd_data = CAP_CONNECTIONS;
        ADDR_CAP_WINDOW:      rd_data = CAP_WINDOW;
        ADDR_CAP_KEY_SLOTS:   rd_data = CAP_KEY_SLOTS;
        ADDR_CAP_DATA_BYTES:  rd_data = CAP_DATA_BYTES;
        ADDR_CAP_MAX_FRAME:   rd_data = CAP_MAX_FRAME;
        ADDR_CAP_EVENT_DEPTH: rd_data = CAP_EVENT_DEPTH;
        ADDR_CTRL:            rd_data = ctrl_q;
        ADDR_IRQ_STATUS:      rd_data = status_q;
        ADDR_IRQ_ENABLE:      rd_data = enable_q;
        ADDR_SCRATCH:         rd_data = scratch_q;
        default:
            rd_data = rd_command ? command_data : rd_events ? events_data : counters_data;
    endcase
end
endmodule
`default_nettype wire
