#!/usr/bin/env bash
# Make the virtual environment and install what pyproject.toml names. Does nothing when that was done already.
#
#   VENV       folder of the environment (.venv)
#   EXTRAS     extras of pyproject.toml, with commas (test)
#   PYTHON     the Python 3.11 or 3.12 to use (searched for)
#   PIP_FLAGS  more flags for `pip install`, such as the index or wheel folder to use
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

venv=${VENV:-.venv}
extras=${EXTRAS:-test}
stamp="$venv/.installed"
want="$(cksum < pyproject.toml) [$extras]"

suits() { "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' > /dev/null 2>&1; }

find_python() {
    local name
    for name in ${PYTHON:-python3.11 python3.12 python3 python}; do
        if suits "$name"; then
            echo "$name"
            return
        fi
    done
    if [ -n "${PYTHON:-}" ]; then
        echo "error: PYTHON=$PYTHON is not a working Python 3.11 or 3.12" >&2
    else
        echo "error: no Python 3.11 or 3.12 on the PATH (mediapipe has no build for newer ones);" \
            "install one, or name it: make demo PYTHON=/path/to/python3.11" >&2
    fi
    exit 2
}

make_venv() {
    local python
    if [ -e "$venv" ] && [ ! -f "$venv/pyvenv.cfg" ]; then
        echo "error: $venv exists and is not a virtual environment; move it away, or give another name: make demo VENV=..." >&2
        exit 2
    fi
    python=$(find_python)
    if ! "$python" -m venv --clear "$venv"; then
        echo "error: $python cannot make a virtual environment; on Debian and Ubuntu its venv module is a package of its own" \
            "(python3-venv), or name another Python: make demo PYTHON=/path/to/python3.11" >&2
        exit 2
    fi
}

# pip's own lines, cut down to the large downloads, so that a slow network shows.
brief() {
    awk '/^ *Downloading .* \([0-9.]+ [MG]B\)/ { print "  " $1, $2, $3, $4; fflush() }
         /^Installing collected packages/ { print "  Unpacking"; fflush() }'
}

pip_install() {
    # PIP_FLAGS holds several words.
    # shellcheck disable=SC2086
    "$venv/bin/python" -m pip install --disable-pip-version-check --progress-bar off ${PIP_FLAGS:-} "$@" | brief
}

import_cv2() { "$venv/bin/python" -c 'import cv2' 2>&1; }

# OpenCV's usual build needs the system's libGL.so.1, which a slim container lacks; its headless build, of the same version and in
# the same folder, does not. Nothing here opens a window, so the one can stand in for the other.
mend_opencv() {
    local fault version
    fault=$(import_cv2) && return
    case $fault in
        *"shared object file"*) ;;
        *)
            echo "error: OpenCV does not import: ${fault##*$'\n'}" >&2
            exit 1
            ;;
    esac
    version=$("$venv/bin/python" -c 'from importlib.metadata import version; print(version("opencv-contrib-python"))')
    echo "A system library for windows is missing (${fault##*ImportError: }): putting OpenCV's headless build in place"
    pip_install --force-reinstall --no-deps "opencv-contrib-python-headless==$version"
    if ! fault=$(import_cv2); then
        echo "error: OpenCV does not import (${fault##*ImportError: }); on Debian and Ubuntu install libgl1 and libglib2.0-0" >&2
        exit 1
    fi
}

[ -f "$stamp" ] && [ "$(cat "$stamp")" = "$want" ] && exit 0
if suits "$venv/bin/python"; then
    echo "Bringing $venv up to pyproject.toml"
else
    make_venv
    echo "Installing into $venv: about 2 minutes and 2.5 GB with torch's CPU build; the CUDA build, where pip takes it, is larger"
fi
pip_install --editable ".[$extras]"
mend_opencv
echo "$want" > "$stamp"
echo "$venv is ready"
