"""Stack, driver and a device on a path that loses frames: the peer reads what was written."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from host.crypto_info import Version
from host.device import Device
from host.device_model import ModelDevice
from host.driver import Driver
from host.driver_tx import OutOfOrder, Skb
from host.ktls_send import MsgFlags, Sender
from host.packet import Flow, parse
from host.record import Opener, inner, record_size
from host.tcp import MASK, Receiver, distance
from host.tests.sending import V4, keys
from host.tests.wire import ACK, CLIENT, Tcp

FLOW = Flow(V4[0], 50000, V4[1], 443)
MSS = 400


class Path:
    """A connection whose frames are lost now and then; the peer acknowledges what it has.

    Attributes:
        wire: by sequence number, every byte that left.
        loss: of frames, behind the device.
        early: of frames, in front of the driver.
    """

    def __init__(self, version: Version, way: OutOfOrder, seed: str, device: Device) -> None:
        self.random = Random(seed)
        self.seq = 0xFFFF_F000
        self.tcp = Tcp(V4)
        self.driver = Driver(device, out_of_order=way)
        _, self.info = keys(version, 16)
        self.sender = Sender(self.info, self.seq, Counter())
        self.receiver = Receiver(self.seq)
        self.stream = b""
        self.wire: dict[int, int] = {}
        self.loss = self.early = 0.0
        assert self.sender.offload(self.driver, FLOW)

    def skb(self, seq: int, size: int) -> Skb:
        """A frame of what TCP holds there."""
        piece = self.sender.segment(seq, size)
        assert piece
        frame = self.tcp.frame(CLIENT, seq, ACK, piece.data)
        return Skb(frame, self.sender.context, piece.marked)

    def new(self) -> list[Skb]:
        """Frames of what was not sent yet."""
        skbs = []
        for piece in self.sender.take_stream():
            for at in range(0, len(piece.data), MSS):
                skbs.append(self.skb(piece.seq + at & MASK, min(MSS, len(piece.data) - at)))
        return skbs

    def again(self) -> list[Skb]:
        """Some of what is not acknowledged, cut anew."""
        held = distance(self.sender.tcp.next, self.receiver.next)
        skbs = [self.skb(self.receiver.next, self.random.randrange(1, MSS))] if held else []
        for _ in range(self.random.randrange(4) * bool(held)):
            at = self.random.randrange(held)
            skbs.append(self.skb(self.receiver.next + at & MASK, self.random.randrange(1, MSS)))
        return skbs

    def transmit(self, skbs: list[Skb]) -> None:
        """Frames to the peer, and its acknowledgement."""
        skbs = [skb for skb in skbs if self.random.random() >= self.early]
        for frame in self.driver.transmit(skbs):
            packet = parse(frame)
            assert packet
            assert packet.segment
            assert packet.segment.good
            payload = frame[packet.segment.start : packet.segment.end]
            for at, byte in enumerate(payload):
                assert self.wire.setdefault(packet.segment.seq + at & MASK, byte) == byte
            if self.random.random() >= self.loss:
                chunks = self.receiver.receive(packet.segment.seq, payload, False)
                self.stream += b"".join(chunk.data for chunk in chunks)
        self.sender.acked(self.receiver.next)

    def settle(self) -> None:
        """Until all is acknowledged."""
        for _ in range(10_000):
            if self.receiver.next == self.sender.tcp.next:
                return
            self.transmit(self.again())
        raise AssertionError("it does not come to an end")

    def read(self) -> bytes:
        """What the peer's program reads."""
        opener, at, data = Opener(self.info), 0, b""
        while at < len(self.stream):
            size = record_size(self.info.version, self.stream[at:])
            assert size
            text = opener.open(self.stream[at : at + size])
            if self.info.version is Version.TLS_1_3:
                found = inner(text)
                assert found
                text = found[1]
            data += text
            opener.number += 1
            at += size
        return data


def written_and_read(path: Path) -> None:
    """Writes on a path that loses frames; all is read, and the device has the last of it."""
    random, written = path.random, b""
    path.loss, path.early = 0.2, 0.05
    for _ in range(40):
        data = random.randbytes(random.choice([0, 1, 100, 2000, 5000]))
        path.sender.send(data, random.choice([MsgFlags.NONE, MsgFlags.MORE]))
        written += data
        path.transmit(path.new())
        if random.random() < 0.8:
            path.transmit(path.again())
    path.sender.send(b"")
    path.transmit(path.new())
    path.settle()
    path.loss = path.early = 0
    software = path.driver.stats()["tx_ooo_software"]
    for _ in range(3):  # at the latest with the second record the device has it again
        path.sender.send(bytes(3000))
        written += bytes(3000)
        path.transmit(path.new())
    path.settle()
    assert path.read() == written
    stats = path.driver.stats()
    assert stats["tx_ooo_software"] - software <= -(-3100 // MSS)
    dropped = {name: n for name, n in stats.items() if "drop" in name and n}
    assert dropped == {}
    path.sender.close()
    assert len(path.sender.records) == 0
    stats = path.driver.stats()
    assert (stats["tx_tls_ctx"], stats["tx_tls_del"]) == (1, 1)


@pytest.mark.parametrize("way", OutOfOrder)
@pytest.mark.parametrize("version", Version)
@pytest.mark.parametrize("seed", range(4))
def test_what_was_written_is_read(version: Version, way: OutOfOrder, seed: int) -> None:
    written_and_read(Path(version, way, f"{version} {way} {seed}", ModelDevice()))


def test_what_is_read_again_by_way() -> None:
    """The same losses: only a rebuild reads again, if all tags are known."""
    again = {}
    for way in OutOfOrder:
        path = Path(Version.TLS_1_3, way, "the same", ModelDevice())
        path.sender.send(bytes(200_000))
        path.loss = 0.02
        path.transmit(path.new())
        path.loss = 0
        while path.receiver.next != path.sender.tcp.next:
            path.transmit([path.skb(path.receiver.next, MSS)])
        stats = path.driver.stats()
        name = f"tx_ooo_{way.name.lower()}"
        assert stats[name] > 0
        again[way] = stats.get(f"{name}_bytes", 0) / stats[name]
        others = {f"tx_ooo_{other.name.lower()}" for other in OutOfOrder} - {name}
        assert {stats[other] for other in others} == {0}
    assert again[OutOfOrder.SEEK] == again[OutOfOrder.SOFTWARE] == 0
    assert again[OutOfOrder.REBUILD] > 1000


def test_no_device_no_plaintext() -> None:
    path = Path(Version.TLS_1_3, OutOfOrder.SEEK, "", ModelDevice())
    path.sender.send(bytes(1000))
    skbs = path.new()
    path.sender.device_down()
    assert path.driver.transmit(skbs) == []
    assert path.driver.stats()["tx_tls_drop_bypass_req"] == len(skbs)
    frames = [path.sender.validate(skb.frame, skb.decrypted, path.driver) for skb in skbs]
    path.transmit([Skb(frame, None, marked) for frame, marked in filter(None, frames)])
    assert path.read() == bytes(1000)
