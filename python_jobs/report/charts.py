"""The charts, as Vega-Lite drawn by Altair. Each reads `rows`, which the page gives it."""

from __future__ import annotations

from typing import Any

import altair as alt

INK, ACCENT, GREY, FAINT = "#22262b", "#1f5fa8", "#9aa1a9", "#e9ecef"
FONT = "Inter, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, 'Liberation Sans', sans-serif"
AXIS_WIDTH = 46
"""Pixels for each chart's own numbers, so that periods stand one above another."""

ROWS = alt.NamedData("rows")
Layers = list[alt.Chart]
Layered = alt.LayerChart | alt.FacetChart
"""What Altair calls a layered chart: some of its methods may make a faceted one."""


def charts(period: str) -> dict[str, dict[str, Any]]:
    """Every chart of the page by the id of its element; `period` is week or day, for tooltips."""
    drawn = {
        "trend-wape": _trend(period, "wape", ".0%", target="target"),
        "trend-smape": _trend(period, "smape", ".0%"),
        "trend-bias": _trend(period, "bias", "+.0%", zero=True),
        "series-chart": _series(period),
        "series-wape": _strip(period, "wape", ".0%"),
        "series-smape": _strip(period, "smape", ".0%"),
        "series-bias": _strip(period, "bias", "+.0%"),
        "value-periods": _value_added(period),
        "step-chart": _steps(),
        "interval-chart": _intervals(),
    }
    return {name: _finished(chart) for name, chart in drawn.items()}


def _finished(chart: Layered) -> dict[str, Any]:
    specification: dict[str, Any] = (
        chart.properties(width="container", background="transparent")
        .configure(font=FONT)
        .configure_view(stroke=None)
        .configure_axis(
            labelColor="#5d656e",
            titleColor="#5d656e",
            labelFontSize=11,
            titleFontSize=11,
            titleFontWeight="normal",
            gridColor=FAINT,
            domain=False,
            ticks=False,
            labelPadding=6,
        )
        .configure_axisY(minExtent=AXIS_WIDTH, maxExtent=AXIS_WIDTH)
        .to_dict()
    )
    return specification


def _time(labels: bool = True) -> alt.X:
    axis = alt.Axis(grid=False, labels=labels)
    return alt.X("ds:T", title=None, axis=axis, scale=alt.Scale(type="utc"))


def _number(field: str, form: str, *, zero: bool = True, n_ticks: int = 4) -> alt.Y:
    axis = alt.Axis(format=form, tickCount=n_ticks)
    return alt.Y(f"{field}:Q", title=None, axis=axis, scale=alt.Scale(zero=zero, nice=True))


def _tooltip(**fields: str) -> list[alt.Tooltip]:
    """The tooltip of a mark: the page writes each value as text, `not known` where it is null."""
    return [alt.Tooltip(f"{field}:N", title=title) for field, title in fields.items()]


def _trend(period: str, metric: str, form: str, *, target: str = "", zero: bool = False) -> Layered:
    """One metric over time, beside the mean of the periods before and the target."""
    base = alt.Chart(ROWS).encode(x=_time())
    tooltip = _tooltip(
        period=period, value_text="value", before=f"{period}s before", n="scored forecasts"
    )
    line = base.mark_line(color=ACCENT, strokeWidth=2).encode(y=_number(metric, form))
    points = base.mark_circle(color=ACCENT, size=44, opacity=1).encode(
        y=_number(metric, form), tooltip=tooltip
    )
    usual = base.mark_line(color=GREY, strokeDash=[3, 3]).encode(y=_number("usual", form))
    layers: Layers = [usual, line, points]
    if target:
        rule = alt.Chart(ROWS).mark_rule(color=INK, strokeWidth=1)
        layers.append(rule.encode(y=alt.Y(f"max({target}):Q")))
        label = alt.Chart(ROWS).mark_text(
            align="left", baseline="bottom", dx=4, dy=-3, color=INK, fontSize=11
        )
        layers.append(
            label.encode(x=alt.value(0), y=f"max({target}):Q", text=alt.value("alert threshold"))
        )
    if zero:
        layers.append(alt.Chart(ROWS).mark_rule(color=INK).encode(y=alt.datum(0)))
    return alt.layer(*layers).properties(height=170)


def _series(period: str) -> Layered:
    """History with forecast, interval, baseline and promotions; retraining as upright lines."""
    base = alt.Chart(ROWS).encode(x=_time())
    promoted = (
        alt.Chart(ROWS)
        .transform_filter("datum.is_promo")
        .mark_rect(color="#f3ead7", opacity=1)
        .encode(x=_time(), x2="end:T")
    )
    band = base.mark_area(color=ACCENT, opacity=0.16).encode(
        y=_number("yhat_lower", "~s"), y2="yhat_upper:Q"
    )
    ahead = base.mark_area(color=ACCENT, opacity=0.09).encode(
        y="newest_lower:Q", y2="newest_upper:Q"
    )
    tooltip = _tooltip(
        period=period, y_text="sold", yhat_text="forecast", interval_text="interval",
        baseline_text="baseline", promo_text="promotion", state_text="remark",
    )  # fmt: skip
    baseline = base.mark_line(color=GREY, strokeDash=[2, 3], strokeWidth=1.5).encode(y="baseline:Q")
    sold = base.mark_line(color=INK, strokeWidth=1.6).encode(y="y:Q")
    newest = base.mark_line(color=ACCENT, strokeDash=[5, 3], strokeWidth=2).encode(y="newest:Q")
    forecast = base.mark_line(color=ACCENT, strokeWidth=2).encode(y="yhat:Q")
    sold_out = base.mark_point(color=INK, fill="white", size=34).encode(
        y="y:Q", opacity=alt.condition("datum.is_sold_out", alt.value(1), alt.value(0))
    )
    hover = base.mark_rule(color=INK, opacity=0, strokeWidth=14).encode(tooltip=tooltip)
    return alt.layer(
        promoted, band, ahead, baseline, sold, newest, forecast, sold_out, *_retrained(), hover
    ).properties(height=300)


def _retrained(labels: bool = True) -> Layers:
    """An upright line in each period of a retraining."""
    rule = alt.Chart(ROWS).transform_filter("datum.is_retrained")
    return [
        rule.mark_rule(color=INK, strokeDash=[1, 3], strokeWidth=1.5).encode(
            x=_time(labels), tooltip=_tooltip(period="retrained", decision_text="decision")
        )
    ]


def _strip(period: str, metric: str, form: str) -> Layered:
    """One metric of one series, a bar a period; one that is not scored has none."""
    tooltip = _tooltip(period=period, value_text="value", y_text="sold", yhat_text="forecast")
    is_lowest = metric == "bias"
    bars = (
        alt.Chart(ROWS)
        .mark_rect(color=ACCENT, opacity=0.8)
        .encode(
            x=_time(is_lowest),
            x2="bar_end:T",
            y=_number("shown", form, n_ticks=2),
            y2=alt.datum(0),
            tooltip=tooltip,
        )
    )
    # An empty line over all periods keeps the axis that of the chart above.
    span = alt.Chart(ROWS).mark_rule(opacity=0).encode(x=_time(is_lowest))
    zero = alt.Chart(ROWS).mark_rule(color=INK).encode(y=alt.datum(0))
    layers = alt.layer(span, bars, zero, *_retrained(is_lowest))
    return layers.properties(height=64)


def _value_added(period: str) -> Layered:
    """Value added by period; below the line the baseline was better."""
    bars = (
        alt.Chart(ROWS)
        .mark_rect()
        .encode(
            x=_time(),
            x2="bar_end:T",
            y=_number("value_added", "+.0%"),
            y2=alt.datum(0),
            color=alt.condition("datum.value_added >= 0", alt.value(ACCENT), alt.value(INK)),
            tooltip=_tooltip(period=period, value_text="value added", n="forecasts compared"),
        )
    )
    zero = alt.Chart(ROWS).mark_rule(color=INK).encode(y=alt.datum(0))
    return alt.layer(bars, zero).properties(height=170)


def _steps() -> Layered:
    """WAPE by how far ahead, of the model and of the baseline, on the same rows."""
    base = alt.Chart(ROWS).encode(
        x=alt.X("step:O", title="horizon step", axis=alt.Axis(labelAngle=0, grid=False)),
        tooltip=_tooltip(
            step="horizon step", value_text="model", baseline_text="baseline", n="compared"
        ),
    )
    baseline = base.mark_line(color=GREY, point={"color": GREY, "size": 30}).encode(
        y=_number("baseline_wape", ".0%")
    )
    model = base.mark_line(color=ACCENT, point={"color": ACCENT, "size": 40}).encode(
        y=_number("wape", ".0%")
    )
    return alt.layer(baseline, model).properties(height=170)


def _intervals() -> Layered:
    """Coverage by horizon step, one line a demand class, beside the nominal coverage."""
    base = alt.Chart(ROWS).encode(
        x=alt.X(
            "step:O",
            title="horizon step",
            axis=alt.Axis(labelAngle=0, grid=False),
            scale=alt.Scale(padding=0.5),
        ),
        y=_number("coverage", ".0%", zero=False),
        detail="demand_class:N",
    )
    tooltip = _tooltip(
        demand_class="demand class", step="horizon step", value_text="coverage", n="intervals"
    )
    classes = base.transform_filter("datum.demand_class != 'all'")
    everything = base.transform_filter("datum.demand_class == 'all'")
    label = base.transform_filter("datum.is_last").mark_text(
        align="left", dx=8, fontSize=11, color="#5d656e"
    )
    nominal = alt.Chart(ROWS).mark_rule(color=INK, strokeWidth=1).encode(y=alt.Y("max(nominal):Q"))
    return alt.layer(
        nominal,
        classes.mark_line(color=GREY, strokeWidth=1),
        classes.mark_circle(color=GREY, size=36, opacity=1).encode(tooltip=tooltip),
        everything.mark_line(color=ACCENT, strokeWidth=2),
        everything.mark_circle(color=ACCENT, size=50, opacity=1).encode(tooltip=tooltip),
        label.encode(text="demand_class:N"),
    ).properties(height=210)
