"""The driver, on the model and on a device that answers what it is told to."""

import errno
import ipaddress
from collections.abc import Sequence
from dataclasses import replace

import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Packet, Raw

from host import regs
from host.crypto_info import CipherType, CryptoInfo, Version
from host.device import RxDescriptor, Sent, TxDescriptor
from host.device_model import ModelDevice
from host.driver import POLLS, Driver, Refused
from host.packet import Flow
from host.regs import Addr, Direction, Opcode, Reason, RxPass
from host.tests.wire import DATA, Writer, raises
from host.tx_records import TxRecords

KEY, IV = bytes(range(1, 33)), bytes(range(101, 113))
FLOW = Flow(b"\x0a\0\0\x01", 443, b"\x0a\0\0\x02", 50000)
FLOW6 = Flow(bytes(15) + b"\x01", 443, bytes(15) + b"\x02", 50000)
ALL = 0x03_03_03 | regs.CAPS_TX_MASK


def crypto_info(version: Version, cipher: CipherType, number: int = 0) -> CryptoInfo:
    key = KEY[: 16 if cipher is CipherType.AES_GCM_128 else 32]
    return CryptoInfo(version, cipher, IV[4:], key, IV[:4], number.to_bytes(8))


INFO = crypto_info(Version.TLS_1_3, CipherType.AES_GCM_128)


class FakeDevice:
    """Answers every command with `reason` and `id`, never if `reason` is None."""

    def __init__(self, **registers: int) -> None:
        self.registers: dict[int, int] = {
            Addr.ID: regs.ID_RESET,
            Addr.VERSION: regs.VERSION_RESET,
            Addr.CAPS: ALL,
            Addr.CTRL: 0,
        }
        self.registers |= {Addr[name]: value for name, value in registers.items()}
        self.reason: Reason | None = Reason.OK
        self.flags = 0
        self.wait = 3
        self.writes: list[tuple[int, int]] = []
        self.reads: list[int] = []

    def read(self, addr: int) -> int:
        """A register."""
        self.reads.append(addr)
        if addr == Addr.CMD_STATUS:
            self.wait -= 1
            if self.reason is None or self.wait > 0:
                return regs.CMD_STATUS_BUSY_MASK | self.flags
            return regs.CMD_STATUS_DONE_MASK | self.reason << 8 | 0xBEEF << 16 | self.flags
        return self.registers.get(addr, 0)

    def write(self, addr: int, value: int) -> None:
        """Taken note of."""
        self.writes.append((addr, value))
        self.registers[addr] = value

    def receive(self, frames: Sequence[bytes]) -> list[tuple[bytes, RxDescriptor]]:
        """None."""
        raise NotImplementedError

    def send(self, items: Sequence[tuple[bytes, TxDescriptor]]) -> list[Sent]:
        """None."""
        raise NotImplementedError

    def close(self) -> None:
        """Nothing."""


class Socket:
    """One that has no records."""

    def __init__(self) -> None:
        self.records = TxRecords(0, 0)

    def encrypt_skb(self, frame: bytes) -> bytes | None:
        """Not at all."""
        raise NotImplementedError

    def tx_resync_request(self, got_seq: int, expected_seq: int) -> None:
        """Not at all."""
        raise NotImplementedError

    def tx_resync_pending(self) -> bool:
        """Never."""
        return False


# -- probing ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("registers", "says"),
    [
        ({"ID": 0xFFFF_FFFF}, "magic is 0xffffffff"),
        ({"VERSION": 0x0001_0100}, r"1\.1\.0, this driver's is 0\.2\.0"),
        ({"VERSION": 0x0000_0000}, r"0\.0\.0, this driver's is 0\.2\.0"),
        ({"CAPS": ALL & ~regs.CAPS_RX_MASK}, "does not receive"),
    ],
)
def test_what_is_not_this_device_is_enodev(registers: dict[str, int], says: str) -> None:
    device = FakeDevice(**registers)
    with pytest.raises(OSError, match=says) as caught:
        Driver(device)
    assert caught.value.errno == errno.ENODEV
    assert device.writes == []


def test_newer_minor_versions_and_patches_are_good() -> None:
    Driver(FakeDevice(VERSION=0x0000_0203))


SELF_CONFIRM, AVOID_PARTIALS = regs.CTRL_SELF_CONFIRM_MASK, regs.CTRL_AVOID_PARTIALS_MASK


@pytest.mark.parametrize("before", [0, SELF_CONFIRM | AVOID_PARTIALS, regs.CTRL_TX_ENABLE_MASK])
@pytest.mark.parametrize("able", [False, True])
@pytest.mark.parametrize("avoid", [False, True])
@pytest.mark.parametrize("wanted", [None, False, True])
@pytest.mark.parametrize("sends", [False, True])
def test_probing_enables_what_the_device_can_and_what_was_asked_for(
    before: int, able: bool, avoid: bool, wanted: bool | None, sends: bool
) -> None:
    caps = ALL & ~regs.CAPS_TX_MASK | regs.CAPS_TX_MASK * sends
    device = FakeDevice(CTRL=before, CAPS=caps | regs.CAPS_SELF_CONFIRM_MASK * able)
    if wanted and not able:
        with raises(errno.EOPNOTSUPP):
            Driver(device, self_confirm=wanted, avoid_partials=avoid)
        assert device.writes == []
        return
    Driver(device, self_confirm=wanted, avoid_partials=avoid)
    control = before & regs.CTRL_TX_ENABLE_MASK | regs.CTRL_RX_ENABLE_MASK
    control |= regs.CTRL_TX_ENABLE_MASK * sends
    control |= AVOID_PARTIALS * avoid | SELF_CONFIRM * (able if wanted is None else wanted)
    assert device.writes == [(Addr.CTRL, control)]


# -- add and del --------------------------------------------------------------------------------


@pytest.mark.parametrize("flow", [FLOW, FLOW6])
@pytest.mark.parametrize("version", Version)
@pytest.mark.parametrize("cipher", CipherType)
@pytest.mark.parametrize("direction", Direction)
def test_what_add_writes(
    flow: Flow, version: Version, cipher: CipherType, direction: Direction
) -> None:
    device = FakeDevice()
    driver = Driver(device)
    info = crypto_info(version, cipher, number=0x1122334455667788)
    sock = Socket() if direction is Direction.TX else None
    assert driver.tls_dev_add(flow, direction, info, 0xFEDCBA98, sock) == 0xBEEF

    def string(addr: int, size: int) -> bytes:
        words = [device.registers[addr + at] for at in range(0, size, 4)]
        return b"".join(word.to_bytes(4, "little") for word in words)

    size = len(flow.local)
    assert string(Addr.CMD_LOCAL_ADDR, size) == flow.local
    assert string(Addr.CMD_REMOTE_ADDR, size) == flow.remote
    assert device.registers[Addr.CMD_PORTS] == 443 | 50000 << 16
    assert device.registers[Addr.CMD_SEQ] == 0xFEDCBA98
    assert string(Addr.CMD_RECORD_LO, 8) == bytes.fromhex("8877665544332211")
    assert string(Addr.CMD_KEY, len(info.key)) == info.key
    assert string(Addr.CMD_IV, 12) == (IV if version is Version.TLS_1_3 else IV[:4] + bytes(8))
    operation = device.registers[Addr.CMD_OP]
    assert operation & 0xF == Opcode.ADD
    assert operation >> 8 & 1 == direction
    assert operation >> 9 & 1 == (version is Version.TLS_1_3)
    assert operation >> 10 & 1 == (size == 16)
    assert operation >> 12 & 3 == (1 if cipher is CipherType.AES_GCM_128 else 2)
    assert device.writes[-1] == (Addr.CMD_DOORBELL, 1)


@pytest.mark.parametrize(
    ("reason", "number", "name"),
    [
        (Reason.NO_SPACE, errno.ENOSPC, "no_space"),
        (Reason.EXISTS, errno.EEXIST, "exists"),
        (Reason.BAD_ARGUMENT, errno.EINVAL, "bad_argument"),
        (Reason.STALE, errno.EIO, "stale"),
    ],
)
def test_refusals_of_the_device(reason: Reason, number: int, name: str) -> None:
    device = FakeDevice()
    driver = Driver(device)
    device.reason = reason
    for count in (1, 2):
        with pytest.raises(Refused) as caught:
            driver.tls_dev_add(FLOW, Direction.RX, INFO, 0)
        assert (caught.value.errno, caught.value.reason) == (number, name)
        assert driver.stats()[f"tls_add_refused_{name}"] == count


@pytest.mark.parametrize(
    ("lacking", "direction", "info", "name"),
    [
        (regs.CAPS_TX_MASK, Direction.TX, INFO, "direction"),
        (regs.CAPS_TLS_1_3_MASK, Direction.RX, INFO, "version"),
        (regs.CAPS_TLS_1_2_MASK, Direction.RX, replace(INFO, version=Version.TLS_1_2), "version"),
        (regs.CAPS_AES_128_GCM_MASK, Direction.RX, INFO, "cipher"),
        (
            regs.CAPS_AES_256_GCM_MASK,
            Direction.RX,
            crypto_info(Version.TLS_1_3, CipherType.AES_GCM_256),
            "cipher",
        ),
    ],
)
def test_what_the_device_lacks_is_not_asked_for(
    lacking: int, direction: Direction, info: CryptoInfo, name: str
) -> None:
    device = FakeDevice(CAPS=ALL & ~lacking)
    driver = Driver(device)
    device.writes.clear()
    with raises(errno.EOPNOTSUPP):
        driver.tls_dev_add(FLOW, direction, info, 0, Socket())
    assert driver.stats()[f"tls_add_refused_{name}"] == 1
    assert device.writes == []  # no key among them


@pytest.mark.parametrize(
    "flow", [replace(FLOW, local=bytes(16)), Flow(b"", 1, b"", 2), replace(FLOW, remote=b"abc")]
)
def test_addresses_must_be_addresses(flow: Flow) -> None:
    device = FakeDevice()
    driver = Driver(device)
    device.writes.clear()
    with raises(errno.EINVAL):
        driver.tls_dev_add(flow, Direction.RX, INFO, 0)
    assert driver.stats()["tls_add_refused_bad_argument"] == 1
    assert device.writes == []


def test_a_dead_device_is_a_timeout_and_keeps_no_key() -> None:
    device = FakeDevice()
    driver = Driver(device)
    device.reason = None
    with raises(errno.ETIMEDOUT):
        driver.tls_dev_add(FLOW, Direction.RX, INFO, 0)
    assert device.reads.count(Addr.CMD_STATUS) == POLLS
    assert driver.stats()["tls_add_refused_timeout"] == 1
    secret = range(Addr.CMD_KEY, Addr.CMD_DOORBELL, 4)
    assert [device.registers[addr] for addr in secret] == [0] * 11


def test_a_mailbox_in_use_is_busy() -> None:
    device = FakeDevice()
    driver = Driver(device)
    device.flags = regs.CMD_STATUS_IGNORED_MASK
    with raises(errno.EBUSY):
        driver.tls_dev_add(FLOW, Direction.RX, INFO, 0)


@pytest.mark.parametrize("direction", Direction)
def test_del(direction: Direction) -> None:
    device = FakeDevice()
    driver = Driver(device)
    driver.tls_dev_del(5, direction)
    assert device.registers[Addr.CMD_CONNECTION] == 5
    assert device.registers[Addr.CMD_OP] == Opcode.DEL | direction << 8
    device.reason = Reason.NO_CONNECTION
    with raises(errno.ENOENT):
        driver.tls_dev_del(5, direction)


def test_the_driver_keeps_no_key() -> None:
    driver = Driver(ModelDevice())
    driver.tls_dev_add(FLOW, Direction.RX, INFO, 0)
    held = {name: value for name, value in vars(driver).items() if name != "_device"}
    assert repr(KEY[:16]) not in repr(held)
    wanted = {"_refused", "_requests", "_now", "_lost", "_scans", "_tx"}
    wanted |= {"caps", "max_frame", "resync", "out_of_order"}
    assert set(held) == wanted
    (connection,) = vars(held["_requests"])["_connections"].values()
    assert repr(KEY[:16]) not in repr(connection)


# -- statistics ---------------------------------------------------------------------------------


def test_counters_are_read_low_word_first() -> None:
    device = FakeDevice(RX_TLS_DECRYPTED_BYTES=0xFFFF_FFFF)
    device.registers[Addr.RX_TLS_DECRYPTED_BYTES + 4] = 5
    driver = Driver(device)
    device.reads.clear()
    stats = driver.stats()
    assert stats["rx_tls_decrypted_bytes"] == 0x5_FFFF_FFFF
    assert device.reads == list(range(0x200, 0x348, 4))
    assert {"rx_pass_bad_tag", "add_refused_exists", "tx_tls_ooo", "event_lost"} < set(stats)


# -- on the model -------------------------------------------------------------------------------


def packet(flow: Flow, seq: int, payload: bytes, flags: str = "A") -> Packet:
    """A segment to the NIC's host."""
    layer = IP if len(flow.local) == 4 else IPv6
    addresses = layer(src=text(flow.remote), dst=text(flow.local))
    tcp = TCP(sport=flow.remote_port, dport=flow.local_port, seq=seq, flags=flags)
    return Ether() / addresses / tcp / Raw(payload)


def text(address: bytes) -> str:
    return str(ipaddress.ip_address(address))


@pytest.mark.parametrize("flow", [FLOW, FLOW6])
@pytest.mark.parametrize("version", Version)
@pytest.mark.parametrize("cipher", CipherType)
def test_records_are_decrypted(flow: Flow, version: Version, cipher: CipherType) -> None:
    driver = Driver(ModelDevice())
    info = crypto_info(version, cipher, number=9)
    writer = Writer(version, info.key, IV if version is Version.TLS_1_3 else IV[:4], 9)
    record = writer.record(DATA, b"plaintext" * 30)
    context = driver.tls_dev_add(flow, Direction.RX, info, 0xFFFF_FF80)
    frames = [packet(flow, 0xFFFF_FF80, record[:200]), packet(flow, 0x48, record[200:])]
    first, second = driver.receive([bytes(frame) for frame in frames])
    for got, sent in ((first, frames[0]), (second, frames[1])):
        assert (got.decrypted, got.context, got.reason) == (True, context, RxPass.NONE)
        assert len(got.data) == len(sent)
    prefix = 13 if version is Version.TLS_1_2 else 5
    plain = bytes(Ether(first.data)[TCP].payload) + bytes(Ether(second.data)[TCP].payload)
    assert plain[prefix:].startswith(b"plaintext" * 30)
    assert plain[:prefix] + plain[-16:] == record[:prefix] + record[-16:]
    stats = driver.stats()
    assert stats["rx_tls_decrypted_packets"] == 2
    assert stats["rx_tls_decrypted_bytes"] == len(record)
    assert stats["rx_tls_ctx"] == 1


def test_what_passes_says_why_and_is_as_it_came() -> None:
    driver = Driver(ModelDevice())
    driver.tls_dev_add(FLOW, Direction.RX, INFO, 1000)
    bad_sum = bytearray(bytes(packet(FLOW, 1000, b"data")))
    bad_sum[-1] ^= 1
    frames = [
        (bytes(Ether() / ARP()), RxPass.NOT_TCP, None),
        (bytes(Ether() / IP() / UDP()), RxPass.NOT_TCP, None),
        (bytes(bad_sum), RxPass.BAD_TCP_CSUM, None),
        (bytes(packet(replace(FLOW, local_port=80), 1000, b"x")), RxPass.NO_CONNECTION, None),
        (bytes(packet(FLOW, 999, b"", "S")), RxPass.NO_PAYLOAD, 0),
        (bytes(packet(FLOW, 5000, b"far")), RxPass.OUT_OF_SYNC, 0),
        (bytes(packet(FLOW, 1000, b"\x55" * 30)), RxPass.BAD_RECORD, 0),
    ]
    got = driver.receive([frame for frame, _, _ in frames])
    for each, (sent, reason, context) in zip(got, frames, strict=True):
        assert each.data == sent
        assert (each.decrypted, each.reason, each.context) == (False, reason, context)
    stats = driver.stats()
    assert stats["rx_pass_not_tcp"] == 2
    assert stats["rx_pass_bad_record"] == 1


def test_full_existing_and_deleted() -> None:
    driver = Driver(ModelDevice(connections=1))
    context = driver.tls_dev_add(FLOW, Direction.RX, INFO, 0)
    with raises(errno.EEXIST):
        driver.tls_dev_add(FLOW, Direction.RX, INFO, 0)
    with raises(errno.ENOSPC):
        driver.tls_dev_add(FLOW6, Direction.RX, INFO, 0)
    driver.tls_dev_del(context, Direction.RX)
    with raises(errno.ENOENT):
        driver.tls_dev_del(context, Direction.RX)
    driver.tls_dev_add(FLOW6, Direction.RX, INFO, 0)
    stats = driver.stats()
    refused = {name: n for name, n in stats.items() if "refused" in name and n}
    assert refused == {
        "add_refused_exists": 1,
        "add_refused_no_space": 1,
        "tls_add_refused_exists": 1,
        "tls_add_refused_no_space": 1,
    }
    assert (stats["rx_tls_ctx"], stats["rx_tls_del"]) == (2, 1)


def test_the_models_mailbox_shows_no_key() -> None:
    device = ModelDevice()
    Driver(device).tls_dev_add(FLOW, Direction.RX, INFO, 0)
    secret = range(Addr.CMD_KEY, Addr.CMD_DOORBELL, 4)
    assert [device.read(addr) for addr in secret] == [0] * 11
    device.close()
