"""The frames and records of `cocotb_tests.traffic` against scapy and `cryptography`."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from random import Random

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Dot1AD, Dot1Q, Ether

from cocotb_tests.harness import seed
from cocotb_tests.traffic import (
    PLAIN,
    Dress,
    Flow,
    Frames,
    Peer,
    Regime,
    Traffic,
    build,
    random_dress,
    random_flow,
)
from model.regs import TlsVersion


def rng_of(name: str) -> Random:
    return Random(f"{name}{seed()}")


@pytest.mark.parametrize("number", range(60))
def test_scapy_reads_what_was_built(number: int) -> None:
    """Addresses, ports, payload; and scapy makes the same checksums and lengths."""
    rng = rng_of(f"scapy {number}")
    flow, payload = random_flow(rng), rng.randbytes(rng.randrange(1500))
    seq = rng.getrandbits(32)
    dress = random_dress(rng) if number % 2 else PLAIN
    # random options and extension headers are not scapy's to take apart and make anew
    options = b"\1" * len(dress.options)
    dress = Dress(tags=dress.tags, flags=dress.flags, padding=dress.padding, options=options)
    built = build(flow, seq, payload, dress, number)
    read = Ether(built.frame)
    layer = read[IP] if flow.version == 0 else read[IPv6]
    assert (read.haslayer(Dot1Q) or read.haslayer(Dot1AD)) == bool(dress.tags)
    tcp = layer[TCP]
    assert (tcp.sport, tcp.dport, tcp.seq) == (flow.remote_port, flow.local_port, seq)
    assert int(tcp.flags) == dress.flags
    assert bytes(tcp.payload) == payload + dress.padding
    end = built.payload + len(payload)
    assert built.frame[end:] == dress.padding
    assert built.frame[built.payload : end] == payload
    assert built.frame[built.tcp : built.tcp + 2] == flow.remote_port.to_bytes(2)
    told = tcp.chksum
    raw = bytearray(built.frame[:end])
    raw[built.tcp + 16 : built.tcp + 18] = b"\0\0"
    if flow.version == 0:
        raw[built.ip + 10 : built.ip + 12] = b"\0\0"
    for each in (layer, tcp):
        each.chksum = None
    if flow.version == 0:
        layer.len = None
    else:
        layer.plen = None
    again = Ether(bytes(read))
    made = again[TCP].chksum
    assert made == told or {made, told} == {0, 0xFFFF}
    if flow.version == 0:
        assert bytes(again)[built.ip : built.ip + 20] == built.frame[built.ip : built.ip + 20]


def test_a_sum_of_zero_either_way() -> None:
    flow = Flow(bytes(4), b"\1\2\3\4", 1, 2)
    for total in (0, 0xFFFF):
        built = build(flow, 5, b"text", Dress(zero_sum=total))
        assert built.frame[built.tcp + 16 : built.tcp + 18] == total.to_bytes(2)
        tcp = Ether(built.frame)[TCP]
        tcp.chksum = None
        assert Ether(bytes(Ether(built.frame)))[TCP].chksum == total


@pytest.mark.parametrize("number", range(12))
def test_a_stream_is_records_that_open(number: int) -> None:
    """Cut in any way and put together again by place, it is records in order, numbers too."""
    rng = rng_of(f"stream {number}")
    peer = Peer(rng, random_flow(rng))
    if number % 2:
        peer.segment()
        peer.restart()
        peer.sent = 0  # not the rest of what was before
    peer.regime = Regime(
        rng.choice(("tiny", "small")),
        rng.choice(("bytes", "small", "heads", "thirds")),
        hold=0.2,
        repeat=0.1,
        go_back=0,
        mutate=0,
    )
    stream: dict[int, int] = {}
    while peer.sent < 30_000:  # more than a record
        _, place, data = peer.segment()
        for at, byte in enumerate(data, place):
            assert stream.setdefault(at, byte) == byte
    at, opened, authentic = 0, 0, 0
    gcm = AESGCM(peer.key)
    while all(n in stream for n in range(at, at + 5)):
        header = bytes(stream[n] for n in range(at, at + 5))
        total = 5 + int.from_bytes(header[3:])
        if not all(n in stream for n in range(at, at + total)):
            break
        body = bytes(stream[n] for n in range(at + 5, at + total))
        counted = ((peer.number + opened) % (1 << 64)).to_bytes(8)
        if peer.version is TlsVersion.TLS_1_2:
            nonce, aad = peer.iv[:4] + body[:8], counted + header[:3] + (total - 29).to_bytes(2)
            body = body[8:]
        else:
            mixed = zip(peer.iv, bytes(4) + counted, strict=True)
            nonce, aad = bytes(a ^ b for a, b in mixed), header
        with suppress(InvalidTag):
            gcm.decrypt(nonce, body, aad)
            authentic += 1
        opened += 1
        at += total
    assert opened
    assert authentic >= opened * 0.8  # one in a hundred is made wrong


def test_all_kinds_come_up() -> None:
    """Some are rare: in eight times as much traffic as is likely to have them."""
    kinds: Counter[str] = Counter()
    for number in range(64):
        if number >= 8 and len(kinds) >= 27:
            break
        made = Traffic(seed() + number)
        for _ in range(10):
            for step in made.burst(400):
                if isinstance(step, Frames):
                    assert len(step.frames) == len(step.notes)
                    assert all(step.frames)
                    kinds.update(note.kind for note in step.notes)
    assert len(kinds) >= 27, sorted(kinds)
