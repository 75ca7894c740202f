"""tls_tx_walk against model.tx_walk: streams of records, cut into frames anywhere.

The test plays lookup, commands, the buffer, and the takers of all that goes out. A frame carries
what comes next of its connection's stream, or what a context is for, or what is out of order.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import cocotb
from cocotb.triggers import RisingEdge

from cocotb_tests.harness import simulate
from cocotb_tests.peer import Stream, some_first
from cocotb_tests.streams import Gaps, Sink, Source, StreamRules, never, often, rng_of_test, start
from model.lookup import Flow
from model.parse import Segment
from model.record import HEADER, NUMBERS, PREFIX, SEQ, TAG
from model.regs import IpVersion, TlsVersion, TxDrop, TxKind
from model.tx import TxContext, as_told, sought
from model.tx_walk import Part, Place, walk

ID_W, ADDR_W, ALONG_W = 2, 15, 20
LONGEST = 9546  # bytes of payload: CAP_MAX_FRAME without headers
FRAME, INSERT, REMOVE, QUERY, RESYNC = range(5)  # tls_ops.vh
TEXT, TAG_BYTES, GIVEN, END, REMOVED = range(5)  # tls_tx_items.vh
SENT = ("op", "id", "kind", "reason", "addr", "offset", "bytes", "seq", "along")
PIECE = ("id", "addr", "bytes", "place", "version", "type", "number", "nonce", "len")
ITEM = ("kind", "id", "first", "last", "apart", "some", "seq", "addr", "from", "to")
FATE = ("kind", "reason", "keeps", "crypts", "offset", "bytes", "gaps", "along")
GAP = ("from", "to")
CRYPTS = (TxKind.ENCRYPT, TxKind.FEED)
ADDRESSES = Flow(IpVersion.IPV4, bytes(16), bytes(16), 0, 0)  # of no interest here
Fields = dict[str, int]


@dataclass
class Connection:
    """A connection of the test.

    Attributes:
        stream: what the host sends.
        number: of the stream's first record.
        place: what the device knows.
    """

    version: TlsVersion
    stream: Stream
    number: int
    place: Place

    def record(self, index: int) -> tuple[int, int]:
        """Where a record of the stream starts and ends."""
        marks = self.stream.marks
        while len(marks) <= 5 * index + 5:
            self.stream.grow()
        return marks[5 * index], marks[5 * index + 4]


class Bench:
    """Plays all neighbours; compares what goes out with what the model says."""

    def __init__(self, dut: Any, idle: Gaps = never, stall: Gaps = never) -> None:
        self.dut = dut
        self.rng = rng_of_test("frames")
        self.noise = rng_of_test("noise")
        self.edge = RisingEdge(dut.clk)
        self.words = Source(dut, "s", SENT, idle(rng_of_test("idle")))
        self.memory = bytearray(self.noise.randbytes(1 << ADDR_W))
        self.free = 0  # byte of it
        self.connections: dict[int, Connection] = {}
        self.seek: tuple[int, TxContext] | None = None
        self.wanted: dict[str, list[Fields]] = {}
        self.clocks: dict[str, list[int]] = {}
        self.commands: list[int] = []  # that are under way: one at most
        self.reasons: Counter[TxDrop] = Counter()
        self.clear()
        ports = {"piece": PIECE, "item": ITEM, "end": FATE, "given": ("tag",), "gap": GAP}
        for name, fields in ports.items():
            Sink(dut, f"m_{name}", fields, self._taker(name), stall(rng_of_test(name)))
        self.rules = [StreamRules(dut, "m_gap", GAP)]
        dut.hdr_data.value = 0
        self._new()
        cocotb.start_soon(self._memory())

    def clear(self) -> None:
        """Forget what is to come: for a reset."""
        self.words.clear()
        self.commands.clear()
        self.seek = None
        for name in ("piece", "item", "end", "given", "gap"):
            self.wanted[name], self.clocks[name] = [], []
        self.texts: list[int] = []  # clocks of items, by what comes with them
        self.ends: list[int] = []
        self.gives: list[int] = []

    def _taker(self, name: str) -> Any:
        def take(word: Fields, clock: int) -> None:
            assert self.wanted[name], f"{name}: one too many: {word}"
            want = self.wanted[name].pop(0)
            assert {field: word[field] for field in want} == want, f"{name}: {word}"
            self.clocks[name].append(clock)
            if name == "item":
                kinds = {TEXT: self.texts, END: self.ends, GIVEN: self.gives}
                kinds.get(word["kind"], []).append(clock)

        return take

    def _new(self, **given: int) -> None:
        """What a command tells; or noise, when there is none."""
        for name in ("new_version", "new_seq", "new_record"):
            signal = getattr(self.dut, name)
            signal.value = given.get(name, self.noise.getrandbits(len(signal)))

    async def _memory(self) -> None:
        """The buffer, two clocks after the address; and commands that were carried out."""
        dut = self.dut
        addr = 0
        while True:
            await self.edge
            data = (self.memory[addr : addr + 16] + self.memory[:16])[:16]
            dut.hdr_data.value = int.from_bytes(data, "little")
            if dut.rst.value != 0:
                continue
            addr = int(dut.hdr_addr.value) if dut.hdr_addr.value.is_resolvable else 0
            for name, op in (("inserted", INSERT), ("resynced", RESYNC)):
                if getattr(dut, name).value == 1:
                    assert self.commands == [op], name
                    self.commands.clear()
                    self._new()

    # ---- what is sent ----
    async def _offer(self, **given: int) -> None:
        while len(self.words.queue) > 1:  # the memory has room for these and the one at work
            await self.edge
        widths = self.words.signals.items()
        noise = {name: self.noise.getrandbits(len(signal)) for name, signal in widths}
        self.words.send(noise | given)

    def _put(self, data: bytes) -> int:
        """Write to the buffer; the address."""
        addr = self.free
        for n, byte in enumerate(data):
            self.memory[(addr + n) % (1 << ADDR_W)] = byte
        self.free = (addr + len(data) + self.rng.randrange(100)) % (1 << ADDR_W)
        return addr

    async def insert(self, number: int, version: TlsVersion | None = None) -> None:
        """A new connection, or another one in its place."""
        rng = self.rng
        if version is None:
            version = rng.choice([TlsVersion.TLS_1_2, TlsVersion.TLS_1_3])
        first = some_first(rng)
        record = rng.choice([0, rng.getrandbits(64), NUMBERS - 1 - rng.randrange(3)])
        stream = Stream(version, first, bytearray(), rng)
        self.connections[number] = Connection(version, stream, record, Place(first, record))
        await self._command(INSERT, number, first, record, version)

    async def resync(self, number: int, seq: int, record: int) -> None:
        """RESYNC_TX; the version in it says nothing."""
        self.connections[number].place = Place(seq, record)
        await self._command(RESYNC, number, seq, record, self.rng.getrandbits(1))

    async def _command(self, op: int, number: int, seq: int, record: int, version: int) -> None:
        while self.commands:
            await self.edge
        self.commands.append(op)
        self._new(new_version=version, new_seq=seq, new_record=record)
        await self._offer(op=op, id=number)

    async def remove(self, number: int) -> None:
        """A connection goes."""
        del self.connections[number]
        if self.seek and self.seek[0] == number:
            self.seek = None
        self.wanted["item"].append({"kind": REMOVED, "id": number})
        await self._offer(op=REMOVE, id=number)

    async def context(self, number: int, context: TxContext, reason: TxDrop = TxDrop.NONE) -> None:
        """A context, with noise where it is to be 0."""
        data = bytearray(context.pack())
        data[12] |= self.noise.randrange(64) << 2
        data[13:16], data[29:32] = self.noise.randbytes(3), self.noise.randbytes(3)
        if context.tag is None:
            data[32:] = self.noise.randbytes(TAG)
        self.seek = None
        if reason is TxDrop.NONE and context.seek:
            self.seek = number, TxContext.unpack(bytes(data))
        elif reason is TxDrop.NONE:
            self.connections[number].place = Place(context.seq, context.number)
        along = self.rng.getrandbits(ALONG_W)
        kind = int(TxKind.CONTEXT)
        fate = {"kind": kind, "reason": int(reason), "keeps": 0, "gaps": 0, "along": along}
        self._end(number, fate)
        await self._offer(
            op=FRAME,
            id=number,
            kind=kind,
            reason=int(reason),
            addr=self._put(bytes(data)),
            along=along,
        )

    async def frame(
        self, number: int, kind: TxKind, seq: int, payload: bytes, reason: TxDrop = TxDrop.NONE
    ) -> TxDrop:
        """A frame, with the reason that it has by now; what it has then."""
        seek, self.seek = self.seek, None
        word = {
            "id": number,
            "kind": int(kind),
            "reason": int(reason),
            "addr": self._put(payload),
            "offset": self.rng.randrange(54, 200),
            "bytes": len(payload),
            "seq": seq,
            "along": self.rng.getrandbits(ALONG_W),
        }
        context = seek[1] if seek and seek[0] == number else None
        gaps = 0
        walks = kind in CRYPTS and len(payload) > 0 and reason is TxDrop.NONE
        if walks:
            reason, gaps = self._walk(word, payload, context)
        keeps = walks and reason is TxDrop.NONE and context is None
        fate = {name: word[name] for name in ("kind", "along")}
        fate |= {"reason": int(reason), "keeps": int(keeps), "gaps": gaps}
        if kind in CRYPTS:
            fate |= {"crypts": int(len(payload) > 0), "offset": word["offset"]}
            fate |= {"bytes": len(payload)}
        self._end(number, fate)
        self.reasons[reason] += 1
        await self._offer(op=FRAME, **word)
        return reason

    def _end(self, number: int, fate: Fields) -> None:
        self.wanted["item"].append({"kind": END, "id": number})
        self.wanted["end"].append(fate)

    def _walk(self, word: Fields, payload: bytes, context: TxContext | None) -> tuple[TxDrop, int]:
        """What a payload makes: pieces, items, gaps; its reason, and how many gaps."""
        connection = self.connections[word["id"]]
        place = connection.place
        if context is not None:
            segment = Segment(ADDRESSES, word["seq"], 0, 0, word["offset"], len(payload))
            found = sought(connection.version, context, segment)
            if isinstance(found, TxDrop):
                return found, 0
            place = found
            prefix = context.prefix[: PREFIX[connection.version]]
            if not as_told(payload, place, prefix):
                self._gap(word, 0, min(len(payload), len(prefix) - len(place.before)))
                return TxDrop.BAD_RECORD, 1
        if place.next != word["seq"]:
            return TxDrop.OUT_OF_ORDER, 0
        walked = walk(connection.version, place, payload)
        gaps = len(self.wanted["gap"])
        reached, known = 0, len(place.before)
        for part in walked.parts:
            self._part(word, connection.version, part, context)
            reached, known = part.offset + part.last - part.first, 0
        if reached < len(payload):  # a prefix that is not whole, or not right
            rest = min(len(payload), reached + PREFIX[connection.version] - known)
            self._gap(word, reached, rest)
        gaps = len(self.wanted["gap"]) - gaps
        if walked.place is None:
            return TxDrop.BAD_RECORD, gaps
        if context is None:
            connection.place = walked.place
        return TxDrop.NONE, gaps

    def _gap(self, word: Fields, first: int, last: int) -> None:
        self.wanted["gap"].append({"from": word["offset"] + first, "to": word["offset"] + last})

    def _part(
        self, word: Fields, version: TlsVersion, part: Part, context: TxContext | None
    ) -> None:
        record, size, end = part.record, len(part.record.prefix), part.record.text_end
        item = {"id": word["id"], "seq": record.start}
        apart = context is not None and part.first > size
        if part.first < size:
            self._gap(word, part.offset, part.offset + size - part.first)
        if apart and part.last > end:
            assert context is not None
            assert context.tag is not None
            self.wanted["given"].append({"tag": int.from_bytes(context.tag, "little")})
            self.wanted["item"].append({"id": word["id"], "kind": GIVEN})
        first, last = max(part.first, size), min(part.last, end)
        begins = part.first < size or (context is not None and part.first == size)
        if first < last or (end == size and begins):
            nonce = record.number
            if version is TlsVersion.TLS_1_2:
                nonce = int.from_bytes(record.prefix[HEADER:])
            piece = {
                "id": word["id"],
                "addr": (word["addr"] + part.offset + first - part.first) % (1 << ADDR_W),
                "bytes": last - first,
                "place": first - size,
                "version": int(version),
                "type": record.prefix[0] - 20,
                "number": record.number,
                "nonce": nonce,
                "len": end - size,
            }
            self.wanted["piece"].append(piece)
            about = {"first": first == size, "last": last == end, "some": first < last}
            text = item | {name: int(value) for name, value in about.items()}
            self.wanted["item"].append(text | {"kind": TEXT, "apart": int(apart)})
        first = max(part.first, end)
        if first < part.last:
            place = word["addr"] + part.offset + end - part.first
            tag = {"addr": place % (1 << ADDR_W), "from": first - end, "to": part.last - end}
            self.wanted["item"].append(item | tag | {"kind": TAG_BYTES})

    # ---- what is sent at random ----
    def count(self, connection: Connection, place: int) -> int:
        """Bytes of a frame that starts there: any, or up to where something ends, or near it."""
        rng = self.rng
        marks = [mark - place for mark in connection.stream.marks[-60:]]
        near = [mark for mark in marks if 0 < mark < 500]
        kind = rng.random()
        if near and kind < 0.4:
            return max(rng.choice(near) + rng.choice([0, 0, 0, 1, -1]), 1)
        if kind < 0.42:
            return rng.randint(1, LONGEST)
        return rng.choice([rng.randint(1, 20), rng.randint(1, 100), rng.randint(1, 500)])

    def next_bytes(self, number: int) -> tuple[int, bytes]:
        """What comes next of a connection's stream: sequence number and bytes."""
        connection = self.connections[number]
        place = connection.stream.place_of(connection.place.next)
        connection.stream.bytes_at(place, 1)
        return connection.place.next, connection.stream.bytes_at(
            place, self.count(connection, place)
        )

    def about(self, number: int) -> tuple[TxContext, int, int]:
        """A context with all that is to be known of a record, and where that starts and ends."""
        rng, connection = self.rng, self.connections[number]
        connection.stream.bytes_at(0, 1)
        index = rng.randrange(len(connection.stream.marks) // 5)
        first, last = connection.record(index)
        return (
            TxContext(
                seq=(connection.stream.first + first) % SEQ,
                number=(connection.number + index) % NUMBERS,
                prefix=connection.stream.bytes_at(first, PREFIX[TlsVersion.TLS_1_2]),
                tag=rng.choice([None, rng.randbytes(TAG)]),
            ),
            first,
            last,
        )

    async def in_order(self, number: int) -> TxDrop:
        """The next frame of a connection; a bit of it is wrong now and then."""
        rng = self.rng
        seq, payload = self.next_bytes(number)
        if rng.random() < 0.08:
            other = bytearray(payload)
            other[rng.randrange(min(len(other), 30))] ^= 1 << rng.randrange(8)
            payload = bytes(other)
        return await self.frame(number, rng.choice(CRYPTS), seq, payload)

    async def no_order(self, number: int) -> TxDrop:
        """A frame that is not the next; by little, or by much."""
        rng = self.rng
        off = rng.choice([1, -1, 1 << rng.randrange(32), rng.randrange(1, SEQ)])
        seq, payload = self.next_bytes(number)
        return await self.frame(number, rng.choice(CRYPTS), (seq + off) % SEQ, payload)

    async def seeks(self, number: int) -> TxDrop:
        """A context with SEEK, and the frame that it is for; mostly both are right."""
        rng, connection = self.rng, self.connections[number]
        context, first, last = self.about(number)
        header = bytearray(context.prefix)
        seq = context.seq
        wrong = rng.random()
        if wrong < 0.15:
            header[rng.randrange(HEADER)] ^= 1 << rng.randrange(8)
        elif wrong < 0.25:
            seq = (seq + rng.choice([1, -1, 5, 1 << rng.randrange(32)])) % SEQ
        size, total = PREFIX[connection.version], last - first
        at = rng.choice(
            [0, 1, 4, 5, 6, size - 1, size, size, size + 1, total - TAG - 1, total - TAG,
             total - TAG + 1, total - 1, total, total + 1, rng.randrange(total)]
        )  # fmt: skip
        place = max(first + at, 0)
        made = TxContext(seq, context.number, True, bytes(header), context.tag)
        await self.context(number, made)
        payload = connection.stream.bytes_at(place, self.count(connection, place))
        between = rng.random()
        if between < 0.1:
            await self.no_frame()
        elif between < 0.2:
            await self.command(number)
        if number not in self.connections or connection is not self.connections[number]:
            return TxDrop.NO_CONNECTION
        seq = (connection.stream.first + place) % SEQ
        return await self.frame(number, rng.choice(CRYPTS), seq, payload)

    async def moves(self, number: int) -> None:
        """A context without SEEK, or a command: the next byte is that of a record, or of none."""
        rng = self.rng
        context, _, _ = self.about(number)
        seq = (context.seq + rng.choice([0, 0, 0, 0, 0, 1, -1])) % SEQ
        if rng.random() < 0.5:
            await self.resync(number, seq, context.number)
        else:
            await self.context(number, TxContext(seq, context.number, tag=context.tag))

    async def no_frame(self) -> None:
        """What is no business of the walk: plain, without payload, or dropped before."""
        rng = self.rng
        number = rng.randrange(1 << ID_W)
        payload = rng.randbytes(rng.choice([0, 1, 30]))
        seq = rng.getrandbits(32)
        before = (TxDrop.DISABLED, TxDrop.BAD_FRAME, TxDrop.NO_CONNECTION)
        kind = rng.random()
        if kind < 0.3:
            reason = rng.choice([TxDrop.NONE, TxDrop.BAD_FRAME])
            await self.frame(number, TxKind.PLAIN, seq, payload, reason)
        elif kind < 0.5:
            await self.frame(number, rng.choice(CRYPTS), seq, b"")
        elif kind < 0.8:
            await self.frame(number, rng.choice(CRYPTS), seq, payload, rng.choice(before))
        else:
            seek = rng.random() < 0.5
            await self.context(number, TxContext(seq, seq, seek), rng.choice(before))

    async def command(self, number: int) -> None:
        """Any; a connection that goes comes again."""
        if self.rng.random() < 0.5:
            await self.moves_by_command(number)
        else:
            if self.rng.random() < 0.5:
                await self.remove(number)
            await self.insert(number)

    async def moves_by_command(self, number: int) -> None:
        """RESYNC_TX to the start of a record."""
        context, _, _ = self.about(number)
        await self.resync(number, context.seq, context.number)

    async def some(self) -> None:
        """Frames and whatever else there is."""
        rng = self.rng
        number = rng.choice(list(self.connections))
        kind = rng.random()
        if kind < 0.6:
            for _ in range(rng.choice([1, 1, 4])):
                if await self.in_order(number) is TxDrop.BAD_RECORD and rng.random() < 0.5:
                    await self.moves(number)
        elif kind < 0.65:
            await self.no_order(number)
        elif kind < 0.82:
            await self.seeks(number)
        elif kind < 0.88:
            await self.moves(number)
        elif kind < 0.95:
            await self.no_frame()
        else:
            await self.command(number)

    async def begin(self) -> None:
        """Reset, and all connections."""
        await start(self.dut)
        for number in range(1 << ID_W):
            await self.insert(number)

    async def reset(self) -> None:
        """Reset; what was under way does not come."""
        self.dut.rst.value = 1
        self.words.clear()
        await self.edge
        self.clear()
        self.dut.rst.value = 0
        await self.edge

    async def done(self) -> None:
        """Wait for all that is to come, and whether more does."""
        for _ in range(3000):
            if not any(self.wanted.values()) and not self.words.queue and not self.commands:
                break
            await self.edge
        missing = {name: len(left) for name, left in self.wanted.items() if left}
        assert not missing, f"{missing} did not come"
        assert not self.words.queue
        assert not self.commands
        for _ in range(12):
            await self.edge
        clocks = self.clocks
        assert clocks["piece"] == self.texts, "a piece goes out with its item"
        assert clocks["end"] == self.ends, "and so does a frame's end"
        assert clocks["given"] == self.gives, "and a tag"
        for rule in self.rules:
            assert not rule.broken, rule.broken


# ---- tests ----
@cocotb.test(timeout_time=5, timeout_unit="ms")
@cocotb.parametrize(idle=[never, often], stall=[never, often])
async def frames_are_walked(dut: Any, idle: Gaps, stall: Gaps) -> None:
    """All there is, until each reason came up."""
    bench = Bench(dut, idle, stall)
    await bench.begin()
    rounds = 0
    while rounds < 100 or len(bench.reasons) < len(TxDrop):
        rounds += 1
        await bench.some()
    await bench.done()


@cocotb.test(timeout_time=2, timeout_unit="ms")
@cocotb.parametrize(version=[TlsVersion.TLS_1_2, TlsVersion.TLS_1_3])
async def a_stream_may_be_cut_anywhere(dut: Any, version: TlsVersion) -> None:
    """Two frames of a few small records, cut at every byte; by bytes, too."""
    bench = Bench(dut)
    rng = bench.rng
    await start(dut)
    await bench.insert(1, version)
    connection = bench.connections[1]
    for length in (0, 1, 17):
        head = b"\x17\3\3" + (PREFIX[version] - HEADER + length + TAG).to_bytes(2)
        record = head + rng.randbytes(PREFIX[version] - HEADER + length + TAG)
        cuts = [[cut] for cut in range(1, 2 * len(record))]
        for cut in (*cuts, list(range(1, 2 * len(record)))):
            for first, last in pairwise([0, *cut, 2 * len(record)]):
                payload = (record + record)[first:last]
                seq = connection.place.next
                assert await bench.frame(1, TxKind.ENCRYPT, seq, payload) is TxDrop.NONE
    await bench.done()


@cocotb.test(timeout_time=2, timeout_unit="ms")
@cocotb.parametrize(version=[TlsVersion.TLS_1_2, TlsVersion.TLS_1_3])
async def a_frame_may_seek_anywhere(dut: Any, version: TlsVersion) -> None:
    """To every byte of a record, with and without its tag; the connection is where it was."""
    bench = Bench(dut)
    rng = bench.rng
    await start(dut)
    await bench.insert(2, version)
    stream = bench.connections[2].stream
    for length in (0, 1, 20):
        size = PREFIX[version] - HEADER + length + TAG
        record = b"\x17\3\3" + size.to_bytes(2) + rng.randbytes(size)
        for at in range(len(record) + 2):
            first = rng.getrandbits(32)
            tag = rng.choice([None, rng.randbytes(TAG)])
            prefix = record[: PREFIX[version]]
            await bench.context(2, TxContext(first, rng.getrandbits(64), True, prefix, tag))
            more = (record + record)[at:]
            payload = more[: rng.choice([1, len(record) - at, TAG, len(more)])]
            await bench.frame(2, TxKind.FEED, (first + at) % SEQ, payload or b"\x17")
        before = bench.connections[2].place
        payload = stream.bytes_at(stream.place_of(before.next), 40)
        assert await bench.frame(2, TxKind.ENCRYPT, before.next, payload) is TxDrop.NONE
    await bench.done()


async def again(bench: Bench) -> None:
    """Connection 0 is deleted, and another takes its id."""
    await bench.remove(0)
    await bench.insert(0)
    await bench.resync(0, 10, 1)


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def a_context_is_for_the_next_item_alone(dut: Any) -> None:
    """Whatever that is it ends a SEEK; but for a command."""
    bench = Bench(dut)
    await bench.begin()
    between = {
        "nothing": None,
        "the connection goes and comes": lambda: again(bench),
        "resync": lambda: bench.resync(0, 77, 7),
        "other connection": lambda: bench.resync(1, 77, 7),
        "insert": lambda: bench.insert(1),
        "plain": lambda: bench.frame(0, TxKind.PLAIN, 0, b"some"),
        "empty": lambda: bench.frame(0, TxKind.ENCRYPT, 0, b""),
        "another's": lambda: bench.frame(1, TxKind.ENCRYPT, 1, b"some"),
        "dropped": lambda: bench.frame(0, TxKind.FEED, 0, b"some", TxDrop.BAD_FRAME),
        "context": lambda: bench.context(1, TxContext(5, 5, True)),
        "bad context": lambda: bench.context(0, TxContext(5, 5, True), TxDrop.BAD_FRAME),
        "the one it is for": lambda: bench.frame(0, TxKind.FEED, 500, b"\x17"),
    }
    for name, act in between.items():
        await bench.resync(0, 10, 1)
        await bench.context(0, TxContext(500, 9, True, b"\x17\3\3\0\x20".ljust(13, b"\0")))
        if act is not None:
            await act()
        reason = await bench.frame(0, TxKind.ENCRYPT, 500, b"\x17")
        lives = name in ("nothing", "resync", "other connection", "insert")
        assert reason is (TxDrop.NONE if lives else TxDrop.OUT_OF_ORDER), name
    await bench.done()


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def a_dropped_frame_changes_nothing(dut: Any) -> None:
    """A bad header anywhere in it: what came before it in the frame is as if it were not."""
    bench = Bench(dut)
    rng = bench.rng
    await bench.begin()
    for _ in range(60):
        number = rng.randrange(1 << ID_W)
        connection = bench.connections[number]
        seq, payload = bench.next_bytes(number)
        before = connection.place
        # its own bytes, and then what no record starts with
        whole = walk(connection.version, before, payload)
        rest = whole.place.before if whole.place else b""
        bad = payload[: len(payload) - len(rest)] + b"\x17\3\3\xff\xff" if whole.parts else b""
        if len(rest) < HEADER and len(bad) > len(rest):
            reason = await bench.frame(number, TxKind.ENCRYPT, seq, bad)
            assert reason is TxDrop.BAD_RECORD
            assert connection.place == before
        assert await bench.frame(number, TxKind.ENCRYPT, seq, payload) is TxDrop.NONE
    await bench.done()


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def a_frame_takes_so_many_clocks(dut: Any) -> None:
    """Four, and three a record, fewer where it is not whole; more for one that seeks."""
    bench = Bench(dut)
    rng = bench.rng
    await start(dut)
    await bench.insert(0, TlsVersion.TLS_1_3)
    connection = bench.connections[0]
    record = b"\x17\3\3\0\x40" + rng.randbytes(64)  # 5, 48, 16
    runs = [
        (record, 3),
        (record * 2, 6),
        (record * 30, 90),
        (record[:5], 1),
        (record[5:9], 1),
        (record[9:] + record, 5),
        (record[:-3], 3),
        (record[-3:] + record, 5),
        (record[:3], 1),
        (record[3:5], 1),
        (record[5:], 2),
    ]
    for payload, _ in runs:
        reason = await bench.frame(0, TxKind.ENCRYPT, connection.place.next, payload)
        assert reason is TxDrop.NONE
    seeks = [(0, 5), (3, 5), (5, 2), (20, 2), (60, 1)]
    for at, _ in seeks:
        await bench.context(0, TxContext(9, 1, True, record[:5], bytes(TAG)))
        await bench.frame(0, TxKind.ENCRYPT, 9 + at, record[at:])
    for _ in range(2):
        await bench.frame(0, TxKind.ENCRYPT, 0, b"")
    await bench.done()
    clocks = [b - a for a, b in pairwise(bench.words.when[1:])]
    expected = [4 + count for _, count in runs]
    for _, count in seeks:
        expected += [6, 5 + count]
    assert clocks == [*expected, 3]


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def reset_forgets_the_frame(dut: Any) -> None:
    """At any clock of one."""
    bench = Bench(dut, never, often)
    rng = bench.rng
    await start(dut)
    for _ in range(20):
        for number in range(1 << ID_W):
            await bench.insert(number)
        for _ in range(3):
            await bench.some()
        for _ in range(rng.randrange(30)):
            await bench.edge
        await bench.reset()
        await bench.insert(0)
        for _ in range(4):
            await bench.in_order(0)
        await bench.done()
        bench.connections.clear()


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def reset_ends_a_seek(dut: Any) -> None:
    bench = Bench(dut)
    await bench.begin()
    for number in range(1 << ID_W):
        context, _, _ = bench.about(number)
        await bench.context(number, TxContext(context.seq, 1, True, context.prefix))
        await bench.done()
        await bench.reset()
        await bench.insert(number)
        seq, payload = bench.next_bytes(number)
        assert await bench.frame(number, TxKind.ENCRYPT, seq, payload) is TxDrop.NONE
        await bench.done()


def test_tls_tx_walk() -> None:
    parameters = {"ID_W": ID_W, "ADDR_W": ADDR_W, "ALONG_W": ALONG_W}
    simulate("tls_tx_walk", __name__, parameters)
