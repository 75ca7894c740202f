"""model.lookup: the CRC against RFC 3720's vectors, the table against docs/receive.md, 6."""

from __future__ import annotations

import random
from dataclasses import dataclass

import pytest

from model.lookup import Flow, Table, crc32c
from model.regs import IpVersion, Reason

FLOW = Flow(IpVersion.IPV4, bytes([10, 0, 0, 2]) + bytes(12), b"\x0a\0\0\1" + bytes(12), 443, 5000)


def with_port(port: int) -> Flow:
    """A flow of its own for every port."""
    return FLOW._replace(remote_port=port)


def collides(flow: Flow, remote_addr: bytes) -> Flow:
    """The flow from another address that has the same fingerprint.

    The ports are the last 4 bytes that go into the CRC; what they must differ by is what the
    states before them differ by.
    """
    other = flow._replace(remote_addr=remote_addr)
    states = [crc32c(bytes([f.ip_version]) + f.local_addr + f.remote_addr) for f in (flow, other)]
    ports = flow.local_port.to_bytes(2) + flow.remote_port.to_bytes(2)
    moved = int.from_bytes(ports, "little") ^ states[0] ^ states[1]
    ports = moved.to_bytes(4, "little")
    return other._replace(
        local_port=int.from_bytes(ports[:2]), remote_port=int.from_bytes(ports[2:])
    )


@pytest.mark.parametrize(
    ("data", "crc"),
    [
        (b"123456789", 0xE3069283),
        (bytes(32), 0x8A9136AA),  # RFC 3720, B.4, and the next three
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
        (bytes(range(31, -1, -1)), 0x113FDB5C),
        (b"", 0),
    ],
)
def test_crc32c(data: bytes, crc: int) -> None:
    assert crc32c(data) == crc


def test_the_fingerprint_is_that_of_37_bytes_in_the_order_of_the_contract() -> None:
    local, remote = bytes(range(16)), bytes(range(100, 116))
    flow = Flow(IpVersion.IPV6, local, remote, 0x1234, 0x5678)
    assert flow.fingerprint == crc32c(b"\1" + local + remote + b"\x12\x34\x56\x78")
    assert FLOW.fingerprint == crc32c(
        b"\0\x0a\0\0\2" + bytes(12) + b"\x0a\0\0\1" + bytes(12) + b"\x01\xbb\x13\x88"
    )


def test_the_lowest_free_id() -> None:
    table = Table(4)
    for port in range(4):
        assert table.add(with_port(port)) == (Reason.OK, port)
    assert table.add(with_port(9)) == (Reason.NO_SPACE, 0)
    for connection in (3, 1):
        assert table.remove(connection) is Reason.OK
        assert table.remove(connection) is Reason.NO_CONNECTION
    assert table.add(with_port(9)) == (Reason.OK, 1)
    assert table.add(with_port(8)) == (Reason.OK, 3)
    assert [table.find(with_port(port)) for port in (0, 9, 2, 8, 1, 3)] == [0, 1, 2, 3, None, None]


def test_ids_that_the_device_does_not_have() -> None:
    table = Table(2)
    for connection in (0, 1, 2, 64, 0xFFFF):
        assert table.remove(connection) is Reason.NO_CONNECTION


def test_exists_comes_before_no_space() -> None:
    table = Table(1)
    assert table.add(FLOW) == (Reason.OK, 0)
    assert table.add(FLOW) == (Reason.EXISTS, 0)
    assert table.add(with_port(1)) == (Reason.NO_SPACE, 0)


@pytest.mark.parametrize(
    "other",
    [
        FLOW._replace(ip_version=IpVersion.IPV6),
        FLOW._replace(local_addr=b"\x0a\0\0\3" + bytes(12)),
        FLOW._replace(remote_addr=b"\x0a\0\0\2" + bytes(12)),
        FLOW._replace(local_port=444),
        FLOW._replace(remote_port=5001),
        Flow(
            FLOW.ip_version,
            FLOW.remote_addr,
            FLOW.local_addr,
            FLOW.remote_port,
            FLOW.local_port,
        ),
    ],
)
def test_every_field_counts(other: Flow) -> None:
    table = Table(2)
    table.add(FLOW)
    assert table.find(other) is None
    assert table.add(other) == (Reason.OK, 1)
    assert (table.find(FLOW), table.find(other)) == (0, 1)


def test_a_reversed_flow_is_that_of_the_other_end() -> None:
    assert FLOW.reversed == Flow(
        FLOW.ip_version, FLOW.remote_addr, FLOW.local_addr, FLOW.remote_port, FLOW.local_port
    )
    assert FLOW.reversed.reversed == FLOW


def test_two_connections_cannot_have_one_fingerprint() -> None:
    other = collides(FLOW, b"\x0a\0\0\7" + bytes(12))
    assert other != FLOW
    assert other.fingerprint == FLOW.fingerprint
    table = Table(4)
    assert table.add(FLOW) == (Reason.OK, 0)
    assert table.add(other) == (Reason.NO_SPACE, 0)
    assert table.find(other) is None
    assert table.add(FLOW) == (Reason.EXISTS, 0)
    table.remove(0)  # takes its fingerprint with it
    assert table.add(other) == (Reason.OK, 0)
    assert table.add(FLOW) == (Reason.NO_SPACE, 0)


@dataclass(slots=True)
class Naive:
    """The table as a list that is searched."""

    flows: list[Flow | None]

    def add(self, flow: Flow) -> tuple[Reason, int]:
        """As Table."""
        if flow in self.flows:
            return Reason.EXISTS, 0
        prints = [other.fingerprint for other in self.flows if other]
        if all(self.flows) or flow.fingerprint in prints:
            return Reason.NO_SPACE, 0
        free = next(n for n, other in enumerate(self.flows) if other is None)
        self.flows[free] = flow
        return Reason.OK, free


def test_random_commands_against_a_list() -> None:
    rng = random.Random(1)
    flows = [with_port(port) for port in range(12)]
    flows += [collides(flow, bytes([n]) * 16) for n, flow in enumerate(flows)]
    table, naive = Table(6), Naive([None] * 6)
    seen = set()
    for _ in range(3000):
        if rng.random() < 0.6:
            flow = rng.choice(flows)
            answer = table.add(flow)
            assert answer == naive.add(flow)
            seen.add(answer[0])
        else:
            connection = rng.randrange(8)
            had = connection < 6 and naive.flows[connection] is not None
            if had:
                naive.flows[connection] = None
            assert table.remove(connection) is (Reason.OK if had else Reason.NO_CONNECTION)
        for flow in flows:
            want = naive.flows.index(flow) if flow in naive.flows else None
            assert table.find(flow) == want
    assert seen == {Reason.OK, Reason.EXISTS, Reason.NO_SPACE}
