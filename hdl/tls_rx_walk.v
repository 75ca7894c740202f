// tls_rx_walk.v - walks the payload of a frame along the records of its connection.
//
// In    s_*      a frame, and with one that `needs` it its connection and that one's youngest open
//                record; or `same`: the connection of the last one that needed it
//       hdr_*    reads the frame's bytes from the buffer: 16 from any byte, two clocks later
//       s_resync a command for its connection instead: where a record starts, or none does
// Out   m_piece  what is to be hashed: a run of a record's text, or of its tag
//       m_item   for the verdict: the same pieces in the same order, then the frame's end with its
//                reason as far as the walk knows it;  guess_* what it says to guesses
//       m_range  where in the frame the text of a piece is
//       wr_*     the connection, and a record of it, after the frame; scan_* reads another record
// Rules the three queues behind take a piece together: valid of each waits for ready of all.
// How   `to_edge` is the distance to the first byte of a prefix that is missing, `in_rec` the place
//       in the record at hand; both step on with each run of bytes. A frame in the middle of a
//       record takes 4 clocks, the head of a record 4 more, an older record 3 to be looked at.
//       A frame that is ahead is searched for headers (tls_rx_search). A record of unknown number,
//       the trial, is taken like any other, but its frames pass; then the frame that completed it
//       waits for what the verdict says to 64 guesses.
// Spec  docs/receive.md, 2, 3 and 7; the names are those of that page.  Model model/rx_walk.py.
`default_nettype none
module tls_rx_walk #(
    parameter ID_W   = 6,           // bits of a connection's id
    parameter ADDR_W = 15,          // bits of a byte's address in the buffer
    parameter WINDOW = 8,           // open records of a connection
    parameter CONN_W = 1094,        // CONN_BITS and REC_BITS of tls_rx_state.vh
    parameter REC_W  = 287
) (
    input  wire                      clk,
    input  wire                      rst,
    input  wire                      avoid_partials,
    input  wire                      self_confirm,
    // frames
    input  wire                      s_valid,
    output wire                      s_ready,
    input  wire                      s_needs,
    input  wire                      s_insert,      // a connection is new
    input  wire                      s_remove,      // goes on to the verdict
    input  wire                      s_resync,
    input  wire                      s_same,
    input  wire [ID_W-1:0]           s_id,
    input  wire                      s_found,
    input  wire                      s_csum_good,
    input  wire [3:0]                s_reason,
    input  wire [ADDR_W-1:0]         s_addr,        // of the payload's first byte
    input  wire [13:0]               s_offset,      // of the payload in the frame
    input  wire [13:0]               s_bytes,
    input  wire [9:0]                s_words,       // of the frame; goes on to the verdict
    input  wire [31:0]               s_seq,
    input  wire [CONN_W-1:0]         s_conn,
    input  wire [REC_W-1:0]          s_rec,
    // of a new connection, or a resync
    input  wire                      new_version,
    input  wire [31:0]               new_seq,       // of a resync too
    input  wire [63:0]               new_record,
    input  wire                      new_accept,    // of a resync
    // bytes of the frame
    output wire [ADDR_W-1:0]         hdr_addr,
    input  wire [127:0]              hdr_data,
    // results
    output wire                      wr_conn_en,
    output wire [ID_W-1:0]           wr_id,
    output wire [CONN_W-1:0]         wr_conn,
    output wire                      wr_rec_en,
    output wire [$clog2(WINDOW)-1:0] wr_slot,
    output wire [REC_W-1:0]          wr_rec,
    output wire                      scan_en,
    output wire [$clog2(WINDOW)-1:0] scan_slot,
    input  wire [REC_W-1:0]          scan_rec,
    // pieces
    output wire                      m_piece_valid,
    input  wire                      m_piece_ready,
    output wire                      m_piece_is_tag,
    output wire [ID_W-1:0]           m_piece_id,
    output wire [ADDR_W-1:0]         m_piece_addr,  // of its first byte
    output wire [13:0]               m_piece_bytes,
    output wire [14:0]               m_piece_place, // of its first byte in the text, or the tag
    output wire                      m_piece_version,
    output wire [1:0]                m_piece_type,
    output wire [63:0]               m_piece_number,
    output wire [63:0]               m_piece_nonce,
    output wire [14:0]               m_piece_len,   // bytes of the record's text
    // for the verdict
    output wire                      m_item_valid,
    input  wire                      m_item_ready,
    output wire [2:0]                m_item_kind,
    output wire [ID_W-1:0]           m_item_id,
    output wire [$clog2(WINDOW)-1:0] m_item_slot,
    output wire                      m_item_first,  // piece of its record
    output wire                      m_item_last,
    output wire                      m_item_some,   // the piece has bytes
    output wire                      m_item_found,
    output wire                      m_item_csum_good,
    output wire [3:0]                m_item_reason,
    output wire [13:0]               m_item_bytes,
    output wire [9:0]                m_item_ranges, // of this frame
    output wire [9:0]                m_item_words,
    output wire                      m_item_asks,   // the host, with this frame,
    output wire [31:0]               m_item_ask_seq,    // about this place
    output wire                      m_range_valid,
    input  wire                      m_range_ready,
    output wire [13:0]               m_range_from,
    output wire [13:0]               m_range_to,
    input  wire                      guess_valid,   // a guess was looked at
    input  wire                      guess_right,
    // commands, events, counters
    output wire                      inserted,      // the new connection counts from here on
    output wire                      resynced,      // the resync was done, or was
    output wire                      stale,
    output wire                      m_event_valid,
    output wire                      m_event_is_request,
    output wire [ID_W-1:0]           m_event_id,
    output wire [31:0]               m_event_seq,
    output wire [31:0]               m_event_records,
    output wire                      count_lost,
    output wire                      count_proved
);
`include "tls_regs.vh"              // RX_PASS_*, TLS_VERSION_*
`include "tls_rx_state.vh"
`include "tls_record.vh"
generate if (CONN_W != CONN_BITS || REC_W != REC_BITS) begin : bad tls_rx_walk_widths_are_others stop(); end endgenerate

localparam [4:0]
    ST_IDLE  = 5'd0,                            // no frame
    ST_STEP  = 5'd1,                            // what is next: end, prefix, record, or where
    ST_RUN   = 5'd2,                            // bytes of the record at hand: were they taken?
    ST_TEXT  = 5'd3,                            // take them, or not; text goes out
    ST_TAG   = 5'd4,                            // tag goes out
    ST_READ  = 5'd5,                            // bytes of the prefix are being read
    ST_CHECK = 5'd6,                            // they are there
    ST_OPEN  = 5'd7,                            // the prefix grows, or a record opens
    ST_EMPTY = 5'd8,                            // its text is empty, and goes out at once
    ST_SCAN  = 5'd9,                            // another open record is being read
    ST_SCANS = 5'd10,                           // a clock later
    ST_FOUND = 5'd11,                           // it is there
    ST_SKIP  = 5'd12,                           // these bytes are in no open record
    // a frame that is ahead
    ST_AHEAD = 5'd13,                           // does a chain start at next?
    ST_PLACE = 5'd14,                           // next has changed: where is pos now
    ST_TRIAL = 5'd15,                           // the trial is being read
    ST_LOAD  = 5'd16,                           // it is there
    ST_SEEK  = 5'd17,                           // the frame is searched
    ST_BEGIN = 5'd18,                           // that started a trial
    ST_KEEP  = 5'd19,                           // the trial is stored, or complete
    ST_GUESS = 5'd20,                           // guesses go out
    ST_WAIT  = 5'd21,                           // what the verdict says to them
    ST_ASK   = 5'd22,                           // is the host to be asked?
    // a command
    ST_SYNC  = 5'd23;
localparam [31:0] LONGEST = 32'd16413;          // bytes of a record
localparam [6:0]  GUESSES = 7'd64;
reg  [4:0] state_q;

// ---- the connection ----
reg                     version_q;
reg  [31:0]             next_q;
reg  [63:0]             number_q;
reg  [3:0]              have_q;
reg  [95:0]             prefix_q;
reg  [OPEN_W-1:0]      count_q;                // open records
reg  [WINDOW-1:0]       used_q;                 // their places in the window
reg  [WINDOW*SLOT_W-1:0] order_q;               // the same, the oldest in the lowest bits

// ---- the record at hand ----
reg                     rec_q;                  // there is one
reg  [SLOT_W-1:0]       slot_q;
reg  [31:0]             start_q;
reg  [14:0]             total_q;
reg  [1:0]              type_q;                 // above 20
reg  [63:0]             rec_number_q, nonce_q;
reg                     partial_q, fresh_q;     // fresh: no piece of it went out
reg  [14:0]             edge_q;                 // end of the run that starts at 0
reg  [RUNS-1:0]         run_q;                  // other runs
reg  [15*RUNS-1:0]      from_q, to_q;
reg                     dirty_q;                // newer than what is stored

// ---- the frame ----
reg                     needs_q, insert_q, remove_q, found_q, csum_good_q;
reg  [ID_W-1:0]         id_q;
reg  [3:0]              reason_q;
reg  [ADDR_W-1:0]       addr_q;                 // of the byte at pos
reg  [13:0]             place_q;                // of it in the frame
reg  [13:0]             bytes_q, left_q;
reg  [9:0]              ranges_q, words_q;
reg  [31:0]             to_edge_q;              // next + have - pos
reg  [31:0]             in_rec_q;               // pos - start
reg                     begun_q;                // past the first step
reg                     resync_q, stale_q;
reg                     asks_q;
reg  [31:0]             ask_seq_q;

// ---- a frame that is ahead ----
reg                     far_q;
reg                     passing_q;              // the record that opens is a chain's last
reg                     trying_q;               // the record at hand is the trial
reg                     tried_q;                // it is complete
reg                     searched_q;
reg                     proved_q;
reg  [6:0]              guess_q;                // guesses that went out, and the sum they start from
reg  [6:0]              back_q;                 // that were looked at
reg                     right_q;                // one was right:
reg  [5:0]              right_guess_q;

wire [4:0]  prefix_bytes = (version_q == TLS_VERSION_TLS_1_3) ? 5'd5 : 5'd13;
wire        room = m_piece_ready && m_item_ready && m_range_ready;

// ---- step ----
wire        ended    = !needs_q || left_q == 14'd0;
wire        ahead    = !begun_q && to_edge_q[31];
wire        at_edge  = (to_edge_q == 32'd0);
wire        in_it   = rec_q && in_rec_q < {17'd0, total_q};
wire        ends     = (state_q == ST_STEP) && ended;
wire        leaves   = ends && (insert_q || resync_q || m_item_ready);
wire        enters   = s_valid && s_ready;
assign s_ready = (state_q == ST_IDLE) || leaves;

// ---- the frame's bytes in the record at hand: [x_q, y_q) ----
reg  [14:0] x_q, y_q;
reg         alone_q;                            // the frame has no byte of another record
wire [15:0] reach = {1'b0, in_rec_q[14:0]} + {2'd0, left_q};
wire [13:0] gone  = bytes_q - left_q;

reg  [RUNS-1:0] left_run, right_run, over_run;  // ends at x, starts at y, has a byte of it
reg  [RUNS-1:0] free_run;                       // the first free one
reg  [14:0]     right_to;
reg             blocked_q, over_q, full_q, at_edge_run_q;
reg  [RUNS-1:0] left_run_q, right_run_q, free_run_q;
reg  [14:0]     merged_to_q;                    // end of the run that this becomes part of
integer i;
always @* begin
    free_run  = {RUNS{1'b0}};
    right_to  = y_q;
    for (i = 0; i < RUNS; i = i + 1) begin
        left_run[i]  = run_q[i] && to_q[15*i +: 15] == x_q;
        right_run[i] = run_q[i] && from_q[15*i +: 15] == y_q;
        over_run[i]  = run_q[i] && from_q[15*i +: 15] < y_q && x_q < to_q[15*i +: 15];
        if (right_run[i]) right_to = to_q[15*i +: 15];
        if (!run_q[i] && free_run == {RUNS{1'b0}}) free_run[i] = 1'b1;
    end
end
wire        skips    = blocked_q || over_q || full_q;
wire        complete = !skips && at_edge_run_q && merged_to_q == total_q;
wire [14:0] text_end = total_q - 15'd16;
wire [13:0] text_y   = (y_q < text_end) ? y_q[13:0] : text_end[13:0];     // good for a difference
wire        has_text = x_q < text_end;
wire        has_tag  = y_q > text_end;
wire [14:0] tag_x    = (x_q > text_end) ? x_q : text_end;
wire [13:0] run_len  = y_q[13:0] - x_q[13:0];
wire [3:0]  skip_reason = blocked_q ? RX_PASS_PARTIAL : over_q ? RX_PASS_OVERLAP : RX_PASS_WINDOW_FULL;

// ---- the prefix ----
wire [ADDR_W-1:0] search_addr;
wire [13:0]  missing = {9'd0, prefix_bytes} - {10'd0, have_q};
reg  [103:0] head_q;
reg  [4:0]   grown_q;                           // bytes of the prefix now
reg          bad_head_q;
wire [4:0]   grown   = (left_q < missing) ? {1'b0, have_q} + left_q[4:0] : prefix_bytes;
reg  [103:0] head;
integer j;
always @* for (j = 0; j < 13; j = j + 1)
    head[8*j +: 8] = (j < 12 && {28'd0, have_q} > j) ? prefix_q[8*(j % 12) +: 8] : hdr_data[8*j +: 8];
wire         bad_head = !is_header(head[39:0], version_q);
wire [14:0]  new_total  = {head_q[30:24], head_q[39:32]} + 15'd5;
wire         new_empty  = new_total == {10'd0, prefix_bytes} + 15'd16;
wire         opens      = grown_q == prefix_bytes;
assign hdr_addr = (state_q == ST_SEEK) ? search_addr : addr_q - {{ADDR_W-4{1'b0}}, have_q};

// ---- the window ----
wire              window_full = count_q[SLOT_W];
reg  [SLOT_W-1:0] free_slot;
integer k;
always @* begin
    free_slot = order_q[SLOT_W-1:0];            // the oldest, if none is free
    for (k = WINDOW-1; k >= 0; k = k - 1) if (!used_q[k]) free_slot = k[SLOT_W-1:0];
end
function [WINDOW*SLOT_W-1:0] without(input [WINDOW*SLOT_W-1:0] order, input [SLOT_W-1:0] slot);
    integer n;
    reg     past;
    begin
        past = 1'b0;
        without = order;
        for (n = 0; n < WINDOW - 1; n = n + 1) begin
            if (order[SLOT_W*n +: SLOT_W] == slot) past = 1'b1;
            if (past) without[SLOT_W*n +: SLOT_W] = order[SLOT_W*(n+1) +: SLOT_W];
        end
    end
endfunction
function [WINDOW*SLOT_W-1:0] with_last(input [WINDOW*SLOT_W-1:0] order, input [SLOT_W-1:0] count,
                                       input [SLOT_W-1:0] slot);
    integer n;
    begin
        with_last = order;
        for (n = 0; n < WINDOW; n = n + 1)
            if (count == n[SLOT_W-1:0]) with_last[SLOT_W*n +: SLOT_W] = slot;
    end
endfunction
function [WINDOW-1:0] place_of(input [SLOT_W-1:0] slot);
    place_of = {{WINDOW-1{1'b0}}, 1'b1} << slot;
endfunction
wire [WINDOW*SLOT_W-1:0] order_young = window_full ? order_q >> SLOT_W : order_q;   // without the oldest
wire [OPEN_W-1:0]        count_young = window_full ? count_q - {{OPEN_W-1{1'b0}}, 1'b1} : count_q;
wire [WINDOW-1:0]        used_young  = window_full ? used_q & ~place_of(order_q[SLOT_W-1:0]) : used_q;
// no open record is 2^32 bytes old, so none has another's sequence numbers
wire [31:0]              next_open  = next_q + {17'd0, new_total};
wire                     half_way   = next_open[31] != next_q[31];
wire [OPEN_W-1:0]        count_open = half_way ? {OPEN_W{1'b0}} : count_young;

// ---- looking for the record ----
reg  [OPEN_W-1:0]  scan_q;                      // records still to be looked at
reg  [31:0]        pos_q;
wire [SLOT_W-1:0]  trial_slot;
reg  [31:0]        nearest_q;                   // bytes to the next known place
reg  [31:0]        scan_in_q, scan_dist_q;      // from that record's start to pos, and back
reg  [14:0]        scan_total_q;
wire [OPEN_W-1:0]  scan_now = scan_q - {{OPEN_W-1{1'b0}}, 1'b1};
assign scan_en   = (state_q == ST_SCAN) || (state_q == ST_SCANS) || (state_q == ST_TRIAL);
assign scan_slot = (state_q == ST_TRIAL) ? trial_slot : order_q[SLOT_W*scan_now[SLOT_W-1:0] +: SLOT_W];
wire [13:0]        skip_len = (nearest_q < {18'd0, left_q}) ? nearest_q[13:0] : left_q;

// ---- ahead ----
wire                   hit, searched, started, trial, asks, in_sync, pending;
wire [31:0]            hit_start, started_seq, trial_start, ask_seq, tail_end, pending_start;
wire [27:0]            hit_count;
wire [14:0]            hit_total, started_total, trial_total;
wire [1:0]             hit_type, started_type;
wire [63:0]            hit_nonce, started_nonce;
wire [SEARCH_BITS-1:0] search;
wire        check   = (state_q == ST_AHEAD);
wire        declare = check && !hit && !proved_q;
wire        opened  = (state_q == ST_OPEN) && !bad_head_q && opens;
wire        broken  = (state_q == ST_OPEN) && bad_head_q;
wire        fails   = (state_q == ST_WAIT) && back_q == GUESSES && !right_q;
wire        proves  = (state_q == ST_WAIT) && back_q == GUESSES && right_q;
wire        is_pending = pending && pending_start == new_seq;
wire [31:0] from_tail = new_seq - tail_end;
wire [31:0] from_next = new_seq - next_q;
wire        to_come = !in_sync && !from_tail[31] && !from_next[31];
wire        accepts = (state_q == ST_SYNC) && new_accept && (is_pending || to_come);
wire        rejects = (state_q == ST_SYNC) && !new_accept && is_pending;
wire [ADDR_W-1:0] first_addr = addr_q - {{ADDR_W-14{1'b0}}, gone};
wire [31:0] first_seq = pos_q - {18'd0, gone};
tls_rx_search #(.ADDR_W(ADDR_W), .WINDOW(WINDOW), .SEARCH_W(SEARCH_BITS)) searcher (
    .clk(clk), .rst(rst), .self_confirm(self_confirm),
    .load(enters && s_needs && !s_same), .load_state(s_conn[CONN_W-1 -: SEARCH_BITS]), .state(search),
    .s_version(version_q), .s_next(next_q), .moved(opened || (check && hit) || proves || accepts),
    .half_way(opened && half_way), .broken(broken), .accept(accepts), .reject(rejects),
    .m_in_sync(in_sync), .m_tail_end(tail_end), .m_pending(pending), .m_pending_start(pending_start),
    .s_seq(first_seq), .s_bytes(bytes_q), .s_addr(first_addr), .check(check), .ahead(declare),
    .is_far(far_q), .m_hit(hit), .m_hit_start(hit_start), .m_hit_count(hit_count),
    .m_hit_total(hit_total), .m_hit_type(hit_type), .m_hit_nonce(hit_nonce),
    .go(state_q == ST_SEEK && !begun_q), .done(searched), .hdr_addr(search_addr), .hdr_data(hdr_data),
    .ask(state_q == ST_ASK), .m_asks(asks), .m_chain_start(ask_seq),
    .m_start(started), .m_start_seq(started_seq), .m_start_total(started_total),
    .m_start_type(started_type), .m_start_nonce(started_nonce), .s_slot(free_slot),
    .m_trial(trial), .m_trial_slot(trial_slot), .m_trial_start(trial_start),
    .m_trial_total(trial_total), .trial_failed(fails),
    .m_event_valid(m_event_valid), .m_event_is_request(m_event_is_request),
    .m_event_seq(m_event_seq), .m_event_records(m_event_records), .count_lost(count_lost));

wire [14:0] hit_len = hit_total - 15'd5;
// the trial that the search started: its text begins to_started bytes into the frame
wire [31:0] started_text  = started_seq + {27'd0, prefix_bytes} - first_seq;
wire [13:0] to_started    = started_text[13:0];
wire [31:0] started_reach = first_seq + {18'd0, bytes_q} - started_seq;     // from its start to the frame's end
wire        started_empty = started_total == {10'd0, prefix_bytes} + 15'd16;
// next changes, other than by opening the record there
task move(input [31:0] to);
    begin
        next_q <= to;
        have_q <= 4'd0;
        if (to[31] != next_q[31]) begin
            rec_q   <= 1'b0;
            count_q <= {OPEN_W{1'b0}};
            used_q  <= {WINDOW{1'b0}};
        end
    end
endtask
// one run of bytes done
task advance(input [13:0] n);
    begin
        addr_q    <= addr_q + {{ADDR_W-14{1'b0}}, n};
        place_q   <= place_q + n;
        left_q    <= left_q - n;
        pos_q     <= pos_q + {18'd0, n};
        to_edge_q <= to_edge_q - {18'd0, n};
        in_rec_q  <= in_rec_q + {18'd0, n};
        begun_q   <= 1'b1;
    end
endtask
task rewind;
    begin
        addr_q  <= addr_q - {{ADDR_W-14{1'b0}}, gone};
        place_q <= place_q - gone;
        left_q  <= bytes_q;
        pos_q   <= pos_q - {18'd0, gone};
    end
endtask
task load_rec(input [REC_W-1:0] rec);
    {start_q, total_q, type_q, rec_number_q, nonce_q, partial_q, fresh_q, edge_q, run_q, from_q, to_q}
        <= rec;
endtask

localparam LISTS_W = OPEN_W + WINDOW + WINDOW*SLOT_W + SLOT_W;
wire [31:0]        s_next  = s_conn[LISTS_W+164 +: 32];
wire [3:0]         s_have  = s_conn[LISTS_W+96 +: 4];
wire [OPEN_W-1:0] s_count = s_conn[LISTS_W-1 -: OPEN_W];

integer r;
always @(posedge clk) begin
    if (wr_rec_en) dirty_q <= 1'b0;
    case (state_q)
        ST_STEP: if (!ended) begin
            x_q     <= in_rec_q[14:0];
            y_q     <= (reach > {1'b0, total_q}) ? total_q : reach[14:0];
            alone_q <= {18'd0, gone} <= in_rec_q && reach <= {1'b0, total_q};
            scan_q  <= count_q;
            nearest_q <= to_edge_q;
            far_q   <= (32'd0 - to_edge_q) > LONGEST;
            state_q <= ahead ? ST_AHEAD : at_edge ? ST_READ : in_it ? ST_RUN
                             : (count_q != {OPEN_W{1'b0}}) ? ST_SCAN : ST_SKIP;
        end
        ST_RUN: begin
            blocked_q     <= avoid_partials && partial_q && alone_q && !trying_q;
            over_q        <= (x_q < edge_q) || (over_run != {RUNS{1'b0}});
            full_q        <= (x_q != edge_q) && (left_run == {RUNS{1'b0}})
                          && (right_run == {RUNS{1'b0}}) && (run_q == {RUNS{1'b1}});
            at_edge_run_q <= (x_q == edge_q);
            left_run_q    <= left_run;
            right_run_q   <= right_run;
            free_run_q    <= free_run;
            merged_to_q   <= right_to;
            state_q       <= ST_TEXT;
        end
        ST_TEXT: if (skips && trying_q) state_q <= ST_KEEP;
        else if (skips) begin
            if (reason_q == RX_PASS_NONE) reason_q <= skip_reason;
            partial_q <= 1'b1;
            dirty_q   <= 1'b1;
            advance(run_len);
            state_q   <= ST_STEP;
        end else if (room) begin
            // the runs that touch become one: that from 0, else the left one, the right one, a new one
            if (at_edge_run_q) edge_q <= merged_to_q;
            for (r = 0; r < RUNS; r = r + 1) begin
                if (!at_edge_run_q && left_run_q[r]) to_q[15*r +: 15] <= merged_to_q;
                else if (right_run_q[r]) begin
                    if (at_edge_run_q || left_run_q != {RUNS{1'b0}}) run_q[r] <= 1'b0;
                    else from_q[15*r +: 15] <= x_q;
                end else if (!at_edge_run_q && left_run_q == {RUNS{1'b0}}
                             && right_run_q == {RUNS{1'b0}} && free_run_q[r]) begin
                    run_q[r] <= 1'b1;
                    from_q[15*r +: 15] <= x_q;
                    to_q[15*r +: 15]   <= y_q;
                end
            end
            fresh_q <= 1'b0;
            if (has_text && !trying_q) ranges_q <= ranges_q + 10'd1;
            if (complete && trying_q) begin
                tried_q  <= 1'b1;
                dirty_q  <= 1'b0;
            end else if (complete) begin
                rec_q    <= 1'b0;
                count_q  <= count_q - {{OPEN_W-1{1'b0}}, 1'b1};
                used_q   <= used_q & ~place_of(slot_q);
                order_q  <= without(order_q, slot_q);
            end else dirty_q <= 1'b1;
            if (has_text && has_tag) state_q <= ST_TAG;
            else if (trying_q) state_q <= ST_KEEP;
            else begin
                advance(run_len);
                state_q <= ST_STEP;
            end
        end
        ST_TAG: if (room) begin
            if (!trying_q) advance(run_len);
            state_q <= trying_q ? ST_KEEP : ST_STEP;
        end
        ST_READ: state_q <= ST_CHECK;
        ST_CHECK: begin
            head_q     <= head;
            grown_q    <= grown;
            bad_head_q <= (grown >= 5'd5) && bad_head;
            state_q    <= ST_OPEN;
        end
        ST_OPEN: begin
            if (bad_head_q) begin
                if (reason_q == RX_PASS_NONE) reason_q <= RX_PASS_BAD_RECORD;
                left_q  <= 14'd0;
                begun_q <= 1'b1;
                state_q <= ST_STEP;
            end else begin
                if (!passing_q) advance({9'd0, grown_q} - {10'd0, have_q});
                prefix_q <= head_q[95:0];
                if (opens) begin
                    have_q    <= 4'd0;
                    to_edge_q <= {17'd0, new_total} - {27'd0, prefix_bytes};
                    in_rec_q  <= {27'd0, prefix_bytes};
                    next_q    <= next_open;
                    number_q  <= number_q + 64'd1;
                    rec_q     <= 1'b1;
                    slot_q    <= free_slot;
                    start_q   <= next_q;
                    total_q   <= new_total;
                    type_q    <= head_q[1:0];
                    rec_number_q <= number_q;
                    nonce_q   <= {head_q[47:40], head_q[55:48], head_q[63:56], head_q[71:64],
                                  head_q[79:72], head_q[87:80], head_q[95:88], head_q[103:96]};
                    partial_q <= (reason_q != RX_PASS_NONE) || passing_q;
                    fresh_q   <= 1'b1;
                    edge_q    <= {10'd0, prefix_bytes};
                    run_q     <= {RUNS{1'b0}};
                    dirty_q   <= 1'b1;
                    count_q   <= count_open + {{OPEN_W-1{1'b0}}, 1'b1};
                    used_q    <= (half_way ? {WINDOW{1'b0}} : used_q) | place_of(free_slot);
                    order_q   <= with_last(order_young, count_open[SLOT_W-1:0], free_slot);
                end else begin
                    have_q    <= grown_q[3:0];
                    to_edge_q <= 32'd0;
                end
                state_q <= (opens && new_empty) ? ST_EMPTY : passing_q ? ST_PLACE : ST_STEP;
            end
        end
        ST_EMPTY: if (room) begin
            fresh_q <= 1'b0;
            dirty_q <= 1'b1;
            state_q <= trying_q ? (x_q < y_q ? ST_RUN : ST_KEEP) : passing_q ? ST_PLACE : ST_STEP;
        end
        ST_SCAN:  state_q <= ST_SCANS;
        ST_SCANS: begin
            scan_in_q    <= pos_q - scan_rec[REC_W-1 -: 32];
            scan_dist_q  <= scan_rec[REC_W-1 -: 32] - pos_q;
            scan_total_q <= scan_rec[REC_W-33 -: 15];
            state_q      <= ST_FOUND;
        end
        ST_FOUND: begin
            if (scan_in_q < {17'd0, scan_total_q}) begin
                load_rec(scan_rec);
                rec_q    <= 1'b1;
                slot_q   <= scan_slot;
                in_rec_q <= scan_in_q;
                state_q  <= ST_STEP;
            end else begin
                if (scan_dist_q < nearest_q) nearest_q <= scan_dist_q;
                scan_q  <= scan_now;
                state_q <= (scan_now == {OPEN_W{1'b0}}) ? ST_SKIP : ST_SCAN;
            end
        end
        ST_SKIP: begin
            if (reason_q == RX_PASS_NONE) reason_q <= RX_PASS_OVERLAP;
            advance(skip_len);
            state_q <= ST_STEP;
        end
        ST_AHEAD: begin
            begun_q <= 1'b0;
            if (hit) begin
                move(hit_start);
                number_q   <= number_q + {36'd0, hit_count} - 64'd1;
                head_q     <= {hit_nonce[7:0], hit_nonce[15:8], hit_nonce[23:16], hit_nonce[31:24],
                               hit_nonce[39:32], hit_nonce[47:40], hit_nonce[55:48],
                               hit_nonce[63:56], hit_len[7:0], {1'b0, hit_len[14:8]}, 16'h0303,
                               6'd5, hit_type};
                grown_q    <= prefix_bytes;
                bad_head_q <= 1'b0;
                passing_q  <= 1'b1;
                state_q    <= ST_OPEN;
            end else if (proved_q) begin
                left_q  <= 14'd0;
                state_q <= ST_STEP;
            end else begin
                reason_q <= RX_PASS_OUT_OF_SYNC;
                state_q  <= trial ? ST_TRIAL : ST_SEEK;
            end
        end
        ST_PLACE: begin
            passing_q <= 1'b0;
            begun_q   <= 1'b0;
            to_edge_q <= next_q - pos_q;
            in_rec_q  <= pos_q - start_q;
            state_q   <= ST_STEP;
        end
        ST_TRIAL: begin
            rec_q    <= 1'b0;
            in_rec_q <= pos_q - trial_start;
            state_q  <= ST_LOAD;
        end
        ST_LOAD: begin
            load_rec(scan_rec);
            slot_q   <= trial_slot;
            trying_q <= 1'b1;
            x_q      <= in_rec_q[14:0];
            y_q      <= (reach > {1'b0, trial_total}) ? trial_total : reach[14:0];
            state_q  <= (in_rec_q >= {27'd0, prefix_bytes} && in_rec_q < {17'd0, trial_total})
                            ? ST_RUN : ST_SEEK;
        end
        ST_SEEK: begin
            begun_q  <= 1'b1;
            trying_q <= 1'b0;
            if (searched) begin
                searched_q <= 1'b1;
                state_q    <= started ? ST_BEGIN : ST_ASK;
                begun_q    <= 1'b0;
            end
        end
        ST_BEGIN: begin
            rec_q     <= 1'b0;
            order_q   <= order_young;
            count_q   <= count_young;
            used_q    <= used_young;
            slot_q    <= trial_slot;
            start_q   <= started_seq;
            total_q   <= started_total;
            type_q    <= started_type;
            rec_number_q <= number_q;
            nonce_q   <= started_nonce;
            partial_q <= 1'b0;
            fresh_q   <= 1'b1;
            edge_q    <= {10'd0, prefix_bytes};
            run_q     <= {RUNS{1'b0}};
            x_q       <= {10'd0, prefix_bytes};
            y_q       <= (started_reach > {17'd0, started_total}) ? started_total : started_reach[14:0];
            dirty_q   <= 1'b1;
            trying_q  <= 1'b1;
            if (started_reach <= {27'd0, prefix_bytes})
                state_q <= !trial ? ST_ASK : started_empty ? ST_EMPTY : ST_KEEP;
            else begin
                advance(to_started);
                state_q <= !trial ? ST_ASK : started_empty ? ST_EMPTY : ST_RUN;
            end
        end
        ST_KEEP: begin                          // wr_rec_en
            guess_q <= 7'd0;
            back_q  <= 7'd0;
            right_q <= 1'b0;
            tried_q <= 1'b0;
            state_q <= tried_q ? ST_GUESS : searched_q ? ST_ASK : ST_SEEK;
        end
        ST_GUESS: if (room) begin
            guess_q <= guess_q + 7'd1;
            if (guess_q != 7'd0) rec_number_q <= rec_number_q + 64'd1;
            if (guess_q == GUESSES) state_q <= ST_WAIT;
        end
        ST_WAIT: begin
            if (proves) begin
                move(trial_start);
                number_q <= number_q + {58'd0, right_guess_q};
                rewind;
                proved_q <= 1'b1;
                trying_q <= 1'b0;
                state_q  <= ST_PLACE;
            end
            if (fails) state_q <= searched_q ? ST_ASK : ST_SEEK;
        end
        ST_ASK: begin
            asks_q       <= asks;
            ask_seq_q <= ask_seq;
            left_q       <= 14'd0;
            state_q      <= ST_STEP;
        end
        ST_SYNC: begin
            if (accepts) begin
                move(new_seq);
                number_q <= new_record;
            end
            stale_q <= !(accepts || rejects);
            state_q <= ST_STEP;
        end
        default: ;                              // ST_IDLE
    endcase
    if (guess_valid) begin
        back_q <= back_q + 7'd1;
        if (guess_right && !right_q) begin
            right_q       <= 1'b1;
            right_guess_q <= back_q[5:0];
        end
    end
    if (leaves) state_q <= ST_IDLE;
    if (enters) begin
        needs_q     <= s_needs;
        insert_q    <= s_insert;
        remove_q    <= s_remove;
        id_q        <= s_id;
        found_q     <= s_found;
        csum_good_q <= s_csum_good;
        reason_q    <= s_reason;
        addr_q      <= s_addr;
        place_q     <= s_offset;
        bytes_q     <= s_bytes;
        left_q      <= s_bytes;
        pos_q       <= s_seq;
        ranges_q    <= 10'd0;
        words_q     <= s_words;
        begun_q     <= 1'b0;
        resync_q    <= s_resync;
        asks_q      <= 1'b0;
        passing_q   <= 1'b0;
        trying_q    <= 1'b0;
        searched_q  <= 1'b0;
        proved_q    <= 1'b0;
        state_q     <= s_resync ? ST_SYNC : ST_STEP;
        if (s_needs && !s_same) begin
            {version_q, next_q, number_q, have_q, prefix_q, count_q, used_q, order_q}
                      <= s_conn[CONN_W-SEARCH_BITS-1:SLOT_W];
            rec_q     <= (s_count != {OPEN_W{1'b0}});
            slot_q    <= s_conn[SLOT_W-1:0];
            load_rec(s_rec);
        end
        to_edge_q <= (s_same ? next_q + {28'd0, have_q} : s_next + {28'd0, s_have}) - s_seq;
        in_rec_q  <= s_seq - (s_same ? start_q : s_rec[REC_W-1 -: 32]);
    end
    if (rst) begin
        state_q  <= ST_IDLE;
        dirty_q  <= 1'b0;
        tried_q  <= 1'b0;
    end
end

// ---- out ----
wire text_goes = (state_q == ST_TEXT) && !skips && has_text;
wire tag_goes  = (state_q == ST_TAG) || ((state_q == ST_TEXT) && !skips && !has_text);
wire none_goes = (state_q == ST_EMPTY);
wire guess_goes = (state_q == ST_GUESS);
wire goes      = (text_goes || tag_goes || none_goes || guess_goes) && room;
// a guess is the piece of one byte that brings the number in: by the nonce, at the end of the text,
// or by the AAD, at its beginning. Which byte does not matter, as long as it is the same.
wire        v13         = (version_q == TLS_VERSION_TLS_1_3);
wire [14:0] text_len    = text_end - {10'd0, prefix_bytes};
wire        no_text     = (text_len == 15'd0);
assign m_piece_valid   = goes;
assign m_piece_is_tag  = tag_goes;
assign m_piece_id      = id_q;
assign m_piece_addr    = addr_q + (tag_goes ? {{ADDR_W-15{1'b0}}, tag_x - x_q} : {ADDR_W{1'b0}});
assign m_piece_bytes   = none_goes ? 14'd0
                       : guess_goes ? {13'd0, !no_text}
                       : tag_goes ? y_q[13:0] - tag_x[13:0] : text_y - x_q[13:0];
assign m_piece_place   = none_goes ? 15'd0
                       : guess_goes ? ((v13 && !no_text) ? text_len - 15'd1 : 15'd0)
                       : tag_goes ? tag_x - text_end : x_q - {10'd0, prefix_bytes};
assign m_piece_version = version_q;
assign m_piece_type    = type_q;
assign m_piece_number  = rec_number_q;
assign m_piece_nonce   = v13 ? rec_number_q : nonce_q;
assign m_piece_len     = text_len;

assign m_item_valid    = goes || (ends && !insert_q && !resync_q);
assign m_item_kind     = ends ? (remove_q ? ITEM_REMOVED : ITEM_FRAME)
                       : tag_goes ? ITEM_TAG : (guess_goes && guess_q != 7'd0) ? ITEM_GUESS : ITEM_TEXT;
assign m_item_id       = id_q;
assign m_item_slot     = slot_q;
assign m_item_first    = fresh_q;
assign m_item_last     = complete && !none_goes && !trying_q && (tag_goes || !has_tag);
assign m_item_some     = !none_goes && !(guess_goes && no_text);
assign m_item_found    = found_q;
assign m_item_csum_good = csum_good_q;
assign m_item_reason   = reason_q;
assign m_item_asks     = asks_q;
assign m_item_ask_seq  = ask_seq_q;
assign m_item_bytes    = bytes_q;
assign m_item_ranges   = ranges_q;
assign m_item_words    = words_q;

assign m_range_valid   = text_goes && room && !trying_q;
assign m_range_from    = place_q;
assign m_range_to      = place_q + m_piece_bytes;

assign inserted     = leaves && insert_q;
assign resynced     = leaves && resync_q;
assign stale        = stale_q;
assign m_event_id   = id_q;
assign count_proved = proves;
assign wr_conn_en = leaves && (insert_q || needs_q);
assign wr_id      = id_q;
// IN_SYNC, no chain, no tail, and that ends at new_seq
wire [SEARCH_BITS-1:0] new_search = {{SEARCH_BITS-32-CHAINS-CHAINS*CHAIN_BITS{1'b0}}, new_seq,
                                     {CHAINS+CHAINS*CHAIN_BITS{1'b0}}};
wire [SLOT_W-1:0] last_place = count_q[SLOT_W-1:0] - {{SLOT_W-1{1'b0}}, 1'b1};
wire [SLOT_W-1:0] young      = order_q[SLOT_W*last_place +: SLOT_W];
assign wr_conn    = insert_q
    ? {new_search, new_version, new_seq, new_record, 4'd0, 96'd0, {LISTS_W{1'b0}}}
    : {search, version_q, next_q, number_q, have_q, prefix_q, count_q, used_q, order_q, young};
assign wr_rec_en  = (state_q == ST_STEP || state_q == ST_KEEP) && dirty_q;
assign wr_slot    = slot_q;
assign wr_rec     = {start_q, total_q, type_q, rec_number_q, nonce_q, partial_q, fresh_q, edge_q,
                     run_q, from_q, to_q};
wire unused_ok = &{1'b0, from_tail[30:0], from_next[30:0], started_text[31:14]};
endmodule
`default_nettype wire
