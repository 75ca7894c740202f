"""The handshake of a TLS connection, followed from outside with a key log.

In: the bytes of both directions in order, as they come, and the secrets. Out, when both Finished
have been seen: for each direction the traffic keys, the place in the stream of the first record
under them that the handshake leaves, and its number; and the bytes that came beyond. HandshakeError
says in words why a connection cannot be followed. Nothing is verified but that records open.

TLS 1.2 (RFC 5246): what follows ChangeCipherSpec is encrypted, with Finished as record 0. TLS 1.3
(RFC 8446): handshake keys up to Finished, application keys and record 0 behind it; early data,
which does not open with the handshake keys, is stepped over as a server does that declines it.
"""

from __future__ import annotations

import hmac
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, HashAlgorithm
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from host import crypto_info
from host.crypto_info import KEY_SIZE, REC_SEQ_SIZE, SALT_SIZE, CipherType, CryptoInfo, Version
from host.keylog import KeyLog
from host.record import HEADER, ContentType, Opener, inner

NO_SECRETS: Final = "the key log has no secrets of this session"
_WARNING: Final = b"\x01"  # level of an alert
_MAX_LENGTH: Final = (1 << 14) + 2048  # of a record; RFC 5246, 6.2.3
_CLIENT_HELLO, _SERVER_HELLO, _FINISHED = 1, 2, 20
_EARLY_DATA, _SUPPORTED_VERSIONS = 42, 43
_RETRY: Final = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")
_HASH: Final[Mapping[CipherType, HashAlgorithm]] = {
    CipherType.AES_GCM_128: SHA256(),
    CipherType.AES_GCM_256: SHA384(),
}
_PROTOCOLS: Final = {0x0300: "SSL 3.0", 0x0301: "TLS 1.0", 0x0302: "TLS 1.1"}
_SUITES: Final[Mapping[Version, Mapping[int, CipherType]]] = {
    Version.TLS_1_3: {0x1301: CipherType.AES_GCM_128, 0x1302: CipherType.AES_GCM_256},
    Version.TLS_1_2: {  # IANA's numbers; the key exchange makes no difference here
        **dict.fromkeys(
            (*range(0x9C, 0xAD, 2), *range(0xC02B, 0xC032, 2), 0xD001),
            CipherType.AES_GCM_128,
        ),
        **dict.fromkeys(
            (*range(0x9D, 0xAE, 2), *range(0xC02C, 0xC033, 2), 0xD002),
            CipherType.AES_GCM_256,
        ),
    },
}


class HandshakeError(Exception):
    """The connection cannot be followed; the text says why."""


class Side(IntEnum):
    """Who sent it."""

    CLIENT = 0
    SERVER = 1


@dataclass(frozen=True, slots=True)
class TrafficKeys:
    """Keys of one direction, and in TLS 1.3 the secret they came from."""

    version: Version
    cipher: CipherType
    key: bytes = field(repr=False)
    iv: bytes = field(repr=False)  # in TLS 1.2 the salt alone
    secret: bytes = field(repr=False, default=b"")

    @classmethod
    def from_secret(cls, cipher: CipherType, secret: bytes) -> TrafficKeys:
        """Of a TLS 1.3 traffic secret (RFC 8446, 7.3)."""
        algorithm = _HASH[cipher]
        key = expand_label(secret, b"key", KEY_SIZE[cipher], algorithm)
        iv = expand_label(secret, b"iv", SALT_SIZE + crypto_info.IV_SIZE, algorithm)
        return cls(Version.TLS_1_3, cipher, key, iv, secret)

    def updated(self) -> TrafficKeys:
        """The keys behind a KeyUpdate (RFC 8446, 7.2)."""
        algorithm = _HASH[self.cipher]
        secret = expand_label(self.secret, b"traffic upd", algorithm.digest_size, algorithm)
        return self.from_secret(self.cipher, secret)

    def crypto_info(self, number: int) -> CryptoInfo:
        """The same for kTLS, from record `number` on."""
        seq = number.to_bytes(REC_SEQ_SIZE)
        salt, iv = self.iv[:SALT_SIZE], self.iv[SALT_SIZE:] or seq
        return CryptoInfo(self.version, self.cipher, iv, self.key, salt, seq)


def expand_label(secret: bytes, label: bytes, size: int, algorithm: HashAlgorithm) -> bytes:
    """HKDF-Expand-Label with an empty context (RFC 8446, 7.1)."""
    info = struct.pack(">HB", size, 6 + len(label)) + b"tls13 " + label + b"\0"
    return HKDFExpand(algorithm, size, info).derive(secret)


def prf(secret: bytes, label: bytes, seed: bytes, size: int, algorithm: HashAlgorithm) -> bytes:
    """The pseudorandom function of TLS 1.2 (RFC 5246, 5)."""
    seed = label + seed
    link, out = seed, b""
    while len(out) < size:
        link = hmac.digest(secret, link, algorithm.name)
        out += hmac.digest(secret, link + seed, algorithm.name)
    return out[:size]


@dataclass(slots=True)
class _Stream:
    """One direction. `keys` and `number` are those of the next record once `done`."""

    unread: bytearray = field(default_factory=bytearray)
    consumed: int = 0
    messages: bytearray = field(default_factory=bytearray)
    opener: Opener | None = None
    keys: TrafficKeys | None = None
    number: int = 0
    done: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a direction goes on with: `unread` begins with record `number`, at byte `offset`."""

    keys: TrafficKeys
    number: int
    offset: int
    unread: bytes


class Handshake:
    """Follows one connection. Whoever speaks first is the client."""

    def __init__(self, key_log: KeyLog) -> None:
        self._key_log = key_log
        self._streams = {side: _Stream() for side in Side}
        self._random = b""  # of the client; empty until its hello came
        self._server_random = b""
        self._early = False
        self._negotiated: tuple[Version, CipherType] | None = None

    @property
    def done(self) -> bool:
        """Both have sent Finished."""
        return all(stream.done for stream in self._streams.values())

    def outcome(self, side: Side) -> Outcome:
        """What that side's direction goes on with; HandshakeError unless `done`."""
        stream = self._streams[side]
        if not self.done or stream.keys is None:
            raise HandshakeError("the handshake is not finished in the capture")
        return Outcome(stream.keys, stream.number, stream.consumed, bytes(stream.unread))

    def receive(self, side: Side, data: bytes) -> None:
        """Take the next bytes of a direction; HandshakeError if they cannot be followed."""
        self._streams[side].unread += data
        for each in (side, Side.SERVER, Side.CLIENT):  # a server's hello lets the client go on
            self._advance(each)

    def _advance(self, side: Side) -> None:
        stream = self._streams[side]
        while not stream.done and len(stream.unread) >= HEADER:
            kind, major, _, length = struct.unpack_from(">BBBH", stream.unread)
            first = not self._random
            expected = (ContentType.HANDSHAKE,) if first else tuple(ContentType)
            if kind not in expected or major != 3 or length > _MAX_LENGTH:
                raise HandshakeError(
                    "no TLS ClientHello: another protocol, or its start is not in the capture"
                    if first
                    else "no TLS record where the handshake should have one"
                )
            if self._must_wait(side) or len(stream.unread) < HEADER + length:
                return
            record = bytes(stream.unread[: HEADER + length])
            del stream.unread[: len(record)]
            stream.consumed += len(record)
            self._record(side, stream, kind, record)

    def _must_wait(self, side: Side) -> bool:
        """What the client sends behind its hello has a meaning only with the server's."""
        return side is Side.CLIENT and bool(self._random) and self._negotiated is None

    def _record(self, side: Side, stream: _Stream, kind: int, record: bytes) -> None:
        version = self._negotiated and self._negotiated[0]
        if kind == ContentType.CHANGE_CIPHER_SPEC:
            if version is Version.TLS_1_2:
                stream.opener = Opener(self._keys_1_2()[side].crypto_info(0))
            return
        body = record[HEADER:]
        if stream.opener and (kind == ContentType.DATA or version is Version.TLS_1_2):
            opened = self._open(side, stream.opener, record)
            if opened is None:
                return
            kind, body = opened
        if kind == ContentType.ALERT:
            if body[:1] == _WARNING:
                return
            raise HandshakeError("an alert ended the handshake")
        if kind != ContentType.HANDSHAKE:
            raise HandshakeError("data before the handshake is finished")
        stream.messages += body
        while len(stream.messages) >= 4 and not stream.done:
            size = 4 + int.from_bytes(stream.messages[1:4])
            if len(stream.messages) < size:
                return
            message = bytes(stream.messages[:size])
            del stream.messages[:size]
            self._message(side, stream, message[0], message[4:])

    def _open(self, side: Side, opener: Opener, record: bytes) -> tuple[int, bytes] | None:
        """Type and content of an encrypted record; None if it is early data."""
        try:
            text = opener.open(record)
        except (InvalidTag, ValueError):
            if side is Side.CLIENT and self._early:
                return None
            raise HandshakeError("the secrets in the key log do not open the handshake") from None
        opener.number += 1
        if opener.info.version is Version.TLS_1_2:
            return record[0], text
        return inner(text)

    def _message(self, side: Side, stream: _Stream, kind: int, body: bytes) -> None:
        try:
            if kind == _CLIENT_HELLO and side is Side.CLIENT:
                self._client_hello(body)
            elif kind == _SERVER_HELLO and side is Side.SERVER:
                self._server_hello(body)
            elif kind == _FINISHED and stream.opener:
                self._finished(side, stream)
        except (struct.error, IndexError):
            raise HandshakeError("a hello that is cut short") from None

    def _client_hello(self, body: bytes) -> None:
        self._random = body[2:34]
        at = 34
        at += 1 + body[at]
        at += 2 + struct.unpack_from(">H", body, at)[0]
        at += 1 + body[at]
        self._early |= _EARLY_DATA in _extensions(body, at)

    def _server_hello(self, body: bytes) -> None:
        legacy, random = struct.unpack_from(">H32s", body)
        if random == _RETRY:
            return  # a retry request: the client says hello again, with the same random
        at = 35 + body[34]
        suite = struct.unpack_from(">H", body, at)[0]
        chosen = _extensions(body, at + 3).get(_SUPPORTED_VERSIONS)
        number = int.from_bytes(chosen) if chosen else legacy
        if number not in tuple(Version):
            name = _PROTOCOLS.get(number, f"version {number:#06x}")
            raise HandshakeError(f"{name} is not offloaded, only TLS 1.2 and 1.3")
        version = Version(number)
        if suite not in _SUITES[version]:
            raise HandshakeError(f"cipher suite {suite:#06x} is not offloaded, only AES-GCM")
        self._negotiated = version, _SUITES[version][suite]
        self._server_random = random
        if version is Version.TLS_1_3:
            for side, stream in self._streams.items():
                keys = self._keys_1_3(side, "HANDSHAKE_TRAFFIC_SECRET")
                stream.opener = Opener(keys.crypto_info(0))

    def _finished(self, side: Side, stream: _Stream) -> None:
        if stream.messages:
            raise HandshakeError("something follows Finished in its record")
        if self._agreed()[0] is Version.TLS_1_3:
            stream.keys = self._keys_1_3(side, "TRAFFIC_SECRET_0")
        else:
            stream.keys, stream.number = self._keys_1_2()[side], 1
        stream.done = True

    def _agreed(self) -> tuple[Version, CipherType]:
        if self._negotiated is None:
            raise HandshakeError("the handshake goes on without a ServerHello")
        return self._negotiated

    def _secret(self, label: str) -> bytes:
        session = self._key_log.session(self._random)
        if not session:
            raise HandshakeError(NO_SECRETS)
        if label not in session:
            raise HandshakeError(f"the key log has no {label} of this session")
        return session[label]

    def _keys_1_3(self, side: Side, label: str) -> TrafficKeys:
        _, cipher = self._agreed()
        return TrafficKeys.from_secret(cipher, self._secret(f"{side.name}_{label}"))

    def _keys_1_2(self) -> tuple[TrafficKeys, TrafficKeys]:
        """Client's and server's: RFC 5246, 6.3; AES-GCM has no MAC keys."""
        version, cipher = self._agreed()
        size = KEY_SIZE[cipher]
        seed = self._server_random + self._random
        total = 2 * (size + SALT_SIZE)
        block = prf(self._secret("CLIENT_RANDOM"), b"key expansion", seed, total, _HASH[cipher])
        layout = struct.Struct(f"{size}s{size}s{SALT_SIZE}s{SALT_SIZE}s")
        client, server, client_salt, server_salt = layout.unpack(block)
        keys = TrafficKeys(version, cipher, client, client_salt)
        return keys, replace(keys, key=server, iv=server_salt)


def _extensions(body: bytes, at: int) -> dict[int, bytes]:
    """Extensions by type, from their length field on; none if there is no such field."""
    found, end = {}, len(body)
    at += 2
    while at + 4 <= end:
        kind, size = struct.unpack_from(">HH", body, at)
        found[kind] = body[at + 4 : at + 4 + size]
        at += 4 + size
    return found
