// tls_csr_events.v - the event queue and its registers.
//
// In    s_event  an event; always taken, so that no datapath waits for the host
//       rd_*     rd_done: the read of rd_addr is answered in this clock with rd_data
//       lost_before  the host has not seen yet that one was lost
// Out   some     an event waits; its words read zero when none does
// Error lost: one clock, for an event that found the queue full; those before it stay
// Spec  docs/registers.md, Event queue. An event can be read the clock after it came.
`default_nettype none
module tls_csr_events #(
    parameter DEPTH = 16            // events, a power of two
) (
    input  wire        clk,
    input  wire        rst,
    input  wire        s_event_valid,
    output wire        s_event_ready,
    input  wire [3:0]  s_event_event,
    input  wire [15:0] s_event_id,
    input  wire [31:0] s_event_seq,
    input  wire [31:0] s_event_records,
    input  wire        rd_done,
    input  wire [11:0] rd_addr,
    output reg  [31:0] rd_data,
    input  wire        lost_before,             // for EVENT_STATUS: kept by IRQ_STATUS
    output wire        lost,
    output wire        some
);
`include "tls_regs.vh"

wire        room;
wire [3:0]  event_;
wire [15:0] id;
wire [31:0] seq, records;
wire        pop = rd_done && some && (rd_addr == ADDR_EVENT_RECORDS);

assign s_event_ready = 1'b1;
assign lost          = s_event_valid && !room;

axis_fifo #(.DATA_W(84), .DEPTH(DEPTH)) queue (
    .clk(clk), .rst(rst),
    .s_axis_tdata({s_event_event, s_event_id, s_event_seq, s_event_records}),
    .s_axis_tvalid(s_event_valid), .s_axis_tready(room),
    .m_axis_tdata({event_, id, seq, records}),
    .m_axis_tvalid(some), .m_axis_tready(pop));

reg [EVENT_STATUS_WAITING_W-1:0] waiting_q;
always @(posedge clk) begin
    if (s_event_valid && room && !pop)   waiting_q <= waiting_q + 1'b1;
    if (!(s_event_valid && room) && pop) waiting_q <= waiting_q - 1'b1;
    if (rst) waiting_q <= {EVENT_STATUS_WAITING_W{1'b0}};
end

always @* begin
    rd_data = 32'd0;
    case (rd_addr)
        ADDR_EVENT_STATUS: begin
            rd_data[EVENT_STATUS_WAITING_LSB +: EVENT_STATUS_WAITING_W] = waiting_q;
            rd_data[EVENT_STATUS_LOST_LSB]                              = lost_before;
        end
        ADDR_EVENT_TYPE: if (some) begin
            rd_data[EVENT_TYPE_EVENT_LSB +: EVENT_TYPE_EVENT_W] = event_;
            rd_data[EVENT_TYPE_ID_LSB +: EVENT_TYPE_ID_W]       = id;
        end
        ADDR_EVENT_SEQ:     if (some) rd_data = seq;
        ADDR_EVENT_RECORDS: if (some) rd_data = records;
        default: ;
    endcase
end
endmodule
`default_nettype wire
