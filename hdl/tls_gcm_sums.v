// tls_gcm_sums.v - from blocks to one sum a part: GHASH, then the power of H that is left.
//
// In    s_*      block for GHASH, for one clock; its power a clock later
//       s_aad_*  AAD block to multiply by H for the part that starts now
//       s_cube_* H^2 to multiply by H for a key installation
// Out   m_sum    a part's sum, zero with an error, in any order; the taker must have room for every
//                part under way
//       m_cube_* H^3
// How   a sum that is complete leaves at once; one that must be raised by H^k waits its turn for
//       the jump ring. AAD times H waits for its part's first block, which is still in the AES:
//       9 clocks (SMALL 13) after the part starts it is here, the block not before 20 (SMALL 15).
// Order byte 0 is the highest byte.
// Spec  SP 800-38D, 6.4.  Model model/ghash.py, model/gcm.py.
`default_nettype none
module tls_gcm_sums #(
    parameter SLOT_W = 6,           // bits of a key slot's number
    parameter ID_W   = 8,           // bits of a part's name
    parameter PARTS  = 32,          // parts under way at most
    parameter SMALL  = 0,
    parameter MUL    = "GATES"      // see tls_gf128_mul
) (
    input  wire              clk,
    input  wire              rst,
    // blocks
    input  wire              s_valid,
    input  wire [127:0]      s_x,
    input  wire [127:0]      s_add,
    input  wire [2:0]        s_owed,
    input  wire [1:0]        s_index,
    input  wire              s_early,
    input  wire              s_inject,
    input  wire [10:0]       s_k,
    input  wire [SLOT_W-1:0] s_slot,
    input  wire [ID_W-1:0]   s_id,
    input  wire [1:0]        s_error,
    input  wire [127:0]      hash_power,
    // AAD
    input  wire              s_aad_valid,
    output wire              s_aad_ready,
    input  wire [127:0]      s_aad,
    input  wire [SLOT_W-1:0] s_aad_slot,
    // key installation
    input  wire              s_cube_valid,
    output wire              s_cube_ready,
    input  wire [127:0]      s_cube,
    input  wire [SLOT_W-1:0] s_cube_slot,
    output wire              m_cube_valid,
    output wire [127:0]      m_cube,
    // stored powers for the jump ring, two clocks
    output wire [SLOT_W+3:0] jump_addr,
    input  wire [127:0]      jump_power,
    // sums
    output reg               m_sum_valid,
    output reg  [127:0]      m_sum,
    output reg  [ID_W-1:0]   m_sum_id,
    output reg  [1:0]        m_sum_error
);
localparam USER_W = ID_W + 2;

// ---- AAD times H joins the first block ----
wire         aad_done, aad_room, aad_here;
wire [127:0] aad_product, aad_times_h;
axis_fifo #(.DATA_W(128), .DEPTH(PARTS), .BLOCK(0)) aads (
    .clk(clk), .rst(rst),
    .s_axis_tdata(aad_product), .s_axis_tvalid(aad_done), .s_axis_tready(aad_room),
    .m_axis_tdata(aad_times_h), .m_axis_tvalid(aad_here), .m_axis_tready(s_valid && s_inject));

reg               valid_q, early_q, complete_q;
reg  [127:0]      x_q, add_q;
reg  [2:0]        owed_q;
reg  [1:0]        index_q;
reg  [10:0]       k_q;
reg  [SLOT_W-1:0] slot_q;
reg  [USER_W-1:0] user_q;
always @(posedge clk) begin
    valid_q <= s_valid;
    x_q     <= s_x ^ (s_inject ? aad_times_h : 128'd0);
    add_q   <= s_add;
    owed_q  <= s_owed;
    index_q <= s_index;
    early_q <= s_early;
    k_q     <= s_k;
    complete_q <= (s_k == 11'd0);
    slot_q  <= s_slot;
    user_q  <= {s_id, s_error};
    if (rst) valid_q <= 1'b0;
end

// ---- GHASH ----
wire              hash_room, part_valid;
wire [127:0]      part_sum;
wire [10:0]       part_k;
wire [SLOT_W-1:0] part_slot;
wire [USER_W-1:0] part_user;
wire              part_complete;
wire              complete = part_valid && part_complete;
tls_ghash #(.SMALL(SMALL), .MUL(MUL), .USER_W(1 + 11 + SLOT_W + USER_W)) ghash (
    .clk(clk), .rst(rst), .s_valid(valid_q), .s_ready(hash_room), .s_x(x_q),
    .s_power(hash_power), .s_owed(owed_q), .s_index(index_q), .s_next_index(s_index),
    .s_early(early_q), .s_next_early(s_early), .s_add(add_q),
    .s_user({complete_q, k_q, slot_q, user_q}),
    .m_valid(part_valid), .m_sum(part_sum), .m_user({part_complete, part_k, part_slot, part_user}));

// ---- the power that is left ----
wire              wait_room, wait_valid, wait_ready, ring_valid;
wire [127:0]      wait_sum, ring_sum;
wire [10:0]       wait_k;
wire [SLOT_W-1:0] wait_slot;
wire [USER_W-1:0] wait_user, ring_user;
axis_fifo #(.DATA_W(128 + 11 + SLOT_W + USER_W), .DEPTH(PARTS), .BLOCK(0)) waiting (
    .clk(clk), .rst(rst), .s_axis_tdata({part_sum, part_k, part_slot, part_user}),
    .s_axis_tvalid(part_valid && !complete), .s_axis_tready(wait_room),
    .m_axis_tdata({wait_sum, wait_k, wait_slot, wait_user}),
    .m_axis_tvalid(wait_valid), .m_axis_tready(wait_ready));
// a request for H^3 comes from afar, and chooses 128 bits: it waits in a register
reg               cube_wait_q;
reg  [127:0]      cube_q;
reg  [SLOT_W-1:0] cube_slot_q;
wire              cube_ready;
assign s_cube_ready = !cube_wait_q;
always @(posedge clk) begin
    cube_wait_q <= !rst && (cube_wait_q ? !cube_ready : s_cube_valid);
    if (!cube_wait_q) begin
        cube_q      <= s_cube;
        cube_slot_q <= s_cube_slot;
    end
end
tls_ghash_jump #(.SMALL(SMALL), .MUL(MUL), .SLOT_W(SLOT_W), .USER_W(USER_W)) jump (
    .clk(clk), .rst(rst),
    .s_sum_valid(wait_valid), .s_sum_ready(wait_ready), .s_sum(wait_sum), .s_sum_k(wait_k),
    .s_sum_slot(wait_slot), .s_sum_user(wait_user),
    .m_sum_valid(ring_valid), .m_sum_ready(!complete), .m_sum(ring_sum), .m_sum_user(ring_user),
    .s_aad_valid(s_aad_valid), .s_aad_ready(s_aad_ready), .s_aad(s_aad), .s_aad_slot(s_aad_slot),
    .m_aad_valid(aad_done), .m_aad(aad_product),
    .s_key_valid(cube_wait_q), .s_key_ready(cube_ready), .s_key(cube_q),
    .s_key_slot(cube_slot_q), .m_key_valid(m_cube_valid), .m_key(m_cube),
    .power_addr(jump_addr), .power(jump_power));

// a sum with an error is zero
wire is_part = complete && part_user[1:0] == 2'd0;
wire is_ring = !complete && ring_user[1:0] == 2'd0;
always @(posedge clk) begin
    m_sum_valid <= (complete || ring_valid) && !rst;
    m_sum       <= (part_sum & {128{is_part}}) | (ring_sum & {128{is_ring}});
    {m_sum_id, m_sum_error} <= complete ? part_user : ring_user;
end

// parts under way are counted, so no queue overflows; the small GHASH is faster than the AES
wire unused_ok = &{1'b0, aad_room, aad_here, hash_room, wait_room};
endmodule
`default_nettype wire
