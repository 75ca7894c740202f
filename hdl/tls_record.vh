// tls_record.vh - the header of a record (docs/receive.md, 2). Needs tls_regs.vh.
//
// Order byte 0 in the lowest bits.
// May a record with AES-GCM have it: type 20 to 23, version 03 03, room for nonce and tag.
function is_header(input [39:0] header, input version);
    reg [15:0] len;
    begin
        len = {header[31:24], header[39:32]};
        is_header = (header[7:0] >= 8'd20 && header[7:0] <= 8'd23) && (header[23:8] == 16'h0303)
                 && (version == TLS_VERSION_TLS_1_3 ? len >= 16'd16 && len <= 16'd16401
                                                    : len >= 16'd24 && len <= 16'd16408);
    end
endfunction
