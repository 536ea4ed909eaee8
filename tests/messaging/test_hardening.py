"""What a hostile day does: odd values, databases that go away, phones that go away, late news."""

from __future__ import annotations

import threading
import uuid
from contextlib import suppress
from datetime import timedelta
from io import BytesIO
from typing import Any

import pytest
from django.conf import settings as live_settings
from django.db import (
    IntegrityError,
    InterfaceError,
    InternalError,
    OperationalError,
    connection,
    connections,
)
from django.test import Client
from django.utils import timezone
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from contacts.models import OptOut
from lib.http import Trace, readable
from lib.jobs import waiting
from lib.redact import Redactor
from lib.vault import Unreadable
from messaging import actions, media, outcomes, reporting, sending, sweeping
from messaging.models import Call, Media, Message, Report, Status
from messaging.receiving import apply
from phones import registry, services
from phones.base import (
    Delivery,
    Fetched,
    IncomingCall,
    IncomingMedia,
    IncomingSms,
    Misconfigured,
    OptOutNotice,
    OutcomeUnknown,
    Rejected,
    Sent,
    StatusReport,
    Temporary,
    Throttled,
)
from phones.models import Exchange, Phone
from tests.messaging.conftest import number, states

pytestmark = pytest.mark.django_db(transaction=True)

ODD = "a\x00b\ud83dc"
LONG = "x" * 100


# ---- One odd result must not cost the others theirs ----------------------------------------------


@pytest.mark.database
@pytest.mark.parametrize(
    ("odd", "status"),
    [
        (Temporary("Busy", retry_after=float("inf")), Status.QUEUED),
        (Temporary("Busy", retry_after=1e300), Status.QUEUED),
        (Throttled("Slow down", retry_after=1e15), Status.QUEUED),
        (Temporary("Busy", retry_after=float("nan")), Status.QUEUED),
        (Rejected(ODD, ODD), Status.FAILED),
        (OutcomeUnknown(ODD), Status.UNKNOWN),
        (Misconfigured(ODD, ODD), Status.QUEUED),
        (Sent(ODD), Status.SENT),
        (Sent(123), Status.SENT),  # type: ignore[arg-type]
        (Sent("SM1", segments=10**9, cost=10**30, currency="EURO"), Status.SENT),
        (Sent("SM1", segments=-1), Status.SENT),
        (Sent("SM1", segments="two", cost="much"), Status.SENT),  # type: ignore[arg-type]
        (Sent(None), Status.SENT),  # type: ignore[arg-type]
        (SystemExit("an SDK that gives up"), Status.UNKNOWN),
        (MemoryError(), Status.UNKNOWN),
    ],
    ids=repr,
)
def test_an_odd_result_is_recorded_and_so_are_the_others(
    odd, status, write, send, scripted
) -> None:
    messages = write(*[number(i) for i in range(5)])
    scripted.seconds = 0.02
    scripted.script[number(2)] = [odd]

    send()

    assert states(*messages) == [Status.SENT] * 2 + [status] + [Status.SENT] * 2
    assert len(scripted.sent) == 5


def test_a_wish_to_wait_is_heard_for_a_day_at_most(write, send, scripted) -> None:
    (message,) = write()
    scripted.script[message.peer] = [Temporary("Busy", retry_after=10.0**9)]

    send()

    message.refresh_from_db()
    assert message.not_before < timezone.now() + timedelta(days=1, minutes=1)


@pytest.mark.database
def test_what_cannot_be_stored_at_all_still_counts_as_sent(
    write, send, scripted, monkeypatch
) -> None:
    messages = write(*[number(i) for i in range(3)])
    real = outcomes.exchange

    def refuse(phone: Any, trace: Trace, message: int) -> Any:
        if trace.received == "odd":
            raise ValueError("No database takes this.")
        return real(phone, trace, message)

    def answer(kind: Any, sms: Any) -> Sent:
        kind.http._record(Trace("POST", "https://x.test/", "", "odd", 201, 5))
        return Sent("SM1")

    monkeypatch.setattr(outcomes, "exchange", refuse)
    scripted.script[number(1)] = [answer]
    scripted.seconds = 0.02

    send()

    assert states(*messages) == [Status.SENT] * 3
    assert Message.objects.get(peer=number(1)).provider_id == "SM1"


@pytest.mark.database
def test_an_answer_with_nul_in_its_headers_is_kept(write, line) -> None:
    kept = readable(Redactor([]), [("X-Odd", "a\x00b")], b"a\x00b")

    Exchange.objects.create(phone=line, direction="in", method="POST", url="/", sent=kept)
    assert "\x00" not in kept


# ---- The database goes away ----------------------------------------------------------------------


@pytest.mark.database
@pytest.mark.parametrize("error", [InterfaceError, OperationalError, InternalError])
def test_results_survive_a_database_that_comes_back(
    error, write, send, scripted, monkeypatch
) -> None:
    messages = write(*[number(i) for i in range(3)])
    real, failures = outcomes.write, [error("connection already closed")] * 2

    def record(*arguments: Any) -> None:
        if failures:
            raise failures.pop()
        real(*arguments)

    monkeypatch.setattr(outcomes, "write", record)

    send()

    assert states(*messages) == [Status.SENT] * 3


@pytest.mark.parametrize("error", [InterfaceError("closed"), RuntimeError("a bug")], ids=repr)
def test_what_flies_is_recorded_when_claiming_fails(
    error, write, scripted, line, monkeypatch
) -> None:
    messages = write(*[number(i) for i in range(40)])
    scripted.seconds = 0.05
    real, calls = sending.claim, []

    def claim(*arguments: Any, **options: Any) -> Any:
        calls.append(1)
        if len(calls) > 1:
            raise error
        return real(*arguments, **options)

    monkeypatch.setattr(sending, "claim", claim)
    with suppress(RuntimeError):
        sending.pump(line.pk)

    assert states(*messages).count(Status.SENT) == len(scripted.sent) == 16
    assert set(states(*messages)) == {Status.SENT, Status.QUEUED}


class Cut(BaseException):
    """What a signal raises in the middle of anything: a job's time-out, a forced end."""


@pytest.mark.parametrize("place", ["record", "match_parked", "wait"])
def test_what_flies_is_recorded_when_the_run_is_cut_off(
    place, write, line, scripted, monkeypatch
) -> None:
    messages = write(*[number(i) for i in range(16)])
    for index in range(16):
        scripted.script[number(index)] = [_slowly(index)]
    owner = {"record": sending, "match_parked": reporting, "wait": sending}[place]
    real, calls = getattr(owner, place), []

    def cut(*arguments: Any, **more: Any) -> Any:
        calls.append(1)
        if len(calls) == 2:
            raise Cut
        return real(*arguments, **more)

    monkeypatch.setattr(owner, place, cut)
    with pytest.raises(Cut):
        sending.pump(line.pk)

    assert states(*messages) == [Status.SENT] * 16


@pytest.mark.parametrize("threads", [0, 1, 5])
def test_a_machine_without_threads_loses_nothing(
    threads, write, line, scripted, monkeypatch
) -> None:
    messages = write(*[number(i) for i in range(20)])
    real, started = threading.Thread.start, []

    def start(self: threading.Thread) -> None:
        if self.name.startswith("ThreadPoolExecutor"):
            if len(started) == threads:
                raise RuntimeError("can't start new thread")
            started.append(self)
        real(self)

    monkeypatch.setattr(threading.Thread, "start", start)
    with suppress(RuntimeError):
        sending.pump(line.pk)

    assert set(states(*messages)) == {Status.SENT if threads else Status.QUEUED}
    assert len(scripted.sent) == (20 if threads else 0)


def _slowly(index: int) -> Any:
    def answer(_: Any, sms: Any) -> Sent:
        threading.Event().wait(0.03 * index)
        return Sent(f"id-{sms.reference}")

    return answer


@pytest.mark.postgres
@pytest.mark.parametrize("moment", ["before", "within", "after"])
def test_a_result_is_recorded_when_postgresql_cuts_the_connection(
    moment, write, send, scripted, monkeypatch
) -> None:
    messages = write(*[number(i) for i in range(4)])
    real, cuts = outcomes.write, []

    def cut() -> None:
        if not cuts:
            cuts.append(1)
            _cut_connection()

    def record(*arguments: Any) -> None:
        if moment == "before":
            cut()
        real(*arguments)
        if moment == "within":
            cut()
            Message.objects.count()
        if moment == "after":
            cut()

    monkeypatch.setattr(outcomes, "write", record)

    send()

    assert states(*messages) == [Status.SENT] * 4
    assert len(scripted.sent) == 4


def _cut_connection() -> None:
    """Let the server end this thread's connection, as its restart would."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        pid = cursor.fetchone()[0]

    def kill() -> None:
        with connections["default"].cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s)", [pid])
        connections["default"].close()

    thread = threading.Thread(target=kill)
    thread.start()
    thread.join()
    threading.Event().wait(0.1)


# ---- Names that providers give -------------------------------------------------------------------


@pytest.mark.database
def test_a_long_name_is_found_again(write, send, scripted, line) -> None:
    (message,) = write()
    scripted.script[message.peer] = [Sent(LONG + "-1")]
    send()

    apply(line, [StatusReport(Delivery.DELIVERED, LONG + "-1")])

    assert states(message) == [Status.DELIVERED]


def test_a_long_name_that_is_reported_first_is_found_again(write, send, scripted, line) -> None:
    (message,) = write()
    scripted.script[message.peer] = [Sent(LONG + "-1")]
    apply(line, [StatusReport(Delivery.DELIVERED, LONG + "-1")])

    send()

    assert states(message) == [Status.DELIVERED]


@pytest.mark.database
def test_long_names_that_begin_alike_are_two(write, send, scripted, line) -> None:
    first, second = write(number(1), number(2))
    scripted.script[number(1)] = [Sent(LONG + "-1")]
    scripted.script[number(2)] = [Sent(LONG + "-2")]
    send()

    apply(line, [StatusReport(Delivery.DELIVERED, LONG + "-2")])
    apply(
        line, [IncomingSms(number(1), "a", LONG + "-3"), IncomingSms(number(1), "b", LONG + "-4")]
    )
    apply(line, [IncomingCall(number(1), LONG + "-5"), IncomingCall(number(1), LONG + "-6")])

    assert states(first, second) == [Status.SENT, Status.DELIVERED]
    assert Message.objects.filter(direction="in").count() == 2
    assert Call.objects.count() == 2


# ---- Odd callbacks -------------------------------------------------------------------------------


@pytest.mark.database
@pytest.mark.parametrize(
    "event",
    [
        StatusReport(Delivery.FAILED, ODD, reference=ODD, code=ODD, words=ODD * 300),
        IncomingSms(ODD, ODD, ODD, to=ODD),
        IncomingSms("n" * 300, ODD, "IN1", to="t" * 300),
        IncomingSms(number(1), "", "IN1", media=(IncomingMedia("https://x.test/\x00", "t" * 300),)),
        IncomingCall(ODD, ODD, ended=True, seconds=10**12, outcome=ODD * 20),
        IncomingCall("n" * 300, "CA1", ended=True, seconds=-1),
        OptOutNotice("n" * 300, words=ODD * 300),
        OptOutNotice(ODD, words=ODD, again=True),
    ],
    ids=lambda event: type(event).__name__,
)
def test_an_odd_event_is_stored_and_not_repeated_for_ever(event, line) -> None:
    apply(line, [event])
    apply(line, [event])


@pytest.mark.database
def test_a_reply_that_breaks_a_rule_is_not_taken_for_a_repetition(line, monkeypatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise IntegrityError("another rule")

    monkeypatch.setattr(Message, "save", refuse)

    with pytest.raises(IntegrityError):
        apply(line, [IncomingSms(number(1), "Yes", "IN1")])


@pytest.mark.database
def test_a_report_that_was_parked_twice_at_once_is_still_answered(line) -> None:
    event = StatusReport(Delivery.DELIVERED, "SM1")
    for _ in range(2):
        Report.objects.create(phone=line, provider_id="SM1", state="delivered")

    apply(line, [event])

    assert Report.objects.count() == 2


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        ("&".join(f"a{i}=1" for i in range(3000)), "application/x-www-form-urlencoded"),
        ("a=1", "application/x-www-form-urlencoded; charset=base64"),
        ("a=1", "application/x-www-form-urlencoded; charset=nonsense"),
    ],
    ids=["many fields", "no text encoding", "unknown encoding"],
)
def test_an_unreadable_form_is_not_our_failure(body, content_type, line, scripted) -> None:
    answer = Client().generic(
        "POST", f"/callbacks/{line.token}/incoming/", body, content_type=content_type
    )

    assert answer.status_code in (200, 400)


def test_a_callback_sent_in_chunks_is_read(line, scripted, monkeypatch) -> None:
    heard = []
    monkeypatch.setattr(scripted, "verify", lambda self, callback: heard.append(callback))

    answer = Client().post(
        f"/callbacks/{line.token}/incoming/",
        content_type="application/x-www-form-urlencoded",
        **{
            "wsgi.input": BytesIO(b"Body=Yes"),
            "wsgi.input_terminated": True,
            "HTTP_TRANSFER_ENCODING": "chunked",
            "CONTENT_LENGTH": "",
        },
    )

    assert answer.status_code == 200
    assert heard[0].form == {"Body": ["Yes"]}


def test_chunks_without_end_are_too_large(line, scripted) -> None:
    answer = Client().post(
        f"/callbacks/{line.token}/incoming/",
        content_type="text/plain",
        **{
            "wsgi.input": BytesIO(b"x" * (live_settings.CALLBACK_LIMIT + 1)),
            "wsgi.input_terminated": True,
            "HTTP_TRANSFER_ENCODING": "chunked",
            "CONTENT_LENGTH": "",
        },
    )

    assert answer.status_code == 413


# ---- Phones that go away -------------------------------------------------------------------------


@pytest.mark.database
def test_a_message_that_comes_back_to_a_deleted_phone_does_not_wait_for_ever(
    write, send, scripted, line
) -> None:
    (message,) = write()

    def answer(_: Any, sms: Any) -> Sent:
        try:
            services.delete(line)
        finally:
            connection.close()
        raise Temporary("Busy")

    scripted.script[message.peer] = [answer]

    send()
    sweeping.cancel_orphans()

    message.refresh_from_db()
    assert (message.status, message.reason) == (Status.CANCELLED, "phone_gone")
    assert message.ended_at is not None


@pytest.mark.database
def test_a_message_written_while_its_phone_is_deleted_does_not_wait_for_ever(write, line) -> None:
    services.delete(line)
    (message,) = write()

    sweeping.cancel_orphans()

    assert states(message) == [Status.CANCELLED]


def test_a_phone_whose_type_is_gone_pauses_and_says_so(write, send, scripted, line, alice, jobs):
    (message,) = write()
    Phone.objects.filter(pk=line.pk).update(type="vanished")
    registry.all_types()

    send()
    jobs()
    sweeping.wake_due()

    line.refresh_from_db()
    assert line.pause_reason == "misconfigured"
    assert "vanished" in line.pause_words
    assert states(message) == [Status.QUEUED]
    assert waiting() == 0


@pytest.fixture
def unreadable(line: Phone) -> None:
    """The phone's settings were encrypted with a key that is gone."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE phones_phone SET settings = 'gAAAAA' WHERE id = %s", [line.pk])


def test_unreadable_settings_leave_messages_waiting(write, send, line, unreadable) -> None:
    (message,) = write()

    with pytest.raises(Unreadable):
        send()

    assert states(message) == [Status.QUEUED]


def test_unreadable_settings_do_not_stop_the_tick(write, line, phone, workspace) -> None:
    (theirs,) = write(phone=phone)
    (ours,) = write(number(2))
    for one in (phone, line):
        sending.claim(one, uuid.uuid4(), 1)
    Message.objects.update(lease_until=timezone.now() - timedelta(seconds=1), provider_id="SM1")
    for one in (line, phone):
        Report.objects.create(phone=one, provider_id="SM1", state="delivered")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE phones_phone SET settings = 'gAAAAA' WHERE id = %s", [line.pk])

    ended = sweeping.end_leases()
    before = states(ours, theirs)
    matched = reporting.match_all_parked()

    assert (ended, before) == (2, [Status.UNKNOWN] * 2)
    assert (matched, states(ours, theirs)) == (2, [Status.DELIVERED] * 2)


# ---- Late news -----------------------------------------------------------------------------------


@pytest.mark.parametrize("cancelled", [False, True], ids=["queued", "cancelled"])
def test_a_late_success_is_believed_before_the_message_is_sent_again(
    cancelled, write, line, send, scripted
) -> None:
    line.resend_unknown = True
    line.save(update_fields=["resend_unknown"])
    (message,) = write()
    run = uuid.uuid4()
    (claimed,) = sending.claim(line, run, 1)
    Message.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    sweeping.end_leases()
    if cancelled:
        Message.objects.update(status=Status.CANCELLED)

    outcomes.record(run, line, [outcomes.Outcome(claimed, sent=Sent("late"))])
    Message.objects.update(not_before=timezone.now())
    send()

    assert states(message) == [Status.SENT]
    assert scripted.sent == []


@pytest.mark.parametrize(
    ("news", "after"), [(Delivery.SENT, Status.SENT), (Delivery.FAILED, Status.FAILED)]
)
def test_news_of_the_first_copy_keeps_a_second_one_from_leaving_by_itself(
    news, after, write, line, send, scripted
) -> None:
    line.resend_unknown = True
    line.save(update_fields=["resend_unknown"])
    (message,) = write()
    scripted.script[message.peer] = [OutcomeUnknown("Timed out")]
    send()
    before = states(message)

    apply(line, [StatusReport(news, "SM1", reference=str(message.pk))])
    Message.objects.update(not_before=timezone.now())
    send()

    assert (before, states(message)) == ([Status.QUEUED], [after])
    assert len(scripted.sent) == 1


@pytest.mark.database
@hypothesis_settings(
    max_examples=30 if connection.vendor == "sqlite" else 10,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    before=st.sampled_from([(Status.QUEUED, 0), (Status.QUEUED, 1), (Status.CANCELLED, 1)]),
    reports=st.lists(st.sampled_from(list(Delivery)), min_size=1, max_size=4),
    data=st.data(),
)
def test_any_order_of_late_news_ends_the_same(before, reports, data, write, line) -> None:
    (status, attempts), (message,) = before, write()
    again = data.draw(st.permutations(reports + data.draw(st.lists(st.sampled_from(reports)))))
    ends = []
    for order in (reports, again):
        Message.objects.filter(pk=message.pk).update(
            status=status, attempts=attempts, claimed_at=timezone.now(), provider_id="SM1"
        )
        for state in order:
            apply(line, [StatusReport(state, "SM1")])
        ends += states(message)
    Message.objects.all().delete()

    assert ends[0] == ends[1]


def test_what_a_person_sends_again_leaves_though_the_first_copy_failed(
    write, line, bob, send, scripted
) -> None:
    (message,) = write()
    scripted.script[message.peer] = [OutcomeUnknown("Timed out")]
    send()
    message.refresh_from_db()
    actions.resend(message, by=bob)

    apply(line, [StatusReport(Delivery.FAILED, "SM1", reference=str(message.pk))])
    send()

    assert len(scripted.sent) == 2
    assert states(message) == [Status.SENT]


def test_who_asks_for_no_more_messages_gets_none_that_wait(write, line, send, scripted) -> None:
    later = timezone.now() + timedelta(days=1)
    now, planned = write(number(1)), write(number(1), send_at=later)

    apply(line, [OptOutNotice(number(1), "STOP")])
    send()

    assert states(*now, *planned) == [Status.SKIPPED] * 2
    assert scripted.sent == []
    assert OptOut.objects.count() == 1


@pytest.mark.database
def test_a_type_of_media_that_is_too_long_is_cut(line, scripted, jobs) -> None:
    scripted.fetched = Fetched(b"\x89PNG\r\n\x1a\n", "image/" + "x" * 300)
    apply(line, [IncomingSms(number(1), "", "IN1", media=(IncomingMedia("https://x.test/1"),))])

    media.fetch(Media.objects.get().pk)

    assert Media.objects.get().file
