"""`tlsnic sweep`: what it writes, what it says, and how it ends."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from host import cli, sweep_cli, verilate
from host.device import Device, RxDescriptor
from host.device_model import ModelDevice
from host.sweep_check import Both

SMALL = ("--streams", "2", "--records", "4", "--percent", "0,5")


class Spoiler(ModelDevice):
    """Spoils a byte of the payload of every frame."""

    def receive(self, frames: Sequence[bytes]) -> list[tuple[bytes, RxDescriptor]]:
        """The same, but for that byte."""
        return [(a[:-1] + bytes([a[-1] ^ 1]), word) for a, word in super().receive(frames)]


def run(*arguments: str | Path, jobs: int = 1) -> int:
    return cli.main(["sweep", *map(str, arguments), *SMALL, "--jobs", str(jobs)])


def test_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("loss", "--modes", "order-free,document") == 0
    out, err = capsys.readouterr()
    assert err == ""
    heading, *rows, foot = (line.split() for line in out.splitlines())
    assert heading == ["%", "device", "full", "partial", "none", "frames", "lost", "host", "self",
                       "outage"]  # fmt: skip
    zero = ["100.0", "0.0", "0.0"]
    assert rows[:4] == [
        ["0", "published", *zero],
        ["in-order", "bound", "100.0"],
        ["document", *zero, "100.0", "0", "0", "0"],
        ["order-free", *zero, "100.0", "0", "0", "0"],
    ]
    assert rows[4] == ["5", "published", "56.4", "14.8", "28.8"]
    assert rows[5] == ["in-order", "bound", "53.1"]
    assert foot[:8] == ["2", "streams", "of", "4", "records,", "seed", "1;", "full"]


def test_the_json(tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    assert run("reorder", "--modes", "order-free", "--json", path, "--seed", "9") == 0
    report = json.loads(path.read_text())
    assert (report["experiment"], report["distance"], report["confirm"]) == ("reorder", 9, 40)
    assert (report["streams"], report["records"], report["seed"]) == (2, 4, 9)
    assert [each["percent"] for each in report["points"]] == [0, 5]
    assert {"percent", "mode", "full", "partial", "none", "frames_decrypted", "lost",
            "resyncs_host", "resyncs_self", "outage"} < set(report["points"][0])  # fmt: skip
    assert report["published"][4] == {"percent": 2, "full": 19.7, "partial": 0.4, "none": 80.0}
    assert [each["full"] for each in report["bound"]] == [100, 53.12]
    assert "ASPLOS 2021" in report["source"]
    assert "null" not in path.read_text()


def test_several_processes_say_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("loss", "--json", "-", "--modes", "order-free", jobs=1) == 0
    one = capsys.readouterr().out
    assert run("loss", "--json", "-", "--modes", "order-free", jobs=2) == 0
    assert capsys.readouterr().out == one


def test_the_picture(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    path = tmp_path / "out.png"
    assert run("loss", "--modes", "document", "--plot", path) == 0
    assert path.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("option", ["--json", "--plot"])
def test_what_cannot_be_written_is_known_before_the_run(
    option: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def measured(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(sweep_cli, "_measured", measured)
    monkeypatch.setattr(sweep_cli, "_matplotlib", lambda: None)
    assert run("loss", option, "/no/out") == 2
    assert capsys.readouterr().err == "tlsnic: /no/out: No such file or directory\n"


def test_bytes_that_were_not_sent(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def device(name: str) -> Device:
        return Spoiler()

    monkeypatch.setattr(sweep_cli, "device_of", device)
    assert run("loss", "--modes", "order-free") == 1
    assert "bytes are not those that were sent" in capsys.readouterr().err


@pytest.mark.parametrize(("other", "code"), [(ModelDevice, 0), (Spoiler, 1)])
def test_model_and_rtl_are_compared(
    other: type[ModelDevice],
    code: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def device(name: str) -> Device:
        assert name == "both"
        return Both(ModelDevice(), other())

    monkeypatch.setattr(sweep_cli, "device_of", device)
    monkeypatch.setattr(sweep_cli, "prepare", lambda: None)
    assert run("reorder", "--check-rtl", "--modes", "document,order-free") == code
    out, err = capsys.readouterr()
    if code:
        assert "differ: stream 0, frame 0" in err
        assert "seed=1" in err
    else:
        assert out == "2 points, 184 frames: model and RTL agree\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["loss", "--percent", "51"], "51 is not from 0 to 50"),
        (["loss", "--percent", "1,x"], "not a list"),
        (["loss", "--modes", "al"], "al is none of"),
        (["loss", "--streams", "0"], "0 is not a whole number from 1 to 65,535"),
        (["loss", "--confirm", "-1"], "-1 is not a whole number from 0 up"),
        (["lost"], "invalid choice"),
        ([], "arguments are required: loss|reorder"),
    ],
)
def test_arguments_that_cannot_be(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        cli.main(["sweep", *arguments])
    assert words in capsys.readouterr().err


def test_what_cannot_be_done(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def library(*_: object) -> None:
        raise verilate.BuildError("no compiler")

    assert run("loss", "--check-rtl", "--modes", "document") == 2
    assert "document is no device" in capsys.readouterr().err
    monkeypatch.setattr(verilate, "library", library)
    assert run("loss", "--device", "rtl") == 2
    assert capsys.readouterr().err == "tlsnic: the RTL: no compiler\n"
