// tls_ops.vh - what is to be done with an entry on its way to the walk.
/* verilator lint_off UNUSEDPARAM */  // a module does not use all of them
localparam [2:0] OP_FRAME  = 3'd0,              // find its connection
                 OP_INSERT = 3'd1,              // a new connection
                 OP_REMOVE = 3'd2,              // a connection goes
                 OP_QUERY  = 3'd3,              // is there one?
                 OP_RESYNC = 3'd4;              // where one of its records starts
/* verilator lint_on UNUSEDPARAM */
