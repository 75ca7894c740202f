// shim.cpp - the Verilated device in the caller's process; frames cross in bulk.
//
// Every call that runs clocks moves words of all streams. A frame's words go in one after another
// with a gap in `gap` of 256 clocks; whoever takes what comes out is not ready in `stall` of 256.
// The four stream rules (docs/interfaces.md) are kept. One Sim is used by one thread at a time.
#include <cstdint>
#include <cstring>
#include <deque>
#include <string>
#include <vector>
#include "Vtlsnic.h"
#include "verilated.h"

namespace {
constexpr int WORD = 16;

enum Stream { RX, TX, COMPLETIONS };    // frames from and to the wire; what is told of the latter

struct Frame {
    std::string bytes;
    uint64_t user;
};

struct Source {                         // frames that go in
    VlWide<4>& data;
    SData& keep;
    CData& last;
    CData& valid;
    const CData& ready;
    IData* user;                        // null: the stream has none
    std::deque<Frame> frames;
    size_t offset = 0;                  // of the next word in frames.front()
    uint32_t gap = 0;

    void offer() {                      // the next word
        const std::string& bytes = frames.front().bytes;
        const size_t n = std::min<size_t>(WORD, bytes.size() - offset);
        std::memset(&data, 0, WORD);
        std::memcpy(&data, bytes.data() + offset, n);
        keep = (1u << n) - 1;
        last = offset + n == bytes.size();
        if (user) *user = frames.front().user;
        valid = 1;
    }

    void taken() {                      // the word that was offered
        valid = 0;
        offset += WORD;
        if (offset >= frames.front().bytes.size()) {
            frames.pop_front();
            offset = 0;
        }
    }
};

struct Sink {                           // frames that come out
    const VlWide<4>& data;
    const SData* keep;                  // null: every word is whole,
    const CData* last;                  // and a frame of its own
    const CData& valid;
    CData& ready;
    const QData* user;                  // null: the stream has none
    std::deque<Frame> frames;
    std::string partial;                // frame that is coming out
    uint32_t stall = 0;

    void take() {                       // the word, if there is one
        if (!valid || !ready) return;
        const int n = keep ? __builtin_popcount(*keep) : WORD;
        partial.append(reinterpret_cast<const char*>(&data), n);
        if (!last || *last) {
            frames.push_back({std::move(partial), user ? *user : 0});
            partial.clear();
        }
    }
};

struct Sim {
    VerilatedContext context;
    Vtlsnic top{&context};
    Source in[2] = {
        {top.s_axis_rx_tdata, top.s_axis_rx_tkeep, top.s_axis_rx_tlast, top.s_axis_rx_tvalid,
         top.s_axis_rx_tready, nullptr, {}},
        {top.s_axis_tx_tdata, top.s_axis_tx_tkeep, top.s_axis_tx_tlast, top.s_axis_tx_tvalid,
         top.s_axis_tx_tready, &top.s_axis_tx_tuser, {}},
    };
    Sink out[3] = {
        {top.m_axis_rx_tdata, &top.m_axis_rx_tkeep, &top.m_axis_rx_tlast, top.m_axis_rx_tvalid,
         top.m_axis_rx_tready, &top.m_axis_rx_tuser, {}, {}},
        {top.m_axis_tx_tdata, &top.m_axis_tx_tkeep, &top.m_axis_tx_tlast, top.m_axis_tx_tvalid,
         top.m_axis_tx_tready, nullptr, {}, {}},
        {top.m_axis_txc_tdata, nullptr, nullptr, top.m_axis_txc_tvalid, top.m_axis_txc_tready,
         &top.m_axis_txc_tuser, {}, {}},
    };
    uint64_t clocks = 0, random = 1;

    Source& source(uint32_t stream) { return in[stream == RX ? RX : TX]; }

    uint32_t dice() {                   // xorshift64*: 0 to 255
        random ^= random >> 12;
        random ^= random << 25;
        random ^= random >> 27;
        return (random * 0x2545F4914F6CDD1Dull) >> 56;
    }

    void low() {                        // the clock's first half: what goes in is there before it
        for (Source& s : in)
            if (!s.valid && !s.frames.empty() && !(s.gap && dice() < s.gap)) s.offer();
        for (Sink& s : out) s.ready = !(s.stall && dice() < s.stall);
        top.clk = 0;
        top.eval();
    }

    void high() {                       // and its edge
        bool taken[2];
        for (int i = 0; i < 2; ++i) taken[i] = in[i].valid && in[i].ready;
        for (Sink& s : out) s.take();
        top.clk = 1;
        top.eval();
        ++clocks;
        for (int i = 0; i < 2; ++i)
            if (taken[i]) in[i].taken();
    }

    void clock() {
        low();
        high();
    }
};
}  // namespace

extern "C" {
void* tlsnic_new() {
    Sim* sim = new Sim;
    sim->top.rst = 1;
    for (int i = 0; i < 4; ++i) sim->clock();
    sim->top.rst = 0;
    sim->clock();
    return sim;
}

void tlsnic_delete(void* handle) {
    Sim* sim = static_cast<Sim*>(handle);
    sim->top.final();
    delete sim;
}

uint64_t tlsnic_clocks(void* handle) { return static_cast<Sim*>(handle)->clocks; }

void tlsnic_seed(void* handle, uint64_t seed) { static_cast<Sim*>(handle)->random = seed * 2 + 1; }

// Gaps of the frames that go in on this stream, and stalls of what comes out.
void tlsnic_pace(void* handle, uint32_t stream, uint32_t gap, uint32_t stall) {
    Sim* sim = static_cast<Sim*>(handle);
    if (stream != COMPLETIONS) sim->in[stream].gap = gap;
    sim->out[stream].stall = stall;
}

// Returns the response (0 OKAY, 2 SLVERR), or -1 when none came within `clocks`.
int tlsnic_write(void* handle, uint32_t addr, uint32_t value, uint64_t clocks) {
    Sim* sim = static_cast<Sim*>(handle);
    Vtlsnic& top = sim->top;
    top.s_axil_awaddr = addr;
    top.s_axil_wdata = value;
    top.s_axil_wstrb = 15;
    top.s_axil_awvalid = top.s_axil_wvalid = top.s_axil_bready = 1;
    for (const uint64_t end = sim->clocks + clocks; sim->clocks < end;) {
        sim->low();
        const bool aw = top.s_axil_awvalid && top.s_axil_awready;
        const bool w = top.s_axil_wvalid && top.s_axil_wready;
        const bool b = top.s_axil_bvalid;
        const int response = top.s_axil_bresp;
        sim->high();
        if (aw) top.s_axil_awvalid = 0;
        if (w) top.s_axil_wvalid = 0;
        if (b) {
            top.s_axil_bready = 0;
            return response;
        }
    }
    return -1;
}

int tlsnic_read(void* handle, uint32_t addr, uint32_t* value, uint64_t clocks) {
    Sim* sim = static_cast<Sim*>(handle);
    Vtlsnic& top = sim->top;
    top.s_axil_araddr = addr;
    top.s_axil_arvalid = top.s_axil_rready = 1;
    for (const uint64_t end = sim->clocks + clocks; sim->clocks < end;) {
        sim->low();
        const bool ar = top.s_axil_arvalid && top.s_axil_arready;
        const bool r = top.s_axil_rvalid;
        const int response = top.s_axil_rresp;
        *value = top.s_axil_rdata;
        sim->high();
        if (ar) top.s_axil_arvalid = 0;
        if (r) {
            top.s_axil_rready = 0;
            return response;
        }
    }
    return -1;
}

// Queues frames to go in, on RX or TX, with their `users` where the stream has them.
void tlsnic_send(void* handle, uint32_t stream, const char* bytes, const uint32_t* lengths,
                 const uint32_t* users, uint32_t frames) {
    Source& source = static_cast<Sim*>(handle)->source(stream);
    for (uint32_t i = 0; i < frames; bytes += lengths[i++])
        source.frames.push_back({std::string(bytes, lengths[i]), users ? users[i] : 0});
}

// Runs until so many frames wait for tlsnic_take on this stream, and at most so many are still to go
// in on its side. Returns 0, or -1 when that did not come within `clocks`.
int tlsnic_run(void* handle, uint32_t stream, uint64_t out, uint64_t in, uint64_t clocks) {
    Sim* sim = static_cast<Sim*>(handle);
    const Sink& sink = sim->out[stream];
    const Source& source = sim->source(stream);
    for (const uint64_t end = sim->clocks + clocks; sim->clocks < end; sim->clock())
        if (sink.frames.size() >= out && source.frames.size() <= in) return 0;
    return -1;
}

uint32_t tlsnic_waiting(void* handle, uint32_t stream) {
    return static_cast<Sim*>(handle)->out[stream].frames.size();
}

// At most `frames` frames of at most `room` bytes in all; on COMPLETIONS a frame is one word, on TX
// users are 0. Returns how many.
uint32_t tlsnic_take(void* handle, uint32_t stream, char* bytes, uint64_t room, uint32_t* lengths,
                     uint64_t* users, uint32_t frames) {
    std::deque<Frame>& out = static_cast<Sim*>(handle)->out[stream].frames;
    uint32_t n = 0;
    for (; n < frames && !out.empty(); ++n) {
        const Frame& frame = out.front();
        if (frame.bytes.size() > room) break;
        std::memcpy(bytes, frame.bytes.data(), frame.bytes.size());
        bytes += frame.bytes.size();
        room -= frame.bytes.size();
        lengths[n] = frame.bytes.size();
        users[n] = frame.user;
        out.pop_front();
    }
    return n;
}
}
