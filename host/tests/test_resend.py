"""`tlsnic resend`: each way reads again what it must, and a wrong device is found out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from host import cli, resend_cli
from host.device import Sent, TxDescriptor
from host.device_model import ModelDevice
from host.driver_tx import OutOfOrder
from host.resend import Point, measure
from host.sweep_traffic import RECORD, SEGMENT

SMALL = ("--percent", "5", "--records", "12")


def point(way: OutOfOrder, percent: float = 5) -> Point:
    return Point(percent, way, delay=20, records=24, seed=1)


class Spoiler(ModelDevice):
    """Spoils the last byte of every frame."""

    def send(self, items: Sequence[tuple[bytes, TxDescriptor]]) -> list[Sent]:
        """The same, but for that byte."""
        return [
            Sent(
                sent.frame and sent.frame[:-1] + bytes([sent.frame[-1] ^ 1]), sent.reason, sent.tags
            )
            for sent in super().send(items)
        ]


@pytest.mark.parametrize("way", OutOfOrder)
def test_what_is_sent_again_goes_the_way_that_was_asked_for(way: OutOfOrder) -> None:
    result = measure(point(way), ModelDevice())
    assert result.again > 0
    assert result.segments == result.again + -(-24 * RECORD // SEGMENT)
    assert result.mismatches == 0
    assert {name for name, n in result.ways.items() if n} == {way.name.lower()}
    assert (result.reread > 0) == (way is OutOfOrder.REBUILD)


def test_seek_and_software_take_one_each() -> None:
    for way in (OutOfOrder.SEEK, OutOfOrder.SOFTWARE):
        result = measure(point(way), ModelDevice())
        assert result.ways[way.name.lower()] == result.again


def test_without_loss_nothing_is_sent_again() -> None:
    result = measure(point(OutOfOrder.SEEK, 0), ModelDevice())
    assert (result.again, result.reread, sum(result.ways.values())) == (0, 0, 0)


def test_the_losses_are_the_same_for_all_ways() -> None:
    again = {measure(point(way), ModelDevice()).again for way in OutOfOrder}
    assert len(again) == 1


def test_a_rebuild_reads_at_most_two_records_an_event() -> None:
    result = measure(point(OutOfOrder.REBUILD), ModelDevice())
    assert RECORD / 4 < result.reread / result.again < 2 * RECORD


def test_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["resend", *SMALL]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    rows = [line.split() for line in out.splitlines()]
    assert [row[:2] for row in rows[1:4]] == [["5", "seek"], ["5", "rebuild"], ["5", "software"]]
    assert rows[1][-2:] == ["0", "0.00"]
    *table, last = out.splitlines()
    source = "published (ConnectX-6 Dx, ASPLOS 2021), rebuilds"
    assert last == f"{source}: 15,800 bytes an event"
    assert [line for line in table if line != line.rstrip()] == []


def test_what_cannot_be_written_is_known_before_the_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def device(name: str) -> ModelDevice:
        raise AssertionError(name)

    monkeypatch.setattr(resend_cli, "device_of", device)
    assert cli.main(["resend", *SMALL, "--json", "/no/out"]) == 2
    assert capsys.readouterr().err == "tlsnic: /no/out: No such file or directory\n"


def test_the_json(tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    assert cli.main(["resend", *SMALL, "--json", str(path)]) == 0
    report = json.loads(path.read_text())
    assert [each["way"] for each in report["points"]] == ["seek", "rebuild", "software"]
    assert {each["mismatches"] for each in report["points"]} == {0}
    assert report["published"]["bytes"] == 15_800


def test_what_leaves_wrong_is_found_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(resend_cli, "device_of", lambda _: Spoiler())
    assert cli.main(["resend", *SMALL]) == 1
    assert "did not leave as they should" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--percent", "many"], "many is not a list of percentages"),
        (["--percent", "1,101,2"], "101 is not from 0 to 50"),
        (["--percent", "nan"], "nan is not from 0 to 50"),
        (["--delay", "-3"], "-3 is not a whole number from 0 up"),
    ],
)
def test_what_cannot_be_asked_for(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        cli.main(["resend", *arguments])
    assert capsys.readouterr().err.endswith(f": {words}\n")
