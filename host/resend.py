"""What it costs the host to send again: bytes of records that the device reads a second time.

In: a point (how many segments are lost, the way in which they are sent again, sizes, a seed), and
a device. Out: how many were sent again, by which way, and what was read for them beside their own
bytes. The same point gives the same numbers. No I/O but the device's.

One stream goes through kTLS stack, driver and device, in segments as long as they can be. The
network behind the NIC loses some; they are sent again some segments later, and the peer
acknowledges what it has without a gap. Every segment that leaves is compared with what software
makes of the stream.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from random import Random
from typing import Final, NamedTuple

from host.device import Device
from host.driver import Driver
from host.driver_tx import OutOfOrder, Skb
from host.ktls_send import Sender
from host.packet import Flow, parse
from host.sweep_traffic import TEXT, Source, Stream, source, transmitted
from host.tcp import MASK

BATCH: Final = 32  # frames that the stack hands to the driver at a time
SEQ: Final = 0xFFFF_0000  # of the first byte: the numbers wrap early


class Published(NamedTuple):
    """Of a NIC that rebuilds: bytes read again an event, and percent of what its PCIe can carry."""

    bytes: int
    percent: float


SOURCE: Final = "Pismenny et al., ASPLOS 2021, figure 16 and artifact (ConnectX-6 Dx)"
SHORT: Final = "ConnectX-6 Dx, ASPLOS 2021"
PUBLISHED: Final = Published(15_800, 2.5)  # the latter at 5 % loss


@dataclass(frozen=True, slots=True)
class Point:
    """One measurement.

    Attributes:
        percent: of the segments sent that are lost.
        way: the best way to send one again.
        delay: segments that are sent before one is sent again.
        records: of the stream, 16 KiB each.
        seed: of keys, data and losses.
    """

    percent: float
    way: OutOfOrder
    delay: int
    records: int
    seed: int


@dataclass(frozen=True, slots=True)
class Result:
    """What came of it.

    Attributes:
        segments: that were sent, and `again` of them not for the first time.
        ways: how many of these went which way.
        reread: bytes of records that were read for them beside their own.
        payload: bytes that were sent.
        mismatches: segments that did not leave as software would have sent them.
    """

    point: Point
    segments: int
    again: int
    ways: dict[str, int]
    reread: int
    payload: int
    mismatches: int


def measure(point: Point, device: Device) -> Result:
    """Send the stream; all of it arrives in the end."""
    data = source(point.records, point.seed, False)
    stream = Stream(data, 0, SEQ)
    driver = Driver(device, out_of_order=point.way)
    sender = Sender(data.info, SEQ, Counter())
    here = stream.flow  # of who receives
    flow = Flow(here.remote, here.remote_port, here.local, here.local_port)
    if not sender.offload(driver, flow):
        raise ValueError(f"the device does not take the connection: {sender.refused}")
    for number in range(point.records):
        sender.send(data.text[number * TEXT : (number + 1) * TEXT])
        sender.take_stream()

    random = Random(f"resend {point.seed} {point.percent}")
    sent = transmitted(random, len(data.pieces), point.percent / 100, point.delay)
    arrived = bytearray(len(data.pieces))
    segments = again = payload = mismatches = acked = new = 0
    while batch := list(islice(sent, BATCH)):
        skbs = [_skb(sender, stream, data, segment) for segment, _ in batch]
        left = driver.transmit(skbs)
        mismatches += sum(
            frame != stream.frame(n) for frame, (n, _) in zip(left, batch, strict=False)
        ) + abs(len(left) - len(batch))
        for segment, arrives in batch:
            segments += 1
            again += segment < new
            new = max(new, segment + 1)
            payload += len(data.pieces[segment])
            arrived[segment] |= arrives
        acked = next((n for n in range(acked, len(arrived)) if not arrived[n]), len(arrived))
        sender.acked(SEQ + data.cuts[acked] & MASK)
    sender.close()
    stats = driver.stats()
    ways = {way.name.lower(): stats[f"tx_ooo_{way.name.lower()}"] for way in OutOfOrder}
    reread = stats["tx_ooo_rebuild_bytes"] + stats["tx_ooo_software_bytes"]
    return Result(point, segments, again, ways, reread, payload, mismatches)


def _skb(sender: Sender, stream: Stream, data: Source, segment: int) -> Skb:
    """The segment as TCP hands it down: what the stack holds there, in clear."""
    frame = stream.frame(segment)
    packet = parse(frame)
    assert packet
    assert packet.segment
    start, end = data.cuts[segment], data.cuts[segment + 1]
    piece = sender.segment(SEQ + start & MASK, end - start)
    assert piece
    return Skb(frame[: packet.segment.start] + piece.data, sender.context, piece.marked)


def rows(results: Sequence[Result]) -> Iterator[tuple[str, ...]]:
    """A table's: percent, way, sent again, by way, bytes read again an event, and in percent."""
    for each in results:
        an_event = each.reread / each.again if each.again else 0.0
        yield (
            f"{each.point.percent:g}",
            each.point.way.name.lower(),
            f"{each.again:,}",
            *(f"{each.ways[way]:,}" for way in ("seek", "rebuild", "software")),
            f"{an_event:,.0f}",
            f"{100 * each.reread / each.payload:.2f}",
        )
