"""The command line: `tlsnic replay CAPTURE --keys KEYLOG --nic ADDRESS`, `sweep`, `resend`.

In: arguments and files. Out: a table on the standard output, and what else is asked for in files.
Exit code 0; 1 if what the stack delivered differs from what software alone delivers, or what left
from the capture; 2, with one line on the standard error, for input that cannot be used, or of which
nothing could be replayed; 141 if nobody reads the output any more, as a shell has it.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import ipaddress
import json
import os
import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict
from pathlib import Path
from typing import BinaryIO

from rich.progress import Progress, TaskID
from rich.table import Table
from rich.text import Text

from host import pcap, resend_cli, sweep_cli
from host.device import Device
from host.driver import Driver
from host.driver_tx import OutOfOrder
from host.handshake import NO_SECRETS
from host.keylog import KeyLog
from host.output import STDOUT, Page, Stream, report_file
from host.replay import ConnectionReport, ReceivedReport, Replay, Report
from host.replay_send import How, SentReport
from host.resync import ResyncType
from host.sweep_cli import SweepError, prepare

RESYNC = {
    "driver": ResyncType.DRIVER_REQ,
    "async": ResyncType.DRIVER_REQ_ASYNC,
    "stack": ResyncType.CORE_NEXT_HINT,
}
TX = {way.name.lower(): way for way in reversed(OutOfOrder)}
OK, MISMATCH, BAD_INPUT, BROKEN_PIPE = 0, 1, 2, 141
ADDRESSES = 4  # that are named at most


class BadInput(Exception):
    """What the user gave cannot be used; the text says why."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; its exit code."""
    try:
        try:
            return _main(arguments)
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        nowhere = os.open(os.devnull, os.O_WRONLY)  # for what is still to be flushed at the exit
        for stream in (sys.stdout, sys.stderr):
            os.dup2(nowhere, stream.fileno())
        return BROKEN_PIPE


def _main(arguments: Sequence[str] | None) -> int:
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except BrokenPipeError:
        raise
    except pcap.CaptureError as error:
        print(f"tlsnic: {options.capture}: {error}", file=sys.stderr)
        return BAD_INPUT
    except (BadInput, SweepError, OSError) as error:
        print(f"tlsnic: {_one_line(error)}", file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tlsnic",
        description="A TLS-offload NIC, as a model or as its RTL, with its driver and kTLS stack.",
    )
    commands = parser.add_subparsers(required=True)
    replay = commands.add_parser(
        "replay",
        help="replay a capture through the NIC",
        description="Replay a capture as the NIC of one address saw it: its TLS connections are "
        "offloaded as a server would do after the handshake. Every received frame goes through "
        "device, driver and kTLS stack, and what is delivered is compared with what software alone "
        "makes of the capture. Every sent frame goes through stack, driver and device as "
        "plaintext, and what leaves is compared with the capture.",
        epilog="Exit code: 0, or 1 if any byte differs, or 2 for input that cannot be used, also "
        "if none of its connections can be followed.",
    )
    replay.add_argument("capture", type=Path, metavar="CAPTURE", help="pcap or pcapng")
    replay.add_argument("--keys", type=Path, metavar="KEYLOG", help="key log (SSLKEYLOGFILE); a "
                        "pcapng can hold one itself")  # fmt: skip
    replay.add_argument("--nic", required=True, metavar="ADDRESS", help="IP address of the NIC")
    replay.add_argument("--device", choices=("model", "rtl"), default="model",
                        help="what plays the NIC (default: %(default)s)")  # fmt: skip
    replay.add_argument("--resync", choices=RESYNC, default="driver",
                        help="who begins when the device has lost a record boundary: the driver, "
                        "the driver in two steps, or the stack (default: %(default)s)")  # fmt: skip
    replay.add_argument("--self-confirm", action=argparse.BooleanOptionalAction, default=None,
                        help="the device is to find it again by a record's own tag "
                        "(default: if it can)")  # fmt: skip
    replay.add_argument("--avoid-partials", action="store_true", help="the device is to pass the "
                        "rest of a record of which it passed a part")  # fmt: skip
    replay.add_argument("--tx", choices=TX, help="how to send a segment that the device does not "
                        "expect: tell it the place (only behind what the device has sent), or feed "
                        "it the record up to there again, or encrypt in software (default: the "
                        "best the device has)")  # fmt: skip
    replay.add_argument("--json", type=Path, metavar="FILE", help="write the report; - is stdout")
    replay.add_argument("--write", type=Path, metavar="FILE", help="write a pcapng of the frames "
                        "as the host saw them or as they left, what became of them as comment; - "
                        "is stdout, and the report goes to stderr")  # fmt: skip
    replay.set_defaults(run=_replay)
    resend_cli.add(commands).set_defaults(run=resend_cli.run)
    sweep_cli.add(commands).set_defaults(run=sweep_cli.run)
    return parser


def _replay(options: argparse.Namespace) -> int:
    try:
        nic = ipaddress.ip_address(options.nic).packed
    except ValueError:
        raise BadInput(f"{options.nic} is not an IP address") from None
    inputs = [file for file in (options.capture, options.keys) if file]
    if options.write == options.json == STDOUT:
        raise BadInput("--write and --json cannot both be written to the standard output")
    if options.write and options.json and options.write.resolve() == options.json.resolve():
        raise BadInput(f"--write and --json are the same file: {options.json}")
    for output in (options.write, options.json):
        if output and output.exists() and any(output.samefile(f) for f in inputs if f.exists()):
            raise BadInput(f"{output} is what is read: write to another file")
    key_log = KeyLog()
    if options.keys:
        key_log.add(options.keys.read_bytes())
        if not len(key_log):
            raise BadInput(f"{options.keys} has no line of a key log")
    with contextlib.ExitStack() as stack:
        file = stack.enter_context(options.capture.open("rb"))
        packets = pcap.read(file)
        written = _written(stack, options.write)
        told = report_file(stack, options.json)
        device = stack.enter_context(_device(options.device))
        driver = Driver(
            device,
            RESYNC[options.resync],
            self_confirm=options.self_confirm,
            avoid_partials=options.avoid_partials,
            out_of_order=TX[options.tx] if options.tx else OutOfOrder.SEEK,
        )
        if options.tx and driver.out_of_order is not TX[options.tx]:
            raise BadInput(f"the device cannot {options.tx}")
        replay = Replay(driver, nic, key_log)
        gc.freeze()  # what is there by now stays, and need not be looked at again and again
        ends_early = _run(replay, packets, key_log, written, _progress(stack, file))
        report = replay.report()
        nothing = _nothing_done(report, options.nic, replay.others(), key_log)
        report.warnings.extend(filter(None, (ends_early, nothing)))
        if told:
            print(json.dumps(asdict(report), indent=1), file=told)
    if told is not sys.stdout:
        _print(report, Page(stderr=options.write == STDOUT))
    for warning in report.warnings:
        print(f"tlsnic: {warning}", file=sys.stderr)
    if report.mismatches:
        return MISMATCH
    return OK if report.connections else BAD_INPUT


def _written(stack: contextlib.ExitStack, path: Path | None) -> BinaryIO | None:
    if path is None:
        return None
    return sys.stdout.buffer if path == STDOUT else stack.enter_context(path.open("wb"))


def _nothing_done(report: Report, nic: str, others: Sequence[str], key_log: KeyLog) -> str:
    """Why nothing was followed, or nothing offloaded; empty if something was."""
    if not report.frames and not report.frames_sent:
        named = ", ".join(others[:ADDRESSES])
        more = f" and {len(others) - ADDRESSES:,} more" if len(others) > ADDRESSES else ""
        has = f"it has TCP of {named}{more}" if others else "it has no TCP"
        return f"no frame in the capture is to or from {nic}; {has}"
    if not report.connections:
        reasons = sorted({skipped.reason for skipped in report.skipped})
        if NO_SECRETS in reasons and not len(key_log):
            return "no key log: give --keys, or a pcapng that holds one"
        return f"no connection of {nic} was followed: {'; '.join(reasons) or 'there is none'}"
    if not any(each.offloaded or each.tx.offloaded for each in report.connections):
        return "nothing was offloaded"
    return ""


def _device(name: str) -> AbstractContextManager[Device]:
    if name == "rtl":
        return _rtl()
    from host.device_model import ModelDevice

    return contextlib.closing(ModelDevice())


@contextlib.contextmanager
def _rtl() -> Iterator[Device]:
    """The RTL; SweepError if it cannot be built, BadInput if it fails."""
    prepare()
    from host.device_rtl import DeviceError, RtlDevice

    try:
        with contextlib.closing(RtlDevice()) as device:
            yield device
    except DeviceError as error:
        raise BadInput(f"the RTL: {textwrap.shorten(str(error), 300)}") from None


def _run(
    replay: Replay,
    packets: Iterator[pcap.Captured | pcap.Secrets],
    key_log: KeyLog,
    written: BinaryIO | None,
    progress: Iterator[None],
) -> str:
    """Replay all packets; why the capture ends too early, if it does."""
    writer = pcap.Writer(written) if written else None
    ends_early = ""
    while True:
        try:
            each = next(packets, None)
        except pcap.Truncated as error:
            each, ends_early = None, str(error)
        if isinstance(each, pcap.Secrets):
            key_log.add(each.text)
            continue
        for seen in replay.packet(each) if each else replay.finish():
            if writer:
                writer.write(seen.time, seen.frame, seen.verdict)
        if each is None:
            return ends_early
        next(progress)


def _progress(stack: contextlib.ExitStack, file: BinaryIO) -> Iterator[None]:
    """To be advanced once a packet: a bar, if the standard error is a terminal."""
    console = Stream(stderr=True)
    if not (console.is_terminal and file.seekable()):
        return _quiet()
    progress = stack.enter_context(Progress(console=console, transient=True))
    size = Path(file.name).stat().st_size
    return _bar(progress, progress.add_task("replay", total=size), file)


def _quiet() -> Iterator[None]:
    while True:
        yield


def _bar(progress: Progress, task: TaskID, file: BinaryIO) -> Iterator[None]:
    while True:
        progress.update(task, completed=file.tell())
        for _ in range(256):
            yield


def _print(report: Report, console: Page) -> None:
    for number, connection in enumerate(report.connections):
        if number:
            console.print()
        console.table(_table(connection, heading=number == 0))
        for note in (*_out_of_order(connection.tx), *connection.notes):
            console.print(f"   {note}", markup=False)
    for skipped in report.skipped:
        line = f"skipped {skipped.local} {skipped.remote}: {skipped.reason}"
        console.print(line, markup=False)
    if report.frames or report.frames_sent:
        decrypted = f", {report.frames_decrypted:,} decrypted"
        console.print(f"{report.frames:,} frames received{decrypted}{_counts(report.reasons)}")
        hows = ((How[name.upper()].value, count) for name, count in report.sent.items() if count)
        sent = "".join(f", {count:,} {how}" for how, count in hows)
        console.print(f"{report.frames_sent:,} frames sent{sent}{_counts(report.dropped)}")
    received = report.mismatches - report.mismatches_sent
    if received:
        console.print(f"[red]{received:,} bytes differ from what software alone delivers")
    if report.mismatches_sent:
        console.print(f"[red]{report.mismatches_sent:,} bytes that left differ from the capture")


def _counts(counters: Mapping[str, int]) -> str:
    return "".join(f", {name} {count:,}" for name, count in sorted(counters.items()))


def _out_of_order(sent: SentReport) -> list[str]:
    """What was sent out of order, in a line; none if nothing was."""
    ways = ", ".join(f"{count:,} by {way}" for way, count in sent.out_of_order.items() if count)
    return [f"out of order: {ways}; {sent.reread:,} bytes of records read again"] if ways else []


def _table(each: ConnectionReport, heading: bool) -> Table:
    """Both directions of a connection; tables of several are one below the other."""
    name = Text(f"{each.local} {each.remote} {each.version} {each.cipher}")
    table = Table(box=None, title=name, title_justify="left", show_header=heading)
    table.add_column("", width=2)
    for column, width in (("bytes", 13), ("device", 9), ("mixed", 9), ("software", 9)):
        table.add_column(column, justify="right", width=width)
    table.add_column("resyncs", justify="right", width=7)
    table.add_column("SHA-256", width=16)
    rows: tuple[tuple[str, ReceivedReport | SentReport], ...] = (("rx", each.rx), ("tx", each.tx))
    for word, way in rows:
        numbers = (way.bytes, *way.records.values(), way.resyncs)
        table.add_row(word, *(f"{n:,}" for n in numbers), way.sha256[:16])
    return table


def _one_line(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror}"
    return " ".join(str(error).split())
