"""CSV for people: nothing that a spreadsheet would run."""

from __future__ import annotations

import csv
import io

import pytest

from reelhouse.serving.csv_export import neutralised, to_csv


@pytest.mark.parametrize(
    "text",
    [
        *("=1+1", "+1", "-1", "@sum(a1)", "\t=1", "\r=1", '=HYPERLINK("//x")', "-"),
        *("＝1+1", "＋1", "－1", "＠sum(a1)", "\ttab", "\r", "\n=1"),
        *(
            " =1",
            "   @sum(a1)",
            "\u3000＝1",
            "\xa0=1",
            "\ufeff=1",
            "\u200b-1",
            "\x01+1",
        ),
        *("\u061c\u2066=1", "\u3164=1", "\ufe0f@sum(a1)", "\u2800-1", "\U000e0041=1"),
    ],
)
def test_a_formula_becomes_text(text: str) -> None:
    assert neutralised(text) == "'" + text


@pytest.mark.parametrize(
    "value", ["a=1", " 1", "", "'=1", "–1", "—", " ", "1", -1, -1.5, None, True]
)
def test_anything_else_stays_as_it_is(value: object) -> None:
    assert neutralised(value) is value


def test_a_file_can_be_read_back() -> None:
    rows = [["plain", -2.5, None], ['"quoted", with\nlines', 3, "=1"], ["é…", 0, ""]]
    content = to_csv(["=name", "number", "note"], rows)
    assert content.startswith(b"\xef\xbb\xbf")
    read = list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))
    assert read == [
        ["'=name", "number", "note"],
        ["plain", "-2.5", ""],
        ['"quoted", with\nlines', "3", "'=1"],
        ["é…", "0", ""],
    ]
