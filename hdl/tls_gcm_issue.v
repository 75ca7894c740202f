// tls_gcm_issue.v - turns parts of records into slots of the lane: one a clock, without a gap.
//
// In    s_part   what a part is (docs/interfaces.md), s_axis its data, 16 bytes a beat, each byte
//                at its place in its GCM block; h_* a request to encrypt zero with a slot's key
// Out   m_*      slots, in order: a block of the part; at the end of a record one more, which
//                carries the length block through GHASH and counter block 1 through AES; for a
//                part with neither an empty one, so that every part has its sum
//       aad_*    AAD block for the jump ring, taken in the clock in which its part starts
// Error a part that does not fit its record or a record longer than the lane takes is marked
//       `bad`; it runs through like any other, by its own count of bytes.
// Why   the count of blocks is taken from the part's word, never from the data: the multiplier
//       must know four blocks ahead where a part ends, and one source cannot contradict itself.
// Order byte 0 of a block is the highest byte; bit i of keep is byte i.
// Spec  SP 800-38D, 7.1; RFC 5288, RFC 8446 5.2.  Model model/gcm.py.
//       3 clocks from a part's word to its first slot, a slot every clock, next part included.
`default_nettype none
module tls_gcm_issue #(
    parameter SLOT_W = 6,           // bits of a key slot's number
    parameter ID_W   = 8,           // bits of a part's name
    parameter SMALL  = 0
) (
    input  wire              clk,
    input  wire              rst,
    // parts
    input  wire              s_part_valid,
    output wire              s_part_ready,
    input  wire [SLOT_W-1:0] s_part_slot,
    input  wire              s_part_decrypt,
    input  wire              s_part_is_aad,
    input  wire [63:0]       s_part_nonce,
    input  wire [14:0]       s_part_len,
    input  wire [14:0]       s_part_aad_len,
    input  wire [14:0]       s_part_offset,
    input  wire [14:0]       s_part_bytes,
    input  wire [127:0]      s_part_aad,
    input  wire [ID_W-1:0]   s_part_id,
    // their data
    input  wire              s_axis_tvalid,
    output wire              s_axis_tready,
    input  wire [127:0]      s_axis_tdata,
    // H
    input  wire              h_valid,
    output wire              h_ready,
    input  wire [SLOT_W-1:0] h_slot,
    // room behind the lane
    input  wire              text_room,
    input  wire              sum_room,
    output wire              text_taken,        // a slot with text went out
    output wire              sum_taken,         // a part was started
    // AAD times H
    output wire              aad_valid,
    input  wire              aad_ready,
    output wire [127:0]      aad_block,
    output wire [SLOT_W-1:0] aad_slot,
    // slots
    output wire              m_valid,
    input  wire              m_ready,
    output wire [SLOT_W-1:0] m_slot,
    output wire              m_is_h,            // counter block is all zero
    output wire [63:0]       m_nonce,
    output wire [11:0]       m_count,           // GCM's counter
    output wire              m_is_text,         // goes through the cipher and out
    output wire              m_is_tag,          // keystream belongs to the tag
    output wire              m_decrypt,
    output wire [127:0]      m_data,
    output wire [15:0]       m_keep,            // bytes of the block that are in this part
    output wire              m_text_end,        // last block of the part's text
    output wire [2:0]        m_owed,            // see tls_ghash
    output wire [1:0]        m_index,
    output wire              m_early,
    output wire              m_inject,          // AAD times H joins here
    output wire [10:0]       m_k,               // what its sum must still be raised by
    output wire [ID_W-1:0]   m_id,
    output wire              m_bad
);
localparam        LANES   = (SMALL != 0) ? 1 : 4;   // of GHASH
localparam [14:0] MAX_LEN = 15'd16640;          // RFC 8446 5.2: 2^14 + 256

// ---- 0: the part as it came, with ends and sizes in blocks ----
reg               v0_q;
reg  [SLOT_W-1:0] slot0_q;
reg               decrypt0_q, is_aad0_q;
reg  [63:0]       nonce0_q;
reg  [14:0]       len0_q, aad_len0_q, offset0_q;
reg  [15:0]       end0_q;
reg               some0_q;                      // has bytes
reg  [11:0]       text_blocks0_q, aad_blocks0_q;
reg  [127:0]      aad0_q;
reg  [ID_W-1:0]   id0_q;
wire              room1;

assign s_part_ready = !v0_q || room1;
always @(posedge clk) begin
    if (s_part_ready) begin
        v0_q           <= s_part_valid;
        slot0_q        <= s_part_slot;
        decrypt0_q     <= s_part_decrypt;
        is_aad0_q      <= s_part_is_aad;
        nonce0_q       <= s_part_nonce;
        len0_q         <= s_part_len;
        aad_len0_q     <= s_part_aad_len;
        offset0_q      <= s_part_offset;
        end0_q         <= {1'b0, s_part_offset} + {1'b0, s_part_bytes};
        some0_q        <= s_part_bytes != 15'd0;
        text_blocks0_q <= {1'b0, s_part_len[14:4]} + {11'd0, s_part_len[3:0] != 4'd0};
        aad_blocks0_q  <= {1'b0, s_part_aad_len[14:4]} + {11'd0, s_part_aad_len[3:0] != 4'd0};
        aad0_q         <= s_part_aad;
        id0_q          <= s_part_id;
    end
    if (rst) v0_q <= 1'b0;
end

// ---- 1: what it is made of ----
wire [14:0] size0      = is_aad0_q ? aad_len0_q : len0_q;
wire [11:0] end_block0 = end0_q[15:4] + {11'd0, end0_q[3:0] != 4'd0};
wire [11:0] blocks0    = some0_q ? end_block0 - {1'b0, offset0_q[14:4]} : 12'd0;
wire        whole0     = some0_q || len0_q == 15'd0;    // else an empty part of something
wire        head0      = !is_aad0_q && offset0_q == 15'd0 && whole0;
wire        tail0      = !is_aad0_q && end0_q == {1'b0, len0_q} && whole0;
// blocks of the record behind this part, and the length block; below 2048 unless bad
wire [10:0] after0     = (is_aad0_q ? aad_blocks0_q[10:0] + text_blocks0_q[10:0]
                                    : text_blocks0_q[10:0]) - end_block0[10:0] + 11'd1;
wire [12:0] total0     = {1'b0, text_blocks0_q} + {1'b0, aad_blocks0_q};

reg               v1_q, decrypt1_q, is_aad1_q, tail1_q, empty1_q, inject1_q, bad1_q;
reg  [SLOT_W-1:0] slot1_q;
reg  [63:0]       nonce1_q;
reg  [14:0]       len1_q, aad_len1_q;
reg  [11:0]       slots1_q;
reg  [10:0]       first1_q, k1_q;
reg  [3:0]        lo1_q, hi1_q;
reg  [127:0]      aad1_q;
reg  [ID_W-1:0]   id1_q;
wire              done1;

assign room1 = !v1_q || done1;
always @(posedge clk) begin
    if (room1) begin
        v1_q       <= v0_q;
        slot1_q    <= slot0_q;
        decrypt1_q <= decrypt0_q;
        is_aad1_q  <= is_aad0_q;
        nonce1_q   <= nonce0_q;
        len1_q     <= len0_q;
        aad_len1_q <= aad_len0_q;
        tail1_q    <= tail0;
        empty1_q   <= !tail0 && !some0_q;
        inject1_q  <= head0 && aad_len0_q != 15'd0 && aad_len0_q <= 15'd16;
        bad1_q     <= end0_q > {1'b0, size0} || len0_q > MAX_LEN || total0 > 13'd2046;
        slots1_q   <= blocks0 + {11'd0, tail0 || !some0_q};
        first1_q   <= offset0_q[14:4];
        k1_q       <= (tail0 || !some0_q) ? 11'd0 : after0;
        lo1_q      <= offset0_q[3:0];
        hi1_q      <= end0_q[3:0];
        aad1_q     <= aad0_q;
        id1_q      <= id0_q;
    end
    if (rst) v1_q <= 1'b0;
end

// ---- 2: slot by slot ----
reg         fresh_q;                            // next slot is the part's first
reg  [11:0] left_q;                             // slots left, when not fresh
reg  [10:0] block_q;                            // number of the block, when not fresh
reg  [1:0]  index_q;
reg         late_q;                             // past the first LANES
wire [11:0] left    = fresh_q ? slots1_q : left_q;
wire [10:0] block   = fresh_q ? first1_q : block_q;
wire [1:0]  index   = fresh_q ? 2'd0 : index_q;
wire        is_last = (left == 12'd1);
wire        is_tag  = tail1_q && is_last;
wire        is_data = !is_tag && !empty1_q;
wire        is_text = is_data && !is_aad1_q;
wire        data_end = is_data && (tail1_q ? left == 12'd2 : is_last);

wire        ok      = v1_q && !h_valid
                   && (!is_data || s_axis_tvalid) && (!is_text || text_room)
                   && (!fresh_q || sum_room);
wire        inject  = fresh_q && inject1_q;
wire        go      = ok && m_ready && (!inject || aad_ready);

assign aad_valid     = ok && m_ready && inject;
assign aad_slot      = slot1_q;
assign s_axis_tready = go && is_data;
assign h_ready       = m_ready;
assign m_valid       = h_valid || (ok && (!inject || aad_ready));
assign done1         = go && is_last;
assign text_taken    = go && is_text;
assign sum_taken     = go && fresh_q;

always @(posedge clk) begin
    if (go) begin
        fresh_q <= is_last;
        left_q  <= left - 12'd1;
        block_q <= block + 11'd1;
        index_q <= (LANES == 1) ? 2'd0 : index + 2'd1;
        late_q  <= (!fresh_q && late_q) || (LANES == 1) || index == 2'd3;
    end
    if (rst) fresh_q <= 1'b1;
end

// byte 0 first
wire [127:0] data;
genvar i;
generate
    for (i = 0; i < 16; i = i + 1) begin : byte_of
        assign data[127-8*i -: 8]      = s_axis_tdata[8*i +: 8];
        assign aad_block[127-8*i -: 8] = aad1_q[8*i +: 8] & {8{i[14:0] < aad_len1_q}};
    end
endgenerate

wire [15:0] from_lo = fresh_q ? 16'hffff << lo1_q : 16'hffff;
wire [15:0] to_hi   = (data_end && hi1_q != 4'd0) ? ~(16'hffff << hi1_q) : 16'hffff;

assign m_slot     = h_valid ? h_slot : slot1_q;
assign m_is_h     = h_valid;
assign m_nonce    = nonce1_q;
assign m_count    = is_tag ? 12'd1 : {1'b0, block} + 12'd2;
assign m_is_text  = is_text && !h_valid;
assign m_is_tag   = is_tag && !h_valid;
assign m_decrypt  = decrypt1_q;
// the length block: bits of AAD, bits of text, 64 each
assign m_data     = is_tag ? {46'd0, aad_len1_q, 3'd0, 46'd0, len1_q, 3'd0} : data;
assign m_keep     = empty1_q ? 16'd0 : is_tag ? 16'hffff : from_lo & to_hi;
assign m_text_end = data_end && is_text;
assign m_owed     = (left > 12'd4) ? 3'd5 : left[2:0];
assign m_index    = index;
assign m_early    = fresh_q || !late_q;
assign m_inject   = inject && !h_valid;
assign m_k        = k1_q;
assign m_id       = id1_q;
assign m_bad      = bad1_q;
endmodule
`default_nettype wire
