"""The stack's half of receive resynchronisation: which record number to tell a device that lost it.

In: requests of the driver; of the stack's parser, where each record starts and how it came. Out:
places in the stream, with the number of the record there, that the driver is to be told. No I/O,
and nothing is raised. net/tls/tls_device.c, `tls_device_rx_resync_new_rec()` and its surroundings.

Which side begins is the driver's choice, made when the connection is added:

    DRIVER_REQ        the device saw a header: the stack answers when it comes to that place
    CORE_NEXT_HINT    the stack sees that nothing is decrypted, and tells where the next record is
    DRIVER_REQ_ASYNC  the device lost the boundary, and says only later which header it follows

Sequence numbers of DRIVER_REQ are of a header's last byte, in request and answer; those of the
others are of its first.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from host.record import HEADER
from host.tcp import MASK, distance

NH_START_IVAL: Final = 2  # encrypted records before the first hint: one more than these
NH_MAX_IVAL: Final = 128  # up to here their number doubles, then grows by as much
ASYNC_LOGMAX: Final = 13
DELTA_MAX: Final = 0xFFFF
LENGTH_MASK: Final = 0xFFFF
NUMBER_MASK: Final = (1 << 64) - 1


class ResyncType(IntEnum):
    """Who begins (`enum tls_offload_sync_type`)."""

    DRIVER_REQ = 0
    CORE_NEXT_HINT = 1
    DRIVER_REQ_ASYNC = 2


@dataclass(frozen=True, slots=True)
class Resync:
    """To be told to the device: the record of this number is at this place."""

    seq: int
    number: int


@dataclass(frozen=True, slots=True)
class _Request:
    """What the driver asked; `length` is None if about one place, else of a span from it on."""

    seq: int
    length: int | None = None


class RxResync:
    """Receive resynchronisation of one connection (`struct tls_offload_context_rx`).

    Attributes:
        type: who begins. The driver may set it while it adds the connection.
    """

    def __init__(self) -> None:
        self.type = ResyncType.DRIVER_REQ
        self._request: _Request | None = None
        self._parsed: int | None = None  # place of the last header
        self._log: list[int] = []  # of records that start in the span
        self._delta = 0  # records since the first of these, with it
        self._do_now = False  # the next header that has none behind it is to be told
        self._reset = True  # the next encrypted record is the first
        self._failed = 0  # encrypted records one behind the other
        self._target = 0

    # -- the driver's -----------------------------------------------------------------------------

    def request(self, seq: int) -> None:
        """Ask whether a header ends at `seq` (`tls_offload_rx_resync_request()`).

        It stands until it is answered, or another takes its place.
        """
        self._request = _Request(seq)

    def request_start(self, seq: int, length: int) -> None:
        """Have the records noted that start in a span (`..._async_request_start()`)."""
        self._request = _Request(seq, length & LENGTH_MASK)
        self._log, self._delta = [], 0

    def request_end(self, seq: int) -> None:
        """Ask, after that, about the one that starts at `seq` (`..._async_request_end()`)."""
        self._request = _Request(seq)

    def request_cancel(self) -> None:
        """Ask nothing any more (`..._async_request_cancel()`)."""
        self._request = None

    @property
    def gone_by(self) -> bool:
        """What is asked will never be answered: the stack has been at that place, or is past it.

        It is the driver that looks, as it can in a kernel, where it has the socket (`copied_seq`)
        and the request: the stack says nothing of a place that is no header.
        """
        request = self._request
        if request is None or request.length is not None or self._parsed is None:
            return False
        if self.type is ResyncType.DRIVER_REQ:
            return distance(self._parsed, request.seq - (HEADER - 1)) >= 0
        return request.seq not in self._log and distance(self._parsed, request.seq) >= 0

    # -- the stack's ------------------------------------------------------------------------------

    def new_rec(self, seq: int, size: int, number: int, queued: int) -> Resync | None:
        """A record's header was parsed (`tls_device_rx_resync_new_rec()`).

        Args:
            seq: of its first byte.
            size: of the record with its header.
            number: of the record.
            queued: bytes from `seq` on that are there.
        """
        self._parsed = seq
        match self.type:
            case ResyncType.CORE_NEXT_HINT:
                if not self._do_now or queued > size:
                    return None
                self._do_now = False
                return _resync(seq + size, number + 1)
            case ResyncType.DRIVER_REQ:
                end = seq + HEADER - 1 & MASK
                if self._request != _Request(end):
                    return None
                self._request = None
                return _resync(end, number)
            case ResyncType.DRIVER_REQ_ASYNC:
                return self._new_rec_async(seq, number)

    def _new_rec_async(self, seq: int, number: int) -> Resync | None:
        request = self._request
        if request is None:
            return None
        if request.length is not None:
            self._note(request.seq, request.length, seq)
            return None
        log, delta = self._log, self._delta
        self._log, self._delta = [], 0
        if request.seq in log:
            back = delta - log.index(request.seq)
        elif request.seq == seq:
            back = 0
        else:
            return None
        self._request = None
        return _resync(request.seq, number - back)

    def _note(self, first: int, length: int, seq: int) -> None:
        if self._delta == DELTA_MAX:  # the device never said which
            self._request = None
            return
        ahead = distance(seq, first)
        if ahead < 0:
            return
        if distance(seq, first + length) <= 0 and len(self._log) < ASYNC_LOGMAX:
            self._log.append(seq)
        self._delta += 1

    def not_encrypted(self) -> None:
        """A record came of which the device decrypted something."""
        self._reset = True

    def encrypted(self, following: int, number: int, more: bool) -> Resync | None:
        """A record came of which it decrypted nothing (`tls_device_core_ctrl_rx_resync()`).

        Args:
            following: sequence number behind the record.
            number: of the record.
            more: bytes from there on are in the queue, so the device has seen them.
        """
        if self.type is not ResyncType.CORE_NEXT_HINT or self._do_now:
            return None
        if self._reset:
            self._reset, self._failed, self._target = False, 1, NH_START_IVAL
            return None
        self._failed += 1
        if self._failed <= self._target:
            return None
        self._target += min(self._target, NH_MAX_IVAL)
        if more:
            self._do_now = True
            return None
        return _resync(following, number + 1)


def _resync(seq: int, number: int) -> Resync:
    return Resync(seq & MASK, number & NUMBER_MASK)
