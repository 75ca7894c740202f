"""The RTL as a device: verilated, in this process, clock by clock behind a bulk interface.

Slower than the model, and the real thing: every frame goes through `hdl/tlsnic.v`. Calls run as
many clocks as they need, in which both directions go on; DeviceError when a device answers nothing
for a long while.
"""

from __future__ import annotations

import ctypes
from array import array
from collections.abc import Sequence
from enum import IntEnum
from typing import Any, Final

from host.device import RxDescriptor, Sent, TxCompletion, TxDescriptor, sent
from host.verilate import Parameters, library

# the kinds of S-box and multiplier that are simulated fastest: the same bits in the same clocks
FASTEST: Final[Parameters] = {"SBOX": "WORDS", "MUL": "WORDS", "DOZE": 1}
PATIENCE: Final = 1_000_000  # clocks without what was waited for: far beyond any that is honest
SLVERR: Final = 2
BATCH: Final = 256  # frames on their way back at a time
MAX_BYTES: Final = 1 << 22


class Stream(IntEnum):
    """Streams of the device, as `rtl/shim.cpp` has them."""

    RX = 0  # frames from the wire, and to the host
    TX = 1  # frames from the host, and to the wire
    COMPLETIONS = 2  # words to the host


class DeviceError(Exception):
    """The device answered with an error, or not at all."""


class RtlDevice:
    """A `Device` that is the RTL.

    Args:
        parameters: of `hdl/tlsnic.v`, where not the default, or FASTEST.
        gap: of 256 clocks, those without a word of a frame that is to go in; at random.
        stall: of 256 clocks, those in which none is taken that comes out.
        seed: of these.
    """

    def __init__(
        self, parameters: Parameters | None = None, gap: int = 0, stall: int = 0, seed: int = 0
    ) -> None:
        self._lib: Any = ctypes.CDLL(str(library({**FASTEST, **(parameters or {})})))
        self._lib.tlsnic_new.restype = ctypes.c_void_p
        self._lib.tlsnic_clocks.restype = ctypes.c_uint64
        self._handle: Any = ctypes.c_void_p(self._lib.tlsnic_new())
        self._lib.tlsnic_seed(self._sim, ctypes.c_uint64(seed))
        for stream in Stream:
            self.pace(stream, gap, stall)
        self._buffer = ctypes.create_string_buffer(MAX_BYTES)
        self._lengths = (ctypes.c_uint32 * BATCH)()
        self._words = (ctypes.c_uint64 * BATCH)()

    @property
    def _sim(self) -> Any:
        if self._handle is None:
            raise DeviceError("the device is closed")
        return self._handle

    def pace(self, stream: Stream, gap: int, stall: int) -> None:
        """Gaps and stalls of one stream, of 256 clocks."""
        self._lib.tlsnic_pace(self._sim, stream, gap, stall)

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
        """Let frames from the wire in; return as soon as at most `left` of all are to go in."""
        self._send(Stream.RX, frames, None)
        self._run(Stream.RX, 0, left)

    def rx_take(self, frames: int) -> list[tuple[bytes, RxDescriptor]]:
        """The next frames that come out to the host; waits for as many."""
        return [(frame, RxDescriptor.unpack(word)) for frame, word in self._take(Stream.RX, frames)]

    def tx_send(self, items: Sequence[tuple[bytes, int]], left: int = 0) -> None:
        """Let items of the host in, each with its descriptor; return as `rx_send`."""
        words = array("I", (word for _, word in items))
        self._send(Stream.TX, [data for data, _ in items], words)
        self._run(Stream.TX, 0, left)

    def tx_take(self, frames: int) -> list[bytes]:
        """The next frames that come out to the wire; waits for as many."""
        return [frame for frame, _ in self._take(Stream.TX, frames)]

    def txc_take(self, words: int) -> list[tuple[bytes, int]]:
        """The next completions, 16 bytes and a word each; waits for as many."""
        return self._take(Stream.COMPLETIONS, words)

    def _send(self, stream: Stream, frames: Sequence[bytes], words: array[int] | None) -> None:
        if not all(frames):
            raise ValueError("a frame without bytes")
        if frames:
            numbers = ctypes.c_uint32 * len(frames)
            lengths = numbers.from_buffer(array("I", map(len, frames)))
            users = None if words is None else numbers.from_buffer(words)
            joined = b"".join(frames)
            self._lib.tlsnic_send(self._sim, stream, joined, lengths, users, len(frames))

    def _take(self, stream: Stream, frames: int) -> list[tuple[bytes, int]]:
        """The next frames that come out; waits for as many."""
        taken: list[tuple[bytes, int]] = []
        while len(taken) < frames:
            wanted = min(BATCH, frames - len(taken))
            self._run(stream, wanted, 1 << 40)
            taken += self._waiting(stream, wanted)
        return taken

    def _waiting(self, stream: Stream, frames: int) -> list[tuple[bytes, int]]:
        """Frames that have come out, at most so many and at most BATCH, with their words."""
        room = ctypes.c_uint64(MAX_BYTES)
        count = self._lib.tlsnic_take(
            self._sim, stream, self._buffer, room, self._lengths, self._words, frames
        )
        taken: list[tuple[bytes, int]] = []
        start = 0
        view = memoryview(self._buffer)
        for length, word in zip(self._lengths[:count], self._words[:count], strict=True):
            taken.append((bytes(view[start : start + length]), word))
            start += length
        return taken

    def _run(self, stream: Stream, out: int, left: int) -> None:
        limits = (ctypes.c_uint64(n) for n in (out, left, PATIENCE * max(1, out)))
        if self._lib.tlsnic_run(self._sim, stream, *limits) < 0:
            raise DeviceError(f"{PATIENCE} clocks, and a frame did not come through")

    def receive(self, frames: Sequence[bytes]) -> list[tuple[bytes, RxDescriptor]]:
        """Frames from the wire to what the host gets of them: one each, in order."""
        self.rx_send(frames, left=len(frames))
        return self.rx_take(len(frames))

    def send(self, items: Sequence[tuple[bytes, TxDescriptor]]) -> list[Sent]:
        """Items of the transmit queue to what became of them: one each, in order."""
        self.tx_send([(data, descriptor.pack()) for data, descriptor in items], left=len(items))
        completions: list[TxCompletion] = []
        missing = len(items)
        while missing:  # a tag's word is none of an item
            words = self.txc_take(missing)
            completions += [TxCompletion.unpack(data, word) for data, word in words]
            missing = len(items) - sum(each.tag is None for each in completions)
        return sent(completions, self.tx_take(sum(each.sent for each in completions)))

    def close(self) -> None:
        """Give up the simulation; the device is not to be used afterwards."""
        if self._handle is not None:
            self._lib.tlsnic_delete(self._handle)
        self._handle = None
