// tls_rx_state.vh - what the modules of the receive path agree on. WINDOW: open records.
/* verilator lint_off UNUSEDPARAM */  // a module does not use all of them
localparam SLOT_W  = $clog2(WINDOW);
localparam OPEN_W = SLOT_W + 1;
localparam RUNS    = 3;             // of a record's taken bytes, besides the one its prefix starts
// a chain of headers: start, next, count; total, type and nonce of its last record
localparam CHAINS     = 4;
localparam CHAIN_W    = 2;          // bits of its place
localparam COUNT_BITS = 28;         // no more records than 2^31 bytes can have
localparam CHAIN_BITS = 32 + 32 + COUNT_BITS + 15 + 2 + 64;
// what tls_rx_search knows: state, turn, failed; pending and its chain; trial: its slot, chain and
// total; tail: bytes, how many, end; the chains, and which there are
localparam SEARCH_BITS = 2 + CHAIN_W + 2 + 1 + CHAIN_W + 1 + SLOT_W + CHAIN_W + 15 + 96 + 4 + 32
                       + CHAINS*CHAIN_BITS + CHAINS;
// a connection: that; version, next, number, have, prefix; count, used, order of its open records;
// the youngest
localparam CONN_BITS = SEARCH_BITS + 1 + 32 + 64 + 4 + 96 + OPEN_W + WINDOW + WINDOW*SLOT_W + SLOT_W;
// a record: start, total, type, number, nonce, partial, fresh, edge; the other runs
localparam REC_BITS  = 32 + 15 + 2 + 64 + 64 + 1 + 1 + 15 + RUNS*(1 + 15 + 15);
// what goes from the walk to the verdict
localparam [2:0] ITEM_TEXT    = 3'd0,           // a piece of text: its sum
                 ITEM_TAG     = 3'd1,           // a piece of a tag: its bytes
                 ITEM_GUESS   = 3'd2,           // a piece: would its sum make the tag right?
                 ITEM_FRAME   = 3'd3,           // the end of a frame
                 ITEM_REMOVED = 3'd4;           // no later frame is of that connection
// where a connection stands: docs/receive.md, 7.1
localparam [1:0] SYNC_IN_SYNC   = 2'd0,
                 SYNC_WAITING   = 2'd1,
                 SYNC_SEARCHING = 2'd2,
                 SYNC_TRACKING  = 2'd3;
/* verilator lint_on UNUSEDPARAM */
