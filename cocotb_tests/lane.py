"""The AES-GCM lane as a test sees it: install keys, send parts, get text and sums back."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from cocotb.triggers import ClockCycles, RisingEdge

from cocotb_tests.streams import Gaps, Sink, Source, StreamRules, never, rng_of_test, start
from model.gcm import BLOCK, Cipher, Error, Part, blocks_in

KEY = ("slot", "cipher", "key", "iv")
PART = (
    "slot", "decrypt", "is_aad", "nonce", "len", "aad_len", "offset", "bytes", "aad", "id",
)  # fmt: skip
TEXT = ("tdata", "tkeep", "tlast", "tuser")
SUM = ("tdata", "id", "error")


@dataclass
class Sent:
    """A part on its way, and what has come back of it. Clocks count from the start."""

    part: Part
    id: int
    text: bytearray = field(default_factory=bytearray)
    text_done: bool = False
    sum: bytes | None = None
    error: Error = Error.NONE
    first_text_clock: int = 0
    last_text_clock: int = 0
    sum_clock: int = 0


class LaneBench:
    """Drives `tls_gcm`. Every stream is checked against the stream rules all the time."""

    def __init__(self, dut: Any, idle: Gaps = never, stall: Gaps = never) -> None:
        def gaps(kind: Gaps, name: str) -> Iterator[bool] | None:
            return None if kind is never else kind(rng_of_test(name))

        self.dut = dut
        self.slots = 1 << len(dut.s_key_slot)
        self.ids = 1 << len(dut.s_part_id)
        self.keys = Source(dut, "s_key", KEY, gaps(idle, "key"))
        self.parts = Source(dut, "s_part", PART, gaps(idle, "part"))
        self.data = Source(dut, "s_axis", ("tdata",), gaps(idle, "data"))
        self.answers: list[tuple[int, bool, int]] = []  # slot, refused, clock
        Sink(
            dut, "m_key", ("slot", "refused"),
            lambda w, t: self.answers.append((w["slot"], bool(w["refused"]), t)),
            gaps(stall, "answer"),
        )  # fmt: skip
        Sink(dut, "m_axis", TEXT, self._text, gaps(stall, "text"))
        Sink(dut, "m_sum", SUM, self._sum, gaps(stall, "sum"))
        self.rules = [
            StreamRules(dut, "s_key", KEY),
            StreamRules(dut, "s_part", PART),
            StreamRules(dut, "s_axis", ("tdata",)),
            StreamRules(dut, "m_key", ("slot", "refused")),
            StreamRules(dut, "m_axis", TEXT),
            StreamRules(dut, "m_sum", SUM),
        ]
        self._texts: deque[Sent] = deque()
        self._sums: dict[int, deque[Sent]] = {}
        self._next_id = 0
        self.open_sums = 0

    async def start(self) -> None:
        """Start the clock and reset."""
        await start(self.dut)

    async def reset(self) -> None:
        """Reset in the middle of whatever is under way; all that was sent is forgotten."""
        self.dut.rst.value = 1
        for source in (self.keys, self.parts, self.data):
            source.clear()
        await ClockCycles(self.dut.clk, 2)
        self._texts.clear()
        self._sums.clear()
        self.answers.clear()
        self.open_sums = 0
        self.dut.rst.value = 0
        await RisingEdge(self.dut.clk)

    @property
    def clock(self) -> int:
        """Clocks since the bench was made."""
        return self.parts.clock

    def install(self, slot: int, cipher: Cipher, key: bytes = b"", iv: bytes = bytes(12)) -> None:
        """Queue the installation of a key; the answer goes to `answers`."""
        self.keys.send(
            {
                "slot": slot,
                "cipher": int(cipher),
                "key": int.from_bytes(key, "little"),
                "iv": int.from_bytes(iv, "little"),
            }
        )

    async def installed(self, count: int) -> None:
        """Wait until so many installations were answered."""
        await self.until(lambda: len(self.answers) >= count)

    def send(self, part: Part) -> Sent:
        """Queue a part and its data."""
        sent = Sent(part, self._next_id)
        self._next_id = (self._next_id + 1) % self.ids
        self.parts.send(
            {
                "slot": part.slot,
                "decrypt": int(part.decrypt),
                "is_aad": int(part.is_aad),
                "nonce": part.nonce,
                "len": part.text_len,
                "aad_len": part.aad_len,
                "offset": part.offset,
                "bytes": len(part.data),
                "aad": int.from_bytes(part.aad, "little"),
                "id": sent.id,
            }
        )
        # bytes outside the part are noise: the lane must not look at them
        lead = part.offset % BLOCK
        size = BLOCK * (blocks_in(lead + len(part.data)) if part.data else 0)
        noise = random.Random(len(part.data)).randbytes(size)
        placed = noise[:lead] + part.data + noise[lead + len(part.data) :]
        for at in range(0, size, BLOCK):
            self.data.send({"tdata": int.from_bytes(placed[at : at + BLOCK], "little")})
        if part.data and not part.is_aad:
            self._texts.append(sent)
        else:
            sent.text_done = True
        self._sums.setdefault(sent.id, deque()).append(sent)
        self.open_sums += 1
        return sent

    async def until(self, done: Callable[[], bool], quiet: int = 5_000) -> None:
        """Wait for a condition; fail when a rule is broken, or when so many clocks saw no word."""
        edge = RisingEdge(self.dut.clk)
        last, waited = -1, 0
        while not done():
            await edge
            for rule in self.rules:
                assert not rule.broken, rule.broken
            words = sum(rule.words for rule in self.rules)
            waited = 0 if words != last else waited + 1
            last = words
            if waited > quiet:
                raise AssertionError("nothing moves: " + ", ".join(map(str, self.rules)))

    async def drain(self) -> None:
        """Wait until everything sent has come back, and that nothing more comes."""
        await self.until(lambda: not self.open_sums and not self._texts)
        await ClockCycles(self.dut.clk, 20)
        for rule in self.rules:
            assert not rule.broken, rule.broken

    def _text(self, word: dict[str, int], clock: int) -> None:
        assert self._texts, f"text that nobody sent: {word}"
        sent = self._texts[0]
        assert word["tuser"] == sent.id, f"text of part {word['tuser']}, not {sent.id}"
        raw, keep = word["tdata"].to_bytes(BLOCK, "little"), word["tkeep"]
        at = (sent.part.offset + len(sent.text)) % BLOCK
        size = min(BLOCK - at, len(sent.part.data) - len(sent.text))
        assert keep == ((1 << size) - 1) << at, f"keep {keep:016b} of {size} bytes at {at}"
        assert not any(b for i, b in enumerate(raw) if not keep >> i & 1), "bytes outside keep"
        sent.first_text_clock = sent.first_text_clock or clock
        sent.last_text_clock = clock
        sent.text += raw[at : at + size]
        last = len(sent.text) == len(sent.part.data)
        assert bool(word["tlast"]) == last, f"tlast {word['tlast']} after {len(sent.text)} bytes"
        if last:
            sent.text_done = True
            self._texts.popleft()

    def _sum(self, word: dict[str, int], clock: int) -> None:
        queue = self._sums.get(word["id"])
        assert queue, f"sum that nobody sent: {word}"
        sent = queue.popleft()
        sent.sum = word["tdata"].to_bytes(BLOCK, "little")
        sent.error = Error(word["error"])
        sent.sum_clock = clock
        self.open_sums -= 1


def xor(*blocks: bytes) -> bytes:
    """XOR of 16-byte blocks: a tag from sums."""
    total = 0
    for block in blocks:
        total ^= int.from_bytes(block)
    return total.to_bytes(BLOCK)
