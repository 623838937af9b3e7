"""`use-case new` reads a file's columns and proposes settings; each case is a shape people have."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from python_jobs.infra.errors import SettingsError
from python_jobs.infra.settings import connection
from python_jobs.use_cases.look import Look, look_at
from python_jobs.use_cases.proposal import Proposal, Wish
from python_jobs.use_cases.propose import propose
from python_jobs.use_cases.propose_future import add_calendar, add_promotions, add_weather

KEY = {"store": "int64", "dept": "int64"}
Rows = Sequence[Sequence[object]]


def no_warehouse(project: str) -> Any:
    raise AssertionError(f"a file needs no warehouse ({project})")


@pytest.fixture
def look(tmp_path: Path) -> Callable[..., Look]:
    def look(header: str, rows: Rows, key: Sequence[str] = ("store", "dept")) -> Look:
        path = tmp_path / "sales.csv"
        lines = [header, *(",".join(map(str, row)) for row in rows)]
        path.write_text("\n".join(lines) + "\n")
        return look_at(str(path), key, connection(), no_warehouse)

    return look


def weeks(first: date, n: int = 12, step: int = 7) -> list[date]:
    return [first + timedelta(days=step * at) for at in range(n)]


def sales(days: Sequence[date]) -> list[tuple[object, ...]]:
    """Two departments of a store, a row a date."""
    return [(1, dept, day, 10 + at) for dept in (1, 2) for at, day in enumerate(days)]


def the_sales(proposal: Proposal) -> dict[str, Any]:
    found: dict[str, Any] = proposal.settings["sources"]["sales"]
    return found


def decides(proposal: Proposal, setting: str) -> bool:
    return any(one.startswith(f"{setting}:") for one in proposal.to_decide)


MONDAY, FRIDAY, SUNDAY = date(2025, 1, 6), date(2025, 1, 3), date(2025, 1, 5)


@pytest.mark.parametrize(
    ("column", "first", "means", "starts", "run_on"),
    [
        ("week_start", MONDAY, "period_start", "monday", "wednesday"),
        ("date", MONDAY, "period_start", "monday", "wednesday"),
        ("date", FRIDAY, "period_end", "saturday", "monday"),
        ("date", SUNDAY, "period_end", "monday", "wednesday"),
        ("week_start", SUNDAY, "period_start", "sunday", "tuesday"),
        ("week_ending", MONDAY, "period_end", "tuesday", "thursday"),
    ],
)
def test_the_weekday_of_the_dates_says_where_weeks_start(
    look, column, first, means, starts, run_on
):
    found = propose(Wish("uc", KEY), look(f"store,dept,{column},units", sales(weeks(first))))
    assert found.settings["grain"] == "week"
    assert found.settings["week_starts_on"] == starts
    assert the_sales(found)["date_means"] == means
    assert found.settings["schedule"]["weekday"] == run_on
    assert decides(found, "date_means")


def test_what_a_weeks_date_means_can_be_said(look):
    wish = Wish("uc", KEY, date_means="period_start")
    found = propose(wish, look("store,dept,date,units", sales(weeks(FRIDAY))))
    assert found.settings["week_starts_on"] == "friday"
    assert not decides(found, "date_means")


def test_days_have_a_season_of_a_week_and_the_schedule_of_a_daily_grain(look):
    found = propose(Wish("uc", KEY), look("store,dept,date,units", sales(weeks(MONDAY, 40, 1))))
    settings = found.settings
    assert (settings["grain"], settings["season"], settings["horizon"]) == ("day", 7, 14)
    assert "schedule" not in settings  # day_defaults say it
    assert "week_starts_on" not in settings
    assert "date_means" not in the_sales(found)


def test_days_can_be_forecast_by_week(look):
    wish = Wish("uc", KEY, grain="week")
    found = propose(wish, look("store,dept,date,units", sales(weeks(MONDAY, 40, 1))))
    assert (found.settings["grain"], the_sales(found)["grain"]) == ("week", "day")
    assert found.settings["week_starts_on"] == "monday"


def test_weeks_cannot_be_forecast_by_day(look):
    with pytest.raises(SettingsError, match=r"7 days apart.*--grain week"):
        propose(Wish("uc", KEY, grain="day"), look("store,dept,date,units", sales(weeks(MONDAY))))


def test_months_are_refused(look):
    months = [date(2025, month, 1) for month in range(1, 13)]
    with pytest.raises(SettingsError, match="31 days apart"):
        propose(Wish("uc", KEY), look("store,dept,date,units", sales(months)))


def test_one_date_does_not_say_the_grain(look):
    with pytest.raises(SettingsError, match=r"one date.*--grain"):
        propose(Wish("uc", KEY), look("store,dept,date,units", sales([MONDAY])))


def test_columns_are_found_whatever_their_case(look):
    found = propose(
        Wish("uc", KEY), look("Store,Dept,Date,Weekly_Sales,IsHoliday", _walmart_rows())
    )
    assert the_sales(found)["columns"] == {
        "store": "Store",
        "dept": "Dept",
        "date": "Date",
        "quantity": "Weekly_Sales",
    }
    assert any("IsHoliday" in one for one in found.to_decide)


def _walmart_rows() -> list[tuple[object, ...]]:
    return [(*row, "FALSE") for row in sales(weeks(FRIDAY))]


def test_the_only_number_left_is_the_quantity(look):
    found = propose(Wish("uc", KEY), look("store,dept,date,hl", sales(weeks(MONDAY))))
    assert the_sales(found)["columns"]["quantity"] == "hl"
    assert found.reasons["sources.sales.columns.quantity"] == "the only one that fits"


def test_several_possible_quantities_are_named(look):
    rows = [(*row, 1.5) for row in sales(weeks(MONDAY))]
    with pytest.raises(SettingsError, match=r"hl, kg.*--column quantity=hl"):
        propose(Wish("uc", KEY), look("store,dept,date,hl,kg", rows))
    wish = Wish("uc", KEY, columns={"quantity": "kg"})
    assert (
        the_sales(propose(wish, look("store,dept,date,hl,kg", rows)))["columns"]["quantity"] == "kg"
    )


def test_a_price_is_mapped_and_is_no_quantity(look):
    rows = [(*row, 2.5) for row in sales(weeks(MONDAY))]
    columns = the_sales(propose(Wish("uc", KEY), look("store,dept,date,hl,price", rows)))["columns"]
    assert (columns["quantity"], columns["price"]) == ("hl", "price")


def test_a_price_that_is_forecast_is_averaged(look):
    wish = Wish("uc", KEY, columns={"quantity": "price"})
    rows = [(*row[:3], 2.5) for row in sales(weeks(MONDAY))]
    settings = propose(wish, look("store,dept,date,price", rows)).settings
    assert (settings["measure"], settings["aggregate"]) == ("price", "mean")
    assert "price" not in settings["sources"]["sales"]["columns"]


def test_a_part_of_the_key_that_is_not_in_the_file(look):
    here = look("store,dept,date,units", sales(weeks(MONDAY)))
    with pytest.raises(SettingsError, match=r"no column 'region'.*it has store, dept, date, units"):
        propose(Wish("uc", {"region": "string"}), here)
    with pytest.raises(SettingsError, match="no column 'area'"):
        propose(Wish("uc", {"region": ""}, columns={"region": "area"}), here)
    mapped = propose(Wish("uc", {"region": ""}, columns={"region": "store"}), here)
    assert the_sales(mapped)["columns"]["region"] == "store"
    constant = propose(Wish("uc", {"region": "", **KEY}, columns={"region": "'all'"}), here)
    assert constant.settings["key"] == {"region": "string", **KEY}


def test_a_key_of_no_columns_is_one_series(look):
    days = weeks(MONDAY, 40, 1)
    found = propose(Wish("uc", {}), look("date,units", [(day, 1) for day in days], ()))
    assert found.facts.n_series == 1
    assert found.settings["key"] == {}


def test_key_types_are_found_and_checked(look):
    rows = [(f"0{row[0]}", *row[1:]) for row in sales(weeks(MONDAY))]
    here = look("store,dept,date,units", rows)
    found = propose(Wish("uc", {"store": "", "dept": ""}), here)
    assert found.settings["key"] == {"store": "string", "dept": "int64"}
    lettered = [("N1", *row[1:]) for row in sales(weeks(MONDAY))]
    with pytest.raises(SettingsError, match=r"24 values of store are no int64 \(first: 'N1'\)"):
        propose(Wish("uc", KEY), look("store,dept,date,units", lettered))


@pytest.mark.parametrize(
    ("written", "expression"),
    [
        ("%d.%m.%Y", "safe.parse_date('%d.%m.%Y', date)"),
        ("%d/%m/%Y", "safe.parse_date('%d/%m/%Y', date)"),
        ("%m/%d/%Y", "safe.parse_date('%m/%d/%Y', date)"),
        ("%Y%m%d", "safe.parse_date('%Y%m%d', cast(date as string))"),
        ("%Y-%m-%d", "date"),
        ("%Y-%m-%d 00:00:00", "date"),
    ],
)
def test_dates_in_other_forms_are_parsed(look, written, expression):
    rows = [(*row[:2], row[2].strftime(written), row[3]) for row in sales(weeks(MONDAY))]
    found = propose(Wish("uc", KEY), look("store,dept,date,units", rows))
    assert the_sales(found)["columns"]["date"] == expression
    assert (found.facts.first, found.settings["grain"]) == (MONDAY, "week")
    assert not decides(found, "date")


def test_dates_that_read_two_ways_are_left_to_decide(look):
    days = weeks(date(2025, 1, 1), 12, 1)
    rows = [(*row[:2], row[2].strftime("%m/%d/%Y"), row[3]) for row in sales(days)]
    found = propose(Wish("uc", KEY), look("store,dept,date,units", rows))
    assert "%m/%d/%Y" in the_sales(found)["columns"]["date"]
    assert found.settings["grain"] == "day"
    assert decides(found, "date")


def test_an_instant_is_a_day_of_the_time_zone(look):
    rows = [(*row[:2], f"{row[2]} 14:30:00", row[3]) for row in sales(weeks(MONDAY, 40, 1))]
    wish = Wish("uc", KEY, time_zone="Europe/Berlin")
    found = propose(wish, look("store,dept,sold_at,units", rows))
    assert the_sales(found)["columns"]["date"] == "date(sold_at, 'Europe/Berlin')"


def test_no_date_at_all_shows_what_there_is(look):
    rows = [(1, 2, "W07", 4)]
    with pytest.raises(SettingsError, match=r"no column can be the date.*'W07'"):
        propose(Wish("uc", KEY), look("store,dept,week,units", rows))


def test_negative_quantities_are_returns(look):
    rows = [*sales(weeks(MONDAY)), (1, 3, MONDAY, -2)]
    found = propose(Wish("uc", KEY), look("store,dept,date,units", rows))
    assert the_sales(found)["negative_quantity"] == "return"
    assert decides(found, "negative_quantity")


def test_receipts_are_summed_and_equal_ones_kept(look):
    rows = [(*row, receipt) for row in sales(weeks(MONDAY)) for receipt in (7, 8)]
    found = propose(Wish("uc", {"store": "int64"}), look("store,dept,date,units,receipt", rows))
    assert the_sales(found)["duplicates"] == "keep"
    assert decides(found, "duplicates")


def test_the_column_that_tells_repeated_rows_apart_is_named(look):
    found = propose(
        Wish("uc", {"store": "int64"}), look("store,dept,date,units", sales(weeks(MONDAY)))
    )
    assert any("dept tells them apart" in one for one in found.to_decide)


def test_copies_alone_are_rejected_as_by_default(look):
    rows = sales(weeks(MONDAY))
    found = propose(Wish("uc", KEY), look("store,dept,date,units", [*rows, rows[3]]))
    assert "duplicates" not in the_sales(found)


@pytest.mark.parametrize(
    ("kept", "zero_every", "means"),
    [(0.5, 0, "zero"), (0.5, 2, "unknown"), (0.95, 0, "unknown")],
)
def test_no_row_means_zero_only_where_a_source_writes_no_zeros(look, kept, zero_every, means):
    days = weeks(MONDAY, 100, 1)
    rows = [
        (1, dept, day, 0 if zero_every and at % zero_every == 0 else 5)
        for dept in (1, 2)
        for at, day in enumerate(days)
        if (at * 7 + dept * 3) % 100 < kept * 100 or at in (0, 99)
    ]
    found = propose(Wish("uc", KEY), look("store,dept,date,units", rows))
    assert found.settings["gaps_mean"] == means
    assert decides(found, "gaps_mean")


def test_no_gap_leaves_nothing_to_decide(look):
    found = propose(Wish("uc", KEY), look("store,dept,date,units", sales(weeks(MONDAY))))
    assert "gaps_mean" not in found.settings
    assert not decides(found, "gaps_mean")


def test_less_than_two_seasons_is_said(look):
    found = propose(Wish("uc", KEY), look("store,dept,date,units", sales(weeks(MONDAY, 60))))
    assert decides(found, "season")
    found = propose(Wish("uc", KEY), look("store,dept,date,units", sales(weeks(MONDAY, 110))))
    assert not decides(found, "season")


def test_parquet_is_read_as_csv_is(tmp_path):
    rows = sales(weeks(MONDAY))
    table = pa.table(list(zip(*rows, strict=True)), names=["store", "dept", "date", "units"])
    pq.write_table(table, tmp_path / "sales.parquet")
    here = look_at(str(tmp_path / "sales.parquet"), list(KEY), connection(), no_warehouse)
    found = propose(Wish("uc", KEY), here)
    assert (found.facts.n_series, found.settings["grain"]) == (2, "week")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"", "cannot be parsed"),
        ("b.csv", b"store,date\n", "no rows"),
        ("c.csv", "größe,date\n1,2025-01-06\n".encode("cp1252"), "not UTF-8"),
        ("d.csv", b"a,a\n1,2\n", "two columns are called a"),
        ("e.parquet", b"no parquet", "cannot be parsed"),
    ],
)
def test_what_cannot_be_read_is_one_clear_line(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SettingsError, match=message):
        look_at(str(tmp_path / name), [], connection(), no_warehouse)


@pytest.mark.parametrize("where", ["nowhere.csv", "folder/nowhere", "nowhere", "a.b"])
def test_what_is_no_source_is_named(where):
    with pytest.raises(SettingsError, match=r"no such file|neither a file"):
        look_at(where, [], connection(), no_warehouse)


def test_a_plan_a_price_and_holidays_become_regressors(look):
    rows = [(*row, 2.5) for row in sales(weeks(MONDAY))]
    found = propose(Wish("uc", KEY), look("store,dept,date,units,price", rows))
    plan = look("store,valid_from,valid_to,price", [(1, MONDAY, SUNDAY, 2.0)])
    add_promotions(found, "uc", plan)
    add_calendar(found, ["NO"])
    assert list(found.settings["regressors"]) == ["promo_share", "log_price_ratio", "holiday_share"]
    columns = found.settings["sources"]["promotions"]["columns"]
    assert (columns["store"], columns["dept"]) == ("store", "'*'")
    assert (columns["start_date"], columns["end_date"]) == ("valid_from", "valid_to")
    assert columns["promo_share"] == "1"


def test_a_plan_of_single_days(look):
    found = propose(Wish("uc", KEY), look("store,dept,date,units", sales(weeks(MONDAY))))
    add_promotions(
        found, "uc", look("store,dept,date", [(1, 1, day) for day in weeks(MONDAY, 9, 1)])
    )
    columns = found.settings["sources"]["promotions"]["columns"]
    assert columns["start_date"] == columns["end_date"] == "date"
    with pytest.raises(SettingsError, match="first day"):
        add_promotions(found, "uc", look("store,dept", [(1, 1)]))


def test_weather_gives_a_regressor_a_number(look):
    found = propose(Wish("uc", KEY), look("store,dept,date,units", sales(weeks(MONDAY))))
    rows = [("1", day, 20.5, 3) for day in weeks(MONDAY, 9, 1)]
    add_weather(found, "uc", look("station,date,Temp,rain", rows))
    assert list(found.settings["regressors"]) == ["temp", "rain"]
    weather = found.settings["sources"]["weather"]
    assert weather["columns"]["temp"] == "Temp"
    assert weather["location_of_series"] == "store"
