"""The register map and the files made from it say the same."""

from __future__ import annotations

import re
import sys
from enum import IntEnum
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from systemrdl.messages import RDLCompileError
from systemrdl.node import RegNode

import host.regs
import model.regs
from hdl.regs import generate

BOTH = pytest.mark.parametrize("regs", [model.regs, host.regs], ids=["model", "host"])


def rdl_registers() -> list[RegNode]:
    """The registers of the RDL, arrays unrolled, past `generate.load`."""
    nodes = generate.elaborate().descendants(unroll=True)
    return [node for node in nodes if isinstance(node, RegNode)]


def numbers(regs: ModuleType) -> dict[str, int]:
    """All constants of a generated Python file, enums as ENUM_MEMBER."""
    found: dict[str, int] = {}
    for name, value in vars(regs).items():
        if isinstance(value, int):
            found[name] = value
        elif isinstance(value, type) and issubclass(value, IntEnum) and value is not IntEnum:
            prefix = re.sub(r"(?<!^)(?=[A-Z])", "_", name).upper()
            found |= {f"{prefix}_{member.name}": member.value for member in value}
    return found


def test_generated_files_are_current() -> None:
    stale = [str(path.relative_to(generate.ROOT)) for path in generate.stale(generate.load())]
    assert not stale, "run: python hdl/regs/generate.py"


def test_generated_files_name_their_source() -> None:
    for path in generate.OUTPUTS:
        start = " ".join(path.read_text().splitlines()[:4])
        assert generate.NOTE in start, path


def test_registers_do_not_overlap_and_fit_the_aperture() -> None:
    registers = sorted(rdl_registers(), key=lambda node: node.absolute_address)
    for before, after in pairwise(registers):
        assert before.absolute_address + before.size <= after.absolute_address, after.get_path()
        assert after.absolute_address % 4 == 0
    assert registers[-1].absolute_address + registers[-1].size <= 1 << generate.ADDR_W


def test_everything_has_a_name_or_a_meaning() -> None:
    for node in rdl_registers():
        assert node.get_property("name") != node.inst_name, node.get_path()


@BOTH
def test_python_constants_are_those_of_the_rdl(regs: ModuleType) -> None:
    found = numbers(regs)
    counters = 0
    for node in rdl_registers():
        name = node.inst_name.upper()
        index = node.current_idx[0] if node.current_idx else 0
        assert found[f"ADDR_{name}"] + 4 * index == node.absolute_address
        if node.is_array:
            assert found[f"{name}_WORDS"] == node.n_elements
        if any(field.get_property("counter") for field in node.fields()):
            assert found[f"COUNTER_{name}"] == counters
            counters += 1
            continue
        reset = 0
        for field in node.fields():
            value: Any = field.get_property("reset")
            reset = reset | value << field.low if value is not None else -1
            if field.width < node.get_property("regwidth"):
                part = f"{name}_{field.inst_name.upper()}"
                assert found[f"{part}_LSB"] == field.low
                assert found[f"{part}_W"] == field.width
                assert found[f"{part}_MASK"] == ((1 << field.width) - 1) << field.low
            encode: Any = field.get_property("encode")
            if encode is not None:
                names = {f"{encode.type_name}_{m.name}".upper(): m.value for m in encode}
                assert names.items() <= found.items()
                assert max(names.values()) < 1 << field.width
        if reset >= 0:
            assert found[f"{name}_RESET"] == reset
    assert found["COUNTERS"] == counters


@BOTH
def test_reason_codes_follow_their_counters(regs: ModuleType) -> None:
    found = numbers(regs)
    for block in generate.load().blocks:
        if block.reasons:
            first = found[f"COUNTER_{block.registers[0].name.upper()}"]
            assert found[f"{block.name.upper()}_NONE"] == 0
            for register in block.registers:
                name = register.name.upper()
                assert found[name] == found[f"COUNTER_{name}"] - first + 1


def test_verilog_and_c_have_the_same_constants() -> None:
    want = numbers(model.regs)
    vh = (generate.ROOT / "hdl" / "tls_regs.vh").read_text()
    verilog = re.findall(r"^localparam .*?(\w+) = (\d+'h)?(\w+);", vh, re.M)
    assert {name: int(value, 16 if base else 10) for name, base, value in verilog} == want

    header = (generate.ROOT / "hdl" / "regs" / "tlsnic_regs.h").read_text()
    c = re.findall(r"^(?:#define| *) *TLSNIC_(\w+) (?:= )?(\w+?)u?,?(?: .*)?$", header, re.M)
    assert {name: int(value, 0) for name, value in c if name != "REGS_H"} == want


def test_check_tells_what_is_stale_and_writing_mends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(generate, "ROOT", tmp_path)
    monkeypatch.setattr(generate, "OUTPUTS", {tmp_path / "regs.py": generate.python})
    monkeypatch.setattr(sys, "argv", ["generate.py", "--check"])
    with pytest.raises(SystemExit, match="run: python"):
        generate.main()
    assert "regs.py is not what" in capsys.readouterr().out

    monkeypatch.setattr(sys, "argv", ["generate.py"])
    generate.main()
    monkeypatch.setattr(sys, "argv", ["generate.py", "--check"])
    generate.main()  # does not exit
    (tmp_path / "regs.py").write_text("COUNTERS = 0\n")
    with pytest.raises(SystemExit, match="run: python"):
        generate.main()


@pytest.mark.parametrize(
    ("inside", "message"),
    [
        ("reg {field {} a[8];} A;", "only register files"),
        ("regfile {reg {field {} a[8];} A @ 0x1000;} one;", "beyond the aperture"),
        ("regfile {reg {field {} a[8];} A;} one; regfile {reg {field {} a[8];} A;} two;", "A_"),
    ],
)
def test_maps_that_cannot_be_said_are_refused(tmp_path: Path, inside: str, message: str) -> None:
    path = tmp_path / "bad.rdl"
    path.write_text(f"addrmap bad {{ default regwidth = 32; {inside} }};")
    with pytest.raises(generate.MapError, match=message):
        generate.load(path)


def test_rdl_with_errors_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bad.rdl"
    path.write_text(
        "addrmap bad { reg { field {} a[33]; } A @ 0x0; reg { field {} b; } B @ 0x0; };"
    )
    with pytest.raises(RDLCompileError):
        generate.load(path)
