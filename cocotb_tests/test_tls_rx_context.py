"""tls_rx_context against dicts: the walk gets what was stored last, or is told that it has it.

The test plays a walk that takes a frame, writes and reads records of its connection for some
clocks, and stores the connection with the clock in which it takes the next frame at the latest.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import cocotb
from cocotb.triggers import RisingEdge

from cocotb_tests.harness import simulate
from cocotb_tests.streams import Gaps, Source, StreamRules, never, often, rng_of_test, start

ID_W, SLOT_W, CONN_W, REC_W, ALONG_W = 2, 2, 24, 20, 16
SLOTS = 1 << SLOT_W
SENT = ("needs", "insert", "id", "along")
GIVEN = ("needs", "insert", "same", "id", "along")
Fields = dict[str, int]


class Bench:
    """Frames in order, and the walk that takes them."""

    def __init__(self, dut: Any, idle: Gaps = never, *, busy: int = 12) -> None:
        self.dut = dut
        self.edge = RisingEdge(dut.clk)
        self.rng = rng_of_test("frames")
        self.source = Source(dut, "s", SENT, idle(rng_of_test("idle")))
        self.rules = [StreamRules(dut, "m", (*GIVEN, "conn", "rec"))]
        self.busy = busy  # clocks that a frame takes the walk, at most
        self.clocks: list[int] = []
        self.forget()
        self.conns: dict[int, int] = {}
        self.recs: dict[tuple[int, int], int] = {}
        self.seen = {"same": 0, "fetched": 0, "scan": 0}
        for name in ("m_ready", "wr_conn_en", "wr_id", "wr_conn", "wr_rec_en", "wr_slot", "wr_rec",
                     "scan_en", "scan_slot"):  # fmt: skip
            getattr(dut, name).value = 0
        cocotb.start_soon(self._walk())

    def forget(self) -> None:
        """For a reset."""
        self.source.clear()
        self.expected: list[Fields] = []
        self.held: int | None = None  # the connection of the last frame that needed one
        self.walking: Fields | None = None
        self.left = 0

    def send(self, **given: int) -> None:
        """Queue a frame."""
        word = {"needs": 0, "insert": 0, "along": self.rng.getrandbits(ALONG_W)} | given
        self.source.send(word)
        same = word["needs"] and self.held == word["id"]
        if word["needs"] or word["insert"]:
            self.held = word["id"] if word["needs"] else None
        self.expected.append(word | ({"same": int(same)} if word["needs"] else {}))

    def any(self, number: int | None = None) -> None:
        """A frame to be walked mostly; or another one, or a new connection."""
        rng = self.rng
        number = rng.randrange(1 << ID_W) if number is None else number
        kind = rng.random()
        if kind < 0.1:
            self.send(insert=1, id=number)
        else:
            self.send(needs=int(kind < 0.85), id=number)

    async def _walk(self) -> None:
        dut, rng = self.dut, rng_of_test("walk")
        due: int | None = None  # the record that a scan finds
        write: tuple[tuple[int, int], int] | None = None
        store: int | None = None
        scan = 0  # clocks of it that are left
        slot = ready = clock = 0
        while True:
            await self.edge
            clock += 1
            if dut.rst.value != 0:
                due = write = store = None
                self.recs.clear()  # a write in that clock may count or not
                scan = ready = 0
                for name in ("m_ready", "wr_conn_en", "wr_rec_en", "scan_en"):
                    getattr(dut, name).value = 0
                continue
            if due is not None:
                assert int(dut.scan_rec.value) == due, "not the record that was looked for"
                self.seen["scan"] += 1
            due = None
            if scan and self.walking is not None:  # as it was before this clock
                due = self.recs.get((self.walking["id"], slot))
                scan -= 1
            if write is not None:
                self.recs[write[0]] = write[1]
            if store is not None and self.walking is not None:
                self.conns[self.walking["id"]] = store
                self.walking = None
            elif ready and self.left == 0:
                self.walking = None
            write = store = None
            if ready and dut.m_valid.value == 1:
                self._take()
                self.clocks.append(clock)
                new = self.walking is not None and self.walking["insert"]
                self.left = 0 if new or self.busy == 0 else rng.randrange(self.busy)
            # the next clock
            now = self.walking
            dut.wr_rec_en.value = dut.wr_conn_en.value = 0
            dut.wr_rec.value, dut.wr_conn.value = rng.getrandbits(REC_W), rng.getrandbits(CONN_W)
            if now is None:
                ready = int(self.busy == 0 or rng.random() < 0.7)
                dut.scan_en.value = 0
            else:
                dut.wr_id.value = now["id"]
                if now["needs"] and not scan and self.left >= 3 and rng.random() < 0.3:
                    scan, slot = 2, rng.randrange(SLOTS)
                    dut.scan_slot.value = slot
                dut.scan_en.value = int(scan > 0)
                at, rec = rng.randrange(SLOTS), rng.getrandbits(REC_W)
                if now["needs"] and not scan and rng.random() < 0.4:
                    write = (now["id"], at), rec
                    dut.wr_rec_en.value, dut.wr_slot.value, dut.wr_rec.value = 1, at, rec
                ready = int(self.left == 0)
                if self.left == 0 and (now["needs"] or now["insert"]):
                    store = rng.getrandbits(CONN_W)
                    dut.wr_conn_en.value, dut.wr_conn.value = 1, store
                self.left -= self.left > 0
            dut.m_ready.value = ready

    def _take(self) -> None:
        dut = self.dut
        assert self.expected, "a frame too many"
        want = self.expected.pop(0)
        got = {name: int(getattr(dut, f"m_{name}").value) for name in want}
        assert got == want
        self.walking = want
        if not want["needs"]:
            return
        self.seen["same" if want["same"] else "fetched"] += 1
        if want["same"]:
            return
        conn = self.conns[want["id"]]
        assert int(dut.m_conn.value) == conn
        rec = self.recs.get((want["id"], conn % SLOTS))
        if rec is not None:
            assert int(dut.m_rec.value) == rec

    async def begin(self) -> None:
        """Reset, and all connections are new."""
        await start(self.dut)
        await self.fill()

    async def fill(self) -> None:
        """All connections are new."""
        for number in range(1 << ID_W):
            self.send(insert=1, id=number)
        await self.done()

    async def done(self) -> None:
        """Wait until all frames were taken, and whether more come."""
        for _ in range(20_000):
            if not self.expected:
                break
            await self.edge
        assert not self.expected, f"{len(self.expected)} frames did not come"
        for _ in range(self.busy + 8):
            await self.edge
        for rule in self.rules:
            assert not rule.broken, rule.broken


@cocotb.test(timeout_time=2, timeout_unit="ms")
@cocotb.parametrize(idle=[never, often], busy=[0, 4, 16])
async def what_was_stored_last_is_given(dut: Any, idle: Gaps, busy: int) -> None:
    """Runs of one connection and of others between; new ones, and frames that need none."""
    bench = Bench(dut, idle, busy=busy)
    rng = bench.rng
    await bench.begin()
    number = 0
    for _ in range(200):
        if rng.random() < 0.5:
            number = rng.randrange(1 << ID_W)
        bench.any(number)
    await bench.done()
    assert bench.seen["same"] > 20
    assert bench.seen["fetched"] > 20
    assert busy < 16 or bench.seen["scan"] > 20


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def a_new_connection_is_not_what_was_held(dut: Any) -> None:
    """A frame right behind the insert gets what the insert stored, of whichever connection."""
    bench = Bench(dut, never, busy=2)
    rng = bench.rng
    await bench.begin()
    for _ in range(60):
        number = rng.randrange(1 << ID_W)
        bench.send(needs=1, id=number)
        bench.send(insert=1, id=rng.choice([number, rng.randrange(1 << ID_W)]))
        for _ in range(rng.choice([1, 2])):
            bench.send(needs=1, id=number)
        bench.send(needs=1, id=rng.randrange(1 << ID_W))
    await bench.done()


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def a_frame_every_four_clocks(dut: Any) -> None:
    """Of another connection each; one that needs nothing goes at once."""
    bench = Bench(dut, busy=0)
    await bench.begin()
    bench.clocks.clear()
    for count in range(40):
        bench.send(needs=1, id=count % 4)
    await bench.done()
    assert all(b - a <= 4 for a, b in pairwise(bench.clocks)), bench.clocks


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def reset_forgets_what_is_held(dut: Any) -> None:
    """At any clock; then the connection that the walk had is read again."""
    bench = Bench(dut)
    rng = bench.rng
    await bench.begin()
    for _ in range(25):
        for _ in range(6):
            bench.any()
        for _ in range(rng.randrange(40)):
            await bench.edge
        dut.rst.value = 1
        await bench.edge
        bench.forget()
        await bench.edge
        bench.forget()
        dut.rst.value = 0
        for number in rng.sample(range(1 << ID_W), 1 << ID_W):
            bench.send(insert=1, id=number)
        for _ in range(3):
            bench.any()
        await bench.done()


def test_tls_rx_context() -> None:
    parameters = {
        "ID_W": ID_W,
        "SLOT_W": SLOT_W,
        "CONN_W": CONN_W,
        "REC_W": REC_W,
        "ALONG_W": ALONG_W,
    }
    simulate("tls_rx_context", __name__, parameters)
