"""Charts: from a frame to a Vega-Lite chart, for app, report and pictures alike.

A chart names no colour and no font; the theme's configuration gives both. Axes say
their unit; a count has whole ticks and starts at zero; an average, which would make
bars that all look alike, is a dot on a scale that fits. Time is UTC.
"""

from __future__ import annotations

from typing import Any

import altair as alt
import pandas as pd

from reelhouse.dashboard.theme import Palette, chart_config

Chart = alt.Chart | alt.LayerChart
Field = tuple[str, str, str]

ROW_HEIGHT = 21
HEIGHT = 260
# Bars whose shortest is longer than this share of the longest look alike.
ALIKE = 0.6
# Where a chart is too narrow for the titles of its axes, they make room.
LABEL_LIMIT = 190

MONTHS = alt.Axis(
    title=None, grid=False, labelOverlap="greedy", labelSeparation=14, tickCount=8
)
STARS = "average rating (stars)"
RATINGS = "ratings"


def themed(chart: Chart, palette: Palette, **font: str) -> Chart:
    """A chart in the colours of a palette."""
    drawn: Any = chart
    configured: Chart = drawn.configure(**chart_config(palette, **font))
    return configured


def ranked(
    frame: pd.DataFrame,
    label: str,
    value: str,
    title: str,
    tips: list[Field],
    *,
    is_count: bool = False,
    number: str = ".2f",
) -> Chart:
    """One value for each label, in the order of the frame: bars or dots.

    Bars for counts whose lengths differ, else dots. `tips` are column, name and format
    of what a pointer is told. Labels may repeat: two movies of one title are two rows.
    """
    data = _rows(frame, [label, value, *(name for name, _, _ in tips)])
    data["row"] = range(len(data))
    names = data[label].fillna("without a title").astype(str).tolist()
    least, most = float(data[value].min()), float(data[value].max())
    as_bars = is_count and least < ALIKE * most
    x = alt.X(
        f"{value}:Q",
        axis=_counts(title, data[value])
        if is_count
        else alt.Axis(title=title, format=number, tickCount=6),
        # Where all are the same, zero is what they differ from.
        scale=alt.Scale(zero=True, nice=True)
        if as_bars or least == most
        else alt.Scale(zero=False, nice=True, padding=12),
    )
    y = alt.Y(
        "row:O",
        axis=alt.Axis(
            title=None,
            labelExpr=f"{_texts(names)}[datum.value]",
            labelLimit=LABEL_LIMIT,
            grid=not as_bars,
            gridDash=[1, 3],
        ),
    )
    base = alt.Chart(data).encode(x=x, y=y, tooltip=_tips(tips))
    mark = (
        base.mark_bar(height={"band": 0.62}, cornerRadiusEnd=2)
        if as_bars
        else base.mark_point(size=85, filled=True, opacity=1)
    )
    return _sized(mark, _rows_high(len(data)))


def paired(
    frame: pd.DataFrame,
    label: str,
    values: dict[str, str],
    title: str,
    tips: list[Field],
) -> Chart:
    """Two averages or more for each label: dots on a line, told apart by colour.

    `values` are columns and how the legend calls them.
    """
    data = _rows(frame, [label, *values, *(name for name, _, _ in tips)])
    folded = data.rename(columns=values).melt(
        id_vars=[name for name in data if name not in values],
        value_vars=list(values.values()),
        var_name="kind",
        value_name="value",
    )
    base = alt.Chart(folded.dropna(subset=["value"])).encode(
        y=alt.Y(
            f"{label}:N",
            sort=data[label].tolist(),
            axis=alt.Axis(title=None, labelLimit=LABEL_LIMIT),
        )
    )
    span = base.mark_rule(strokeWidth=2, style="faint").encode(
        x=alt.X("min(value):Q", scale=alt.Scale(zero=False)), x2="max(value):Q"
    )
    dots = base.mark_point(size=80, filled=True, opacity=1).encode(
        x=alt.X(
            "value:Q",
            axis=alt.Axis(title=title, format=".1f"),
            scale=alt.Scale(zero=False, nice=True, padding=10),
        ),
        color=alt.Color(
            "kind:N", sort=list(values.values()), legend=alt.Legend(title=None)
        ),
        shape=alt.Shape("kind:N", sort=list(values.values())),
        tooltip=_tips(
            [(label, label, ""), ("kind", "kind", ""), ("value", title, ".3f"), *tips]
        ),
    )
    return _sized(alt.layer(span, dots), _rows_high(len(data), legend=32))


def by_month(
    frame: pd.DataFrame, value: str, title: str, *, is_count: bool = True
) -> Chart:
    """A value of each month: an area for a count, a line for an average."""
    data = _rows(frame, ["month", value])
    data["in words"] = data["month"].dt.strftime("%B %Y")
    y = alt.Y(
        f"{value}:Q",
        axis=_counts(title, data[value])
        if is_count
        else alt.Axis(title=title, format=".1f"),
        scale=alt.Scale(zero=is_count, nice=True),
    )
    base = alt.Chart(data).encode(
        x=alt.X(
            "month:T",
            scale=alt.Scale(type="utc"),
            axis=MONTHS,
        ),
        y=y,
        tooltip=_tips(
            [("in words", "month", ""), (value, title, "," if is_count else ".2f")]
        ),
    )
    if is_count:
        drawn = base.mark_area(
            line={"strokeWidth": 1.5}, opacity=0.35, interpolate="step-after"
        )
    else:
        # A month alone between two empty ones is no line, but a dot.
        drawn = base.mark_line(point={"size": 12, "filled": True}, strokeWidth=1.5)
    return _sized(drawn, HEIGHT - 40)


def two_by_month(frame: pd.DataFrame, values: dict[str, str], title: str) -> Chart:
    """Counts of each month as a line each; `values` as for `paired`."""
    data = _rows(frame, ["month", *values]).rename(columns=values)
    data["in words"] = data["month"].dt.strftime("%B %Y")
    folded = data.melt(
        id_vars=["month", "in words"], var_name="kind", value_name="value"
    )
    order = list(values.values())
    drawn = (
        alt.Chart(folded)
        .mark_line(strokeWidth=1.6)
        .encode(
            x=alt.X(
                "month:T",
                scale=alt.Scale(type="utc"),
                axis=MONTHS,
            ),
            y=alt.Y("value:Q", axis=_counts(title, folded["value"])),
            color=alt.Color("kind:N", sort=order, legend=alt.Legend(title=None)),
            strokeDash=alt.StrokeDash("kind:N", sort=order),
            tooltip=_tips(
                [("in words", "month", ""), ("kind", "kind", ""), ("value", title, ",")]
            ),
        )
    )
    return _sized(drawn, HEIGHT - 40)


def columns(
    frame: pd.DataFrame, x: str, value: str, x_title: str, title: str, number: str = ""
) -> Chart:
    """A count for each step of a scale, such as a half star or a year."""
    data = _rows(frame, [x, value])
    data["step"] = [f"{each:g}" for each in data[x]]
    order = data["step"].tolist()
    every = max(1, -(-len(order) // 10))
    drawn = (
        alt.Chart(data)
        .mark_bar(width={"band": 0.78 if len(order) < 40 else 0.9})
        .encode(
            x=alt.X(
                "step:O",
                sort=order,
                axis=alt.Axis(
                    title=x_title,
                    labelAngle=0,
                    ticks=False,
                    values=order[::every],
                ),
            ),
            y=alt.Y(
                f"{value}:Q",
                axis=alt.Axis(title=title, format=number)
                if number
                else _counts(title, data[value]),
                scale=alt.Scale(zero=True, nice=True),
            ),
            tooltip=_tips([("step", x_title, ""), (value, title, number or ",")]),
        )
    )
    return _sized(drawn, HEIGHT)


def averages_by_year(
    frame: pd.DataFrame, x: str, x_title: str, least_ratings: int = 1
) -> Chart:
    """The average of each year that has ratings; the larger the dot, the more."""
    data = _rows(frame, [x, "average_rating", "rating_count"])
    data = data[data["rating_count"].fillna(0) >= least_ratings]
    drawn = (
        alt.Chart(data)
        .mark_point(filled=True, opacity=0.75)
        .encode(
            x=alt.X(
                f"{x}:Q",
                axis=alt.Axis(title=x_title, format="d", grid=False, tickMinStep=1),
                scale=alt.Scale(zero=False, nice=False, padding=12),
            ),
            y=alt.Y(
                "average_rating:Q",
                axis=alt.Axis(title=STARS, format=".1f"),
                scale=alt.Scale(zero=False, nice=True),
            ),
            size=alt.Size(
                "rating_count:Q",
                scale=alt.Scale(type="sqrt", range=[12, 320]),
                legend=None,
            ),
            tooltip=_tips(
                [
                    (x, x_title, "d"),
                    ("average_rating", STARS, ".3f"),
                    ("rating_count", RATINGS, ","),
                ]
            ),
        )
    )
    return _sized(drawn, HEIGHT)


def quality_and_popularity(frame: pd.DataFrame, mean: float | None) -> Chart:
    """Every movie by how often and how well it is rated, and the mean of all."""
    data = _rows(
        frame, ["title", "rating_count", "average_rating", "release_year", "genres"]
    )
    points = (
        alt.Chart(data)
        .mark_point(filled=True, opacity=0.45, size=34)
        .encode(
            x=alt.X(
                "rating_count:Q",
                axis=alt.Axis(
                    title="ratings (each step to the right is twice as many)",
                    format="~s",
                    values=[2**step for step in range(0, 30)],
                    labelOverlap=True,
                    grid=False,
                ),
                scale=alt.Scale(type="log", base=2, nice=False, padding=10),
            ),
            y=alt.Y(
                "average_rating:Q",
                axis=alt.Axis(title=STARS, format=".1f"),
                scale=alt.Scale(zero=False, nice=True),
            ),
            tooltip=_tips(
                [
                    ("title", "title", ""),
                    ("average_rating", STARS, ".3f"),
                    ("rating_count", RATINGS, ","),
                    ("release_year", "released", "d"),
                    ("genres", "genres", ""),
                ]
            ),
        )
    )
    layers = [points]
    if mean is not None:
        line = alt.Chart(pd.DataFrame({"mean": [mean]}))
        layers.append(line.mark_rule(strokeDash=[4, 4], size=1.5).encode(y="mean:Q"))
    return _sized(alt.layer(*layers), 380)


def points(frame: pd.DataFrame, x: Field, y: Field, tips: list[Field]) -> Chart:
    """One dot for each row; `x` counts."""
    data = _rows(frame, [x[0], y[0], *(name for name, _, _ in tips)])
    drawn = (
        alt.Chart(data)
        .mark_point(filled=True, opacity=0.7, size=60)
        .encode(
            x=alt.X(
                f"{x[0]}:Q",
                axis=_counts(x[1], data[x[0]]),
                scale=alt.Scale(zero=False, nice=True, padding=12),
            ),
            y=alt.Y(
                f"{y[0]}:Q",
                axis=alt.Axis(title=y[1], format=y[2]),
                scale=alt.Scale(zero=False, nice=True, padding=12),
            ),
            tooltip=_tips(tips),
        )
    )
    return _sized(drawn, 320)


def cohorts(frame: pd.DataFrame) -> Chart:
    """The share of users who rate again, by years of first rating and months since."""
    data = _rows(frame, ["cohort_year", "months_since", "cohort_users", "active_users"])
    # In the month of their first rating, all of them do.
    data = data[data["months_since"] > 0]
    data = data.assign(
        retention=(
            data["active_users"].astype("float64")
            / data["cohort_users"].astype("float64")
        )
    )
    years = data["cohort_year"].nunique()
    drawn = (
        alt.Chart(data)
        .mark_rect(cornerRadius=1)
        .encode(
            x=alt.X(
                "months_since:O",
                axis=alt.Axis(
                    title="months since the first rating",
                    labelAngle=0,
                    ticks=False,
                    values=[1, 6, 12, 18, 24],
                ),
            ),
            y=alt.Y("cohort_year:O", axis=alt.Axis(title="year of the first rating")),
            color=alt.Color(
                "retention:Q",
                scale=alt.Scale(zero=True),
                legend=alt.Legend(
                    title="share who rate", format="%", gradientLength=160, tickCount=4
                ),
            ),
            tooltip=_tips(
                [
                    ("cohort_year", "year of the first rating", ""),
                    ("months_since", "months since", ""),
                    ("retention", "share who rate", ".1%"),
                    ("active_users", "users who rate", ","),
                    ("cohort_users", "users", ","),
                ]
            ),
        )
    )
    return _sized(drawn, _rows_high(years) + 40)


def _sized(drawn: Any, height: int) -> Chart:
    """A chart as wide as its place, and so many pixels high with its axes."""
    sized: Chart = drawn.properties(height=height, width="container")
    return sized


def _rows_high(count: int, legend: int = 0) -> int:
    """Pixels for so many rows, the axis below them and a legend above."""
    return count * ROW_HEIGHT + 52 + legend


def _rows(frame: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """The columns that a chart needs, each once, in a frame of its own."""
    return frame[list(dict.fromkeys(names))].reset_index(drop=True)


def _counts(title: str, values: pd.Series[Any]) -> alt.Axis:
    """An axis on which no tick is a fraction of one, large numbers in short."""
    most = 0 if values.empty or pd.isna(values.max()) else int(values.max())
    if 0 < most <= 6:
        return alt.Axis(title=title, format="d", values=list(range(most + 1)))
    return alt.Axis(
        title=title,
        labelExpr="format(datum.value, datum.value < 1000 ? ',d' : '~s')",
        tickMinStep=1,
        tickCount=6,
    )


def _tips(fields: list[Field]) -> list[alt.Tooltip]:
    """What a pointer is told: columns, how they are called, formats of numbers."""
    return [
        alt.Tooltip(f"{name}:{'Q' if number else 'N'}", title=title, format=number)
        if number
        else alt.Tooltip(f"{name}:N", title=title)
        for name, title, number in fields
    ]


def _texts(names: list[str]) -> str:
    """An array of texts in Vega's expressions, whatever they hold."""
    import json

    return json.dumps(names)
