"""Unknown carriers are looked up before a message leaves: once, remembered, and never guessed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.db import connection
from django.test import Client
from django.utils import timezone

from accounts.models import Workspace
from contacts.carriers import remember
from contacts.models import NumberCarrier
from lib.http import NoAnswer, NotSent
from messaging import looking_up
from messaging.models import Attempt, LookUp, Message, Status
from messaging.timeline import steps
from messaging.waiting import why_waiting
from phones import services
from phones.base import (
    BadAnswer,
    BadNumber,
    Line,
    LookedUp,
    Misconfigured,
    NoCredit,
    Reason,
    Rejected,
    Temporary,
    Throttled,
)
from phones.models import Exchange, PauseReason, Phone
from tests.messaging.conftest import number, states

pytestmark = pytest.mark.django_db

ORANGE = LookedUp("Orange France", Line.MOBILE, "FR", "208-01")


@pytest.fixture
def asker(workspace: Workspace, scripted: Any) -> Phone:
    """The phone that is asked whose number it is."""
    return Phone.objects.create(workspace=workspace, type="scripted", name="Desk", settings={})


@pytest.fixture
def gateway(line: Phone, asker: Phone, scripted: Any, monkeypatch: pytest.MonkeyPatch) -> Phone:
    """A phone whose messages go by the carrier, which it has looked up."""
    monkeypatch.setattr(scripted, "wants_carrier", True)
    line.look_up_by = asker
    line.save(update_fields=["look_up_by"])
    return line


@pytest.fixture
def turn(gateway: Phone, send: Callable[[], None]) -> Callable[[], None]:
    """Let everything happen that can: send what can leave, look up, send again."""

    def turn() -> None:
        send()
        looking_up.look_up(gateway.pk)
        send()

    return turn


def why(message: Message) -> str:
    step = why_waiting(Message.objects.get(pk=message.pk), timezone.now())
    return f"{step.title} {step.text} {step.quote}"


def told(message: Message) -> list[str]:
    message.refresh_from_db()
    return [f"{step.title} {step.text} {step.quote}" for step in steps(message, trail_of(message))]


def trail_of(message: Message) -> list[Any]:
    return list(message.trail.select_related("phone", "by").order_by("pk"))


def again() -> None:
    """Let the time come at which a failed look-up is tried again."""
    LookUp.objects.update(again_at=timezone.now() - timedelta(seconds=1))


# ---- What is found ------------------------------------------------------------------------------


def test_a_message_leaves_with_the_carrier_that_was_looked_up(
    scripted: Any, write: Any, turn: Any
) -> None:
    scripted.look_ups = [ORANGE]
    (message,) = write()

    turn()

    assert [sms.carrier for sms in scripted.sent] == ["fr-orange"]
    assert any("Carrier looked up: Orange France By Desk." in step for step in told(message))


def test_it_waits_and_says_for_what(gateway: Phone, write: Any, send: Any, scripted: Any) -> None:
    (message,) = write()

    send()

    assert states(message) == [Status.QUEUED]
    assert scripted.sent == []
    assert "Desk is asked whose number it is" in why(message)


@pytest.mark.django_db(transaction=True)
def test_the_tick_finds_what_waits(gateway: Phone, write: Any, jobs: Any, scripted: Any) -> None:
    scripted.look_ups = [ORANGE]
    write()

    assert looking_up.wake_due() == 1
    jobs()
    jobs()

    assert [sms.carrier for sms in scripted.sent] == ["fr-orange"]
    assert looking_up.wake_due() == 0


def test_what_was_found_is_remembered_with_who_said_it(
    scripted: Any, write: Any, turn: Any, as_alice: Client
) -> None:
    scripted.look_ups = [ORANGE]
    write()

    turn()

    row = NumberCarrier.objects.get()
    assert (row.carrier, row.source, row.by) == ("fr-orange", "look_up", "Desk")
    assert (row.said, row.line, row.country, row.network) == (
        "Orange France",
        "mobile",
        "FR",
        "208-01",
    )
    assert "looked up through Desk" in as_alice.get("/carriers/").content.decode()


@pytest.mark.parametrize("carrier", ["Orange France", ""])
def test_a_message_to_a_landline_fails_and_says_so(
    carrier: str, scripted: Any, write: Any, turn: Any, as_alice: Client
) -> None:
    scripted.look_ups = [LookedUp(carrier, Line.LANDLINE)]
    (message,) = write()

    turn()

    message.refresh_from_db()
    assert (message.status, message.reason) == (Status.FAILED, Reason.BAD_NUMBER)
    assert message.words == "Desk says that this is a landline."
    assert "a landline" in as_alice.get("/carriers/").content.decode()
    assert scripted.sent == []


def test_a_message_to_a_number_that_is_none_fails(scripted: Any, write: Any, turn: Any) -> None:
    scripted.look_ups = [BadNumber("No such number.")]
    (message,) = write()

    turn()

    message.refresh_from_db()
    assert (message.reason, message.words) == (Reason.BAD_NUMBER, "No such number.")


def test_a_carrier_without_a_gateway_fails_and_says_what_to_do(
    scripted: Any, write: Any, turn: Any, as_alice: Client
) -> None:
    (message,) = write()

    turn()

    message.refresh_from_db()
    assert message.status == Status.FAILED
    assert "“Elsewhere”" in message.words
    assert "Carriers of numbers" in message.words
    assert "Elsewhere: no gateway is known" in as_alice.get("/carriers/").content.decode()


def test_a_gateway_written_down_later_is_found_without_paying_again(
    scripted: Any, write: Any, turn: Any, gateway: Phone
) -> None:
    write()
    turn()
    gateway.settings = {"any": "fr-elsewhere"}
    gateway.save(update_fields=["settings"])
    write()

    turn()

    assert [sms.carrier for sms in scripted.sent] == ["fr-elsewhere"]
    assert len(scripted.looked_up) == 1


# ---- Money --------------------------------------------------------------------------------------


def test_a_number_is_looked_up_once_however_many_messages_it_gets(
    scripted: Any, write: Any, turn: Any
) -> None:
    scripted.look_ups = [ORANGE]
    write()
    write()

    turn()
    write()
    turn()

    assert scripted.looked_up == [number(1)]
    assert len(scripted.sent) == 3


def test_of_two_workers_one_asks(scripted: Any, write: Any, gateway: Phone, send: Any) -> None:
    def second_worker() -> LookedUp:
        looking_up.look_up(gateway.pk)
        return ORANGE

    scripted.look_ups = [second_worker]
    write()

    looking_up.look_up(gateway.pk)

    assert scripted.looked_up == [number(1)]


def test_who_looked_before_the_other_had_stored_does_not_pay_after(
    scripted: Any, write: Any, gateway: Phone
) -> None:
    write()
    late = looking_up._pair(gateway.pk)
    assert late
    scripted.look_ups = [ORANGE]
    looking_up.look_up(gateway.pk)

    assert looking_up._begin(late, number(1)) is False
    assert not LookUp.objects.exists()


def test_two_phones_pay_for_a_number_once(
    scripted: Any, write: Any, turn: Any, gateway: Phone, asker: Phone
) -> None:
    other = Phone.objects.create(
        workspace=gateway.workspace, type="scripted", name="Other", settings={}, look_up_by=asker
    )
    write()
    write(phone=other)

    turn()
    looking_up.look_up(other.pk)

    assert scripted.looked_up == [number(1)]


@pytest.mark.parametrize("answer", [NoAnswer("gone"), BadAnswer("What?"), ZeroDivisionError()])
def test_an_answer_that_may_have_cost_money_is_not_asked_for_again(
    answer: Exception, scripted: Any, write: Any, turn: Any
) -> None:
    scripted.look_ups = [answer]
    (message,) = write()

    turn()
    write()
    turn()

    assert scripted.looked_up == [number(1)]
    assert states(message) == [Status.FAILED]
    assert any("Desk could not tell its carrier" in step for step in told(message))


def test_removing_a_number_has_it_looked_up_again(
    scripted: Any, write: Any, turn: Any, as_alice: Client
) -> None:
    scripted.look_ups = [NoAnswer("gone"), ORANGE]
    write()
    turn()

    as_alice.post(f"/carriers/{NumberCarrier.objects.get().pk}/remove/")
    (message,) = write()
    turn()

    assert states(message) == [Status.SENT]


def test_a_worker_that_died_while_asking_costs_one_look_up(
    scripted: Any, write: Any, turn: Any, gateway: Phone, asker: Phone
) -> None:
    (message,) = write()
    LookUp.objects.create(
        workspace=gateway.workspace,
        number=number(1),
        phone=asker,
        asked_at=timezone.now() - timedelta(hours=1),
    )

    assert looking_up.wake_due() == 1
    turn()

    assert scripted.looked_up == []
    assert states(message) == [Status.FAILED]


def test_answers_that_are_of_no_use_stop_the_phone_before_they_cost_much(
    scripted: Any, write: Any, turn: Any, gateway: Phone
) -> None:
    scripted.look_ups = [BadAnswer("What?")] * 9
    write(*(number(index) for index in range(9)))

    turn()

    gateway.refresh_from_db()
    assert gateway.is_paused
    assert len(scripted.looked_up) == 3


def test_what_a_person_wrote_down_is_never_looked_up(
    scripted: Any, write: Any, turn: Any, workspace: Workspace
) -> None:
    remember(workspace, {number(1): "fr-sfr"}, NumberCarrier.Source.PERSON)
    write()

    turn()

    assert scripted.looked_up == []
    assert [sms.carrier for sms in scripted.sent] == ["fr-sfr"]


def test_what_a_person_wrote_down_meanwhile_is_better_than_the_answer(
    scripted: Any, write: Any, turn: Any, workspace: Workspace
) -> None:
    def meanwhile() -> LookedUp:
        remember(workspace, {number(1): "fr-sfr"}, NumberCarrier.Source.PERSON)
        return ORANGE

    scripted.look_ups = [meanwhile]
    write()

    turn()

    assert [sms.carrier for sms in scripted.sent] == ["fr-sfr"]


@pytest.mark.parametrize("change", ["paused", "planned", "by pattern"])
def test_what_cannot_leave_is_not_looked_up(
    change: str,
    scripted: Any,
    write: Any,
    gateway: Phone,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write()
    if change == "paused":
        services.pause(gateway, reason=PauseReason.PERSON)
    elif change == "planned":
        Message.objects.update(not_before=timezone.now() + timedelta(hours=1))
    else:
        monkeypatch.setattr(scripted, "wants_carrier", False)

    looking_up.look_up(gateway.pk)

    assert scripted.looked_up == []


# ---- Trouble ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "trouble", [NotSent("No way there."), Temporary("Later."), Throttled("Slower.")]
)
def test_while_nobody_can_answer_the_message_waits_and_says_why(
    trouble: Exception, scripted: Any, write: Any, turn: Any
) -> None:
    scripted.look_ups = [trouble, ORANGE]
    (message,) = write()

    turn()
    turn()

    assert states(message) == [Status.QUEUED]
    assert len(scripted.looked_up) == 1
    assert "could not be looked up" in why(message)
    assert str(trouble) in why(message)
    again()
    turn()
    assert states(message) == [Status.SENT]


def test_trouble_with_one_number_spares_the_next_ones_the_asking(
    scripted: Any, write: Any, turn: Any
) -> None:
    scripted.look_ups = [Throttled("Slower.", retry_after=60)]
    write(number(1), number(2), number(3))

    turn()
    turn()

    assert scripted.looked_up == [number(1)]


def test_one_number_that_always_fails_holds_up_no_others(
    scripted: Any, write: Any, turn: Any
) -> None:
    scripted.look_ups = [Temporary("Later.")] * 3
    write(number(1))
    for _ in range(3):
        turn()
        again()
    LookUp.objects.update(again_at=timezone.now() + timedelta(hours=1))
    scripted.look_ups = [ORANGE]
    (other,) = write(number(2))

    turn()

    assert states(other) == [Status.SENT]


def test_a_look_up_that_never_works_ends_with_its_words(
    scripted: Any, write: Any, turn: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looking_up, "TRIES", 1)
    scripted.look_ups = [Temporary("Closed today")]
    (message,) = write()

    turn()

    message.refresh_from_db()
    assert message.status == Status.FAILED
    assert "Closed today. Choose it in" in message.words


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("refusal", "reason"),
    [
        (Misconfigured("Who are you?"), PauseReason.MISCONFIGURED),
        (NoCredit("Empty."), PauseReason.NO_CREDIT),
    ],
)
def test_an_account_that_is_refused_pauses_the_gateway_and_not_the_one_asked(
    refusal: Exception,
    reason: str,
    scripted: Any,
    write: Any,
    turn: Any,
    jobs: Any,
    gateway: Phone,
    asker: Phone,
    alice: Any,
) -> None:
    scripted.look_ups = [refusal, ORANGE]
    (message,) = write()

    turn()
    jobs()

    gateway.refresh_from_db()
    asker.refresh_from_db()
    assert (gateway.pause_reason, asker.is_paused) == (reason, False)
    assert f"through Desk: {refusal}" in gateway.pause_words
    assert "through Desk" in mail.outbox[0].body
    assert states(message) == [Status.QUEUED]
    services.start(gateway)
    turn()
    assert states(message) == [Status.SENT]


def test_while_the_one_to_ask_is_paused_messages_wait_and_say_so(
    scripted: Any, write: Any, turn: Any, asker: Phone
) -> None:
    services.pause(asker, reason=PauseReason.PERSON)
    (message,) = write()

    turn()

    assert scripted.looked_up == []
    assert states(message) == [Status.QUEUED]
    assert "Desk is paused" in why(message)


def test_without_anybody_to_ask_it_is_as_before(
    scripted: Any, write: Any, turn: Any, asker: Phone
) -> None:
    services.delete(asker)
    write()

    turn()

    assert [sms.carrier for sms in scripted.sent] == [""]


def test_a_number_that_cannot_be_looked_up_fails_with_the_provider_s_words(
    scripted: Any, write: Any, turn: Any
) -> None:
    scripted.look_ups = [Rejected("Not for Canada")]
    (message,) = write()

    turn()

    message.refresh_from_db()
    assert "Desk could not tell the carrier of this number: Not for Canada." in message.words


def test_messages_of_one_workspace_tell_another_nothing(
    scripted: Any, write: Any, turn: Any
) -> None:
    elsewhere = Workspace.objects.create(name="Elsewhere", country="FR", time_zone="UTC")
    remember(elsewhere, {number(1): "fr-sfr"}, NumberCarrier.Source.PERSON)
    scripted.look_ups = [ORANGE]
    write()

    turn()

    assert [sms.carrier for sms in scripted.sent] == ["fr-orange"]


def test_no_exchange_is_kept_where_none_was(gateway: Phone, turn: Any, write: Any) -> None:
    write()

    turn()

    assert not Exchange.objects.exists()


# ---- The form -----------------------------------------------------------------------------------

MAIL = {
    "name": "Mail",
    "rate": "1",
    "settings-from_address": "sms@example.org",
    "settings-smtp_host": "smtp.example.org",
    "settings-smtp_port": "587",
    "settings-smtp_security": "starttls",
    "settings-carrier_from": "recipient",
    "settings-digits": "national",
    "settings-max_length": "160",
    "settings-alphabet": "unicode",
    "settings-replies": "none",
    "settings-plus": "reply",
}


def test_the_one_to_ask_is_chosen_on_the_gateway_s_page(as_alice: Client, asker: Phone) -> None:
    answer = as_alice.post("/phones/add/email_gateway/", {**MAIL, "look_up_by": asker.pk})

    added = Phone.objects.get(name="Mail")
    assert answer.status_code == 302
    assert added.look_up_by == asker
    assert "Looks carriers up through" in as_alice.get(f"/phones/{added.pk}/").content.decode()
    as_alice.post(f"/phones/{added.pk}/edit/", {**MAIL, "look_up_by": ""})
    added.refresh_from_db()
    assert added.look_up_by is None


def test_another_workspace_s_phone_cannot_be_chosen(as_alice: Client, asker: Phone) -> None:
    elsewhere = Workspace.objects.create(name="Elsewhere", country="FR", time_zone="UTC")
    theirs = Phone.objects.create(workspace=elsewhere, type="scripted", name="X", settings={})

    answer = as_alice.post("/phones/add/email_gateway/", {**MAIL, "look_up_by": theirs.pk})

    assert answer.status_code == 422
    assert not Phone.objects.filter(name="Mail").exists()


def test_only_gateways_are_asked_who_looks_up(as_alice: Client, asker: Phone) -> None:
    assert "look_up_by" not in as_alice.get(f"/phones/{asker.pk}/edit/").content.decode()


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_workers_that_ask_at_the_same_moment_pay_once(
    scripted: Any, write: Any, gateway: Phone
) -> None:
    numbers = [number(index) for index in range(5)]
    write(*numbers)

    def work() -> None:
        try:
            looking_up.look_up(gateway.pk)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(scripted.looked_up) == numbers
    assert NumberCarrier.objects.count() == len(numbers)
    assert Attempt.objects.count() == len(numbers)
