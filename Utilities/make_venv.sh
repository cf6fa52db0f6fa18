#!/bin/sh
# Make a virtual environment that has pip, also where the system's Python comes in parts.
# usage: make_venv.sh PYTHON FOLDER
set -eu
python=$1
venv=$2

fail() {
    echo "make_venv: $*" >&2
    exit 1
}

has_pip() {
    [ -x "$venv/bin/python" ] && "$venv/bin/python" -m pip --version >/dev/null 2>&1
}

command -v "$python" >/dev/null 2>&1 ||
    fail "there is no '$python'; install Python 3.11 or newer, or name it: make PYTHON=python3.12 ..."
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    fail "Python 3.11 or newer is needed and '$python' is $("$python" -V 2>&1); name another one: make PYTHON=python3.12 ..."
has_pip && exit 0

# A half-made environment would be kept by the attempts below.
[ ! -e "$venv" ] || [ -f "$venv/pyvenv.cfg" ] || fail "$venv exists and is no virtual environment"
"$python" -m venv --clear "$venv" >/dev/null 2>&1 && has_pip && exit 0
# Debian keeps ensurepip, which venv needs, in a package of its own.
"$python" -m virtualenv --clear "$venv" >/dev/null 2>&1 && has_pip && exit 0
if "$python" -m pip --version >/dev/null 2>&1; then
    "$python" -m venv --clear --without-pip "$venv" &&
        "$python" -m pip --python "$venv/bin/python" install pip && has_pip && exit 0
fi
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "make_venv: installing Debian's package python3-venv" >&2
    apt-get update >&2 && apt-get install -y --no-install-recommends python3-venv >&2 || true
    "$python" -m venv --clear "$venv" && has_pip && exit 0
fi
fail "'$python' cannot make virtual environments; on Debian and Ubuntu run: sudo apt-get install python3-venv"
