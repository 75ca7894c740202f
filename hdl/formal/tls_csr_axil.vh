// tls_csr_axil.vh - properties of tls_csr_axil; tools/formal.py writes them into its end.
//
// Proved  rule 2 of B, R and rd_*: AXI asks the same. Each write is done once and answered once, after
//         it was done, and so is each read: requests and answers do not drift apart.
// How     by induction, unbounded; nothing is assumed of the other side.
reg  f_run_q;                                   // there was a reset
reg [1:0] f_aw_q, f_w_q, f_ar_q;                // taken and not answered
wire f_b = s_axil_bvalid && s_axil_bready;
wire f_r = s_axil_rvalid && s_axil_rready;
initial f_run_q = 1'b0;
always @(posedge clk) begin
    f_run_q <= 1'b1;
    f_aw_q  <= rst ? 2'd0 : f_aw_q + {1'b0, s_axil_awvalid && s_axil_awready} - {1'b0, f_b};
    f_w_q   <= rst ? 2'd0 : f_w_q + {1'b0, s_axil_wvalid && s_axil_wready} - {1'b0, f_b};
    f_ar_q  <= rst ? 2'd0 : f_ar_q + {1'b0, s_axil_arvalid && s_axil_arready} - {1'b0, f_r};
end
always @* if (!f_run_q) assume (rst);
always @* if (f_run_q) begin
    if (s_axil_bvalid) assert (f_aw_q != 2'd0 && f_w_q != 2'd0);
    if (s_axil_rvalid) assert (f_ar_q != 2'd0);
    if (wr_valid) assert (f_aw_q != 2'd0 && f_w_q != 2'd0 && !s_axil_bvalid);
    if (rd_valid) assert (f_ar_q != 2'd0 && !s_axil_rvalid);
    if (f_aw_q == 2'd0) assert (s_axil_awready);
    if (f_w_q == 2'd0)  assert (s_axil_wready);
    if (f_ar_q == 2'd0) assert (s_axil_arready);
end
// ---- invariants ----
always @* if (f_run_q) begin
    assert (f_aw_q == {1'b0, aw_valid_q} + {1'b0, b_valid_q});
    assert (f_w_q == {1'b0, w_valid_q} + {1'b0, b_valid_q});
    assert (f_ar_q == {1'b0, ar_valid_q} + {1'b0, r_valid_q});
end
// ---- end of invariants ----
stream_rules #(.WORD_W(2)) f_bresp (
    .clk(clk), .rst(rst), .valid(s_axil_bvalid), .ready(s_axil_bready), .word(s_axil_bresp));
stream_rules #(.WORD_W(34)) f_rdata (
    .clk(clk), .rst(rst), .valid(s_axil_rvalid), .ready(s_axil_rready),
    .word({s_axil_rdata, s_axil_rresp}));
stream_rules #(.WORD_W(ADDR_W)) f_read (
    .clk(clk), .rst(rst), .valid(rd_valid), .ready(rd_ready), .word(rd_addr));
