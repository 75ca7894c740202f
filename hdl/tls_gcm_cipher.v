// tls_gcm_cipher.v - beats of the lane through AES: keystream, XOR, and what GHASH is to see.
//
// In    s_*      a beat from tls_gcm_issue; waits only while the small AES is busy
//       key, iv, is256, usable   of key_slot, two clocks after it (key_en moves them)
// Out   h_*      H for the key installation
//       m_text_* block of text with its place, for one clock, in order (no ready: room is counted)
//       m_*      block for GHASH, for one clock; power_addr goes out a clock before it and the
//                power comes a clock after it, which is when tls_gcm_sums hashes it
// Error no key, or a bad part: text is zero, m_error tells.
// How   the block waits while its counter block is in the AES: in a queue when the AES is small, else
//       in a ring of memory for as many clocks as the AES takes, which needs no enable.
// Order byte 0 is the highest byte; bit i of keep is byte i.
// Spec  SP 800-38D, 6.5, 7.1.  Model model/gcm.py.
`default_nettype none
module tls_gcm_cipher #(
    parameter SLOT_W     = 6,       // bits of a key slot's number
    parameter ID_W       = 8,       // bits of a part's name
    parameter DEPTH      = 64,      // beats in the AES at most
    parameter SMALL      = 0,
    parameter SBOX       = "TABLE", // see tls_aes_subword
    parameter ROUND_REGS = 3
) (
    input  wire              clk,
    input  wire              rst,
    // beats
    input  wire              s_valid,
    output wire              s_ready,
    input  wire [SLOT_W-1:0] s_slot,
    input  wire              s_is_h,
    input  wire [63:0]       s_nonce,
    input  wire [11:0]       s_count,
    input  wire              s_is_text,
    input  wire              s_is_tag,
    input  wire              s_decrypt,
    input  wire [127:0]      s_data,
    input  wire [15:0]       s_keep,
    input  wire              s_text_end,
    input  wire [2:0]        s_owed,
    input  wire [1:0]        s_index,
    input  wire              s_early,
    input  wire              s_inject,
    input  wire [10:0]       s_k,
    input  wire [ID_W-1:0]   s_id,
    input  wire              s_bad,
    // its key
    output wire              key_en,
    output wire [SLOT_W-1:0] key_slot,
    input  wire [255:0]      key,
    input  wire [95:0]       iv,
    input  wire              is256,
    input  wire              usable,
    // H
    output wire              h_done,
    output wire [127:0]      h_block,
    // text
    output reg               m_text_valid,
    output reg  [127:0]      m_text,
    output reg  [15:0]       m_text_keep,
    output reg               m_text_end,
    // GHASH
    output wire [SLOT_W+3:0] power_addr,
    output reg               m_valid,
    output reg  [127:0]      m_x,
    output reg  [127:0]      m_add,
    output reg  [2:0]        m_owed,
    output reg  [1:0]        m_index,
    output reg               m_early,
    output reg               m_inject,
    output reg  [10:0]       m_k,
    output reg  [SLOT_W-1:0] m_slot,
    output reg  [ID_W-1:0]   m_id,
    output reg  [1:0]        m_error
);
localparam [1:0] ERROR_NONE = 2'd0, ERROR_NO_KEY = 2'd1, ERROR_BAD_PART = 2'd2;

// ---- two clocks for the key's memory; all waits when the small AES is busy ----
// A clock before them for the slot's number to travel, but not where it could wait: a beat must
// read its key before an installation that comes behind it.
localparam BESIDE_W = 1 + SLOT_W + 3 + 16 + 1 + 3 + 2 + 2 + 11 + ID_W + 1 + 128;
localparam FRONT_W  = 1 + 64 + 12 + BESIDE_W;
wire                aes_ready;
reg                 valid1_q, valid2_q, is_h1_q, is_h2_q, first1_q, first2_q;
reg  [63:0]         nonce1_q, nonce2_q;
reg  [11:0]         count1_q, count2_q;
reg  [BESIDE_W-1:0] beside1_q, beside2_q;
wire                move = aes_ready || !valid2_q;

wire                valid0;
wire [FRONT_W-1:0]  front0;
wire                is_h0;
wire [63:0]         nonce0;
wire [11:0]         count0;
wire [BESIDE_W-1:0] beside0;
wire [FRONT_W-1:0]  front = {
    s_is_h, s_nonce, s_count,
    s_is_h, s_slot, s_is_text, s_is_tag, s_is_text && !s_decrypt, s_keep, s_text_end, s_owed,
    s_index, s_early, s_inject, s_k, s_id, s_bad, s_data};
generate
    if (SMALL != 0) begin : at_once
        assign valid0 = s_valid;
        assign front0 = front;
    end else begin : travel
        reg               valid0_q;
        reg [FRONT_W-1:0] front0_q;
        always @(posedge clk) begin
            valid0_q <= s_valid && !rst;
            front0_q <= front;
        end
        assign valid0 = valid0_q;
        assign front0 = front0_q;
    end
endgenerate
assign {is_h0, nonce0, count0, beside0} = front0;
wire       early0 = beside0[128 + 1 + ID_W + 11 + 1];
wire [1:0] index0 = beside0[128 + 1 + ID_W + 11 + 2 +: 2];

assign s_ready  = move;
assign key_en   = move;
assign key_slot = beside0[BESIDE_W-2 -: SLOT_W];
always @(posedge clk) begin
    if (move) begin
        valid1_q  <= valid0;
        is_h1_q   <= is_h0;
        nonce1_q  <= nonce0;
        count1_q  <= count0;
        first1_q  <= early0 && index0 == 2'd0;
        beside1_q <= beside0;
        valid2_q  <= valid1_q;
        is_h2_q   <= is_h1_q;
        nonce2_q  <= nonce1_q;
        count2_q  <= count1_q;
        first2_q  <= first1_q;
        beside2_q <= beside1_q;
    end
    if (rst) begin
        valid1_q <= 1'b0;
        valid2_q <= 1'b0;
    end
end

// a part whose first beat found no key has none to its end, even if one is installed meanwhile
reg  usable_q;
wire have_key = first2_q ? usable : usable_q;
wire bad2     = beside2_q[128];
wire [1:0] error2 = bad2 ? ERROR_BAD_PART : have_key ? ERROR_NONE : ERROR_NO_KEY;
always @(posedge clk) if (valid2_q && aes_ready && !is_h2_q) usable_q <= have_key;

// ---- AES, and where its block waits ----
wire         ks_valid;
wire [127:0] ks;
wire [95:0]  nonce = iv ^ {32'd0, nonce2_q};
tls_aes #(.SMALL(SMALL), .SBOX(SBOX), .ROUND_REGS(ROUND_REGS)) aes (
    .clk(clk), .rst(rst), .s_valid(valid2_q), .s_ready(aes_ready),
    .s_block(is_h2_q ? 128'd0 : {nonce, 20'd0, count2_q}), .s_key(key), .s_is256(is256),
    .m_valid(ks_valid), .m_block(ks));

wire [BESIDE_W:0] wait_in = {error2, beside2_q[BESIDE_W-1:129], beside2_q[127:0]};
wire [BESIDE_W:0] wait_out;
generate
    if (SMALL != 0) begin : queue
        wire b_valid, b_room;
        axis_fifo #(.DATA_W(BESIDE_W + 1), .DEPTH(DEPTH), .BLOCK(1)) beside (
            .clk(clk), .rst(rst), .s_axis_tdata(wait_in),
            .s_axis_tvalid(valid2_q && aes_ready), .s_axis_tready(b_room),
            .m_axis_tdata(wait_out), .m_axis_tvalid(b_valid), .m_axis_tready(ks_valid));
        // the queue holds what is in the AES, so it is never empty here and never full there
        wire unused_ok = &{1'b0, b_valid, b_room};
    end else begin : ring
        // written every clock, read two clocks before it is wanted: the two are those of the read
        localparam        WAIT_W = $clog2(DEPTH);
        localparam [31:0] AHEAD  = 15 * ROUND_REGS - 2;
        (* no_rw_check *)
        reg [BESIDE_W:0] mem [0:DEPTH-1];
        reg [BESIDE_W:0] mid_q, out_q;
        reg [WAIT_W-1:0] wr_q, rd_q;
        always @(posedge clk) begin
            mem[wr_q] <= wait_in;
            mid_q     <= mem[rd_q];
            out_q     <= mid_q;
            wr_q      <= rst ? AHEAD[WAIT_W-1:0] : wr_q + 1'b1;
            rd_q      <= rst ? {WAIT_W{1'b0}} : rd_q + 1'b1;
        end
        assign wait_out = out_q;
    end
endgenerate

// ---- keystream and block meet in registers, with what becomes of them ----
wire              b_is_h, b_is_text, b_is_tag, b_crypt, b_text_end, b_early, b_inject;
wire [1:0]        b_error;
wire [SLOT_W-1:0] b_slot;
wire [15:0]       b_keep;
wire [2:0]        b_owed;
wire [1:0]        b_index;
wire [10:0]       b_k;
wire [ID_W-1:0]   b_id;
wire [127:0]      b_data;
assign {b_error, b_is_h, b_slot, b_is_text, b_is_tag, b_crypt, b_keep, b_text_end,
        b_owed, b_index, b_early, b_inject, b_k, b_id, b_data} = wait_out;

reg               h_q, valid_q, text_valid_q, crypt_q, tag_q, end_q, early_q, inject_q;
reg  [127:0]      ks_q, data_q;
reg  [15:0]       keep_q, show_q;               // of the block; of its text, none with an error
reg  [1:0]        power_q, index_q, error_q;
reg  [2:0]        owed_q;
reg  [10:0]       k_q;
reg  [SLOT_W-1:0] slot_q;
reg  [ID_W-1:0]   id_q;
always @(posedge clk) begin
    h_q          <= ks_valid && b_is_h;
    valid_q      <= ks_valid && !b_is_h;
    text_valid_q <= ks_valid && b_is_text;
    ks_q         <= ks;
    data_q       <= b_data;
    keep_q       <= b_keep;
    show_q       <= b_keep & {16{b_error == ERROR_NONE}};
    crypt_q      <= b_crypt;
    tag_q        <= b_is_tag;
    end_q        <= b_text_end;
    // H^owed up to H^4: stored power number 0 to 3; the small GHASH has one lane and needs H
    power_q      <= (SMALL != 0) ? 2'd0 : b_owed > 3'd4 ? 2'd3 : b_owed[1:0] - 2'd1;
    owed_q       <= b_owed;
    index_q      <= b_index;
    early_q      <= b_early;
    inject_q     <= b_inject;
    k_q          <= b_k;
    slot_q       <= b_slot;
    id_q         <= b_id;
    error_q      <= b_error;
    if (rst) begin
        h_q          <= 1'b0;
        valid_q      <= 1'b0;
        text_valid_q <= 1'b0;
    end
end

// ---- XOR ----
wire [127:0] keep, show;
genvar i;
generate
    for (i = 0; i < 16; i = i + 1) begin : mask_of
        assign keep[127-8*i -: 8] = {8{keep_q[i]}};
        assign show[127-8*i -: 8] = {8{show_q[i]}};
    end
endgenerate

assign h_done     = h_q;
assign h_block    = ks_q;
assign power_addr = {slot_q, 2'd0, power_q};
always @(posedge clk) begin
    m_text_valid <= text_valid_q;
    m_text       <= (data_q ^ ks_q) & show;
    m_text_keep  <= keep_q;
    m_text_end   <= end_q;
    m_valid      <= valid_q;
    m_x          <= (data_q ^ (ks_q & {128{crypt_q}})) & keep;
    m_add        <= ks_q & {128{tag_q}};
    m_owed       <= owed_q;
    m_index      <= index_q;
    m_early      <= early_q;
    m_inject     <= inject_q;
    m_k          <= k_q;
    m_slot       <= slot_q;
    m_id         <= id_q;
    m_error      <= error_q;
    if (rst) begin
        m_text_valid <= 1'b0;
        m_valid      <= 1'b0;
    end
end
endmodule
`default_nettype wire
