// tls_csr_mailbox.v - the command mailbox: registers in, one command out, its answer back.
//
// In    wr_*     a write to the block of the mailbox
//       s_rsp    the answer to the command; taken only after m_cmd was
// Out   m_cmd    the command, from the doorbell until it is taken; everything a register says
//       rd_data  of rd_addr; answered: one clock, with the answer
// Error a write while a command is under way changes nothing, and CMD_STATUS.ignored tells
// Keys  are not in the read path, and key and IV are zero from the clock after m_cmd was taken
// Order first byte of addresses, key and IV in bits 7:0.
// Spec  docs/registers.md, Command mailbox.
`default_nettype none
module tls_csr_mailbox (
    input  wire         clk,
    input  wire         rst,
    // registers
    input  wire         wr_valid,
    input  wire [11:0]  wr_addr,
    input  wire [31:0]  wr_data,
    input  wire [31:0]  wr_bits,
    input  wire [11:0]  rd_addr,
    output wire [31:0]  rd_data,
    output wire         answered,
    // command
    output wire         m_cmd_valid,
    input  wire         m_cmd_ready,
    output wire [3:0]   m_cmd_opcode,
    output wire         m_cmd_direction,
    output wire         m_cmd_version,
    output wire         m_cmd_ip_version,
    output wire         m_cmd_answer,
    output wire [1:0]   m_cmd_cipher,
    output wire [15:0]  m_cmd_id,
    output wire [127:0] m_cmd_local_addr,
    output wire [127:0] m_cmd_remote_addr,
    output wire [15:0]  m_cmd_local_port,
    output wire [15:0]  m_cmd_remote_port,
    output wire [31:0]  m_cmd_seq,
    output wire [63:0]  m_cmd_record,
    output wire [255:0] m_cmd_key,
    output wire [95:0]  m_cmd_iv,
    // answer
    input  wire         s_rsp_valid,
    output wire         s_rsp_ready,
    input  wire [3:0]   s_rsp_reason,
    input  wire [15:0]  s_rsp_id
);
`include "tls_regs.vh"
// places of words in the block
localparam
    I_OP     = (ADDR_CMD_OP          - BLOCK_COMMAND_FIRST) / 4,
    I_ID     = (ADDR_CMD_CONNECTION  - BLOCK_COMMAND_FIRST) / 4,
    I_LOCAL  = (ADDR_CMD_LOCAL_ADDR  - BLOCK_COMMAND_FIRST) / 4,
    I_REMOTE = (ADDR_CMD_REMOTE_ADDR - BLOCK_COMMAND_FIRST) / 4,
    I_PORTS  = (ADDR_CMD_PORTS       - BLOCK_COMMAND_FIRST) / 4,
    I_SEQ    = (ADDR_CMD_SEQ         - BLOCK_COMMAND_FIRST) / 4,
    I_RECORD = (ADDR_CMD_RECORD_LO   - BLOCK_COMMAND_FIRST) / 4,
    I_KEY    = (ADDR_CMD_KEY         - BLOCK_COMMAND_FIRST) / 4,
    I_IV     = (ADDR_CMD_IV          - BLOCK_COMMAND_FIRST) / 4,
    WORDS    = (ADDR_CMD_DOORBELL    - BLOCK_COMMAND_FIRST) / 4;
localparam [1:0]
    ST_IDLE  = 2'd0,                            // the host fills the mailbox
    ST_OFFER = 2'd1,                            // m_cmd waits to be taken
    ST_WAIT  = 2'd2;                            // the answer is not there yet

reg  [1:0]  state_q;
reg         done_q, ignored_q;
reg  [3:0]  reason_q;
reg  [15:0] id_q;
wire [32*WORDS-1:0] words;

wire idle  = (state_q == ST_IDLE);
wire ring  = wr_valid && (wr_addr == ADDR_CMD_DOORBELL) &&
             wr_data[CMD_DOORBELL_START_LSB] && wr_bits[CMD_DOORBELL_START_LSB];
wire fill  = wr_valid && (wr_addr < ADDR_CMD_DOORBELL) && (wr_bits != 32'd0);
wire taken = m_cmd_valid && m_cmd_ready;

assign m_cmd_valid = (state_q == ST_OFFER);
assign s_rsp_ready = (state_q == ST_WAIT);
assign answered    = s_rsp_valid && s_rsp_ready;

always @(posedge clk) begin
    case (state_q)
        ST_IDLE: if (ring) begin
            state_q   <= ST_OFFER;
            done_q    <= 1'b0;
            ignored_q <= 1'b0;
        end
        ST_OFFER: if (m_cmd_ready) state_q <= ST_WAIT;
        default: if (s_rsp_valid) begin         // ST_WAIT
            state_q  <= ST_IDLE;
            done_q   <= 1'b1;
            reason_q <= s_rsp_reason;
            id_q     <= s_rsp_id;
        end
    endcase
    if ((ring || fill) && !idle) ignored_q <= 1'b1;
    if (rst) begin
        state_q   <= ST_IDLE;
        done_q    <= 1'b0;
        ignored_q <= 1'b0;
        reason_q  <= REASON_OK;
        id_q      <= 16'd0;
    end
end

// ---- the words, one register each ----
wire [11:0] wr_index = (wr_addr - BLOCK_COMMAND_FIRST) >> 2;
genvar g;
generate for (g = 0; g < WORDS; g = g + 1) begin : word
    localparam [31:0] MASK = (g == I_OP) ? CMD_OP_MASK
                           : (g == I_ID) ? CMD_CONNECTION_MASK : 32'hffff_ffff;
    localparam        SECRET = (g >= I_KEY);
    wire [31:0] bits = wr_bits & MASK;
    reg  [31:0] word_q;
    always @(posedge clk) begin
        if (fill && idle && wr_index == g) word_q <= (word_q & ~bits) | (wr_data & bits);
        if (rst || (SECRET && taken)) word_q <= 32'd0;
    end
    assign words[32*g +: 32] = word_q;
end endgenerate

wire [31:0] op = words[32*I_OP +: 32];
assign m_cmd_opcode      = op[CMD_OP_OPCODE_LSB +: CMD_OP_OPCODE_W];
assign m_cmd_direction   = op[CMD_OP_DIRECTION_LSB];
assign m_cmd_version     = op[CMD_OP_VERSION_LSB];
assign m_cmd_ip_version  = op[CMD_OP_IP_VERSION_LSB];
assign m_cmd_answer      = op[CMD_OP_ANSWER_LSB];
assign m_cmd_cipher      = op[CMD_OP_CIPHER_LSB +: CMD_OP_CIPHER_W];
assign m_cmd_id          = words[32*I_ID + CMD_CONNECTION_ID_LSB +: CMD_CONNECTION_ID_W];
assign m_cmd_local_addr  = words[32*I_LOCAL +: 32*CMD_LOCAL_ADDR_WORDS];
assign m_cmd_remote_addr = words[32*I_REMOTE +: 32*CMD_REMOTE_ADDR_WORDS];
assign m_cmd_local_port  = words[32*I_PORTS + CMD_PORTS_LOCAL_LSB +: CMD_PORTS_LOCAL_W];
assign m_cmd_remote_port = words[32*I_PORTS + CMD_PORTS_REMOTE_LSB +: CMD_PORTS_REMOTE_W];
assign m_cmd_seq         = words[32*I_SEQ +: 32];
assign m_cmd_record      = words[32*I_RECORD +: 64];
assign m_cmd_key         = words[32*I_KEY +: 32*CMD_KEY_WORDS];
assign m_cmd_iv          = words[32*I_IV +: 32*CMD_IV_WORDS];

// ---- reads: what comes before the key, and the status ----
wire [32*I_KEY-1:0] readable = words[32*I_KEY-1:0];
wire [11:0]         rd_index = (rd_addr - BLOCK_COMMAND_FIRST) >> 2;
reg  [31:0]         status;
always @* begin
    status = 32'd0;
    status[CMD_STATUS_BUSY_LSB]                            = !idle;
    status[CMD_STATUS_DONE_LSB]                            = done_q;
    status[CMD_STATUS_IGNORED_LSB]                         = ignored_q;
    status[CMD_STATUS_REASON_LSB +: CMD_STATUS_REASON_W]   = reason_q;
    status[CMD_STATUS_ID_LSB +: CMD_STATUS_ID_W]           = id_q;
end
assign rd_data = (rd_addr == ADDR_CMD_STATUS) ? status
               : (rd_index < I_KEY)           ? readable[32*rd_index +: 32] : 32'd0;
endmodule
`default_nettype wire
