"""One connection through device, driver, TCP and kTLS, on a schedule: which frame comes when.

Nothing here is random: a `Plan` says it all. `Path` is the way from the peer's records to what the
program read, and keeps what a test wants to know of it.
"""

from __future__ import annotations

import struct
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from host import ktls, tcp
from host.crypto_info import CipherType, CryptoInfo, Version
from host.device_model import ModelDevice
from host.driver import Driver
from host.ktls import Kind, Message
from host.packet import Flow
from host.regs import Answer, Direction, Reason
from host.resync import ResyncType, RxResync
from host.tests.wire import ACK, DATA, SERVER, Tcp, Writer

FLOW = Flow(b"\x0a\0\0\x01", 50000, b"\x0a\0\0\x02", 443)


@dataclass(frozen=True)
class Setting:
    """What is chosen for a connection before it starts."""

    version: Version = Version.TLS_1_3
    key_size: int = 16
    resync: ResyncType = ResyncType.DRIVER_REQ
    self_confirm: bool = False
    avoid_partials: bool = False
    seq: int = 1000
    number: int = 0


def keys(setting: Setting) -> tuple[Writer, CryptoInfo]:
    """The peer's keys, and the host's of them."""
    key = bytes(range(7, 7 + setting.key_size))
    iv = bytes(range(90, 94 if setting.version is Version.TLS_1_2 else 102))
    cipher = CipherType.AES_GCM_128 if setting.key_size == 16 else CipherType.AES_GCM_256
    number = setting.number.to_bytes(8)
    info = CryptoInfo(setting.version, cipher, iv[4:] or bytes(8), key, iv[:4], number)
    return Writer(setting.version, key, iv, setting.number), info


def look_alikes(writer: Writer, size: int, at: int, stride: int) -> bytes:
    """Data whose ciphertext is full of headers that lead from one to the next.

    They are where the stream's bytes, counted from anywhere, are multiples of `stride`; the record
    starts at byte `at` of it.
    """
    prefix = 13 if writer.version == 0x0303 else 5
    header = struct.pack(">BHH", DATA, 0x0303, stride - 5)
    pattern = header + bytes(n & 0xFF for n in range(stride - 5))
    shift = (at + prefix) % stride
    wanted = (pattern * (size // stride + 2))[shift : shift + size]
    number = writer.number.to_bytes(8)
    if writer.version == 0x0303:
        nonce = writer.iv + bytes(b ^ 0x5A for b in number)
    else:
        nonce = bytes(a ^ b for a, b in zip(writer.iv, bytes(4) + number, strict=True))
    stream = AESGCM(writer.key).encrypt(nonce, bytes(size), b"")[:size]
    return bytes(a ^ b for a, b in zip(stream, wanted, strict=True))


@dataclass
class Late:
    """Stands between stack and driver: answers come late, or never, or again.

    Attributes:
        delays: of each answer in turn, in frames; None is never. Afterwards none is late.
        told: all that the stack said.
    """

    driver: Driver
    delays: deque[int | None] = field(default_factory=deque)
    told: list[tuple[int, int]] = field(default_factory=list)
    waiting: list[tuple[int, int, int, int]] = field(default_factory=list)
    context: int = -1

    def tls_dev_add(
        self, flow: Flow, direction: Direction, info: CryptoInfo, seq: int, resync: RxResync
    ) -> int:
        """The driver's."""
        self.context = self.driver.tls_dev_add(flow, direction, info, seq, resync)
        return self.context

    def tls_dev_del(self, context: int, direction: Direction) -> None:
        """The driver's."""
        self.driver.tls_dev_del(context, direction)
        self.waiting.clear()

    def tls_dev_resync(self, context: int, direction: Direction, seq: int, number: int) -> None:
        """The driver's, later."""
        self.told.append((seq, number))
        delay = self.delays.popleft() if self.delays else 0
        if delay is not None:
            self.waiting.append((delay, context, seq, number))
            self.frame(0)

    def frame(self, count: int = 1) -> None:
        """So many frames came meanwhile."""
        waiting, self.waiting = self.waiting, []
        for delay, context, seq, number in waiting:
            if delay > count:
                self.waiting.append((delay - count, context, seq, number))
            else:
                self.driver.tls_dev_resync(context, Direction.RX, seq, number)

    def wrong(self, seq: int) -> None:
        """The device is told a wrong number for the record there, and that none is."""
        seq &= tcp.MASK
        for answer in Answer:
            assert self.driver._resync_rx(self.context, answer, seq, 12345) is Reason.STALE

    def again(self) -> None:
        """What was said last is said again, to the device itself."""
        if self.told and self.driver.resync is not ResyncType.DRIVER_REQ:
            self.driver._resync_rx(self.context, Answer.ACCEPT, *self.told[-1])
        elif self.told:
            seq, number = self.told[-1]
            self.driver._resync_rx(self.context, Answer.ACCEPT, seq - 4 & tcp.MASK, number)


class Path:
    """A connection that the device has from its first byte on."""

    def __init__(self, setting: Setting, delays: Sequence[int | None] = ()) -> None:
        self.setting = setting
        self.writer, info = keys(setting)
        self.info = info
        self.device = ModelDevice()
        self.driver = Driver(
            self.device,
            setting.resync,
            self_confirm=setting.self_confirm,
            avoid_partials=setting.avoid_partials,
        )
        self.late = Late(self.driver, deque(delays))
        self.mib: Counter[str] = Counter()
        self.ktls = ktls.Receiver(info, setting.seq, self.mib)
        self.tcp = tcp.Receiver(setting.seq)
        assert self.ktls.offload(self.late, FLOW)
        self.stream = b""
        self.read: list[Message] = []
        self.error = 0
        self.now = 0

    def record(self, kind: int, data: bytes) -> tuple[int, int]:
        """The peer's next record: where in the stream it starts and ends."""
        return self.send(self.writer.record(kind, data))

    def send(self, data: bytes) -> tuple[int, int]:
        """The peer's next bytes: where in the stream they start and end."""
        start = len(self.stream)
        self.stream += data
        return start, len(self.stream)

    def frame(self, start: int, end: int) -> bytes:
        """A frame with these bytes of the stream."""
        seq = self.setting.seq + start & tcp.MASK
        return Tcp().frame(SERVER, seq, ACK, self.stream[start:end])

    def receive(self, *spans: tuple[int, int]) -> list[bool]:
        """Frames with these bytes come with one interrupt; whether each was decrypted."""
        frames = [self.frame(*span) for span in spans]
        marks = []
        received = self.driver.receive(frames, self.now)
        for got, frame, (start, end) in zip(received, frames, spans, strict=True):
            assert got.decrypted or got.data == frame
            assert len(got.data) == len(frame)
            marks.append(got.decrypted)
            self.late.frame()
            self.deliver(start, got.data[len(frame) - (end - start) :], got.decrypted)
        return marks

    def around(self, start: int, end: int) -> None:
        """Bytes come past the device: as fragments, or by another interface."""
        self.deliver(start, self.stream[start:end], False)

    def deliver(self, start: int, payload: bytes, decrypted: bool) -> None:
        """To TCP, kTLS and the program, who reads all there is."""
        seq = self.setting.seq + start & tcp.MASK
        self.ktls.receive(self.tcp.receive(seq, payload, decrypted))
        read, error = read_all(self.ktls)
        self.read += read
        self.error = self.error or error

    @property
    def records(self) -> tuple[int, int, int]:
        """Decrypted, mixed, encrypted."""
        decrypted, mixed, encrypted = (self.ktls.records[kind] for kind in Kind)
        return decrypted, mixed, encrypted


def read_all(receiver: ktls.Receiver) -> tuple[list[Message], int]:
    """What can be read, and the error that ends it."""
    messages = []
    try:
        while (message := receiver.recv()) is not None:
            messages.append(message)
    except OSError as error:
        return messages, error.errno or 0
    return messages, 0


def in_software(path: Path) -> tuple[list[Message], int]:
    """What a stack without a device reads of all the peer sent."""
    receiver = ktls.Receiver(path.info, path.setting.seq, Counter())
    receiver.receive([tcp.Chunk(path.stream, decrypted=False)])
    return read_all(receiver)


def joined(messages: Sequence[Message]) -> list[Message]:
    """Data that was read in parts, as one; nothing was read where there was none."""
    out: list[Message] = []
    for message in messages:
        if message.type == DATA and out and out[-1].type == DATA:
            out[-1] = Message(DATA, out[-1].data + message.data)
        elif message != Message(DATA, b""):
            out.append(message)
    return out
