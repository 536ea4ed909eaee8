"""What is charged, what waits or is left out, what is given back, and what goes on later."""

from __future__ import annotations

import threading
import uuid
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import User, Workspace
from messaging import actions, forgetting, looking_up, sending
from messaging.composing import CannotSend
from messaging.models import Attempt, Message, Priority, QuietHours, Status
from messaging.quota import ledger, releasing
from messaging.quota.counting import QUOTA_USES
from messaging.quota.models import Quota, QuotaEntry, QuotaUse
from messaging.timeline import steps
from messaging.waiting import why_waiting
from phones.base import BadNumber, OutcomeUnknown, Reason
from phones.models import Phone
from tests.messaging.conftest import number

pytestmark = pytest.mark.django_db(transaction=True)
LONG = "x" * 200


@pytest.fixture
def give(workspace: Workspace) -> Any:
    """Give the workspace, or a person, a quota."""

    def give(amount: int, person: User | None = None, **rules: Any) -> Quota:
        rules = {"unit": "segments", "every": "month", **rules}
        return ledger.grant(workspace, person, None, amount=amount, **rules)

    return give


def left(quota: Quota) -> int:
    return ledger.standings([quota])[0].left


def waits(message: Message) -> bool:
    message.refresh_from_db()
    return message.held


def test_segments_are_charged_not_messages(write, give) -> None:
    quota = give(10)

    write(text=LONG)

    assert left(quota) == 8


@pytest.mark.database
def test_what_does_not_fit_waits_with_the_reason_and_shorter_ones_leave(write, give, send) -> None:
    give(3)
    long = write(number(1), number(2), text=LONG)
    (short,) = write(number(3))

    send()

    assert [m.status for m in Message.objects.order_by("pk")] == ["sent", "queued", "sent"]
    assert long[1].reason == Reason.QUOTA
    assert "Held until the quota has room" in [s.title for s in steps(long[1], long[1].trail.all())]
    assert short.pk


@pytest.mark.database
def test_what_waits_for_a_quota_is_not_what_others_wait_for(write, give) -> None:
    give(1)
    write(number(1), text=LONG)
    (short,) = write(number(1))

    said = why_waiting(short, timezone.now())

    assert (said.title, said.text) == ("Waits for its turn", "It is next.")


def test_the_carrier_of_what_waits_for_a_quota_is_not_asked_for(write, give, line) -> None:
    give(1)
    write(number(1), number(2))

    assert looking_up._numbers(line) == [number(1)]


def test_what_does_not_fit_is_left_out_where_that_was_chosen(write, give) -> None:
    quota = give(1, over="skip")

    kept, skipped = write(number(1), number(2))

    assert (kept.status, skipped.status, skipped.reason) == ("queued", "skipped", "quota")
    assert left(quota) == 0


def test_both_quotas_are_charged_and_the_tighter_one_decides(write, give, bob, dora) -> None:
    shared, own = give(10), give(1, bob)

    messages = write(number(1), number(2))

    assert [m.reason for m in messages] == ["", Reason.OWN_QUOTA]
    assert (left(shared), left(own)) == (9, 0)
    assert write(number(3), by=dora)[0].reason == ""


@pytest.mark.database
def test_what_is_cancelled_or_refused_is_given_back_and_what_waited_leaves(
    write, give, send, scripted, bob
) -> None:
    quota = give(2)
    first, second, third = write(number(1), number(2), number(3))
    scripted.script[second.peer] = [BadNumber("No such number")]
    actions.cancel(Message.objects.filter(pk=first.pk), by=bob)
    send()
    assert left(quota) == 2

    assert releasing.release() == 1
    send()

    third.refresh_from_db()
    assert (third.status, third.reason, left(quota)) == ("sent", "", 1)


def test_what_left_and_failed_later_stays_used(write, give, send) -> None:
    quota = give(5)
    write()
    send()

    Message.objects.update(status=Status.FAILED)

    assert left(quota) == 4


def test_what_is_sent_again_counts_twice(write, give, send, scripted, bob) -> None:
    quota = give(5)
    (message,) = write(text=LONG)
    scripted.script[message.peer] = [OutcomeUnknown("Hm")]
    send()
    message.refresh_from_db()

    assert actions.resend(message, by=bob)
    send()

    message.refresh_from_db()
    assert (message.status, left(quota)) == ("sent", 1)
    assert QuotaEntry.objects.get(kind="resent").amount == -2


def test_what_is_sent_again_and_refused_then_counts_once(write, give, send, scripted, bob) -> None:
    quota = give(5)
    (message,) = write()
    send()
    Message.objects.update(status=Status.UNKNOWN)
    scripted.script[message.peer] = [BadNumber("Gone")]
    message.refresh_from_db()

    actions.resend(message, by=bob)
    send()

    assert left(quota) == 4


def test_nothing_is_sent_again_over_a_quota_that_leaves_out(write, give, bob) -> None:
    give(1, over="skip")
    (message,) = write()
    Message.objects.update(status=Status.UNKNOWN)
    message.refresh_from_db()

    with pytest.raises(CannotSend, match="quota"):
        actions.resend(message, by=bob)

    assert not QuotaEntry.objects.filter(kind="resent").exists()


def test_what_waits_goes_on_waiting_where_somebody_moves_it(write, give, bob, line) -> None:
    give(0)
    (message,) = write()
    other = Phone.objects.create(
        workspace=line.workspace, type="scripted", name="Other", settings={}, rate=1
    )

    assert actions.move(message, other, by=bob)

    assert waits(message)
    assert (message.phone, message.reason) == (other, Reason.QUOTA)


@pytest.mark.database
def test_the_most_urgent_goes_first_then_the_oldest(write, give) -> None:
    quota = give(0)
    (old,), (young,) = write(number(1)), write(number(2))
    (urgent,) = write(number(3), priority=Priority.URGENT)

    ledger.credit(quota, 2, "Fair", None)
    releasing.release()

    assert [waits(m) for m in (old, young, urgent)] == [False, True, False]


def test_new_messages_do_not_overtake_what_waits(write, give) -> None:
    quota = give(0)
    write(number(1))
    ledger.credit(quota, 1, "Fair", None)

    (fresh,) = write(number(2))
    releasing.release()

    assert [m.held for m in Message.objects.order_by("pk")] == [False, True]
    assert fresh.held


def test_somebody_without_room_is_in_nobodys_way(write, give, bob, dora) -> None:
    shared, _own = give(0), give(0, bob)
    (stuck,) = write(number(1))
    (other,) = write(number(2), by=dora)
    assert stuck.reason == Reason.QUOTA

    ledger.credit(shared, 5, "Fair", None)
    releasing.release()
    releasing.release()

    assert (waits(stuck), waits(other)) == (True, False)
    assert stuck.reason == Reason.OWN_QUOTA
    assert write(number(3), by=dora)[0].reason == ""


def test_without_its_quota_what_waits_leaves_uncharged(write, give, send) -> None:
    quota = give(0)
    (message,) = write()

    ledger.remove(quota)
    releasing.release()
    send()

    message.refresh_from_db()
    assert (message.status, message.quota_period) == ("sent", None)


@pytest.mark.database
def test_what_a_renewal_lets_go_at_night_waits_for_the_morning(
    write, give, line, workspace
) -> None:
    quota = give(1)
    QuietHours.objects.create(
        workspace=workspace, country="", begins=time(21), ends=time(8), days=list(range(7))
    )
    paris = ZoneInfo("Europe/Paris")
    with time_machine.travel(datetime(2026, 11, 20, 15, tzinfo=paris), tick=False) as clock:
        write(number(9))
        (normal,) = write(number(1))
        (urgent,) = write(number(2), priority=Priority.URGENT)
        clock.move_to(datetime(2026, 12, 1, 0, 0, 5, tzinfo=paris))
        sending.claim(line, uuid.uuid4(), 5)  # quiet hours are looked at once a minute
        ledger.credit(quota, 5, "Fair", None)

        releasing.release()

        normal.refresh_from_db()
        assert list(sending.due(line)) == [urgent]
        morning = datetime(2026, 12, 1, 8, tzinfo=paris)
        assert (normal.send_at, normal.not_before) == (morning, morning)
        assert normal.trail.filter(kind=Attempt.Kind.QUIET, next_at=morning).exists()


def test_without_a_quota_writing_asks_for_one_once(write) -> None:
    with CaptureQueriesContext(
        connection,
    ) as asked:
        write(*map(number, range(5)))

    about_quotas = [q for q in asked.captured_queries if "messaging_quota" in q["sql"]]
    assert len([q for q in about_quotas if q["sql"].startswith("SELECT")]) == 1


def test_a_waiting_message_can_be_cancelled_and_costs_nothing(write, give, bob) -> None:
    quota = give(0)
    (message,) = write()

    assert actions.cancel(Message.objects.filter(pk=message.pk), by=bob) == 1

    assert left(quota) == 0
    assert releasing.release() == 0
    assert Attempt.objects.filter(message=message, kind="cancelled").exists()
    message.refresh_from_db()
    assert (message.status, message.reason) == ("cancelled", "")


@pytest.mark.database
def test_a_workspace_goes_with_its_quotas(write, give, workspace, bob) -> None:
    give(5), give(5, bob)
    write()

    with transaction.atomic():
        Message.objects.all().delete()
        Phone.objects.all().delete()
        workspace.delete()

    assert not Quota.objects.exists()
    assert not QuotaUse.objects.exists()


@pytest.mark.database
def test_what_somebody_wrote_who_is_gone_goes_on(write, give, send, bob) -> None:
    shared, _own = give(5), give(5, bob)
    write()

    bob.delete()
    send()

    assert Message.objects.get().status == Status.SENT
    assert left(shared) == 4


@pytest.mark.database
def test_those_who_write_at_once_never_pass_a_quota_together(write, give, line, bob) -> None:
    quota = give(7, over="skip")
    problems: list[BaseException] = []

    def work(place: int) -> None:
        try:
            for turn in range(4):
                write(number(place * 10 + turn), submission=uuid.uuid4())
        except BaseException as error:
            problems.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=[place]) for place in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert problems == []
    assert Message.objects.filter(status=Status.QUEUED).count() == 7
    assert Message.objects.filter(status=Status.SKIPPED, reason=Reason.QUOTA).count() == 9
    assert left(quota) == 0


@pytest.mark.database
def test_those_who_come_at_once_after_its_end_renew_a_quota_once(write, give, line, bob) -> None:
    quota = give(5)
    over = timezone.now() - timedelta(days=1)
    quota.periods.update(starts_at=over - timedelta(days=40), ends_at=over)

    def work(place: int) -> None:
        try:
            write(number(place))
            ledger.renew_due()
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=[place]) for place in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert quota.periods.count() == 2
    assert QuotaEntry.objects.filter(kind="granted").count() == 2
    assert left(quota) == 1


@pytest.mark.database
def test_what_is_kept_no_more_stays_used(write, give, send, bob) -> None:
    shared, own = give(10), give(5, bob)
    messages = write(number(1), number(2), text=LONG)
    send()

    forgetting.delete([messages[0].pk])

    assert (left(shared), left(own)) == (6, 1)
    assert QUOTA_USES.differing() == []
