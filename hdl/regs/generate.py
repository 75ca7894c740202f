"""Writes every file that repeats the register map, from hdl/regs/tlsnic.rdl.

    python hdl/regs/generate.py             write them
    python hdl/regs/generate.py --check     exit 1 when a committed one differs
    python hdl/regs/generate.py --html DIR  the map as web pages

`load` elaborates the RDL to the plain data below; `constants` and `enums` turn that into names and
values, the same for all languages; one function a language writes them down.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from systemrdl.compiler import RDLCompiler
from systemrdl.messages import RDLCompileError
from systemrdl.node import AddrmapNode, FieldNode, RegfileNode, RegNode

ROOT: Final = Path(__file__).resolve().parents[2]
SOURCE: Final = ROOT / "hdl" / "regs" / "tlsnic.rdl"
ADDR_W: Final = 12  # the aperture is a page of 4 KiB
WORD: Final = 4  # bytes


class MapError(Exception):
    """The map is valid RDL, but not what the generated files can say."""


# ---- the map as plain data ----


@dataclass(frozen=True, slots=True)
class Field:
    """Some bits of a register. `reset` is None for what hardware drives."""

    name: str
    lsb: int
    width: int
    access: str
    reset: int | None
    enum: str
    meaning: str

    @property
    def mask(self) -> int:
        """Its bits, at their place."""
        return ((1 << self.width) - 1) << self.lsb


@dataclass(frozen=True, slots=True)
class Register:
    """A register, or an array of `words` of them at `address` and up."""

    name: str
    address: int
    width: int
    words: int
    is_counter: bool
    title: str
    text: str
    fields: tuple[Field, ...]

    @property
    def mask(self) -> int:
        """All bits that are in a field."""
        return sum(field.mask for field in self.fields)

    @property
    def reset(self) -> int | None:
        """Value after reset, if the map knows it."""
        resets = [f.reset << f.lsb for f in self.fields if f.reset is not None]
        return sum(resets) if len(resets) == len(self.fields) else None

    @property
    def end(self) -> int:
        """Address behind it."""
        return self.address + self.words * self.width // 8

    @property
    def is_whole(self) -> bool:
        """It is one value, not several fields."""
        return len(self.fields) == 1 and self.fields[0].width == self.width


@dataclass(frozen=True, slots=True)
class Block:
    """Registers that belong together. `reasons`: its counters are a list of reason codes."""

    name: str
    title: str
    text: str
    reasons: bool
    registers: tuple[Register, ...]


@dataclass(frozen=True, slots=True)
class Member:
    """One value of an enum."""

    name: str
    value: int
    text: str


@dataclass(frozen=True, slots=True)
class Enum:
    """Named values. `digits` is 0 for decimal; `width` is None for plain numbers (an index)."""

    name: str
    text: str
    members: tuple[Member, ...]
    width: int | None
    digits: int = 0


@dataclass(frozen=True, slots=True)
class Constant:
    """A name and its value. `width` is None for plain numbers, and those are decimal."""

    name: str
    value: int
    width: int | None = None


@dataclass(frozen=True, slots=True)
class Map:
    """The register map. `encodings` are the enums of the RDL."""

    title: str
    text: str
    blocks: tuple[Block, ...]
    encodings: tuple[Enum, ...]

    @property
    def registers(self) -> list[Register]:
        """All registers, by address."""
        return [register for block in self.blocks for register in block.registers]

    @property
    def counters(self) -> list[Register]:
        """The counters; a counter's place in this list is its index."""
        return [register for register in self.registers if register.is_counter]


# ---- from the RDL ----


def elaborate(path: Path = SOURCE) -> AddrmapNode:
    """The compiled and elaborated RDL."""
    compiler = RDLCompiler()
    compiler.compile_file(str(path))
    return compiler.elaborate().top


def load(path: Path = SOURCE) -> Map:
    """The map in a file."""
    top = elaborate(path)
    encodings: dict[str, Enum] = {}
    blocks = []
    for regfile in top.children():
        if not isinstance(regfile, RegfileNode):
            raise MapError(f"{regfile.inst_name}: only register files stand at the top")
        registers = tuple(_register(node, encodings) for node in regfile.registers())
        reasons = bool(regfile.get_property("reasons", default=False))
        kinds: Any = regfile.get_property("kinds", default=None)
        if kinds is not None:
            _encoding(type(kinds), "a frame's kind in the transmit queue", 2, encodings)
        blocks.append(Block(regfile.inst_name, *_said(regfile), reasons, registers))
    result = Map(*_said(top), tuple(blocks), tuple(encodings.values()))
    _check(result)
    return result


def _encoding(encode: Any, users: str, width: int, encodings: dict[str, Enum]) -> None:
    members = tuple(Member(m.name, m.value, _line(m.rdl_desc)) for m in encode)
    made = Enum(encode.type_name, f"Values of {users}.", members, width)
    encodings.setdefault(encode.type_name, made)


def _register(node: RegNode, encodings: dict[str, Enum]) -> Register:
    for field in node.fields():
        encode: Any = field.get_property("encode")
        if encode is not None:
            users = f"{node.inst_name}.{field.inst_name}"
            _encoding(encode, users, field.width, encodings)
    fields = tuple(_field(field) for field in node.fields())
    dimensions = node.array_dimensions or [1]
    counts = any(field.get_property("counter") for field in node.fields())
    width = node.get_property("regwidth")
    address = node.raw_absolute_address
    return Register(node.inst_name, address, width, dimensions[0], counts, *_said(node), fields)


def _field(node: FieldNode) -> Field:
    encode: Any = node.get_property("encode")
    reset: Any = node.get_property("reset")
    onwrite = node.get_property("onwrite")
    access = {"r": "ro", "w": "wo", "rw": "rw"}[node.get_property("sw").name]
    if onwrite is not None:
        access = {"woclr": "w1c"}[onwrite.name]
    title = node.get_property("name") if "name" in node.list_properties() else ""
    meaning = " ".join(f"{text.rstrip('.')}." for text in (title, _said(node)[1]) if text)
    enum = encode.type_name if encode else ""
    return Field(node.inst_name, node.low, node.width, access, reset, enum, meaning)


def _said(node: AddrmapNode | RegfileNode | RegNode | FieldNode) -> tuple[str, str]:
    return node.get_property("name"), _line(node.get_property("desc"))


def _line(text: str | None) -> str:
    return " ".join((text or "").split())


def _check(the_map: Map) -> None:
    registers = the_map.registers
    for before, after in pairwise(registers):
        if after.address < before.end:
            raise MapError(f"{after.name} is not behind {before.name}")
    if registers[-1].end > 1 << ADDR_W:
        raise MapError(f"{registers[-1].name} is beyond the aperture of {1 << ADDR_W} bytes")
    counters = the_map.counters
    for index, counter in enumerate(counters):
        if counter.address != counters[0].address + 2 * WORD * index:
            raise MapError(f"{counter.name} does not follow the counter before it")
    names = [c.name for c in constants(the_map)]
    names += [f"{e.name}_{m.name}".upper() for e in enums(the_map) for m in e.members]
    if twice := {name for name in names if names.count(name) > 1}:
        raise MapError(f"two constants of one name: {', '.join(sorted(twice))}")


# ---- names and values, for all languages ----


def enums(the_map: Map) -> list[Enum]:
    """All enums: addresses, the encodings of the RDL, and those that follow from counters."""
    addresses = tuple(
        Member(r.name, r.address, r.title + (f" ({r.words} words)" if r.words > 1 else ""))
        for r in the_map.registers
    )
    indices = tuple(Member(r.name, n, r.title) for n, r in enumerate(the_map.counters))
    result = [Enum("addr", "Addresses; of the low word of a counter.", addresses, ADDR_W, 3)]
    result += the_map.encodings
    for block in the_map.blocks:
        if block.reasons:
            names = [(r.name.removeprefix(f"{block.name}_"), r.title) for r in block.registers]
            members = [Member(name, n + 1, title) for n, (name, title) in enumerate(names)]
            none = Member("none", 0, "No reason")
            width = len(members).bit_length()
            result.append(Enum(block.name, f"{block.title}.", (none, *members), width))
    result.append(Enum("counter", "Counters: index in the bank.", indices, None))
    return result


def constants(the_map: Map) -> list[Constant]:
    """All other constants: blocks, then what is inside a register."""
    counters = the_map.counters
    result = [Constant("CSR_ADDR_W", ADDR_W), Constant("COUNTERS", len(counters))]
    ranges = [("counters", counters)] if counters else []
    ranges += [(block.name, list(block.registers)) for block in the_map.blocks]
    for name, registers in ranges:
        result += [
            Constant(f"BLOCK_{name}_FIRST".upper(), registers[0].address, ADDR_W),
            Constant(f"BLOCK_{name}_LAST".upper(), registers[-1].end - WORD, ADDR_W),
        ]
    for register in the_map.registers:
        if not register.is_counter:
            result += _inside(register)
    return result


def _inside(register: Register) -> Iterator[Constant]:
    name = register.name
    if register.words > 1:
        yield Constant(f"{name}_WORDS", register.words)
    if register.reset is not None:
        yield Constant(f"{name}_RESET", register.reset, register.width)
    if not register.is_whole:
        yield Constant(f"{name}_MASK", register.mask, register.width)
        for field in register.fields:
            part = f"{name}_{field.name}".upper()
            yield Constant(f"{part}_LSB", field.lsb)
            yield Constant(f"{part}_W", field.width)
            yield Constant(f"{part}_MASK", field.mask, register.width)


# ---- languages ----

NOTE: Final = "Generated by hdl/regs/generate.py from hdl/regs/tlsnic.rdl. Do not edit."


def verilog(the_map: Map) -> str:
    """Localparams for the body of a module."""

    def line(name: str, value: int, width: int | None, text: str = "") -> str:
        number = f"{value}" if width is None else f"{width}'h{value:0{-(-width // 4)}x}"
        size = "" if width is None else f"[{width - 1}:0] "
        return f"localparam {size}{name} = {number};" + (f"  // {text}" if text else "")

    lines = [
        "// tls_regs.vh - the register map's constants: include it in the body of a module.",
        f"// {NOTE}",
        "/* verilator lint_off UNUSEDPARAM */  // a module does not use all of them",
    ]
    for enum in enums(the_map):
        lines += ["", f"// {enum.text}"]
        for m in enum.members:
            lines.append(line(f"{enum.name}_{m.name}".upper(), m.value, enum.width, m.text))
    lines += ["", "// Blocks and fields."]
    lines += [line(c.name, c.value, c.width) for c in constants(the_map)]
    return "\n".join([*lines, "/* verilator lint_on UNUSEDPARAM */", ""])


def python(the_map: Map) -> str:
    """An IntEnum for each enum, a Final int for each constant."""

    def number(value: int, width: int | None, digits: int = 0) -> str:
        return f"{value}" if width is None else f"0x{value:0{digits or -(-width // 4)}X}"

    lines = [
        '"""Constants of the register map.',
        "",
        NOTE,
        '"""',
        "",
        "from enum import IntEnum",
        "from typing import Final",
    ]
    for enum in enums(the_map):
        name = "".join(part.capitalize() for part in enum.name.split("_"))
        lines += ["", "", f"class {name}(IntEnum):", f'    """{enum.text}"""', ""]
        for m in enum.members:
            value = number(m.value, enum.width if enum.digits else None, enum.digits)
            lines.append(f"    {m.name.upper()} = {value}" + (f"  # {m.text}" if m.text else ""))
    lines += ["", ""]
    lines += [f"{c.name}: Final = {number(c.value, c.width)}" for c in constants(the_map)]
    return "\n".join([*lines, ""])


def c_header(the_map: Map) -> str:
    """Enums and defines, with a prefix."""
    lines = [
        "/* tlsnic_regs.h - constants of the register map.",
        f" * {NOTE} */",
        "#ifndef TLSNIC_REGS_H",
        "#define TLSNIC_REGS_H",
    ]
    for enum in enums(the_map):
        lines += ["", f"/* {enum.text} */", f"enum tlsnic_{enum.name} {{"]
        for m in enum.members:
            value = f"0x{m.value:0{enum.digits}x}" if enum.digits else f"{m.value}"
            text = f"  /* {m.text} */" if m.text else ""
            lines.append(f"    TLSNIC_{enum.name}_{m.name}".upper() + f" = {value},{text}")
        lines += ["};"]
    lines += ["", "/* Blocks and fields. */"]
    for c in constants(the_map):
        value = f"{c.value}" if c.width is None else f"0x{c.value:0{-(-c.width // 4)}x}u"
        lines.append(f"#define TLSNIC_{c.name} {value}")
    return "\n".join([*lines, "", "#endif", ""])


def markdown(the_map: Map) -> str:
    """The map for people."""
    lines = [f"# {the_map.title}", "", f"*{NOTE}*", "", the_map.text, ""]
    lines += ["`ro` read only, `rw` read and write, `wo` write only (reads zero), `w1c` write 1 to"]
    lines += ["clear. A reset value of - is fixed when the device is built.", ""]
    for block in the_map.blocks:
        lines += [f"## {block.title}", "", *([block.text, ""] if block.text else [])]
        code = ["Code"] if block.reasons else []
        lines += _head("Address", "Register", *code, "Access", "Reset", "Meaning")
        for n, r in enumerate(block.registers):
            lines.append(_row(*_summary(r, str(n + 1) if block.reasons else "")))
        lines.append("")
        for r in block.registers:
            if not r.is_whole:
                lines += _fields(r)
    lines += ["## Encodings", ""]
    for enum in the_map.encodings:
        lines += [f"### {enum.name}", "", *_head("Value", "Name", "Meaning")]
        lines += [_row(str(m.value), f"`{m.name}`", m.text) for m in enum.members] + [""]
    return "\n".join(lines)


def _summary(r: Register, code: str) -> list[str]:
    last = r.end - WORD
    address = f"`0x{r.address:03x}`" + (f" to `0x{last:03x}`" if last > r.address else "")
    name = f"`{r.name}`" if r.is_whole else f"[`{r.name}`](#{r.name.lower()})"
    array = f"[{r.words}]" if r.words > 1 else ""
    access = " ".join(dict.fromkeys(field.access for field in r.fields))
    reset = "-" if r.reset is None else f"`0x{r.reset:x}`"
    meaning = f"{r.title}. {'' if r.is_counter else r.text}".strip()
    return [address, name + array, *([code] if code else []), access, reset, meaning]


def _fields(register: Register) -> list[str]:
    lines = [f"### {register.name}", "", *_head("Bits", "Field", "Access", "Reset", "Meaning")]
    for f in register.fields:
        bits = f"{f.lsb + f.width - 1}:{f.lsb}" if f.width > 1 else f"{f.lsb}"
        reset = "-" if f.reset is None else f"{f.reset}"
        values = f"[{f.enum}](#{f.enum})" if f.enum else ""
        lines.append(_row(bits, f"`{f.name}`", f.access, reset, f"{values} {f.meaning}".strip()))
    return [*lines, ""]


def _head(*names: str) -> list[str]:
    return [_row(*names), _row(*["---"] * len(names))]


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


# ---- files ----

OUTPUTS: Final[Mapping[Path, Callable[[Map], str]]] = {
    ROOT / "hdl" / "tls_regs.vh": verilog,
    ROOT / "model" / "regs.py": python,
    ROOT / "host" / "regs.py": python,
    ROOT / "hdl" / "regs" / "tlsnic_regs.h": c_header,
    ROOT / "docs" / "registers.md": markdown,
}


def stale(the_map: Map) -> list[Path]:
    """The files that are missing or differ from what the map says."""
    return [
        path
        for path, write in OUTPUTS.items()
        if not path.exists() or path.read_text() != write(the_map)
    ]


def html(folder: Path) -> None:
    """The map as web pages, by peakrdl-html."""
    try:
        exporter: Any = importlib.import_module("peakrdl_html").HTMLExporter()
    except ImportError:
        sys.exit("--html needs peakrdl-html: pip install -e '.[html]'")
    exporter.export(elaborate(), str(folder))


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="exit 1 when a file is not current")
    parser.add_argument("--html", type=Path, metavar="DIR", help="write web pages to DIR")
    arguments = parser.parse_args()
    try:
        the_map = load()
    except (RDLCompileError, MapError) as error:
        sys.exit(f"{SOURCE.relative_to(ROOT)}: {error}")
    if arguments.html is not None:
        html(arguments.html)
        return
    paths = stale(the_map)
    for path in paths:
        if arguments.check:
            print(f"{path.relative_to(ROOT)} is not what hdl/regs/tlsnic.rdl says")
        else:
            path.write_text(OUTPUTS[path](the_map))
            print(f"wrote {path.relative_to(ROOT)}")
    if arguments.check and paths:
        sys.exit("run: python hdl/regs/generate.py")


if __name__ == "__main__":
    main()
