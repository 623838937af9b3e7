"""`shelfcast fetch-weather`: from a service's answers to rows that are known when they should be.

The service is a real server on the loopback, the warehouse and the bucket are the emulators. Of the
units, N1 and Moscow are at one place, Kazan at another; Atlantis has none.
"""

from __future__ import annotations

import io
import json
import logging
import os
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
from google.cloud import storage

from python_jobs.data.fetch_weather import FetchReport
from python_jobs.infra import logs
from python_jobs.infra.errors import SettingsError, ShelfcastError
from python_jobs.infra.schedule import WEEKDAYS
from python_jobs.runs.context import RunContext
from python_jobs.runs.intake import fetch_missing_weather, refresh_weather
from tests.support import golden, weather_service
from tests.support.commands import done, error_of, shelfcast
from tests.support.site import Site
from tests.support.weather_service import WeatherService, says, temperature

MOSCOW = ZoneInfo("Europe/Moscow")
NOW = datetime(2026, 2, 18, 19, tzinfo=UTC)
TODAY = date(2026, 2, 18)
DAY = timedelta(days=1)
HISTORY_FROM = date(2025, 12, 30)
N_DAYS = (TODAY - HISTORY_FROM).days


@pytest.fixture(scope="module")
def server() -> Iterator[WeatherService]:
    with weather_service.serving(WeatherService(TODAY, TODAY - 5 * DAY)) as service:
        yield service


@pytest.fixture
def service(server: WeatherService) -> WeatherService:
    """The server as if it had just started."""
    fresh = WeatherService(TODAY, TODAY - 5 * DAY, url=server.url)
    server.__dict__.update(fresh.__dict__)
    return server


def settings_of(service: WeatherService, **changes: Any) -> dict[str, Any]:
    return {
        "service": "open_meteo",
        **service.urls(),
        "history_from": f"{HISTORY_FROM}",
        "requests_a_minute": 1e6,
        "retries": 1,
        "backoff_s": 0,
        "timeout_s": 2,
        **changes,
    }


def sales(units: list[str], weeks: list[date]) -> pd.DataFrame:
    return pd.DataFrame(
        [(unit, "retail", "A", week, 5.0, 2.0, False) for unit in units for week in weeks],
        columns=["unit", "channel", "sku_id", "week_start", "units_sold", "price", "is_sold_out"],
    )


def weather_settings(site: Site, service: WeatherService, **changes: Any) -> None:
    """The weather, and a family that needs no long history but a column named promo_share."""
    weather = site.use_cases["sku_weekly"]["sources"]["weather"]
    golden.sku_settings(site)
    first = site.use_cases["sku_weekly"]
    weather["fetch"] = settings_of(service, **changes)
    first["sources"] = {
        "sales": first["sources"]["sales"],
        "weather": weather,
        "calendar": {"countries": ["RU"]},
    }
    first["regressors"] = {
        "promo_share": {"future": "calendar", "when_missing": "none"},
        "temperature_c": {"future": "weather", "when_missing": "climatology"},
    }


@pytest.fixture(scope="module")
def shared_site(make_site: Callable[[], Site], server: WeatherService) -> Site:
    site = make_site()
    weather_settings(site, server)
    site.write("sales", sales(["N1", "Moscow", "Kazan"], [date(2026, 2, 9)]))
    return site


@pytest.fixture
def site(shared_site: Site, service: WeatherService) -> Site:
    """The site before anything was fetched."""
    table = f"shelfcast-local.{shared_site.dataset}_raw.weather_daily"
    shared_site.warehouse.client.delete_table(table, not_found_ok=True)
    return shared_site


@pytest.fixture
def cache(site: Site, storage_client: storage.Client) -> storage.Bucket:
    """A bucket for the raw answers."""
    return storage_client.create_bucket(f"raw-{uuid.uuid4().hex[:12]}")


def changed(site: Site, *, include: str = "", fetch: Any = None, **source: Any) -> RunContext:
    """The site with settings that SQL does not read: dbt need not parse for them."""
    context = site.context()
    weather = context.use_case.sources.weather
    assert weather is not None
    weather = weather.model_copy(
        update={**source, "fetch": weather.fetch.model_copy(update=fetch or {})}
    )
    sources = context.use_case.sources.model_copy(update={"weather": weather})
    use_case = context.use_case.model_copy(update={"sources": sources, "include": include})
    return replace(context, use_case=use_case)


def fetch(site: Site, at: datetime = NOW, **settings: Any) -> FetchReport:
    return fetch_missing_weather(changed(site, **settings), at)


@pytest.fixture
def told() -> Iterator[Callable[[], list[tuple[str, str]]]]:
    """What was logged: event and message."""
    handlers = logs.LOGGER.handlers
    logs.set_up(stream := io.StringIO(), {})
    yield lambda: [
        (one["event"], one["message"]) for one in map(json.loads, stream.getvalue().splitlines())
    ]
    logs.LOGGER.handlers = handlers


def rows(site: Site, condition: str = "true", columns: str = "*") -> list[tuple]:
    return golden.table(
        site,
        f"select {columns} from {{sku_weekly_weather.rows}} where {condition} order by 1, 2, 3",
    )


def of_day(site: Site, location: str, day: date) -> list[tuple]:
    """kind, value and instant of issue of each row, the oldest issue first."""
    found = site.read(
        "select kind, temperature_c, issued_at from {sku_weekly_weather.rows} "
        "where location = @location and date = @day order by issued_at, kind",
        location=location,
        day=day,
    )
    return [(row.kind, row.temperature_c, row.issued_at) for row in found.itertuples()]


def morning_after(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 6, tzinfo=MOSCOW) + DAY


class TestTheFirstFetch:
    def test_units_at_one_place_share_a_request_and_each_gets_its_rows(self, site, service):
        report = fetch(site)
        assert [one.places for one in service.asked] == [
            [("55.79", "49.12"), ("55.75", "37.62")][::-1]
        ] * 3
        assert [one.span for one in service.asked] == [
            ("10", "16"),
            ("2026-01-01", "2026-02-17"),
            ("2025-12-30", "2025-12-31"),
        ]
        counted = rows(site, columns="location, kind, count(*) over (partition by location, kind)")
        assert set(counted) == {
            *((name, "observed", N_DAYS) for name in ("N1", "Moscow", "Kazan")),
            *((name, "forecast", 16) for name in ("N1", "Moscow", "Kazan")),
        }
        assert (report.n_new, report.n_corrected, report.n_forecast) == (3 * N_DAYS, 0, 48)

    def test_history_counts_as_known_the_next_morning_and_a_forecast_from_now_on(self, site):
        fetch(site)
        old, yesterday = date(2026, 1, 5), TODAY - DAY
        assert of_day(site, "N1", old) == [
            ("observed", temperature(55.75, old, "archive"), morning_after(old))
        ]
        # The archive has no value of yesterday yet: the forecast API's stands in.
        assert of_day(site, "N1", yesterday) == [
            ("observed", temperature(55.75, yesterday, "forecast"), morning_after(yesterday))
        ]
        assert of_day(site, "N1", TODAY) == [
            ("forecast", temperature(55.75, TODAY, "forecast"), NOW)
        ]
        at = golden.table(
            site,
            "select distinct loaded_from, loaded_at = timestamp '2026-02-18 19:00:00+00' "
            "from {sku_weekly_weather.rows} order by 1",
        )
        assert at == [("open_meteo archive", True), ("open_meteo forecast", True)]

    def test_a_morning_that_has_not_come_is_not_said_to_be_past(self, site):
        """At one in the morning at the place, yesterday is known from then on."""
        night = datetime(2026, 2, 17, 22, tzinfo=UTC)
        fetch(site, night)
        assert of_day(site, "N1", TODAY - DAY)[0][2] == night

    def test_a_unit_without_a_place_is_told_and_the_others_go_on(self, site, told):
        by_sku = "if(unit = 'Kazan', 'Atlantis', unit)"
        report = fetch(site, location_of_series=by_sku)
        assert report.n_locations == 2
        ((event, message),) = told()
        assert event == "places_missing"
        assert "1 of 3 locations of sku_weekly have no place (Atlantis). Add their latitude" in (
            message
        )
        fetch(site, location_of_series=by_sku, include="N1|*,Moscow|*")
        assert len(told()) == 1  # what the settings leave out needs no place

    def test_nobody_has_a_place(self, site):
        with pytest.raises(ShelfcastError, match=r"1 of 1 locations of sku_weekly have no place"):
            fetch(site, location_of_series="sku_id")

    def test_a_dry_run_asks_and_writes_nothing(self, site, service):
        result = done(site, "fetch-weather", "--dry-run")
        assert "3 requests for" in result.stderr
        assert result.stdout.splitlines()[0].endswith(", 2 places")
        assert service.asked == []
        assert site.warehouse.columns(f"shelfcast-local.{site.dataset}_raw.weather_daily") is None


class TestTheNextFetch:
    def test_only_what_is_missing_and_the_last_ten_days_and_no_row_twice(self, site, service):
        fetch(site)
        before, service.asked[:] = rows(site), []
        report = fetch(site, NOW + timedelta(minutes=1))
        assert [one.span for one in service.asked] == [("10", "16"), ("2026-02-08", "2026-02-17")]
        assert (report.n_new, report.n_corrected, report.n_forecast) == (0, 0, 48)
        assert len(rows(site)) == len(before) + 48
        assert rows(site, "kind = 'observed'") == [row for row in before if "observed" in row]

    def test_a_week_later_the_archive_corrects_and_new_days_are_known_from_then_on(
        self, site, service
    ):
        fetch(site)
        later, service.today = NOW + 7 * DAY, TODAY + 7 * DAY
        service.archived_until = TODAY + 2 * DAY
        service.asked.clear()
        report = fetch(site, later)
        # The 14th is not of the last ten days, but only the forecast API has told it so far.
        assert [one.span for one in service.asked] == [("10", "16"), ("2026-02-14", "2026-02-24")]
        corrected = [TODAY - n * DAY for n in (1, 2, 3, 4)]
        assert report.n_corrected == 3 * len(corrected)
        assert of_day(site, "Kazan", corrected[0]) == [
            ("observed", temperature(55.79, corrected[0], "forecast"), morning_after(corrected[0])),
            ("observed", temperature(55.79, corrected[0], "archive"), later),
        ]
        assert of_day(site, "Kazan", TODAY) == [
            ("forecast", temperature(55.79, TODAY, "forecast"), NOW),
            ("observed", temperature(55.79, TODAY, "archive"), later),
        ]

    def test_what_the_archive_confirms_is_asked_for_no_more(self, site, service):
        service.value = lambda lat, day, _: temperature(lat, day, "archive")
        fetch(site)
        later, service.today = NOW + 14 * DAY, TODAY + 14 * DAY
        service.archived_until = service.today
        assert fetch(site, later).n_corrected == 0
        day = TODAY - DAY
        value = temperature(55.75, day, "archive")
        assert of_day(site, "N1", day) == [
            ("observed", value, morning_after(day)),
            ("observed", value, later),
        ]
        service.asked.clear()
        fetch(site, later + DAY / 24)
        assert [one.span for one in service.of("archive")] == [("2026-02-22", "2026-03-03")]

    def test_the_forecast_api_never_takes_the_place_of_the_archive(self, site, service):
        service.archived_until = TODAY - DAY
        fetch(site)
        service.tricks = [None, says(400, "no archive today")]
        report = fetch(site, NOW + DAY / 24)
        assert (report.n_new, report.n_corrected) == (0, 0)
        assert len(report.failures) == 1

    def test_days_that_were_null_are_asked_for_until_they_are_there(self, site, service):
        hole = date(2026, 1, 20)
        service.value = lambda lat, day, api: None if day == hole else temperature(lat, day, api)
        fetch(site)
        assert of_day(site, "N1", hole) == []
        service.value = temperature
        service.asked.clear()
        later = NOW + timedelta(hours=1)
        fetch(site, later)
        assert [one.span for one in service.of("archive")] == [
            ("2026-02-08", "2026-02-17"),
            ("2026-01-20", "2026-01-20"),
        ]
        # The run of that time did not know it, nor did any until now.
        assert of_day(site, "N1", hole) == [
            ("observed", temperature(55.75, hole, "archive"), later)
        ]

    def test_a_table_that_was_loaded_from_a_file_goes_on(self, site, service):
        path = site.folder / "weather.csv"
        days = [HISTORY_FROM + n * DAY for n in range(N_DAYS)]
        path.write_text(
            "location,date,kind,temperature_c,issued_at\n"
            + "".join(
                f"N1,{day},observed,{temperature(55.75, day, 'archive')},{day + DAY}T05:00:00Z\n"
                for day in days
            )
        )
        done(site, "load", str(path), "--as", "weather")
        report = fetch(site)
        assert report.n_new == 2 * N_DAYS  # Moscow's and Kazan's
        again = golden.table(
            site,
            "select count(*) from {sku_weekly_weather.rows} where location = 'N1' "
            "and kind = 'observed'",
        )
        assert again == [(N_DAYS,)]

    def test_a_table_of_other_columns_is_refused(self, site):
        site.write("weather_daily", pd.DataFrame({"location": ["N1"], "temperature_c": [3]}))
        with pytest.raises(
            ShelfcastError,
            match="cannot take fetched weather: date is missing, needed is DATE, kind is missing, "
            "needed is STRING, temperature_c is INTEGER, needed is FLOAT, and 1 more",
        ):
            fetch(site)


class TestRawAnswers:
    def test_every_answer_is_kept_and_the_key_is_not(self, site, service, cache, monkeypatch):
        monkeypatch.setenv("SHELFCAST_WEATHER_KEY", "s3cr3t")
        fetch(site, fetch={"cache_uri": f"gs://{cache.name}/weather"})
        assert {one.query["apikey"] for one in service.asked} == {"s3cr3t"}
        blobs = {blob.name: blob.download_as_bytes() for blob in cache.list_blobs()}
        assert sorted(name.rsplit("/", 1)[0] for name in blobs) == [
            "weather/open_meteo/archive/2025-12-30_2025-12-31",
            "weather/open_meteo/archive/2026-01-01_2026-02-17/20260218T190000Z",
            "weather/open_meteo/forecast/2026-02-08_2026-03-05/20260218T190000Z",
        ]
        assert set(blobs.values()) == {service.answer(one) for one in service.asked}
        assert "s3cr3t" not in "".join(map(str, blobs.items()))

    def test_a_table_that_is_made_again_asks_for_no_past_year_again(self, site, service, cache):
        kept = {"cache_uri": f"gs://{cache.name}/weather"}
        fetch(site, fetch=kept)
        before = rows(site)
        service.asked.clear()
        site.warehouse.client.delete_table(f"shelfcast-local.{site.dataset}_raw.weather_daily")
        report = fetch(site, fetch=kept)
        assert (report.n_asked, report.n_kept) == (2, 1)
        assert ("2025-12-30", "2025-12-31") not in [one.span for one in service.asked]
        assert rows(site) == before

    def test_a_kept_answer_that_cannot_be_read_is_asked_for_again(self, site, service, cache):
        kept = {"cache_uri": f"gs://{cache.name}/weather"}
        fetch(site, fetch=kept)
        (blob,) = [one for one in cache.list_blobs() if "2025-12-30" in one.name]
        blob.upload_from_string("<html>")
        site.warehouse.client.delete_table(f"shelfcast-local.{site.dataset}_raw.weather_daily")
        assert fetch(site, fetch=kept).n_asked == 3
        assert cache.get_blob(blob.name).download_as_bytes() == service.answer(service.asked[-1])

    def test_a_past_year_with_holes_is_not_kept(self, site, service, cache):
        service.value = lambda lat, day, _: None if day.day == 30 else 1.5
        fetch(site, fetch={"cache_uri": f"gs://{cache.name}/weather"})
        assert not [blob.name for blob in cache.list_blobs() if "2025-12-30" in blob.name]

    def test_a_bucket_that_is_not_there_is_told_once_and_weather_is_fetched(self, site, told):
        report = fetch(site, fetch={"cache_uri": "gs://nowhere-at-all/weather"})
        assert report.n_asked == 3
        assert report.n_forecast == 48
        assert [event for event, _ in told()] == ["weather_not_kept"]


class TestTheKey:
    KEY = "s3cr3t/k+y"

    @pytest.fixture
    def everything_logged(self, monkeypatch) -> Iterator[io.StringIO]:
        """The whole log as Cloud Run gets it, what libraries say in their lowest voice included."""
        monkeypatch.setenv("SHELFCAST_WEATHER_KEY", self.KEY)
        handlers, level = logs.LOGGER.handlers, logs.LOGGER.level
        logs.set_up(stream := io.StringIO(), {**os.environ, "CLOUD_RUN_JOB": "predict-weekly"})
        yield stream
        logs.set_up(io.StringIO(), {"SHELFCAST_LOG_FORMAT": "text"})
        logs.LOGGER.handlers, logs.LOGGER.level = handlers, level

    @pytest.mark.parametrize("status", [400, 503])
    def test_a_service_that_fails_and_repeats_it_is_told_without_it(
        self, site, service, everything_logged, status
    ):
        told = f"the key {self.KEY} in /v1/archive?apikey=s3cr3t%2Fk%2By is not known"
        service.always = says(status, told)
        refresh_weather(changed(site, fetch={"retries": 1, "backoff_s": 0}), NOW)
        logging.getLogger("urllib3.connectionpool").warning("Retrying: /v1?apikey=s3cr3t%2Fk%2By")
        text = everything_logged.getvalue()
        events = [json.loads(line)["event"] for line in text.splitlines()]
        assert events[-2:] == ["weather_not_fetched", "library_warned"]
        assert {one.query["apikey"] for one in service.asked} == {self.KEY}
        assert "s3cr3t" not in text


class TestByHand:
    def test_off_it_says_how_to_turn_it_on(self, site):
        with pytest.raises(SettingsError) as error:
            fetch(site, fetch={"service": "none"})
        assert "sku_weekly fetches no weather. Turn it on with fetch: {service: open_meteo}" in (
            str(error.value)
        )
        assert "non-commercial" in str(error.value)

    def test_it_fetches_and_says_what(self, site, service):
        service.today = datetime.now(MOSCOW).date()
        service.archived_until = service.today - 5 * DAY
        result = done(site, "fetch-weather")
        assert result.stdout == ""
        assert "weather of 3 locations at 2 places" in result.stderr
        assert "48 forecast, in shelfcast-local." in result.stderr

    def test_what_came_is_kept_where_the_rest_is_refused(self, site, service):
        service.today = datetime.now(MOSCOW).date()
        service.tricks = [None, says(400, "Parameter 'end_date' is out of allowed range")]
        result = shelfcast(site, "fetch-weather")
        assert result.exit_code == 1
        assert "requests for weather were not answered (127.0.0.1:" in error_of(result)
        assert "it answers 400: Parameter 'end_date' is out of allowed range" in error_of(result)
        assert "What came is kept; run the command again" in error_of(result)
        assert len(rows(site, "kind = 'forecast'")) == 48

    def test_a_service_that_is_gone_is_asked_no_more(self, site, service):
        service.today = datetime.now(MOSCOW).date()
        service.always = says(429, "Daily API request limit exceeded. Please try again tomorrow.")
        result = shelfcast(site, "fetch-weather")
        assert result.exit_code == 1
        assert len(service.asked) == 2  # one request and its retry
        assert "Daily API request limit exceeded" in error_of(result)
        assert rows(site) == []  # a table that a run can read


def warnings_of(stderr: str) -> list[tuple[str, str]]:
    entries = [json.loads(line) for line in stderr.splitlines() if line.startswith("{")]
    return [(one["event"], one["message"]) for one in entries if one["severity"] == "WARNING"]


# Of the first week three days had passed before the forecast was made: four are forecast.
WEEKS_AHEAD = [("forecast", round(4 / 7, 9)), ("forecast", 1.0)]


def test_a_week_without_the_service_is_forecast_with_what_was_known(
    make_site: Callable[[], Site], service: WeatherService
):
    """Training fetches; the weekly run finds nobody, says so once, and goes on."""
    today = datetime.now(MOSCOW).date()
    origin = today - 4 * DAY
    weeks = [origin + DAY - timedelta(weeks=n) for n in range(8, 0, -1)]
    service.today, service.archived_until = today, today - 5 * DAY
    site = make_site()
    history_from = f"{weeks[0] - timedelta(days=400)}"
    weather_settings(site, service, history_from=history_from)
    site.use_cases["sku_weekly"]["week_starts_on"] = WEEKDAYS[weeks[0].weekday()]
    site.write("sales", sales(["N1"], weeks))
    trained = done(site, "train")
    assert len(service.of("forecast")) == 1
    assert "weather of 1 locations at 1 places" in trained.stderr
    # A run knows what was fetched for it.
    panel = "select weather_source, share_forecast from {sku_weekly_future_panel}"
    assert golden.table(site, f"{panel} order by horizon_step") == WEEKS_AHEAD
    service.always = weather_service.hangs_up
    result = done(site, "run")
    ((event, message),) = warnings_of(result.stderr)
    assert event == "weather_not_fetched"
    assert "2 of 2 requests for weather were not answered" in message
    assert f"The forecast of {today} stands in as far as it goes, then climatology." in message
    known = golden.table(
        site,
        "select horizon_step, regressors_as_known from {forecast_log} "
        "where model_name = 'level' order by 1",
    )
    found = [json.loads(text) for _, text in known]
    assert [(one["weather_source"], one["share_forecast"]) for one in found] == WEEKS_AHEAD
    assert all(one["temperature_c"] is not None for one in found)
