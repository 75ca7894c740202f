"""The receive side of kTLS: from the TCP stream and its decrypted bits to what a program reads.

In: keys, and the chunks of the stream in order, each with the bit that the device gave it. Out:
what one `recv` after another returns. No I/O: only `offload`, a KeyUpdate and `close` call the
driver. Every record is one of three (net/tls/tls_device.c, `tls_device_decrypted()`):

    decrypted   every chunk has the bit: the device authenticated it, only framing is taken off
    encrypted   none has it: decrypted here
    mixed       what the device decrypted is encrypted again, then the record is decrypted here

Errors are OSErrors with the kernel's numbers. EMSGSIZE, EBADMSG and EINVAL (a header that no
record can have; EBADMSG also a record that is not authentic, or TLS 1.3 padding alone) are for
good: every later `recv` raises the same. EIO: a control record is next and the caller wants none;
it stays. EKEYEXPIRED: a KeyUpdate came; `rekey` ends it. An error behind data comes with the next
call.
"""

from __future__ import annotations

import errno
import os
from collections import Counter, deque
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final, Protocol

from cryptography.exceptions import InvalidTag

from host.crypto_info import REC_SEQ_SIZE, CryptoInfo, Version
from host.packet import Flow
from host.record import PREFIX, ContentType, HeaderError, Opener, inner, record_size
from host.regs import Direction
from host.resync import Resync, RxResync
from host.tcp import MASK, Chunk

_KEY_UPDATE: Final = b"\x18"
_EVERYTHING: Final = 1 << 62


class TlsDevOps(Protocol):
    """What the stack asks of a driver."""

    def tls_dev_add(
        self,
        flow: Flow,
        direction: Direction,
        crypto_info: CryptoInfo,
        start_offload_tcp_sn: int,
        resync: RxResync,
    ) -> int:
        """Offload a connection from the record on that starts there; OSError if it cannot be.

        The driver sets there how a lost boundary is found again, and asks there.
        """

    def tls_dev_del(self, context: int, direction: Direction) -> None:
        """End that."""

    def tls_dev_resync(self, context: int, direction: Direction, seq: int, number: int) -> None:
        """Tell which record is at a place; OSError if that cannot be, which changes nothing."""


class Kind(Enum):
    """How a record came."""

    DECRYPTED = "decrypted"
    MIXED = "mixed"
    ENCRYPTED = "encrypted"


@dataclass(frozen=True, slots=True)
class Message:
    """What one `recv` returns: any number of data records, or exactly one other."""

    type: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Offload:
    """Since when the device has a connection: sequence and record number of the first record."""

    seq: int
    number: int


class Receiver:
    """The receive side of one connection. It begins in software.

    Args:
        info: keys, and the number of the first record.
        seq: TCP sequence number of its header.
        mib: statistics, under the names of /proc/net/tls_stat; shared among connections. Whether
            the device or software has a connection is counted once `offload` settled it.

    Attributes:
        records: how many came how.
        resyncs: how often the device was told where a record is.
        offloaded: since when the device has the connection; None if it never had.
        refused: why the driver did not take it; None if it did, or was not asked.
    """

    def __init__(self, info: CryptoInfo, seq: int, mib: Counter[str]) -> None:
        self.records: Counter[Kind] = Counter()
        self.resyncs = 0
        self.offloaded: Offload | None = None
        self.refused: OSError | None = None
        self._opener = self._device_opener = Opener(info)
        self._seq = seq
        self._mib = mib
        self._config = ""  # "Device" or "Sw" while it is counted as such
        self._context: tuple[TlsDevOps, int] | None = None
        self._resync = RxResync()
        self._queue: deque[Chunk] = deque()
        self._queued = 0
        self._size: int | None = None  # of the first record in the queue, once its header is there
        self._read: Message | None = None  # decrypted, and not all of it returned
        self._key_expired = False
        self._error = 0

    @property
    def on_device(self) -> bool:
        """The device has the connection, now."""
        return self._context is not None

    # -- installing -----------------------------------------------------------------------------

    def offload(self, driver: TlsDevOps, flow: Flow) -> bool:
        """Have the device take over from the next record on of which nothing came yet.

        What is queued is software's, so call this when nothing waits out of order behind it.
        False: that boundary, or its key, is not known yet: try again later. True: it is settled,
        and after any error of the driver the connection stays in software, with it in `refused`.
        """
        boundary = self._boundary()
        if boundary is None or self._key_expired:
            return False
        info = replace(self._opener.info, rec_seq=boundary.number.to_bytes(REC_SEQ_SIZE))
        try:
            context = driver.tls_dev_add(flow, Direction.RX, info, boundary.seq, self._resync)
        except OSError as error:
            self.refused = error
            self._config = "Sw"
        else:
            self.offloaded = boundary
            self._device_opener = self._opener
            self._context = driver, context
            self._config = "Device"
        self._mib.update((f"TlsRx{self._config}", f"TlsCurrRx{self._config}"))
        return True

    def rekey(self, info: CryptoInfo) -> None:
        """Go on with the next keys, in software (TLS 1.3, after a KeyUpdate)."""
        self._opener = Opener(info)
        self._key_expired = False
        self._mib["TlsRxRekeyOk"] += 1

    def close(self) -> None:
        """The socket is closed: the device forgets the connection."""
        self._end_offload()
        if self._config:
            self._mib[f"TlsCurrRx{self._config}"] -= 1
            self._config = ""

    def _end_offload(self) -> None:
        if self._context:
            driver, context = self._context
            self._context = None
            driver.tls_dev_del(context, Direction.RX)

    def _boundary(self) -> Offload | None:
        """The first record of which nothing is queued; None while that is not known."""
        seq, number = self._seq, self._opener.number
        left = b"".join(chunk.data for chunk in self._queue)
        while left:
            try:
                size = record_size(self._opener.info.version, left)
            except HeaderError:
                return None
            if size is None:
                return None
            seq, number, left = seq + size, number + 1, left[size:]
        return Offload(seq & MASK, number)

    # -- reading --------------------------------------------------------------------------------

    def receive(self, chunks: Iterable[Chunk]) -> None:
        """Queue the next bytes of the stream."""
        for chunk in chunks:
            if chunk.data:
                self._queue.append(chunk)
                self._queued += len(chunk.data)

    def recv(self, size: int = _EVERYTHING, *, control: bool = True) -> Message | None:
        """What `recvmsg` gives: contiguous data, or one control record; None if it would block.

        Args:
            size: bytes at most.
            control: there is room for the record type, without which control is EIO.
        """
        data: list[bytes] = []
        left, any_data = size, False
        while left > 0:
            if self._read is None:
                try:
                    self._read = self._next()
                except OSError:
                    if data:
                        break
                    raise
                if self._read is None:
                    return Message(ContentType.DATA, b"".join(data)) if data else None
            got, self._read = self._read, None
            if got.type != ContentType.DATA and (any_data or not control):
                self._read = got
                if any_data:
                    break
                raise _os_error(errno.EIO)
            if len(got.data) > left:
                self._read = Message(got.type, got.data[left:])
            if got.type != ContentType.DATA:
                return Message(got.type, got.data[:left])
            any_data = True
            if got.data:
                data.append(got.data[:left])
                left -= len(data[-1])
        return Message(ContentType.DATA, b"".join(data)) if any_data else None

    def _next(self) -> Message | None:
        """The next record, decrypted; None if it is not all there."""
        if self._error:
            raise _os_error(self._error)
        if self._key_expired:
            raise _os_error(errno.EKEYEXPIRED)
        if self._size is None:
            self._parse()
        if self._size is None or self._queued < self._size:
            return None
        chunks = self._take(self._size)
        self._size = None
        record = b"".join(chunk.data for chunk in chunks)
        try:
            text = self._text(chunks, record)
        except InvalidTag:
            self._mib["TlsDecryptError"] += 1
            raise self._abort(errno.EBADMSG) from None
        return self._message(record[0], text)

    def _parse(self) -> None:
        """Learn the size of the first record, if its prefix is there."""
        try:
            self._size = record_size(self._opener.info.version, self._peek())
        except HeaderError as error:
            raise self._abort(error.errno) from None
        if self._size is not None:
            number, queued = self._opener.number, self._queued
            self._resync_rx(self._resync.new_rec(self._seq, self._size, number, queued))

    def _text(self, chunks: list[Chunk], record: bytes) -> bytes:
        """A record's plaintext; InvalidTag if it is not authentic."""
        marks = {chunk.decrypted for chunk in chunks}
        if marks == {False}:
            self.records[Kind.ENCRYPTED] += 1
            number, more = self._opener.number, self._queued > 0
            self._resync_rx(self._resync.encrypted(self._seq, number, more))
            return self._opener.open(record)
        self._resync.not_encrypted()
        if marks == {True} and self._device_opener is self._opener:
            self.records[Kind.DECRYPTED] += 1
            return self._opener.text(record)
        self.records[Kind.MIXED] += 1
        try:
            return self._opener.open(record)  # nothing to undo: no text in what has the bit
        except InvalidTag:
            return self._opener.open(self._reencrypt(chunks, record))

    def _resync_rx(self, place: Resync | None) -> None:
        """Tell the device a place, if there is one to tell (`tls_device_resync_rx()`)."""
        if place is None or self._context is None:
            return
        self._mib["TlsRxDeviceResync"] += 1
        self.resyncs += 1
        driver, context = self._context
        with suppress(OSError):  # the records go on being decrypted here
            driver.tls_dev_resync(context, Direction.RX, place.seq, place.number)

    def _reencrypt(self, chunks: list[Chunk], record: bytes) -> bytes:
        """The record as it was on the wire, with the keys that the device has."""
        wire, at = [], 0
        for chunk in chunks:
            end = at + len(chunk.data)
            opener = self._device_opener
            wire.append(opener.toggle(record, at, end) if chunk.decrypted else chunk.data)
            at = end
        return b"".join(wire)

    def _message(self, kind: int, text: bytes) -> Message:
        """Type and content of a plaintext; the record is done with."""
        if self._opener.info.version is Version.TLS_1_3:
            found = inner(text)
            if found is None:
                raise self._abort(errno.EBADMSG)
            kind, text = found
            if kind == ContentType.HANDSHAKE and text[:1] == _KEY_UPDATE:
                self._mib["TlsRxRekeyReceived"] += 1
                self._key_expired = True
                self._end_offload()
        for opener in {self._opener, self._device_opener}:
            opener.number += 1
        if self._opener.number >> 64:
            self._error = errno.EBADMSG
        return Message(kind, text)

    def _abort(self, number: int) -> OSError:
        self._error = number
        return _os_error(number)

    def _peek(self) -> bytes:
        """At least the prefix of the first record, if so much is queued."""
        wanted = PREFIX[self._opener.info.version]
        head = b""
        for chunk in self._queue:
            head += chunk.data[: wanted - len(head)]
            if len(head) == wanted:
                break
        return head

    def _take(self, size: int) -> list[Chunk]:
        """The first bytes of the queue, off it."""
        self._seq = self._seq + size & MASK
        self._queued -= size
        taken = []
        while size:
            chunk = self._queue.popleft()
            if len(chunk.data) > size:
                self._queue.appendleft(Chunk(chunk.data[size:], chunk.decrypted))
                chunk = Chunk(chunk.data[:size], chunk.decrypted)
            size -= len(chunk.data)
            taken.append(chunk)
        return taken


def _os_error(number: int) -> OSError:
    return OSError(number, os.strerror(number))
