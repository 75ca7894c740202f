"""The AES-GCM lane at work: `make demo`.

The encrypted records of the TLS 1.3 connections in RFC 8448 are cut into pieces of random size,
the pieces of all connections are shuffled together, and each goes on its own, key after key,
through the lane in RTL. The table shows what came back: text and tag against the RFC's.
"""

from __future__ import annotations

import json
import os
import random
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import cocotb
from rich.console import Console
from rich.table import Table

from cocotb_tests.harness import run, seed
from cocotb_tests.lane import LaneBench, Sent, xor
from cocotb_tests.vectors import OWN, Vector, read
from host.verilate import BUILD
from model.gcm import Cipher, Part

ANSWER = BUILD / "demo.json"


def vectors() -> list[Vector]:
    """The records."""
    found = []
    for path in OWN:
        found += read(json.loads(path.read_text()), path.name)[0]
    return found


@cocotb.test()
async def records_in_shuffled_pieces(dut: Any) -> None:
    """Decrypts all records, a key slot each, and writes down what came back."""
    rng = random.Random(seed())
    bench = LaneBench(dut)
    await bench.start()
    records = vectors()
    for slot, record in enumerate(records):
        bench.install(slot, Cipher(len(record.key) // 16), record.key, record.iv)
    await bench.installed(len(records))
    todo = []
    for slot, record in enumerate(records):
        size = len(record.ct)
        cuts = sorted({0, size, *(rng.randrange(1, size) for _ in range(rng.randint(1, 6)))})
        todo += [
            Part(slot, True, 0, size, a, record.ct[a:b], record.aad, len(record.aad))
            for a, b in pairwise(cuts)
        ]
    rng.shuffle(todo)
    first = len(bench.data.when)
    back: dict[int, list[Sent]] = {}
    for part in todo:
        back.setdefault(part.slot, []).append(bench.send(part))
    await bench.drain()
    rows = []
    for slot, record in enumerate(records):
        pieces = back[slot]
        order = sorted(pieces, key=lambda s: s.part.offset)
        rows.append(
            {
                "record": record.name,
                "bytes": len(record.ct),
                "pieces": [f"{s.part.offset}+{len(s.part.data)}" for s in pieces],
                "text": b"".join(bytes(s.text) for s in order) == record.msg,
                "tag": xor(*(s.sum or b"" for s in pieces)).hex(),
                "tag_right": xor(*(s.sum or b"" for s in pieces)) == record.tag,
            }
        )
    clocks = bench.data.when[-1] - bench.data.when[first] + 1
    Path(os.environ["DEMO_ANSWER"]).write_text(
        json.dumps({"rows": rows, "clocks": clocks, "blocks": len(bench.data.when) - first})
    )


def main() -> int:
    """Run it and print the table."""
    print("RTL lane (hdl/tls_gcm.v) under Verilator; the first run builds it, about half a minute")
    ANSWER.parent.mkdir(parents=True, exist_ok=True)
    ANSWER.unlink(missing_ok=True)
    result = run(
        "tls_gcm",
        "cocotb_tests.demo",
        name="demo",
        env={"DEMO_ANSWER": str(ANSWER), "SEED": str(seed())},
    )
    if result.failed or not ANSWER.exists():
        print(result.log[-3000:], file=sys.stderr)
        return 1
    answer = json.loads(ANSWER.read_text())
    table = Table(title="TLS 1.3 records of RFC 8448, decrypted in pieces, in shuffled order")
    for column, side in (
        ("record", "left"),
        ("bytes", "right"),
        ("pieces as they went in, offset+bytes", "left"),
        ("tag from the RTL", "left"),
        ("text", "left"),
        ("tag", "left"),
    ):
        table.add_column(column, justify="right" if side == "right" else "left")
    for row in answer["rows"]:
        table.add_row(
            row["record"].split(" ", 3)[-1].replace(" record, record number", ", number"),
            str(row["bytes"]),
            " ".join(row["pieces"]),
            row["tag"],
            "right" if row["text"] else "WRONG",
            "right" if row["tag_right"] else "WRONG",
        )
    Console(width=None if sys.stdout.isatty() else 150).print(table)
    wrong = sum(not (row["text"] and row["tag_right"]) for row in answer["rows"])
    pieces = sum(len(row["pieces"]) for row in answer["rows"])
    print(
        f"{len(answer['rows'])} records of as many keys in {pieces} pieces: "
        f"{answer['blocks']} blocks taken in {answer['clocks']} clocks, {wrong} records wrong. "
        f"SEED={seed()}"
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
