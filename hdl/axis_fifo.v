// axis_fifo.v - first-in first-out queue between two streams.
//
// In    s_axis: a word, taken when s_axis_tready is high, that is unless the queue is full.
// Out   m_axis: the same words in the same order.
// BLOCK 0: distributed RAM; a word can leave the clock after it came.
//       1: block RAM with an output register; three clocks after.
//       Either way a word can enter and one leave every clock.
`default_nettype none
module axis_fifo #(
    parameter DATA_W = 8,           // bits of a word
    parameter DEPTH  = 16,          // words, a power of two (BLOCK: two more in the registers)
    parameter BLOCK  = 0
) (
    input  wire              clk,
    input  wire              rst,
    input  wire [DATA_W-1:0] s_axis_tdata,
    input  wire              s_axis_tvalid,
    output wire              s_axis_tready,
    output wire [DATA_W-1:0] m_axis_tdata,
    output wire              m_axis_tvalid,
    input  wire              m_axis_tready
);
localparam A = $clog2(DEPTH);
generate if (DEPTH < 2 || DEPTH != (1 << A)) begin : bad axis_fifo_depth_is_no_power_of_two stop(); end endgenerate

reg  [DATA_W-1:0] mem [0:DEPTH-1];
reg  [A:0] wr_q, rd_q;                          // one bit more than an address
wire [A:0] fill  = wr_q - rd_q;
wire       write = s_axis_tvalid && s_axis_tready;
wire       read;

// full and not empty are registers: what enters and what leaves hangs on them
reg        full_q, some_q;
assign s_axis_tready = !full_q;

always @(posedge clk) begin
    if (write) begin
        mem[wr_q[A-1:0]] <= s_axis_tdata;
        wr_q <= wr_q + 1'b1;
    end
    if (read) rd_q <= rd_q + 1'b1;
    full_q <= !read && (full_q || (write && (&fill[A-1:0])));
    some_q <= write || (some_q && !(read && fill == {{A{1'b0}}, 1'b1}));
    if (rst) begin
        wr_q <= {A+1{1'b0}};
        rd_q <= {A+1{1'b0}};
        full_q <= 1'b0;
        some_q <= 1'b0;
    end
end

generate
    if (BLOCK == 0) begin : distributed
        assign m_axis_tvalid = some_q;
        assign m_axis_tdata  = mem[rd_q[A-1:0]];
        assign read = m_axis_tvalid && m_axis_tready;
    end else begin : block
        reg [DATA_W-1:0] mid_q, out_q;
        reg              mid_valid_q, out_valid_q;
        wire out_room = !out_valid_q || m_axis_tready;
        wire mid_room = !mid_valid_q || out_room;
        assign read = mid_room && some_q;
        assign m_axis_tvalid = out_valid_q;
        assign m_axis_tdata  = out_q;
        always @(posedge clk) begin
            if (read) mid_q <= mem[rd_q[A-1:0]];
            if (out_room) out_q <= mid_q;
            if (mid_room) mid_valid_q <= read;
            if (out_room) out_valid_q <= mid_valid_q;
            if (rst) begin
                mid_valid_q <= 1'b0;
                out_valid_q <= 1'b0;
            end
        end
    end
endgenerate
endmodule
`default_nettype wire
