"""Any schedule of frames and answers: software reads the same, and the device comes back.

The properties, for whatever is lost, late, repeated, cut another way or kept from the device, with
answers that are late, missing or said again, and payloads full of header look-alikes:

- what the program reads (bytes, types, errors) is what a stack without a device reads;
- if the peer keeps sending, the device decrypts again within a bound that depends on the mode;
- no record is decrypted with a wrong number, which would show as a tag that is wrong.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle
from typing import Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from host.crypto_info import Version
from host.driver_resync import PATIENCE_BYTES, PATIENCE_TIME
from host.resync import ResyncType
from host.tests.schedule import Path, Setting, in_software, joined, look_alikes
from host.tests.wire import ALERT, DATA, HANDSHAKE

RECORDS: Final = 12  # at most, and two, before the peer just keeps sending
STEP: Final = PATIENCE_TIME // 20  # between frames, then
MSS: Final = 1448
LAST: Final = 2 * MSS - 40  # bytes of a record, then: two frames each

# Records that the device may leave encrypted then. It waits for a header that will not come, up to
# the length of the longest record. A request whose answer was lost has to be rejected: frames until
# both limits are exceeded. Then a header is found, another if it asks only about two, and answered.
_WAITING: Final = 16413 // MSS // 2 + 1
_REJECTED: Final = max(PATIENCE_BYTES // MSS, PATIENCE_TIME // STEP) // 2 + 1


def bound(kind: ResyncType, silent: int) -> int:
    """Of these records, when so many answers are lost."""
    if kind is ResyncType.CORE_NEXT_HINT:
        return (33, 65)[silent]  # the second and third point behind RECORDS at which one is given
    return _WAITING + (1 + silent) * (_REJECTED + 4)


@dataclass(frozen=True)
class Fate:
    """What happens to a segment; `by` is how many others come before it does."""

    kind: str
    by: int = 0


@dataclass(frozen=True)
class Plan:
    """All that is to happen. What has fewer entries than there are things is gone through again.

    Attributes:
        records: type and size of each.
        stride: of header look-alikes in the data; 0 for none.
        broken: record and byte, in 256ths of it, that the peer gets wrong; None for none.
        segments: sizes.
        fates: of each segment.
        batches: frames of an interrupt.
        steps: time between interrupts, in nanoseconds.
        again: after which interrupts an answer is said again.
        delays: of answers.
        beyond: the device is passed by for longer than it waits for a header, at last.
        silent: answers that are lost when nothing else is any more.
    """

    setting: Setting
    records: list[tuple[int, int]]
    stride: int
    broken: tuple[int, int] | None
    segments: list[int]
    fates: list[Fate]
    batches: list[int]
    steps: list[int]
    again: list[bool]
    delays: list[int | None]
    beyond: bool
    silent: int


def plans(resync: ResyncType, self_confirm: bool) -> st.SearchStrategy[Plan]:
    setting = st.builds(
        Setting,
        version=st.sampled_from(Version),
        key_size=st.sampled_from([16, 32]),
        resync=st.just(resync),
        self_confirm=st.just(self_confirm),
        avoid_partials=st.booleans(),
        seq=st.sampled_from([1000, 0x7FFF_F000, 0xFFFF_F000]),
        number=st.sampled_from([0, 0xFFFF_FFFE]),
    )
    kinds = st.sampled_from([DATA] * 6 + [ALERT, HANDSHAKE])
    sizes = st.sampled_from([0, 1, 20, 300, 3000, 9000, 16384])
    fates = st.builds(
        Fate,
        st.sampled_from(["in time", "in time", "in time", "late", "twice", "again", "around"]),
        st.integers(0, 40),
    )
    broken = st.tuples(st.integers(0, RECORDS - 1), st.integers(0, 255))
    return st.builds(
        Plan,
        setting=setting,
        records=st.lists(st.tuples(kinds, sizes), min_size=1, max_size=RECORDS),
        stride=st.sampled_from([0, 0, 40, 64, 1009]),
        broken=st.integers(0, 5).flatmap(lambda n: st.none() if n else broken),
        segments=st.lists(st.sampled_from([4, 60, 536, 1448, 1448, 9000]), min_size=1, max_size=9),
        fates=st.lists(fates, min_size=1, max_size=30),
        batches=st.lists(st.sampled_from([1, 1, 2, 9]), min_size=1, max_size=5),
        steps=st.lists(st.sampled_from([0, STEP, 9 * STEP]), min_size=1, max_size=5),
        again=st.lists(st.booleans(), min_size=1, max_size=5),
        delays=st.lists(st.none() | st.integers(0, 9), max_size=9),
        beyond=st.booleans(),
        silent=st.sampled_from([0, 1]),
    )


def sent(path: Path, plan: Plan) -> None:
    """The peer's records."""
    for n, (kind, size) in enumerate(plan.records):
        data = bytes(n + i & 0xFF for i in range(size))
        if plan.stride and kind == DATA:  # in a handshake record it could be a KeyUpdate
            data = look_alikes(path.writer, size, len(path.stream), plan.stride)
        record = bytearray(path.writer.record(kind, data))
        if plan.broken and plan.broken[0] == n:
            record[len(record) * plan.broken[1] // 256] ^= 0x41
        path.send(bytes(record))


def arrivals(total: int, plan: Plan) -> list[tuple[int, int, bool]]:
    """Spans of the stream in the order in which they come, and whether past the device.

    Segments are cut smaller than four bytes nowhere, and so that there are not too many.
    """
    order, at = list[tuple[float, int, int, bool]](), 0
    least = total // 200
    for n, (size, fate) in enumerate(zip(cycle(plan.segments), cycle(plan.fates), strict=False)):
        if at == total:
            break
        end = min(at + max(size, least), total)
        late = n + fate.by + 0.5
        match fate.kind:
            case "in time":
                order.append((n, at, end, False))
            case "late":
                order.append((late, at, end, False))
            case "twice":
                order += [(n, at, end, False), (late, at, end, False)]
            case "again":  # lost, and sent again together with some of its neighbours
                order.append((late, max(at - 37, 0), min(end + 53, total), False))
            case "around":
                order.append((n, at, end, True))
        at = end
    return [(start, end, around) for _, start, end, around in sorted(order)]


def interrupts(plan: Plan, total: int) -> Iterator[list[tuple[int, int, bool]]]:
    """What comes together: frames, or one span past the device."""
    sizes, batch = cycle(plan.batches), list[tuple[int, int, bool]]()
    size = next(sizes)
    for each in arrivals(total, plan):
        if batch and (each[2] or batch[-1][2] or len(batch) >= size):
            yield batch
            batch, size = [], next(sizes)
        batch.append(each)
    yield batch


def run(plan: Plan) -> None:
    path = Path(plan.setting, plan.delays)
    sent(path, plan)
    steps, again = cycle(plan.steps), cycle(plan.again)
    for batch in interrupts(plan, len(path.stream)):
        path.now += next(steps)
        spans = [(start, end) for start, end, _ in batch]
        if batch[0][2]:
            path.around(*spans[0])
        else:
            path.receive(*spans)
        if next(again):
            path.late.again()
    if plan.beyond:
        for _ in range(2):
            path.around(*path.record(DATA, bytes(9000)))
    if not plan.broken:
        came_back(path, plan.silent)
    wanted, error = in_software(path)
    assert (joined(path.read), path.error) == (joined(wanted), error)
    if not plan.broken:
        assert error == 0
        assert path.mib["TlsDecryptError"] == 0
        assert path.driver.stats()["rx_tls_err"] == 0


def came_back(path: Path, silent: int) -> None:
    """The peer goes on, and nothing goes wrong any more but that answers are lost."""
    path.late.delays = deque([None] * silent)
    path.late.frame(99)
    limit = bound(path.setting.resync, silent)
    assert any(keep_sending(path) for _ in range(limit + 1)), f"encrypted for {limit} records"
    for _ in range(3):
        path.late.again()  # and now it does nothing
        path.late.wrong(path.setting.seq + len(path.stream))
        assert keep_sending(path)


def keep_sending(path: Path) -> bool:
    """A record in order; whether the device decrypted all of it."""
    before = path.records
    start, end = path.record(DATA, bytes(LAST))
    for at in range(start, end, MSS):
        path.now += STEP
        path.receive((at, min(at + MSS, end)))
    assert sum(path.records) == sum(before) + 1
    return path.records[0] > before[0]


MODES = [(kind, own) for kind in ResyncType for own in (False, True)]
IDS = [f"{kind.name}-{'self-confirm' if own else 'host'}" for kind, own in MODES]


def check(resync: ResyncType, self_confirm: bool, examples: int, random: bool) -> None:
    @settings(
        max_examples=examples,
        derandomize=not random,
        database=None,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(plans(resync, self_confirm))
    def schedule(plan: Plan) -> None:
        run(plan)

    schedule()


@pytest.mark.parametrize(("resync", "self_confirm"), MODES, ids=IDS)
def test_any_schedule(resync: ResyncType, self_confirm: bool) -> None:
    check(resync, self_confirm, examples=60, random=False)


@pytest.mark.regress
@pytest.mark.parametrize(("resync", "self_confirm"), MODES, ids=IDS)
def test_any_schedule_at_length(resync: ResyncType, self_confirm: bool) -> None:
    check(resync, self_confirm, examples=1500, random=True)
