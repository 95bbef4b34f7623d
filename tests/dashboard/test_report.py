"""The report: one file that needs nothing else; its pictures; missing data."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.dashboard.conftest import Copy

from reelhouse.cli import main
from reelhouse.cli.build import _write_report_if_possible
from reelhouse.dashboard.page import pages
from reelhouse.dashboard.report import html, write_pictures, write_report
from reelhouse.dashboard.start import HOST, OPTIONS, free_port
from reelhouse.dashboard.theme import DARK, LIGHT, Palette, app_options
from reelhouse.errors import ReelhouseError
from reelhouse.settings import Settings

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>"


class Tags(HTMLParser):
    """The elements of a page, and every address in them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.names: list[str] = []
        self.addresses: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.addresses += [
            value or "" for name, value in attrs if name in {"src", "href"}
        ]


def specs(text: str) -> dict[str, dict[str, object]]:
    """Return the charts of a report."""
    found = re.search(r"^const SPECS = (.*);$", text, re.MULTILINE)
    assert found
    return dict(json.loads(found[1]))


@pytest.fixture(autouse=True, scope="module")
def quick() -> Iterator[None]:
    """Leave out the library, which takes seconds to build; a browser test covers it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("reelhouse.dashboard.report.library", lambda: "")
        yield


@pytest.fixture(scope="module")
def whole(sample: Settings, quick: None) -> str:  # noqa: ARG001
    """The report of the sample."""
    return html(sample)


@pytest.mark.long
def test_only_a_report_is_overwritten(
    sample: Settings, whole: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def quiet(*_: object) -> None:
        pass

    monkeypatch.setattr("reelhouse.dashboard.report.html", lambda *_: whole)
    kept, link, out = (tmp_path / name for name in ("kept.csv", "link", "report.html"))
    kept.write_text("userId,movieId\n")
    link.symlink_to(kept)
    for path in (kept, link, tmp_path, sample.published, Path("/dev/null")):
        with pytest.raises(ReelhouseError, match="is not a report, so it is not over"):
            write_report(sample, path, quiet)
    assert kept.read_text() == "userId,movieId\n"
    out.touch()
    link.unlink()
    link.symlink_to(out)
    for _ in "ab":
        write_report(sample, link, quiet)
        assert out.read_text().startswith("<!doctype html>")
    assert link.is_symlink()
    assert {path.name for path in tmp_path.iterdir()} == {"kept.csv", "link", out.name}


def test_the_whole_report_is_one_file(whole: str) -> None:
    text = whole
    tags = Tags(text)
    assert {"iframe", "img", "object", "embed"} & set(tags.names) == set()
    assert all(each.startswith(("#", "data:")) for each in tags.addresses)
    assert "href" not in json.dumps(specs(text))
    told = [page for page in pages().values() if not page.subject]
    assert [each.name for each in told if f"<h1>{each.title}</h1>" not in text] == []
    # What the data is, and what can be seen in it.
    assert "28,000 ratings of 900 movies, 1996-03-25 to 2018-09-25; data set" in text
    assert text.count("rh-finding") > 10
    assert text.count("<summary>The query</summary>") >= 20
    # A sentence links to its chart.
    ids = set(re.findall(r'id="([^"]+)"', text))
    assert {each[1:] for each in tags.addresses if each.startswith("#")} <= ids
    charts = specs(text)
    assert len(charts) > 20
    # If two channels distinguish the same things, one legend is enough.
    for name, chart in charts.items():
        assert json.dumps(chart).count('"legend": {"title": null}') <= 1, name
    # Colours come from the theme.
    assert re.findall(r"#[0-9a-fA-F]{6}\b", json.dumps(charts)) == []
    drawn = set(re.findall(r'class="rh-chart" id="([^"]+)"', text))
    assert drawn == set(charts)


def test_a_run_ends_with_a_report_or_says_why_not(
    sample: Settings, changed: Copy, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = replace(sample, warehouse=changed().parent)
    _write_report_if_possible(settings)
    assert "<h1>Overview</h1>" in settings.report.read_text(encoding="utf-8")
    assert str(settings.report) in capsys.readouterr().out
    settings.report.unlink()
    settings.report.mkdir()
    _write_report_if_possible(settings)
    said = capsys.readouterr().out
    assert re.search("published, but the report .*is not a report.*: fix this", said)
    changed("drop table dim_movies cascade")
    _write_report_if_possible(settings)
    assert "the report could not be written (" in capsys.readouterr().out


@pytest.mark.long
def test_texts_of_the_data_end_no_script(sample: Settings, changed: Copy) -> None:
    path = changed(
        f"update mart_movie_performance set title = '{HOSTILE}'",
        f"update fct_tags set tag_normalised = '{HOSTILE}'",
        f"insert into health_rejects values ('a.csv', '{HOSTILE}', 1)",
        f"update health_reconciliation set reason = '{HOSTILE}'",
    )
    text = html(replace(sample, warehouse=path.parent))
    tags = Tags(text)
    # The library, and the script that draws with it.
    assert tags.names.count("script") == 2
    assert "img" not in tags.names
    assert HOSTILE in json.dumps(
        specs(text)["chart-catalogue-title-against-average-rating"]
    )


@pytest.mark.long
def test_without_data_it_says_so(sample: Settings, emptied: Path) -> None:
    text = html(replace(sample, warehouse=emptied.parent))
    assert specs(text) == {}
    assert text.count("rh-empty") > 20


@pytest.mark.long
def test_pictures_are_small_and_of_the_two_charts(
    sample: Settings, tmp_path: Path
) -> None:
    written = write_pictures(sample, tmp_path / "pictures")
    assert [path.name for path in written] == [
        "title-against-average-rating.png",
        "title-against-number-of-ratings.png",
    ]
    for path in written:
        content = path.read_bytes()
        assert content.startswith(b"\x89PNG")
        assert 5_000 < len(content) < 60_000
        assert int.from_bytes(content[16:20], "big") == 960


def test_no_picture_of_nothing(sample: Settings, emptied: Path, tmp_path: Path) -> None:
    with pytest.raises(ReelhouseError, match="There is no chart 'Title against"):
        write_pictures(replace(sample, warehouse=emptied.parent), tmp_path)


@pytest.mark.parametrize("command", ["dashboard", "report"])
def test_nothing_published_is_said_so(command: str, tmp_path: Path) -> None:
    ran = CliRunner().invoke(
        main, [command], env={"REELHOUSE_WAREHOUSE": str(tmp_path), "DBT_TARGET": "dev"}
    )
    assert ran.exit_code == 1
    assert "nothing has been published yet" in " ".join(ran.output.split())
    assert list(tmp_path.iterdir()) == []


def test_a_port_in_use_is_named() -> None:
    import socket

    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ReelhouseError, match=f"Port {port} is not available"):
            free_port(port)
    assert free_port(port) == port
    assert free_port(None) > 1023


def test_streamlit_knows_every_option_that_it_is_given() -> None:
    from streamlit import config

    known = set(config.get_config_options())
    assert set(OPTIONS | app_options()) - known == set()
    assert OPTIONS["server.address"] == "127.0.0.1"
    assert OPTIONS["browser.gatherUsageStats"] == "false"


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_texts_and_marks_stand_out_from_their_ground(palette: Palette) -> None:
    """WCAG asks for a contrast of 4.5 to 1 for text, and 3 to 1 for what is drawn."""
    for ground in (palette.ground, palette.raised):
        assert _contrast(palette.ink, ground) > 7
        assert _contrast(palette.quiet, ground) > 4.5
    for mark in palette.marks:
        assert _contrast(mark, palette.ground) > 3


def _contrast(one: str, other: str) -> float:
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in parts
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
