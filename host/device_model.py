"""The golden model as a device. No other file of the host knows the model."""

from __future__ import annotations

from collections.abc import Sequence

from host.device import RxDescriptor, Sent, TxCompletion, TxDescriptor, sent
from model import tlsnic
from model.tlsnic import Config, Tlsnic


class ModelDevice:
    """A `Device` that computes what the RTL would do. Frames are handled as they come."""

    def __init__(self, connections: int = 64) -> None:
        self._nic = Tlsnic(Config(connections=connections))

    def read(self, addr: int) -> int:
        """A register of 32 bits."""
        return self._nic.read(addr)

    def write(self, addr: int, value: int) -> None:
        """Write a register of 32 bits."""
        self._nic.write(addr, value)

    def receive(self, frames: Sequence[bytes]) -> list[tuple[bytes, RxDescriptor]]:
        """Frames from the wire to what the host gets of them: one each, in order."""
        received = map(self._nic.receive, frames)
        return [(frame, RxDescriptor.unpack(descriptor.pack())) for frame, descriptor in received]

    def send(self, items: Sequence[tuple[bytes, TxDescriptor]]) -> list[Sent]:
        """Items of the transmit queue to what became of them: one each, in order."""
        completions: list[TxCompletion] = []
        frames: list[bytes] = []
        for data, descriptor in items:
            came = self._nic.send(data, tlsnic.TxDescriptor.unpack(descriptor.pack()))
            frames += [came.frame] if came.frame is not None else []
            for tag, word in (each.pack() for each in came.completions):
                completions.append(TxCompletion.unpack(tag.to_bytes(16, "little"), word))
        return sent(completions, frames)

    def close(self) -> None:
        """Nothing to give up."""
