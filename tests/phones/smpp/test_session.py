"""All binds of a phone together, without a socket: who may send, and what is counted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from lib.http import Guard
from phones.base import OutcomeUnknown, OutgoingSms, Rejected, Sent, Throttled
from phones.smpp import session as session_module
from phones.smpp.link import Job, State
from phones.smpp.profile import Profile
from phones.smpp.session import SmppSession

PROFILE = Profile("smsc", 2775, "acme", "secret", window=5)


Make = Callable[..., SmppSession]


@pytest.fixture
def session() -> Iterator[Make]:
    """Give what makes a session whose binds are in some states; none has a connection."""
    made: list[SmppSession] = []

    def make(*states: State, profile: Profile = PROFILE) -> SmppSession:
        made.append(SmppSession(profile, Guard(frozenset()), first_reference=1))
        for link, state in zip(made[-1]._links, states, strict=True):
            link.state = state
        return made[-1]

    yield make
    for wire in (wire for one in made for wire in one._wires):
        wire._wake_in.close()
        wire._wake_out.close()


def sms(number: int, text: str = "Hello") -> OutgoingSms:
    return OutgoingSms(reference=str(number), to="+33612345678", text=text)


def take(one: SmppSession) -> Job:
    job = one.take()
    assert job
    return job


def test_there_is_room_for_the_window_of_each_bind_that_can_send(session: Make) -> None:
    three = replace(PROFILE, binds=3)
    pair = replace(PROFILE, pair=True)

    assert session(State.BOUND).room() == 5
    assert session(State.BINDING).room() == 0
    assert session(State.BOUND, State.DRAINING, State.BOUND, profile=three).room() == 10
    assert session(State.BOUND, State.BOUND, profile=pair).room() == 5
    assert session(State.CLOSED, State.BOUND, profile=pair).room() == 0


def test_what_nobody_can_send_any_more_is_given_back(session: Make) -> None:
    pair = session(State.BOUND, State.BOUND, profile=replace(PROFILE, pair=True))
    batch = [sms(1), sms(2)]
    pair.submit(batch)
    pair._links[0].state = State.CLOSED

    assert pair.news(0).unsent == batch


def test_room_comes_back_with_the_news_and_only_once(session: Make) -> None:
    one = session(State.BOUND)
    one.submit([sms(1), sms(2)])
    job = take(one)

    one.done(job, OutcomeUnknown("No answer."))
    before = one.room()
    one.news(0)
    after = one.room()
    one.done(job, Sent("7f"))
    news = one.news(0)

    assert (before, after, one.room()) == (3, 4, 4)
    assert news.results == [(job.sms, Sent("7f"))]


def test_a_text_that_cannot_be_sent_is_refused_and_takes_no_room(session: Make) -> None:
    one = session(State.BOUND)

    one.submit([sms(1, "x" * 50_000)])
    news = one.news(0)

    assert isinstance(news.results[0][1], Rejected)
    assert (one.room(), one.take()) == (5, None)


def test_what_one_bind_is_told_to_wait_holds_for_all(
    session: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(session_module.time, "monotonic", lambda: now)
    one = session(State.BOUND)
    one.submit([sms(1), sms(2)])

    one.done(take(one), Throttled("Slower.", retry_after=2))
    at_once = one.take()
    now += 3

    assert at_once is None
    assert take(one).sms.reference == "2"


def test_a_session_that_stops_takes_nothing_more(session: Make) -> None:
    one = session(State.BOUND)
    one.submit([sms(1)])

    one.stop(1)

    assert one.room() == 0
    assert [item.reference for item in one.news(0).unsent] == ["1"]
    assert one.is_over()
