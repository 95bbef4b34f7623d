"""Charts: a single value is drawn, on readable axes."""

from __future__ import annotations

import json
import re

import pandas as pd
import pytest
import vl_convert

from reelhouse.dashboard.charts import bars, columns, dots, heat, lines

ONE = pd.DataFrame(
    {
        "title": ["Lantern"],
        "genre": ["Drama"],
        "month": pd.to_datetime(["2011-03-01"], utc=True),
        "rating_year": [2011],
        "rating": [4.0],
        "rating_count": [1],
        "active_users": [1],
        "new_users": [1],
        "average_rating": [4.0],
        "others_average": [4.0],
    }
)
DRAWN = {
    "a bar": (bars("title", "rating_count"), 1),
    "a dot on a line": (bars("title", "average_rating"), 1),
    "two": (bars("title", average_rating="this", others_average="all"), 2),
    "a month": (lines("rating_count"), 1),
    "an average of a month": (lines("average_rating"), 1),
    "two of a month": (lines("active_users", "new_users"), 2),
    "a column": (columns("rating", "rating_count"), 1),
    "a column of a year": (columns("rating_year", "rating_count"), 1),
    "a dot": (dots("rating_year", "average_rating", "rating_count"), 1),
    "a dot of a logarithm": (dots("rating_count", "average_rating", is_log=True), 1),
    "a field": (heat("rating_year", "genre", "average_rating"), 1),
}


# The marks and the labels of a drawn chart.
MARK = re.compile('aria-roledescription="(?:bar|point|rect mark)"')
TEXT = re.compile("<text[^>]*>([^<]*)</text>")


@pytest.mark.long
@pytest.mark.parametrize("name", DRAWN)
def test_one_value_alone_is_drawn(name: str) -> None:
    draw, marks = DRAWN[name]
    spec = draw(ONE).to_dict() | {"width": 300}
    svg = vl_convert.vegalite_to_svg(json.dumps(spec))
    assert len(MARK.findall(svg)) == marks
    texts = TEXT.findall(svg)
    # No more digits than needed, no year missing and, on a logarithmic axis, no label
    # outside of the data.
    assert "4.000" not in texts
    assert ("Mar 2011" in texts) == ("month" in name)
    if "logarithm" in name:
        assert {"1", "2"} == {each for each in texts if each.isdigit()}
