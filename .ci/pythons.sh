#!/bin/sh
# Prints the Pythons of this machine that can build gigapix, oldest first, the newest release of each minor version:
#
#     sh .ci/pythons.sh               3.11 /usr/bin/python3.11
#                                     3.13 /opt/python/bin/python3.13
#     sh .ci/pythons.sh newest        /opt/python/bin/python3.13
#
# A pyenv shim of a version that is not active runs and fails: it is passed over, as are pre-releases and debug builds.
set -eu
cd "$(dirname "$0")/.."

folders() {
    echo "$PATH" | tr ':' '\n'
    ls -d "${PYENV_ROOT:-$HOME/.pyenv}"/versions/*/bin 2>/dev/null || true
    ! command -v uv >/dev/null || ls -d "$(uv python dir)"/*/bin 2>/dev/null || true
}

found=$(folders | while read -r folder; do
    for python in "$folder"/python3.1[1-9] "$folder"/python3.[2-9][0-9]; do
        [ -x "$python" ] || continue
        if answer=$("$python" .ci/preflight.py 2>&1 </dev/null); then
            echo "$answer"
        else
            case $answer in
                "${told-}") ;;
                gigapix:*) told=$answer && echo "passed over: ${answer#gigapix: }" >&2 ;;
            esac
        fi
    done
done | sort -k 2,2n -k 3,3n | awk '$4 == "cpython-final" {
    version = $1 "." $2
    for (i = 0; i < 4; i++) sub(/^[^ ]+ /, "") # what is left is the path
    if (!(version in path)) order[++count] = version
    path[version] = $0
} END { for (i = 1; i <= count; i++) print order[i], path[order[i]] }')

[ -n "$found" ] || {
    echo "gigapix: no Python 3.11 or newer that can build it was found (on PATH, in pyenv, in uv)." >&2
    exit 1
}
case ${1-} in
    newest) echo "$found" | tail -n 1 | cut -d ' ' -f 2- ;;
    *) echo "$found" ;;
esac
