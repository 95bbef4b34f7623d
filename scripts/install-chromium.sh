#!/bin/sh
# Usage: scripts/install-chromium.sh
# Installs the browser that the tests in tests/browser drive, with a font for it to
# write with. Does nothing, and needs no package index, when one is there already.
set -eu

for browser in chromium chromium-browser google-chrome; do
    if command -v "$browser" >/dev/null; then
        exit 0
    fi
done

how="install Chromium or Google Chrome so that chromium, chromium-browser or \
google-chrome is on the PATH"
if ! command -v apt-get >/dev/null; then
    echo "There is no Chromium, and no apt-get to install it with: $how." >&2
    exit 1
fi
if [ "$(id -u)" != 0 ]; then
    echo "There is no Chromium, and apt-get installs it for root alone: run" \
        "'sudo scripts/install-chromium.sh', or $how." >&2
    exit 1
fi

echo "Installing chromium by apt-get (a minute or two)"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
export DEBIAN_FRONTEND=noninteractive
{
    apt-get update --quiet --quiet &&
        apt-get install --quiet --quiet --yes --no-install-recommends \
            chromium fonts-liberation
} >"$log" 2>&1 || {
    cat "$log" >&2
    echo "apt-get could not install chromium (see above): fix that, or $how." >&2
    exit 1
}
command -v chromium >/dev/null || {
    # On Ubuntu the package is a pointer to another package system.
    echo "The package chromium of this system brings no browser: $how." >&2
    exit 1
}
