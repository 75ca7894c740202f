"""Published vectors through the RTL lane: NIST CAVP and RFC 8448; and the runner's own errors."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cocotb_tests import cavp
from cocotb_tests.harness import simulator
from cocotb_tests.vectors import CONFIGURATIONS, OWN, own_documents, run_vectors
from host.verilate import ROOT, Parameters

FULL, SMALL = CONFIGURATIONS["full"], CONFIGURATIONS["small"]
CASES = 1500 + 27  # CAVP: four files of 375; RFC 8448


def every(step: int, documents: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
    """The documents with every `step`th of their cases."""
    thinned = copy.deepcopy(documents)
    for _, document in thinned:
        for group in document["testGroups"]:
            group["tests"] = group["tests"][::step]
    return thinned


@pytest.fixture(scope="module")
def documents() -> list[tuple[str, Any]]:
    return list(own_documents())


@pytest.mark.parametrize(
    "parameters",
    [pytest.param(FULL, id="full"), pytest.param(SMALL, id="small", marks=pytest.mark.regress)],
)
def test_all_on_verilator(documents: list[tuple[str, Any]], parameters: Parameters) -> None:
    if simulator() != "verilator":
        pytest.skip("Icarus has its own share below")
    tally = run_vectors(documents, parameters)
    assert (tally.passed, tally.failed, tally.skipped) == (CASES, 0, 0), tally.reasons


def test_a_share_on_verilator(documents: list[tuple[str, Any]]) -> None:
    if simulator() != "verilator":
        pytest.skip("Icarus has its own share below")
    tally = run_vectors(every(4, documents), SMALL)
    assert tally.passed > CASES // 4
    assert (tally.failed, tally.skipped) == (0, 0), tally.reasons


def test_a_share_on_icarus(documents: list[tuple[str, Any]]) -> None:
    if simulator() != "icarus":
        pytest.skip("Verilator has them all above")
    tally = run_vectors(every(12, documents), SMALL)
    assert tally.passed > CASES // 12
    assert (tally.failed, tally.skipped) == (0, 0), tally.reasons


def test_short_ones_on_icarus_in_full(documents: list[tuple[str, Any]]) -> None:
    if simulator() != "icarus":
        pytest.skip("Verilator has them all above")
    tally = run_vectors(every(250, documents), FULL)
    assert tally.passed > 4
    assert (tally.failed, tally.skipped) == (0, 0), tally.reasons


@pytest.mark.regress
def test_all_on_icarus(documents: list[tuple[str, Any]]) -> None:
    if simulator() != "icarus":
        pytest.skip("Verilator runs them all every time")
    tally = run_vectors(documents, SMALL)
    assert (tally.passed, tally.failed) == (CASES, 0), tally.reasons


def test_wrong_vectors_are_found(documents: list[tuple[str, Any]]) -> None:
    """A wrong text, a wrong tag, and a right tag that the file calls wrong: three failures."""
    document = json.loads(OWN[0].read_text())
    tests = document["testGroups"][0]["tests"] = document["testGroups"][0]["tests"][3:7]
    tests[0]["ct"] = "00" + tests[0]["ct"][2:]
    tests[1]["tag"] = "00" + tests[1]["tag"][2:]
    tests[2]["result"] = "invalid"
    tally = run_vectors([("spoilt", document)], SMALL)
    assert (tally.passed, tally.failed) == (1, 3)
    assert any("a wrong tag was accepted" in reason for reason in tally.reasons)


def test_other_sizes_are_skipped() -> None:
    document = json.loads(OWN[0].read_text())
    group = document["testGroups"][0]
    document["testGroups"] = [group | {"keySize": 192}, group | {"ivSize": 64}]
    tally = run_vectors([("others", document)], SMALL)
    assert (tally.passed, tally.failed) == (0, 0)
    assert tally.skipped == 2 * len(group["tests"])


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"testGroups": [{}]}', '{"testGroups": 1}'], ids=range(4)
)
def test_a_file_that_is_none_is_told(tmp_path: Path, text: str) -> None:
    file = tmp_path / "no.json"
    file.write_text(text)
    done = subprocess.run(
        [sys.executable, "-m", "cocotb_tests.vectors", str(file)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("vectors: ")
    assert "Traceback" not in done.stderr


def test_cavp_is_read_whole() -> None:
    """Each file has 375 cases for TLS's sizes; of those to decrypt about half must fail."""
    for name in cavp.FILES:
        tests = cavp.wycheproof(name)["testGroups"][0]["tests"]
        failing = sum(test["result"] == "invalid" for test in tests)
        assert len(tests) == 375
        assert failing == 0 if "Encrypt" in name else 100 < failing < 275
