// tls_checksum.vh - sums of 16-bit words, the first byte of each the higher one (RFC 1071).
//
// Order byte i of a word of the frame is bits 8*i+7 : 8*i. The steps are small enough for a clock each.
/* verilator lint_off UNUSEDSIGNAL */ // a module does not use all of them
// Bytes of the word from lo on and below hi, both counted from where the words begin.
function [15:0] span(input [9:0] word, input [16:0] lo, input [16:0] hi);
    span = (({1'b0, lo[16:4]} >  {4'd0, word}) ? 16'd0 :
            ({1'b0, lo[16:4]} == {4'd0, word}) ? 16'hffff << lo[3:0] : 16'hffff)
         & (({1'b0, hi[16:4]} >  {4'd0, word}) ? 16'hffff :
            ({1'b0, hi[16:4]} == {4'd0, word}) ? ~(16'hffff << hi[3:0]) : 16'd0);
endfunction
function [67:0] pairs_of(input [127:0] data, input [15:0] mask);    // four sums of two words each
    integer k;
    reg [127:0] kept_data;
    begin
        for (k = 0; k < 16; k = k + 1) kept_data[8*k +: 8] = data[8*k +: 8] & {8{mask[k]}};
        for (k = 0; k < 4; k = k + 1)
            pairs_of[17*k +: 17] = {1'b0, kept_data[32*k +: 8], kept_data[32*k+8 +: 8]}
                                 + {1'b0, kept_data[32*k+16 +: 8], kept_data[32*k+24 +: 8]};
    end
endfunction
function [18:0] sum_of(input [67:0] four);
    sum_of = ({2'd0, four[16:0]} + {2'd0, four[33:17]}) + ({2'd0, four[50:34]} + {2'd0, four[67:51]});
endfunction
function [16:0] fold(input [31:0] sum);
    fold = {1'b0, sum[31:16]} + {1'b0, sum[15:0]};
endfunction
function full(input [16:0] sum);                // all ones, with the carry brought round
    full = (sum == 17'h0ffff) || (sum == 17'h1fffe);
endfunction
/* verilator lint_on UNUSEDSIGNAL */
