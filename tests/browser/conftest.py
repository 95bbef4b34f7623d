"""Fixtures for tests in a real browser, which can reach only this machine."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, sync_playwright

BROWSERS = ("chromium", "chromium-browser", "google-chrome")

# Disable most of what a browser does by itself.
OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium without a window; skips if it is not installed, except in CI."""
    found = [path for name in BROWSERS if (path := shutil.which(name))]
    reason = "there is no Chromium here: scripts/install-chromium.sh installs it"
    if not found and "CI" not in os.environ:
        pytest.skip(reason)
    assert found, reason
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=found[0], args=OPTIONS)
        yield chromium
        chromium.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A new browser profile without a network, for one test."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.set_offline(True)
    yield context
    context.close()
