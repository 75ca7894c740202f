"""tls_feed: the lane gets each piece's bytes at their place in the text, from any place.

The test plays the buffer, the lane and the queue of tags; AAD is that of docs/receive.md, 3.
"""

from __future__ import annotations

import random
from itertools import pairwise
from typing import Any

import cocotb
from cocotb.triggers import RisingEdge

from cocotb_tests.harness import simulate
from cocotb_tests.streams import Gaps, Sink, Source, StreamRules, never, often, rng_of_test, start
from model.regs import TlsVersion

ID_W, PART_W, ADDR_W = 4, 3, 11
BYTES = 1 << ADDR_W
PARTS = 1 << PART_W
PIECE = ("is_tag", "id", "addr", "bytes", "place", "version", "type", "number", "nonce", "len")
PART = ("slot", "nonce", "len", "aad_len", "offset", "bytes", "aad", "id")
Fields = dict[str, int]


def aad(piece: Fields) -> bytes:
    """Of the record of a piece."""
    kind = bytes([20 + piece["type"], 3, 3])
    if piece["version"] == TlsVersion.TLS_1_2:
        return piece["number"].to_bytes(8) + kind + piece["len"].to_bytes(2)
    return kind + (piece["len"] + 16).to_bytes(2)


class Bench:
    """Sends pieces; compares parts, their data, their places, and tags."""

    def __init__(self, dut: Any, idle: Gaps = never, stall: Gaps = never) -> None:
        self.dut = dut
        self.edge = RisingEdge(dut.clk)
        self.rng = rng_of_test("pieces")
        self.memory = self.rng.randbytes(BYTES)
        self.pieces = Source(dut, "s_piece", PIECE, idle(rng_of_test("idle")))
        streams = (
            ("m_part", PART, self._part),
            ("m_axis", ("tdata",), self._data),
            ("m_tag", ("data",), self._tag),
        )
        self.rules = []
        for prefix, fields, take in streams:
            Sink(dut, prefix, fields, take, stall(rng_of_test(prefix)))
            self.rules.append(StreamRules(dut, prefix, fields))
        self.gives_back = True
        self.slow = stall is often
        self.clocks: list[int] = []
        self.forget()
        dut.returned.value = 0
        cocotb.start_soon(self._neighbours())

    def forget(self) -> None:
        """For a reset."""
        self.pieces.clear()
        self.parts: list[Fields] = []
        self.data: list[tuple[int, int]] = []  # word, mask
        self.tags: list[int] = []
        self.places: list[int] = []
        self.sent = self.out = self.taken = self.most = 0

    async def _neighbours(self) -> None:
        """The buffer, two clocks after the address; sums that were used; places."""
        dut, rng = self.dut, rng_of_test("neighbours")
        addr: int | None = None
        while True:
            await self.edge
            word = rng.getrandbits(128)
            if addr is not None:
                two = self.memory[addr : addr + 16] + self.memory[: max(addr + 16 - BYTES, 0)]
                word = int.from_bytes(two, "little")
            dut.rd_data.value = word
            if dut.rst.value != 0:
                dut.returned.value = 0
                continue
            addr = int(dut.rd_addr.value) if dut.rd_addr.value.is_resolvable else None
            if dut.m_place_valid.value == 1:
                assert self.places, "a place too many"
                assert int(dut.m_place_addr.value) == self.places.pop(0)
            self.out -= int(dut.returned.value == 1)
            part = dut.m_part_valid.value == 1 and dut.m_part_ready.value == 1
            self.out += int(part)
            self.taken += int(part)
            self.most = max(self.most, self.out)
            assert self.out <= PARTS, "more parts than numbers"
            back = self.gives_back and self.out > 0 and (not self.slow or rng.random() < 0.2)
            dut.returned.value = int(back)

    def _part(self, word: Fields, _: int) -> None:
        assert self.parts, f"a part too many: {word}"
        assert word == self.parts.pop(0)

    def _data(self, word: Fields, clock: int) -> None:
        assert self.data, "a word too many"
        want, mask = self.data.pop(0)
        assert word["tdata"] & mask == want, f"{word['tdata'] & mask:#x} not {want:#x}"
        self.clocks.append(clock)

    def _tag(self, word: Fields, _: int) -> None:
        assert self.tags, "a tag too many"
        assert word["data"] == self.tags.pop(0)

    def send(self, piece: Fields) -> None:
        """Queue a piece, and what must come of it."""
        self.pieces.send(piece)
        addr, count, place = piece["addr"], piece["bytes"], piece["place"]
        data = bytes(self.memory[(addr + n) % BYTES] for n in range(count))
        if piece["is_tag"]:
            self.tags.append(int.from_bytes(bytes(place) + data, "little"))
            return
        own = aad(piece)
        self.parts.append(
            {
                "slot": piece["id"],
                "nonce": piece["nonce"],
                "len": piece["len"],
                "aad_len": len(own),
                "offset": place,
                "bytes": count,
                "aad": int.from_bytes(own, "little"),
                "id": self.sent % PARTS,
            }
        )
        self.sent += 1
        if not count:
            return
        self.places.append((addr - place % 16) % BYTES)
        blocks = bytes(place % 16) + data
        keep = bytes(place % 16) + b"\xff" * count
        for at in range(0, len(blocks), 16):
            word, mask = (
                int.from_bytes(bytes_[at : at + 16], "little") for bytes_ in (blocks, keep)
            )
            self.data.append((word, mask))

    async def done(self) -> None:
        """Wait for all that is expected, and whether more comes."""
        for _ in range(20_000):
            if not (self.parts or self.data or self.tags or self.places):
                break
            await self.edge
        assert not self.parts, f"{len(self.parts)} parts are missing"
        assert not self.data
        assert not self.tags
        assert not self.places
        for _ in range(12):
            await self.edge
        for rule in self.rules:
            assert not rule.broken, rule.broken


def some(rng: random.Random) -> Fields:
    """A random piece; without bytes, of a tag, or of text."""
    piece = {
        "is_tag": int(rng.random() < 0.3),
        "id": rng.getrandbits(ID_W),
        "addr": rng.choice([rng.getrandbits(ADDR_W), BYTES - rng.randint(1, 40)]),
        "bytes": rng.choice([1, 15, 16, 17, rng.randint(1, 40), rng.randint(1, 400)]),
        "version": rng.getrandbits(1),
        "type": rng.getrandbits(2),
        "number": rng.getrandbits(64),
        "nonce": rng.getrandbits(64),
        "len": rng.choice([0, rng.randrange(600), rng.randrange(16_385), 16_384]),
        "place": rng.choice([0, rng.randrange(100), rng.randrange(16_000)]),
    }
    if piece["is_tag"]:
        piece["place"] = rng.randrange(16)
        piece["bytes"] = rng.randint(1, 16 - piece["place"])
    elif rng.random() < 0.1:
        piece["bytes"] = piece["place"] = 0
    return piece


@cocotb.test(timeout_time=2, timeout_unit="ms")
@cocotb.parametrize(idle=[never, often], stall=[never, often])
async def pieces_become_parts(dut: Any, idle: Gaps, stall: Gaps) -> None:
    bench = Bench(dut, idle, stall)
    await start(dut)
    for _ in range(100):
        bench.send(some(bench.rng))
    await bench.done()


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def any_place_from_any_address(dut: Any) -> None:
    """Each place in a block, from each place in a word; text and tags."""
    bench = Bench(dut)
    rng = bench.rng
    await start(dut)
    for place in range(16):
        for addr in range(16):
            piece = some(rng) | {"is_tag": 0, "addr": 32 + addr, "place": 64 + place}
            bench.send(piece | {"bytes": rng.choice([1, 16 - place, 17 - place, 33 - place])})
            tag = piece | {"is_tag": 1, "place": place, "bytes": rng.randint(1, 16 - place)}
            bench.send(tag)
    await bench.done()


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def a_block_a_clock(dut: Any) -> None:
    """From one piece to the next, too."""
    bench = Bench(dut)
    await start(dut)
    for _ in range(20):
        bench.send(some(bench.rng) | {"is_tag": 0, "bytes": bench.rng.randint(64, 300)})
    await bench.done()
    assert all(b - a == 1 for a, b in pairwise(bench.clocks)), bench.clocks


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def parts_wait_for_a_number(dut: Any) -> None:
    """As many as there are numbers, until a sum was used; tags in front of them pass."""
    bench = Bench(dut)
    rng = bench.rng
    await start(dut)
    for _ in range(4):
        bench.gives_back = False
        before = bench.taken
        for _ in range(PARTS + 3):
            bench.send(some(rng) | {"is_tag": 0, "bytes": rng.randint(0, 20), "place": 3})
        for _ in range(100):
            await bench.edge
        assert bench.taken == before + PARTS
        bench.gives_back = True
        await bench.done()
        for _ in range(PARTS):
            await bench.edge
    assert bench.most == PARTS


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def reset_stops_it(dut: Any) -> None:
    """At any clock; then numbers start from 0, and all are free."""
    bench = Bench(dut, never, often)
    await start(dut)
    for _ in range(25):
        for _ in range(12):
            bench.send(some(bench.rng))
        for _ in range(bench.rng.randrange(60)):
            await bench.edge
        dut.rst.value = 1
        await bench.edge
        bench.forget()
        await bench.edge
        dut.rst.value = 0
        bench.gives_back = False
        for _ in range(PARTS):
            bench.send(some(bench.rng) | {"is_tag": 0, "bytes": 5})
        await bench.done()
        bench.gives_back = True


def test_tls_feed() -> None:
    simulate("tls_feed", __name__, {"ID_W": ID_W, "PART_W": PART_W, "ADDR_W": ADDR_W})
