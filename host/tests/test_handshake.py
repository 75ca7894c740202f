"""Following a handshake: published key derivations, every shape of handshake, every way to fail."""

import contextlib
from random import Random

import pytest
from cryptography.hazmat.primitives.hashes import SHA256

from host.crypto_info import CipherType, Version
from host.handshake import Handshake, HandshakeError, Outcome, Side, TrafficKeys, prf
from host.keylog import KeyLog
from host.tests.wire import (
    ALERT,
    CLIENT,
    DATA,
    HANDSHAKE,
    SERVER,
    Session,
    client_hello,
    plain,
    server_hello,
)

CASES = [(version, size) for version in (0x0303, 0x0304) for size in (16, 32)]


# -- keys ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("secret", "key", "iv"),
    [  # RFC 8448, 3: the server's handshake and application keys
        (
            "b67b7d690cc16c4e75e54213cb2d37b4e9c912bcded9105d42befd59d391ad38",
            "3fce516009c21727d0f2e4e86ee403bc",
            "5d313eb2671276ee13000b30",
        ),
        (
            "a11af9f05531f856ad47116b45a950328204b4f44bfb6b3a4b4f1f3fcb631643",
            "9f02283b6c9c07efc26bb9f2ac92e356",
            "cf782b88dd83549aadf1e984",
        ),
    ],
)
def test_keys_of_a_secret(secret: str, key: str, iv: str) -> None:
    keys = TrafficKeys.from_secret(CipherType.AES_GCM_128, bytes.fromhex(secret))
    assert (keys.key.hex(), keys.iv.hex()) == (key, iv)
    info = keys.crypto_info(0x0102)
    assert info.salt + info.iv == keys.iv
    assert info.number == 0x0102


def test_prf_with_sha256() -> None:
    """The vector that was agreed on the TLS working group's list for RFC 5246."""
    out = prf(
        bytes.fromhex("9bbe436ba940f017b17652849a71db35"),
        b"test label",
        bytes.fromhex("a0ba9f936cda311827a6f796ffd5198c"),
        100,
        SHA256(),
    )
    assert out.hex().startswith("e3f229ba727be17b8d122620557cd453c2aab21d07c3d495329b52d4e61edb5a")
    assert len(out) == 100


@pytest.mark.parametrize("size", [16, 32])
def test_updated_keys(size: int) -> None:
    writer = Session(key_size=size).writers[CLIENT]
    cipher = CipherType.AES_GCM_128 if size == 16 else CipherType.AES_GCM_256
    keys = TrafficKeys.from_secret(cipher, writer.secret)
    for _ in range(3):
        writer, keys = writer.updated(), keys.updated()
        assert (keys.key, keys.iv) == (writer.key, writer.iv)


def test_keys_are_not_shown() -> None:
    keys = TrafficKeys(Version.TLS_1_3, CipherType.AES_GCM_128, b"KEY", b"IV!", b"SECRET")
    assert not any(word in repr(keys) for word in ("KEY", "IV!", "SECRET"))


# -- key logs -----------------------------------------------------------------------------------


def test_key_log() -> None:
    log = KeyLog()
    log.add(
        b"# a comment\r\n\r\nCLIENT_RANDOM 0a0b 0c0d\nnonsense\nLABEL zz 00\n"
        b"CLIENT_RANDOM 0A0B\n\xff\xfe 00 00\nOTHER 0a0b 01\nCLIENT_RANDOM ee ff"
    )
    assert len(log) == 2
    assert log.session(b"\x0a\x0b") == {"CLIENT_RANDOM": b"\x0c\x0d", "OTHER": b"\x01"}
    assert log.session(b"\xee") == {"CLIENT_RANDOM": b"\xff"}
    assert log.session(b"\x00") == {}
    assert log.session(b"zz") == {}


# -- handshakes ---------------------------------------------------------------------------------


def follow(flights: list[tuple[int, bytes]], key_log: str, cut: int = 1 << 20) -> Handshake:
    log = KeyLog()
    log.add(key_log.encode())
    handshake = Handshake(log)
    for side, data in flights:
        for at in range(0, len(data), cut):
            handshake.receive(Side(side), data[at : at + cut])
    return handshake


def check(session: Session, outcome: Outcome, side: int, offset: int) -> None:
    writer = session.writers[side]
    assert (outcome.keys.key, outcome.keys.iv) == (writer.key, writer.iv)
    assert outcome.keys.version == session.version
    assert outcome.number == writer.number
    assert outcome.offset == offset


@pytest.mark.parametrize(("version", "size"), CASES)
@pytest.mark.parametrize("cut", [1, 7, 100, 1 << 20])
def test_it_ends_where_the_application_begins(version: int, size: int, cut: int) -> None:
    session = Session(version=version, key_size=size)
    handshake = follow(session.flights, session.key_log, cut)
    assert handshake.done
    for side in (CLIENT, SERVER):
        total = sum(len(data) for who, data in session.flights if who == side)
        check(session, handshake.outcome(Side(side)), side, total)
        assert handshake.outcome(Side(side)).unread == b""


@pytest.mark.parametrize(("version", "size"), CASES)
def test_it_is_not_done_before_both_have_finished(version: int, size: int) -> None:
    session = Session(version=version, key_size=size)
    last = session.flights[-1][1]
    handshake = follow(session.flights[:-1], session.key_log)
    for at in range(len(last)):
        assert not handshake.done
        with pytest.raises(HandshakeError, match="not finished"):
            handshake.outcome(Side.CLIENT)
        handshake.receive(Side(session.flights[-1][0]), last[at : at + 1])
    assert handshake.done


@pytest.mark.parametrize(("version", "size"), CASES)
def test_what_comes_with_it_is_left_unread(version: int, size: int) -> None:
    """Data behind the server's Finished, and more than the client's."""
    session = Session(version=version, key_size=size)
    end = [side for side, _ in session.flights].index(SERVER, 1 if version == 0x0304 else 2)
    early = session.writers[SERVER].record(DATA, b"early")
    session.writers[SERVER].number -= 1
    flights = list(session.flights)
    flights.insert(end + 1, (SERVER, early[:9]))
    flights += [(SERVER, early[9:]), (CLIENT, b"more")]
    handshake = follow(flights, session.key_log)
    assert handshake.outcome(Side.SERVER).unread == early
    assert handshake.outcome(Side.CLIENT).unread == b"more"


@pytest.mark.parametrize("retry", [False, True])
@pytest.mark.parametrize("early", [b"", b"early data" * 20])
def test_retry_requests_and_early_data(retry: bool, early: bytes) -> None:
    session = Session(retry=retry, early=early)
    handshake = follow(session.flights, session.key_log, cut=50)
    assert handshake.done
    total = sum(len(data) for side, data in session.flights if side == CLIENT)
    check(session, handshake.outcome(Side.CLIENT), CLIENT, total)


def test_the_clients_flight_may_be_seen_before_the_servers() -> None:
    """A capture at the server's end may have them so."""
    session = Session()
    hello, server, finished = session.flights
    handshake = follow([hello, finished, server], session.key_log)
    assert handshake.done


def test_warnings_are_no_end() -> None:
    session = Session(version=0x0303)
    flights = list(session.flights)
    flights.insert(1, (SERVER, plain(ALERT, b"\x01\x70")))  # unrecognized_name
    assert follow(flights, session.key_log).done


HELLO = (CLIENT, plain(HANDSHAKE, client_hello(bytes(32))))


@pytest.mark.parametrize(
    ("flights", "says"),
    [
        ([(CLIENT, b"GET / HTTP/1.1\r\n")], "no TLS ClientHello"),
        ([(SERVER, b"220 mail.example ESMTP\r\n")], "no TLS ClientHello"),
        ([(CLIENT, plain(DATA, bytes(30)))], "no TLS ClientHello"),
        ([HELLO, (SERVER, b"nonsense")], "no TLS record"),
        ([HELLO, (SERVER, plain(ALERT, b"\x02\x28"))], "an alert"),
        ([HELLO, (SERVER, plain(HANDSHAKE, server_hello(bytes(32), 0xC013, 0x0302)))], "TLS 1.1"),
        ([HELLO, (SERVER, plain(HANDSHAKE, server_hello(bytes(32), 5, 0x0300)))], "SSL 3.0"),
        ([HELLO, (SERVER, plain(HANDSHAKE, server_hello(bytes(32), 0x1303, 0x0304)))], "0x1303"),
        ([HELLO, (SERVER, plain(HANDSHAKE, server_hello(bytes(32), 0xCCA8, 0x0303)))], "0xcca8"),
        ([HELLO, (SERVER, plain(HANDSHAKE, b"\x02\0\0\x03abc"))], "cut short"),
        ([(CLIENT, plain(HANDSHAKE, b"\x01\0\0\x22" + bytes(34)))], "cut short"),
        ([HELLO, (SERVER, plain(DATA, bytes(30)))], "data before"),
    ],
)
def test_what_cannot_be_followed_is_said(flights: list[tuple[int, bytes]], says: str) -> None:
    with pytest.raises(HandshakeError, match=says):
        follow(flights, "")


@pytest.mark.parametrize(("version", "size"), CASES)
def test_a_log_without_the_session(version: int, size: int) -> None:
    session = Session(version=version, key_size=size)
    with pytest.raises(HandshakeError, match="no secrets of this session"):
        follow(session.flights, Session(seed=2).key_log)


@pytest.mark.parametrize("label", ["CLIENT_HANDSHAKE_TRAFFIC_SECRET", "SERVER_TRAFFIC_SECRET_0"])
def test_a_log_without_one_of_the_secrets(label: str) -> None:
    session = Session()
    lines = [line for line in session.key_log.splitlines() if not line.startswith(label)]
    with pytest.raises(HandshakeError, match=f"no {label}"):
        follow(session.flights, "\n".join(lines))


@pytest.mark.parametrize(("version", "size"), CASES)
def test_a_log_with_wrong_secrets(version: int, size: int) -> None:
    session = Session(version=version, key_size=size)
    *rest, last = session.key_log.split(" ")
    wrong = (
        " ".join([*rest, "00" + last[2:]])
        if version == 0x0303
        else session.key_log.replace("HANDSHAKE_TRAFFIC_SECRET", "X").replace(
            "TRAFFIC_SECRET_0", "HANDSHAKE_TRAFFIC_SECRET"
        )
    )
    with pytest.raises(HandshakeError, match="do not open"):
        follow(session.flights, wrong)


@pytest.mark.parametrize(("version", "size"), CASES)
@pytest.mark.parametrize("seed", range(30))
def test_broken_bytes_are_a_handshake_error_and_nothing_else(
    version: int, size: int, seed: int
) -> None:
    random = Random(f"{version} {size} {seed}")
    session = Session(version=version, key_size=size)
    flights = [(side, bytearray(data)) for side, data in session.flights]
    for _ in range(random.randint(1, 4)):
        data = random.choice(flights)[1]
        data[random.randrange(min(120, len(data)))] = random.randrange(256)
    with contextlib.suppress(HandshakeError):
        follow([(side, bytes(data)) for side, data in flights], session.key_log, cut=500)
