"""The sweep with model and RTL side by side: streams with losses, answers that come late."""

from __future__ import annotations

import contextlib

import pytest

from cocotb_tests.harness import seed
from host.device_model import ModelDevice
from host.device_rtl import RtlDevice
from host.sweep import LOSS, REORDER, SWITCHES, Point, measure
from host.sweep_check import Both


@pytest.mark.parametrize("mode", SWITCHES)
@pytest.mark.parametrize(("experiment", "distance"), [(LOSS, 60), (REORDER, 9)])
def test_model_and_rtl_agree(experiment: str, distance: int, mode: str) -> None:
    point = Point(experiment, 5, distance, mode, confirm=5, streams=4, records=64, seed=seed())
    print(f"SEED={seed()}")
    with contextlib.closing(Both(ModelDevice(), RtlDevice())) as both:
        result = measure(point, both, burst=point.streams)
    assert result.mismatches == 0
    assert both.frames == result.frames > result.decrypted > 0
