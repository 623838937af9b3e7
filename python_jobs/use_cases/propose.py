"""Propose the settings of a use case from what its sources hold, each with its reason."""

from __future__ import annotations

from collections.abc import Mapping

from python_jobs.infra.errors import SettingsError
from python_jobs.use_cases.facts import Facts, describe, facts_of
from python_jobs.use_cases.look import Column, Look, as_type
from python_jobs.use_cases.proposal import Grain, Proposal, Wish
from python_jobs.use_cases.propose_sales import decide_rows, name_unused, sales_mapping
from python_jobs.use_cases.roles import NAMES, is_number, key_columns, needed_column

HORIZON: dict[Grain, int] = {"week": 4, "day": 14}
SEASON: dict[Grain, int] = {"week": 52, "day": 7}
MANY_GAPS, FEW_ZEROS = 0.1, 0.05
"""Where this share of the periods has no row, and rows with the quantity 0 are fewer than this
share of them, a source seems to write no zeros: no row means nothing sold."""


def propose(wish: Wish, look: Look) -> Proposal:
    """Propose the settings of a use case with sales alone.

    Raises:
        SettingsError: a column cannot be found or does not hold what it should; the dates are
            neither days nor weeks; days are asked for and the rows are weeks.
    """
    key = key_columns(look, list(wish.key), wish.columns)
    taken = list(key.values())
    date, why_date = needed_column(look, "date", wish.columns, _is_day, taken)
    quantity, why_quantity = needed_column(
        look, "quantity", wish.columns, is_number, [*taken, date.name, *_prices(look, wish)]
    )
    columns = [name for name in key.values() if name in look.columns]
    facts = facts_of(look, columns, date, quantity)
    grain, source_grain = _grains(wish, look, facts)
    proposal = Proposal({}, {}, describe(facts, look, list(wish.key)), [], grain, facts)
    _decide_periods(proposal, wish)
    proposal.settings["key"] = _key_types(proposal, wish, look, key)
    _decide_measure(proposal, quantity)
    _decide_gaps(proposal)
    proposal.settings["families"] = list(wish.families)
    sales = sales_mapping(proposal, wish, look, key, date, quantity)
    proposal.settings["sources"] = {"sales": sales}
    proposal.say("sources.sales.columns.date", why_date)
    proposal.say("sources.sales.columns.quantity", why_quantity)
    decide_rows(proposal, sales, source_grain, wish, look)
    name_unused(proposal, look, sales)
    return proposal


def _is_day(column: Column) -> bool:
    return column.is_date and column.name.lower() not in NAMES["known_at"]


def _prices(look: Look, wish: Wish) -> list[str]:
    """Columns that are prices, unless one of them is what is forecast."""
    given = wish.columns.get("quantity", "").lower()
    return [
        name for name in look.columns if name.lower() in NAMES["price"] and name.lower() != given
    ]


def _grains(wish: Wish, look: Look, facts: Facts) -> tuple[Grain, Grain]:
    """The grain of the forecast and that of the sales rows.

    Raises:
        SettingsError: the dates lie further apart than weeks, or days are asked for of weeks.
    """
    apart = facts.days_apart
    if apart is not None and apart > 7:
        raise SettingsError(
            f"{look.where}: its dates lie {apart} days apart. Shelfcast forecasts days and weeks."
        )
    found: Grain | None = None if apart is None else "week" if apart == 7 else "day"
    grain = wish.grain or found
    if grain is None:
        raise SettingsError(
            f"{look.where} has one date ({facts.first}). Say --grain day or --grain week."
        )
    if grain == "day" and found == "week":
        raise SettingsError(
            f"{look.where}: its dates lie 7 days apart, so its weeks cannot be forecast by day. "
            "Say --grain week."
        )
    return grain, found or grain


def _decide_periods(proposal: Proposal, wish: Wish) -> None:
    grain, settings = proposal.grain, proposal.settings
    settings["grain"] = grain
    settings["week_starts_on"] = "monday"
    settings["time_zone"] = wish.time_zone
    settings["horizon"] = wish.horizon or HORIZON[grain]
    settings["season"] = wish.season or SEASON[grain]
    proposal.say("horizon", "given" if wish.horizon else f"usual for {grain}s")
    proposal.say("season", "given" if wish.season else f"{grain}s of a {_season(grain)}")
    if grain == "day":
        settings.pop("week_starts_on")
    if proposal.facts.n_periods < 2 * settings["season"]:
        proposal.to_decide.append(
            f"season: {settings['season']} {grain}s; the sales hold {proposal.facts.n_periods}, "
            "less than two seasons, so nothing seasonal can be learnt from them."
        )
    if not wish.horizon:
        proposal.to_decide.append(
            f"horizon: {settings['horizon']} {grain}s ahead is a guess (--horizon)."
        )


def _season(grain: Grain) -> str:
    return "year" if grain == "week" else "week"


def _key_types(
    proposal: Proposal, wish: Wish, look: Look, key: Mapping[str, str]
) -> dict[str, str]:
    """The type of each part, given or found.

    Raises:
        SettingsError: values do not have the type that was given.
    """
    types = {}
    for part, name in key.items():
        given = wish.key[part]
        if name not in look.columns:
            types[part] = given or "string"
            continue
        is_whole = look.columns[name].type == "INTEGER"
        types[part] = given or ("int64" if is_whole else "string")
        texts = look.rows[name]
        wrong = texts[texts.notna() & as_type(texts, types[part]).isna()]
        if len(wrong):
            raise SettingsError(
                f"{look.where}: {len(wrong):,} values of {name} are no {types[part]} (first: "
                f"{wrong.iloc[0]!r}). Say --key {part}:string."
            )
        if not given:
            proposal.say(f"key.{part}", "whole numbers" if is_whole else "text")
    return types


def _decide_measure(proposal: Proposal, quantity: Column) -> None:
    if quantity.name.lower() in NAMES["price"]:
        proposal.settings["measure"] = "price"
        proposal.settings["aggregate"] = "mean"
        proposal.say("measure", f"{quantity.name} is a price: the mean of a period, not its sum")


def _decide_gaps(proposal: Proposal) -> None:
    facts = proposal.facts
    if not facts.n_gaps:
        return
    has_few_zeros = facts.n_zero <= FEW_ZEROS * facts.n_gaps
    is_zero = has_few_zeros and facts.gap_share >= MANY_GAPS and not proposal.is_price
    proposal.settings["gaps_mean"] = "zero" if is_zero else "unknown"
    share = f"{facts.gap_share:.0%}" if facts.gap_share >= 0.01 else "below 1%"
    why = (
        f"{share} have no row, hardly any a 0: nothing sold"
        if is_zero
        else f"{share} have no row: nobody knows what was sold"
    )
    proposal.say("gaps_mean", why)
    other = "unknown" if is_zero else "zero"
    closed = (
        f" Without a row of any series (closed?): {facts.n_closed:,}." if facts.n_closed else ""
    )
    proposal.to_decide.append(
        f"gaps_mean: {proposal.settings['gaps_mean']}, or {other} if a {proposal.grain} without a "
        f"row means {'that nobody recorded it' if is_zero else 'that nothing was sold'}.{closed}"
    )
