"""The pictures of docs/resync.md, frame by frame: reordering that is harmless, and that is not.

The first two are those of the kernel's document (Documentation/networking/tls-offload.rst, "TLS
device offload", drop and reorder handling). Segments have 1,000 bytes, and numbers from 1.
"""

import pytest

from host.crypto_info import Version
from host.regs import RxPass
from host.resync import ResyncType
from host.tests.schedule import Path, Setting, in_software, joined
from host.tests.wire import DATA

SYNC, ASYNC, HINT = ResyncType.DRIVER_REQ, ResyncType.DRIVER_REQ_ASYNC, ResyncType.CORE_NEXT_HINT
SEGMENT = 1000


def path(setting: Setting, *sizes: int) -> Path:
    """A connection whose peer sent records of so many bytes on the wire."""
    made = Path(setting)
    overhead = 29 if setting.version is Version.TLS_1_2 else 22
    for n, size in enumerate(sizes):
        made.record(DATA, bytes([n]) * (size - overhead))
    return made


def segments(made: Path, *numbers: int) -> str:
    """These segments come one by one: D for each that is decrypted, - for each that passes."""
    marks = [made.receive((SEGMENT * (n - 1), SEGMENT * n)) for n in numbers]
    return "".join("D" if mark else "-" for (mark,) in marks)


def requests(made: Path) -> int:
    return made.driver.stats()["rx_tls_resync_req_pkt"]


def read_as_in_software(made: Path) -> bool:
    return (joined(made.read), made.error) == in_software(made)


@pytest.mark.parametrize("version", Version)
@pytest.mark.parametrize("avoid", [False, True])
def test_a_segment_without_a_header_comes_late(version: Version, avoid: bool) -> None:
    """The kernel's good case: its device passes 2 and 3, this one decrypts them all."""
    made = path(Setting(version, avoid_partials=avoid), 2500, 2500, 1000)
    assert segments(made, 1, 3, 4, 5, 2, 6) == "DDDDDD"
    assert made.records == (3, 0, 0)
    assert (made.ktls.resyncs, requests(made)) == (0, 0)
    assert read_as_in_software(made)


@pytest.mark.parametrize("version", Version)
@pytest.mark.parametrize("kind", ResyncType)
@pytest.mark.parametrize("own", [False, True])
def test_a_segment_with_a_header_comes_late(version: Version, kind: ResyncType, own: bool) -> None:
    """The kernel's bad case: its device is out of sync from 4 on, this one until 2 comes."""
    setting = Setting(version, resync=kind, self_confirm=own)
    made = path(setting, 1500, 1800, 2700, 1000)
    assert segments(made, 1, 3, 4, 5, 2, 6, 7) == "D---DDD"
    assert made.records == (2, 2, 0)
    assert (made.ktls.resyncs, requests(made)) == (0, 0)
    assert made.driver.stats()["rx_sync_lost"] == 0
    assert read_as_in_software(made)


def test_and_the_rest_of_its_records_may_be_left_to_software() -> None:
    made = path(Setting(avoid_partials=True), 1500, 1800, 2700, 1000)
    assert segments(made, 1, 3, 4, 5, 2, 6, 7) == "D---D-D"
    assert made.records == (2, 1, 1)
    assert read_as_in_software(made)


@pytest.mark.parametrize("version", Version)
def test_a_header_that_comes_so_late_that_the_device_asks(version: Version) -> None:
    """It asks beyond a longest record, but its own answer comes first, with the header."""
    made = path(Setting(version), 1500, 1500, *[2000] * 10)
    assert segments(made, 1, *range(3, 22)) == "D" + "-" * 19
    assert made.driver.stats()["rx_sync_lost"] == 1
    assert requests(made) == 1
    assert segments(made, 2, 22, 23) == "DDD"
    assert made.records == (2, 1, 9)
    assert made.driver.stats()["rx_tls_resync_discard"] == made.ktls.resyncs == 1
    assert made.driver.stats()["rx_tls_resync_res_ok"] == 0
    assert read_as_in_software(made)


# -- a header that the device never sees --------------------------------------------------------


def gone(setting: Setting, more: int) -> Path:
    """Records 1 to 9 pass the device by; so many others are behind them."""
    made = path(setting, *[2000] * (10 + more))
    assert segments(made, 1, 2) == "DD"
    for n in range(3, 21):
        made.around(SEGMENT * (n - 1), SEGMENT * n)
    assert made.records == (1, 0, 9)
    return made


@pytest.mark.parametrize("version", Version)
def test_the_stack_answers_the_driver(version: Version) -> None:
    made = gone(Setting(version, resync=SYNC), 2)
    assert segments(made, 21, 22, 23, 24) == "-DDD"
    assert made.records == (2, 1, 9)
    assert (made.ktls.resyncs, made.mib["TlsRxDeviceResync"], requests(made)) == (1, 1, 1)
    assert made.driver.stats()["rx_tls_resync_res_ok"] == 1
    assert read_as_in_software(made)


@pytest.mark.parametrize("version", Version)
def test_the_stack_answers_the_driver_in_two_steps(version: Version) -> None:
    """One record later: the second step comes with the next interrupt, the answer behind it."""
    made = gone(Setting(version, resync=ASYNC), 3)
    assert segments(made, 21, 22, 23, 24, 25, 26) == "---DDD"
    assert made.records == (2, 1, 10)
    assert (made.ktls.resyncs, requests(made)) == (1, 1)
    assert read_as_in_software(made)


@pytest.mark.parametrize("version", Version)
def test_the_stack_tells_by_itself(version: Version) -> None:
    """At the 17th encrypted record; when it did before, the device had not lost anything yet."""
    made = gone(Setting(version, resync=HINT), 9)
    assert segments(made, *range(21, 39)) == "-" * 16 + "DD"
    assert made.records == (2, 0, 17)
    assert made.ktls.resyncs == 4
    assert made.driver.stats()["rx_tls_resync_res_skip"] == 3
    assert read_as_in_software(made)


@pytest.mark.parametrize("version", Version)
@pytest.mark.parametrize("kind", ResyncType)
def test_the_device_confirms_by_itself(version: Version, kind: ResyncType) -> None:
    made = gone(Setting(version, resync=kind, self_confirm=True), 2)
    assert segments(made, 21, 22, 23, 24) == "--DD"
    assert made.records == (2, 0, 10)
    assert (made.ktls.resyncs, requests(made)) == (3 if kind is HINT else 0, 0)
    assert made.driver.stats()["rx_sync_self"] == 1
    assert read_as_in_software(made)


@pytest.mark.parametrize("kind", [SYNC, ASYNC, HINT])
def test_when_trials_are_used_up(kind: ResyncType) -> None:
    """More records pass the device by than it tries numbers: three trials fail, then it asks."""
    made = path(Setting(resync=kind, self_confirm=True), 2000, *[300] * 70, *[2000] * 60)
    assert segments(made, 1, 2) == "DD"
    for start in range(2000, 23_000, 300):
        made.around(start, start + 300)
    assert segments(made, *range(24, 144))[-2:] == "DD"


def test_the_reasons_are_said() -> None:
    made = path(Setting(), 1500, 1800, 2700)
    frames = [made.frame(SEGMENT * (n - 1), SEGMENT * n) for n in (1, 3, 4)]
    assert [got.reason for got in made.driver.receive(frames)] == [
        RxPass.NONE,
        RxPass.OUT_OF_SYNC,
        RxPass.OUT_OF_SYNC,
    ]
