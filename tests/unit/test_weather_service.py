"""Asking a weather service, against a real server that answers as it does."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from python_jobs.data.weather.answers import AnswerUnreadable, read_answer
from python_jobs.data.weather.open_meteo import (
    CUSTOMER,
    FREE,
    OpenMeteo,
    Pace,
    Refused,
    Unreachable,
)
from python_jobs.data.weather.places import Place
from python_jobs.data.weather.requests_due import Request, requests_due, spans
from python_jobs.infra.settings import WeatherFetch
from tests.support import weather_service
from tests.support.site import project_vars
from tests.support.weather_service import WeatherService, says

TODAY = date(2026, 2, 18)
KEY = "s3cr3t/k+y"
MOSCOW = Place(55.75, 37.62, "Europe/Moscow")
KAZAN = Place(55.79, 49.12, "Europe/Moscow")
AUCKLAND = Place(-36.85, 174.76, "Pacific/Auckland")
VARIABLE = "temperature_2m_mean"


def fetch(**changes: Any) -> WeatherFetch:
    quick = {"service": "open_meteo", "timeout_s": 0.4, "backoff_s": 0.0, "requests_a_minute": 1e6}
    return WeatherFetch(**{**project_vars()["fetch_defaults"], **quick, **changes})


@pytest.fixture
def service() -> Iterator[WeatherService]:
    with weather_service.serving(WeatherService(TODAY, TODAY - timedelta(days=5))) as service:
        yield service


def request(*places: Place, **changes: Any) -> Request:
    one = Request(
        "archive", places or (MOSCOW,), date(2026, 1, 1), date(2026, 1, 3), (VARIABLE,), TODAY
    )
    return replace(one, **changes)


def ask(
    service: WeatherService, one: Request | None = None, key: str | None = None, **changes: Any
) -> bytes:
    with OpenMeteo(fetch(**service.urls(), **changes), key) as client:
        return client.ask(one or request())


class TestAsking:
    def test_one_place_is_an_object_and_several_are_an_array(self, service):
        one = read_answer(request(), ask(service))
        two = read_answer(request(MOSCOW, KAZAN), ask(service, request(MOSCOW, KAZAN)))
        assert one.days == {
            MOSCOW: {date(2026, 1, day): (pytest.approx(5.6 + day + 0.1),) for day in (1, 2, 3)}
        }
        assert list(two.days) == [MOSCOW, KAZAN]
        assert two.is_complete(request(MOSCOW, KAZAN))
        assert service.asked[1].query == {
            "latitude": "55.75,55.79",
            "longitude": "37.62,49.12",
            "timezone": "Europe/Moscow",
            "daily": VARIABLE,
            "start_date": "2026-01-01",
            "end_date": "2026-01-03",
        }

    def test_a_packed_answer(self, service):
        service.packed = True
        assert read_answer(request(), ask(service)).is_complete(request())

    @pytest.mark.parametrize(
        "trick",
        [says(429, "Minutely API request limit exceeded."), says(503), weather_service.hangs_up],
    )
    def test_a_service_that_is_busy_once_is_asked_again(self, service, trick):
        service.tricks = [trick]
        assert read_answer(request(), ask(service)).is_complete(request())
        assert len(service.asked) == 2

    def test_the_time_that_a_busy_service_asks_for_is_kept(self, service):
        service.tricks = [says(429, "Minutely API request limit exceeded.", Retry_After="1")]
        ask(service)
        first, second = service.asked
        assert second.at - first.at >= 1

    def test_a_service_that_stays_busy_is_told_with_its_reason(self, service):
        service.always = says(429, "Hourly API request limit exceeded. Please try again.")
        with pytest.raises(Unreachable, match=r"127\.0\.0\.1:\d+ \(archive .*, 1 place\): it "
                           r"answers 429: Hourly API request limit"):  # fmt: skip
            ask(service, retries=2)
        assert len(service.asked) == 3

    def test_a_refusal_is_told_with_its_reason_and_not_tried_again(self, service):
        service.always = says(400, "Cannot initialize from invalid String value temp.")
        with pytest.raises(Refused, match="answers 400: Cannot initialize from invalid String"):
            ask(service)
        assert len(service.asked) == 1

    def test_another_address_is_not_followed(self, service):
        service.always = says(302, "Moved", Location="http://127.0.0.1:9/")
        with pytest.raises(Refused, match="answers 302"):
            ask(service, key=KEY)

    def test_an_answer_that_is_cut_is_asked_for_again(self, service):
        service.tricks = [weather_service.is_cut]
        assert read_answer(request(), ask(service)).is_complete(request())
        service.always = weather_service.is_cut
        with pytest.raises(Unreachable, match="cut short"):
            ask(service)

    def test_a_silent_service_costs_a_few_time_limits(self, service):
        service.always = weather_service.is_silent(3)
        started = time.monotonic()
        with pytest.raises(Unreachable, match=r"no answer within 0\.2 s"):
            ask(service, timeout_s=0.2)
        assert time.monotonic() - started < 2
        assert len(service.asked) == 3  # not `retries` times

    def test_an_answer_that_drips_is_not_waited_for(self, service):
        service.always = weather_service.drips(0.02)
        started = time.monotonic()
        with pytest.raises(Unreachable, match=r"it had not arrived within 0\.4 s"):
            ask(service, timeout_s=0.1)
        assert time.monotonic() - started < 2

    def test_nobody_there(self, service):
        urls = {"archive_url": "http://127.0.0.1:9/v1/archive"}
        with (
            OpenMeteo(fetch(**urls)) as client,
            pytest.raises(Unreachable, match=r"127\.0\.0\.1:9 .*Connection refused"),
        ):
            client.ask(request())


class TestTheKey:
    def test_it_travels_in_the_query_and_chooses_the_customers_address(self, service):
        ask(service, key=KEY)
        ask(service)
        assert [one.query.get("apikey") for one in service.asked] == [KEY, None]
        assert OpenMeteo(fetch(), KEY).urls == CUSTOMER
        assert OpenMeteo(fetch()).urls == FREE

    @pytest.mark.parametrize(
        "trick",
        [
            says(400, f"The supplied API key {KEY} is invalid."),
            says(429, "busy: /v1/archive?apikey=s3cr3t%2Fk%2By&x=1"),
            weather_service.hangs_up,
            weather_service.is_cut,
            weather_service.is_silent(1),
            None,
        ],
    )
    def test_no_message_and_no_log_tells_it(self, service, caplog, capfd, trick):
        service.always = trick
        urls = service.urls() if trick else {"archive_url": "http://127.0.0.1:9/v1/archive"}
        caplog.set_level(logging.DEBUG)
        with (
            OpenMeteo(fetch(**urls, timeout_s=0.1), KEY) as client,
            pytest.raises((Refused, Unreachable)) as raised,
        ):
            client.ask(request())
        chain: list[BaseException] = []
        error: BaseException | None = raised.value
        while error is not None:
            chain.append(error)
            error = error.__cause__ or error.__context__
        out = capfd.readouterr()
        told = [caplog.text, out.out, out.err, *map(str, chain)]
        assert "s3cr3t" not in "".join(told)
        assert not trick or service.asked[0].query["apikey"] == KEY

    def test_the_libraries_log_again_afterwards(self, service, caplog):
        caplog.set_level(logging.DEBUG)
        ask(service)
        logging.getLogger("urllib3.connectionpool").debug("heard")
        assert "heard" in caplog.text


class TestThePace:
    def test_requests_keep_their_distance(self, service):
        started = time.monotonic()
        with OpenMeteo(fetch(**service.urls(), requests_a_minute=600)) as client:
            for _ in range(3):
                client.ask(request(MOSCOW, KAZAN))
        # Two places are two requests: 0.2 s between one and the next; a slow machine waits longer.
        assert time.monotonic() - started >= 0.4

    def test_a_minute_lets_no_more_through_than_it_may(self):
        now, slept = [0.0], []

        def sleep(seconds: float) -> None:
            slept.append(seconds)
            now[0] += seconds

        pace = Pace(300, lambda: now[0], sleep)
        for _ in range(4):
            pace.wait(100)
        assert slept == [20.0, 20.0, 20.0]
        now[0] += 60
        pace.wait(1)  # room that was not used is not saved up
        pace.wait(1)
        assert slept[3:] == [pytest.approx(0.2)]

    def test_years_of_many_variables_count_as_many(self):
        year = request(first=date(2025, 1, 1), last=date(2025, 12, 31))
        assert request(MOSCOW, KAZAN).weight == 2
        assert year.weight == pytest.approx(365 / 14 / 10)
        ten = tuple(f"v{n}" for n in range(20))
        assert replace(year, variables=ten).weight == pytest.approx(2 * 365 / 14)


ODD = {"time": ["2026-01-01", "2026-01-02"], VARIABLE: [1, None]}


class TestReading:
    def test_nulls_are_left_out(self, service):
        asked = request(last=date(2026, 2, 17))
        found = read_answer(asked, ask(service, asked))
        assert max(found.days[MOSCOW]) == date(2026, 2, 13)
        assert not found.is_complete(request(last=date(2026, 2, 17)))

    def test_a_day_with_one_of_two_values_is_kept_with_its_null(self):
        two = request(variables=(VARIABLE, "rain_sum"))
        content = b'{"daily": {"time": ["2026-01-01"], "%s": [1.5], "rain_sum": [null]}}'
        found = read_answer(two, content % VARIABLE.encode())
        assert found.days[MOSCOW] == {date(2026, 1, 1): (1.5, None)}

    @pytest.mark.parametrize(
        ("body", "message"),
        [
            (b"<html>", "is not JSON"),
            ([], "is of 0 places, asked were 1"),
            ([{"daily": ODD}] * 2, "is of 2 places, asked were 1"),
            ({"location_id": 3, "daily": ODD}, "is in another order at place 1"),
            ([7], "is in another order"),
            ({}, "has no daily values"),
            ({"daily": {"time": ["2026-01-01"]}}, f"lacks the variable {VARIABLE}"),
            ({"daily": {**ODD, VARIABLE: [1]}}, f"different lengths \\(2 of time, 1 of {VARIABLE}"),
            ({"daily": {**ODD, VARIABLE: [1, "warm"]}}, "has 'warm' where a number should be"),
            ({"daily": {**ODD, VARIABLE: [1, True]}}, "has 'True' where a number should be"),
            ({"daily": {**ODD, "time": ["1 May", "x"]}}, "has '1 May' where a day should be"),
        ],
    )
    def test_what_is_no_answer_is_refused(self, service, body, message):
        service.tricks = [weather_service.says_body(body)]
        with pytest.raises(AnswerUnreadable, match=message):
            read_answer(request(), ask(service))


NOW = datetime(2026, 2, 18, 19, tzinfo=UTC)


def due(held: dict[Place, set[date]], **changes: Any) -> list[tuple[str, str, str, int]]:
    found = requests_due(held, fetch(history_from="2025-11-20", **changes), NOW)
    return [(one.api, f"{one.first}", f"{one.last}", len(one.places)) for one in found]


class TestWhatIsDue:
    def test_a_new_place_lacks_everything_a_year_at_a_time_the_newest_first(self):
        assert due({MOSCOW: set()}) == [
            ("forecast", "2026-02-08", "2026-03-05", 1),
            ("archive", "2026-01-01", "2026-02-17", 1),
            ("archive", "2025-11-20", "2025-12-31", 1),
        ]

    def test_a_known_place_lacks_what_is_new_and_the_last_ten_days(self):
        days = {date(2025, 11, 20) + timedelta(days=n) for n in range(85)}  # to 12 February
        assert due({MOSCOW: days})[1:] == [("archive", "2026-02-08", "2026-02-17", 1)]
        assert due({MOSCOW: days - {date(2025, 12, 5)}})[1:] == [
            ("archive", "2026-02-08", "2026-02-17", 1),
            ("archive", "2025-12-05", "2025-12-05", 1),
        ]

    def test_places_that_lack_the_same_share_a_request(self):
        found = due({MOSCOW: set(), KAZAN: set()})
        assert [n for *_, n in found] == [2, 2, 2]

    def test_a_place_where_it_is_tomorrow_has_requests_of_its_own(self):
        found = due({MOSCOW: set(), AUCKLAND: set()})
        assert ("forecast", "2026-02-09", "2026-03-06", 1) in found
        assert ("archive", "2026-01-01", "2026-02-18", 1) in found
        assert len(found) == 6

    def test_many_places_are_several_requests_that_a_minute_allows(self):
        many = {Place(50 + n / 100, 30, "Europe/Moscow"): set() for n in range(120)}
        sizes = [n for api, *_, n in due(many) if api == "forecast"]
        assert sizes == [50, 50, 20]
        assert max(n for *_, n in due(many, requests_a_minute=12)) == 12

    def test_the_last_ten_days_are_asked_for_however_short_the_history(self):
        found = requests_due({MOSCOW: set()}, fetch(history_from="2026-02-16"), NOW)
        assert [one.first for one in found] == [date(2026, 2, 8)] * 2

    def test_missing_days_near_each_other_are_one_span(self):
        first = date(2026, 1, 5)
        days = [first, first + timedelta(days=14), first + timedelta(days=29)]
        assert spans(days) == [(days[0], days[1]), (days[2], days[2])]
        assert spans([]) == []
