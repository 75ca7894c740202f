"""The command: what it writes, what it says, and how it ends."""

import contextlib
import json
import os
import re
import struct
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from host import cli, regs, verilate
from host.device import Device, RxDescriptor
from host.device_model import ModelDevice
from host.device_rtl import FASTEST, DeviceError
from host.driver import Driver
from host.pcap import Captured, read
from host.regs import Addr, TxKind
from host.resync import ResyncType
from host.tests.test_replay import CAPTURES, Liar
from host.tests.test_replay_send import Wrong, flips
from host.tests.wire import ACK, CLIENT, DATA, SERVER, Session, Tcp, connection, pcap

CAPTURE = next(path for path in CAPTURES if "v4" in path.stem)
KEYS = CAPTURE.with_suffix(".keys")
NIC = "10.77.0.1"


@pytest.fixture
def made(tmp_path: Path) -> tuple[Path, Path]:
    """A capture and its key log."""
    session = Session()
    tcp = connection(session)
    for _ in range(3):
        tcp.send(SERVER, session.writers[SERVER].record(DATA, b"plaintext" * 60))
    capture, keys = tmp_path / "made.pcap", tmp_path / "made.keys"
    capture.write_bytes(pcap(tcp.frames))
    keys.write_text(session.key_log)
    return capture, keys


def run(*arguments: str | Path) -> int:
    return cli.main(["replay", *map(str, arguments)])


def test_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(CAPTURE, "--keys", KEYS, "--nic", NIC) == 0
    out, err = capsys.readouterr()
    assert err == ""
    wanted = json.loads(CAPTURE.with_suffix(".json").read_text())["connections"][0]
    name, heading, rx, tx, frames, sent = out.splitlines()
    assert name.split()[:2] == [f"10.77.0.1:{wanted['local_port']}", "10.77.0.2:443"]
    assert name.split()[2:] == ["TLS", "1.3", "AES-128-GCM"]
    assert heading.split() == ["bytes", "device", "mixed", "software", "resyncs", "SHA-256"]
    assert rx.split() == ["rx", "20,000", "687", "0", "0", "0", wanted["rx_sha256"][:16]]
    assert tx.split() == ["tx", "5,000", "192", "0", "0", "0", wanted["tx_sha256"][:16]]
    assert frames == "413 frames received, 403 decrypted, NO_CONNECTION 3, NO_PAYLOAD 7"
    assert sent == "37 frames sent, 13 encrypted, 24 plain"


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ([], "1 by seek; 0 bytes"),
        (["--tx", "seek"], "1 by seek; 0 bytes"),
        (["--tx", "rebuild"], "2 by rebuild; 2,000 bytes"),
        (["--tx", "software"], "1 by software; 0 bytes"),
    ],
)
def test_how_to_send_out_of_order(
    options: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    session = Session()
    tcp = connection(session)
    for _ in range(2):
        tcp.send(CLIENT, session.writers[CLIENT].record(DATA, b"plain" * 395 + b"est"), 1000)
    tcp.frames.insert(-1, tcp.frames[-3])
    capture, keys, path = tmp_path / "made.pcap", tmp_path / "made.keys", tmp_path / "out.json"
    capture.write_bytes(pcap(tcp.frames))
    keys.write_text(session.key_log)
    arguments: list[str | Path] = [capture, "--keys", keys, "--nic", "10.0.0.1", *options]
    assert run(*arguments) == 0
    assert f"   out of order: {says} of records read again\n" in capsys.readouterr().out
    assert run(*arguments, "--json", path) == 0
    (found,) = json.loads(path.read_text())["connections"]
    count, way = says.split(";")[0].split(" by ")
    assert {name: n for name, n in found["tx"]["out_of_order"].items() if n} == {way: int(count)}


def test_the_json(tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    assert run(CAPTURE, "--keys", KEYS, "--nic", NIC, "--json", path) == 0
    report = json.loads(path.read_text())
    (found,) = report["connections"]
    assert {"frames", "frames_decrypted", "reasons", "mismatches", "skipped"} < set(report)
    assert {"local", "remote", "version", "cipher", "rx", "tx"} < set(found)
    assert set(found["rx"]) == {"bytes", "sha256", "records", "resyncs", "mismatches"}
    assert set(found["rx"]["records"]) == {"decrypted", "mixed", "encrypted"}
    assert {"offloaded", "first_record", "frames", "out_of_order", "reread"} < set(found["tx"])
    assert set(found["tx"]["records"]) == {"device", "mixed", "software"}
    assert report["sent"] == {"plain": 24, "encrypted": 13, "software": 0, "captured": 0}
    assert report["counters"]["tx_tls_encrypted_packets"] == 13
    assert report["counters"]["tx_ooo_seek"] == 0
    assert "null" not in path.read_text()


def test_json_on_the_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(CAPTURE, "--keys", KEYS, "--nic", NIC, "--json", "-") == 0
    assert json.loads(capsys.readouterr().out)["frames"] == 413


def test_what_it_writes_has_plaintext_and_verdicts(made: tuple[Path, Path], tmp_path: Path) -> None:
    capture, keys = made
    path = tmp_path / "out.pcapng"
    assert run(capture, "--keys", keys, "--nic", "10.0.0.1", "--write", path) == 0
    with capture.open("rb") as one, path.open("rb") as other:
        was, now = list(read(one)), list(read(other))
    assert [each.time for each in was if isinstance(each, Captured)] == [
        each.time for each in now if isinstance(each, Captured)
    ]
    data = path.read_bytes()
    assert data.count(b"plaintext" * 60) == 3
    assert data.count(b"decrypted, connection 0") == 3
    assert data.count(b"passed: NO_CONNECTION") == 2


def test_what_it_writes_can_go_to_the_standard_output(
    made: tuple[Path, Path], tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """Then the report does not."""
    capture, keys = made
    path = tmp_path / "out.pcapng"
    assert run(capture, "--keys", keys, "--nic", "10.0.0.1", "--write", path) == 0
    report, _ = capfdbinary.readouterr()
    assert run(capture, "--keys", keys, "--nic", "10.0.0.1", "--write", "-") == 0
    out, err = capfdbinary.readouterr()
    assert out == path.read_bytes()
    assert err == report
    assert not Path("-").exists()


def test_not_both_go_to_the_standard_output(
    made: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(made[0], "--nic", "10.0.0.1", "--write", "-", "--json", "-") == 2
    said = "tlsnic: --write and --json cannot both be written to the standard output\n"
    assert capsys.readouterr() == ("", said)


def test_frames_that_left_are_written_with_what_became_of_them(tmp_path: Path) -> None:
    session = Session()
    tcp = connection(session)
    tcp.send(CLIENT, session.writers[CLIENT].record(DATA, b"plaintext" * 300))
    tcp.frames.append(tcp.frames[-1])
    capture, keys, path = tmp_path / "made.pcap", tmp_path / "made.keys", tmp_path / "out.pcapng"
    capture.write_bytes(pcap(tcp.frames))
    keys.write_text(session.key_log)
    assert run(capture, "--keys", keys, "--nic", "10.0.0.1", "--write", path) == 0
    with path.open("rb") as file:
        written = [each.frame for each in read(file) if isinstance(each, Captured)]
    assert written == tcp.frames
    data = path.read_bytes()
    assert b"plaintext" not in data
    assert data.count(b"encrypted, connection 0") == 2
    assert data.count(b"encrypted by seek, connection 0") == 1


def test_a_capture_may_bring_its_key_log(made: tuple[Path, Path], tmp_path: Path) -> None:
    capture, keys = made
    path = tmp_path / "with_secrets.pcapng"
    assert run(capture, "--nic", "10.0.0.3", "--write", path) == 2
    data = path.read_bytes()
    secrets = keys.read_bytes()
    body = struct.pack("<II", 0x544C534B, len(secrets)) + secrets + bytes(-len(secrets) % 4)
    size = struct.pack("<I", len(body) + 12)
    at = 28  # behind the section header
    path.write_bytes(data[:at] + b"\x0a\0\0\0" + size + body + size + data[at:])
    out = tmp_path / "out.json"
    assert run(path, "--nic", "10.0.0.1", "--json", out) == 0
    assert json.loads(out.read_text())["connections"][0]["rx"]["records"]["decrypted"] == 3


def test_a_capture_cut_short_is_replayed_as_far_as_it_goes(
    made: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capture, keys = made
    data = capture.read_bytes()
    for size in range(35, len(data), 11):
        capture.write_bytes(data[:size])
        out = tmp_path / "out.json"
        code = run(capture, "--keys", keys, "--nic", "10.0.0.1", "--json", out)
        report = json.loads(out.read_text())
        assert code == (0 if report["connections"] else 2)
        assert capsys.readouterr().err == "".join(
            f"tlsnic: {each}\n" for each in report["warnings"]
        )
        assert all("middle of a packet" in each for each in report["warnings"][: code == 0])
    assert report["warnings"]


def test_a_mismatch_is_exit_code_1(
    made: tuple[Path, Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(cli, "_device", lambda name: contextlib.closing(Liar()))
    capture, keys = made
    assert run(capture, "--keys", keys, "--nic", "10.0.0.1") == 1
    out = capsys.readouterr().out
    assert "3 bytes differ from what software alone delivers" in out
    assert "differ from the capture" not in out


def test_what_left_otherwise_than_captured_is_exit_code_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    device = Wrong(TxKind.ENCRYPT, flips)
    monkeypatch.setattr(cli, "_device", lambda name: contextlib.closing(device))
    assert run(CAPTURE, "--keys", KEYS, "--nic", NIC) == 1
    out = capsys.readouterr().out
    assert "1 bytes that left differ from the capture" in out
    assert "software alone" not in out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["missing.pcap", "--nic", NIC], "missing.pcap: No such file or directory"),
        ([".", "--nic", NIC], ".: Is a directory"),
        (["text", "--nic", NIC], "text: neither a pcap nor a pcapng file"),
        (["empty", "--nic", NIC], "empty: neither a pcap nor a pcapng file"),
        (["made.pcap", "--nic", "10.0.0"], "10.0.0 is not an IP address"),
        (["made.pcap", "--nic", NIC, "--keys", "no.keys"], "no.keys: No such file or directory"),
        (["made.pcap", "--nic", NIC, "--keys", "text"], "text has no line of a key log"),
        (["made.pcap", "--nic", NIC, "--keys", "made.pcap"], "made.pcap has no line of a key log"),
        (["made.pcap", "--nic", NIC, "--write", "no/out"], "no/out: No such file or directory"),
        (["made.pcap", "--nic", NIC, "--json", "no/out"], "no/out: No such file or directory"),
    ],
)
@pytest.mark.usefixtures("made")
def test_bad_input_is_one_line_and_exit_code_2(
    arguments: list[str],
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("text").write_text("some words\n")
    Path("empty").write_text("")
    assert run(*arguments) == 2
    assert capsys.readouterr().err == f"tlsnic: {says}\n"


@pytest.mark.parametrize("option", ["--write", "--json"])
def test_what_is_read_is_not_written_over(
    made: tuple[Path, Path], option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for file in made:
        before = file.read_bytes()
        assert run(made[0], "--keys", made[1], "--nic", NIC, option, file) == 2
        assert file.read_bytes() == before
        assert capsys.readouterr().err == f"tlsnic: {file} is what is read: write to another file\n"


def test_an_address_that_is_not_in_the_capture(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(CAPTURE, "--keys", KEYS, "--nic", "10.1.2.3") == 2
    said = "no frame in the capture is to or from 10.1.2.3; it has TCP of 10.77.0.1, 10.77.0.2"
    assert capsys.readouterr() == ("", f"tlsnic: {said}\n")


def test_only_some_of_many_addresses_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capture = tmp_path / "made.pcap"
    frames = list[bytes]()
    capture.write_bytes(pcap(frames))
    assert run(capture, "--nic", "10.1.2.3") == 2
    start = "tlsnic: no frame in the capture is to or from 10.1.2.3; it has"
    assert capsys.readouterr().err == f"{start} no TCP\n"
    for n in range(1, 5):
        tcp = Tcp(addresses=(bytes([10, 0, 1, n]), bytes([10, 0, 0, 9])))
        frames += [tcp.frame(CLIENT, 0, ACK)] * (5 - n)
    capture.write_bytes(pcap(frames))
    assert run(capture, "--nic", "10.1.2.3") == 2
    named = "10.0.0.9, 10.0.1.1, 10.0.1.2, 10.0.1.3"
    assert capsys.readouterr().err == f"{start} TCP of {named} and 1 more\n"


def test_a_device_that_is_not_there(
    made: tuple[Path, Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(sys.modules, "host.device_rtl", None)
    assert run(made[0], "--nic", NIC, "--device", "rtl") == 2
    assert "the RTL cannot be built" in capsys.readouterr().err


def test_a_device_that_fails(
    made: tuple[Path, Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    class Dead(ModelDevice):
        def receive(self, frames: Sequence[bytes]) -> list[tuple[bytes, RxDescriptor]]:
            raise DeviceError("a frame did not come through")

    monkeypatch.setattr(cli, "prepare", lambda: None)
    monkeypatch.setattr("host.device_rtl.RtlDevice", Dead)
    assert run(made[0], "--nic", "10.0.0.1", "--device", "rtl") == 2
    assert capsys.readouterr().err == "tlsnic: the RTL: a frame did not come through\n"


@pytest.mark.parametrize(
    ("options", "control", "kind"),
    [
        ([], 0x203, ResyncType.DRIVER_REQ),
        (["--resync", "driver", "--self-confirm"], 0x203, ResyncType.DRIVER_REQ),
        (["--resync", "async", "--no-self-confirm"], 0x003, ResyncType.DRIVER_REQ_ASYNC),
        (["--resync", "stack", "--avoid-partials"], 0x303, ResyncType.CORE_NEXT_HINT),
    ],
)
def test_what_the_device_is_set_to(
    made: tuple[Path, Path],
    options: list[str],
    control: int,
    kind: ResyncType,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Able(ModelDevice):
        def read(self, addr: int) -> int:
            can = regs.CAPS_HEADER_SCAN_MASK | regs.CAPS_SELF_CONFIRM_MASK
            return super().read(addr) | (can if addr == Addr.CAPS else 0)

    drivers = []

    def probe(device: Device, *arguments: Any, **more: Any) -> Driver:
        drivers.append(Driver(device, *arguments, **more))
        return drivers[-1]

    device = Able()
    monkeypatch.setattr(cli, "Driver", probe)
    monkeypatch.setattr(cli, "_device", lambda name: contextlib.closing(device))
    assert run(made[0], "--keys", made[1], "--nic", "10.0.0.1", *options) == 0
    assert device.read(Addr.CTRL) == control
    assert [driver.resync for driver in drivers] == [kind]


def test_what_the_device_cannot_is_one_line(
    made: tuple[Path, Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    class Unable(ModelDevice):
        def read(self, addr: int) -> int:
            value = super().read(addr)
            return value & ~regs.CAPS_SELF_CONFIRM_MASK if addr == Addr.CAPS else value

    monkeypatch.setattr(cli, "_device", lambda name: contextlib.closing(Unable()))
    assert run(made[0], "--nic", NIC, "--self-confirm") == 2
    said = "tlsnic: [Errno 95] the device cannot confirm a record boundary itself\n"
    assert capsys.readouterr().err == said
    assert run(made[0], "--keys", made[1], "--nic", "10.0.0.1") == 0


def test_a_way_that_the_device_does_not_have(
    made: tuple[Path, Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    class Unable(ModelDevice):
        def read(self, addr: int) -> int:
            value = super().read(addr)
            return value & ~regs.CAPS_TX_SEEK_MASK if addr == Addr.CAPS else value

    monkeypatch.setattr(cli, "_device", lambda name: contextlib.closing(Unable()))
    arguments = (made[0], "--keys", made[1], "--nic", "10.0.0.1")
    assert run(*arguments, "--tx", "seek") == 2
    assert capsys.readouterr().err == "tlsnic: the device cannot seek\n"
    assert run(*arguments) == run(*arguments, "--tx", "rebuild") == 0


def test_a_capture_of_something_else(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tcp = Tcp()
    capture = tmp_path / "made.pcap"
    tcp.frames.append(tcp.frame(CLIENT, 0, ACK))
    tcp.frames[0] = tcp.frames[0][:23] + b"\x11" + tcp.frames[0][24:]  # UDP
    capture.write_bytes(pcap(tcp.frames))
    assert run(capture, "--nic", "10.0.0.1") == 2
    said = "tlsnic: no connection of 10.0.0.1 was followed: there is none\n"
    assert capsys.readouterr().err == said


def test_a_device_that_takes_none(
    made: tuple[Path, Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    class Unable(ModelDevice):
        def read(self, addr: int) -> int:
            value = super().read(addr)
            return value & ~regs.CAPS_AES_128_GCM_MASK if addr == Addr.CAPS else value

    monkeypatch.setattr(cli, "_device", lambda name: contextlib.closing(Unable()))
    assert run(made[0], "--keys", made[1], "--nic", "10.0.0.1") == 0
    out, err = capsys.readouterr()
    assert err == "tlsnic: nothing was offloaded\n"
    assert "   sent: in software: the device lacks this cipher\n" in out


def test_python_m_host() -> None:
    command = [sys.executable, "-m", "host", "replay", str(CAPTURE), "--nic", NIC]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    reason = "the key log has no secrets of this session"
    assert f"skipped 10.77.0.1:48094 10.77.0.2:443: {reason}" in done.stdout
    assert done.stderr == "tlsnic: no key log: give --keys, or a pcapng that holds one\n"


def test_a_key_log_of_something_else(
    made: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(made[0], "--keys", KEYS, "--nic", "10.0.0.1") == 2
    reason = "the key log has no secrets of this session"
    said = f"tlsnic: no connection of 10.0.0.1 was followed: {reason}\n"
    assert capsys.readouterr().err == said


def test_what_cannot_be_written_is_known_before_the_run(
    made: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def device(name: str) -> Device:
        raise AssertionError(name)

    monkeypatch.setattr(cli, "_device", device)
    assert run(made[0], "--nic", NIC, "--json", "/no/out") == 2
    assert capsys.readouterr().err == "tlsnic: /no/out: No such file or directory\n"


def test_two_outputs_are_two_files(
    made: tuple[Path, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(made[0], "--nic", NIC, "--json", "out", "--write", tmp_path / "out") == 2
    assert capsys.readouterr().err == "tlsnic: --write and --json are the same file: out\n"
    assert not Path("out").exists()


@pytest.mark.parametrize(
    ("arguments", "stream"),
    [([], "out"), (["--json", "-"], "out"), (["--write", "-"], "out"), (["--write", "-"], "err")],
)
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_nobody_reads_what_it_says(arguments: list[str], stream: str, unbuffered: str) -> None:
    """As behind `| head -1`: quietly, and not as if a byte differed."""
    command = [sys.executable, "-m", "host", "replay", str(CAPTURE), "--keys", str(KEYS)]
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [*command, "--nic", NIC, *arguments],
        stdout=writer if stream == "out" else subprocess.DEVNULL,
        stderr=writer if stream == "err" else subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
        timeout=60,
        check=False,
    )
    os.close(writer)
    assert (done.returncode, done.stderr or b"") == (141, b"")


@pytest.mark.parametrize("made_before", [False, True])
def test_a_build_is_announced(
    made_before: bool,
    made: tuple[Path, Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def library(parameters: verilate.Parameters, building: Callable[[], None]) -> None:
        assert parameters == FASTEST
        if not made_before:
            building()

    monkeypatch.setattr(verilate, "library", library)
    monkeypatch.setattr("host.device_rtl.RtlDevice", ModelDevice)
    assert run(made[0], "--keys", made[1], "--nic", "10.0.0.1", "--device", "rtl") == 0
    said = "" if made_before else "building the RTL, once: a minute or two\n"
    assert capsys.readouterr().err == said


def test_a_build_is_announced_only_if_there_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def compiles(*command: str | Path) -> None:
        if command[0] == "c++":
            Path(command[-1]).touch()

    announced = list[str]()
    monkeypatch.setattr(verilate, "BUILD", tmp_path)
    monkeypatch.setattr(verilate, "_run", compiles)
    for _ in range(2):
        verilate.library({}, lambda: announced.append("building"))
    assert announced == ["building"]


@pytest.mark.parametrize(
    "command",
    [
        ["replay", str(CAPTURE), "--keys", str(KEYS), "--nic", NIC],
        ["resend", "--percent", "5", "--records", "12"],
    ],
    ids=lambda command: command[0],
)
def test_a_narrow_terminal_loses_no_column(
    command: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    outs = []
    for columns in ("40", "200"):
        monkeypatch.setenv("COLUMNS", columns)
        assert cli.main(command) == 0
        outs.append(capsys.readouterr().out)
    assert outs[0] == outs[1]


@pytest.mark.parametrize("coloured", [False, True])
def test_several_connections(
    coloured: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A blank line between them, the headings once, and no blanks at the ends of lines."""
    frames, logs = [], ""
    for n in range(2):
        session = Session(seed=n)
        tcp = connection(session, Tcp(ports=(50000 + n, 443)))
        tcp.send(CLIENT, session.writers[CLIENT].record(DATA, b"plain"))
        frames += tcp.frames
        logs += session.key_log
    capture, keys = tmp_path / "made.pcap", tmp_path / "made.keys"
    capture.write_bytes(pcap(frames))
    keys.write_text(logs)
    if coloured:
        monkeypatch.setenv("FORCE_COLOR", "1")
    assert run(capture, "--keys", keys, "--nic", "10.0.0.1") == 0
    out = capsys.readouterr().out
    assert ("\x1b" in out) == coloured
    lines = re.sub(r"\x1b\[[0-9;]*m", "", out).splitlines()
    words = [line.split()[0] if line else "" for line in lines]
    assert words[:8] == ["10.0.0.1:50000", "bytes", "rx", "tx", "", "10.0.0.1:50001", "rx", "tx"]
    assert [line for line in lines if line != line.rstrip()] == []


def test_help_begins_with_replay(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        cli.main(["--help"])
    out = capsys.readouterr().out
    assert "{replay,resend,sweep}" in out
    assert "RTL" in out
    assert "what sending lost segments again costs" in out


def test_frames_that_are_not_of_the_nic_say_so(made: tuple[Path, Path], tmp_path: Path) -> None:
    capture, keys = made
    path = tmp_path / "out.pcapng"
    assert run(capture, "--keys", keys, "--nic", "10.0.0.3", "--write", path) == 2
    with capture.open("rb") as file:
        frames = len(list(read(file)))
    assert path.read_bytes().count(b"not of this NIC") == frames
