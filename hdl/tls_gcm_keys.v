// tls_gcm_keys.v - key slots: AES key, IV and powers of H; installs and wipes them.
//
// In    s_key    slot, cipher, key, iv (see docs/interfaces.md); one at a time, others wait
// Out   m_key    the answer, in order: slot, refused (reserved cipher: the slot is as it was)
//       rd_*     key, iv, is256 and usable of a slot, two clocks after its number (rd_en)
//       *_power  H^(d * 4^j) of {slot, 3*j + d-1}, two clocks after the address
//       h_*      asks for H = AES_K(0) through the lane's own AES, and takes it. Asked in a clock,
//                the slot is to be read in the next or later
//       cube_*   asks the jump ring for H^2 * H, and takes it
// How   powers H^(2^i) are squares of one another, H^(3 * 4^j) those of H^3: sixteen in all and
//       one multiplication. A wipe is an installation with H = 0 that writes zeros everywhere.
//       A slot is unusable from the clock after its installation is taken to the answer; in the
//       clock between nobody may read it. The sums of parts of that slot that are in the lane then
//       are undefined.
// Order byte 0 of key, iv and H is the highest byte; AES-128 uses the upper half of key.
// Spec  SP 800-38D, 6.4, 7.1.  Model model/gcm.py.
`default_nettype none
module tls_gcm_keys #(
    parameter SLOT_W = 6            // bits of a slot's number
) (
    input  wire              clk,
    input  wire              rst,
    // installation
    input  wire              s_key_valid,
    output wire              s_key_ready,
    input  wire              s_key_hold,        // a part of the slot offered a clock ago is issued
    output wire              s_key_idle,        // ready but for that
    input  wire [SLOT_W-1:0] s_key_slot,
    input  wire [1:0]        s_key_cipher,
    input  wire [255:0]      s_key_key,
    input  wire [95:0]       s_key_iv,
    output wire              m_key_valid,
    input  wire              m_key_ready,
    output wire [SLOT_W-1:0] m_key_slot,
    output wire              m_key_refused,
    // key for a block
    input  wire              rd_en,
    input  wire [SLOT_W-1:0] rd_slot,
    output reg  [255:0]      rd_key,
    output reg  [95:0]       rd_iv,
    output reg               rd_is256,
    output reg               rd_usable,
    // H through AES
    output wire              h_valid,
    input  wire              h_ready,
    output wire [SLOT_W-1:0] h_slot,
    input  wire              h_done,
    input  wire [127:0]      h_block,
    // H^3 through the jump ring
    output wire              cube_valid,
    input  wire              cube_ready,
    output wire [127:0]      cube_square,
    output wire [SLOT_W-1:0] cube_slot,
    input  wire              cube_done,
    input  wire [127:0]      cube_value,
    // powers: one port for GHASH, one for the jump ring
    input  wire [SLOT_W+3:0] hash_addr,
    output reg  [127:0]      hash_power,
    input  wire [SLOT_W+3:0] jump_addr,
    output reg  [127:0]      jump_power
);
`include "tls_regs.vh"              // CIPHER_*
// what it does, one bit each: what hangs on it hangs on one register
reg               idle_q;                       // waits for an installation
reg               ask_q;                        // asks for H
reg               wait_q;                       // H is in the AES
reg               first_q;                      // H is in loaded_q
reg               squares_q, last_q;            // writes H^(2^i), i = 0 to 10; the last of them
reg               gap_q;                        // H^3 is not back yet
reg               cubes_q, end_q;               // writes H^(3 * 4^j), j = 0 to 4; the last of them
reg               answer_q;
reg               write_q;                      // squares or cubes
reg               zero_q;                       // H itself is written
reg  [SLOT_W-1:0] slot_q;
reg  [(1<<SLOT_W)-1:0] slot_bit_q;              // the same as one of many bits
reg               wipe_q, able_q, wide_q;       // cipher none, any, AES-256
reg               refused_q;
reg  [3:0]        index_q;                      // of the power that is written
reg               two_q;                        // the next but one comes next
reg  [127:0]      power_q;                      // and its value
reg               load_q;                       // the next value is loaded_q
reg  [127:0]      loaded_q;                     // H, then H^3
reg  [127:0]      square_q;
reg               cube_ask_q, cube_have_q;
reg               written_q;                    // the slot's memories take the installation
reg               usable_now_q;                 // the slot has its key
reg               offered_q;                    // since the last clock: s_key_hold is about this one

wire take  = s_key_valid && s_key_ready;
wire write = take && s_key_cipher != CIPHER_RESERVED;
wire wipe  = s_key_cipher == CIPHER_NONE;

assign s_key_idle    = idle_q;
assign s_key_ready   = idle_q && offered_q && !s_key_hold;
assign m_key_valid   = answer_q;
assign m_key_slot    = slot_q;
assign m_key_refused = refused_q;
assign h_valid       = ask_q;
assign h_slot        = slot_q;
assign cube_valid    = cube_ask_q;
assign cube_square   = square_q;
assign cube_slot     = slot_q;

wire [127:0] squared, fourth;
tls_gf128_sq sq1 (.a(power_q), .y(squared));
tls_gf128_sq sq2 (.a(squared), .y(fourth));

wire over      = (squares_q && last_q) || gap_q;        // squares are done, cubes have not begun
wire first_d   = wait_q && h_done;
wire squares_d = first_q || (squares_q && !last_q);
wire gap_d     = over && !cube_have_q;
wire cubes_d   = (over && cube_have_q) || (cubes_q && !end_q);
wire last_d    = squares_q && index_q == 4'd13;
integer b;
always @(posedge clk) begin
    offered_q <= s_key_valid && idle_q && !take;
    if (idle_q) begin                           // the last time is when it is taken
        slot_q    <= s_key_slot;
        for (b = 0; b < (1 << SLOT_W); b = b + 1) slot_bit_q[b] <= (s_key_slot == b[SLOT_W-1:0]);
        wipe_q    <= wipe;
        able_q    <= s_key_cipher != CIPHER_RESERVED && !wipe;
        wide_q    <= s_key_cipher == CIPHER_AES_256_GCM;
        refused_q <= s_key_cipher == CIPHER_RESERVED;
    end
    idle_q    <= idle_q ? !take : answer_q && m_key_ready;
    ask_q     <= write || (ask_q && !h_ready);
    wait_q    <= (ask_q && h_ready) || (wait_q && !h_done);
    first_q   <= first_d;
    zero_q    <= first_q;
    squares_q <= squares_d;
    last_q    <= last_d;
    gap_q     <= gap_d;
    cubes_q   <= cubes_d;
    end_q     <= cubes_q && index_q == 4'd11;
    answer_q  <= (take && !write) || (cubes_q && end_q) || (answer_q && !m_key_ready);
    write_q   <= squares_d || cubes_d;
    usable_now_q <= able_q && ((cubes_q && end_q) || (usable_now_q && !m_key_ready));

    // indices 0 1 3 4 6 7 9 10 12 13 15, then 2 5 8 11 14; between them the values do not matter
    load_q  <= first_d || last_d || gap_d;
    power_q <= load_q ? loaded_q : cubes_q ? fourth : squared;
    two_q   <= !load_q && !two_q;
    index_q <= load_q ? {2'd0, !first_q, 1'b0} : index_q + {2'd0, cubes_q || two_q, cubes_q || !two_q};
    if (wait_q || cube_done) loaded_q <= wait_q ? h_block & {128{!wipe_q}} : cube_value;
    cube_have_q <= !idle_q && (cube_have_q || cube_done);
    if (zero_q) square_q <= squared;
    cube_ask_q <= zero_q || (cube_ask_q && !cube_ready);
    if (rst) begin
        idle_q     <= 1'b1;
        ask_q      <= 1'b0;
        wait_q     <= 1'b0;
        first_q    <= 1'b0;
        zero_q     <= 1'b0;
        squares_q  <= 1'b0;
        last_q     <= 1'b0;
        gap_q      <= 1'b0;
        cubes_q    <= 1'b0;
        end_q      <= 1'b0;
        answer_q   <= 1'b0;
        write_q    <= 1'b0;
        usable_now_q <= 1'b0;
        cube_ask_q <= 1'b0;
        offered_q  <= 1'b0;
    end
end

// ---- memories: each read passes two registers ----
// They are written a clock after the installation is taken. What a slot is read as in that clock
// nobody uses: parts of it have been read before, or wait. So there is no bypass (no_rw_check).
reg [351:0]   written_data_q;
(* no_rw_check *)
reg [351:0]   key_mem [0:(1<<SLOT_W)-1];        // iv, key
reg [351:0]   key_mid;
always @(posedge clk) begin
    written_q      <= write && !rst;
    written_data_q <= wipe ? 352'd0 : {s_key_iv, s_key_key};
    if (written_q) key_mem[slot_q] <= written_data_q;
    if (rd_en) begin
        key_mid         <= key_mem[rd_slot];
        {rd_iv, rd_key} <= key_mid;
    end
end

// known from reset on: a slot that never had a key must take as long as one that has
reg [(1<<SLOT_W)-1:0] usable_q, is256_q;
// one of many bits takes long to choose: a clock for the low half of the number, one for the high
localparam LOW_W = SLOT_W / 2;
localparam HIGHS = 1 << (SLOT_W - LOW_W);
reg [HIGHS-1:0]       usable_mid, is256_mid;
reg [SLOT_W-1:LOW_W]  high_mid;
wire [31:0]           low = {{32-SLOT_W{1'b0}}, rd_slot} & ((1 << LOW_W) - 1);
integer h;
always @(posedge clk) begin
    if (rd_en) begin
        for (h = 0; h < HIGHS; h = h + 1) begin
            usable_mid[h] <= usable_q[(h << LOW_W) + low];
            is256_mid[h]  <= is256_q[(h << LOW_W) + low];
        end
        high_mid  <= rd_slot[SLOT_W-1:LOW_W];
        rd_usable <= usable_mid[high_mid];
        rd_is256  <= is256_mid[high_mid];
    end
    is256_q  <= (is256_q & ~(slot_bit_q & {(1<<SLOT_W){written_q}}))
              | (slot_bit_q & {(1<<SLOT_W){written_q && wide_q}});
    usable_q <= (usable_q & ~(slot_bit_q & {(1<<SLOT_W){written_q}}))
              | (slot_bit_q & {(1<<SLOT_W){usable_now_q}});
    if (rst) begin
        usable_q <= {(1<<SLOT_W){1'b0}};
        is256_q  <= {(1<<SLOT_W){1'b0}};
    end
end

(* no_rw_check *)
reg [127:0]   hash_mem [0:(16<<SLOT_W)-1];
(* no_rw_check *)
reg [127:0]   jump_mem [0:(16<<SLOT_W)-1];
reg [127:0]   hash_mid, jump_mid;
always @(posedge clk) begin
    if (write_q) hash_mem[{slot_q, index_q}] <= power_q;
    if (write_q) jump_mem[{slot_q, index_q}] <= power_q;
    hash_mid   <= hash_mem[hash_addr];
    hash_power <= hash_mid;
    jump_mid   <= jump_mem[jump_addr];
    jump_power <= jump_mid;
end
endmodule
`default_nettype wire
