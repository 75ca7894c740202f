"""Runs a file in Wycheproof's AEAD JSON schema through the lane in RTL.

    python -m cocotb_tests.vectors FILE.json...     (make vectors VECTORS=FILE.json SIM=...)
    python -m cocotb_tests.vectors                  the files the project has: CAVP and RFC 8448

Groups with ivSize 96, tagSize 128 and keySize 128 or 256 are run, others counted as skipped, as
are records that no TLS record can be as long as. A valid case is encrypted and decrypted; text
and tag must be the file's. An invalid one is decrypted: the tag from the RTL must not be the one
given. Prints `N passed, N failed, N skipped`; exits 1 on a failure, 2 on a file it cannot read.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import cocotb

from cocotb_tests import cavp
from cocotb_tests.harness import run, simulator
from cocotb_tests.lane import LaneBench, Sent, xor
from host.verilate import BUILD, ROOT, Parameters
from model.gcm import MAX_BLOCKS, MAX_INLINE_AAD, MAX_LEN, Cipher, Part, blocks_in

OWN = tuple(sorted((ROOT / "model" / "tests" / "vectors").glob("*.json")))
UNDER_WAY = 8  # key slots in use at a time
CONFIGURATIONS: dict[str, Parameters] = {"full": {}, "small": {"SMALL": 1, "ROUND_REGS": 1}}


class VectorError(Exception):
    """A file is no Wycheproof AEAD file; the text says where."""


@dataclass(frozen=True)
class Vector:
    """One case. `msg` is None when the file has none (CAVP cases that must fail)."""

    name: str
    key: bytes
    iv: bytes
    aad: bytes
    msg: bytes | None
    ct: bytes
    tag: bytes
    valid: bool


@dataclass
class Tally:
    """What became of the cases, and the reasons of those that failed or were skipped."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0
    reasons: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


def read(document: Any, name: str) -> tuple[list[Vector], Tally]:
    """Cases to run from a parsed file, and a tally that has those left out.

    Raises:
        VectorError: a group or a case lacks something or is no hex.
    """
    tally = Tally()
    vectors = []
    try:
        for number, group in enumerate(document["testGroups"]):
            sizes = group["ivSize"], group["tagSize"], group["keySize"]
            if sizes[:2] != (96, 128) or sizes[2] not in (128, 256):
                tally.skipped += len(group["tests"])
                tally.reasons += [f"group {number}: iv, tag, key of {sizes} bits: skipped"]
                continue
            for test in group["tests"]:
                fields = {k: bytes.fromhex(test[k]) for k in ("key", "iv", "aad", "ct", "tag")}
                msg = None if test["msg"] is None else bytes.fromhex(test["msg"])
                label = f"{name} tcId {test['tcId']} {test.get('comment', '')}".strip()
                long = blocks_in(len(fields["ct"])) + blocks_in(len(fields["aad"])) > MAX_BLOCKS
                if long or len(fields["ct"]) > MAX_LEN:
                    tally.skipped += 1
                    tally.reasons += [f"{label}: longer than the lane takes: skipped"]
                    continue
                vectors.append(
                    Vector(name=label, msg=msg, valid=test["result"] != "invalid", **fields)
                )
    except (KeyError, TypeError, ValueError) as error:
        raise VectorError(f"{name} is no Wycheproof AEAD file: {error!r}") from error
    return vectors, tally


def run_vectors(documents: Sequence[tuple[str, Any]], parameters: Parameters) -> Tally:
    """Run all cases of the documents on the RTL lane with these parameters."""
    vectors, tally = [], Tally()
    for name, document in documents:
        some, left_out = read(document, name)
        vectors += some
        tally.skipped += left_out.skipped
        tally.reasons = [*tally.reasons, *left_out.reasons]
    if not vectors:
        return tally
    folder = BUILD / "vectors"
    folder.mkdir(parents=True, exist_ok=True)
    label = "_".join(f"{k}{v}" for k, v in parameters.items()) or "full"
    job, answer = folder / f"{os.getpid()}_{label}.json", folder / f"{os.getpid()}_{label}.out.json"
    job.write_text(json.dumps([asdict(v) for v in vectors], default=bytes.hex))
    answer.unlink(missing_ok=True)
    result = run(
        "tls_gcm",
        "cocotb_tests.vectors",  # this file, whatever it is run as
        parameters,
        name=f"vectors_{label}_{os.getpid()}",
        env={"VECTOR_JOB": str(job), "VECTOR_ANSWER": str(answer)},
    )
    if not answer.exists() or result.failed:
        raise RuntimeError(f"the simulation ended early:\n{result.log[-4000:]}")
    verdicts: list[str] = json.loads(answer.read_text())
    tally.failed = sum(bool(v) for v in verdicts)
    tally.passed = len(verdicts) - tally.failed
    tally.reasons += [v for v in verdicts if v]
    return tally


def own_documents() -> Iterator[tuple[str, Any]]:
    """The vectors that the project has: NIST CAVP and those in model/tests/vectors."""
    for name in cavp.FILES:
        yield name, cavp.wycheproof(name)
    for path in OWN:
        yield path.name, json.loads(path.read_text())


# ---- inside the simulator ----


def parts(vector: Vector, slot: int, decrypt: bool) -> list[Part]:
    """The case as parts: its text whole, AAD over 16 bytes on its own."""
    size = len(vector.ct)
    text = vector.ct if decrypt else vector.msg or b""
    inline = vector.aad if len(vector.aad) <= MAX_INLINE_AAD else b""
    made = [Part(slot, decrypt, 0, size, 0, text, inline, len(vector.aad))]
    if not inline and vector.aad:
        made.append(Part(slot, decrypt, 0, size, 0, vector.aad, b"", len(vector.aad), is_aad=True))
    return made


def judge(vector: Vector, decrypt: bool, sent: list[Sent]) -> str:
    """Empty when right, else what is wrong."""
    if any(one.error for one in sent):
        return f"{vector.name}: the lane refused it: {sent[0].error.name}"
    text, tag = bytes(sent[0].text), xor(*(one.sum or b"" for one in sent))
    if not vector.valid:
        return f"{vector.name}: a wrong tag was accepted" if tag == vector.tag else ""
    want = vector.msg if decrypt else vector.ct
    verb = "decrypt" if decrypt else "encrypt"
    if text != want:
        return f"{vector.name}: {verb}: text {text.hex()}, not {(want or b'').hex()}"
    return "" if tag == vector.tag else f"{vector.name}: {verb}: tag {tag.hex()}"


@cocotb.test()
async def every_vector(dut: Any) -> None:
    """Each case on a key slot of its own, some slots at a time."""
    job: list[dict[str, Any]] = json.loads(Path(os.environ["VECTOR_JOB"]).read_text())
    vectors = [
        Vector(
            name=case["name"],
            msg=None if case["msg"] is None else bytes.fromhex(case["msg"]),
            valid=case["valid"],
            **{k: bytes.fromhex(case[k]) for k in ("key", "iv", "aad", "ct", "tag")},
        )
        for case in job
    ]
    bench = LaneBench(dut)
    await bench.start()
    verdicts = []
    for at in range(0, len(vectors), UNDER_WAY):
        some = vectors[at : at + UNDER_WAY]
        for slot, vector in enumerate(some):
            bench.install(slot, Cipher(len(vector.key) // 16), vector.key, vector.iv)
        await bench.installed(at + len(some))
        sent = [
            (slot, decrypt, [bench.send(p) for p in parts(vector, slot, decrypt)])
            for slot, vector in enumerate(some)
            for decrypt in ((False, True) if vector.valid else (True,))
        ]
        await bench.until(lambda: not bench.open_sums)
        await bench.drain()
        found = [""] * len(some)
        for slot, decrypt, back in sent:
            found[slot] = found[slot] or judge(some[slot], decrypt, back)
        verdicts += found
    Path(os.environ["VECTOR_ANSWER"]).write_text(json.dumps(verdicts))


def main() -> int:
    """The command line above."""
    parser = argparse.ArgumentParser(description="run AES-GCM vectors through the RTL lane")
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE.json")
    parser.add_argument(
        "--configuration",
        choices=CONFIGURATIONS,
        default="small" if simulator() == "icarus" else "full",
        help="of the lane; small on Icarus if not given, for the full one takes minutes there",
    )
    options = parser.parse_args()
    parameters = CONFIGURATIONS[options.configuration]
    print(f"tls_gcm, {options.configuration} configuration, {simulator()}", flush=True)
    try:
        documents = [(p.name, json.loads(p.read_text())) for p in options.files]
        tally = run_vectors(documents or list(own_documents()), parameters)
    except (OSError, ValueError, VectorError) as error:
        print(f"vectors: {error}", file=sys.stderr)
        return 2
    for reason in tally.reasons:
        print(reason)
    print(tally)
    return 1 if tally.failed else 0


if __name__ == "__main__":
    sys.exit(main())
