// tls_tx_items.vh - what goes from tls_tx_walk to tls_tx_tags, in order.
/* verilator lint_off UNUSEDPARAM */  // a module does not use all of them
localparam [2:0] ITEM_TEXT    = 3'd0,           // a piece of text: its sum
                 ITEM_TAG     = 3'd1,           // bytes of a tag are to be written
                 ITEM_GIVEN   = 3'd2,           // the tag of the record at hand is given
                 ITEM_FRAME   = 3'd3,           // the end of a frame
                 ITEM_REMOVED = 3'd4;           // no later frame is of that connection
/* verilator lint_on UNUSEDPARAM */
