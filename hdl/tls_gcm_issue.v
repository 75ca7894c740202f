// tls_gcm_issue.v - turns parts of records into beats of the lane: one a clock, without a gap.
//
// In    s_part   what a part is (docs/interfaces.md), s_axis its data, 16 bytes a word, each byte
//                at its place in its GCM block; h_* a request to encrypt zero with a slot's key
// Out   m_*      beats, in order: a block of the part; at the end of a record one more, which
//                carries the length block through GHASH and counter block 1 through AES; for a
//                part with neither an empty one, so that every part has its sum
//       aad_*    AAD block for the jump ring, taken in the clock in which its part starts
// Keys  a part has one state of its slot from the first beat to the last: an installation waits
//       until a part of its slot has all its beats, and the next part until it is taken.
// Error a part that does not fit its record or a record longer than the lane takes is marked
//       `bad`; it runs through like any other, by its own count of bytes.
// Why   the count of blocks is taken from the part's word, never from the data: the multiplier
//       must know four blocks ahead where a part ends, and one source cannot contradict itself.
// Order byte 0 of a block is the highest byte; bit i of keep is byte i.
// Spec  SP 800-38D, 7.1; RFC 5288, RFC 8446 5.2.  Model model/gcm.py.
//       5 clocks from a part's word to its first beat, a beat every clock, next part included.
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
    // an installation that could be taken now, offered for a clock before it is; a part of its
    // slot that has started goes first
    input  wire              key_valid,
    input  wire [SLOT_W-1:0] key_slot,
    output wire              key_hold,
    // H
    input  wire              h_valid,
    output wire              h_ready,
    input  wire [SLOT_W-1:0] h_slot,
    // room behind the lane
    input  wire              text_room,
    input  wire              sum_room,
    output wire              text_taken,        // a beat with text went out
    output wire              sum_taken,         // a part was started
    // AAD times H
    output wire              aad_valid,
    input  wire              aad_ready,
    output wire [127:0]      aad_block,
    output wire [SLOT_W-1:0] aad_slot,
    // beats
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
localparam [14:0] MAX_LEN    = 15'd16640;       // no tighter than RFC 8446 5.2, where 2^14 + 256 has the tag
localparam [12:0] MAX_BLOCKS = 13'd2046;        // powers of H go to 2047

// ---- three steps from a part's word to what it is made of, one adder deep each ----
// They never wait: a part is only let in when the queue behind them will have room for it.
localparam WAIT  = 8;                           // parts in these steps and the queue
localparam RAW_W = SLOT_W + 2 + 64 + ID_W;
wire             done;                          // a part has all its beats
reg              done_q;
reg  [3:0]       waiting_q;
wire             take = s_part_valid && s_part_ready;
reg              v0_q, v1_q, v2_q;
reg  [RAW_W-1:0] raw0_q, raw1_q, raw2_q;        // what just goes along
reg  [14:0]      len0_q, len1_q, len2_q, aad_len0_q, aad_len1_q, aad_len2_q;
reg  [14:0]      offset0_q, offset1_q, offset2_q;
reg              is_aad0_q, some0_q, some1_q, some2_q;  // some: has bytes
reg  [127:0]     aad0_q, aad1_q, aad2_q;        // the last one without the bytes behind its end
wire [127:0]     aad_mask1;

assign s_part_ready = !waiting_q[3];
always @(posedge clk) begin
    done_q    <= done;
    waiting_q <= waiting_q + {3'd0, take} - {3'd0, done_q};
    v0_q       <= take;
    v1_q       <= v0_q;
    v2_q       <= v1_q;
    raw0_q     <= {s_part_slot, s_part_is_aad, s_part_decrypt, s_part_nonce, s_part_id};
    aad0_q     <= s_part_aad;
    aad1_q     <= aad0_q;
    aad2_q     <= aad1_q & aad_mask1;
    raw1_q     <= raw0_q;
    raw2_q     <= raw1_q;
    len0_q     <= s_part_len;
    len1_q     <= len0_q;
    len2_q     <= len1_q;
    aad_len0_q <= s_part_aad_len;
    aad_len1_q <= aad_len0_q;
    aad_len2_q <= aad_len1_q;
    offset0_q  <= s_part_offset;
    offset1_q  <= offset0_q;
    offset2_q  <= offset1_q;
    is_aad0_q  <= s_part_is_aad;
    some0_q    <= s_part_bytes != 15'd0;
    some1_q    <= some0_q;
    some2_q    <= some1_q;
    if (rst) begin
        v0_q <= 1'b0;
        v1_q <= 1'b0;
        v2_q <= 1'b0;
        done_q <= 1'b0;
        waiting_q <= 4'd0;
    end
end

// 0: its end, and sizes in blocks
reg  [15:0] end0_q;
reg  [11:0] text_blocks0_q, aad_blocks0_q;
// 1: where its end is
reg  [11:0] end_block1_q;                       // first block behind it
reg  [10:0] behind1_q;                          // blocks from the first of its kind to the end
reg  [11:0] after_one1_q, after_two1_q;         // that block, had the part one or two
reg  [3:0]  hi1_q;
reg         head1_q, tail1_q, over1_q, long1_q, many1_q;
// 2: its beats
reg  [11:0] left2_q;                            // beats but the first
reg  [10:0] k2_q;
reg  [3:0]  hi2_q;
reg         one2_q, two2_q;                     // has one block, two
reg         tail2_q, inject2_q, bad2_q;

wire [14:0] size0  = is_aad0_q ? aad_len0_q : len0_q;
wire        whole0 = some0_q || len0_q == 15'd0;        // else an empty part of something
always @(posedge clk) begin
    end0_q         <= {1'b0, s_part_offset} + {1'b0, s_part_bytes};
    text_blocks0_q <= {1'b0, s_part_len[14:4]} + {11'd0, s_part_len[3:0] != 4'd0};
    aad_blocks0_q  <= {1'b0, s_part_aad_len[14:4]} + {11'd0, s_part_aad_len[3:0] != 4'd0};

    end_block1_q   <= end0_q[15:4] + {11'd0, end0_q[3:0] != 4'd0};
    behind1_q      <= text_blocks0_q[10:0] + (is_aad0_q ? aad_blocks0_q[10:0] : 11'd0) + 11'd1;
    after_one1_q   <= {1'b0, offset0_q[14:4]} + 12'd1;
    after_two1_q   <= {1'b0, offset0_q[14:4]} + 12'd2;
    hi1_q          <= end0_q[3:0];
    head1_q        <= !is_aad0_q && offset0_q == 15'd0 && whole0;
    tail1_q        <= !is_aad0_q && end0_q == {1'b0, len0_q} && whole0;
    over1_q        <= end0_q > {1'b0, size0};
    long1_q        <= len0_q > MAX_LEN || (is_aad0_q && aad_len0_q <= 15'd16);
    many1_q        <= {1'b0, text_blocks0_q} + {1'b0, aad_blocks0_q} > MAX_BLOCKS;

    // blocks, one more with the tail's beat, less the first beat: a - b - 1 + tail
    left2_q        <= some1_q ? end_block1_q + ~{1'b0, offset1_q[14:4]} + {11'd0, tail1_q} : 12'd0;
    k2_q           <= (tail1_q || !some1_q) ? 11'd0 : behind1_q - end_block1_q[10:0];
    hi2_q          <= hi1_q;
    one2_q         <= some1_q && end_block1_q == after_one1_q;
    two2_q         <= some1_q && end_block1_q == after_two1_q;
    tail2_q        <= tail1_q;
    inject2_q      <= head1_q && aad_len1_q != 15'd0 && aad_len1_q <= 15'd16;
    bad2_q         <= over1_q || long1_q || many1_q;
end
// of the first and second beat of the part: what is owed, last beat, last block of data, length
// block; of the first: it is text, and its bytes; bytes of the last block of data
wire [2:0]  owed_first  = left2_q > 12'd3 ? 3'd5 : left2_q[2:0] + 3'd1;
wire [2:0]  owed_second = left2_q > 12'd4 ? 3'd5 : left2_q[2:0];
wire        last_first  = !some2_q || (one2_q && !tail2_q);
wire        last_second = tail2_q ? one2_q : two2_q;
wire        tag_first   = tail2_q && !some2_q;
wire        tag_second  = tail2_q && one2_q;
wire        text_first  = some2_q && !raw2_q[RAW_W-SLOT_W-1];
wire [15:0] keep_end    = hi2_q == 4'd0 ? 16'hffff : ~(16'hffff << hi2_q);
wire [15:0] keep_first  = !some2_q ? {16{tail2_q}}
                        : (16'hffff << offset2_q[3:0]) & (one2_q ? keep_end : 16'hffff);

// ---- parts that wait for their beats ----
// Of the next part, what decides about beats is in registers; the rest comes from the queue's RAM.
localparam BEAT_W = 6;                          // what is decided of its first beat
localparam HEAD_W = SLOT_W + 1 + 11 + 16 + 16 + 12 + 3 + 3 + 4 + BEAT_W;
localparam REST_W = RAW_W - SLOT_W - 1 + 128 + 15 + 15 + 11 + 1;
wire              queued, head_room, rest_valid, rest_room;
wire [HEAD_W-1:0] queue_head;
reg  [HEAD_W-1:BEAT_W] head_q;
reg               head_valid_q;
wire              head_take = !head_valid_q || done;
wire [SLOT_W-1:0] slot;
wire              is_aad, tail, last1, last2, end1, end2, tag1, tag2, data1, text1, inject1;
wire [127:0]      aad;
wire [14:0]       len, aad_len;
wire [11:0]       left1;
wire [10:0]       first;
wire [15:0]       keep1, keep_last;
wire [2:0]        owed1, owed2;
axis_fifo #(.DATA_W(HEAD_W), .DEPTH(WAIT), .BLOCK(0)) heads (
    .clk(clk), .rst(rst),
    .s_axis_tdata({raw2_q[RAW_W-1 -: SLOT_W+1], offset2_q[14:4], keep_first, keep_end, left2_q,
                   owed_first, owed_second, last_second, two2_q, tag_second, tail2_q,
                   last_first, one2_q, tag_first, some2_q, text_first, inject2_q}),
    .s_axis_tvalid(v2_q), .s_axis_tready(head_room),
    .m_axis_tdata(queue_head), .m_axis_tvalid(queued), .m_axis_tready(head_take));
axis_fifo #(.DATA_W(REST_W), .DEPTH(WAIT), .BLOCK(0)) rests (
    .clk(clk), .rst(rst),
    .s_axis_tdata({raw2_q[RAW_W-SLOT_W-2:0], aad2_q, len2_q, aad_len2_q, k2_q, bad2_q}),
    .s_axis_tvalid(v2_q), .s_axis_tready(rest_room),
    .m_axis_tdata({m_decrypt, m_nonce, m_id, aad, len, aad_len, m_k, m_bad}),
    .m_axis_tvalid(rest_valid), .m_axis_tready(done));
always @(posedge clk) begin
    if (head_take) head_q <= queue_head[HEAD_W-1:BEAT_W];
    if (head_take) head_valid_q <= queued;
    if (rst) head_valid_q <= 1'b0;
end
assign {slot, is_aad, first, keep1, keep_last, left1, owed1, owed2, last2, end2, tag2, tail} = head_q;
assign {last1, end1, tag1, data1, text1, inject1} = queue_head[BEAT_W-1:0];

// ---- beat by beat ----
// `go` moves everything here and hangs on streams that are far away: it must be a short way. So
// what it asks of a beat is in registers, whether the beat is the first of a part or a later one.
reg         fresh_q;                            // of the next beat: it is the part's first,
reg         last_q;                             // its last
reg         data_q, text_q, end_q;              // a block of data, of text; the last one of data
reg         tag_q;                              // the length block
reg         inject_q;                           // the part's AAD joins here
// of later beats only
reg  [11:0] left_q;                             // beats left, this one included
reg  [2:0]  owed_q;                             // the same up to 5
reg  [10:0] block_q;                            // number of the block
reg  [1:0]  index_q;
reg         late_q;                             // past the first LANES
wire [10:0] block    = fresh_q ? first : block_q;
wire [1:0]  index    = fresh_q ? 2'd0 : index_q;
wire        fresh_d  = !head_valid_q || last_q;
wire        last_d   = fresh_q ? last2 : left_q == 12'd2;
wire        tag_d    = fresh_q ? tag2 : (tail && left_q == 12'd2);
wire        end_d    = fresh_q ? end2 : left_q == (tail ? 12'd3 : 12'd2);

// an installation that was offered a clock ago, and is of this head's slot; the head may be new
reg         mine_q, key_mine_q;
reg         h_q;                                // a request for H goes next
reg  [SLOT_W-1:0] h_slot_q;
wire        mine     = (key_slot == slot);
wire        mine_new = (key_slot == queue_head[HEAD_W-1 -: SLOT_W]);
wire        ok       = head_valid_q && !h_q
                    && !(data_q && !s_axis_tvalid) && !(text_q && !text_room)
                    && !(fresh_q && (!sum_room || key_mine_q));
wire        go       = ok && m_ready && (!inject_q || aad_ready);

assign key_hold      = !fresh_q && mine_q;
assign aad_valid     = ok && m_ready && inject_q;
assign aad_slot      = slot;
assign s_axis_tready = go && data_q;
assign h_ready       = !h_q;
assign m_valid       = h_q || (ok && (!inject_q || aad_ready));
assign done          = go && last_q;
assign text_taken    = go && text_q;
assign sum_taken     = go && fresh_q;

always @(posedge clk) begin
    h_q        <= h_q ? !m_ready : h_valid;
    if (!h_q) h_slot_q <= h_slot;
    mine_q     <= mine;
    key_mine_q <= key_valid && (head_take ? mine_new : mine);
    if (go || !head_valid_q) begin
        fresh_q  <= fresh_d;
        last_q   <= fresh_d ? last1 : last_d;
        data_q   <= fresh_d ? data1 : !tag_d;
        text_q   <= fresh_d ? text1 : !tag_d && !is_aad;
        end_q    <= fresh_d ? end1 : end_d;
        tag_q    <= fresh_d ? tag1 : tag_d;
        inject_q <= fresh_d && inject1;
    end
    if (go) begin
        left_q   <= fresh_q ? left1 : left_q - 12'd1;
        owed_q   <= fresh_q ? owed2 : left_q > 12'd5 ? 3'd5 : left_q[2:0] - 3'd1;
        block_q  <= block + 11'd1;
        index_q  <= (LANES == 1) ? 2'd0 : index + 2'd1;
        late_q   <= (!fresh_q && late_q) || (LANES == 1) || index == 2'd3;
    end
    if (rst) begin
        fresh_q    <= 1'b1;
        h_q        <= 1'b0;
        key_mine_q <= 1'b0;
    end
end

// byte 0 first
wire [127:0] data;
genvar i;
generate
    for (i = 0; i < 16; i = i + 1) begin : byte_of
        assign data[127-8*i -: 8]      = s_axis_tdata[8*i +: 8];
        assign aad_block[127-8*i -: 8] = aad[8*i +: 8];
        assign aad_mask1[8*i +: 8]     = {8{i[4:0] < aad_len1_q[4:0]}};     // one of 1 to 16 bytes
    end
endgenerate

assign m_slot     = h_q ? h_slot_q : slot;
assign m_is_h     = h_q;
assign m_count    = tag_q ? 12'd1 : {1'b0, block} + 12'd2;
assign m_is_text  = text_q && !h_q;
assign m_is_tag   = tag_q && !h_q;
// the length block: bits of AAD, bits of text, 64 each
assign m_data     = tag_q ? {46'd0, aad_len, 3'd0, 46'd0, len, 3'd0} : data;
assign m_keep     = fresh_q ? keep1 : end_q ? keep_last : 16'hffff;
assign m_text_end = end_q && text_q;
assign m_owed     = fresh_q ? owed1 : owed_q;
assign m_index    = index;
assign m_early    = fresh_q || !late_q;
assign m_inject   = inject_q && !h_q;

wire unused_ok = &{1'b0, head_room, rest_valid, rest_room};     // counted by waiting_q
endmodule
`default_nettype wire
