// tls_rx_ops.vh - what is to be done with an entry on its way to the walk.
/* verilator lint_off UNUSEDPARAM */  // a module does not use all of them
localparam [1:0] OP_FRAME  = 2'd0,              // find its connection
                 OP_INSERT = 2'd1,              // a new connection
                 OP_REMOVE = 2'd2,              // a connection goes
                 OP_QUERY  = 2'd3;              // is there one?
/* verilator lint_on UNUSEDPARAM */
