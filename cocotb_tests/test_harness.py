"""The harness itself: a red cocotb test is a red test that says how to repeat it; waves are FST."""

from __future__ import annotations

from typing import Any

import cocotb
import pytest

from cocotb_tests import harness
from cocotb_tests.streams import start
from host.verilate import BUILD


@cocotb.test(timeout_time=1, timeout_unit="us")
async def passes(dut: Any) -> None:
    """Only resets."""
    await start(dut)


@cocotb.test(timeout_time=1, timeout_unit="us")
async def fails(dut: Any) -> None:
    """Always red."""
    await start(dut)
    raise AssertionError("this one always fails")


def test_a_red_cocotb_test_is_a_red_test(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEED", "4711")
    with pytest.raises(pytest.fail.Exception) as failure:
        harness.simulate("axis_fifo", __name__)
    said = str(failure.value)
    assert "1 of 2 cocotb tests failed" in said
    assert "this one always fails" in said
    assert f"make sim SIM={harness.simulator()} SEED=4711 WAVES=1 TEST='cocotb_tests/" in said


def test_no_cocotb_test_at_all_is_a_red_test() -> None:
    with pytest.raises(pytest.fail.Exception, match="0 of 0"):
        harness.simulate("axis_fifo", __name__, testcase="there_is_none")


def test_waves_are_fst(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAVES", "1")
    name = f"waves_test_{harness.simulator()}"
    file = BUILD / "waves" / f"{harness.simulator()}_{name}.fst"
    file.unlink(missing_ok=True)
    result = harness.run("axis_fifo", __name__, name=name, testcase="passes")
    assert (result.ran, result.failed) == (1, 0), result.log
    assert file.read_bytes()[0] in (0, 254), "no FST header block"  # 254: zipped whole
    assert file.stat().st_size > 200


def test_a_build_keeps_no_precompiled_headers() -> None:
    # large enough for Verilator to make some; test_tls_aes builds the same
    _, folder = harness.build("tls_aes", {"SMALL": 0, "ROUND_REGS": 3})
    assert (folder / "done").exists()
    assert not list(folder.rglob("*.gch")), "most of a Verilator build's bytes"


def test_another_simulator_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIM", "questa")
    with pytest.raises(pytest.UsageError, match="icarus, verilator"):
        harness.simulator()
