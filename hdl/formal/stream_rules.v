// stream_rules.v - the stream rules of docs/interfaces.md, as properties of one stream.
//
// In    valid, ready, word  the stream; all that must keep still is in `word`
// Proved (ASSUME 0) or taken for granted (ASSUME 1):
//       2. once valid is high it stays high, and the word as it is, until the word is transferred.
//       Rules 1 and 4 ask nothing of a source; rule 3, that it does not wait, is left to simulation.
// A reset ends it all: nothing is asked of the clock after one.
`default_nettype none
module stream_rules #(
    parameter WORD_W = 1,           // bits of a word
    parameter ASSUME = 0            // 1: the other side's stream
) (
    input wire              clk,
    input wire              rst,
    input wire              valid,
    input wire              ready,
    input wire [WORD_W-1:0] word
);
reg              waits_q;           // a word was offered, and not taken
reg [WORD_W-1:0] word_q;
initial waits_q = 1'b0;
always @(posedge clk) begin
    waits_q <= valid && !ready && !rst;
    word_q  <= word;
end
generate
    if (ASSUME != 0) begin : assumed
        always @* if (waits_q) assume (valid && word == word_q);
    end else begin : asserted
        always @* if (waits_q) assert (valid && word == word_q);
    end
endgenerate
endmodule
`default_nettype wire
