"""The RTL in this process as a device: each stream at its pace, both directions at once."""

from __future__ import annotations

import contextlib
from random import Random

import pytest

from cocotb_tests.harness import seed
from host.crypto_info import Version
from host.device import TxContext, TxDescriptor
from host.device_model import ModelDevice
from host.device_rtl import RtlDevice
from host.driver_tx import OutOfOrder
from host.regs import TxDrop, TxKind
from host.sweep_check import Both
from host.tests.test_transmit import Path, written_and_read

PACES = [(0, 0), (100, 0), (0, 100), (128, 128)]
LEAVES = 1 << 17  # of a completion


@pytest.mark.parametrize(("gap", "stall"), PACES)
def test_what_is_sent_is_what_the_model_sends(gap: int, stall: int) -> None:
    random = Random(seed())
    print(f"SEED={seed()}")
    items = [(random.randbytes(size), TxDescriptor(0, TxKind.PLAIN)) for size in range(1, 100)]
    items += [(random.randbytes(60), TxDescriptor(3, kind)) for kind in TxKind]
    items += [(TxContext(1, 2, seek=True).pack(), TxDescriptor(3, TxKind.CONTEXT))]
    items += [(bytes(9601), TxDescriptor(0, TxKind.PLAIN)), (b"x", TxDescriptor(9, TxKind.PLAIN))]
    random.shuffle(items)
    rtl = RtlDevice(gap=gap, stall=stall, seed=seed())
    with contextlib.closing(Both(ModelDevice(), rtl)) as both:
        told = both.send(items)
        assert both.send([]) == []
    assert {sent.reason for sent in told} == {TxDrop.NONE, TxDrop.DISABLED, TxDrop.BAD_FRAME}


@pytest.mark.parametrize("way", OutOfOrder)
@pytest.mark.parametrize("version", Version)
def test_the_stack_sends_as_through_the_model(version: Version, way: OutOfOrder) -> None:
    print(f"SEED={seed()}")
    rtl = RtlDevice(gap=30, stall=30, seed=seed())
    with contextlib.closing(Both(ModelDevice(), rtl)) as both:
        written_and_read(Path(version, way, f"{version} {way} {seed()}", both))


@pytest.mark.parametrize(("gap", "stall"), PACES)
@pytest.mark.parametrize("few", ["rx", "tx"])
def test_both_directions_go_on_at_once(few: str, gap: int, stall: int) -> None:
    """While many frames go one way, one goes the other, and takes no clock of its own."""
    random = Random(seed())
    print(f"SEED={seed()}")
    # frames that are not IP: they pass
    frames = [bytes(14) + random.randbytes(random.randrange(300)) for _ in range(100)]
    rx, tx = (frames[:1], frames) if few == "rx" else (frames, frames[:1])
    with contextlib.closing(RtlDevice(gap=gap, stall=stall, seed=seed())) as device:
        device.rx_send(rx, left=len(rx))
        device.tx_send([(frame, 7) for frame in tx], left=len(tx))

        def from_wire() -> None:
            assert [frame for frame, _ in device.rx_take(len(rx))] == rx

        def to_wire() -> None:
            assert device.tx_take(len(tx)) == tx
            assert device.txc_take(len(tx)) == [(bytes(16), 7 | LEAVES)] * len(tx)

        many, one = (to_wire, from_wire) if few == "rx" else (from_wire, to_wire)
        many()
        clocks = device.clocks
        one()
        assert device.clocks == clocks


def test_an_empty_frame_is_the_callers_error() -> None:
    with contextlib.closing(RtlDevice()) as device:
        with pytest.raises(ValueError, match="without bytes"):
            device.tx_send([(b"", 0)])
        with pytest.raises(ValueError, match="without bytes"):
            device.rx_send([b"frame", b""])
        assert device.clocks < 10
