"""Runs again and again, whatever the clocks do."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns import rhythms
from campaigns.rhythms import BadRule, Rhythm
from lib import zones

PARIS = "Europe/Paris"
ZONES = [PARIS, "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "Asia/Tehran", "UTC"]
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)

walls = st.datetimes(datetime(2010, 1, 1), datetime(2030, 1, 1)).map(
    lambda at: at.replace(second=0, microsecond=0)
)
units = st.one_of(
    st.just({"unit": rhythms.DAY}),
    st.builds(
        lambda days: {"unit": rhythms.WEEK, "days": tuple(sorted(days))},
        st.sets(st.integers(0, 6), min_size=1),
    ),
    st.builds(
        lambda day: {"unit": rhythms.MONTH, "day": day}, st.sampled_from([*range(1, 32), -1])
    ),
    st.builds(
        lambda day, nth: {"unit": rhythms.MONTH, "days": day, "nth": nth},
        st.sampled_from([(0,), (4,), (6,), rhythms.WORKING]),
        st.sampled_from(rhythms.NTHS),
    ),
    st.builds(
        lambda day, month: {"unit": rhythms.YEAR, "day": day, "month": month},
        st.integers(1, 28),
        st.integers(1, 12),
    ),
    st.just({"unit": rhythms.YEAR, "day": 29, "month": 2}),
)
found = st.builds(
    lambda starts, zone, unit, every, count: Rhythm(starts, zone, every=every, count=count, **unit),
    walls,
    st.sampled_from(ZONES),
    units,
    st.integers(1, 5),
    st.one_of(st.none(), st.integers(1, 30)),
)


def paris(*wall: int) -> datetime:
    return datetime(*wall, tzinfo=ZoneInfo(PARIS))  # type: ignore[arg-type,misc]


def shown(runs: list[datetime], zone: str = PARIS) -> list[str]:
    return [f"{run.astimezone(ZoneInfo(zone)):%a %d %b %H:%M}" for run in runs]


@given(found)
def test_runs_only_go_forward_and_keep_their_wall_clock_but_for_gaps(rhythm: Rhythm) -> None:
    runs = rhythm.next_runs(40, LONG_AGO)
    where = ZoneInfo(rhythm.zone)

    assert runs
    assert all(one < next_ for one, next_ in pairwise(runs))
    for run in runs:
        wall = zones.shown(run, where)
        if wall.time() != rhythm.starts.time():
            # A moment before, the clock showed an earlier time than was meant, and now a later one.
            meant = datetime.combine(wall.date(), rhythm.starts.time())
            just_before = zones.shown(run - timedelta(seconds=1), where)
            assert just_before < meant < wall or just_before.date() < wall.date() - timedelta(1)


@given(found, st.integers(0, 39))
def test_runs_go_on_alike_behind_any_of_them(rhythm: Rhythm, place: int) -> None:
    runs = rhythm.next_runs(40, LONG_AGO)
    place = min(place, len(runs) - 1)

    assert rhythm.next_runs(40, runs[place])[: 39 - place] == runs[place + 1 :]
    assert rhythm.following(runs[place] - timedelta(seconds=1)) == runs[place]


@given(found)
def test_a_rule_is_read_as_it_was_written(rhythm: Rhythm) -> None:
    assert rhythms.read(rhythm.rule, rhythm.starts, rhythm.zone) == rhythm


@given(walls, st.sampled_from(ZONES))
def test_a_wall_clock_means_the_first_moment_that_shows_it(wall: datetime, name: str) -> None:
    where = ZoneInfo(name)
    at = zones.moment(wall, where)

    assert zones.shown(at, where) >= wall
    # Nothing earlier shows it, nor anything later than it.
    for earlier in (1, 60, 1800, 3600, 86_400):
        assert zones.shown(at - timedelta(seconds=earlier), where) < wall


def test_in_the_gap_a_run_comes_right_after_it() -> None:
    daily = Rhythm(datetime(2026, 3, 28, 2, 30), PARIS)

    assert shown(daily.next_runs(3, LONG_AGO)) == [
        "Sat 28 Mar 02:30", "Sun 29 Mar 03:00", "Mon 30 Mar 02:30",
    ]  # fmt: skip


def test_a_time_that_is_shown_twice_runs_once_the_first_time() -> None:
    daily = Rhythm(datetime(2026, 10, 24, 2, 30), PARIS)
    runs = daily.next_runs(3, LONG_AGO)

    assert shown(runs) == ["Sat 24 Oct 02:30", "Sun 25 Oct 02:30", "Mon 26 Oct 02:30"]
    assert runs[1] == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


def test_a_day_that_a_country_left_out_is_made_up_for_once() -> None:
    """Samoa had no 30 December 2011."""
    daily = Rhythm(datetime(2011, 12, 29, 0, 0), "Pacific/Apia")

    assert shown(daily.next_runs(3, LONG_AGO), "Pacific/Apia") == [
        "Thu 29 Dec 00:00", "Sat 31 Dec 00:00", "Sun 01 Jan 00:00",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("said", "runs"),
    [
        ({"unit": "WEEKLY", "days": rhythms.WORKING}, ["Fri 20 Nov", "Mon 23 Nov", "Tue 24 Nov"]),
        ({"unit": "WEEKLY", "days": (2,), "every": 2}, ["Wed 02 Dec", "Wed 16 Dec", "Wed 30 Dec"]),
        ({"unit": "MONTHLY", "day": 31}, ["Mon 30 Nov", "Thu 31 Dec", "Sun 31 Jan"]),
        ({"unit": "MONTHLY", "day": -1}, ["Mon 30 Nov", "Thu 31 Dec", "Sun 31 Jan"]),
        ({"unit": "MONTHLY", "day": 31, "every": 3}, ["Mon 30 Nov", "Sun 28 Feb", "Mon 31 May"]),
        ({"unit": "MONTHLY", "days": (4,), "nth": -1}, ["Fri 27 Nov", "Fri 25 Dec", "Fri 29 Jan"]),
        ({"unit": "MONTHLY", "days": rhythms.WORKING, "nth": 1}, ["Tue 01 Dec", "Fri 01 Jan"]),
        ({"unit": "YEARLY", "month": 2, "day": 29}, ["Sun 28 Feb", "Tue 29 Feb", "Wed 28 Feb"]),
        ({"count": 2}, ["Fri 20 Nov", "Sat 21 Nov"]),
        ({"until": date(2026, 11, 21)}, ["Fri 20 Nov", "Sat 21 Nov"]),
    ],
)  # fmt: skip
def test_runs_come_on_the_days_that_were_asked_for(
    said: dict[str, object], runs: list[str]
) -> None:
    rhythm = Rhythm(datetime(2026, 11, 20, 9, 0), PARIS, **said)  # type: ignore[arg-type]

    assert [day[:10] for day in shown(rhythm.next_runs(3, LONG_AGO))][: len(runs)] == runs
    if {"count", "until"} & set(said):
        assert len(rhythm.next_runs(3, LONG_AGO)) == 2


@pytest.mark.parametrize(
    "rule",
    ["", "FREQ", "FREQ=HOURLY", "FREQ=DAILY;INTERVAL=x", "FREQ=WEEKLY;BYDAY=XX", "FREQ=DAILY;BYHOUR=3",
     "FREQ=DAILY;UNTIL=2026", "INTERVAL=2"],
)  # fmt: skip
def test_what_is_no_rule_is_refused(rule: str) -> None:
    with pytest.raises(BadRule):
        rhythms.read(rule, datetime(2026, 1, 1), PARIS)
