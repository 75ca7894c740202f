// tls_csr_counters.v - the counters: 64 bits each in a memory, with one adder for all.
//
// In    count    a pulse for each counter, in any clocks; byte counters add *_bytes with it
//       rd_*     a read: rd_valid and rd_offset stay until rd_ready, rd_data comes with it
// How   pulses gather in a few bits for each counter. A visit moves them to memory: PICK a counter,
//       FETCH it, add to the LOW word, carry to the HIGH one. Visits go round, and every second
//       one is free for a read of a low word, which is a visit itself: what it gives is the count
//       in its FETCH clock, and the high word of that moment is kept for the read that follows.
//       After reset the first round writes zeros and reads wait for it.
// Size  the few bits hold all that can gather in the longest round.
// Spec  docs/registers.md, counters. A low word within 12 clocks, a high word at once.
`default_nettype none
module tls_csr_counters #(
    parameter COUNT_W = 41          // counters: COUNTERS of the map
) (
    input  wire               clk,
    input  wire               rst,
    input  wire [COUNT_W-1:0] count,
    input  wire [15:0]        rx_bytes,
    input  wire [15:0]        tx_bytes,
    input  wire               rd_valid,
    output wire               rd_ready,
    input  wire [11:0]        rd_offset,        // from the first counter, of a word
    output wire [31:0]        rd_data
);
`include "tls_regs.vh"
localparam INDEX_W  = $clog2(COUNTERS);
localparam ROUND    = 2 * 4 * COUNTERS;         // clocks, with a read after each visit
localparam PULSES_W = $clog2(ROUND + 1);        // bits of what gathers in a round
localparam AMOUNT_W = $clog2(ROUND * 65535 + 1);
localparam [1:0] PH_PICK = 2'd0, PH_FETCH = 2'd1, PH_LOW = 2'd2, PH_HIGH = 2'd3;

reg  [1:0]         phase_q;
reg  [INDEX_W-1:0] scan_q;                      // next in the round
reg  [INDEX_W-1:0] index_q;                     // visited
reg                asked_q;                     // by a read
reg                first_q, zero_q;             // first round after reset; this visit is of it
reg  [31:0]        low_q, high_q;
reg                carry_q;
reg  [AMOUNT_W-1:0] amount_q;
wire [AMOUNT_W*COUNTERS-1:0] gathered;

wire               rd_high  = rd_offset[2];
wire [INDEX_W-1:0] rd_index = rd_offset[INDEX_W+2:3];
wire               ask      = rd_valid && !rd_high && !first_q && !asked_q;
wire               last     = (scan_q == COUNTERS - 1);

reg [63:0] total_mem [0:COUNTERS-1];
reg [31:0] kept_mem [0:COUNTERS-1];             // high words, for the read after a low one

assign rd_ready = rd_high ? !first_q && !zero_q : asked_q && (phase_q == PH_PICK);
assign rd_data  = rd_high ? kept_mem[rd_index] : low_q;

always @(posedge clk) begin
    phase_q <= phase_q + 2'd1;
    case (phase_q)
        PH_PICK: begin                          // and the visit before ends
            total_mem[index_q] <= {high_q, low_q};
            if (asked_q || zero_q) kept_mem[index_q] <= high_q;
            asked_q <= ask;
            zero_q  <= first_q;
            index_q <= ask ? rd_index : scan_q;
            if (!ask) scan_q <= last ? {INDEX_W{1'b0}} : scan_q + 1'b1;
            if (!ask && last) first_q <= 1'b0;
        end
        PH_FETCH: begin
            {high_q, low_q} <= zero_q ? 64'd0 : total_mem[index_q];
            amount_q        <= gathered[AMOUNT_W*index_q +: AMOUNT_W];
        end
        PH_LOW:  {carry_q, low_q} <= {1'b0, low_q} + {{33-AMOUNT_W{1'b0}}, amount_q};
        PH_HIGH: high_q <= high_q + {31'd0, carry_q};
    endcase
    if (rst) begin
        phase_q <= PH_PICK;
        scan_q  <= {INDEX_W{1'b0}};
        index_q <= {INDEX_W{1'b0}};
        asked_q <= 1'b0;
        first_q <= 1'b1;
        zero_q  <= 1'b1;
    end
end

genvar g;
generate for (g = 0; g < COUNTERS; g = g + 1) begin : counter
    localparam IS_RX = (g == COUNTER_RX_TLS_DECRYPTED_BYTES);
    localparam IS_TX = (g == COUNTER_TX_TLS_ENCRYPTED_BYTES) || (g == COUNTER_TX_TLS_DUMP_BYTES);
    wire visited = (phase_q == PH_FETCH) && (index_q == g);
    if (IS_RX || IS_TX) begin : bytes
        wire [15:0]         step = IS_RX ? rx_bytes : tx_bytes;
        reg  [AMOUNT_W-1:0] gathered_q;
        always @(posedge clk) begin
            gathered_q <= (visited ? {AMOUNT_W{1'b0}} : gathered_q)
                        + (count[g] ? {{AMOUNT_W-16{1'b0}}, step} : {AMOUNT_W{1'b0}});
            if (rst) gathered_q <= {AMOUNT_W{1'b0}};
        end
        assign gathered[AMOUNT_W*g +: AMOUNT_W] = gathered_q;
    end else begin : pulses
        reg  [PULSES_W-1:0] gathered_q;
        always @(posedge clk) begin
            gathered_q <= (visited ? {PULSES_W{1'b0}} : gathered_q)
                        + {{PULSES_W-1{1'b0}}, count[g]};
            if (rst) gathered_q <= {PULSES_W{1'b0}};
        end
        assign gathered[AMOUNT_W*g +: AMOUNT_W] = {{AMOUNT_W-PULSES_W{1'b0}}, gathered_q};
    end
end endgenerate

wire unused_ok = &{1'b0, rd_offset[11:INDEX_W+3], rd_offset[1:0]};
endmodule
`default_nettype wire
