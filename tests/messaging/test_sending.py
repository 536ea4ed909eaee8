"""Claim, hand over, record: no message lost, none sent twice, every end explained."""

from __future__ import annotations

import threading
import uuid
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.core import mail
from django.db import OperationalError, connection
from django.utils import timezone
from redis.exceptions import ConnectionError as RedisGone

import lib.jobs
from contacts.models import OptOut
from lib.http import NoAnswer, NotSent, Trace
from lib.jobs import SEND, redis, waiting
from messaging import actions, outcomes, sending, sweeping
from messaging.models import Attempt, Message, Priority, Status
from messaging.receiving import apply
from phones import limits
from phones.base import (
    BadAnswer,
    BadNumber,
    Delivery,
    Misconfigured,
    NoCredit,
    OptedOut,
    OutcomeUnknown,
    Reason,
    Rejected,
    Sent,
    StatusReport,
    Temporary,
    Throttled,
)
from phones.models import Exchange
from tests.messaging.conftest import number, states

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_message_is_sent_and_keeps_what_the_provider_said(write, send, scripted) -> None:
    (message,) = write()
    scripted.script[message.peer] = [Sent("SM1", segments=2, cost=49_000, currency="EUR")]

    send()

    message.refresh_from_db()
    assert message.status == Status.SENT
    assert (message.provider_id, message.segments) == ("SM1", 2)
    assert (message.cost, message.currency) == (49_000, "EUR")
    assert message.sent_at is not None


def test_a_message_that_waited_for_days_is_tried_all_the_same(write, send, scripted) -> None:
    (message,) = write()
    scripted.script[message.peer] = [Temporary("Busy")]
    Message.objects.update(send_at=timezone.now() - timedelta(days=3))

    send()

    assert states(message) == [Status.QUEUED]


def test_the_tries_of_a_message_last_about_a_day() -> None:
    waits = [outcomes.BACKOFF[min(i, len(outcomes.BACKOFF) - 1)] for i in range(outcomes.TRIES - 1)]

    assert 20 <= sum(waits) / 3600 <= 28


@pytest.mark.database
def test_many_messages_leave_together_and_each_once(write, send, scripted) -> None:
    messages = write(*[number(i) for i in range(100)])
    scripted.seconds = 0.01

    send()

    assert set(states(*messages)) == {Status.SENT}
    assert sorted(sms.to for sms in scripted.sent) == [number(i) for i in range(100)]
    assert 4 < scripted.most_flying <= 16


@pytest.mark.parametrize(
    ("error", "status", "reason"),
    [
        (Rejected("Too long", "21617"), Status.FAILED, Reason.REJECTED),
        (BadNumber("No mobile", "21614"), Status.FAILED, Reason.BAD_NUMBER),
        (OptedOut("STOP", "21610"), Status.FAILED, Reason.OPTED_OUT),
        (OutcomeUnknown("Timed out"), Status.UNKNOWN, Reason.NO_ANSWER),
        (BadAnswer("What?"), Status.UNKNOWN, Reason.NO_ANSWER),
        (NoAnswer("Read timed out"), Status.UNKNOWN, Reason.NO_ANSWER),
        (ZeroDivisionError(), Status.UNKNOWN, Reason.NO_ANSWER),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_an_end_is_kept_with_its_reason(error, status, reason, write, send, scripted) -> None:
    (message,) = write()
    scripted.script[message.peer] = [error]

    send()
    send()

    message.refresh_from_db()
    assert (message.status, message.reason) == (status, reason)
    assert message.words
    assert message.ended_at is not None
    assert len(scripted.sent) == 1


@pytest.mark.parametrize(
    "error", [Temporary("Busy", "503"), NotSent("Refused")], ids=["temporary", "not sent"]
)
def test_what_was_not_accepted_is_tried_again_later(error, write, send, scripted) -> None:
    (message,) = write()
    scripted.script[message.peer] = [error]

    send()

    message.refresh_from_db()
    attempt = Attempt.objects.get(message=message)
    assert message.status == Status.QUEUED
    assert message.attempts == 1
    assert message.not_before > timezone.now() + timedelta(seconds=5)
    assert attempt.next_at == message.not_before
    assert attempt.kind == Attempt.Kind.TEMPORARY

    Message.objects.update(not_before=timezone.now())
    limits.release(message.phone)
    send()

    assert states(message) == [Status.SENT]


def test_after_a_day_of_trying_it_gives_up(write, send, scripted) -> None:
    (message,) = write()
    scripted.script[message.peer] = [Temporary("Busy")]
    Message.objects.update(attempts=outcomes.TRIES - 1)

    send()

    message.refresh_from_db()
    assert (message.status, message.reason) == (Status.FAILED, Reason.GAVE_UP)


def test_a_throttle_slows_the_phone_and_is_no_attempt(write, send, scripted, line) -> None:
    (message,) = write()
    scripted.script[message.peer] = [Throttled("Slow down", "429", retry_after=30)]

    send()

    message.refresh_from_db()
    pace = limits.pace(line)
    assert (message.status, message.attempts) == (Status.QUEUED, 0)
    assert pace.factor == 0.5
    assert 25 < pace.held <= 30
    assert pace.why == "Slow down"

    write(number(2))
    send()

    assert len(scripted.sent) == 1


def test_an_unreachable_provider_rests_the_phone_longer_each_time(
    write, send, scripted, line
) -> None:
    (message,) = write()
    scripted.script[message.peer] = [NotSent("Refused"), NotSent("Refused")]

    send()
    first = limits.pace(line).held
    limits.hold(line, words="", seconds=0.001)
    Message.objects.update(not_before=timezone.now())
    threading.Event().wait(0.01)
    send()

    assert 0 < first <= 2
    assert 2 < limits.pace(line).held <= 4


@pytest.mark.parametrize(
    ("error", "reason"),
    [(Misconfigured("Bad token", "20003"), "misconfigured"), (NoCredit("Empty"), "no_credit")],
)
def test_a_refused_account_pauses_the_phone_and_loses_nothing(
    error, reason, write, send, scripted, line, alice, jobs
) -> None:
    messages = write(number(1), number(2))
    scripted.script[number(1)] = [error]
    scripted.script[number(2)] = [error]

    send()
    jobs()

    line.refresh_from_db()
    assert states(*messages) == [Status.QUEUED, Status.QUEUED]
    assert line.pause_reason == reason
    assert error.words in line.pause_words
    assert [mail.to for mail in mail.outbox] == [["alice@example.org"]]
    assert error.words in mail.outbox[0].body


def test_an_opt_out_told_by_the_provider_is_remembered(write, send, scripted, workspace) -> None:
    (message,) = write()
    scripted.script[message.peer] = [OptedOut("Unsubscribed", "21610")]

    send()
    (later,) = write()

    assert OptOut.objects.get(workspace=workspace).number == message.peer
    assert (later.status, later.reason) == (Status.SKIPPED, Reason.OPTED_OUT)


def test_nothing_leaves_before_its_time(write, send, scripted) -> None:
    (message,) = write(send_at=timezone.now() + timedelta(minutes=1))

    send()

    assert scripted.sent == []
    assert states(message) == [Status.QUEUED]


def test_nothing_leaves_through_a_paused_phone(write, send, scripted, line) -> None:
    write()
    line.paused_at = timezone.now()
    line.save(update_fields=["paused_at"])

    send()

    assert scripted.sent == []


@pytest.mark.database
def test_urgent_goes_before_normal_and_normal_before_bulk(write, send, scripted, settings) -> None:
    settings.SENDING_CONCURRENCY = 1
    write(number(1), priority=Priority.BULK)
    write(number(2))
    write(number(3), priority=Priority.URGENT)

    send()

    assert [sms.to for sms in scripted.sent] == [number(3), number(2), number(1)]


@pytest.mark.database
def test_one_person_reads_messages_in_the_order_they_were_written(write, send, scripted) -> None:
    for text in "abcde":
        write(text=text)
    scripted.seconds = 0.005

    send()

    assert "".join(sms.text for sms in scripted.sent) == "abcde"


@pytest.mark.database
def test_a_later_message_waits_while_an_earlier_one_is_retried(write, send, scripted) -> None:
    (first,) = write(text="a")
    (second,) = write(text="b")
    scripted.script[first.peer] = [Temporary("Busy")]

    send()

    assert states(first, second) == [Status.QUEUED, Status.QUEUED]
    assert [sms.text for sms in scripted.sent] == ["a"]


@pytest.mark.database
def test_two_runs_never_take_the_same_message(write, line) -> None:
    write(*[number(i) for i in range(40)])
    taken: list[int] = []

    def take() -> None:
        try:
            for _ in range(10):
                taken.extend(m.pk for m in sending.claim(line, uuid.uuid4(), 4))
        finally:
            connection.close()

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(taken) == len(set(taken)) == 40


@pytest.mark.database
def test_a_worker_that_died_leaves_unknown_messages_that_are_not_sent_again(
    write, send, scripted, line
) -> None:
    (message,) = write()
    sending.claim(line, uuid.uuid4(), 10)

    send()
    sweeping.end_leases()
    before = states(message)
    Message.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    sweeping.end_leases()
    send()

    message.refresh_from_db()
    assert before == [Status.SENDING]
    assert (message.status, message.reason) == (Status.UNKNOWN, Reason.WORKER_LOST)
    assert Attempt.objects.get(message=message).kind == Attempt.Kind.UNKNOWN
    assert scripted.sent == []


def test_a_phone_may_send_unknown_messages_again_but_not_for_ever(
    write, send, scripted, line
) -> None:
    line.resend_unknown = True
    line.save(update_fields=["resend_unknown"])
    (message,) = write()
    scripted.script[message.peer] = [OutcomeUnknown("Timed out")] * 5

    for _ in range(5):
        send()
        Message.objects.update(not_before=timezone.now())

    assert len(scripted.sent) == 1 + outcomes.RESENDS
    assert states(message) == [Status.UNKNOWN]


@pytest.mark.database
def test_a_result_that_comes_after_the_lease_ended_still_counts(write, line, scripted) -> None:
    (message,) = write()
    run = uuid.uuid4()
    (claimed,) = sending.claim(line, run, 1)
    Message.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    sweeping.end_leases()

    outcomes.record(run, line, [outcomes.Outcome(claimed, sent=Sent("late"))])

    message.refresh_from_db()
    assert (message.status, message.provider_id) == (Status.SENT, "late")


@pytest.mark.database
def test_a_machine_that_stood_still_does_not_send_what_was_given_up(
    write, send, scripted, line, monkeypatch
) -> None:
    (message,) = write()
    take = sending.claim

    def stand_still(*given: Any, **more: Any) -> list[outcomes.Claimed]:
        """Claim, and wake only after others have ended the lease."""
        claimed = take(*given, **more)
        if not claimed:
            return claimed
        clock.shift(timedelta(seconds=100))
        sweeping.end_leases()
        assert states(message) == [Status.UNKNOWN]
        return claimed

    with time_machine.travel(timezone.now()) as clock:
        with monkeypatch.context() as patched:
            patched.setattr(sending, "claim", stand_still)
            send()

        assert scripted.sent == []
        assert states(message) == [Status.QUEUED]  # nothing has left, and that is known for sure
        Message.objects.update(not_before=timezone.now())
        send()

    assert states(message) == [Status.SENT]
    assert len(scripted.sent) == 1


@pytest.mark.database
def test_a_machine_that_stood_still_leaves_alone_what_a_person_sent_again(
    write, send, scripted, line, alice, monkeypatch
) -> None:
    (message,) = write()
    take = sending.claim

    def stand_still(*given: Any, **more: Any) -> list[outcomes.Claimed]:
        claimed = take(*given, **more)
        if not claimed:
            return claimed
        clock.shift(timedelta(seconds=100))
        sweeping.end_leases()
        message.refresh_from_db()
        assert actions.resend(message, by=alice)
        assert len(take(line, uuid.uuid4(), 1)) == 1
        return claimed

    with time_machine.travel(timezone.now()) as clock, monkeypatch.context() as patched:
        patched.setattr(sending, "claim", stand_still)
        send()

    assert scripted.sent == []
    assert states(message) == [Status.SENDING]


@pytest.mark.database
def test_a_result_of_an_old_claim_does_not_touch_the_new_one(write, line) -> None:
    (message,) = write()
    old, new = uuid.uuid4(), uuid.uuid4()
    (claimed,) = sending.claim(line, old, 1)
    Message.objects.update(status=Status.QUEUED)
    sending.claim(line, new, 1)

    outcomes.record(old, line, [outcomes.Outcome(claimed, error=Rejected("No"))])

    message.refresh_from_db()
    assert (message.status, message.claim) == (Status.SENDING, new)


@pytest.mark.database
def test_a_callback_that_overtakes_the_answer_is_not_undone(write, send, scripted, line) -> None:
    (message,) = write()

    def answer(_: Any, sms: Any) -> Sent:
        try:
            apply(line, [StatusReport(Delivery.DELIVERED, "SM9", reference=sms.reference)])
        finally:
            connection.close()
        return Sent("SM9", segments=3)

    scripted.script[message.peer] = [answer]

    send()

    message.refresh_from_db()
    assert message.status == Status.DELIVERED
    assert (message.provider_id, message.segments) == ("SM9", 3)


def test_a_callback_without_reference_that_overtakes_the_answer_is_kept(
    write, send, scripted, line
) -> None:
    (message,) = write()
    scripted.script[message.peer] = [Sent("SM7")]
    apply(line, [StatusReport(Delivery.DELIVERED, "SM7")])

    send()

    assert states(message) == [Status.DELIVERED]


def test_recording_insists_while_the_database_is_away(write, send, scripted, monkeypatch) -> None:
    (message,) = write()
    real, failures = outcomes.write, [OperationalError("locked"), OperationalError("locked")]

    def record(*arguments: Any) -> None:
        if failures:
            raise failures.pop()
        real(*arguments)

    monkeypatch.setattr(outcomes, "write", record)

    send()

    assert states(message) == [Status.SENT]
    assert len(scripted.sent) == 1


def test_what_flies_is_recorded_when_the_queue_server_dies(
    write, send, scripted, monkeypatch
) -> None:
    messages = write(*[number(i) for i in range(40)])
    scripted.seconds = 0.01
    real, calls = limits.pace, []

    def pace(phone: Any) -> Any:
        calls.append(1)
        if len(calls) > 1:
            raise RedisGone("gone")
        return real(phone)

    monkeypatch.setattr(limits, "pace", pace)

    send()

    assert sorted(set(states(*messages))) == [Status.QUEUED, Status.SENT]
    assert states(*messages).count(Status.SENT) == len(scripted.sent) == 16


def test_the_rate_of_the_phone_is_kept(write, jobs, scripted, line) -> None:
    line.rate = 20
    line.save(update_fields=["rate"])
    write(*[number(i) for i in range(30)])
    started = timezone.now()

    jobs()

    # 20 leave at once (a second's worth), the other 10 in half a second at least.
    assert len(scripted.sent) == 30
    assert timezone.now() - started > timedelta(seconds=0.4)


def test_every_exchange_is_kept_with_its_message(write, send, scripted, line) -> None:
    (message,) = write()

    def answer(kind: Any, sms: Any) -> Sent:
        kind.http._record(Trace("POST", "https://x.test/", "sent", "received", 201, 5))
        return Sent("SM1")

    scripted.script[message.peer] = [answer]

    send()

    exchange = Exchange.objects.get(phone=line)
    assert (exchange.message, exchange.status) == (message.pk, 201)


def test_a_wake_up_that_was_lost_is_found_by_the_tick(write, scripted, jobs) -> None:
    (message,) = write()
    redis(SEND).flushall()

    sweeping.wake_due()
    jobs()

    assert states(message) == [Status.SENT]


def test_many_wake_ups_make_one_job(write) -> None:
    for index in range(20):
        write(number(index))

    assert waiting(SEND) == 1


def test_a_page_saves_the_message_even_when_the_queue_server_is_down(
    write, send, scripted, monkeypatch
) -> None:
    def gone(*_: Any) -> Any:
        raise RedisGone("gone")

    with monkeypatch.context() as patch:
        patch.setattr(lib.jobs, "redis", gone)
        (message,) = write()

    send()

    assert states(message) == [Status.SENT]


@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL plans by what is in it.")
def test_what_is_due_is_found_without_looking_through_history(line) -> None:
    plan = sending.due(line).explain()

    assert "USING INDEX message_due" in plan
    assert "USING INDEX message_order (phone_id=? AND peer=? AND id<?)" in plan


def test_a_failure_to_match_reports_leaves_the_results_of_a_run_alone(
    write, send, scripted, monkeypatch
) -> None:
    def away(*_: Any, **__: Any) -> Any:
        raise OperationalError("The database went away.")

    monkeypatch.setattr(outcomes.reporting, "match_parked", away)
    messages = write(*(number(index) for index in range(20)))

    send()

    assert states(*messages) == [Status.SENT] * 20
