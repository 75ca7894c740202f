#!/usr/bin/env bash
# Everything the project needs on a bare Debian or Ubuntu machine with Python 3.11 or later.
#
# In    PYTHON (default python3): which Python; VENV (default .venv): where to install;
#       $1: the extras of pyproject.toml, such as dev or dev,synth
# Out   the virtual environment; system packages only where a tool is missing
# Error what is missing, and the command that a person with the rights must run
set -euo pipefail
python=${PYTHON:-python3}
venv=${VENV:-.venv}
extras=${1:-dev}

fail() { printf 'setup: %s\n' "$*" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }
header() { [ -n "$(find /usr/include /usr/local/include -maxdepth 2 -name "$1" -print -quit 2>/dev/null)" ]; }

missing=()
have iverilog || missing+=(iverilog)
have g++      || missing+=(g++)
have make     || missing+=(make)
have perl     || missing+=(perl)
have ccache   || missing+=(ccache)             # Verilator's own runtime is compiled once only
header zlib.h || missing+=(zlib1g-dev)         # Verilator writes FST with these two
header lz4.h  || missing+=(liblz4-dev)
have "$python" || { missing+=(python3 python3-venv python3-dev); }
if have "$python"; then
    "$python" -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3-venv)
    # cocotb loads Python into the simulator, so its shared library must exist
    "$python" - <<'PY' || missing+=(python3-dev)
import os, sys, sysconfig as s
name = s.get_config_var("LDLIBRARY") or ""
places = [s.get_config_var("LIBDIR"), "/usr/lib/" + (s.get_config_var("MULTIARCH") or "")]
stem = name.removesuffix(".a").removesuffix(".so")
found = any(f.startswith(stem + ".so") for p in places if p and os.path.isdir(p) for f in os.listdir(p))
sys.exit(not found)
PY
fi

if [ ${#missing[@]} -gt 0 ]; then
    install="apt-get install -y --no-install-recommends ${missing[*]}"
    have apt-get || fail "these are missing: ${missing[*]}; install them with your package manager"
    if [ "$(id -u)" -eq 0 ]; then as=
    elif have sudo && sudo -n true 2>/dev/null; then as=sudo
    else fail "these are missing: ${missing[*]}; ask for:  sudo $install"; fi
    printf 'setup: installing %s\n' "${missing[*]}"
    $as apt-get update -qq || true             # an old list may still do
    DEBIAN_FRONTEND=noninteractive $as $install >/dev/null || fail "failed: $install"
fi

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    fail "Python 3.11 or later is needed, $python is $("$python" --version 2>&1); set PYTHON"
[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check -e ".[$extras]"
