// tls_gcm_cipher.v - beats of the lane through AES: keystream, XOR, and what GHASH is to see.
//
// In    s_*      a beat from tls_gcm_issue; waits only while the small AES is busy
//       key, iv, is256, usable   of the key slot, two clocks after s_slot (key_en moves them)
// Out   h_*      H for the key installation
//       m_text_* block of text with its place, for one clock, in order (no ready: room is counted)
//       m_*      block for GHASH, for one clock; power_addr goes out a clock before it and the
//                power comes a clock after it, which is when tls_gcm_sums hashes it
// Error no key, or a bad part: text is zero, m_error tells.
// How   the block waits in a queue while its counter block is in the AES, whatever that takes.
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
localparam BESIDE_W = 1 + SLOT_W + 3 + 16 + 1 + 3 + 2 + 2 + 11 + ID_W + 1 + 128;
wire                aes_ready;
reg                 valid1_q, valid2_q, is_h1_q, is_h2_q;
reg  [63:0]         nonce1_q, nonce2_q;
reg  [11:0]         count1_q, count2_q;
reg  [BESIDE_W-1:0] beside1_q, beside2_q;
wire                move = aes_ready || !valid2_q;

assign s_ready = move;
assign key_en  = move;
always @(posedge clk) begin
    if (move) begin
        valid1_q  <= s_valid;
        is_h1_q   <= s_is_h;
        nonce1_q  <= s_nonce;
        count1_q  <= s_count;
        beside1_q <= {s_is_h, s_slot, s_is_text, s_is_tag, s_decrypt, s_keep, s_text_end, s_owed,
                      s_index, s_early, s_inject, s_k, s_id, s_bad, s_data};
        valid2_q  <= valid1_q;
        is_h2_q   <= is_h1_q;
        nonce2_q  <= nonce1_q;
        count2_q  <= count1_q;
        beside2_q <= beside1_q;
    end
    if (rst) begin
        valid1_q <= 1'b0;
        valid2_q <= 1'b0;
    end
end

// ---- AES, and the queue that its block waits in ----
wire         ks_valid;
wire [127:0] ks;
wire [95:0]  nonce = iv ^ {32'd0, nonce2_q};
tls_aes #(.SMALL(SMALL), .SBOX(SBOX), .ROUND_REGS(ROUND_REGS)) aes (
    .clk(clk), .rst(rst), .s_valid(valid2_q), .s_ready(aes_ready),
    .s_block(is_h2_q ? 128'd0 : {nonce, 20'd0, count2_q}), .s_key(key), .s_is256(is256),
    .m_valid(ks_valid), .m_block(ks));

wire              b_usable, b_is_h, b_is_text, b_is_tag, b_decrypt, b_text_end, b_early, b_inject;
wire              b_bad, b_valid, b_room;
wire [SLOT_W-1:0] b_slot;
wire [15:0]       b_keep;
wire [2:0]        b_owed;
wire [1:0]        b_index;
wire [10:0]       b_k;
wire [ID_W-1:0]   b_id;
wire [127:0]      b_data;
axis_fifo #(.DATA_W(1 + BESIDE_W), .DEPTH(DEPTH), .BLOCK(1)) beside (
    .clk(clk), .rst(rst), .s_axis_tdata({usable, beside2_q}),
    .s_axis_tvalid(valid2_q && aes_ready), .s_axis_tready(b_room),
    .m_axis_tdata({b_usable, b_is_h, b_slot, b_is_text, b_is_tag, b_decrypt, b_keep, b_text_end,
                   b_owed, b_index, b_early, b_inject, b_k, b_id, b_bad, b_data}),
    .m_axis_tvalid(b_valid), .m_axis_tready(ks_valid));
// the queue holds what is in the AES, so it is never empty here and never full there
wire unused_ok = &{1'b0, b_valid, b_room};

// ---- XOR ----
wire [127:0] mask;
genvar i;
generate
    for (i = 0; i < 16; i = i + 1) begin : mask_of
        assign mask[127-8*i -: 8] = {8{b_keep[i]}};
    end
endgenerate
wire [127:0] x    = b_data ^ ks;
// H^owed up to H^4: stored power number 0 to 3; the small GHASH has one lane and needs H
wire [1:0]   power = (SMALL != 0) ? 2'd0 : b_owed > 3'd4 ? 2'd3 : b_owed[1:0] - 2'd1;

// a part whose first beat found no key has none to its end, even if one is installed meanwhile
reg          usable_q;
wire         first    = b_early && b_index == 2'd0;
wire         have_key = first ? b_usable : usable_q;
always @(posedge clk) if (ks_valid && !b_is_h) usable_q <= have_key;

assign h_done     = ks_valid && b_is_h;
assign h_block    = ks;
assign power_addr = {b_slot, 2'd0, power};
always @(posedge clk) begin
    m_text_valid <= ks_valid && b_is_text;
    m_text       <= (have_key && !b_bad) ? x & mask : 128'd0;
    m_text_keep  <= b_keep;
    m_text_end   <= b_text_end;
    m_valid      <= ks_valid && !b_is_h;
    m_x          <= (b_is_text && !b_decrypt ? x : b_data) & mask;
    m_add        <= b_is_tag ? ks : 128'd0;
    m_owed       <= b_owed;
    m_index      <= b_index;
    m_early      <= b_early;
    m_inject     <= b_inject;
    m_k          <= b_k;
    m_slot       <= b_slot;
    m_id         <= b_id;
    m_error      <= b_bad ? ERROR_BAD_PART : have_key ? ERROR_NONE : ERROR_NO_KEY;
    if (rst) begin
        m_text_valid <= 1'b0;
        m_valid      <= 1'b0;
    end
end
endmodule
`default_nettype wire
