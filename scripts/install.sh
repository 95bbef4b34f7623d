#!/bin/sh
# Usage: scripts/install.sh run|test
# Makes .venv with a Python that fits and installs the lock of that name there.
# Does nothing, and needs no package index, when that lock is already installed.
# PYTHON names the interpreter to use; by default the first that fits is taken.
set -eu
# They would lead cd and pip elsewhere.
unset CDPATH PIP_USER PIP_TARGET PIP_PREFIX PIP_ROOT
cd "$(dirname "$0")/.."

here=$(pwd -P)
lock=$1
fits='import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))'
version='import sys; print("%d.%d.%d" % sys.version_info[:3])'

find_python() {
    if [ -n "${PYTHON:-}" ]; then
        set -- "$PYTHON"
    else
        set -- python3.13 python3.12 python3.11 python3
    fi
    found=
    for candidate in "$@"; do
        if "$candidate" -c "$fits" 2>/dev/null; then
            echo "$candidate"
            return
        fi
        if number=$("$candidate" -c "$version" 2>/dev/null); then
            found="$found${found:+, }$candidate = $number"
        fi
    done
    case "$found" in
        *" = 3.1"[1-3]*) hint="its module venv is missing (on Debian: python3-venv)" ;;
        *) hint="install one, or name it with 'make PYTHON=/path/to/python3.13 ...'" ;;
    esac
    echo "Reelhouse needs Python 3.11, 3.12 or 3.13 and found" \
        "${found:-none as ${PYTHON:-python3}}: $hint." >&2
    return 1
}

# The stamp of a lock is the place of the checkout and the files that were installed.
# The place, because scripts in .venv name it: a checkout that moved starts again.
stamp() {
    echo "$here"
    cat "locks/$1.txt" pyproject.toml
}

is_installed() {
    stamp "$1" | cmp -s - ".venv/installed-$1" && .venv/bin/python -c '' 2>/dev/null
}

is_usable() {
    .venv/bin/python -c "$fits" 2>/dev/null &&
        .venv/bin/python -c 'import pip' 2>/dev/null &&
        { [ ! -e .venv/place ] || [ "$(cat .venv/place)" = "$here" ]; } &&
        { [ -z "${PYTHON:-}" ] || [ "$("$PYTHON" -c "$version")" = \
            "$(.venv/bin/python -c "$version")" ]; }
}

pip() {
    .venv/bin/python -m pip --disable-pip-version-check "$@"
}

if is_installed "$lock" && { [ -z "${PYTHON:-}" ] || is_usable; }; then
    exit 0
fi

if ! is_usable; then
    python=$(find_python)
    echo "Making .venv with $python ($("$python" -c "$version"))"
    rm -rf .venv
    "$python" -m venv .venv
fi
echo "$here" >.venv/place

echo "Installing locks/$lock.txt into .venv (a minute or two the first time)"
rm -f .venv/installed-*
# --no-deps, since the pip of a fresh environment refuses a lock with extras
# otherwise; pip check then proves that nothing is missing.
pip install --quiet --no-user --no-deps --no-compile --require-hashes -r "locks/$lock.txt"
# On all cores, where pip takes one. Like pip, it passes over what does not compile.
.venv/bin/python -m compileall -qq -j 0 .venv/lib || :
pip install --quiet --no-user --no-deps --no-build-isolation -e .
# dbt-core asks for a source package whose build downloads a binary that no command of
# ours needs: pyproject.toml leaves it out of the locks.
pip check >.venv/check.log || true
if grep -v 'dbt-core-experimental-parser\|^No broken' .venv/check.log >&2; then
    exit 1
fi
stamp "$lock" >.venv/installing
mv .venv/installing ".venv/installed-$lock"
# All that a run needs is in the lock for tests as well.
[ "$lock" = run ] || stamp run >.venv/installed-run
