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
    RESYNCS,
    SEQ,
    Command,
    Dress,
    Flow,
    Frames,
    Peer,
    Regime,
    Resync,
    Traffic,
    build,
    random_dress,
    random_flow,
)
from model.regs import Answer, Direction, Opcode, TlsVersion
from model.rx_search import find_header


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
        decoy=rng.choice((0, 0.5, 1)),
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
        number = (peer.number + opened) % (1 << 64)
        assert peer.number_of((peer.seq + at) % SEQ) == number
        assert peer.number_of((peer.seq + at + 1) % SEQ) is None
        counted = number.to_bytes(8)
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


@pytest.mark.parametrize("number", range(20))
def test_decoys_are_headers_in_the_ciphertext(number: int) -> None:
    """Nothing else of the text is another; the sizes that a record may have are most."""
    rng = Random(number)  # always the same: what it brings up is certain
    peer = Peer(rng, random_flow(rng))
    found = 0
    for _ in range(20):
        text, keystream = rng.randbytes(300), rng.randbytes(316)
        made = peer._with_decoys(text, keystream)
        assert len(made) == 300
        wire = bytes(a ^ b for a, b in zip(made, keystream, strict=False))
        plain = bytes(a ^ b for a, b in zip(text, keystream, strict=False))
        at = 0
        while (at := find_header(wire, at, 295, TlsVersion.TLS_1_2)) < 295:
            found += 1
            at += 1
        changed = [n for n in range(300) if wire[n] != plain[n]]
        assert all(0x03 in wire[max(0, n - 4) : n + 3] for n in changed)
    assert found >= 10


def test_a_gap_is_left_out_and_what_is_behind_it_comes() -> None:
    rng = Random(1)
    sizes, filled = [], 0
    for _ in range(30):
        peer = Peer(rng, random_flow(rng))
        peer.regime = Regime("small", "small", gap=1, repeat=0, go_back=0, mutate=0)
        before = peer.sent
        kind, place, data = peer.segment()
        assert (kind, place + len(data)) == ("fresh", peer.sent)
        assert data == peer.bytes_at(place, peer.sent)
        sizes.append(place - before)
        peer.regime = Regime("small", "small", go_back=0, mutate=0)
        kinds = Counter(peer.segment()[0] for _ in range(200))
        assert set(kinds) <= {"fresh", "filled"}
        filled += kinds["filled"] > 0
    assert 0 < filled < 30
    assert min(sizes) < 8000
    assert max(sizes) > 16_413


def test_what_is_coming_and_what_is_gone() -> None:
    rng = rng_of("coming")
    for _ in range(20):
        peer = Peer(rng, random_flow(rng))
        for _ in range(rng.randrange(30)):
            peer.segment()
        seq, number = peer.coming()
        assert 0 < (seq - peer.seq - peer.sent) % SEQ < 1 << 20
        assert peer.number_of(seq) == number
        assert peer.number_of(peer.gone(5)) is not None
        assert peer.gone(10**6) == peer.seq  # the first


@pytest.mark.parametrize("kind", RESYNCS)
@pytest.mark.parametrize("real", [True, False])
def test_what_a_host_answers(kind: str, real: bool) -> None:
    """To a question about a record, and to one about what is none."""
    rng = rng_of(f"answer {kind}")
    made = Traffic(seed())
    for number in range(50):
        peer = Peer(rng, random_flow(rng))
        for _ in range(5):
            peer.segment()
        head = peer.gone(0)
        seq = head if real else (head + 1) % SEQ
        step = Resync(kind, 7, peer, peer.coming(), number)
        asked = [seq]
        command = made.answer(step, asked)
        assert command == made.answer(step, [seq]), "the seed is all that it depends on"
        assert isinstance(command, Command)
        assert asked in ([], [seq])
        assert command.opcode is Opcode.RESYNC_RX
        assert command.flow == peer.flow
        right = command.seq == seq and command.number == peer.number_of(head)
        accepts = command.answer == Answer.ACCEPT
        here = command.connection == 7 and command.direction == Direction.RX
        assert here == (kind != "other")
        match kind:
            case "true":
                assert (accepts and right) if real else (not accepts and command.seq == seq)
            case "reject":
                assert not accepts
                assert command.seq == seq
            case "wrong number" if real:
                assert accepts
                assert command.seq == seq
                assert not right
            case "believe" if not real:
                assert accepts
                assert command.seq == seq
            case "coming":
                assert accepts
                assert (command.seq, command.number) == step.coming
            case "astray":
                assert accepts
                assert 0 < (command.seq - step.coming[0]) % SEQ < 3000
            case "gone":
                assert accepts
                assert peer.number_of(command.seq) is not None
        nothing = made.answer(step, [])
        assert (nothing is None) == (kind not in ("coming", "astray", "gone", "other"))
