#!/bin/sh
# Makes FOLDER a virtual environment of PYTHON with gigapix in it, editable, beside what pip is asked for by ARGUMENT...
# FOLDER/.made holds checksums of all that went in. While they hold, nothing is done; where only the compiled sources
# changed, they are compiled again; where anything else did, the environment is made anew.
#
#     sh .ci/venv.sh FOLDER PYTHON ARGUMENT...
set -eu
folder=$1
python=$2
shift 2
cd "$(dirname "$0")/.."
say() { echo "gigapix: $*" >&2; }

interpreter=$("$python" .ci/preflight.py) || {
    [ $? -eq 1 ] || say "\`$python\` does not run: install Python 3.11 or newer, or name one with PYTHON=/path/to/python3."
    exit 1
}
python=$(echo "$interpreter" | cut -d ' ' -f 5-)

inputs=$({
    echo "$PWD" "$interpreter" "$@"
    cat pyproject.toml .ci/venv.sh
    for argument; do [ ! -f "$argument" ] || cat "$argument"; done
} | cksum)
sources=$(find src -name '*.pyx' -o -name '*.pxd' -o -name '*.h' | sort | xargs cat /dev/null | cksum)
made=$folder/.made
if [ "$(cat "$made" 2>/dev/null)" = "$inputs
$sources" ]; then exit 0; fi

export PIP_DISABLE_PIP_VERSION_CHECK=1
if [ "$(head -n 1 "$made" 2>/dev/null)" != "$inputs" ]; then
    if [ -n "$(ls -A "$folder" 2>/dev/null)" ] && [ ! -e "$folder/pyvenv.cfg" ]; then
        say "$folder is there and is no virtual environment: name another folder with VENV=."
        exit 1
    fi
    say "making $folder with $python (a minute, once)"
    rm -f "$made"
    "$python" -m venv --clear "$folder"
    "$folder/bin/python" -m pip install --quiet "pip>=25.1" # the first that knows --group
    "$folder/bin/python" -m pip install --quiet "$@"
fi
say "compiling gigapix in $folder"
rm -f "$made"
# The rest of the warning: "is still experimental". It builds, editable and as a wheel, and tests hold it.
export PYTHONWARNINGS='ignore:`[tool.setuptools.ext-modules]`'
"$folder/bin/python" -m pip install --quiet --no-build-isolation --editable ".[all]"
printf '%s\n%s\n' "$inputs" "$sources" >"$made"
