// shim.cpp - the Verilated device in the caller's process; frames cross in bulk.
//
// Every call that runs clocks moves frames both ways. A frame's words go in one after another with a
// gap in `gap` of 256 clocks; the host's side is not ready in `stall` of 256. The four stream rules
// (docs/interfaces.md) are kept. One Sim is used by one thread at a time.
#include <cstdint>
#include <cstring>
#include <deque>
#include <string>
#include <vector>
#include "Vtlsnic.h"
#include "verilated.h"

namespace {
constexpr int WORD = 16;

struct Frame {
    std::string bytes;
    uint64_t user;
};

struct Sim {
    VerilatedContext context;
    Vtlsnic top{&context};
    std::deque<std::string> in;
    std::deque<Frame> out;
    size_t offset = 0;                  // of the next word in in.front()
    std::string partial;                // frame that is coming out
    uint64_t clocks = 0, random = 1;
    uint32_t gap = 0, stall = 0;

    uint32_t dice() {                   // xorshift64*: 0 to 255
        random ^= random >> 12;
        random ^= random << 25;
        random ^= random >> 27;
        return (random * 0x2545F4914F6CDD1Dull) >> 56;
    }

    void offer() {                      // the next word, unless there is one or none is to be
        if (top.s_axis_rx_tvalid || in.empty() || (gap && dice() < gap)) return;
        const std::string& frame = in.front();
        const size_t n = std::min<size_t>(WORD, frame.size() - offset);
        std::memset(&top.s_axis_rx_tdata, 0, WORD);
        std::memcpy(&top.s_axis_rx_tdata, frame.data() + offset, n);
        top.s_axis_rx_tkeep = (1u << n) - 1;
        top.s_axis_rx_tlast = offset + n == frame.size();
        top.s_axis_rx_tvalid = 1;
    }

    void clock() {
        offer();
        top.m_axis_rx_tready = !(stall && dice() < stall);
        top.clk = 0;
        top.eval();
        const bool taken = top.s_axis_rx_tvalid && top.s_axis_rx_tready;
        if (top.m_axis_rx_tvalid && top.m_axis_rx_tready) {
            const int n = __builtin_popcount(top.m_axis_rx_tkeep);
            partial.append(reinterpret_cast<const char*>(&top.m_axis_rx_tdata), n);
            if (top.m_axis_rx_tlast) {
                out.push_back({std::move(partial), top.m_axis_rx_tuser});
                partial.clear();
            }
        }
        top.clk = 1;
        top.eval();
        ++clocks;
        if (taken) {
            top.s_axis_rx_tvalid = 0;
            offset += WORD;
            if (offset >= in.front().size()) {
                in.pop_front();
                offset = 0;
            }
        }
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

void tlsnic_pace(void* handle, uint32_t gap, uint32_t stall, uint64_t seed) {
    Sim* sim = static_cast<Sim*>(handle);
    sim->gap = gap;
    sim->stall = stall;
    sim->random = seed * 2 + 1;
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
        top.clk = 0;
        top.eval();
        const bool aw = top.s_axil_awvalid && top.s_axil_awready;
        const bool w = top.s_axil_wvalid && top.s_axil_wready;
        const bool b = top.s_axil_bvalid;
        const int response = top.s_axil_bresp;
        sim->clock();
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
        top.clk = 0;
        top.eval();
        const bool ar = top.s_axil_arvalid && top.s_axil_arready;
        const bool r = top.s_axil_rvalid;
        const int response = top.s_axil_rresp;
        *value = top.s_axil_rdata;
        sim->clock();
        if (ar) top.s_axil_arvalid = 0;
        if (r) {
            top.s_axil_rready = 0;
            return response;
        }
    }
    return -1;
}

void tlsnic_send(void* handle, const char* bytes, const uint32_t* lengths, uint32_t frames) {
    Sim* sim = static_cast<Sim*>(handle);
    for (uint32_t i = 0; i < frames; bytes += lengths[i++]) sim->in.emplace_back(bytes, lengths[i]);
}

// Runs until so many frames wait for tlsnic_take and at most so many are still to go in. Returns 0,
// or -1 when that did not come within `clocks`.
int tlsnic_run(void* handle, uint64_t out, uint64_t in, uint64_t clocks) {
    Sim* sim = static_cast<Sim*>(handle);
    for (const uint64_t end = sim->clocks + clocks; sim->clocks < end; sim->clock())
        if (sim->out.size() >= out && sim->in.size() <= in) return 0;
    return -1;
}

uint32_t tlsnic_waiting(void* handle) { return static_cast<Sim*>(handle)->out.size(); }

// At most `frames` frames of at most `room` bytes in all. Returns how many.
uint32_t tlsnic_take(void* handle, char* bytes, uint64_t room, uint32_t* lengths, uint64_t* users,
                     uint32_t frames) {
    Sim* sim = static_cast<Sim*>(handle);
    uint32_t n = 0;
    for (; n < frames && !sim->out.empty(); ++n) {
        const Frame& frame = sim->out.front();
        if (frame.bytes.size() > room) break;
        std::memcpy(bytes, frame.bytes.data(), frame.bytes.size());
        bytes += frame.bytes.size();
        room -= frame.bytes.size();
        lengths[n] = frame.bytes.size();
        users[n] = frame.user;
        sim->out.pop_front();
    }
    return n;
}
}
