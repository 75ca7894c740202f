"""RTL, tests and model mirror one another: each module has its test and says what is its model."""

from __future__ import annotations

import re

import pytest

from host.verilate import HDL, ROOT, sources

TESTS = ROOT / "cocotb_tests"
MODEL = ROOT / "model"
MODULES = sorted(path.stem for path in HDL.glob("*.v"))

# Modules without a test of their own: the module whose test has them, and why that is enough.
INSIDE = {
    "tls_aes_column": ("tls_aes", "SBOX WORDS is four of it a round"),
    "tls_aes_iter": ("tls_aes", "tls_aes with SMALL is nothing else"),
    "tls_aes_keystep": ("tls_aes", "a wrong round key is a wrong ciphertext"),
    "tls_aes_pipe": ("tls_aes", "tls_aes without SMALL is nothing else"),
    "tls_aes_round": ("tls_aes", "a wrong round is a wrong ciphertext"),
    "tls_aes_sbox_gates": ("tls_aes_subword", "KIND GATES is four of it, with all inputs"),
    "tls_copy": ("tls_ghash", "a register; without it the lane that is coming out is missed"),
    "tls_delay": ("tls_gf128_mul", "a shift register; every exact delay that is tested has one"),
    "tls_gcm_cipher": ("tls_gcm", "means something between its two neighbours alone"),
    "tls_gcm_issue": ("tls_gcm", "the lane's streams are its own, and its errors the lane's"),
    "tls_gcm_sums": ("tls_gcm", "ghash and jump ring, both tested alone, and queues"),
    "tls_rx": ("tlsnic", "the device but for its registers"),
    "tls_tx": ("tlsnic", "the device but for its registers"),
    "tls_gf128_mul_pipe": ("tls_gf128_mul", "tls_gf128_mul without SMALL, and a delay"),
    "tls_gf128_mul_words": ("tls_gf128_mul", "its MUL WORDS, and a delay"),
    "tls_gf128_mul_serial": ("tls_gf128_mul", "tls_gf128_mul with SMALL is nothing else"),
}
# Modules tested in the file of another.
TOGETHER = {"tls_gf128_sq": "tls_gf128_mul"}
# Modules that compute nothing a model could say.
PLUMBING = {
    "axis_fifo": "words leave as they came",
    "tls_byte_ram": "bytes are read as they were written",
    "tls_copy": "a register of one bit",
    "tls_delay": "words leave as they came",
    "tls_doze": "a clock",
    "tls_text": "bytes are read as they were written",
}
# The registers' model is the register map itself, elaborated by their test.
REGISTERS = "tls_csr"


def whole(stem: str) -> str:
    """The module in whose test this one is."""
    if stem.startswith(f"{REGISTERS}_"):
        return REGISTERS
    return INSIDE[stem][0] if stem in INSIDE else stem


def header(stem: str) -> str:
    """The comment at the top of a module's file."""
    return re.split(r"^[^/]", (HDL / f"{stem}.v").read_text(), maxsplit=1, flags=re.M)[0]


@pytest.mark.parametrize("stem", MODULES)
def test_module_is_tested(stem: str) -> None:
    top = whole(stem)
    assert stem in [path.stem for path in sources(top)], f"{stem} is not in {top}"
    file = TESTS / f"test_{TOGETHER.get(top, top)}.py"
    assert file.exists(), f"{stem} has no test: {file.name}, or a line in INSIDE"
    tops = re.findall(r'\bsimulate\(\s*"(\w+)"', file.read_text())
    assert top in tops, f"{file.name} simulates {tops}"


@pytest.mark.parametrize("stem", MODULES)
def test_module_says_what_is_its_model(stem: str) -> None:
    text = header(stem)
    assert text.startswith(f"// {stem}.v - "), "the first line names the file and what it is"
    models = re.findall(r"\bmodel/\w+\.py", text)
    for model in models:
        assert (ROOT / model).exists(), f"{model} does not exist"
    if stem.startswith(REGISTERS):
        assert re.search(r"^// Spec  \S", text, re.M), "a register block says what it follows"
    else:
        assert bool(models) != (stem in PLUMBING), f"{stem}: its model, or a line in PLUMBING"


@pytest.mark.parametrize("stem", sorted(path.stem for path in MODEL.glob("*.py")))
def test_model_names_modules_that_exist(stem: str) -> None:
    for pattern in re.findall(r"\bhdl/([\w*]+\.v)\b", (MODEL / f"{stem}.py").read_text()):
        assert list(HDL.glob(pattern)), f"hdl/{pattern} does not exist"


def test_no_entry_is_stale() -> None:
    tested = {path.stem.removeprefix("test_") for path in TESTS.glob("test_*.py")}
    named = {*INSIDE, *(top for top, _ in INSIDE.values()), *TOGETHER, *PLUMBING, REGISTERS}
    assert named <= set(MODULES)
    assert not set(INSIDE) & tested, "has a test of its own"
    assert not set(TOGETHER) & tested, "has a test of its own"
    # a test named as RTL is must have that RTL
    assert {stem for stem in tested if re.match(r"(tls|axis)_", stem)} <= set(MODULES)
