"""tls_rx_search against model.rx_search: random frames of random streams, connections in turn.

The test plays the walk around it: it tells when the boundary moved or a trial failed as the model
says that it did, and else does what the module's outputs tell it to. After each frame and answer
all that is known of the connection is compared, by the port `state`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

import cocotb
import pytest
from cocotb.triggers import RisingEdge, Timer

from cocotb_tests.harness import simulate
from cocotb_tests.peer import Peer, Stream, some_first, some_header
from cocotb_tests.streams import rng_of_test, start
from model.record import HALF, HEADER, LENGTHS, NUMBERS, SEQ, WIRE_VERSION, size_of
from model.regs import Answer, Counter, Reason, RxPass, TlsVersion
from model.regs import Event as EventOf
from model.rx_search import CHAINS, LONGEST, Boundary, Chain, Notice, State
from model.rx_walk import Walk, Walked

ADDR_W = 15
WINDOW = 8
RUNS = 4
SLOT_W = 3
CHAIN = (("start", 32), ("next", 32), ("count", 28), ("total", 15), ("type", 2), ("nonce", 64))
STATE = (
    ("sync", 2), ("turn", 2), ("failed", 2), ("pending", 1), ("pending_chain", 2), ("trial", 1),
    ("trial_slot", SLOT_W), ("trial_chain", 2), ("trial_total", 15), ("tail", 96),
    ("tail_bytes", 4), ("tail_end", 32), ("chains", CHAINS),
    *((f"{name}{place}", bits) for place in reversed(range(CHAINS)) for name, bits in CHAIN),
)  # fmt: skip
SEARCH_W = sum(bits for _, bits in STATE)
SYNC = [State.IN_SYNC, State.WAITING, State.SEARCHING, State.TRACKING]  # tls_rx_state.vh
PULSES = (
    "load", "moved", "half_way", "broken", "accept", "reject", "check", "ahead", "is_far", "go",
    "ask", "trial_failed",
)  # fmt: skip
WHERE = ("s_seq", "s_bytes", "s_addr", "s_next", "s_slot", "load_state")
Fields = dict[str, int]


def unpack(word: int) -> Fields:
    """What the port `state` says."""
    found = {}
    for name, bits in reversed(STATE):
        found[name] = word & ((1 << bits) - 1)
        word >>= bits
    return found


def pack(fields: Fields) -> int:
    """The inverse of `unpack`."""
    word = 0
    for name, bits in STATE:
        word = word << bits | fields[name]
    return word


def fields_of(prefix: bytes) -> Fields:
    """Total, type and nonce of a header."""
    nonce = int.from_bytes(prefix[HEADER:13])
    return {"total": size_of(prefix), "type": prefix[0] - 20, "nonce": nonce}


class TracedWalk(Walk):
    """The model's walk; notes what is opened besides walking, and how walks went."""

    def __init__(self, version: TlsVersion, seq: int, number: int) -> None:
        super().__init__(version, seq, number, window=WINDOW, runs=RUNS)
        self.passed: list[Fields] = []
        self.walks: list[tuple[int, int, bool]] = []
        self._walking = False

    def walk(
        self, seq: int, payload: bytes, *, avoid_partials: bool, reason: RxPass = RxPass.NONE
    ) -> Walked:
        """As it is; what `next` was and is, and whether it is broken."""
        before, self._walking = self.next, True
        walked = super().walk(seq, payload, avoid_partials=avoid_partials, reason=reason)
        self._walking = False
        self.walks.append((before, self.next, walked.broken))
        return walked

    def open(self, prefix: bytes, *, partial: bool) -> None:
        """As it is."""
        if not self._walking:
            fields = fields_of(prefix.ljust(13, b"\0"))
            self.passed.append({"start": self.next, "number": self.number} | fields)
        super().open(prefix, partial=partial)


class Traced(Boundary):
    """The model; notes how trials went and which were started."""

    def __init__(self, walk: TracedWalk, numbers: list[int | None]) -> None:
        super().__init__(walk, lambda complete, first: numbers.pop(0))
        self.tries: list[str] = []
        self.started: list[Fields] = []

    def _try(self, seq: int, payload: bytes, *, begins: bool = False) -> bool:
        before = self.failed
        proved = super()._try(seq, payload, begins=begins)
        self.tries.append("proved" if proved else "failed" if self.failed != before else "")
        return proved

    def _start_trial(self, start: int, prefix: bytes) -> Chain:
        self.started.append({"seq": start} | fields_of(prefix))
        return super()._start_trial(start, prefix)


@dataclass
class Connection:
    """A connection of the test: its model, its peer, and what the module said that it is."""

    boundary: Traced
    walk: TracedWalk
    peer: Peer
    state: int
    slot: int = 0  # of the trial
    numbers: list[int | None] = field(default_factory=list)


class Bench:
    """Plays walk and buffer; compares all that comes with what the model says."""

    def __init__(self, dut: Any) -> None:
        self.dut = dut
        self.rng = rng_of_test("frames")
        self.noise = rng_of_test("noise")
        self.edge = RisingEdge(dut.clk)
        self.memory = bytearray(self.noise.randbytes(1 << ADDR_W))
        self.connections: list[Connection] = []
        self.held: Connection | None = None
        self.self_confirm = False
        self.proves = True  # some of the trials that are complete
        self.events: list[tuple[int, int, int]] = []
        self.lost = 0
        self.clocks = 0  # that the last search took
        self.asked = self.proved = self.passed = 0
        for name in (*PULSES, *WHERE, "self_confirm", "s_version", "hdr_data"):
            getattr(dut, name).value = 0
        cocotb.start_soon(self._run())

    # ---- neighbours ----
    async def _run(self) -> None:
        """The buffer's bytes two clocks after their address; events and counters."""
        dut = self.dut
        addr = 0
        while True:
            await self.edge
            two = addr + 16 - len(self.memory)
            data = self.memory[addr : addr + 16] + self.memory[: max(two, 0)]
            dut.hdr_data.value = int.from_bytes(data, "little")
            if dut.rst.value != 0:
                continue
            addr = int(dut.hdr_addr.value) if dut.hdr_addr.value.is_resolvable else 0
            if dut.m_event_valid.value == 1:
                values = (dut.m_event_is_request, dut.m_event_seq, dut.m_event_records)
                request, seq, records = (int(value.value) for value in values)
                self.events.append((request, seq, records))
            self.lost += int(dut.count_lost.value == 1)

    async def pulse(self, **values: int) -> None:
        """These for a clock."""
        for name, value in values.items():
            getattr(self.dut, name).value = value
        await self.edge
        for name in values:
            getattr(self.dut, name).value = 0

    def now(self) -> Fields:
        """What is known of the connection, from the port."""
        return unpack(int(self.dut.state.value))

    # ---- connections ----
    def add(self) -> Connection:
        """A new one."""
        rng = self.rng
        version = rng.choice([TlsVersion.TLS_1_2, TlsVersion.TLS_1_3])
        first = some_first(rng)
        walk = TracedWalk(version, first, rng.getrandbits(64))
        numbers: list[int | None] = []
        boundary = Traced(walk, numbers)
        looks = rng.choice([0.0, 0.3, 0.8])
        peer = Peer(Stream(version, first, bytearray(), rng, looks))
        state = first << (CHAINS + CHAINS * sum(bits for _, bits in CHAIN))
        made = Connection(boundary, walk, peer, state, numbers=numbers)
        self.connections.append(made)
        return made

    async def hold(self, connection: Connection) -> None:
        """Let the module be at this connection."""
        dut = self.dut
        if self.held is connection:
            return
        if self.held is not None:
            self.held.state = int(dut.state.value)
        self.held = connection
        dut.s_version.value = int(connection.walk.version)
        await self.pulse(load=1, load_state=connection.state)
        await Timer(1, "ns")
        self.compare()

    def compare(self) -> None:
        """All that the module knows, with what the model does."""
        assert self.held is not None
        boundary = self.held.boundary
        got, want = self.now(), {}
        want["sync"] = SYNC.index(boundary.state)
        want["turn"], want["failed"] = boundary.turn, boundary.failed
        want["tail_bytes"], want["tail_end"] = len(boundary.tail), boundary.tail_end
        size = 8 * len(boundary.tail)
        got["tail"] >>= 96 - size
        want["tail"] = int.from_bytes(boundary.tail, "little")
        want["pending"] = int(boundary.pending is not None)
        if boundary.pending is not None:
            want["pending_chain"] = boundary.places.index(boundary.pending)
        want["trial"] = int(boundary.trial is not None)
        if boundary.trial is not None:
            want["trial_chain"] = boundary.places.index(boundary.trial.chain)
            want["trial_total"] = boundary.trial.entry.record.total
            want["trial_slot"] = self.held.slot
        want["chains"] = 0
        for place, chain in enumerate(boundary.places):
            if chain is None:
                continue
            want["chains"] |= 1 << place
            fields = {"start": chain.start, "next": chain.next, "count": chain.count}
            fields |= fields_of(chain.prefix)
            want |= {f"{name}{place}": value for name, value in fields.items()}
        assert {name: got[name] for name in want} == want
        dut = self.dut
        assert int(dut.m_in_sync.value) == int(boundary.state is State.IN_SYNC)
        assert int(dut.m_tail_end.value) == boundary.tail_end
        assert int(dut.m_pending.value) == want["pending"]
        if boundary.pending is not None:
            assert int(dut.m_pending_start.value) == boundary.pending.start
        assert int(dut.m_trial.value) == want["trial"]
        if boundary.trial is not None:
            record = boundary.trial.entry.record
            assert int(dut.m_trial_start.value) == record.start
            assert int(dut.m_trial_total.value) == record.total
            assert int(dut.m_trial_slot.value) == self.held.slot

    async def told(self, notices: tuple[Notice, ...], lost: int) -> None:
        """Compare state, events and counter with what they must be."""
        await self.edge
        await Timer(1, "ns")
        self.compare()
        kinds = {EventOf.RESYNC_REQUEST: 1, EventOf.RESYNC_WITHDRAWN: 0}
        assert self.events == [(kinds[n.event], n.seq, n.records) for n in notices]
        assert self.lost == lost
        self.events.clear()
        self.lost = 0

    # ---- frames ----
    async def _pass(self, at: Fields, seq: int, *, declare: bool) -> bool:
        """Check the chains until none starts at the boundary; whether the frame is ahead then."""
        dut = self.dut
        while 0 < (far := (seq - at["next"] - at["have"]) % SEQ) <= HALF:
            dut.s_next.value = at["next"]
            dut.check.value = 1
            await Timer(1, "ns")
            hit = int(dut.m_hit.value)
            names = ("start", "count", "total", "type", "nonce")
            got = {name: int(getattr(dut, f"m_hit_{name}").value) for name in names}
            if not hit:
                await self.pulse(check=1, ahead=int(declare), is_far=int(declare and far > LONGEST))
                return True
            await self.pulse(check=1, moved=1)
            number = (at["number"] + got.pop("count") - 1) % NUMBERS
            self.hits.append(got | {"number": number})
            behind = (got["start"] + got["total"]) % SEQ
            await self.pulse(moved=1, half_way=(got["start"] ^ behind) >> 31)
            at |= {"next": behind, "have": 0, "number": (number + 1) % NUMBERS}
            dut.s_next.value = self.noise.getrandbits(32)
        return False

    async def frame(self, connection: Connection, place: int, payload: bytes) -> None:
        """A frame from a place of the stream; and compare."""
        dut, boundary, walk = self.dut, connection.boundary, connection.walk
        seq = (connection.peer.stream.first + place) % SEQ
        at = {"next": walk.next, "have": len(walk.prefix), "number": walk.number}
        self.hits: list[Fields] = []
        for log in (boundary.tries, boundary.started, walk.passed, walk.walks):
            log.clear()
        proofs: list[int | None] = [
            self.rng.choice([None, self.rng.getrandbits(64)]) for _ in range(2)
        ]
        if not self.proves:
            proofs = [None, None]
        connection.numbers[:] = proofs
        followed = boundary.receive(
            seq, payload, avoid_partials=False, self_confirm=self.self_confirm
        )
        if self.held is not connection:
            # before the frame, so the model's is not to be compared
            if self.held is not None:
                self.held.state = int(dut.state.value)
            self.held = connection
            dut.s_version.value = int(walk.version)
            await self.pulse(load=1, load_state=connection.state)
        addr = self.noise.randrange(1 << ADDR_W)
        behind = place + len(payload)
        around = bytes(connection.peer.stream.data[behind : behind + 40])
        if not around or self.noise.random() < 0.5:
            around = self.noise.randbytes(40)
        if self.noise.random() < 0.2:
            around = some_header(walk.version, self.noise) * 8
        for n, byte in enumerate(payload + around):
            self.memory[(addr + n) % (1 << ADDR_W)] = byte
        dut.s_seq.value, dut.s_bytes.value, dut.s_addr.value = seq, len(payload), addr
        proved = False
        asked = None
        if await self._pass(at, seq, declare=True):
            proved, asked = await self._ahead(connection)
            if proved:
                at |= {"next": int(dut.m_trial_start.value), "have": 0}
                at["number"] = proofs[len(proofs) - len(connection.numbers) - 1] or 0
                await self.pulse(moved=1)
                await self._pass(at, seq, declare=False)
        assert asked == followed.asked
        for got, want in zip(self.hits, walk.passed, strict=True):
            nonce = want.pop("nonce")
            assert {name: got[name] for name in want} == want
            if walk.version is TlsVersion.TLS_1_2:
                assert got["nonce"] == nonce
        if walk.walks:
            before, after, broken = walk.walks[-1]
            assert at["next"] == before
            if after != before:
                await self.pulse(moved=1, half_way=(after ^ before) >> 31)
            if broken:
                await self.pulse(broken=1)
        assert proved == (Counter.RX_SYNC_SELF in followed.counted)
        self.proved += proved
        self.passed += len(self.hits)
        self.asked += asked is not None
        await self.told(followed.notices, followed.counted.count(Counter.RX_SYNC_LOST))

    async def _ahead(self, connection: Connection) -> tuple[bool, int | None]:
        """The rest for a frame that is ahead: was a trial proved; what is asked."""
        dut, boundary = self.dut, connection.boundary
        tries = list(boundary.tries)
        if tries[0] == "proved":
            return True, None
        if tries[0] == "failed":
            await self.pulse(trial_failed=1)
        slot = self.noise.randrange(1 << SLOT_W)
        dut.s_slot.value = slot
        await self.pulse(go=1)
        self.clocks = 1
        while True:
            await self.edge
            self.clocks += 1
            if dut.done.value == 1:
                break
            assert self.clocks < 5000, "not done"
        names = ("seq", "total", "type", "nonce")
        assert int(dut.m_start.value) == len(boundary.started)
        for want in boundary.started:
            assert {name: int(getattr(dut, f"m_start_{name}").value) for name in names} == want
            connection.slot = slot
        dut.s_slot.value = self.noise.randrange(1 << SLOT_W)
        if tries[1:] == ["proved"]:
            return True, None
        if tries[1:] == ["failed"]:
            await self.pulse(trial_failed=1)
        dut.ask.value = 1
        await Timer(1, "ns")
        asked = int(dut.m_chain_start.value) if dut.m_asks.value == 1 else None
        await self.pulse(ask=1)
        return False, asked

    async def answer(self, connection: Connection) -> None:
        """The host's: to what was asked, or to something else."""
        rng, boundary, walk = self.rng, connection.boundary, connection.walk
        await self.hold(connection)
        seq = (walk.next + rng.randint(-100, 3000)) % SEQ
        known = [boundary.pending] if boundary.pending else boundary.chains
        if known and rng.random() < 0.9:
            seq = rng.choice([chain.start for chain in known])
        elif rng.random() < 0.3:
            seq = boundary.tail_end
        answer = rng.choice([Answer.ACCEPT, Answer.REJECT])
        stale = boundary.answer(answer, seq, rng.getrandbits(64)) is Reason.STALE
        if not stale:
            names = ("accept", "moved") if answer is Answer.ACCEPT else ("reject",)
            await self.pulse(**dict.fromkeys(names, 1))
        notices = tuple(boundary._notices)
        boundary._notices.clear()
        boundary._counted.clear()
        await self.told(notices, 0)


# ---- tests ----
@cocotb.test(timeout_time=50, timeout_unit="ms")
@cocotb.parametrize(self_confirm=[False, True])
async def frames_are_searched_as_the_model_does(dut: Any, self_confirm: bool) -> None:
    """Any frames, of connections in any turn, and answers."""
    bench = Bench(dut)
    rng = bench.rng
    await start(dut)
    for _ in range(3):
        bench.add()
    connection = bench.connections[0]
    for count in range(int(os.environ["FRAMES"])):
        if rng.random() < 0.3:
            connection = rng.choice(bench.connections)
        if rng.random() < (0.25 if connection.boundary.pending else 0.05):
            await bench.answer(connection)
        else:
            starts = [chain.start for chain in connection.boundary.chains]
            place, payload = connection.peer.segment(connection.walk, 1200, starts)
            await bench.frame(connection, place, payload)
        if rng.random() < 0.005:  # another one in its place
            bench.connections.remove(connection)
            connection = bench.add()
        if count % 50 == 49:
            bench.self_confirm = self_confirm and rng.random() < 0.9
            dut.self_confirm.value = int(bench.self_confirm)
    cocotb.log.info("%d asked, %d proved, %d passed", bench.asked, bench.proved, bench.passed)


@cocotb.test(timeout_time=20, timeout_unit="ms")
@cocotb.parametrize(self_confirm=[False, True])
async def chains_are_many(dut: Any, self_confirm: bool) -> None:
    """Short frames far apart with a header or two; at the ends of chains, or just before them."""
    bench = Bench(dut)
    rng = bench.rng
    await start(dut)
    bench.self_confirm = self_confirm
    dut.self_confirm.value = int(self_confirm)
    for _ in range(6):
        connection = bench.add()
        version, stream = connection.walk.version, connection.peer.stream
        for _ in range(50):
            chains = connection.boundary.chains
            size = rng.choice([5, 12, 13, 14, 20, 60, rng.randint(1, 90)])
            place = rng.randrange(LONGEST + 1, 10 * LONGEST)
            edges = [edge for chain in chains for edge in (chain.next, chain.next, chain.start)]
            if edges and rng.random() < 0.6:
                place = stream.place_of(rng.choice(edges)) - rng.choice([0, 0, rng.randrange(size)])
            elif rng.random() < 0.5:  # behind the frame before
                place = stream.place_of(connection.boundary.tail_end)
            payload = bytearray(rng.randbytes(size))
            heads = [stream.place_of(edge) - place for edge in edges if rng.random() < 0.8]
            for at in (rng.randrange(size), *heads):
                if 0 <= at < size:
                    payload[at : at + HEADER] = some_header(version, rng, small=rng.random() < 0.3)
            if place >= 0:
                await bench.frame(connection, place, bytes(payload[:size]))
            if rng.random() < 0.05:
                await bench.answer(connection)


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def a_header_may_lie_over_a_frames_end(dut: Any) -> None:
    """Cut anywhere: it starts a chain, and a trial if the text is in the second frame."""
    bench = Bench(dut)
    await start(dut)
    bench.self_confirm = True
    dut.self_confirm.value = 1
    for cut in [*range(14), *range(14)]:
        connection = bench.add()
        header = b"\x17" + WIRE_VERSION + (60).to_bytes(2) + bytes(60)
        place = LONGEST + 100
        await bench.frame(connection, place, bytes(20) + header[:cut])
        await bench.frame(connection, place + 20 + cut, header[cut:])


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def a_chain_may_be_longer_than_a_frame(dut: Any) -> None:
    """A frame reaches into one of about 2^14, 2^15 or 2^16 bytes."""
    bench = Bench(dut)
    rng = bench.rng
    await start(dut)
    for size in (1 << 14, 1 << 15, 1 << 16):
        connection = bench.add()
        for less in (0, 8, 40, rng.randrange(100)):
            start_at = place = 2 * LONGEST
            left = size - less
            while left:
                total = min(left, LONGEST - 100)
                header = b"\x17" + WIRE_VERSION + (total - HEADER).to_bytes(2) + bytes(20)
                await bench.frame(connection, place, header)
                place, left = place + total, left - total
            before = rng.randint(20, 60)
            await bench.frame(connection, start_at - before, bytes(before + 40))
            connection = bench.add()


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def a_chain_may_have_half_of_the_sequence_numbers(dut: Any) -> None:
    """It covers what is near its start, too; so many frames take too long, so it is put there."""
    bench = Bench(dut)
    await start(dut)
    header = b"\x17" + WIRE_VERSION + (1000).to_bytes(2) + bytes(20)
    for more in (HALF - 2000, HALF, HALF + 5000):
        connection, place = bench.add(), 2 * LONGEST
        await bench.frame(connection, place, header)
        await bench.frame(bench.add(), place, header)  # so that the first one's state is stored
        stored = unpack(connection.state)
        connection.state = pack(stored | {"next0": (stored["next0"] + more) % SEQ})
        chain = connection.boundary.chains[0]
        chain.last = (chain.last + more) % SEQ
        await bench.frame(connection, place + 100, bytes(50) + header)
        assert len(connection.boundary.chains) == 1


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def three_trials_may_fail(dut: Any) -> None:
    """Then there is none more, and the host is asked about a header alone."""
    bench = Bench(dut)
    bench.proves = False
    await start(dut)
    bench.self_confirm = True
    dut.self_confirm.value = 1
    connection = bench.add()
    place = LONGEST + 100
    for count in range(6):
        header = b"\x17" + WIRE_VERSION + (60 + count).to_bytes(2)
        await bench.frame(connection, place, header + bytes(60 + count))
        assert connection.boundary.failed == min(count + 1, 3)
        place += 65 + count


def clocks_of(size: int, headers: dict[int, int]) -> int:
    """Clocks that a search takes, of a frame with these headers, and where they lead.

    2 to find out where it is, 3 to read, 1 for 16 places (of the first 16 12 lie before), 1 to note
    a header; at the end of a record a clock for that place alone; 4 besides.
    """
    clocks, at, ends = 4, 0, False
    while at + 13 <= size:
        place = min([where for where in headers if where >= at], default=size - 13)
        if ends:
            place = at
        clocks += 5 + (place - at + 12) // 16 + 1
        if place in headers:
            clocks, at, ends = clocks + 1, headers[place], True
        elif ends:
            ends = False
        else:
            break
    return clocks


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def a_frame_takes_its_bytes_and_headers(dut: Any) -> None:
    """A clock for 16 bytes and 9, and some more for a header."""
    bench = Bench(dut)
    rng = bench.rng
    await start(dut)
    for _ in range(100):
        connection = bench.add()
        payload, headers = bytearray(rng.randrange(40)), {}
        for _ in range(rng.randrange(5)):
            length = LENGTHS[connection.walk.version].start + rng.choice([0, rng.randrange(100)])
            headers[len(payload)] = len(payload) + HEADER + length
            payload += b"\x17\3\3" + length.to_bytes(2) + bytes(length)
            payload += bytes(rng.choice([0, rng.randrange(60)]))
        payload += bytes(rng.choice([13, 15, 16, 17, rng.randrange(13, 300)]))
        size = len(payload)
        await bench.frame(connection, 100, bytes(payload))
        seen = {at: end for at, end in headers.items() if at + 13 <= size}
        assert bench.clocks == clocks_of(size, seen), (size, headers)
        if not headers:
            assert bench.clocks == -(-size // 16) + 9


@pytest.mark.parametrize("frames", [400, pytest.param(8000, marks=pytest.mark.regress)])
def test_tls_rx_search(frames: int) -> None:
    parameters = {"ADDR_W": ADDR_W, "WINDOW": WINDOW, "SEARCH_W": SEARCH_W}
    simulate("tls_rx_search", __name__, parameters, env={"FRAMES": str(frames)})
