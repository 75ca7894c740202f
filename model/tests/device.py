"""What a driver does with a device, for the tests: by registers alone."""

from __future__ import annotations

from typing import Final

from model.regs import Addr, Cipher, Direction, IpVersion, Opcode, Reason, TlsVersion
from model.tlsnic import Tlsnic

LOCAL_V4, REMOTE_V4 = "198.51.100.7", "192.0.2.1"
LOCAL_V6, REMOTE_V6 = "2001:db8:1::ff", "2001:db8::1"
LOCAL_PORT, REMOTE_PORT = 443, 50001
ADD_V4: Final = Opcode.ADD | Cipher.AES_128_GCM << 12 | TlsVersion.TLS_1_3 << 9


def fill(device: Tlsnic, **values: int) -> None:
    """Write registers by name; NAME+8 is 8 bytes behind."""
    for name, value in values.items():
        register, _, offset = name.partition("+")
        device.write(Addr[register] + int(offset or 0), value)


def fill_bytes(device: Tlsnic, addr: Addr, data: bytes) -> None:
    """Write a string of bytes."""
    for at in range(0, len(data), 4):
        device.write(addr + at, int.from_bytes(data[at : at + 4], "little"))


def ring(device: Tlsnic) -> tuple[Reason, int]:
    """Start the command; reason and id of its answer."""
    device.write(Addr.CMD_DOORBELL, 1)
    status = device.read(Addr.CMD_STATUS)
    assert status & 7 == 2, "done, not busy, nothing ignored"
    return Reason(status >> 8 & 0xF), status >> 16


def add(
    device: Tlsnic,
    *,
    key: bytes = bytes(16),
    iv: bytes = bytes(12),
    seq: int = 0,
    number: int = 0,
    version: TlsVersion = TlsVersion.TLS_1_3,
    cipher: Cipher = Cipher.AES_128_GCM,
    direction: Direction = Direction.RX,
    ip_version: IpVersion = IpVersion.IPV4,
    local_addr: bytes = b"",
    remote_addr: bytes = b"",
    local_port: int = LOCAL_PORT,
    remote_port: int = REMOTE_PORT,
) -> tuple[Reason, int]:
    """ADD. An address that is not given is that of the mailbox."""
    fill_bytes(device, Addr.CMD_LOCAL_ADDR, local_addr)
    fill_bytes(device, Addr.CMD_REMOTE_ADDR, remote_addr)
    fill_bytes(device, Addr.CMD_KEY, key)
    fill_bytes(device, Addr.CMD_IV, iv)
    op = Opcode.ADD | direction << 8 | version << 9 | ip_version << 10 | cipher << 12
    fill(
        device,
        CMD_OP=op,
        CMD_PORTS=local_port | remote_port << 16,
        CMD_SEQ=seq,
        CMD_RECORD_LO=number & 0xFFFF_FFFF,
        CMD_RECORD_HI=number >> 32,
    )
    return ring(device)


def counter(device: Tlsnic, addr: Addr) -> int:
    """Read a counter, the low word first."""
    low = device.read(addr)
    return low | device.read(addr + 4) << 32
