"""Any schedule of segments, ACKs and resyncs: the wire has what software alone would have sent.

The properties, for whatever is lost between stack and device, sent again cut another way, late,
acknowledged meanwhile or sent by another interface, with resyncs that fail and a device that goes
away, and each of the three ways for what is out of order:

- a byte that leaves depends on its place in the stream alone, and is what software sends there: no
  plaintext, no second ciphertext, and frame and checksum fit;
- what is not acknowledged can always be sent, and the device comes back if it may;
- the driver adds and deletes once, deletes when nothing can be sent again, and is not called then;
- records that are held are those that are not acknowledged to the end; at last there are none.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import cycle, islice
from typing import Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from host.crypto_info import Version
from host.driver_tx import OutOfOrder
from host.ktls_send import MsgFlags
from host.regs import TxDrop
from host.tcp import Piece
from host.tests.sending import V4, V6
from host.tests.tx_schedule import Path, Setting
from host.tests.wire import ACK, ALERT, DATA, FIN, HANDSHAKE

WAYS = [pytest.param(way, id=way.name) for way in OutOfOrder]
DATA_SIZES: Final = (0, 1, 20, 300, 1500, 5000, 16384, 20000)
SEGMENTS: Final = (1, 7, 60, 536, 1448, 9000)
MSS: Final = 1448
STEPS: Final = 60
BACK: Final = 3  # records behind which the device encrypts again: one asks, the next one tells


# -- every segment, at every place ---------------------------------------------------------------

PLACES = ("boundary", "header", "nonce", "text", "tag")


def place(path: Path, record: int, where: str) -> int | None:
    """A place in a record of the stream; None if it has none such. The boundary is its start."""
    start, end = ([path.setting.before, *path.ends])[record : record + 2]
    nonce = 9 if path.setting.version is Version.TLS_1_2 else None
    offset = {"boundary": 0, "header": 3, "nonce": nonce, "text": 40, "tag": end - start - 7}[where]
    return None if offset is None else start + offset


@pytest.mark.parametrize("known", [True, False], ids=["tags known", "tags not known"])
@pytest.mark.parametrize("version", Version)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("last", PLACES)
@pytest.mark.parametrize("first", PLACES)
def test_a_segment_is_sent_again_from_any_place_to_any_place(
    first: str, last: str, way: OutOfOrder, version: Version, known: bool
) -> None:
    """Within a record, and over two and three; the device goes on behind them."""
    for records in (0, 1, 2):
        path = Path(Setting(version=version, way=way, seq=0xFFFF_FFA0, before=10))
        for size in (60, 80, 100):
            path.send(bytes(range(size)))
        start, end = place(path, 0, first), place(path, records, last)
        if start is None or end is None or start >= end:
            continue
        if known:
            path.arrive(0, len(path.wire), 50)
        path.arrive(start, end, MSS)
        if known:
            assert path.driver.stats()[f"tx_ooo_{way.name.lower()}"] == 1
        path.arrive(start, end, 9)
        path.arrive(0, len(path.wire), MSS)
        for _ in range(BACK):
            encrypted = sends(path)
        assert encrypted
        nothing_was_dropped(path)


def nothing_was_dropped(path: Path) -> None:
    """The driver gives the device nothing that it cannot send, and refuses nothing itself."""
    stats = path.driver.stats()
    assert not any(stats[f"tx_drop_{reason.name.lower()}"] for reason in TxDrop if reason)
    assert stats["tx_tls_drop_no_sync_data"] == stats["tx_tls_drop_bypass_req"] == 0


# -- any schedule --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Step:
    """What happens next; `a` and `b` say how, from 0 to 255."""

    kind: str
    a: int
    b: int


@dataclass(frozen=True)
class Plan:
    """All that is to happen.

    Attributes:
        steps: gone through again until there were STEPS.
        down: the device goes away in front of this step; None for never.
        close: the program closes the socket there.
        failures: whether each resync in turn fails.
    """

    setting: Setting
    steps: list[Step]
    down: int | None
    close: int | None
    failures: list[bool]


KINDS: Final = (
    *("write",) * 5,
    *("send",) * 5,
    *("again",) * 5,
    *("lose",) * 2,
    *("keep",) * 3,
    "kept",
    *("ack",) * 4,
    "elsewhere",
    "empty",
)


def plans(way: OutOfOrder) -> st.SearchStrategy[Plan]:
    byte = st.integers(0, 255)
    setting = st.builds(
        Setting,
        version=st.sampled_from(Version),
        key_size=st.sampled_from([16, 32]),
        way=st.just(way),
        addresses=st.sampled_from([V4, V6]),
        seq=st.sampled_from([1000, 0x7FFF_F000, 0xFFFF_F000]),
        number=st.sampled_from([0, 0xFFFF_FFFE]),
        before=st.sampled_from([0, 1, 700]),
        ring=st.sampled_from([1024, 5, 2]),
    )
    return st.builds(
        Plan,
        setting=setting,
        steps=st.lists(
            st.builds(Step, st.sampled_from(KINDS), byte, byte), min_size=9, max_size=30
        ),
        down=st.sampled_from([None] * 9 + [7, 30, 55]),
        close=st.sampled_from([None] * 9 + [0, 9, 35, 58]),
        failures=st.lists(st.booleans(), max_size=5),
    )


def choice(among: tuple[int, ...], byte: int) -> int:
    return among[byte % len(among)]


def run(plan: Plan) -> None:
    path = Path(plan.setting)
    path.between.failures = deque(plan.failures)
    kept = list[Piece]()
    for n, step in enumerate(islice(cycle(plan.steps), STEPS)):
        if n == plan.down:
            path.down()
        if n == plan.close:
            path.close()
        do(path, step, kept)
    ends(path, plan)


def do(path: Path, step: Step, kept: list[Piece]) -> None:
    """One step; some need bytes that are not there, and do nothing then."""
    outstanding = path.sent - path.acked
    match step.kind:
        case "write" if not path.closed:
            data = bytes(step.b + n & 0xFF for n in range(choice(DATA_SIZES, step.a)))
            match step.b % 5:
                case 0:
                    path.send(data, MsgFlags.MORE)
                case 1:
                    path.send(data, record_type=(ALERT, HANDSHAKE, DATA)[step.b % 3])
                case _:
                    path.send(data)
        case "send" | "lose" | "keep":
            size = choice(SEGMENTS, step.a)
            end = min(path.sent + size * (1 + step.b % 6), len(path.wire))
            pieces = path.segments(path.sent, end, size)
            path.sent = end
            if step.kind == "send":
                path.transmit(pieces)
            elif step.kind == "keep":
                kept.extend(pieces)
        case "again" | "elsewhere" if outstanding:
            start = path.acked + outstanding * step.a // 256
            end = min(start + 1 + step.b * step.b // 4, path.sent)
            size = choice(SEGMENTS, step.a + step.b)
            least = (end - start) // 20
            pieces = path.segments(start, end, max(size, least, 1))
            path.transmit(pieces, elsewhere=step.kind == "elsewhere")
        case "kept":
            path.transmit(kept, elsewhere=step.a % 4 == 0)
            kept.clear()
        case "ack":
            path.acknowledge(path.acked + outstanding * step.a // 255)
        case "empty":
            seq = path.seq((path.sent, path.acked - 1)[step.a % 2])
            assert path.transmit([Piece(seq, b"", bool(step.b % 2))], flags=ACK | FIN) == 1


def ends(path: Path, plan: Plan) -> None:
    """Nothing goes wrong any more but resyncs: all gets there, and nothing is held."""
    path.arrive(path.acked, len(path.wire), MSS)
    down = path.sender.context is None
    if not path.closed:
        comes_back(path, down)
        path.close()
    path.acknowledge(len(path.wire))
    assert path.between.calls == {"add": 1, "del": 1}
    assert path.sender.tcp.held == len(path.sender.records) == 0
    stats = path.driver.stats()
    assert stats["tx_tls_ctx"] == stats["tx_tls_del"] == 1
    assert not any(stats[f"tx_drop_{reason.name.lower()}"] for reason in TxDrop if reason)
    assert stats["tx_tls_drop_bypass_req"] == 0


def comes_back(path: Path, down: bool) -> None:
    """The program goes on writing, and the device encrypts; or never again, if it went away."""
    for _ in range(BACK + len(path.between.failures)):
        encrypted = sends(path)
    assert encrypted != down
    assert sends(path) != down


def sends(path: Path) -> bool:
    """A record, in order; whether the device encrypted all of it."""
    before, start = path.driver.stats()["tx_tls_encrypted_bytes"], len(path.wire)
    path.send(bytes(2000))
    path.arrive(start, len(path.wire), MSS)
    return path.driver.stats()["tx_tls_encrypted_bytes"] - before == len(path.wire) - start


def check(way: OutOfOrder, examples: int, random: bool) -> None:
    @settings(
        max_examples=examples,
        derandomize=not random,
        database=None,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(plans(way))
    def schedule(plan: Plan) -> None:
        run(plan)

    schedule()


@pytest.mark.parametrize("way", WAYS)
def test_any_schedule(way: OutOfOrder) -> None:
    check(way, examples=100, random=False)


@pytest.mark.regress
@pytest.mark.parametrize("way", WAYS)
def test_any_schedule_at_length(way: OutOfOrder) -> None:
    check(way, examples=2000, random=True)
