"""Proofs of the RTL with SymbiYosys and yices: `make formal`.

    python -m tools.formal [NAME...] [--bugs] [-v]

A proof is one module of `hdl/`; NAME is one of the table below. Properties are in `hdl/formal`, in
a `.vh` of the module's name, and are written into the end of a copy of the module, where they see
its registers and memories; the RTL itself knows nothing of them. A `prove` holds for ever (by
induction). What is proved, and what is taken for granted, is said in the files' headers.

`--bugs` plants bugs, one at a time, in the copies, and expects each to be found by its proof, in a
trace from reset and by what is seen at the ports. All is written to `build/formal`.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parent.parent
HDL = ROOT / "hdl"
FORMAL = HDL / "formal"
OUT = ROOT / "build" / "formal"
LIMIT = 600  # seconds a proof, or a case of it, may take: much more than alone on a core
# only induction needs them: a planted bug must be found by what it does at the ports
INVARIANTS = re.compile(r"// ---- invariants ----\n.*?// ---- end of invariants ----\n", re.S)


@dataclass(frozen=True)
class Bug:
    """A text of a module, and what it is changed to."""

    module: str
    old: str
    new: str


@dataclass(frozen=True)
class Proof:
    """One run of SymbiYosys.

    `modules` are those of `hdl/` that are read, `properties` those of them whose `.vh` is added.
    Of those that are `free` only the ports are read: their outputs may do anything at any time.
    More than one of `cases` splits a proof: each sets parameters, and all must pass.
    """

    top: str
    modules: tuple[str, ...]
    properties: tuple[str, ...] = ()
    parameters: Mapping[str, int] = field(default_factory=dict)
    mode: str = "prove"
    depth: int = 2
    engine: str = "smtbmc yices"
    bugs: tuple[Bug, ...] = ()
    bug_depth: int = 24
    cases: tuple[Mapping[str, int], ...] = ({},)
    free: tuple[str, ...] = ()


PROOFS: dict[str, Proof] = {
    "fifo": Proof(
        "axis_fifo",
        ("axis_fifo",),
        ("axis_fifo",),
        {"DATA_W": 8, "DEPTH": 4, "BLOCK": 0},
        bugs=(
            # evaluated in 32 bits: after the pointers wrap the queue is never full
            Bug("axis_fifo", "= !full_q;", "= ((wr_q - rd_q) != DEPTH);"),
            Bug("axis_fifo", "if (write) begin", "if (s_axis_tvalid) begin"),
        ),
    ),
    "fifo_block": Proof(
        "axis_fifo",
        ("axis_fifo",),
        ("axis_fifo",),
        {"DATA_W": 8, "DEPTH": 8, "BLOCK": 1},
        depth=4,
        bugs=(
            Bug("axis_fifo", "if (read) mid_q <=", "if (write || read) mid_q <="),
            Bug("axis_fifo", "!mid_valid_q || out_room", "!mid_valid_q || m_axis_tready"),
        ),
    ),
    "context": Proof(
        "tls_rx_context",
        ("tls_rx_context",),
        ("tls_rx_context",),
        {"ID_W": 2, "SLOT_W": 1, "CONN_W": 8, "REC_W": 8, "ALONG_W": 4},
        bugs=(
            # the connection of two frames before is taken for that of the one before
            Bug(
                "tls_rx_context", "held_id_q <= s_id;", "if (s_needs && !held_q) held_id_q <= s_id;"
            ),
            Bug("tls_rx_context", "held_q    <= s_needs;", "held_q    <= 1'b1;"),
            Bug("tls_rx_context", "|| (leaves && !insert_q);", "|| leaves;"),
            Bug("tls_rx_context", "ST_KEEP: if (!scan_en) state_q", "ST_KEEP: state_q"),
            Bug("tls_rx_context", "same_q   <= held_q && held_id_q", "same_q   <= held_id_q"),
        ),
    ),
    "lookup": Proof(
        "tls_lookup",
        ("tls_lookup",),
        ("tls_lookup",),
        {"CONNS": 2, "ALONG_W": 4},
        bugs=(
            Bug("tls_lookup", "move = !v5 || m_ready;", "move = !v4 || m_ready;"),
            Bug("tls_lookup", "along5  <= along4;", "along5  <= along3;"),
        ),
    ),
    "verdict": Proof(
        "tls_rx_verdict",
        ("tls_rx_verdict",),
        ("tls_rx_verdict",),
        {"ID_W": 1, "WINDOW": 2, "PART_W": 2},
        bugs=(
            Bug("tls_rx_verdict", "if (frame && m_frame_ready) bad_q", "if (frame) bad_q"),
            Bug("tls_rx_verdict", "= add && is_text;", "= add;"),
        ),
    ),
    "commands": Proof(
        "tls_commands",
        ("tls_commands",),
        ("tls_commands",),
        {"CONNS": 4},
        bugs=(
            Bug("tls_commands", "ST_WIPE:   if (m_key_ready) state_q", "ST_WIPE:   state_q"),
            Bug(
                "tls_commands",
                "if (removed) state_q <= ST_WIPE;",
                "if (removed) state_q <= ST_WIPED;",
            ),
        ),
    ),
    "feed": Proof(
        "tls_feed",
        ("tls_feed", "axis_fifo"),
        ("tls_feed", "axis_fifo"),
        {"ID_W": 1, "PART_W": 2, "ADDR_W": 8},
        bugs=(
            Bug("tls_feed", "(m_part_ready && !out_q[PART_W]);", "m_part_ready;"),
            Bug(
                "tls_feed",
                "!s_piece_is_tag && !out_q[PART_W] && job_room;",
                "!s_piece_is_tag && job_room && read;",
            ),
        ),
    ),
    "axil": Proof(
        "tls_csr_axil",
        ("tls_csr_axil",),
        ("tls_csr_axil",),
        {"ADDR_W": 4},
        bugs=(
            Bug("tls_csr_axil", "aw_valid_q && w_valid_q && !b_valid_q", "aw_valid_q && w_valid_q"),
            Bug("tls_csr_axil", "rd_valid = ar_valid_q && !r_valid_q", "rd_valid = ar_valid_q"),
        ),
    ),
    "out": Proof(
        "tls_rx_out",
        ("tls_rx_out", "axis_fifo"),
        ("tls_rx_out", "axis_fifo"),
        {"ID_W": 2, "ADDR_W": 3},
        bugs=(
            Bug(
                "tls_rx_out",
                "? ~(16'hffff << s_range_to[3:0])",
                "? ~(16'hfffe << s_range_to[3:0])",
            ),
            Bug("tls_rx_out", "last_q  <= raw_last;", "last_q  <= v1_last;"),
            Bug("tls_rx_out", "user2_q <= user1_q;", "user2_q <= user_q;"),
            Bug("tls_rx_out", "rd_q != wr_addr && covered", "covered"),
        ),
    ),
    "tx_out": Proof(
        "tls_tx_out",
        ("tls_tx_out", "axis_fifo"),
        ("tls_tx_out", "axis_fifo"),
        {"ADDR_W": 11, "ALONG_W": 4},
        bugs=(
            # plaintext leaves where the next frame has a gap
            Bug("tls_tx_out", "(gapped && s_gap_valid) ? span", "s_gap_valid ? span"),
            Bug("tls_tx_out", "&& (!crypts_q || !gapped || s_gap_valid);", ";"),
            Bug("tls_tx_out", "= crypts_q ? payload & ~gap : 16'd0;", "= payload & ~gap;"),
            Bug("tls_tx_out", "{{ADDR_W-1{1'b0}}, ask} + {{ADDR_W-10", "{{ADDR_W-10"),
            Bug("tls_tx_out", "busy_q   <= s_frame_leaves;", "busy_q   <= 1'b1;"),
            Bug("tls_tx_out", "along2_q <= along1_q;", "along2_q <= along_q;"),
            Bug("tls_tx_out", "(!busy_q || ends) && gaps == 10'd0;", "(!busy_q || ends);"),
        ),
    ),
    "tx_tags": Proof(
        "tls_tx_tags",
        ("tls_tx_tags",),
        ("tls_tx_tags",),
        {"ID_W": 2, "PART_W": 2, "ADDR_W": 8, "ALONG_W": 4},
        bugs=(
            # text of the part before is taken for that of this one
            Bug("tls_tx_tags", "&& (!s_item_some || texts_q != {PART_W+1{1'b0}});", ";"),
            Bug("tls_tx_tags", "SETTLE = 2'd3;", "SETTLE = 2'd1;"),
            Bug("tls_tx_tags", "if (open_q && s_end_keeps)", "if (open_q)"),
            Bug("tls_tx_tags", "if (!s_item_apart) tag_q", "tag_q"),
            Bug(
                "tls_tx_tags",
                "settle_q == 2'd0 && m_frame_ready && m_axis_tready;",
                "settle_q == 2'd0 && m_frame_ready;",
            ),
            Bug("tls_tx_tags", "next && is_tag && open_q;", "next && is_tag;"),
            Bug("tls_tx_tags", "(s_item_last && !s_item_apart)", "s_item_last"),
            Bug("tls_tx_tags", "= there_q[id_q] && (!s_item_some", "= (!s_item_some"),
        ),
    ),
    "tx_checksum": Proof(
        "tls_tx_checksum",
        ("tls_tx_checksum", "axis_fifo"),
        ("tls_tx_checksum", "axis_fifo"),
        {"ADDR_W": 2},  # bugs are planted in a small buffer, which is soon full
        depth=1,
        cases=({"ADDR_W": 5},),  # full with 31 words, or with 16 frames
        bugs=(
            Bug("tls_tx_checksum", "used < {ADDR_W", "used <= {ADDR_W"),
            # what is the next frame's: the sum, its place, that it asks
            Bug("tls_tx_checksum", "sum1_q <= sum_q;", "sum1_q <= sum;"),
            Bug("tls_tx_checksum", "e_field  <= d_field;", "e_field  <= c_field;"),
            Bug("tls_tx_checksum", "put_q  <= asks_q ?", "put_q  <= asks ?"),
            Bug("tls_tx_checksum", "at_q    <= 10'd0;", "at_q    <= 10'd1;"),
            # a sum before it is made
            Bug("tls_tx_checksum", ".s_axis_tvalid(e_last)", ".s_axis_tvalid(d_last)"),
        ),
    ),
    "tx_walk": Proof(
        "tls_tx_walk",
        ("tls_tx_walk",),
        ("tls_tx_walk",),
        {"ID_W": 1, "ADDR_W": 15, "ALONG_W": 4},
        depth=1,
        bugs=(
            Bug("tls_tx_walk", "if (seq_q == c_next)", "if (seq_q[30:0] == c_next[30:0])"),
            Bug(
                "tls_tx_walk",
                "is_load && reason_q == TX_DROP_NONE && bytes_q",
                "is_load && bytes_q",
            ),
            Bug("tls_tx_walk", "else if (ended && keeps)", "else if (ended)"),
            Bug(
                "tls_tx_walk",
                "m_gap_to      = off_q + run[13:0];",
                "m_gap_to      = off_q + {10'd0, prefix_len};",
            ),
            Bug("tls_tx_walk", "pos_q  <= pos_q + {", "if (is_piece) pos_q <= pos_q + {"),
        ),
    ),
    "search": Proof(
        "tls_rx_search",
        ("tls_rx_search",),
        ("tls_rx_search",),
        {"WINDOW": 2, "SEARCH_W": 856},
        bugs=(
            Bug("tls_rx_search", "(moved || dropped[pending_chain_q]);", "moved;"),
            Bug("tls_rx_search", "if (dropped[made_chain_q]) made_q <= 1'b0;", ""),
            Bug("tls_rx_search", "if (dropped[trial_chain_q]) trial_q <= 1'b0;", ""),
            Bug("tls_rx_search", "(pending_chain_q != made_chain_q && older[31])", "1'b1"),
        ),
    ),
    "walk": Proof(
        "tls_rx_walk",
        ("tls_rx_walk", "tls_rx_search"),
        ("tls_rx_walk",),
        free=("tls_rx_search",),
        parameters={"ID_W": 1, "ADDR_W": 16, "WINDOW": 2, "CONN_W": 1060, "REC_W": 287},
        depth=1,
        cases=(
            *({"F_CASE": state} for state in (0, 1, 2, 5, 6, 7, 8)),
            *({"F_CASE": state, "F_PIECE": piece} for state in (3, 4) for piece in range(4)),
        ),
        bugs=(
            Bug(
                "tls_rx_walk",
                "wire [14:0]  new_total  = {head_q[30:24], head_q[39:32]} + 15'd5;",
                "wire [14:0]  new_total  = {head_q[30:24], head_q[39:32]} + 15'd4;",
            ),
            Bug(
                "tls_rx_walk",
                "search_addr : addr_q - {{ADDR_W-4{1'b0}}, have_q};",
                "search_addr : addr_q + 1'b1;",
            ),
            Bug("tls_rx_walk", "(opens && new_empty) ? ST_EMPTY : passing_q", "passing_q"),
            Bug(
                "tls_rx_walk",
                "fresh_q <= 1'b0;\n            if (has_text)",
                "fresh_q <= has_tag;\n            if (has_text)",
            ),
            Bug(
                "tls_rx_walk",
                "= place_q + m_piece_bytes;",
                "= place_q + run_len;",
            ),
        ),
    ),
}


class ProofError(Exception):
    """A tool is missing, or a planted bug's text is not there."""


def source(module: str, properties: bool, bug: Bug | None) -> str:
    """A module's text, with its bug and its properties."""
    text = (HDL / f"{module}.v").read_text()
    if bug is not None and bug.module == module:
        if text.count(bug.old) != 1:
            raise ProofError(f"{module}: not there once: {bug.old}")
        text = text.replace(bug.old, bug.new)
    if properties:
        added = (FORMAL / f"{module}.vh").read_text()
        if bug is not None:
            added = INVARIANTS.sub("", added)
        at = text.rindex("endmodule")
        text = f"{text[:at]}{added}{text[at:]}"
    return text


def free(module: str) -> str:
    """A module with the same ports, whose outputs may be anything in each clock."""
    text = (HDL / f"{module}.v").read_text()
    ports = text[text.index(f"module {module} ") : text.index("\n);\n") + 4]
    outputs = re.findall(r"^\s*output\s+wire\s+(?:(\[.*\])\s+)?(\w+)", ports, re.M)
    lines = [
        f"(* anyseq *) reg {bits} f_{name};\nassign {name} = f_{name};" for bits, name in outputs
    ]
    return "\n".join([ports, *lines, "endmodule", ""])


def configuration(proof: Proof, files: list[str]) -> str:
    """The text for SymbiYosys."""
    sets = " ".join(f"-set {name} {value}" for name, value in proof.parameters.items())
    return "\n".join(
        [
            "[options]",
            f"mode {proof.mode}",
            f"depth {proof.depth}",
            f"timeout {LIMIT}",
            "expect pass",
            "[engines]",
            proof.engine,
            "[script]",
            *(f"read_verilog -formal {name}" for name in files if name.endswith(".v")),
            *([f"chparam {sets} {proof.top}"] if sets else []),
            f"hierarchy -check -top {proof.top}",
            f"prep -flatten -top {proof.top}",
            "[files]",
            *files,
            "",
        ]
    )


def prove(name: str, proof: Proof, bug: Bug | None = None) -> tuple[str, float]:
    """Run one proof; returns PASS, FAIL, UNKNOWN, TIMEOUT or ERROR, and the seconds it took.

    With a bug a trace from reset is looked for: that induction fails would say little.
    """
    if bug is not None:
        proof = replace(proof, mode="bmc", depth=proof.bug_depth)
    binaries = Path(sys.executable).parent
    tool = shutil.which("yowasp-sby", path=f"{binaries}")
    if tool is None or shutil.which("yices-smt2", path=f"{binaries}") is None:
        raise ProofError("yowasp-sby or yices-smt2 is not installed: make setup-formal")
    folder = OUT / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    files = []
    for module in proof.modules:
        text = source(module, module in proof.properties, bug)
        if module in proof.free:
            text = free(module)
        (folder / f"{module}.v").write_text(text)
        files.append(f"{module}.v")
    for path in [*HDL.glob("*.vh"), FORMAL / "stream_rules.v"]:
        shutil.copy(path, folder / path.name)
        files.append(path.name)
    (folder / "proof.sby").write_text(configuration(proof, files))
    tools = {"YOSYS": "yosys", "SMTBMC": "yosys-smtbmc", "WITNESS": "yosys-witness"}
    environment = dict(os.environ)
    environment["PATH"] = f"{binaries}{os.pathsep}{environment['PATH']}"
    environment |= {variable: f"yowasp-{program}" for variable, program in tools.items()}
    start = time.monotonic()
    with (folder / "log").open("w") as log:
        subprocess.run(
            [tool, "-f", "-d", "run", "proof.sby"],
            cwd=folder,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    said = re.findall(r"DONE \((\w+), rc=", (folder / "log").read_text())
    return (said[-1] if said else "ERROR"), time.monotonic() - start


def main() -> int:
    """Run the proofs; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.formal", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="proofs, of: " + ", ".join(PROOFS))
    parser.add_argument(
        "--bugs", action="store_true", help="plant bugs and expect them to be found"
    )
    parser.add_argument("-v", "--verbose", action="store_true", help="a line for each part")
    options = parser.parse_args()
    unknown = set(options.names) - set(PROOFS)
    if unknown:
        parser.error(f"no such proof: {', '.join(sorted(unknown))}")
    names = options.names or list(PROOFS)
    table = Table("proof", "engine", "mode", "depth", "s", "result")
    good = True
    console = Console()
    for name in names:
        proof = PROOFS[name]
        runs: list[tuple[str, Bug | None]] = [(name, None)]
        if options.bugs:
            runs = [(f"{name}.bug{i}", bug) for i, bug in enumerate(proof.bugs, 1)]
        for label, bug in runs:
            result, seconds = "PASS", 0.0
            try:
                for number, case in enumerate(proof.cases if bug is None else ({},)):
                    part = replace(proof, parameters={**proof.parameters, **case})
                    where = label if len(proof.cases) == 1 else f"{label}.{number}"
                    result, more = prove(where, part, bug)
                    seconds += more
                    if options.verbose:
                        print(f"{where}: {result}, {more:.1f} s", file=sys.stderr)
                    if result != "PASS":
                        break
            except ProofError as error:
                print(error, file=sys.stderr)
                return 2
            right = result == ("PASS" if bug is None else "FAIL")
            good &= right
            mode = "unbounded" if proof.mode == "prove" else "bounded"
            word = result if bug is None else ("found" if right else f"NOT FOUND: {result}")
            table.add_row(label, proof.engine, mode, f"{proof.depth}", f"{seconds:.1f}", word)
            print(f"{label}: {word}, {seconds:.1f} s", file=sys.stderr)
    console.print(table)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
