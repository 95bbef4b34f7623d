"""Screenshot: the dashboard of the published tables, as the README shows it.

`python -m tools.screenshot` serves the dashboard and takes a small PNG of its page of
genres, in docs/images; it needs Chromium (scripts/install-chromium.sh).
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys

from playwright.sync_api import ViewportSize, sync_playwright

from reelhouse.dashboard.report import small
from reelhouse.settings import project

PICTURE = "docs/images/dashboard.png"
PLACE = "genres"
SIZE: ViewportSize = {"width": 1280, "height": 860}
DRAWN = """
() => document.querySelector('.rh-foot')
    && document.querySelector('[data-testid=stVegaLiteChart] :is(canvas, svg)')
"""


def screenshot(address: str) -> bytes:
    """The first screen of a page, as PNG."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(viewport=SIZE)
        page.goto(address)
        page.wait_for_function(DRAWN, timeout=120_000)
        page.wait_for_timeout(1_500)
        picture = page.screenshot()
        browser.close()
    return picture


def main() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "reelhouse", "dashboard"],
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout
            said = process.stdout.readline()
            found = re.search(r"http://127\.0\.0\.1:\d+", said)
            if not found:
                sys.exit(f"The dashboard has not started: {said}")
            subprocess.run(
                ["curl", "-sf", "--retry", "30", "--retry-connrefused", found[0]],
                stdout=subprocess.DEVNULL,
                check=True,
            )
            picture = small(screenshot(f"{found[0]}/{PLACE}"))
        finally:
            process.terminate()
    path = project() / PICTURE
    path.write_bytes(picture)
    print(f"{path}: {len(picture):,} bytes")


if __name__ == "__main__":
    main()
