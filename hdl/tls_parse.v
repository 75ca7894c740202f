// tls_parse.v - what a frame is: addresses, ports, sequence number, where its payload lies.
//
// In    s_*      the words of frames as they are written to the buffer, 16 bytes each; in any clock,
//                but the last words of two frames are at least 5 clocks apart
// Out   m_*      one word a frame, when its last word has come (of one that is too long, before);
//                reason is 0 for a TCP segment with good lengths and checksums
// How   three steps, each a clock: the packet behind the EtherType is shifted to start at byte 0;
//       header fields and the chain of IPv6 headers; sums of 16-bit words with one mask a word.
// Order byte i of a word is bits 8*i+7 : 8*i; header fields come out as numbers, addresses as bytes.
// Spec  docs/receive.md, 1; RFC 791, 8200, 9293; IEEE 802.1Q.  Model model/parse.py.
`default_nettype none
module tls_parse #(
    parameter ADDR_W    = 11,       // bits of a word's address in the buffer
    parameter MAX_FRAME = 9600      // bytes, a multiple of 16
) (
    input  wire              clk,
    input  wire              rst,
    input  wire              enable,
    // words
    input  wire              s_valid,
    input  wire [127:0]      s_data,
    input  wire [15:0]       s_keep,
    input  wire              s_last,
    input  wire [ADDR_W-1:0] s_addr,
    // frames
    output reg               m_valid,
    output reg  [3:0]        m_reason,
    output reg  [ADDR_W-1:0] m_addr,            // of the frame's first word
    output reg  [9:0]        m_words,           // of the frame; 0 if it is too long
    output reg               m_is_v6,
    output reg  [127:0]      m_dst_addr,
    output reg  [127:0]      m_src_addr,
    output reg  [15:0]       m_dst_port,
    output reg  [15:0]       m_src_port,
    output reg  [31:0]       m_seq,
    output reg               m_opens,           // SYN or RST
    output reg  [13:0]       m_offset,          // of the payload in the frame
    output reg  [13:0]       m_bytes,           // of payload
    output reg  [13:0]       m_l4,              // of the TCP header in the frame
    output reg  [16:0]       m_pseudo           // sum of the pseudo-header
);
`include "tls_regs.vh"              // RX_PASS_*
`include "tls_checksum.vh"
generate if (MAX_FRAME % 16 != 0) begin : bad tls_parse_max_frame_is_no_multiple_of_16 stop(); end endgenerate

function [15:0] be16(input [15:0] two);         // a number of two bytes, the first in bits 7:0
    be16 = {two[7:0], two[15:8]};
endfunction
function is_vlan(input [15:0] ethertype);
    is_vlan = (ethertype == 16'h8100) || (ethertype == 16'h88a8);
endfunction

// ---- 1: the packet, shifted to the start of a word ----
localparam [1:0] NO_IP = 2'd0, V4 = 2'd1, V6 = 2'd2;
function [1:0] ip_kind(input [15:0] ethertype);
    ip_kind = (ethertype == 16'h0800) ? V4 : (ethertype == 16'h86dd) ? V6 : NO_IP;
endfunction

localparam [13:0] MAX_BYTES = MAX_FRAME;
localparam [9:0]  MAX_WORDS = MAX_BYTES[13:4];
reg              first_q, flush_q, over_q;      // next word starts a frame; a frame has ended; too long
reg  [9:0]       word_q;                        // number of the next word
reg  [127:16]    prev_q;
reg  [15:2]      prev_keep_q;
reg  [ADDR_W-1:0] addr_q;
reg  [1:0]       kind_q;                        // of the frame in prev_q
reg              tags_q, shift2_q, shift6_q;    // VLAN tags to look at; packet starts at 18, 22
wire [15:0]      type0 = s_keep[13] ? be16(s_data[111:96]) : 16'd0;
wire [15:0]      type1 = s_keep[1]  ? be16(s_data[15:0])   : 16'd0;
wire [15:0]      type2 = s_keep[5]  ? be16(s_data[47:32])  : 16'd0;
wire             second = s_valid && !first_q && word_q == 10'd1;
wire             over   = s_valid && !first_q && word_q == MAX_WORDS;
wire             body   = s_valid && !first_q && !over_q && !over;

reg              a_valid, a_last, a_over;
reg  [9:0]       a_word;
reg  [127:0]     a_data;
reg  [15:0]      a_keep;
reg  [1:0]       a_kind;
reg  [4:0]       a_start;                       // of the packet in the frame
reg  [ADDR_W-1:0] a_addr;
reg  [9:0]       a_words;                       // of the frame
wire [13:0]      cur_keep = flush_q ? 14'd0 : s_keep[13:0];
always @(posedge clk) begin
    // a packet's word needs two of the frame; the last one comes with the clock after the frame
    a_valid <= (flush_q || (body && !tags_q && kind_q != NO_IP)) && !rst;
    a_last  <= (flush_q || (over && !over_q)) && !rst;
    a_over  <= over && !over_q;
    a_data  <= shift2_q ? {s_data[15:0], prev_q[127:16]}
             : shift6_q ? {s_data[47:0], prev_q[127:48]} : {s_data[111:0], prev_q[127:112]};
    a_keep  <= (kind_q == NO_IP || tags_q) ? 16'd0
             : shift2_q ? {cur_keep[1:0],  prev_keep_q[15:2]}
             : shift6_q ? {cur_keep[5:0],  prev_keep_q[15:6]} : {cur_keep[13:0], prev_keep_q[15:14]};
    a_kind  <= tags_q ? NO_IP : kind_q;
    a_start <= shift2_q ? 5'd18 : shift6_q ? 5'd22 : 5'd14;
    a_addr  <= addr_q;
    a_words <= over ? 10'd0 : word_q;
    a_word  <= word_q - ((shift2_q || shift6_q) ? 10'd2 : 10'd1);

    flush_q <= s_valid && s_last && !over_q && !over;
    if (s_valid) begin
        first_q     <= s_last;
        prev_q      <= s_data[127:16];
        prev_keep_q <= s_keep[15:2];
        word_q      <= first_q ? 10'd1 : (word_q == MAX_WORDS) ? MAX_WORDS : word_q + 10'd1;
        over_q      <= !s_last && (over_q || over);
        if (first_q) begin
            addr_q   <= s_addr;
            kind_q   <= ip_kind(type0);
            tags_q   <= is_vlan(type0);
            shift2_q <= 1'b0;
            shift6_q <= 1'b0;
        end else if (second && tags_q) begin
            kind_q   <= is_vlan(type1) ? ip_kind(type2) : ip_kind(type1);
            tags_q   <= 1'b0;
            shift2_q <= !is_vlan(type1);
            shift6_q <= is_vlan(type1);
        end
    end
    if (rst) begin
        first_q <= 1'b1;
        flush_q <= 1'b0;
        over_q  <= 1'b0;
    end
end

// ---- 2: fields ----
localparam [2:0] CH_RUN = 3'd0, CH_TCP = 3'd1, CH_FRAGMENT = 3'd2, CH_OTHER = 3'd3;
localparam [7:0] NH_HOPOPT = 8'd0, NH_TCP = 8'd6, NH_ROUTING = 8'd43, NH_FRAGMENT = 8'd44,
                 NH_DSTOPT = 8'd60;
function [2:0] chain(input [7:0] next_header);
    chain = (next_header == NH_TCP) ? CH_TCP
          : (next_header == NH_FRAGMENT) ? CH_FRAGMENT
          : (next_header == NH_HOPOPT || next_header == NH_ROUTING || next_header == NH_DSTOPT)
          ? CH_RUN : CH_OTHER;
endfunction

reg  [127:0] b_data;
reg  [15:0]  b_keep;
reg  [9:0]   b_word;
reg          b_valid, b_last, b_over;
reg  [1:0]   b_kind;
reg  [4:0]   b_start;
reg  [ADDR_W-1:0] b_addr;
reg  [9:0]   b_words;
reg          b_version_ok, b_fragment;
reg  [3:0]   b_ihl;
reg  [16:0]  b_end;                             // of the packet, by its own length
reg  [7:0]   b_next;                            // protocol, or type of the header at b_place
reg  [2:0]   b_chain;
reg  [10:0]  b_place;                           // of TCP, or the next IPv6 header; 8 bytes each
reg  [5:0]   b_place_v4;                        // of TCP, bytes
reg  [13:0]  b_size;                            // bytes of the packet that came
reg  [127:0] b_src, b_dst;
reg  [31:0]  b_ports, b_seq;                    // of the TCP header
reg  [3:0]   b_doff;
reg          b_opens;
wire [13:0]  b_l4 = (b_kind == V6) ? {b_place, 3'd0} : {8'd0, b_place_v4};

wire         a_first = a_valid && a_word == 10'd0;
// the two places in a word where a header of IPv6 may start
wire         at0 = a_valid && b_kind == V6 && b_chain == CH_RUN && a_word >= 10'd2 && b_place == {a_word, 1'b0};
wire [7:0]   next0 = a_data[7:0],   size0 = a_data[15:8];
wire [7:0]   next1 = a_data[71:64], size1 = a_data[79:72];
wire [2:0]   go0 = (b_next == NH_ROUTING && a_data[31:24] != 8'd0) ? CH_OTHER : chain(next0);
wire         step0 = at0 && a_keep[7];
wire         at1 = a_valid && b_kind == V6 && a_word >= 10'd2
                && (step0 ? go0 == CH_RUN && size0 == 8'd0
                          : b_chain == CH_RUN && b_place == {a_word, 1'b1});
wire [7:0]   type_at1 = step0 ? next0 : b_next;
wire [2:0]   go1 = (type_at1 == NH_ROUTING && a_data[95:88] != 8'd0) ? CH_OTHER : chain(next1);
wire         step1 = at1 && a_keep[15];
wire [4:0]   kept = a_keep[15] ? 5'd16 : {1'b0, kept_of(a_keep)};
function [3:0] kept_of(input [15:0] keep);      // of a run of ones from bit 0, fewer than 16
    integer k;
    begin
        kept_of = 4'd0;
        for (k = 0; k < 15; k = k + 1) if (keep[k]) kept_of = k[3:0] + 4'd1;
    end
endfunction

wire [255:0] pair = {a_data, b_data};
wire [111:0] at_l4 = pair[{1'b0, b_l4[3:2], 5'd0} +: 112];       // of the TCP header
wire         b_found = (b_kind == V4) || (b_chain == CH_TCP);
always @(posedge clk) begin
    b_valid <= a_valid;
    b_last  <= a_last;
    if (a_valid || a_last) begin
        b_over  <= a_over;
        b_kind  <= a_kind;
        b_start <= a_start;
        b_addr  <= a_addr;
        b_words <= a_words;
    end
    if (a_valid) begin
        b_data <= a_data;
        b_keep <= a_keep;
        b_word <= a_word;
        b_size <= (a_first ? 14'd0 : b_size) + {9'd0, kept};
        if (a_first) begin
            b_ihl        <= a_data[3:0];
            b_place_v4   <= {a_data[3:0], 2'd0};
            b_version_ok <= (a_data[7:4] == (a_kind == V6 ? 4'd6 : 4'd4));
            b_fragment   <= (a_data[53:48] != 6'd0) || (a_data[63:56] != 8'd0);
            b_end        <= (a_kind == V6) ? {1'b0, be16(a_data[47:32])} + 17'd40
                                           : {1'b0, be16(a_data[31:16])};
            b_next       <= (a_kind == V6) ? a_data[55:48] : a_data[79:72];
            b_chain      <= chain(a_data[55:48]);
            b_place      <= 11'd5;
        end else if (step1) begin
            b_next  <= next1;
            b_chain <= go1;
            b_place <= {a_word, 1'b1} + 11'd1 + {3'd0, size1};
        end else if (step0) begin
            b_next  <= next0;
            b_chain <= go0;
            b_place <= {a_word, 1'b0} + 11'd1 + {3'd0, size0};
        end
        case (a_word)
            10'd0: begin
                b_src <= (a_kind == V6) ? {64'd0, a_data[127:64]} : {96'd0, a_data[127:96]};
                b_dst <= 128'd0;
            end
            10'd1: if (a_kind == V6) begin
                b_src[127:64] <= a_data[63:0];
                b_dst[63:0]   <= a_data[127:64];
            end else b_dst[31:0] <= a_data[31:0];
            10'd2: if (a_kind == V6) b_dst[127:64] <= a_data[63:0];
            default: ;
        endcase
        if (!a_first && b_found && a_word == b_l4[13:4] + 10'd1) begin
            b_ports <= at_l4[31:0];
            b_seq   <= {be16(at_l4[47:32]), be16(at_l4[63:48])};
            b_doff  <= at_l4[103:100];
            b_opens <= at_l4[105] || at_l4[106];            // flags: FIN SYN RST ...
        end
    end
    if (rst) begin
        b_valid <= 1'b0;
        b_last  <= 1'b0;
    end
end

wire unused_ok = &{1'b0, at_l4};               // urgent pointer and the like

// ---- 3: sums, and what the fields say together ----
wire [15:0] addresses = (b_kind == V6)
    ? ((b_word == 10'd0) ? 16'hff00 : (b_word == 10'd1) ? 16'hffff : (b_word == 10'd2) ? 16'h00ff : 16'd0)
    : ((b_word == 10'd0) ? 16'hf000 : (b_word == 10'd1) ? 16'h000f : 16'd0);
wire [15:0] tcp_mask = addresses | (b_found ? span(b_word, {3'd0, b_l4}, b_end) : 16'd0);
wire [15:0] ip_mask  = span(b_word, 17'd0, {11'd0, b_place_v4});

reg  [67:0] c_tcp, c_ip;                        // of one word
reg         c_valid, c_first, c_last, d_valid, d_first, d_last, e_last, f_last;
reg  [18:0] d_tcp, d_ip;
reg  [31:0] e_tcp;                              // of all words
reg  [31:0] e_ip;
reg  [16:0] f_tcp, f_ip;
// what the frame's end found; good until another frame's end
reg         h_enable, h_not_ip, h_short, h_not_tcp, h_fragment, h_bad_header, h_is_v6, h_over;
reg         h_opens;
reg  [16:0] h_end, h_tcp_bytes;
reg  [13:0] h_l4, h_size, h_offset, h_head;
reg  [3:0]  h_doff;
reg  [ADDR_W-1:0] h_addr;
reg  [9:0]  h_words;
reg  [127:0] h_src, h_dst;
reg  [15:0] h_sport, h_dport;
reg  [31:0] h_seq;
reg         h_bad_length;
reg  [67:0] x_src, x_dst;                       // of the pseudo-header, a clock each
reg  [20:0] x_sum;
reg  [16:0] x_pseudo;
always @(posedge clk) begin
    c_valid <= b_valid;
    c_first <= (b_word == 10'd0);
    c_last  <= b_last;
    c_tcp   <= pairs_of(b_data, tcp_mask & b_keep);
    c_ip    <= pairs_of(b_data, ip_mask & b_keep);
    d_valid <= c_valid;
    d_first <= c_first;
    d_last  <= c_last;
    d_tcp   <= sum_of(c_tcp);
    d_ip    <= sum_of(c_ip);
    e_last  <= d_last;
    if (d_valid) begin
        e_tcp <= (d_first ? 32'd0 : e_tcp) + {13'd0, d_tcp};
        e_ip  <= (d_first ? 32'd0 : e_ip) + {13'd0, d_ip};
    end
    f_last  <= e_last;
    f_tcp   <= fold(e_tcp + {15'd0, h_tcp_bytes} + {24'd0, NH_TCP});
    f_ip    <= fold(e_ip);
    if (b_last) begin
        h_enable   <= enable;
        h_over     <= b_over;
        h_is_v6    <= (b_kind == V6);
        h_not_ip   <= (b_kind == NO_IP);
        h_short    <= (b_size < (b_kind == V6 ? 14'd40 : 14'd20));
        h_not_tcp  <= !b_version_ok || (b_kind == V6 ? b_chain == CH_OTHER : b_next != NH_TCP);
        h_fragment <= (b_kind == V6) ? b_chain == CH_FRAGMENT : b_fragment;
        h_bad_header <= (b_kind == V6) ? b_chain == CH_RUN : b_ihl < 4'd5;
        h_end      <= b_end;
        h_size     <= b_size;
        h_l4       <= b_l4;
        h_doff     <= b_doff;
        h_head     <= b_l4 + {8'd0, b_doff, 2'd0};            // of IP and TCP
        h_offset   <= {9'd0, b_start};
        h_addr     <= b_addr;
        h_words    <= b_words;
        h_src      <= b_src;
        h_dst      <= b_dst;
        h_sport    <= be16(b_ports[15:0]);
        h_dport    <= be16(b_ports[31:16]);
        h_seq      <= b_seq;
        h_opens    <= b_opens;
    end
    h_tcp_bytes    <= h_end - {3'd0, h_l4};                 // a clock after h_*
    h_bad_length   <= h_end > {3'd0, h_size} || h_end < {3'd0, h_l4} + 17'd20
                   || h_doff < 4'd5 || {3'd0, h_head} > h_end;
    m_valid       <= f_last;
    m_reason      <= !h_enable     ? RX_PASS_DISABLED
                   : h_over        ? RX_PASS_BAD_LENGTH
                   : h_not_ip      ? RX_PASS_NOT_TCP
                   : h_short       ? RX_PASS_BAD_LENGTH
                   : h_not_tcp     ? RX_PASS_NOT_TCP
                   : h_fragment    ? RX_PASS_FRAGMENT
                   : h_bad_header || h_bad_length ? RX_PASS_BAD_LENGTH
                   : !h_is_v6 && !full(f_ip) ? RX_PASS_BAD_IP_CSUM
                   : !full(f_tcp)  ? RX_PASS_BAD_TCP_CSUM : RX_PASS_NONE;
    m_addr        <= h_addr;
    m_words       <= h_words;
    m_is_v6       <= h_is_v6;
    m_dst_addr    <= h_dst;
    m_src_addr    <= h_src;
    m_dst_port    <= h_dport;
    m_src_port    <= h_sport;
    m_seq         <= h_seq;
    m_opens       <= h_opens;
    m_offset      <= h_offset + h_head;
    m_bytes       <= h_end[13:0] - h_head;
    m_l4          <= h_offset + h_l4;
    x_src         <= pairs_of(h_src, 16'hffff);
    x_dst         <= pairs_of(h_dst, 16'hffff);
    x_sum         <= {2'd0, sum_of(x_src)} + {2'd0, sum_of(x_dst)} + {4'd0, h_tcp_bytes} + {13'd0, NH_TCP};
    x_pseudo      <= fold({11'd0, x_sum});
    m_pseudo      <= x_pseudo;
    if (rst) begin
        c_valid <= 1'b0;
        c_last  <= 1'b0;
        d_valid <= 1'b0;
        d_last  <= 1'b0;
        e_last  <= 1'b0;
        f_last  <= 1'b0;
        m_valid <= 1'b0;
    end
end
endmodule
`default_nettype wire
