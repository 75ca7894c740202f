"""The send side of kTLS: from what a program writes to the bytes that TCP is to send.

In: keys, data with flags and types, acknowledgements, and the frames that TCP makes of the bytes.
Out: pieces of the stream, those in clear marked as such, and frames that may go to a device. No
I/O: only `offload`, a push while a resync is wanted, the last acknowledgement and `device_down`
call the driver. net/tls/tls_device.c; whoever has the connection, the records are the same:

    device      pieces are in clear and marked; records are held until they are acknowledged, and
                only the connection's own device, or the fallback, makes frames of them for the wire
    software    pieces are sealed here, and are nothing special to TCP and below

An empty write sends an empty record, or ends the open one, as the kernel's device path has it. Data
is copied, so a record never has to be closed because its fragments are too many; and TCP takes all
it is given, so no record is ever sent in part.

Errors are OSErrors with the kernel's numbers. EOPNOTSUPP: a flag that is not known. EINVAL: flags,
or flags and a type, that contradict each other; a type or a record that nobody would take. EPIPE:
closed. EBADMSG, when the record numbers are used up, is for good. Types are those of RFC 8446, 5.1:
the device takes a header of any other for none.
"""

from __future__ import annotations

import errno
import os
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from enum import Enum, IntFlag
from typing import Final, Protocol

from host import tcp
from host.crypto_info import IV_SIZE, REC_SEQ_SIZE, CryptoInfo, Version
from host.packet import Flow
from host.record import HEADER, PREFIX, TAG, ContentType, HeaderError, Sealer, in_clear, record_size
from host.regs import Direction
from host.tcp import Piece
from host.tx_fallback import encrypt
from host.tx_records import NUMBERS, TxRecord, TxRecords

MAX_PAYLOAD: Final = 16384
MIN_PAYLOAD: Final = {Version.TLS_1_2: 64, Version.TLS_1_3: 63}  # of TLS_TX_MAX_PAYLOAD_LEN
_EXPLICIT_NONCES: Final = 1 << 8 * IV_SIZE


class MsgFlags(IntFlag):
    """Flags of `sendmsg`, those that kTLS knows."""

    NONE = 0
    DONTWAIT = 0x40
    EOR = 0x80
    NOSIGNAL = 0x4000
    MORE = 0x8000
    SPLICE_PAGES = 0x8000000


_KNOWN: Final = (
    MsgFlags.DONTWAIT | MsgFlags.EOR | MsgFlags.NOSIGNAL | MsgFlags.MORE | MsgFlags.SPLICE_PAGES
)


class TlsTxDevOps(Protocol):
    """What the stack asks of a driver."""

    def tls_dev_add(
        self, flow: Flow, direction: Direction, info: CryptoInfo, seq: int, socket: Sender, /
    ) -> int:
        """Offload a connection from the record on that starts there; OSError if it cannot be.

        The driver asks `socket` for records, and when it wants a resync.
        """

    def tls_dev_del(self, context: int, direction: Direction, /) -> None:
        """End that."""

    def tls_dev_resync(self, context: int, direction: Direction, seq: int, number: int, /) -> None:
        """Tell where the next record is, and its number; OSError if that cannot be: no change."""


class Fallback(Enum):
    """What became of a frame in software."""

    ENCRYPTED = "encrypted"
    PASSED = "passed"
    DROPPED = "dropped"


class Sender:
    """The send side of one connection. It begins in software.

    Args:
        info: keys, and the number of the first record; in TLS 1.2 also its explicit nonce.
        seq: TCP sequence number of the next byte that is written, its header or before it.
        mib: statistics, under the names of /proc/net/tls_stat; shared among connections. Whether
            the device or software has a connection is counted once `offload` settled it.
        max_payload: bytes of data in a record (TLS_TX_MAX_PAYLOAD_LEN).

    Attributes:
        info: keys, number and explicit nonce of the next record.
        tcp: what TCP holds. What has to go before the first record is written there.
        records: what is held to be encrypted by the device.
        refused: why the driver did not take the connection; None if it did, or was not asked.
        fallback: frames that came to software since there was a device, by what became of them.
        reread: bytes of records that were read for those, beside what they hold themselves.
        resyncs: how often the device was told where the next record is.
    """

    def __init__(
        self, info: CryptoInfo, seq: int, mib: Counter[str], max_payload: int = MAX_PAYLOAD
    ) -> None:
        if not MIN_PAYLOAD[info.version] <= max_payload <= MAX_PAYLOAD:
            raise _os_error(errno.EINVAL)
        self.info = info
        self.tcp = tcp.Sender(seq)
        self.records = TxRecords(seq, info.number)
        self.refused: OSError | None = None
        self.fallback: Counter[Fallback] = Counter()
        self.reread = 0
        self.resyncs = 0
        self._mib = mib
        self._max_payload = max_payload
        self._sealer = Sealer(info)
        self._open: bytearray | None = None  # data of the record that has begun
        self._config = ""  # "Device" or "Sw" while it is counted as such
        self._context: tuple[TlsTxDevOps, int] | None = None
        self._validates = False  # the device has or had the connection
        self._resync_pending = False
        self._closed = False
        self._error = 0

    @property
    def context(self) -> int | None:
        """What the driver calls the connection; None if the device does not have it, now."""
        return self._context[1] if self._context else None

    # -- installing -----------------------------------------------------------------------------

    def offload(self, driver: TlsTxDevOps, flow: Flow) -> bool:
        """Have the device encrypt from the next record on (`tls_set_device_offload()`).

        False: it does not take the connection, whatever the driver's error; this stays in software,
        with the error in `refused`. OSError: EBUSY, it was settled before.
        """
        self._check()
        if self._config:
            raise _os_error(errno.EBUSY)
        self._push_open()
        self.records = TxRecords(self.tcp.next, self.info.number)
        try:
            context = driver.tls_dev_add(flow, Direction.TX, self.info, self.tcp.next, self)
        except OSError as error:
            self.refused = error
            self._config = "Sw"
        else:
            self._context = driver, context
            self._config = "Device"
            self._validates = True
        self._mib.update((f"TlsTx{self._config}", f"TlsCurrTx{self._config}"))
        return self._validates

    def rekey(self, info: CryptoInfo) -> None:
        """Go on with the next keys (TLS 1.3, behind a KeyUpdate that was sent), in software alone.

        OSError, and the keys stay: EBUSY in TLS 1.2, EINVAL for another version or cipher,
        EOPNOTSUPP if a device has or had the connection.
        """
        self._check()
        refused = 0
        if self.info.version is not Version.TLS_1_3:
            refused = errno.EBUSY
        elif (info.version, info.cipher) != (self.info.version, self.info.cipher):
            refused = errno.EINVAL
        elif self._validates:
            refused = errno.EOPNOTSUPP
        if refused:
            self._mib["TlsTxRekeyError"] += 1
            raise _os_error(refused)
        self._push_open()
        self.info = info
        self._sealer = Sealer(info)
        self._mib["TlsTxRekeyOk"] += 1

    def close(self) -> None:
        """The socket is closed: what was written is still sent, then the device forgets it."""
        if self._closed:
            return
        with suppress(OSError):  # no number is left for it
            self._push_open()
        self._closed = True
        if self._config:
            self._mib[f"TlsCurrTx{self._config}"] -= 1
        self._destruct()

    def abort(self) -> None:
        """TCP gave up: nothing that is held will be sent."""
        self._open = None
        self.acked(self.tcp.next)
        self.close()

    def device_down(self) -> None:
        """The device goes away: from now on the fallback encrypts (`tls_device_down()`)."""
        if self._context:
            driver, context = self._context
            self._context = None
            driver.tls_dev_del(context, Direction.TX)

    def _destruct(self) -> None:
        """Once nothing can be sent again the device has done its part (`sk_destruct`)."""
        if self._closed and self.tcp.acknowledged == self.tcp.next:
            self.records.acked(self.tcp.next)
            self.device_down()

    # -- writing --------------------------------------------------------------------------------

    def send(
        self, data: bytes, flags: MsgFlags = MsgFlags.NONE, record_type: int | None = None
    ) -> int:
        """Write data (`sendmsg`); how much of it was taken: all, unless the numbers are used up.

        Args:
            data: what is written.
            flags: MORE keeps the record open for more, EOR says that it is not kept.
            record_type: of a control message; None if there is none, and it is data.
        """
        self._check()
        if flags & ~_KNOWN:
            raise _os_error(errno.EOPNOTSUPP)
        if flags & MsgFlags.MORE and (flags & MsgFlags.EOR or record_type is not None):
            raise _os_error(errno.EINVAL)
        if record_type is not None:
            if record_type not in tuple(ContentType):
                raise _os_error(errno.EINVAL)
            self._push_open()
        sent = 0
        while True:
            if self._open is None:
                self._open = bytearray()
            end = min(sent + self._max_payload - len(self._open), len(data))
            self._open += data[sent:end]
            if end == len(data) and flags & MsgFlags.MORE:
                return end
            try:
                self._push_open(ContentType.DATA if record_type is None else record_type)
            except OSError:
                if sent:
                    return sent
                raise
            sent = end
            if sent == len(data):
                return sent

    def push_record(self, image: bytes) -> TxRecord:
        """Send a record as it is in clear, room for its tag and all; an open one goes first.

        Next explicit nonces follow the one in it. The room is filled with zeros.
        """
        self._check()
        version = self.info.version
        try:
            size = record_size(version, image)
        except HeaderError as error:
            raise _os_error(error.errno) from None
        if size != len(image) or image[0] not in tuple(ContentType):
            raise _os_error(errno.EINVAL)
        self._push_open()
        return self._push(image[:-TAG] + bytes(TAG))

    def _push_open(self, kind: int = ContentType.DATA) -> None:
        """Close the open record, if there is one, and push it (`tls_handle_open_record()`)."""
        if self._open is not None:
            data, self._open = bytes(self._open), None
            self._push(in_clear(self.info.version, kind, self.info.iv, data))

    def _push(self, image: bytes) -> TxRecord:
        """A record to TCP, or as it is to who encrypts it (`tls_push_record()`)."""
        number = self.info.number
        if number + 1 == NUMBERS:
            self._error = errno.EBADMSG
            raise _os_error(self._error)
        if self._validates:
            record = self.records.push(image)
            self._resync_tx(record)
            self.tcp.write(image, marked=True)
        else:
            sealed = self._sealer.seal(image, number)
            record = TxRecord(self.tcp.next, number, image, sealed[-TAG:])
            self.tcp.write(sealed, marked=False)
        iv = self.info.iv
        if self.info.version is Version.TLS_1_2:
            nonce = int.from_bytes(image[HEADER : PREFIX[Version.TLS_1_2]])
            iv = ((nonce + 1) % _EXPLICIT_NONCES).to_bytes(IV_SIZE)
        self.info = replace(self.info, iv=iv, rec_seq=(number + 1).to_bytes(REC_SEQ_SIZE))
        return record

    def _check(self) -> None:
        if self._error or self._closed:
            raise _os_error(self._error or errno.EPIPE)

    # -- TCP ------------------------------------------------------------------------------------

    def take_stream(self) -> list[Piece]:
        """What TCP has not had yet, in order; none has both what is marked and what is not."""
        return self.tcp.take()

    def segment(self, seq: int, size: int) -> Piece | None:
        """At most `size` bytes of what is not acknowledged, to be sent or sent again; or None."""
        return self.tcp.segment(seq, size)

    def acked(self, seq: int) -> None:
        """All before `seq` was acknowledged."""
        self.tcp.acked(seq)
        self.records.acked(seq)
        self._destruct()

    def validate(self, frame: bytes, marked: bool, device: object) -> tuple[bytes, bool] | None:
        """A frame on its way to a device, and whether it is marked; None if it is dropped.

        To the connection's own device it goes as it is. For another one, or when that is down, it
        is encrypted here (`tls_validate_xmit_skb()`).
        """
        if not self._validates or (self._context and self._context[0] is device):
            return frame, marked
        encrypted = self.encrypt_skb(frame, marked)
        return None if encrypted is None else (encrypted, False)

    # -- the driver's: TxSocket -----------------------------------------------------------------

    def encrypt_skb(self, frame: bytes, marked: bool = True) -> bytes | None:
        """The frame as it goes on the wire, made in software; None if it is to be dropped."""
        made = encrypt(frame, self.records, self.info, marked)
        if made is None:
            self.fallback[Fallback.DROPPED] += 1
            return None
        self.fallback[Fallback.ENCRYPTED if made.encrypted else Fallback.PASSED] += 1
        self.reread += made.reread
        return made.frame

    def tx_resync_request(self, got_seq: int, expected_seq: int) -> None:
        """The device expected another byte: tell it the next record (driver bug: if it is told)."""
        if self._resync_pending:
            raise RuntimeError(f"resync wanted twice: {got_seq} came, {expected_seq} was expected")
        self._resync_pending = True

    def tx_resync_pending(self) -> bool:
        """A resync was wanted, and is to come with the next record."""
        return self._resync_pending

    def _resync_tx(self, record: TxRecord) -> None:
        """Tell the device of the record that is about to be sent (`tls_device_resync_tx()`)."""
        if not self._resync_pending:
            return
        self.tcp.fence()
        if self._context:
            driver, context = self._context
            try:
                driver.tls_dev_resync(context, Direction.TX, record.start, record.number)
            except OSError:
                return  # it stays pending: with the next record again
            self.resyncs += 1
        self._resync_pending = False


def _os_error(number: int) -> OSError:
    return OSError(number, os.strerror(number))
