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
FRAMES  ?= 100000
DEMO    := host/tests/data/tls12_aes256_mixed_v6
export PYTHON VENV SIM

BIN    := $(VENV)/bin
HDL    := $(wildcard hdl/*.v)
PYTEST := $(BIN)/pytest -q
SPLIT  := -n $(JOBS) --dist worksteal

.PHONY: help setup setup-synth setup-formal demo demo-lane test model sim vectors cosim regress sweep bench lint \
        types layers regs html synth pnr formal ci clean

help:   ## this list
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t22
	@echo '  variables: SIM=icarus|verilator  SEED=n  WAVES=1  TEST=path::name  JOBS=n'

setup: $(VENV)/.dev   ## all that is needed, in .venv; system packages where they are missing
setup-synth: $(VENV)/.synth   ## Yosys and nextpnr too
setup-formal: $(VENV)/.formal   ## SymbiYosys and yices too
$(VENV)/.dev: pyproject.toml tools/setup.sh
	tools/setup.sh dev
	touch $@
$(VENV)/.synth: pyproject.toml tools/setup.sh
	tools/setup.sh dev,synth
	touch $@ $(VENV)/.dev
$(VENV)/.formal: pyproject.toml tools/setup.sh
	tools/setup.sh dev,formal
	touch $@ $(VENV)/.dev

demo: setup   ## a capture of real TLS traffic through the device in RTL, driver and kTLS stack
	$(BIN)/tlsnic replay $(DEMO).pcap --keys $(DEMO).keys --nic fd77::1 --device rtl
demo-lane: setup   ## the TLS 1.3 records of RFC 8448, cut up and shuffled, through the lane alone
	SIM=verilator $(BIN)/python -m cocotb_tests.demo

test: setup   ## every test, on both simulators
	$(PYTEST) $(SPLIT) -m 'not regress' model host hdl/regs
	SIM=icarus $(PYTEST) $(SPLIT) -m 'not regress' cocotb_tests
	SIM=verilator $(PYTEST) $(SPLIT) -m 'not regress' cocotb_tests
model: setup   ## the golden model and the host alone, no simulator
	$(PYTEST) -m 'not regress' model host
sim: setup   ## RTL tests on one simulator; TEST= one of them
	$(PYTEST) -m '' '$(TEST)'
vectors: setup   ## a Wycheproof AEAD file through the lane: VECTORS=file.json; without: CAVP, RFC 8448
	$(BIN)/python -m cocotb_tests.vectors $(VECTORS)
cosim: setup   ## random traffic into RTL and model, in process: FRAMES=n SEED=n
	$(BIN)/python -m cocotb_tests.cosim --frames $(FRAMES) --jobs $(JOBS)
regress: setup   ## the long sweeps, both simulators, and more schedules of frames
	$(PYTEST) $(SPLIT) -m regress host
	SIM=icarus $(PYTEST) $(SPLIT) -m regress cocotb_tests
	SIM=verilator $(PYTEST) $(SPLIT) -m regress cocotb_tests

sweep: setup   ## loss and reordering, beside the published NIC; writes the tables of docs/sweep.md
	$(BIN)/python -m tools.sweep_docs --jobs $(JOBS)
bench: setup   ## clocks of device and lane, beside the anchors; build/bench.json
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

formal: setup-formal   ## proofs of the RTL, for any length of time; some minutes
	$(BIN)/python -m tools.formal
synth: setup-synth   ## Yosys cell counts per module for ECP5; no latch, no loop
	$(BIN)/python -m fpga.synth
pnr: setup-synth   ## route the lane for an ECP5-85F; half an hour, writes fpga/reports
	$(BIN)/python -m fpga.pnr

ci: lint types layers test formal   ## what CI runs, in the order that fails soonest
clean:   ## remove what was built
	rm -rf build
