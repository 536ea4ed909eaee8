"""One bind, as a table of bytes and moments: every fault a server can commit, without a socket."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import count
from struct import pack
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phones.base import (
    IncomingSms,
    Misconfigured,
    NoCredit,
    OutcomeUnknown,
    OutgoingSms,
    PhoneError,
    Rejected,
    Sent,
    StatusReport,
    Temporary,
    Throttled,
)
from phones.sessions import Fate, Received
from phones.smpp import link as link_module
from phones.smpp import pdu
from phones.smpp.link import Job, Link, State
from phones.smpp.profile import Profile

PROFILE = Profile("smsc", 2775, "acme", "secret", window=5, answer_within=10, enquire=30)
OK, THROTTLED, FULL, SYSTEM_ERROR, WRONG_STATE = 0, 0x58, 0x14, 0x08, 0x04
DELIVERED = b"\0\1\1336\0\1\x0112345\0\0\0\0\0\0\0\0\0\0\2ok"
RECEIPT = b"\0\1\1336\0\1\x0112345\0\4\0\0\0\0\0\0\0\0\x13id:1 stat:DELIVRD \0"


@dataclass
class Desk:
    """Whom the link tells: it has jobs, and keeps what it hears."""

    jobs: list[Job] = field(default_factory=list)
    results: list[tuple[Job, Sent | PhoneError]] = field(default_factory=list)
    given_back: list[Job] = field(default_factory=list)
    received: list[Received] = field(default_factory=list)
    troubles: list[PhoneError] = field(default_factory=list)

    def take(self) -> Job | None:
        return self.jobs.pop(0) if self.jobs else None

    def done(self, job: Job, result: Sent | PhoneError) -> None:
        self.results.append((job, result))

    def unsent(self, job: Job) -> None:
        self.given_back.append(job)

    def came(self, received: Received) -> None:
        self.received.append(received)

    def trouble(self, error: PhoneError) -> None:
        self.troubles.append(error)

    def look(self) -> None: ...

    def result_of(self, job: Job) -> Sent | PhoneError | None:
        return next((result for one, result in self.results if one is job), None)


class Line:
    """A link, the clock, and the server at the other end, which reads whole PDUs."""

    def __init__(self, profile: Profile = PROFILE, role: str = "transceiver") -> None:
        self.desk = Desk()
        self.link = Link(profile, role, self.desk)
        self.now = 1000.0
        self._frames = pdu.Frames()
        self._names = count(1)

    def bound(self) -> Line:
        self.connect()
        [bind] = self.turn()
        self.say(bind.command | pdu.RESPONSE, bind.sequence, b"smsc\0")
        assert self.link.state == State.BOUND
        return self

    def connect(self) -> None:
        self._frames = pdu.Frames()
        self.link.start(self.now)

    def turn(self, seconds: float = 0.0, octets: int | None = None) -> list[pdu.Frame]:
        """Let time pass; give the PDUs that arrive at the server, or those within so many octets."""
        self.now += seconds
        self.link.tick(self.now)
        self.link.fill(self.now)
        arrived = bytes(self.link.output[:octets])
        self.link.flushed(len(arrived))
        return self._frames.feed(arrived)

    def say(self, command: int, sequence: int, body: bytes = b"", status: int = 0) -> None:
        self.link.feed(pdu.write(command, sequence, body, status), self.now)

    def answer(self, submit: pdu.Frame, status: int = 0, name: str = "7f") -> None:
        self.say(
            pdu.SUBMIT_SM_RESP, submit.sequence, pdu.cstring(name) if not status else b"", status
        )

    def write(self, parts: int = 1, jobs: int = 1) -> list[Job]:
        made = [job(next(self._names), parts) for _ in range(jobs)]
        self.desk.jobs += made
        return made

    def lose(self) -> None:
        self.link.lost("The connection broke.", self.now)


def job(number: int, parts: int = 1) -> Job:
    sms = OutgoingSms(reference=str(number), to="+33612345678", text="")
    return Job(sms, [b"body %d.%d" % (number, part) for part in range(parts)])


def submits(frames: list[pdu.Frame]) -> list[pdu.Frame]:
    return [frame for frame in frames if frame.command == pdu.SUBMIT_SM]


def told(line: Line, made: list[Job]) -> list[str]:
    """Give what is known of each message, in words short enough for a table."""
    return [
        "unsent"
        if any(one is back for back in line.desk.given_back)
        else type(line.desk.result_of(one)).__name__
        for one in made
    ]


@pytest.fixture
def line() -> Line:
    return Line().bound()


# ---- The window ---------------------------------------------------------------------------------


def test_no_more_is_unanswered_than_the_window_has_room_for(line: Line) -> None:
    line.write(jobs=8)

    first = submits(line.turn())
    line.answer(first[2])
    second = submits(line.turn())

    assert (len(first), len(second), line.link.in_flight) == (5, 1, 5)


def test_answers_in_any_order_find_their_messages(line: Line) -> None:
    made = line.write(jobs=4)

    for index, submit in reversed(list(enumerate(submits(line.turn())))):
        line.answer(submit, name=f"a{index}")

    assert [line.desk.result_of(one) for one in made] == [Sent(f"a{index}") for index in range(4)]


def test_an_answer_to_nothing_changes_nothing(line: Line) -> None:
    line.say(pdu.SUBMIT_SM_RESP, 999, b"7f\0")

    assert (line.desk.results, line.link.state) == ([], State.BOUND)


@pytest.mark.parametrize("step", [1, 7])
def test_bytes_may_come_in_any_pieces(step: int, line: Line) -> None:
    [one] = line.write()
    [submit] = submits(line.turn())
    data = pdu.write(pdu.SUBMIT_SM_RESP, submit.sequence, b"7f\0")
    data += pdu.write(pdu.DELIVER_SM, 9, DELIVERED)

    for at in range(0, len(data), step):
        line.link.feed(data[at : at + step], line.now)

    assert line.desk.result_of(one) == Sent("7f")
    assert len(line.desk.received) == 1


# ---- A connection that ends ---------------------------------------------------------------------


def test_what_left_is_in_doubt_and_what_did_not_is_given_back(line: Line) -> None:
    made = line.write(jobs=6)
    # Two whole PDUs and the first octet of the third.
    line.turn(octets=2 * (16 + len(made[0].bodies[0])) + 1)

    line.lose()

    assert told(line, made[:5]) == [*["OutcomeUnknown"] * 3, "unsent", "unsent"]
    assert line.desk.jobs == made[5:]


def test_each_is_told_once_whatever_is_lost_again(line: Line) -> None:
    line.write(parts=3, jobs=3)
    line.turn()

    line.lose()
    line.lose()

    assert len(line.desk.results) + len(line.desk.given_back) == 2


def test_a_long_message_of_which_a_part_was_taken_is_in_doubt(line: Line) -> None:
    [long] = line.write(parts=9)
    line.answer(submits(line.turn())[0])

    line.lose()

    [(_, result)] = line.desk.results
    assert isinstance(result, OutcomeUnknown)
    assert "1 of 9 segments" in result.words
    assert line.desk.given_back == []
    assert result is line.desk.result_of(long)


def test_a_long_message_whose_first_part_was_never_answered_is_not_given_back() -> None:
    line = Line(replace(PROFILE, window=2)).bound()
    [long] = line.write(parts=4)
    first = submits(line.turn())
    line.turn(9)
    line.answer(first[1])
    line.turn(2, octets=0)  # the first is given up; the third waits for the socket

    line.lose()

    assert told(line, [long]) == ["OutcomeUnknown"]


def test_a_refused_long_message_stays_refused(line: Line) -> None:
    [long] = line.write(parts=3)
    line.answer(submits(line.turn())[0], 0x0B)

    line.lose()

    assert isinstance(line.desk.result_of(long), Rejected)


# ---- Refusals -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("status", "rest"), [(THROTTLED, 1), (FULL, 5)])
def test_a_throttle_gives_the_message_back_and_rests(status: int, rest: int, line: Line) -> None:
    made = line.write(jobs=6)
    first = submits(line.turn())

    line.answer(first[0], status)
    soon = submits(line.turn(rest / 2))
    later = submits(line.turn(rest))

    assert isinstance(line.desk.result_of(made[0]), Throttled)
    assert (len(soon), len(later)) == (0, 1)


def test_a_long_message_of_which_nothing_was_taken_is_refused_whole(line: Line) -> None:
    [long] = line.write(parts=3)

    for submit in submits(line.turn()):
        line.answer(submit, THROTTLED)
    later = submits(line.turn(60))

    assert isinstance(line.desk.result_of(long), Throttled)
    assert (later, len(line.desk.results)) == ([], 1)


def test_of_a_long_message_only_the_refused_part_is_sent_again(line: Line) -> None:
    [long] = line.write(parts=3)
    first = submits(line.turn())
    line.answer(first[0], name="a")
    line.answer(first[1], THROTTLED)
    line.answer(first[2], name="c")

    again = submits(line.turn(2))
    line.answer(again[0], name="b")

    assert [submit.body for submit in again] == [long.bodies[1]]
    assert line.desk.result_of(long) == Sent("a", segments=3, provider_ids=("a", "b", "c"))


def test_throttles_never_use_up_the_tries_of_a_long_message(line: Line) -> None:
    [long] = line.write(parts=2)
    first = submits(line.turn())
    line.answer(first[0])
    line.answer(first[1], THROTTLED)

    for _ in range(20):
        [again] = submits(line.turn(2))
        line.answer(again, THROTTLED)
    [again] = submits(line.turn(2))
    line.answer(again)

    assert isinstance(line.desk.result_of(long), Sent)


def test_a_part_that_is_refused_again_and_again_fails_the_message(line: Line) -> None:
    [long] = line.write(parts=2)
    first = submits(line.turn())
    line.answer(first[0])
    line.answer(first[1], SYSTEM_ERROR)

    sent = 0
    while not line.desk.results:
        line.now += 29
        line.say(pdu.ENQUIRE_LINK, 77)
        for again in submits(line.turn(1)):
            line.answer(again, SYSTEM_ERROR)
            sent += 1
        assert sent < 20

    result = line.desk.result_of(long)
    assert isinstance(result, Rejected)
    assert "1 of 2 segments" in result.words


def test_a_part_that_waits_holds_up_no_other_message(line: Line) -> None:
    line.write(parts=2)
    first = submits(line.turn())
    line.answer(first[0])
    line.answer(first[1], SYSTEM_ERROR)
    [other] = line.write()

    assert [submit.body for submit in submits(line.turn())] == other.bodies


def test_a_message_refused_for_good_sends_no_further_part() -> None:
    line = Line(replace(PROFILE, window=2)).bound()
    [long, other] = [*line.write(parts=6), *line.write()]
    first = submits(line.turn())

    line.answer(first[0], 0x0B)
    second = submits(line.turn())
    line.answer(first[1], 0x0B)

    assert [submit.body for submit in second] == other.bodies
    assert isinstance(line.desk.result_of(long), Rejected)


def test_a_message_begun_is_never_queued_again_for_want_of_credit(line: Line) -> None:
    line = Line(replace(PROFILE, statuses={0x400: "no credit"})).bound()
    [long] = line.write(parts=2)
    first = submits(line.turn())

    line.answer(first[0])
    line.answer(first[1], 0x400)

    assert type(line.desk.result_of(long)) is Rejected


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (SYSTEM_ERROR, Temporary),
        (0x64, Temporary),
        (0xFE, Temporary),
        (0xFF, Temporary),
        (0x45, Temporary),
        (0x0B, Rejected),
        (0x0A, Rejected),
        (0x33, Rejected),
        (0x61, Rejected),
        (0xC4, Rejected),
        (0x400, NoCredit),
        (0x401, Throttled),
        (0x4FF, Rejected),
        (0xFFFFFFFF, Rejected),
    ],
)
def test_each_status_has_its_class(status: int, kind: type[PhoneError]) -> None:
    own = {0x400: "no credit", 0x401: "throttled"}
    line = Line(replace(PROFILE, statuses=own)).bound()
    [one] = line.write()

    line.answer(submits(line.turn())[0], status)

    result = line.desk.result_of(one)
    assert isinstance(result, kind)
    assert result.code == f"0x{status:08X}"


@pytest.mark.parametrize("before", [b"", b"\0", b"7f\0", pdu.tlv(0x1400, b"?")])
def test_what_the_operator_says_of_a_refusal_is_kept(before: bytes, line: Line) -> None:
    [one] = line.write()
    [submit] = submits(line.turn())

    body = before + pdu.tlv(0x001D, b"Sender not registered")
    line.say(pdu.SUBMIT_SM_RESP, submit.sequence, body, 0x0A)

    result = line.desk.result_of(one)
    assert isinstance(result, Rejected)
    assert result.words == "Sender not registered"


def test_a_bind_in_the_wrong_state_lets_the_others_answer_and_is_made_anew(line: Line) -> None:
    made = line.write(jobs=3)
    sent = submits(line.turn())

    for submit in sent:
        line.answer(submit, WRONG_STATE)
        line.turn()
    line.turn(6)

    assert told(line, made) == ["Temporary"] * 3
    assert line.link.state == State.CLOSED


@pytest.mark.parametrize(("status", "kind"), [(0x03, Rejected), (0x58, Throttled)])
def test_a_generic_nack_refuses_the_message_it_names(
    status: int, kind: type[PhoneError], line: Line
) -> None:
    one, other = line.write(jobs=2)
    sent = submits(line.turn())

    line.say(pdu.GENERIC_NACK, sent[0].sequence, status=status)

    assert isinstance(line.desk.result_of(one), kind)
    assert line.desk.result_of(other) is None
    assert line.link.state == State.BOUND


def test_a_generic_nack_of_nothing_ends_the_bind(line: Line) -> None:
    line.say(pdu.GENERIC_NACK, 0, status=0x02)

    assert line.link.state == State.CLOSED


# ---- Silence ------------------------------------------------------------------------------------


def test_an_answer_that_never_comes_makes_unknown_and_a_late_one_sent(line: Line) -> None:
    [one] = line.write()
    [submit] = submits(line.turn())

    line.turn(11)
    line.answer(submit)

    results = [result for job_, result in line.desk.results if job_ is one]
    assert isinstance(results[0], OutcomeUnknown)
    assert results[1:] == [Sent("7f")]


def test_who_answers_no_message_gets_no_more(line: Line) -> None:
    line.write(jobs=12)
    first = submits(line.turn())

    later = []
    for second in range(1, 25):
        line.say(pdu.ENQUIRE_LINK, second)
        later += submits(line.turn(1))

    assert (len(first), later) == (5, [])
    assert line.link.state == State.CLOSED
    assert len(line.desk.results) == 5


def test_one_lost_answer_among_others_stops_nothing(line: Line) -> None:
    line.write(jobs=2)
    sent = submits(line.turn())
    line.turn(1)
    line.answer(sent[1])
    line.turn(11)
    line.write()

    assert len(submits(line.turn())) == 1


def test_late_answers_let_it_go_on(line: Line) -> None:
    line.write(jobs=6)
    sent = submits(line.turn())
    during = submits(line.turn(11))

    line.answer(sent[0])

    assert (len(during), len(submits(line.turn()))) == (0, 1)


def test_a_server_that_answers_no_enquire_link_is_gone(line: Line) -> None:
    [enquire] = line.turn(31)

    line.turn(9)
    before = line.link.state
    line.turn(2)

    assert enquire.command == pdu.ENQUIRE_LINK
    assert (before, line.link.state) == (State.BOUND, State.CLOSED)


@pytest.mark.parametrize(
    "reply",
    [
        (pdu.ENQUIRE_LINK_RESP, 0),
        (pdu.GENERIC_NACK, 0x03),
    ],
)
def test_any_answer_to_enquire_link_is_a_sign_of_life(reply: tuple[int, int], line: Line) -> None:
    [enquire] = line.turn(31)

    line.say(reply[0], enquire.sequence, status=reply[1])
    line.turn(20)

    assert line.link.state == State.BOUND


def test_enquire_link_is_answered_while_the_window_is_full(line: Line) -> None:
    line.write(jobs=9)
    line.turn()

    line.say(pdu.ENQUIRE_LINK, 4711)

    assert line.turn() == [pdu.Frame(pdu.ENQUIRE_LINK_RESP, 0, 4711, b"")]


def test_a_bind_that_is_never_answered_ends() -> None:
    line = Line()
    line.connect()

    line.turn(21)

    assert line.link.state == State.CLOSED
    assert "did not answer the bind" in line.link.counts.words


# ---- Binding ------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [0x0E, 0x0F, 0x53])
def test_a_wrong_account_is_refused_for_long(status: int) -> None:
    line = Line()
    line.connect()
    [bind] = line.turn()

    line.say(bind.command | pdu.RESPONSE, bind.sequence, status=status)

    assert isinstance(line.desk.troubles[0], Misconfigured)
    assert line.link.refused


@pytest.mark.parametrize("status", [0x05, 0x0D, 0x08])
def test_another_refusal_is_tried_again_soon(status: int) -> None:
    line = Line()
    line.connect()
    [bind] = line.turn()

    line.say(pdu.GENERIC_NACK, bind.sequence, status=status)

    assert type(line.desk.troubles[0]) is Temporary
    assert not line.link.refused


def test_an_enquire_link_before_the_bind_is_answered_is_no_answer_to_it() -> None:
    line = Line()
    line.connect()
    line.turn()

    line.say(pdu.ENQUIRE_LINK, 1)

    assert [frame.command for frame in line.turn()] == [pdu.ENQUIRE_LINK_RESP]
    assert line.link.state == State.BINDING


def test_a_receiver_sends_nothing() -> None:
    line = Line(role="receiver").bound()
    line.write()

    assert submits(line.turn()) == []


# ---- The other side says goodbye ----------------------------------------------------------------


def test_a_server_that_unbinds_is_answered_and_may_still_answer(line: Line) -> None:
    one, other = line.write(jobs=2)
    sent = submits(line.turn())

    line.say(pdu.UNBIND, 5)
    line.answer(sent[0])
    goodbye = line.turn()
    more = line.write()
    line.turn(1)
    line.turn(3)
    line.lose()

    assert [frame.command for frame in goodbye] == [pdu.UNBIND_RESP]
    assert told(line, [one, other]) == ["Sent", "OutcomeUnknown"]
    assert line.desk.jobs == more


def test_a_drain_finishes_what_has_begun_and_nothing_else() -> None:
    line = Line(replace(PROFILE, window=2)).bound()
    [long] = line.write(parts=4)
    rest = line.write(jobs=2)
    first = submits(line.turn())

    line.link.drain(line.now, 10)
    while first:
        for submit in first:
            line.answer(submit)
        first = submits(frames := line.turn())

    assert isinstance(line.desk.result_of(long), Sent)
    assert line.desk.jobs == rest
    assert [frame.command for frame in frames] == [pdu.UNBIND]
    line.say(pdu.UNBIND_RESP, frames[0].sequence)
    assert line.link.state == State.CLOSED


def test_a_drain_waits_for_what_came_in_to_be_stored(line: Line) -> None:
    line.say(pdu.DELIVER_SM, 3, DELIVERED)

    line.link.drain(line.now, 10)
    before = line.turn(1)
    line.link.acks.append((line.desk.received[0].ticket, 0))  # type: ignore[arg-type]
    after = [*line.turn(), *line.turn()]

    assert before == []
    assert [frame.command for frame in after] == [pdu.DELIVER_SM_RESP, pdu.UNBIND]


def test_a_drain_ends_where_nothing_is_answered_any_more(line: Line) -> None:
    made = line.write(jobs=3)
    line.turn()

    line.link.drain(line.now, 10)
    line.turn(11)
    line.turn(6)
    line.lose()

    assert told(line, made) == ["OutcomeUnknown"] * 3


# ---- What comes in ------------------------------------------------------------------------------


def acknowledge(line: Line, index: int = 0, status: int = 0) -> None:
    line.link.acks.append((line.desk.received[index].ticket, status))  # type: ignore[arg-type]


@pytest.mark.parametrize("status", [0, 0x64])
def test_what_came_in_is_answered_when_somebody_says_so(status: int, line: Line) -> None:
    line.say(pdu.DELIVER_SM, 3, DELIVERED)
    before = line.turn()

    acknowledge(line, status=status)
    after = line.turn()

    assert before == []
    assert after == [pdu.Frame(pdu.DELIVER_SM_RESP, status, 3, b"\0")]
    [received] = line.desk.received
    assert isinstance(received.event, IncomingSms)
    assert received.fate == (Fate.UNHEARD if status else Fate.TOLD)


def test_an_acknowledgement_never_reaches_another_connection(line: Line) -> None:
    line.say(pdu.DELIVER_SM, 3, DELIVERED)
    line.lose()
    line.bound()
    line.say(pdu.DELIVER_SM, 3, DELIVERED)

    acknowledge(line, 0)
    stale = line.turn()
    acknowledge(line, 1)

    assert stale == []
    assert [frame.sequence for frame in line.turn()] == [3]
    assert [item.fate for item in line.desk.received] == [Fate.UNHEARD, Fate.TOLD]


def test_an_acknowledgement_that_left_may_not_have_been_read(line: Line) -> None:
    line.say(pdu.DELIVER_SM, 3, DELIVERED)
    line.say(pdu.DELIVER_SM, 4, DELIVERED)
    acknowledge(line, 0)
    acknowledge(line, 1)

    line.turn(octets=17 + 16)  # of the second all but an octet
    line.lose()

    assert [item.fate for item in line.desk.received] == [Fate.IN_DOUBT, Fate.UNHEARD]


def test_what_is_answered_shows_which_acknowledgements_were_read(line: Line) -> None:
    """A stream is read in order."""
    line.say(pdu.DELIVER_SM, 3, DELIVERED)
    acknowledge(line, 0)
    line.write(jobs=1)
    line.say(pdu.DELIVER_SM, 4, DELIVERED)
    [submit] = submits(line.turn())
    acknowledge(line, 1)
    line.turn()

    line.answer(submit)
    line.lose()

    assert [item.fate for item in line.desk.received] == [Fate.HEARD, Fate.IN_DOUBT]


def test_who_has_nothing_to_answer_is_asked_once_for_a_sign(line: Line) -> None:
    line.say(pdu.DELIVER_SM, 3, DELIVERED)
    acknowledge(line)
    line.turn()

    asked = line.turn(1) + line.turn(1)
    before = line.desk.received[0].fate
    line.say(pdu.ENQUIRE_LINK_RESP, asked[0].sequence)

    assert [frame.command for frame in asked] == [pdu.ENQUIRE_LINK]
    assert (before, line.desk.received[0].fate) == (Fate.TOLD, Fate.HEARD)
    assert line.turn(5) == []


def test_an_acknowledgement_of_long_ago_was_read(line: Line) -> None:
    line.say(pdu.DELIVER_SM, 3, DELIVERED)
    acknowledge(line)
    line.turn()
    line.turn(1)
    line.say(pdu.SUBMIT_SM_RESP, 99)  # a sign of life, which shows nothing
    for _ in range(8):
        line.turn(9)
        line.say(pdu.SUBMIT_SM_RESP, 99)

    line.lose()

    assert line.desk.received[0].fate == Fate.HEARD


def test_an_end_in_order_leaves_no_acknowledgement_in_doubt(line: Line) -> None:
    line.say(pdu.DELIVER_SM, 3, DELIVERED)
    line.link.drain(line.now, 5)
    acknowledge(line)

    line.turn()
    [unbind] = line.turn()
    line.say(pdu.UNBIND_RESP, unbind.sequence)
    line.lose()

    assert line.desk.received[0].fate == Fate.HEARD


def test_what_leaves_is_known_though_the_socket_is_never_empty(line: Line) -> None:
    line.say(pdu.DELIVER_SM, 3, DELIVERED)
    acknowledge(line)
    line.write(jobs=5)

    line.turn(octets=17)

    assert line.desk.received[0].fate == Fate.TOLD


def test_too_much_that_is_not_stored_yet_is_refused(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link_module, "_MOST_RECEIVED", 2)
    for sequence in range(1, 4):
        line.say(pdu.DELIVER_SM, sequence, DELIVERED)

    refused = line.turn()
    acknowledge(line)
    line.turn()
    line.say(pdu.DELIVER_SM, 4, DELIVERED)

    assert refused == [pdu.Frame(pdu.DELIVER_SM_RESP, FULL, 3, b"\0")]
    assert len(line.desk.received) == 3


@pytest.mark.parametrize("body", [b"", b"\0\1\1336", DELIVERED[:-6]])
def test_what_cannot_be_read_is_kept_with_its_octets(body: bytes, line: Line) -> None:
    line.say(pdu.DELIVER_SM, 3, body)

    [received] = line.desk.received
    assert received.event is None
    assert body.hex() in received.words
    assert line.turn() == []


def test_what_our_own_mistake_makes_unreadable_is_kept_too(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("phones.smpp.text.read", lambda *_: 1 / 0)

    line.say(pdu.DELIVER_SM, 3, DELIVERED)

    assert line.desk.received[0].event is None


def test_a_request_nobody_knows_is_refused_and_the_bind_stays(line: Line) -> None:
    line.say(0x00000021, 8)
    line.say(pdu.ALERT_NOTIFICATION, 9, b"\0\0x\0\0\0y\0")

    assert line.turn() == [pdu.Frame(pdu.GENERIC_NACK, 0x03, 8, b"")]
    assert line.link.state == State.BOUND


@pytest.mark.parametrize("length", [0, 15, 200_000, 0xFFFFFFFF])
def test_a_length_that_cannot_be_ends_the_bind(length: int, line: Line) -> None:
    line.link.feed(pack(">IIII", length, pdu.DELIVER_SM, 0, 1), line.now)

    assert line.link.state == State.CLOSED
    assert [frame.status for frame in line.turn()] == [0x02]


# ---- Anything at all ----------------------------------------------------------------------------

COMMANDS = [
    pdu.SUBMIT_SM_RESP, pdu.DELIVER_SM, pdu.DATA_SM, pdu.ENQUIRE_LINK, pdu.ENQUIRE_LINK_RESP, pdu.UNBIND,
    pdu.UNBIND_RESP, pdu.GENERIC_NACK, pdu.ALERT_NOTIFICATION, 0x80000009, 0x00000009, 0x00000103,
]  # fmt: skip
BODIES = st.one_of(
    st.binary(max_size=40), st.sampled_from([DELIVERED, RECEIPT, b"7f\0", b"0" * 70])
)
STATUSES = st.sampled_from([OK, OK, OK, THROTTLED, FULL, SYSTEM_ERROR, WRONG_STATE, 0x0B, 0x5FF])
STEPS = st.one_of(
    st.tuples(st.just("say"), st.sampled_from(COMMANDS), st.integers(0, 12), BODIES, STATUSES),
    st.tuples(st.just("answer"), st.integers(0, 9), STATUSES),
    st.tuples(st.just("bytes"), st.binary(max_size=30)),
    st.tuples(st.just("write"), st.integers(1, 4), st.integers(1, 4)),
    st.tuples(
        st.just("turn"),
        st.sampled_from([0.0, 1.0, 6.0, 11.0, 31.0]),
        st.sampled_from([0, 9, 40, None]),
    ),
    st.tuples(st.just("acknowledge"), st.sampled_from([0, 0x64])),
    st.tuples(st.just("drain")),
    st.tuples(st.just("lose")),
)


class Storm:
    """Does what hypothesis thinks of, and counts."""

    def __init__(self) -> None:
        self.line = Line().bound()
        self.made: list[Job] = []
        self.taken: Counter[bytes] = Counter()
        self.waiting: list[pdu.Frame] = []
        self.acknowledged = 0

    def do(self, step: tuple[Any, ...]) -> None:
        getattr(self, step[0])(*step[1:])
        link = self.line.link
        assert link.in_flight <= PROFILE.window
        if link.state == State.CLOSED:
            self.lose()

    def say(self, command: int, sequence: int, body: bytes, status: int) -> None:
        if command in (pdu.GENERIC_NACK, pdu.SUBMIT_SM_RESP):
            if all(submit.sequence != sequence for submit in self.waiting):
                sequence += 1000  # nobody answers what has not arrived; to nothing is allowed
            elif command == pdu.GENERIC_NACK or status:
                self.refused(sequence)
        self.line.say(command, sequence, body, status)

    def answer(self, index: int, status: int) -> None:
        if self.waiting:
            submit = self.waiting[index % len(self.waiting)]
            if status:
                self.refused(submit.sequence)
            self.line.answer(submit, status)

    def refused(self, sequence: int) -> None:
        """What the server refuses it has not taken."""
        for submit in self.waiting:
            if submit.sequence == sequence:
                self.taken[submit.body] -= 1
        self.waiting = [submit for submit in self.waiting if submit.sequence != sequence]

    def bytes(self, data: bytes) -> None:
        self.line.link.feed(data, self.line.now)

    def write(self, parts: int, jobs: int) -> None:
        self.made += self.line.write(parts, jobs)

    def turn(self, seconds: float, octets: int | None) -> None:
        new = submits(self.line.turn(seconds, octets))
        self.waiting += new
        self.taken.update(frame.body for frame in new)

    def acknowledge(self, status: int) -> None:
        while self.acknowledged < len(self.line.desk.received):
            acknowledge(self.line, self.acknowledged, status)
            self.acknowledged += 1

    def drain(self) -> None:
        self.line.link.drain(self.line.now, 5)

    def lose(self) -> None:
        self.line.lose()
        self.waiting.clear()
        self.line.bound()

    def ends(self) -> Iterator[tuple[Job, int, list[Sent | PhoneError]]]:
        """Give each message that was taken, how often it came back unsent, and its results."""
        for one in self.made:
            if not any(one is left for left in self.line.desk.jobs):
                back = sum(one is given for given in self.line.desk.given_back)
                results = [result for job_, result in self.line.desk.results if job_ is one]
                yield one, back, results


@given(st.lists(STEPS, max_size=60))
def test_whatever_comes_each_message_comes_back_once(steps: list[tuple[Any, ...]]) -> None:
    storm = Storm()
    for step in steps:
        storm.do(step)
    storm.line.lose()

    for one, back, results in storm.ends():
        first, late = results[:1], results[1:]
        assert back + len(first) == 1
        # Only a doubt may be cleared later, and only once.
        assert len(late) <= 1
        assert not late or isinstance(first[0], OutcomeUnknown)
        left = [body for body in one.bodies if storm.taken[body]]
        assert not (back and left), "It was given back, and may have been taken."
        if isinstance(results[-1:] and results[-1], Sent):
            assert len(left) == len(one.bodies)


@given(st.binary(max_size=400), st.integers(0, 2**32))
def test_no_bytes_break_a_bind_or_hold_it_up(noise: bytes, seed: int) -> None:
    line = Line().bound()
    line.write(parts=2, jobs=3)
    chance = random.Random(seed)
    at = 0
    while at < len(noise):
        size = chance.randint(1, 40)
        line.link.feed(noise[at : at + size], line.now)
        line.turn(chance.random())
        at += size
    line.lose()

    assert line.link.in_flight == 0


def test_receipts_are_told_from_messages(line: Line) -> None:
    line.say(pdu.DELIVER_SM, 1, RECEIPT)
    line.say(pdu.DELIVER_SM, 2, DELIVERED)

    assert [type(item.event) for item in line.desk.received] == [StatusReport, IncomingSms]
