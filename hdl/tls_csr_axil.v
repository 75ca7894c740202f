// tls_csr_axil.v - AXI4-Lite on one side, one register access at a time on the other.
//
// In    s_axil   AXI4-Lite; a write's address and data may come in any order
// Out   wr_*     a write, in one clock; wr_bits has a 1 for each bit of a byte to write
//       rd_*     a read: rd_valid and rd_addr stay until rd_ready, and rd_data is taken with it
// Error wr_mapped or rd_mapped low, as there is no register: SLVERR, and a read gives zero
// Order bits 7:0 of a word are the byte at its lowest address; the low two address bits are ignored
// Spec  AMBA AXI (IHI 0022), AXI4-Lite. A write is done before it is answered. Two clocks from
//       request to answer, and a request every two clocks, unless rd_ready waits.
`default_nettype none
module tls_csr_axil #(
    parameter ADDR_W = 12           // bits of an address
) (
    input  wire              clk,
    input  wire              rst,
    // AXI4-Lite
    input  wire [ADDR_W-1:0] s_axil_awaddr,
    input  wire [2:0]        s_axil_awprot,
    input  wire              s_axil_awvalid,
    output wire              s_axil_awready,
    input  wire [31:0]       s_axil_wdata,
    input  wire [3:0]        s_axil_wstrb,
    input  wire              s_axil_wvalid,
    output wire              s_axil_wready,
    output wire [1:0]        s_axil_bresp,
    output wire              s_axil_bvalid,
    input  wire              s_axil_bready,
    input  wire [ADDR_W-1:0] s_axil_araddr,
    input  wire [2:0]        s_axil_arprot,
    input  wire              s_axil_arvalid,
    output wire              s_axil_arready,
    output wire [31:0]       s_axil_rdata,
    output wire [1:0]        s_axil_rresp,
    output wire              s_axil_rvalid,
    input  wire              s_axil_rready,
    // writes
    output wire              wr_valid,
    output wire [ADDR_W-1:0] wr_addr,           // of a word
    output wire [31:0]       wr_data,
    output wire [31:0]       wr_bits,
    input  wire              wr_mapped,
    // reads
    output wire              rd_valid,
    input  wire              rd_ready,
    output wire [ADDR_W-1:0] rd_addr,           // of a word
    input  wire [31:0]       rd_data,
    input  wire              rd_mapped
);
localparam [1:0] OKAY = 2'b00, SLVERR = 2'b10;

// ---- writes ----
reg              aw_valid_q, w_valid_q, b_valid_q;
reg [ADDR_W-1:2] aw_addr_q;
reg [31:0]       w_data_q;
reg [3:0]        w_strb_q;
reg              b_error_q;

assign s_axil_awready = !aw_valid_q;
assign s_axil_wready  = !w_valid_q;
assign s_axil_bvalid  = b_valid_q;
assign s_axil_bresp   = b_error_q ? SLVERR : OKAY;
assign wr_valid = aw_valid_q && w_valid_q && !b_valid_q;
assign wr_addr  = {aw_addr_q, 2'b00};
assign wr_data  = w_data_q;
assign wr_bits  = {{8{w_strb_q[3]}}, {8{w_strb_q[2]}}, {8{w_strb_q[1]}}, {8{w_strb_q[0]}}};

always @(posedge clk) begin
    if (s_axil_bready) b_valid_q <= 1'b0;
    if (s_axil_awvalid && s_axil_awready) begin
        aw_valid_q <= 1'b1;
        aw_addr_q  <= s_axil_awaddr[ADDR_W-1:2];
    end
    if (s_axil_wvalid && s_axil_wready) begin
        w_valid_q <= 1'b1;
        w_data_q  <= s_axil_wdata;
        w_strb_q  <= s_axil_wstrb;
    end
    if (wr_valid) begin
        aw_valid_q <= 1'b0;
        w_valid_q  <= 1'b0;
        b_valid_q  <= 1'b1;
        b_error_q  <= !wr_mapped;
    end
    if (rst) begin
        aw_valid_q <= 1'b0;
        w_valid_q  <= 1'b0;
        b_valid_q  <= 1'b0;
    end
end

// ---- reads ----
reg              ar_valid_q, r_valid_q;
reg [ADDR_W-1:2] ar_addr_q;
reg [31:0]       r_data_q;
reg              r_error_q;

assign s_axil_arready = !ar_valid_q;
assign s_axil_rvalid  = r_valid_q;
assign s_axil_rdata   = r_data_q;
assign s_axil_rresp   = r_error_q ? SLVERR : OKAY;
assign rd_valid = ar_valid_q && !r_valid_q;
assign rd_addr  = {ar_addr_q, 2'b00};

always @(posedge clk) begin
    if (s_axil_rready) r_valid_q <= 1'b0;
    if (s_axil_arvalid && s_axil_arready) begin
        ar_valid_q <= 1'b1;
        ar_addr_q  <= s_axil_araddr[ADDR_W-1:2];
    end
    if (rd_valid && rd_ready) begin
        ar_valid_q <= 1'b0;
        r_valid_q  <= 1'b1;
        r_data_q   <= rd_mapped ? rd_data : 32'd0;
        r_error_q  <= !rd_mapped;
    end
    if (rst) begin
        ar_valid_q <= 1'b0;
        r_valid_q  <= 1'b0;
    end
end

wire unused_ok = &{1'b0, s_axil_awprot, s_axil_arprot, s_axil_awaddr[1:0], s_axil_araddr[1:0]};
endmodule
`default_nettype wire
