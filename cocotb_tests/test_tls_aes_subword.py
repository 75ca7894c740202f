"""tls_aes_subword, the S-box in each way to build it: every input against model.aes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import cocotb
import pytest
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge

from cocotb_tests import harness
from cocotb_tests.streams import rng_of_test
from host.verilate import Parameters
from model.aes import SBOX

LEGAL = [
    *(("TABLE", regs) for regs in range(3)),
    *(("GATES", regs) for regs in range(3)),
    *(("WORDS", regs) for regs in range(3)),
    *(("BLOCK", regs) for regs in (1, 2)),
]
ILLEGAL = [
    ("ROM", 2, "tls_aes_subword_has_no_such_kind"),
    ("BLOCK", 0, "tls_aes_subword_has_no_such_kind"),
    ("TABLE", 3, "tls_aes_subword_regs_is_0_to_2"),
]


@cocotb.test(timeout_time=100, timeout_unit="us")
async def every_byte_in_every_lane_is_substituted(dut: Any) -> None:
    """Each lane has its own order of all bytes and a new one each clock: a wrong delay shows."""
    rng = rng_of_test()
    delay = int(os.environ["REGS"])
    lanes = [rng.sample(range(256), 256) for _ in range(4)]
    words = [bytes(word) for word in zip(*lanes, strict=True)]
    expected = [bytes(SBOX[b] for b in word) for word in words]

    Clock(dut.clk, 10, unit="ns").start()
    edge = RisingEdge(dut.clk)
    await edge
    for clock in range(len(words) + delay):
        if clock < len(words):
            dut.a.value = int.from_bytes(words[clock])
        await edge  # sees `a` of this clock, and `y` of the word that came `delay` clocks before
        if clock >= delay:
            at = clock - delay
            got = int(dut.y.value).to_bytes(4)
            assert got == expected[at], f"{words[at].hex()}: {got.hex()}, not {expected[at].hex()}"


@pytest.mark.parametrize(("kind", "regs"), LEGAL)
def test_tls_aes_subword(kind: str, regs: int) -> None:
    parameters: Parameters = {"KIND": kind, "REGS": regs}
    harness.simulate("tls_aes_subword", __name__, parameters, env={"REGS": str(regs)})


@pytest.mark.parametrize(("kind", "regs", "message"), ILLEGAL)
def test_what_cannot_be_built_stops_the_build(
    kind: str, regs: int, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(harness, "BUILD", tmp_path)
    with pytest.raises(RuntimeError, match="Command failed"):
        harness.build("tls_aes_subword", {"KIND": kind, "REGS": regs})
    (log,) = tmp_path.glob("*/*/build.log")
    assert message in log.read_text()
