# What can be made: bare `make`. What CI runs: make ci.
SHELL         := bash
.SHELLFLAGS   := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
MAKEFLAGS     += --no-builtin-rules --no-print-directory

VENV    ?= .venv
PYTHON  ?= python3
SIM     ?= icarus
JOBS    ?= 2
TEST    ?= cocotb_tests
VECTORS ?=
export PYTHON VENV SIM

BIN    := $(VENV)/bin
HDL    := $(wildcard hdl/*.v)
PYTEST := $(BIN)/pytest -q

.PHONY: help setup setup-synth demo test model sim vectors regress bench lint types layers regs \
        html synth pnr ci clean

help:   ## this list
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t22
	@echo '  variables: SIM=icarus|verilator  SEED=n  WAVES=1  TEST=path::name  JOBS=n'

setup: $(VENV)/.dev   ## all that is needed, in .venv; system packages where they are missing
setup-synth: $(VENV)/.synth   ## Yosys and nextpnr too
$(VENV)/.dev: pyproject.toml tools/setup.sh
	tools/setup.sh dev
	touch $@
$(VENV)/.synth: pyproject.toml tools/setup.sh
	tools/setup.sh dev,synth
	touch $@ $(VENV)/.dev

demo: setup   ## the TLS 1.3 records of RFC 8448, cut up and shuffled, through the lane in RTL
	SIM=verilator $(BIN)/python -m cocotb_tests.demo

test: setup   ## every test, on both simulators
	$(PYTEST) -n $(JOBS) model host hdl/regs
	SIM=icarus $(PYTEST) -n $(JOBS) -m 'not regress' cocotb_tests
	SIM=verilator $(PYTEST) -n $(JOBS) -m 'not regress' cocotb_tests
model: setup   ## the golden model and the host alone, no simulator
	$(PYTEST) model host
sim: setup   ## RTL tests on one simulator; TEST= one of them
	$(PYTEST) -m '' '$(TEST)'
vectors: setup   ## a Wycheproof AEAD file through the lane: VECTORS=file.json; without: CAVP, RFC 8448
	$(BIN)/python -m cocotb_tests.vectors $(VECTORS)
regress: setup   ## the long sweeps, both simulators
	SIM=icarus $(PYTEST) -n $(JOBS) -m regress cocotb_tests
	SIM=verilator $(PYTEST) -n $(JOBS) -m regress cocotb_tests

bench: setup   ## clocks of the lane, beside the anchors; build/bench.json
	SIM=verilator $(BIN)/python -m cocotb_tests.bench

lint: setup   ## Icarus, Verilator and ruff, without a warning
	$(BIN)/python -m tools.lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
types: setup   ## mypy --strict
	$(BIN)/mypy
layers: setup   ## who may import whom
	$(BIN)/lint-imports
regs: setup   ## constants and docs from hdl/regs/tlsnic.rdl
	$(BIN)/python hdl/regs/generate.py
html: setup   ## the register map as web pages, in build/registers
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[html]'
	$(BIN)/python hdl/regs/generate.py --html build/registers

synth: setup-synth   ## Yosys cell counts per module for ECP5; no latch, no loop
	$(BIN)/python -m fpga.synth
pnr: setup-synth   ## route the lane for an ECP5-85F; half an hour, writes fpga/reports
	$(BIN)/python -m fpga.pnr

ci: lint types layers test   ## what CI runs, in the order that fails soonest
clean:   ## remove what was built
	rm -rf build
