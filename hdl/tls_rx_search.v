// tls_rx_search.v - reads frames that are ahead of their connection: finds and follows headers.
//
// In    load     the state of another connection;  `state` is that of this one, to be stored
//       moved    the walk's `next` changed; half_way: by opening a record, and bit 31 of it, too
//       broken   the bytes at `next` are no header
//       check    the walk is at a frame that is ahead: m_hit, in the same clock, if a chain starts
//                at `next`, and m_hit_* what it comes to
//       ahead, is_far  no chain starts there: how far ahead the frame is
//       go       search the frame, up to `done`; hdr_* reads its bytes, two clocks later
//       ask      then: m_asks, m_chain_start if the host is to be asked
//       accept   the walk moves to where the host says;  reject: of the pending chain
// Out   m_in_sync, m_tail_end, m_pending*  what an answer of the host is measured by
//       m_start* a trial was started in this frame; m_trial* the one there is
//       m_event* for the host;  count_lost: the boundary was lost
// How   12 bytes that came before and 16 more a clock make 28, in which a header of 13 bytes may
//       start at 16 places. Where a chain is known nothing is read but its next header.
// Spec  docs/receive.md, 7; the names are those of that page.  Model model/rx_search.py.
//       A frame without headers takes its bytes / 16, rounded up, and 9 clocks; a header 6 more.
`default_nettype none
module tls_rx_search #(
    parameter ADDR_W   = 15,        // bits of a byte's address in the buffer
    parameter WINDOW   = 8,         // open records of a connection
    parameter SEARCH_W = 858        // SEARCH_BITS of tls_rx_state.vh
) (
    input  wire                      clk,
    input  wire                      rst,
    input  wire                      self_confirm,
    // the connection
    input  wire                      load,
    input  wire [SEARCH_W-1:0]       load_state,
    output wire [SEARCH_W-1:0]       state,
    input  wire                      s_version,
    input  wire [31:0]               s_next,
    input  wire                      moved,
    input  wire                      half_way,  // by opening a record, and bit 31 with it
    input  wire                      broken,
    input  wire                      accept,
    input  wire                      reject,
    output wire                      m_in_sync,
    output wire [31:0]               m_tail_end,
    output wire                      m_pending,
    output wire [31:0]               m_pending_start,
    // the frame
    input  wire [31:0]               s_seq,     // of its first byte
    input  wire [13:0]               s_bytes,
    input  wire [ADDR_W-1:0]         s_addr,    // of its first byte
    input  wire                      check,
    input  wire                      ahead,
    input  wire                      is_far,
    output wire                      m_hit,
    output wire [31:0]               m_hit_start,   // of the chain's last record
    output wire [27:0]               m_hit_count,
    output wire [14:0]               m_hit_total,
    output wire [1:0]                m_hit_type,
    output wire [63:0]               m_hit_nonce,
    input  wire                      go,
    output wire                      done,
    output wire [ADDR_W-1:0]         hdr_addr,
    input  wire [127:0]              hdr_data,
    input  wire                      ask,
    output wire                      m_asks,
    output wire [31:0]               m_chain_start,
    // trials
    output wire                      m_start,
    output wire [31:0]               m_start_seq,
    output wire [14:0]               m_start_total,
    output wire [1:0]                m_start_type,
    output wire [63:0]               m_start_nonce,
    input  wire [$clog2(WINDOW)-1:0] s_slot,        // that a new one gets
    output wire                      m_trial,
    output wire [$clog2(WINDOW)-1:0] m_trial_slot,
    output wire [31:0]               m_trial_start,
    output wire [14:0]               m_trial_total,
    input  wire                      trial_failed,
    // events and counters
    output wire                      m_event_valid,
    output wire                      m_event_is_request,
    output wire [31:0]               m_event_seq,
    output wire [31:0]               m_event_records,
    output wire                      count_lost
);
`include "tls_regs.vh"              // TLS_VERSION_*
`include "tls_rx_state.vh"
`include "tls_record.vh"
generate if (SEARCH_W != SEARCH_BITS) begin : bad tls_rx_search_width_is_another stop(); end endgenerate
localparam [15:0] LOOK = 16'd13;               // bytes that are looked at: the longest prefix

localparam [2:0]
    ST_IDLE = 3'd0,
    ST_SEEK = 3'd1,                             // how far is it to the chains
    ST_PICK = 3'd2,                             // in one, at the end of one, or neither
    ST_READ = 3'd3,                             // is there a header in these bytes
    ST_NOTE = 3'd4,                             // one was found
    ST_END  = 3'd5,                             // the tail is being read
    ST_DONE = 3'd6;
reg  [2:0]               state_q;

// ---- the connection ----
reg  [1:0]               sync_q;
reg  [CHAIN_W-1:0]       turn_q;
reg  [1:0]               failed_q;
reg                      pending_q;
reg  [CHAIN_W-1:0]       pending_chain_q;
reg                      trial_q;
reg  [SLOT_W-1:0]        trial_slot_q;
reg  [CHAIN_W-1:0]       trial_chain_q;
reg  [14:0]              trial_total_q;
reg  [95:0]              tail_q;                // the last byte is the highest
reg  [3:0]               tail_bytes_q;
reg  [31:0]              tail_end_q;
reg  [CHAINS-1:0]        chain_q;               // there is one
reg  [31:0]              start_q [0:CHAINS-1];
reg  [31:0]              next_q  [0:CHAINS-1];
reg  [COUNT_BITS-1:0]    count_q [0:CHAINS-1];
reg  [14:0]              total_q [0:CHAINS-1];
reg  [1:0]               type_q  [0:CHAINS-1];
reg  [63:0]              nonce_q [0:CHAINS-1];

// ---- the search ----
reg  [31:0]              at_seq_q;              // p
reg  [14:0]              at_q;                  // p - v
reg  [3:0]               tail_now_q;            // bytes of the tail that precede the frame
reg  [32*CHAINS-1:0]     to_start_q;            // from p, each chain's
reg  [32*CHAINS-1:0]     to_next_q;
reg                      track_q;               // p is the end of a chain:
reg  [CHAIN_W-1:0]       track_chain_q;
reg  [14:0]              last_q;                // last place to look at
reg                      made_q;                // the search made or lengthened a chain:
reg  [CHAIN_W-1:0]       made_chain_q;
reg                      started_q;             // a trial
reg  [31:0]              started_seq_q;
reg  [1:0]               started_type_q;
reg  [63:0]              started_nonce_q;
wire [14:0]              frame_bytes = {11'd0, tail_now_q} + {1'b0, s_bytes};      // e - v
wire [4:0]               prefix_bytes = (s_version == TLS_VERSION_TLS_1_3) ? 5'd5 : 5'd13;
wire                     lost = sync_q[1];

wire [32*CHAINS-1:0]     from_next;             // to each chain's start
wire [SEARCH_BITS-CHAINS*CHAIN_BITS-1:0] others =
    {sync_q, turn_q, failed_q, pending_q, pending_chain_q, trial_q, trial_slot_q, trial_chain_q,
     trial_total_q, tail_q, tail_bytes_q, tail_end_q, chain_q};
assign state[SEARCH_BITS-1:CHAINS*CHAIN_BITS] = others;
genvar g;
generate
    for (g = 0; g < CHAINS; g = g + 1) begin : store
        assign state[CHAIN_BITS*g +: CHAIN_BITS] =
            {start_q[g], next_q[g], count_q[g], total_q[g], type_q[g], nonce_q[g]};
        assign from_next[32*g +: 32] = start_q[g] - s_next;
    end
endgenerate

// ---- chains that start at, or behind, the expected sequence number ----
reg  [CHAINS-1:0]        behind, starts_here;
reg  [CHAIN_W-1:0]       hit;
integer i;
always @* begin
    hit = {CHAIN_W{1'b0}};
    for (i = CHAINS - 1; i >= 0; i = i - 1) begin
        behind[i]      = from_next[32*i + 31];
        starts_here[i] = chain_q[i] && from_next[32*i +: 32] == 32'd0;
        if (starts_here[i]) hit = i[CHAIN_W-1:0];
    end
end
assign m_hit       = (starts_here != {CHAINS{1'b0}});
assign m_hit_start = next_q[hit] - {17'd0, total_q[hit]};
assign m_hit_count = count_q[hit];
assign m_hit_total = total_q[hit];
assign m_hit_type  = type_q[hit];
assign m_hit_nonce = nonce_q[hit];

// ---- where p is ----
reg  [CHAINS-1:0]        covers, ends_here;
reg  [CHAIN_W-1:0]       covering, ending, free;
reg  [14:0]              room_here;             // bytes up to the next chain
integer k;
always @* begin
    covering  = {CHAIN_W{1'b0}};
    ending    = {CHAIN_W{1'b0}};
    free      = turn_q;
    room_here = 15'h7fff;
    for (k = CHAINS - 1; k >= 0; k = k - 1) begin
        covers[k]    = chain_q[k] && 32'd0 - to_start_q[32*k +: 32]
                                   < to_next_q[32*k +: 32] - to_start_q[32*k +: 32];
        ends_here[k] = chain_q[k] && to_next_q[32*k +: 32] == 32'd0;
        if (covers[k])    covering = k[CHAIN_W-1:0];
        if (ends_here[k]) ending   = k[CHAIN_W-1:0];
        if (!chain_q[k])  free     = k[CHAIN_W-1:0];
        if (chain_q[k] && !to_start_q[32*k + 31] && to_start_q[32*k +: 31] < {16'd0, room_here})
            room_here = to_start_q[32*k +: 15];
    end
end
wire [31:0]              skip      = to_next_q[32*covering +: 32];
wire [14:0]              last      = frame_bytes - LOOK[14:0];
wire                     all_taken = (chain_q == {CHAINS{1'b1}});

// ---- what is read ----
reg  [ADDR_W-1:0]        rd_q;
reg                      v1_q, v2_q, v3_q, v4_q;    // asked for, on its way, there, looked at
reg                      tail1_q, tail2_q, tail_there_q;
reg  [95:0]              old_q;                 // 12 bytes before those that come
reg  [15:0]              base_q;                // place of the first of these: may be negative
reg  [15:0]              found_q;               // a header may start there
reg                      over_q;                // and that was the last
reg  [15:0]              found_base_q;
reg  [223:0]             window_q;
wire [14:0]              first_new = (at_q > {11'd0, tail_now_q}) ? at_q : {11'd0, tail_now_q};
wire [223:0]             window    = {hdr_data, old_q};
wire [ADDR_W-1:0]        tail_addr = s_addr + {{ADDR_W-14{1'b0}}, s_bytes} - {{ADDR_W-4{1'b0}}, 4'd12};
assign hdr_addr = (state_q == ST_READ) ? rd_q : tail_addr;

// what is encrypted in TLS 1.3 is application_data on the outside
function may_start(input [39:0] header, input v13);
    may_start = (!v13 || header[1:0] == 2'd3)
             && is_header(header, v13 ? TLS_VERSION_TLS_1_3 : TLS_VERSION_TLS_1_2);
endfunction

// the last 12 bytes of tail and frame
reg  [95:0]              new_tail;
wire [3:0]               from_frame = (s_bytes < 14'd12) ? s_bytes[3:0] : 4'd12;
wire [4:0]               tail_sum   = {1'b0, tail_now_q} + {1'b0, from_frame};
integer t;
always @* for (t = 0; t < 12; t = t + 1)
    new_tail[8*t +: 8] = (t < 12 - {28'd0, from_frame}) ? tail_q[8*((t + {28'd0, from_frame}) % 12) +: 8]
                                                        : hdr_data[8*t +: 8];
reg  [95:0]              new_tail_q;

// ---- a header ----
reg  [3:0]               where;                 // of the first one found
integer w;
always @* begin
    where = 4'd0;
    for (w = 15; w >= 0; w = w - 1) if (found_q[w]) where = w[3:0];
end
reg  [103:0]             head_q;
reg  [14:0]              head_at_q;
wire [15:0]              head_at    = found_base_q + {12'd0, where};
wire [31:0]              head_seq   = at_seq_q + {17'd0, head_at_q - at_q};
wire [14:0]              head_total = {head_q[30:24], head_q[39:32]} + 15'd5;
wire [63:0]              head_nonce = {head_q[47:40], head_q[55:48], head_q[63:56], head_q[71:64],
                                       head_q[79:72], head_q[87:80], head_q[95:88], head_q[103:96]};
wire [31:0]              trial_start = start_q[trial_chain_q];
wire [31:0]              from_trial  = head_seq - trial_start - {17'd0, trial_total_q};
wire                     starts = lost && self_confirm && failed_q != 2'd3 && !started_q
                               && head_at_q + {10'd0, prefix_bytes} >= {11'd0, tail_now_q}
                               && (!trial_q || !from_trial[31]);
wire                     makes  = !track_q || starts;
wire [CHAIN_W-1:0]       noted  = makes ? free : track_chain_q;

// ---- the host ----
wire [31:0]              older = start_q[pending_chain_q] - start_q[made_chain_q];
assign m_asks = lost && made_q
             && (!pending_q || older[31])
             && (!self_confirm || failed_q == 2'd3 || count_q[made_chain_q] >= 28'd2);
assign m_chain_start = start_q[made_chain_q];

// a chain is dropped
wire looked   = (state_q == ST_READ) && v4_q;
wire finds    = looked && found_q != 16'd0;
wire misses   = looked && !finds && over_q && track_q;
reg  [CHAINS-1:0]        drop;
integer d;
always @* begin
    drop = {CHAINS{1'b0}};
    for (d = 0; d < CHAINS; d = d + 1) begin
        if (check && behind[d]) drop[d] = 1'b1;
        if (check && m_hit && hit == d[CHAIN_W-1:0]) drop[d] = 1'b1;
        if (half_way) drop[d] = 1'b1;
        if (reject && pending_chain_q == d[CHAIN_W-1:0]) drop[d] = 1'b1;
        if (state_q == ST_NOTE && makes && free == d[CHAIN_W-1:0]) drop[d] = 1'b1;
        if (misses && track_chain_q == d[CHAIN_W-1:0]) drop[d] = 1'b1;
    end
end
wire [CHAINS-1:0] dropped = drop & chain_q;
wire withdraw = pending_q && !accept && !reject && (moved || dropped[pending_chain_q]);
wire remains  = (dropped != chain_q);           // a chain

integer n, r;
always @(posedge clk) begin
    v1_q    <= 1'b0;
    v2_q    <= v1_q;
    v3_q    <= v2_q;
    v4_q    <= v3_q;
    tail1_q <= (state_q == ST_SEEK) && !tail_there_q;
    tail2_q <= tail1_q;
    if (tail2_q) begin
        new_tail_q   <= new_tail;
        tail_there_q <= 1'b1;
    end

    case (state_q)
        ST_SEEK: begin
            for (n = 0; n < CHAINS; n = n + 1) begin
                to_start_q[32*n +: 32] <= start_q[n] - at_seq_q;
                to_next_q[32*n +: 32]  <= next_q[n] - at_seq_q;
            end
            state_q <= ({1'b0, at_q} + LOOK > {1'b0, frame_bytes}) ? ST_END : ST_PICK;
        end
        ST_PICK: begin
            track_q       <= (ends_here != {CHAINS{1'b0}});
            track_chain_q <= ending;
            last_q <= (ends_here != {CHAINS{1'b0}}) ? at_q
                    : (room_here <= last - at_q) ? at_q + room_here - 15'd1 : last;
            rd_q   <= s_addr + {{ADDR_W-15{1'b0}}, first_new} - {{ADDR_W-4{1'b0}}, tail_now_q};
            base_q <= {1'b0, first_new} - 16'd12;
            old_q  <= tail_q;
            if (covers != {CHAINS{1'b0}}) begin
                at_seq_q <= next_q[covering];
                at_q     <= (skip >= 32'h4000) ? 15'h4000 : at_q + skip[14:0];
                state_q  <= ST_SEEK;
            end else begin
                v1_q    <= 1'b1;
                v2_q    <= 1'b0;
                v3_q    <= 1'b0;
                v4_q    <= 1'b0;
                state_q <= ST_READ;
            end
        end
        ST_READ: begin
            v1_q <= 1'b1;
            rd_q <= rd_q + {{ADDR_W-5{1'b0}}, 5'd16};
            if (v3_q) begin
                for (r = 0; r < 16; r = r + 1)
                    found_q[r] <= may_start(window[8*r +: 40], s_version == TLS_VERSION_TLS_1_3)
                               && $signed(base_q + r[15:0]) >= $signed({1'b0, at_q})
                               && $signed(base_q + r[15:0]) <= $signed({1'b0, last_q});
                over_q       <= $signed(base_q + 16'd15) >= $signed({1'b0, last_q});
                found_base_q <= base_q;
                window_q     <= window;
                old_q        <= hdr_data[127:32];
                base_q       <= base_q + 16'd16;
            end
            if (finds) begin
                head_q    <= window_q[{1'b0, where, 3'd0} +: 104];
                head_at_q <= head_at[14:0];
                state_q   <= ST_NOTE;
            end else if (looked && over_q) begin
                if (!track_q) begin
                    at_q     <= last_q + 15'd1;
                    at_seq_q <= at_seq_q + {17'd0, last_q - at_q} + 32'd1;
                end
                state_q <= ST_SEEK;
            end
        end
        ST_NOTE: begin
            if (makes) start_q[noted] <= head_seq;
            count_q[noted] <= makes ? 28'd1 : count_q[noted] + 28'd1;
            next_q[noted]  <= head_seq + {17'd0, head_total};
            total_q[noted] <= head_total;
            type_q[noted]  <= head_q[1:0];
            nonce_q[noted] <= head_nonce;
            if (makes && all_taken) turn_q <= turn_q + {{CHAIN_W-1{1'b0}}, 1'b1};
            made_chain_q <= noted;
            at_q         <= head_at_q + head_total;
            at_seq_q     <= head_seq + {17'd0, head_total};
            state_q      <= ST_SEEK;
        end
        ST_END: if (tail_there_q) begin
            tail_q       <= new_tail_q;
            tail_bytes_q <= (tail_sum > 5'd12) ? 4'd12 : tail_sum[3:0];
            tail_end_q   <= s_seq + {18'd0, s_bytes};
            state_q      <= ST_DONE;
        end
        default: state_q <= ST_IDLE;            // ST_DONE
    endcase

    if (ahead && !lost) sync_q <= is_far ? SYNC_SEARCHING : SYNC_WAITING;
    if (broken) begin
        if (!lost) sync_q <= SYNC_SEARCHING;
        tail_bytes_q <= 4'd0;
        tail_end_q   <= s_seq + {18'd0, s_bytes};
    end
    if (go) begin
        at_q         <= 15'd0;
        at_seq_q     <= s_seq - ((tail_end_q == s_seq) ? {28'd0, tail_bytes_q} : 32'd0);
        tail_now_q   <= (tail_end_q == s_seq) ? tail_bytes_q : 4'd0;
        tail_there_q <= 1'b0;
        made_q       <= 1'b0;
        started_q    <= 1'b0;
        state_q      <= ST_SEEK;
    end
    if (ask && lost) sync_q <= (chain_q != {CHAINS{1'b0}}) ? SYNC_TRACKING : SYNC_SEARCHING;
    if (ask && m_asks) begin
        pending_q       <= 1'b1;
        pending_chain_q <= made_chain_q;
    end
    if (trial_failed) begin
        trial_q  <= 1'b0;
        failed_q <= failed_q + 2'd1;
    end

    // what goes
    chain_q <= chain_q & ~drop;
    if (dropped[made_chain_q]) made_q <= 1'b0;
    if (dropped[trial_chain_q]) trial_q <= 1'b0;
    if (withdraw || accept || reject) pending_q <= 1'b0;
    if (reject && lost) sync_q <= remains ? SYNC_TRACKING : SYNC_SEARCHING;
    if (moved) begin
        sync_q   <= SYNC_IN_SYNC;
        trial_q  <= 1'b0;
        failed_q <= 2'd0;
    end
    if (state_q == ST_NOTE) begin
        chain_q[noted] <= 1'b1;
        made_q         <= 1'b1;
        if (starts) begin
            trial_q       <= 1'b1;
            trial_chain_q <= noted;
            trial_slot_q  <= s_slot;
            trial_total_q <= head_total;
            started_q     <= 1'b1;
            started_seq_q <= head_seq;
            started_type_q  <= head_q[1:0];
            started_nonce_q <= head_nonce;
        end
    end

    if (load) begin
        {sync_q, turn_q, failed_q, pending_q, pending_chain_q, trial_q, trial_slot_q, trial_chain_q,
         trial_total_q, tail_q, tail_bytes_q, tail_end_q}
                <= load_state[SEARCH_BITS-1:CHAINS*(CHAIN_BITS+1)];
        chain_q <= load_state[CHAINS*CHAIN_BITS +: CHAINS];
        for (n = 0; n < CHAINS; n = n + 1) begin
            start_q[n] <= load_state[CHAIN_BITS*n + 81 + COUNT_BITS + 32 +: 32];
            next_q[n]  <= load_state[CHAIN_BITS*n + 81 + COUNT_BITS +: 32];
            count_q[n] <= load_state[CHAIN_BITS*n + 81 +: COUNT_BITS];
            total_q[n] <= load_state[CHAIN_BITS*n + 66 +: 15];
            type_q[n]  <= load_state[CHAIN_BITS*n + 64 +: 2];
            nonce_q[n] <= load_state[CHAIN_BITS*n +: 64];
        end
    end
    if (rst) begin
        state_q   <= ST_IDLE;
        pending_q <= 1'b0;
    end
end

assign done            = (state_q == ST_DONE);
assign m_in_sync       = (sync_q == SYNC_IN_SYNC);
assign m_tail_end      = tail_end_q;
assign m_pending       = pending_q;
assign m_pending_start = start_q[pending_chain_q];
assign m_start         = started_q;
assign m_start_seq     = started_seq_q;
assign m_start_total   = trial_total_q;
assign m_start_type    = started_type_q;
assign m_start_nonce   = started_nonce_q;
assign m_trial         = trial_q;
assign m_trial_slot    = trial_slot_q;
assign m_trial_start   = trial_start;
assign m_trial_total   = trial_total_q;

assign m_event_valid      = withdraw || (ask && m_asks);
assign m_event_is_request = !withdraw;
assign m_event_seq        = withdraw ? m_pending_start : m_chain_start;
assign m_event_records    = withdraw ? 32'd0 : {4'd0, count_q[made_chain_q]} - 32'd1;
assign count_lost         = !lost && ((ahead && is_far) || broken);

// signs and low bits are enough of these
wire unused_ok = &{1'b0, head_q[31], head_q[23:2], head_at[15], from_trial[30:0], older[30:0]};
endmodule
`default_nettype wire
