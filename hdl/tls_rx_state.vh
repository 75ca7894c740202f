// tls_rx_state.vh - what the modules of the receive path agree on. WINDOW: open records.
/* verilator lint_off UNUSEDPARAM */  // a module does not use all of them
localparam SLOT_W  = $clog2(WINDOW);
localparam OPEN_W = SLOT_W + 1;
localparam RUNS    = 3;             // of a record's taken bytes, besides the one its prefix starts
// a connection: version, next, number, have, prefix; count, used, order of its open records; youngest
localparam CONN_BITS = 1 + 32 + 64 + 4 + 96 + OPEN_W + WINDOW + WINDOW*SLOT_W + SLOT_W;
// a record: start, total, type, number, nonce, partial, fresh, edge; the other runs
localparam REC_BITS  = 32 + 15 + 2 + 64 + 64 + 1 + 1 + 15 + RUNS*(1 + 15 + 15);
// what goes from the walk to the verdict
localparam [1:0] ITEM_TEXT    = 2'd0,           // a piece of text: its sum
                 ITEM_TAG     = 2'd1,           // a piece of a tag: its bytes
                 ITEM_FRAME   = 2'd2,           // the end of a frame
                 ITEM_REMOVED = 2'd3;           // no later frame is of that connection
/* verilator lint_on UNUSEDPARAM */
