"""tls_lookup against a dict: found is what was inserted before, whatever is close behind it.

Fingerprints are those of model.lookup. CRC-32C is linear, so flows that differ where one likes
and have the same fingerprint are found by solving for their ports.
"""

from __future__ import annotations

import os
import random
from typing import Any

import cocotb
import pytest
from cocotb.triggers import RisingEdge

from cocotb_tests.harness import simulate
from cocotb_tests.streams import Gaps, Sink, Source, StreamRules, never, often, rng_of_test, start
from model.lookup import ADDR_BYTES, Flow, crc32c
from model.regs import IpVersion

DELAY = 5
ALONG_W = 24
FIND, INSERT, REMOVE, QUERY, RESYNC = range(5)  # tls_ops.vh
KEY = ("is_v6", "local_addr", "remote_addr", "local_port", "remote_port")
ENTRY = ("op", "id", *KEY, "along")
FOUND = ("found", "collides", "there", "id", "along")
Fields = dict[str, int]


def some(rng: random.Random, *, plain: bool = False) -> Flow:
    """A random flow; IPv4 addresses are followed by zeros."""
    version = rng.choice([IpVersion.IPV4, IpVersion.IPV6])
    size = ADDR_BYTES[version]
    local, remote = (
        (bytes([10] * size) if plain else rng.randbytes(size)).ljust(16, b"\0") for _ in range(2)
    )
    return Flow(version, local, remote, rng.getrandbits(16), rng.getrandbits(16))


def pack(ports: int) -> bytes:
    """A flow's bytes with nothing but these ports."""
    return bytes(33) + ports.to_bytes(4)


def _basis() -> list[tuple[int, int]]:
    """For each bit of a fingerprint, ports that change it and no lower ones of the basis."""
    zero = crc32c(bytes(37))
    rows = [(crc32c(pack(1 << bit)) ^ zero, 1 << bit) for bit in range(32)]
    done: list[tuple[int, int]] = []
    for bit in range(32):
        at = next(n for n, (change, _) in enumerate(rows) if change >> bit & 1)
        pivot = rows.pop(at)
        rows = [(c ^ pivot[0], p ^ pivot[1]) if c >> bit & 1 else (c, p) for c, p in rows]
        done.append(pivot)
    return done


BASIS = _basis()


def like(flow: Flow, rng: random.Random) -> Flow:
    """Another flow with the same fingerprint."""
    other = some(rng)
    change = flow.fingerprint ^ other.fingerprint
    ports = other.local_port << 16 | other.remote_port
    for bit, (pivot, changed) in enumerate(BASIS):
        if change >> bit & 1:
            change ^= pivot
            ports ^= changed
    made = other._replace(local_port=ports >> 16, remote_port=ports & 0xFFFF)
    assert made.fingerprint == flow.fingerprint
    return made


def near(flow: Flow, rng: random.Random) -> Flow:
    """A flow that differs in one bit, or in the order of its halves."""
    bit = 1 << rng.randrange(16)
    at = rng.randrange(ADDR_BYTES[flow.ip_version])
    local = bytearray(flow.local_addr)
    local[at] ^= 1 << rng.randrange(8)
    return rng.choice(
        [
            flow._replace(local_port=flow.local_port ^ bit),
            flow._replace(remote_port=flow.remote_port ^ bit),
            flow._replace(local_addr=bytes(local)),
            flow._replace(local_addr=flow.remote_addr, remote_addr=flow.local_addr),
            flow._replace(local_port=flow.remote_port, remote_port=flow.local_port),
            flow._replace(ip_version=IpVersion(1 - flow.ip_version)),
        ]
    )


class Bench:
    """Sends entries, and keeps the table that they make."""

    def __init__(self, dut: Any, idle: Gaps = never, stall: Gaps = never) -> None:
        self.dut = dut
        self.conns = int(os.environ["CONNS"])
        self.rng = rng_of_test("entries")
        self.edge = RisingEdge(dut.clk)
        self.source = Source(dut, "s", ENTRY, idle(rng_of_test("idle")))
        Sink(dut, "m", FOUND, self._take, stall(rng_of_test("stall")))
        self.rules = [StreamRules(dut, "m", FOUND)]
        self.table: dict[int, Flow] = {}
        self.gone: list[Flow] = []
        self.expected: list[Fields] = []
        self.clocks: list[int] = []
        self.seen = {"found": 0, "collides": 0, "neither": 0}

    def _take(self, word: Fields, clock: int) -> None:
        assert self.expected, f"one too many: {word}"
        want = self.expected.pop(0)
        got = {name: word[name] for name in want}
        assert got == want
        self.clocks.append(clock)

    def send(self, op: int, flow: Flow, connection: int | None = None) -> None:
        """Queue an entry."""
        along = self.rng.getrandbits(ALONG_W)
        where = self.rng.randrange(self.conns) if connection is None else connection
        self.source.send(
            {
                "op": op,
                "id": where,
                "is_v6": int(flow.ip_version == IpVersion.IPV6),
                "local_addr": int.from_bytes(flow.local_addr, "little"),
                "remote_addr": int.from_bytes(flow.remote_addr, "little"),
                "local_port": flow.local_port,
                "remote_port": flow.remote_port,
                "along": along,
            }
        )
        ids = [number for number, one in self.table.items() if one == flow]
        prints = [one.fingerprint for one in self.table.values()]
        collides = not ids and flow.fingerprint in prints
        there = int(where in self.table)
        want = {"found": len(ids), "collides": int(collides), "there": there, "along": along}
        if op in (REMOVE, RESYNC):  # nobody looks at it
            want = {"along": along}
        self.expected.append(want | ({"id": ids[0]} if ids and op not in (REMOVE, RESYNC) else {}))
        self.seen["found" if ids else "collides" if collides else "neither"] += 1
        if op == INSERT:
            self.table[where] = flow
        elif op == REMOVE:
            self.gone.append(self.table.pop(where))

    def insert(self, flow: Flow) -> None:
        """Insert it at a free place, unless there is none or its fingerprint is in the table."""
        free = [number for number in range(self.conns) if number not in self.table]
        if free and flow.fingerprint not in [one.fingerprint for one in self.table.values()]:
            self.send(INSERT, flow, self.rng.choice(free))

    def any_flow(self) -> Flow:
        """One of the table mostly, or close to one, or with its fingerprint, or one that went."""
        rng = self.rng
        known = list(self.table.values())
        kind = rng.random()
        if kind < 0.2 and self.gone:
            return rng.choice(self.gone[-4:])
        if not known or kind < 0.25:
            return some(rng)
        flow = rng.choice(known)
        if kind < 0.4:
            return near(flow, rng)
        return like(flow, rng) if kind < 0.55 else flow

    async def done(self) -> None:
        """Wait for all answers, and whether more come; `used` is the table."""
        for _ in range(5000):
            if not self.expected:
                break
            await self.edge
        assert not self.expected, "answers are missing"
        for _ in range(DELAY + 3):
            await self.edge
        assert int(self.dut.used.value) == sum(1 << number for number in self.table)
        for rule in self.rules:
            assert not rule.broken, rule.broken


@cocotb.test(timeout_time=5, timeout_unit="ms")
@cocotb.parametrize(idle=[never, often], stall=[never, often])
async def found_is_what_is_in_the_table(dut: Any, idle: Gaps, stall: Gaps) -> None:
    """Finds, inserts and removals in any order, a clock apart; until all answers came up."""
    bench = Bench(dut, idle, stall)
    rng = bench.rng
    await start(dut)
    rounds = 0
    while rounds < 6 or min(bench.seen.values()) < 3:
        rounds += 1
        for _ in range(50):
            kind = rng.random()
            if kind < 0.15:
                bench.insert(bench.any_flow())
            elif kind < 0.25 and bench.table:
                flow = bench.any_flow() if rng.random() < 0.5 else some(rng)
                bench.send(REMOVE, flow, rng.choice(list(bench.table)))
            else:
                bench.send(rng.choice([FIND, FIND, FIND, QUERY, RESYNC]), bench.any_flow())
        await bench.done()


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def what_a_place_had_before_is_gone(dut: Any) -> None:
    """Find, remove, find, insert another at the same place, find both: in every distance."""
    bench = Bench(dut)
    rng = bench.rng
    await start(dut)
    for _ in range(20):
        place = rng.randrange(bench.conns)
        old = some(rng)
        new = rng.choice([some(rng), like(old, rng), near(old, rng)])
        bench.send(INSERT, old, place)
        for _ in range(rng.randrange(3)):
            bench.send(FIND, old, place)
        bench.send(REMOVE, old, place)
        for _ in range(rng.randrange(2)):
            bench.send(FIND, rng.choice([old, new]), place)
        bench.send(INSERT, new, place)
        for flow in rng.choices([old, new], k=3):
            bench.send(FIND, flow, place)
        bench.send(REMOVE, new, place)
        bench.send(FIND, new, place)
    await bench.done()


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def one_a_clock_in_five_clocks(dut: Any) -> None:
    bench = Bench(dut)
    await start(dut)
    bench.insert(some(bench.rng))
    await bench.done()
    bench.clocks.clear()
    bench.source.when.clear()
    for _ in range(40):
        bench.send(FIND, bench.any_flow())
    await bench.done()
    first = bench.source.when[0]
    assert bench.source.when == list(range(first, first + 40))
    assert bench.clocks == [clock + DELAY for clock in bench.source.when]


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def every_place_is_found_at_any_bit(dut: Any) -> None:
    """A full table of flows that differ in their ports alone, and all that differ in one bit."""
    bench = Bench(dut)
    rng = bench.rng
    await start(dut)
    while len(bench.table) < bench.conns:
        bench.insert(some(rng, plain=True))
    for flow in list(bench.table.values())[:8]:
        for _ in range(24):
            bench.send(FIND, near(flow, rng))
            bench.send(FIND, flow)
    await bench.done()


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def reset_empties_the_table(dut: Any) -> None:
    bench = Bench(dut, never, often)
    rng = bench.rng
    await start(dut)
    for _ in range(20):
        known = [some(rng) for _ in range(min(bench.conns, 6))]
        for flow in known:
            bench.insert(flow)
        for _ in range(rng.randrange(20)):
            bench.send(FIND, rng.choice(known))
        for _ in range(rng.randrange(30)):
            await bench.edge
        dut.rst.value = 1
        await bench.edge
        bench.source.clear()
        bench.expected.clear()
        bench.table.clear()
        await bench.edge
        dut.rst.value = 0
        for flow in known:
            bench.send(FIND, flow)
        await bench.done()


@pytest.mark.parametrize("conns", [4, 64])
def test_tls_lookup(conns: int) -> None:
    parameters = {"CONNS": conns, "ALONG_W": ALONG_W}
    simulate("tls_lookup", __name__, parameters, env={"CONNS": str(conns)})
