"""tls_gcm, the whole lane: against model.gcm part by part, and against `cryptography` as a whole."""

from __future__ import annotations

import random
from typing import Any

import cocotb
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from cocotb_tests.harness import simulate
from cocotb_tests.lane import LaneBench, Sent, xor
from cocotb_tests.streams import Gaps, never, often, rng_of_test
from model.gcm import Cipher, Error, Lane, Part


@cocotb.test(timeout_time=20, timeout_unit="ms")
@cocotb.parametrize(idle=[never, often], stall=[never, often])
async def parts_match_model(dut: Any, idle: Gaps, stall: Gaps) -> None:
    """Random parts of random records, any key, against the model: text, sum and error."""
    rng = rng_of_test()
    bench = LaneBench(dut, idle, stall)
    model = Lane(bench.slots)
    await bench.start()
    for slot in range(8):
        size = rng.choice([16, 32])
        key, iv = rng.randbytes(size), rng.randbytes(12)
        bench.install(slot, Cipher(size // 16), key, iv)
        model.install(slot, Cipher(size // 16), key, iv)
    await bench.installed(8)
    sent: list[Sent] = []
    for _ in range(60):
        length = rng.choice([0, 1, 15, 16, 17, 64, 200])
        offset = rng.randint(0, length)
        size = rng.choice([length - offset, rng.randint(0, length - offset)])
        aad = rng.randbytes(rng.choice([0, 5, 13, 16]))
        sent.append(
            bench.send(
                Part(
                    slot=rng.randrange(9),  # one more than there are keys
                    decrypt=rng.random() < 0.5,
                    nonce=rng.getrandbits(64),
                    text_len=length,
                    offset=offset,
                    data=rng.randbytes(size),
                    aad=aad,
                    aad_len=len(aad),
                )
            )
        )
    await bench.drain()
    for one in sent:
        want = model.process(one.part)
        assert (one.error, bytes(one.text), one.sum) == (want.error, want.text, want.sum), one


@pytest.mark.parametrize("small", [0, 1])
def test_tls_gcm(small: int) -> None:
    simulate("tls_gcm", __name__, {"SMALL": small, "ROUND_REGS": 1 if small else 3, "SLOTS": 16})
