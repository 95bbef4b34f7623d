"""Charts: from a frame to a Vega-Lite chart, for app, report and pictures.

Each function takes column names and returns a function that draws a frame. A chart
names no colour and no font; both come from the theme. Axes show their unit; counts and
differences start at zero; averages are dots on a scale that fits them, with distinct
tick labels. Tooltips show every column of the row. Time is UTC.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import altair as alt
import pandas as pd

from reelhouse.dashboard.columns import called, dated, named, written
from reelhouse.dashboard.theme import Palette, chart_config

Chart = alt.Chart | alt.LayerChart
Draw = Callable[[pd.DataFrame], Chart]

ROW_HEIGHT = 21
HEIGHT = 250
# The column with the address that a mark links to.
HREF = "href"
MOST_BARS = 20
# The most rows that are sent to a browser for one chart.
MOST_ROWS = 4_000
STARS = "average (stars)"


def themed(chart: Chart, palette: Palette, **font: str) -> Chart:
    """A chart in the colours of a palette."""
    drawn: Any = chart
    configured: Chart = drawn.configure(**chart_config(palette, **font))
    return configured


def bars(label: str, *values: str, **legend: str) -> Draw:
    """Draw a value for each label of the first rows; or several, as dots on a line.

    Counts and differences are bars from zero; other values are dots, with the number
    of ratings at the right if the frame has it. Labels may repeat: two movies with the
    same title are two rows. `legend` maps columns to their names in the legend.
    """

    def draw(frame: pd.DataFrame) -> Chart:
        data = _rows(frame.head(MOST_BARS))
        data["_row"] = range(len(data))
        names = data[label].fillna("without a title").astype(str).tolist()
        value = values[0] if values else next(iter(legend))
        form = written(value, data)
        as_bars = not legend and (form == "," or form.startswith("+"))
        axis = alt.Axis(
            title=None,
            labelExpr=f"{json.dumps(names)}[datum.value]",
            labelLimit=190,
            grid=not as_bars,
            gridDash=[1, 3],
        )
        base = _base(data).encode(y=alt.Y("_row:O", axis=axis))
        high = _high(len(data))
        if as_bars:
            x = _across(value, data, zero=True)
            return _sized(base.mark_bar(height={"band": 0.62}).encode(x=x), high)
        if legend:
            folded = _folded(data, legend)
            x = alt.X("value:Q", axis=_axis(STARS, ".2f", folded["value"]))
            x = x.scale(zero=False, nice=True, padding=10)
            y = alt.Y("_row:O", axis=axis)
            ends = {"x": "min(value):Q", "x2": "max(value):Q"}
            line = alt.Chart(folded).mark_rule(strokeWidth=2, style="faint")
            tips = [
                alt.Tooltip("told:N", title="which"),
                alt.Tooltip("value:Q", title=STARS, format=".3f"),
                *_tips(data.drop(columns=list(legend))),
            ]
            kinds = _kinds(legend, "color", "shape")
            # Hollow, so that a dot under another one is visible.
            dot = _base(folded).mark_point(size=85, filled=False, strokeWidth=2.5)
            drawn = dot.encode(y=y, x=x, tooltip=tips, **kinds)
            return _sized(alt.layer(line.encode(y=y, **ends), drawn), high + 32)
        low, top = float(data[value].min()), float(data[value].max())
        span = max(top - low, 0.2)
        is_told = "rating_count" in data
        # Leave room at the right for the numbers of ratings.
        domain = [low - span * 0.06, top + span * (0.3 if is_told else 0.06)]
        x = _across(value, data).scale(domain=domain, nice=False, zero=False)
        if is_told:
            x.axis.title = f"{called(value)}; at the right, how many ratings"
            x.axis.titleAnchor = "end"
        drawn = base.mark_point(size=85).encode(x=x)
        if is_told:
            numbers = base.mark_text(align="right", style="note").encode(
                x=alt.value({"expr": "width"}),
                text=alt.Text("rating_count:Q", format=","),
            )
            drawn = alt.layer(drawn, numbers)
        return _sized(drawn, high)

    return draw


def lines(*values: str) -> Draw:
    """Draw values of each month: an area for one count, lines for anything else."""

    def draw(frame: pd.DataFrame) -> Chart:
        data = _rows(frame)
        data["_words"] = pd.to_datetime(data["month"]).dt.strftime("%B %Y")
        axis = alt.Axis(title=None, grid=False, labelOverlap="greedy")
        if len(data) <= 12:
            axis.format, axis.tickCount = "%b %Y", "month"
        x = alt.X("month:T", scale=alt.Scale(type="utc"), axis=axis)
        words = alt.Tooltip("_words:N", title="month")
        tips = [words, *_tips(data.drop(columns="month"))]
        zero = written(values[0], data) == ","
        if len(values) == 1:
            y = _across(values[0], data, alt.Y, zero=zero)
            base = alt.Chart(data).encode(x=x, y=y, tooltip=tips)
            if zero:
                line = {"strokeWidth": 1.5}
                drawn = base.mark_area(line=line, opacity=0.35, point=len(data) == 1)
            else:
                # A month between two empty ones is visible only as a point.
                drawn = base.mark_line(point={"size": 14})
            return _sized(drawn, HEIGHT - 30)
        legend = {name: called(name) for name in values}
        folded = _folded(data, legend)
        y = alt.Y("value:Q", axis=_axis("users a month", ",", folded["value"], zero))
        told = alt.Tooltip("told:N", title="which")
        number = alt.Tooltip("value:Q", title="number", format=",")
        drawn = alt.Chart(folded).mark_line(strokeWidth=1.6, point=len(data) == 1)
        drawn = drawn.encode(x=x, y=y, tooltip=[words, told, number])
        return _sized(drawn.encode(**_kinds(legend, "color", "strokeDash")), HEIGHT)

    return draw


def columns(x: str, value: str) -> Draw:
    """Draw a count for each step of a scale, such as a half star or a year."""

    def draw(frame: pd.DataFrame) -> Chart:
        data = _rows(frame)
        y = _across(value, data, alt.Y, zero=True)
        if written(x, data) == "d":
            data["_to"] = data[x] + 1
            # Show at least ten years, and none after the last one.
            ends = [min(int(data[x].min()), int(data[x].max()) - 9), int(data[x].max())]
            across = {"x": _across(x, data).bin("binned"), "x2": "_to:Q"}
            across["x"] = across["x"].scale(domain=[ends[0], ends[1] + 1])
            return _sized(_base(data).mark_bar().encode(y=y, **across), HEIGHT)
        data["_step"] = [f"{each:g}" for each in data[x]]
        axis = alt.Axis(title=called(x), labelAngle=0, ticks=False)
        step = alt.X("_step:O", sort=data["_step"].tolist(), axis=axis)
        bar = _base(data).mark_bar(width={"band": 0.78})
        return _sized(bar.encode(x=step, y=y), HEIGHT)

    return draw


def dots(x: str, y: str, size: str = "", *, is_log: bool = False) -> Draw:
    """Draw one dot for each row, the larger the greater its value of `size`.

    If `is_log`, each step along the x axis doubles the count.
    """

    def draw(frame: pd.DataFrame) -> Chart:
        data = _rows(frame)
        across = _across(x, data, zero=written(x, data) == ",")
        if is_log:
            # A single value needs an axis that is long enough, too.
            top = float(max(data[x].max(), 2 * data[x].min()))
            axis = alt.Axis(
                title=f"{called(x)} (each step to the right is twice as many)",
                format=",d",
                values=[2**step for step in range(30)],
                labelOverlap=True,
                grid=False,
            )
            scale = alt.Scale(type="log", base=2, nice=False, padding=10, domainMax=top)
            across = alt.X(f"{x}:Q", axis=axis, scale=scale)
        dot = _base(data).mark_point(opacity=0.6, size=38)
        drawn = dot.encode(x=across, y=_across(y, data, alt.Y))
        if size:
            scale = alt.Scale(type="sqrt", range=[14, 320])
            drawn = drawn.encode(size=alt.Size(f"{size}:Q", scale=scale, legend=None))
        return _sized(drawn, 340 if is_log else HEIGHT)

    return draw


def heat(x: str, y: str, value: str, step: int = 1) -> Draw:
    """Draw a cell for each x and y, coloured by value; label every `step`th x."""

    def draw(frame: pd.DataFrame) -> Chart:
        data = _rows(frame)
        form = written(value, data)
        axis = alt.Axis(
            title=called(x),
            labelAngle=0,
            ticks=False,
            values=sorted(data[x].unique().tolist())[::step],
            labelOverlap=True,
        )
        legend = alt.Legend(
            title=called(value),
            format="%" if "%" in form else ".1f",
            gradientLength=160,
            tickCount=4,
        )
        drawn = (
            _base(data)
            .mark_rect()
            .encode(
                x=alt.X(f"{x}:O", axis=axis),
                y=alt.Y(f"{y}:O", axis=alt.Axis(title=None)),
                color=alt.Color(
                    f"{value}:Q", scale=alt.Scale(zero="%" in form), legend=legend
                ),
            )
        )
        return _sized(drawn, _high(data[y].nunique()) + 48)

    return draw


def spanned(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows from the first with a rating to the last, gaps included."""
    there = frame.index[frame["rating_count"].fillna(0) > 0]
    return frame.loc[there[0] : there[-1]] if len(there) else frame.head(0)


def _rows(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows that are sent to a browser."""
    names = [name for name in frame if name in {HREF, *named(frame)}]
    return dated(frame[names].head(MOST_ROWS).reset_index(drop=True), "%Y-%m-%d")


def _base(data: pd.DataFrame) -> Any:
    """Return a chart whose tooltips show all named columns, and whose marks link to
    their address, if there is one.
    """
    links = {"href": f"{HREF}:N"} if HREF in data else {}
    return alt.Chart(data).encode(tooltip=_tips(data), **links)


def _folded(data: pd.DataFrame, legend: dict[str, str]) -> pd.DataFrame:
    """Return a row for each value, with its name in the legend."""
    kept = [name for name in data if name not in legend]
    folded = data.melt(kept, list(legend), "told", "value").dropna(subset=["value"])
    return folded.assign(told=folded["told"].map(legend))


def _kinds(legend: dict[str, str], *channels: str) -> dict[str, Any]:
    """Return channels that all encode the same kinds, with one legend."""
    kinds = {"color": alt.Color, "shape": alt.Shape, "strokeDash": alt.StrokeDash}
    names = list(legend.values())
    # Versions of Vega-Lite differ in which legends they merge.
    legends = [alt.Legend(title=None), *[None] * (len(channels) - 1)]
    return {
        each: kinds[each]("told:N", sort=names, legend=one)
        for each, one in zip(channels, legends, strict=True)
    }


def _across(
    column: str, data: pd.DataFrame, to: Any = alt.X, zero: bool = False
) -> Any:
    """A column along an axis."""
    if written(column, data) == "d":
        axis = alt.Axis(title=called(column), format="d", grid=False, tickMinStep=1)
        return to(f"{column}:Q", axis=axis).scale(zero=False, nice=False, padding=8)
    axis = _axis(called(column), written(column, data), data[column], zero)
    return to(f"{column}:Q", axis=axis).scale(zero=zero, nice=True)


def _axis(
    title: str, form: str, values: pd.Series[Any], zero: bool = False
) -> alt.Axis:
    """An axis whose tick labels all differ; those of counts are whole numbers."""
    known = values.dropna().astype(float)
    low, top = (0.0, 0.0) if known.empty else (known.min(), known.max())
    if form == ",":
        if 0 < top <= 6:
            return alt.Axis(title=title, format="d", values=list(range(int(top) + 1)))
        short = "format(datum.value, datum.value < 1000 ? ',d' : '~s')"
        return alt.Axis(title=title, labelExpr=short, tickMinStep=1, tickCount=5)
    span = max(top, 0) - min(low, 0) if zero else top - low
    digits = 1 if span > 0.9 else 2 if span > 0.09 or not span else 3
    sign = "+" if form.startswith("+") else ""
    number = "%" if "%" in form else f"{sign}.{digits}f"
    return alt.Axis(title=title, format=number, tickCount=5)


def _tips(data: pd.DataFrame) -> list[alt.Tooltip]:
    """Tooltips for every named column, with the names and formats of tables."""
    return [
        alt.Tooltip(f"{name}:Q", title=called(name), format=written(name, data))
        if written(name, data)
        else alt.Tooltip(f"{name}:N", title=called(name))
        for name in named(data)
    ]


def _high(rows: int) -> int:
    """Height in pixels of this many rows and the axis below them."""
    return rows * ROW_HEIGHT + 52


def _sized(drawn: Any, height: int) -> Chart:
    """A chart as wide as its container and `height` pixels high, including axes."""
    sized: Chart = drawn.properties(height=height, width="container")
    return sized
