"""The RTL as a device: verilated, in this process, clock by clock behind a bulk interface.

Slower than the model, and the real thing: every frame goes through `hdl/tlsnic.v`. Calls run as
many clocks as they need; DeviceError when a device answers nothing for a long while.
"""

from __future__ import annotations

import ctypes
from array import array
from collections.abc import Sequence
from typing import Any, Final

from host.device import RxDescriptor
from host.verilate import Parameters, library

# the kinds of S-box and multiplier that are simulated fastest: the same bits in the same clocks
FASTEST: Final[Parameters] = {"SBOX": "WORDS", "MUL": "WORDS"}
PATIENCE: Final = 1_000_000  # clocks without what was waited for: far beyond any that is honest
SLVERR: Final = 2
BATCH: Final = 256  # frames on their way back at a time
MAX_BYTES: Final = 1 << 22


class DeviceError(Exception):
    """The device answered with an error, or not at all."""


class RtlDevice:
    """A `Device` that is the RTL.

    Args:
        parameters: of `hdl/tlsnic.v`, where not the default, or FASTEST.
        gap: of 256 clocks, those without a word from the wire; at random.
        stall: of 256 clocks, those in which the host does not take one.
        seed: of these.
    """

    def __init__(
        self, parameters: Parameters | None = None, gap: int = 0, stall: int = 0, seed: int = 0
    ) -> None:
        self._lib: Any = ctypes.CDLL(str(library({**FASTEST, **(parameters or {})})))
        self._lib.tlsnic_new.restype = ctypes.c_void_p
        self._lib.tlsnic_clocks.restype = ctypes.c_uint64
        self._handle: Any = ctypes.c_void_p(self._lib.tlsnic_new())
        self._lib.tlsnic_pace(self._sim, gap, stall, ctypes.c_uint64(seed))
        self._buffer = ctypes.create_string_buffer(MAX_BYTES)
        self._lengths = (ctypes.c_uint32 * BATCH)()
        self._words = (ctypes.c_uint64 * BATCH)()

    @property
    def _sim(self) -> Any:
        if self._handle is None:
            raise DeviceError("the device is closed")
        return self._handle

    @property
    def clocks(self) -> int:
        """Clocks since reset."""
        return int(self._lib.tlsnic_clocks(self._sim))

    def read(self, addr: int) -> int:
        """A register of 32 bits."""
        value = ctypes.c_uint32()
        patience = ctypes.c_uint64(PATIENCE)
        self._check(addr, self._lib.tlsnic_read(self._sim, addr, ctypes.byref(value), patience))
        return value.value

    def write(self, addr: int, value: int) -> None:
        """Write a register of 32 bits."""
        patience = ctypes.c_uint64(PATIENCE)
        self._check(addr, self._lib.tlsnic_write(self._sim, addr, value, patience))

    def _check(self, addr: int, response: int) -> None:
        if response < 0:
            raise DeviceError(f"no answer from register {addr:#05x}")
        if response == SLVERR:
            raise DeviceError(f"no register at {addr:#05x}")

    def rx_send(self, frames: Sequence[bytes], left: int = 0) -> None:
        """Let frames in, and return as soon as at most `left` of all are still to go in."""
        if not all(frames):
            raise ValueError("a frame without bytes")
        lengths = array("I", map(len, frames))
        pointer = (ctypes.c_uint32 * len(frames)).from_buffer(lengths) if frames else None
        self._lib.tlsnic_send(self._sim, b"".join(frames), pointer, len(frames))
        self._run(0, left)

    def rx_take(self, frames: int) -> list[tuple[bytes, RxDescriptor]]:
        """The next frames that come out; waits for as many."""
        taken: list[tuple[bytes, RxDescriptor]] = []
        while len(taken) < frames:
            self._run(min(BATCH, frames - len(taken)), 1 << 40)
            wanted = min(BATCH, frames - len(taken))
            taken += [(frame, RxDescriptor.unpack(word)) for frame, word in self._waiting(wanted)]
        return taken

    def _waiting(self, frames: int) -> list[tuple[bytes, int]]:
        """Frames that have come out, at most so many and at most BATCH, with their descriptors."""
        room = ctypes.c_uint64(MAX_BYTES)
        count = self._lib.tlsnic_take(
            self._sim, self._buffer, room, self._lengths, self._words, frames
        )
        taken: list[tuple[bytes, int]] = []
        start = 0
        view = memoryview(self._buffer)
        for length, word in zip(self._lengths[:count], self._words[:count], strict=True):
            taken.append((bytes(view[start : start + length]), word))
            start += length
        return taken

    def _run(self, out: int, left: int) -> None:
        limits = (ctypes.c_uint64(n) for n in (out, left, PATIENCE * max(1, out)))
        if self._lib.tlsnic_run(self._sim, *limits) < 0:
            raise DeviceError(f"{PATIENCE} clocks, and a frame did not come through")

    def receive(self, frames: Sequence[bytes]) -> list[tuple[bytes, RxDescriptor]]:
        """Frames from the wire to what the host gets of them: one each, in order."""
        self.rx_send(frames, left=len(frames))
        return self.rx_take(len(frames))

    def close(self) -> None:
        """Give up the simulation; the device is not to be used afterwards."""
        if self._handle is not None:
            self._lib.tlsnic_delete(self._handle)
        self._handle = None
