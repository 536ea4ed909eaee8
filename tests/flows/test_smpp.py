"""The whole life of messages over SMPP, against an SMSC that nobody here wrote (npm smpp)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection
from django.utils import timezone

from accounts.models import User, Workspace
from bench.site import descendants
from lib import gsm
from lib.http import NotSent
from lib.jobs import QueueDown
from messaging import connected
from messaging.connected import Seat
from messaging.models import Attempt, Message, Priority, Report, Segment, Status
from messaging.receiving import show_partial
from messaging.sweeping import end_leases
from phones import leases, limits, live, quotas
from phones.base import Misconfigured, PhoneError, Temporary
from phones.lines import line
from phones.models import Exchange, Lease, Limit, Phone
from phones.sessions import Bind
from phones.smpp import link, statuses, wire
from tests.peers.smpp import Smsc, start_smsc
from tests.peers.tls import Authority

pytestmark = [pytest.mark.peer, pytest.mark.django_db(transaction=True)]

PATIENCE = 30  # seconds, on a machine that has other things to do


@pytest.fixture(scope="module")
def running() -> Iterator[Smsc]:
    with start_smsc() as smsc:
        yield smsc


@pytest.fixture
def smsc(running: Smsc) -> Iterator[Smsc]:
    running.reset()
    yield running
    running.drop()


class Bound:
    """A phone with its session, driven by the test's own thread."""

    def __init__(self, phone: Phone) -> None:
        self.phone = phone
        lease = leases.take(phone)
        assert lease
        self.seat = Seat(phone, lease)
        self.seat.begin()

    def until(self, holds: Callable[[], bool], what: str = "that") -> None:
        end = time.monotonic() + PATIENCE
        while not holds():
            assert time.monotonic() < end, f"It waited for {what}: {states()}"
            self.seat.turn()

    def write(self, text: str = "Bonjour", count: int = 1, first: int = 0) -> list[Message]:
        ids = [write_one(self.phone, text, number(first + index)).pk for index in range(count)]
        self.seat.nudge()
        return list(Message.objects.filter(pk__in=ids).order_by("pk"))

    def all_are(self, *expected: str) -> Callable[[], bool]:
        return lambda: set(states()) <= set(expected) and bool(states())

    def until_bound(self) -> None:
        self.until(lambda: {bind.state for bind in self.binds()} == {"bound"}, "a bind")

    def binds(self) -> list[Bind]:
        return self.seat._session.binds()

    def words(self) -> str:
        return self.binds()[0].words

    def never_acknowledges(self) -> None:
        self.seat._session.acknowledge = lambda *_, **__: None  # type: ignore[method-assign]

    def die(self) -> None:
        """End as a killed process does: its connections are gone, nobody records anything."""
        self.seat._session.stop(0)
        self.seat._session._give_back = lambda: None  # type: ignore[attr-defined]
        self.seat.is_over = lambda: True  # type: ignore[method-assign]
        self.seat.end = lambda: None  # type: ignore[method-assign]
        Lease.objects.update(until=timezone.now())

    def end(self) -> None:
        self.seat.stop()
        end = time.monotonic() + PATIENCE
        while not self.seat.is_over() and time.monotonic() < end:
            self.seat.turn()
        self.seat.end()


def number(index: int) -> str:
    return f"+336{12000000 + index:08}"


def deliver(smsc: Smsc, text: str = "Oui", *, by: str = "deliver_sm", **options: Any) -> None:
    for part in smsc.parts(text, **options):
        smsc.deliver(part, by=by, wait=False)


def inbox() -> list[str]:
    incoming = Message.objects.filter(direction="in").order_by("pk")
    return list(incoming.values_list("text", flat=True))


def incoming(*texts: str) -> Callable[[], bool]:
    return lambda: inbox() == list(texts)


def sent_to(smsc: Smsc) -> Counter[str]:
    return Counter("+" + submit.fields["destination_addr"] for submit in smsc.submits)


def states() -> list[str]:
    outgoing = Message.objects.filter(direction="out").order_by("pk")
    return list(outgoing.values_list("status", flat=True))


def write_one(phone: Phone, text: str, to: str) -> Message:
    length = gsm.measure(text)
    return Message.objects.create(
        workspace=phone.workspace,
        direction="out",
        status=Status.QUEUED,
        phone=phone,
        peer=to,
        text=text,
        encoding=length.encoding,
        segments=length.segments,
    )


Binding = Callable[..., Any]


@pytest.fixture
def bind(
    smsc: Smsc, workspace: Workspace, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Binding]:
    settings.ALLOW_PRIVATE_ADDRESSES = ["127.0.0.1"]
    monkeypatch.setattr(connected, "_BEAT", 0.05)
    made: list[Bound] = []

    def bind(
        start: bool = True,
        rate: float = 10_000,
        address: str = "",
        workspace: Workspace = workspace,
        **given: Any,
    ) -> Any:
        stored = {
            "host": "127.0.0.1",
            "port": smsc.port,
            "system_id": "acme",
            "password": "secret",
            "source": "ACME",
            "receipts": "1",
            "first_pause": 0.05,
            **given,
        }
        phone = Phone.objects.create(
            workspace=workspace,
            type="smpp",
            name=f"SMPP {len(made)}",
            settings=stored,
            rate=rate,
            address=address,
        )
        return again(phone) if start else phone

    def again(phone: Phone) -> Bound:
        made.append(Bound(phone))
        return made[-1]

    bind.again = again  # type: ignore[attr-defined]

    yield bind
    monkeypatch.setattr(connected, "DRAIN", 0.2)
    for one in made:
        one.end()


def test_a_message_is_sent_and_delivered(bind: Binding, smsc: Smsc) -> None:
    smsc.receipts(delay=10)
    bound = bind()

    bound.write("Bonjour à tous")
    bound.until(bound.all_are("delivered"))

    assert smsc.texts() == ["Bonjour à tous"]


def test_an_urgent_message_overtakes_those_that_wait(bind: Binding, smsc: Smsc) -> None:
    smsc.behave("ok", held=True)
    bound = bind(window=4)

    bound.write(count=40)
    Message.objects.update(priority=Priority.BULK)
    bound.until(lambda: len(smsc.submits) == 4)
    (urgent,) = bound.write("Now", first=90)
    Message.objects.filter(pk=urgent.pk).update(priority=Priority.URGENT)
    smsc.release()
    bound.until(lambda: "Now" in smsc.texts())

    # What the window held already, and what was claimed before it was there.
    assert smsc.texts().index("Now") <= 12
    assert "queued" in states()
    bound.until(bound.all_are("sent"))


def test_a_limit_is_kept_by_a_connected_phone_too(bind: Binding, smsc: Smsc) -> None:
    bound = bind(window=4)
    Limit.objects.create(phone=bound.phone, period="day", unit="messages", amount=5)
    quotas.note_metered(bound.phone)
    bound.phone.refresh_from_db(fields=["metered"])

    bound.write(count=9)
    bound.until(lambda: states().count("sent") == 5)
    for _ in range(5):
        bound.seat.turn()

    assert states().count("queued") == 4
    assert len(smsc.submits) == 5


# ---- The window, and refusals -------------------------------------------------------------------


def test_the_window_is_never_exceeded(bind: Binding, smsc: Smsc) -> None:
    smsc.behave("ok", delay=5)
    bound = bind(window=4)

    bound.write(count=30)
    bound.until(bound.all_are("sent"))

    assert max(submit.window for submit in smsc.submits) == 4
    assert set(sent_to(smsc).values()) == {1}


@pytest.mark.parametrize("kind", ["throttle", "full"])
def test_a_throttle_slows_the_account_and_loses_nothing(
    kind: str, bind: Binding, smsc: Smsc, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statuses, "_REST", {0x58: 0.1, 0x14: 0.1})
    smsc.behave(kind, times=5)
    other = bind()
    bound = bind(window=5)

    written = bound.write(count=9)
    bound.until(bound.all_are("sent"))

    assert Counter(submit.outcome for submit in smsc.submits)["ok"] == 9
    assert [Message.objects.get(pk=one.pk).attempts for one in written] == [0] * 9
    assert set(Attempt.objects.values_list("kind", flat=True)) == {"throttled"}
    # One wish, not five: halved once; and for all phones of the account.
    assert limits.pace(bound.phone).factor == limits.pace(other.phone).factor == 0.5


def test_refusals_mean_what_they_say(bind: Binding, smsc: Smsc) -> None:
    for status in (0x08, 0x0B, 0x0A, 0x4AA, 0x4AB):
        smsc.behave(status, times=1)
    bound = bind(statuses="0x4AA = temporary")

    bound.write(count=5)
    bound.until(lambda: "sending" not in states() and len(Attempt.objects.all()) == 5)

    assert states() == ["queued", "failed", "failed", "queued", "failed"]
    reasons = Message.objects.order_by("pk").values_list("reason", "code")
    assert list(reasons)[1] == ("bad_number", "0x0000000B")


def test_of_a_long_message_what_was_taken_is_never_sent_again(
    bind: Binding, smsc: Smsc, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link, "_PART_REST", 0.01)
    monkeypatch.setattr(statuses, "_REST", {0x58: 0.01})
    smsc.behave("ok", times=1)
    smsc.behave("throttle", times=1)
    smsc.behave(0x08, times=1)
    bound = bind()

    [message] = bound.write("é" * 400)
    bound.until(bound.all_are("sent"))

    taken = [submit.part[2] for submit in smsc.submits if submit.part and submit.outcome == "ok"]
    assert sorted(taken) == [1, 2, 3]
    assert len({submit.part[0] for submit in smsc.submits if submit.part}) == 1
    assert Segment.objects.filter(message=message).count() == 3


def test_a_generic_nack_fails_the_message_it_names(bind: Binding, smsc: Smsc) -> None:
    smsc.behave("nack", times=1, status=3)
    bound = bind()

    bound.write(count=2)
    bound.until(bound.all_are("failed", "sent"))

    assert states() == ["failed", "sent"]
    assert len(smsc.told("bind")) == 1


# ---- A connection that ends ---------------------------------------------------------------------


def test_an_smsc_that_dies_loses_and_doubles_nothing(bind: Binding, smsc: Smsc) -> None:
    smsc.behave("mute")
    bound = bind(window=5)
    bound.write(count=12)
    bound.until(lambda: len(smsc.submits) == 5)

    smsc.refuse()
    smsc.drop()
    bound.until(lambda: Counter(states()) == {"unknown": 5, "queued": 7})
    smsc.behave("ok")
    smsc.listen()
    bound.until(lambda: Counter(states()) == {"unknown": 5, "sent": 7})

    assert len(smsc.submits) == 12
    assert set(sent_to(smsc).values()) == {1}


def test_unknown_ones_are_sent_again_where_the_phone_says_so(bind: Binding, smsc: Smsc) -> None:
    smsc.behave("drop", times=2)
    bound = bind()
    bound.phone.resend_unknown = True
    bound.phone.save(update_fields=["resend_unknown"])

    bound.write(count=2)
    bound.until(lambda: Attempt.objects.filter(kind="unknown").count() == 2)

    assert states() == ["queued", "queued"]
    assert Message.objects.filter(not_before__gt=timezone.now(), attempts=1).count() == 2


def test_an_answer_after_its_time_makes_sent_of_unknown(bind: Binding, smsc: Smsc) -> None:
    smsc.behave("ok", held=True)
    bound = bind(answer_within=0.1)

    [message] = bound.write()
    bound.until(bound.all_are("unknown"))
    smsc.release()
    bound.until(bound.all_are("sent"))

    message.refresh_from_db()
    assert (message.reason, message.provider_id) == ("", "1")


def test_a_late_answer_keeps_a_message_from_being_sent_again(bind: Binding, smsc: Smsc) -> None:
    smsc.behave("ok", held=True)
    bound = bind(answer_within=0.1)
    bound.phone.resend_unknown = True

    bound.write()
    bound.until(lambda: Message.objects.filter(status="queued", attempts=1).exists())
    smsc.release()
    bound.until(bound.all_are("sent"))

    assert len(smsc.submits) == 1


def test_a_mute_smsc_is_left_and_bound_anew(
    bind: Binding, smsc: Smsc, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link, "_SILENCE", 0.1)
    smsc.set(enquire="mute")
    bound = bind(enquire=0.1)

    bound.until(lambda: len(smsc.told("bind")) >= 2, "a second bind")
    monkeypatch.setattr(link, "_SILENCE", PATIENCE)
    smsc.set(enquire="ok")
    bound.write()

    bound.until(bound.all_are("sent"))


def test_an_smsc_that_unbinds_is_answered_and_bound_anew(bind: Binding, smsc: Smsc) -> None:
    smsc.behave("unbind", times=1)
    bound = bind(window=1)

    bound.write(count=3)
    bound.until(bound.all_are("sent"))

    assert [item["status"] for item in smsc.told("unbound")] == [0]
    assert len(smsc.submits) == 3


def test_a_wrong_password_is_told_once_and_tried_slowly(
    bind: Binding,
    smsc: Smsc,
    alice: User,
    mailoutbox: Any,
    jobs: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(wire, "REFUSED_PAUSE", 0.1)
    smsc.set(password="changed")
    bound = bind()
    bound.write()

    bound.until(lambda: len(smsc.told("bind")) >= 3, "three tries")
    jobs()
    mails = len(mailoutbox)
    smsc.set(password=None)
    bound.until(bound.all_are("sent"))

    assert mails == 1
    assert "0x0000000E" in mailoutbox[0].body


def test_an_account_that_is_refused_is_not_insisted_on(bind: Binding, smsc: Smsc) -> None:
    smsc.set(bind_status=0x0F)
    bound = bind()
    bound.until(lambda: bound.words() != "", "a refusal")

    end = time.monotonic() + 0.3  # six of the pauses after any other end
    while time.monotonic() < end:
        bound.seat.turn()

    assert len(smsc.told("bind")) == 1


# ---- How it speaks ------------------------------------------------------------------------------


def test_answers_in_any_order_name_the_right_messages(bind: Binding, smsc: Smsc) -> None:
    smsc.behave("reorder", batch=4)
    bound = bind()

    bound.write(count=8)
    bound.until(bound.all_are("sent"))

    names = dict(Message.objects.values_list("peer", "provider_id"))
    assert names == {
        "+" + submit.fields["destination_addr"]: submit.id.lstrip("0") for submit in smsc.submits
    }


def test_bytes_come_one_by_one_with_tlvs_nobody_knows(bind: Binding, smsc: Smsc) -> None:
    smsc.byte_at_a_time()
    smsc.behave("ok", tlvs=[(0x1400, b"x"), (0x0423, b"\3\0\0"), (0x001D, b"fine")])
    smsc.receipts(nul=False, tlvs=[(0x1403, b"\0"), (0x0302, b"\1"), (0x0501, b"")])
    bound = bind()

    bound.write(count=3)

    bound.until(bound.all_are("delivered"))


def test_enquire_link_is_answered_under_load(bind: Binding, smsc: Smsc) -> None:
    smsc.behave("mute")
    bound = bind(window=3)
    bound.write(count=5)
    bound.until(lambda: len(smsc.submits) == 3)

    assert smsc.enquire() == [0]


def test_transmitter_and_receiver_are_two_binds(bind: Binding, smsc: Smsc) -> None:
    smsc.receipts()
    bound = bind(mode="pair")

    bound.write()
    bound.until(bound.all_are("delivered"))

    assert {item["mode"] for item in smsc.told("bind")} == {"bind_transmitter", "bind_receiver"}


def test_the_parts_of_a_message_stay_on_one_of_several_binds(bind: Binding, smsc: Smsc) -> None:
    bound = bind(binds=3, window=2)
    bound.until_bound()

    bound.write("x" * 400, count=12)
    bound.until(bound.all_are("sent"))

    links: dict[str, set[int]] = {}
    for submit in smsc.submits:
        links.setdefault(submit.fields["destination_addr"], set()).add(submit.link)
    assert all(len(each) == 1 for each in links.values())
    assert len(set().union(*links.values())) > 1
    assert smsc.texts() == ["x" * 400] * 12


# ---- TLS ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="module")
def secure(authority: Authority) -> Iterator[Smsc]:
    with start_smsc(authority=authority, client_certificate=True) as smsc:
        yield smsc


@pytest.fixture
def encrypted(secure: Smsc, authority: Authority) -> Iterator[dict[str, Any]]:
    secure.reset()
    own = authority.sign("client")
    yield {
        "port": secure.port,
        "tls": True,
        "tls_ca": authority.certificate,
        "tls_certificate": own.certificate,
        "tls_key": own.key,
    }
    secure.drop()


def test_over_tls_many_pdus_come_in_one_record(
    bind: Binding, secure: Smsc, encrypted: dict[str, Any]
) -> None:
    secure.coalesce()
    secure.receipts()
    bound = bind(**encrypted, window=50)

    bound.write(count=50)

    bound.until(bound.all_are("delivered"))
    assert "accepts the bind" in line(bound.phone).check()


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"tls_ca": ""}, "is not trusted"),
        ({"tls_name": "smsc.example.org"}, "is not trusted"),
        ({"tls_certificate": "", "tls_key": ""}, "certificate"),
        ({"tls_ca": "nonsense"}, "cannot be read"),
    ],
)
def test_what_is_wrong_with_tls_is_said_in_words(
    wrong: dict[str, Any], words: str, bind: Binding, encrypted: dict[str, Any]
) -> None:
    bound = bind(**encrypted | wrong)

    bound.until(lambda: words in bound.words(), words)
    with pytest.raises(PhoneError, match=words):
        line(bound.phone).check()


# ---- Receipts -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {"early": True},
        {"by": "data_sm"},
        {"form": "tlv"},
        {"form": "text"},
        {"form": "text", "esm_class": 4, "digits": 12},
        {"times": 3},
    ],
    ids=str,
)
def test_a_receipt_finds_its_message(options: dict[str, Any], bind: Binding, smsc: Smsc) -> None:
    smsc.receipts(**options)
    bound = bind()

    bound.write(count=3)
    bound.until(bound.all_are("delivered"))
    bound.until(lambda: len(smsc.statuses) == 3 * options.get("times", 1))

    assert set(smsc.statuses) == {0}
    assert not Report.objects.filter(message=None).exists()


def test_a_receipt_may_keep_the_addresses_of_the_message(bind: Binding, smsc: Smsc) -> None:
    bound = bind(source="+33700000001")
    [message] = bound.write()
    bound.until(bound.all_are("sent"))

    smsc.receipt(1, to="33700000001", **{"from": message.peer[1:]}, wait=False)

    bound.until(bound.all_are("delivered"))


@pytest.mark.parametrize(
    ("ids", "answer", "receipt"),
    [
        ("auto", {"base": 16, "width": 8}, {"base": 10, "width": 10}),
        ("auto", {"base": 10, "width": 10}, {"base": 16, "width": 8, "upper": True}),
        ("hex_dec", {"base": 16, "width": 8, "upper": True}, {"base": 10}),
        ("dec_hex", {"base": 10}, {"base": 16, "width": 8}),
        ("same", "Zx9-1", "Zx9-1"),
    ],
)
def test_ids_may_be_written_in_two_ways(
    ids: str, answer: Any, receipt: Any, bind: Binding, smsc: Smsc
) -> None:
    smsc.set(ids=answer, receipt_ids=receipt)
    smsc.receipts()
    bound = bind(ids=ids)

    bound.write(count=1 if ids == "same" else 17)

    bound.until(bound.all_are("delivered"))


def test_an_early_receipt_with_another_notation_of_the_id_waits_for_no_tick(
    bind: Binding, smsc: Smsc
) -> None:
    smsc.set(ids={"base": 16, "width": 8}, receipt_ids={"base": 10, "width": 10})
    smsc.behave("ok", held=True)
    bound = bind()
    bound.write(count=10)
    bound.until(lambda: len(smsc.submits) == 10)

    smsc.receipt(10, wait=False)  # 0000000010 of what is to be called 0000000a
    bound.until(Report.objects.filter(message=None).exists, "an early receipt")
    smsc.release()
    bound.until(lambda: states().count("delivered") == 1)

    assert Message.objects.get(status="delivered").provider_id == "a"


def test_a_receipt_may_come_in_a_later_session(bind: Binding, smsc: Smsc) -> None:
    bound = bind()
    bound.write()
    bound.until(bound.all_are("sent"))
    bound.end()

    smsc.receipt(1, wait=False)
    later = bind.again(bound.phone)  # type: ignore[attr-defined]

    later.until(later.all_are("delivered"))


def test_receipts_that_nobody_knows_are_kept_once(bind: Binding, smsc: Smsc) -> None:
    bound = bind()
    bound.until_bound()

    for _ in range(2):
        smsc.receipt(0, id="4711", wait=False)
    bound.until(lambda: smsc.statuses == [0, 0])

    assert list(Report.objects.values_list("provider_id", "message")) == [("4711", None)]


@pytest.mark.parametrize(("last", "state"), [("DELIVRD", "delivered"), ("UNDELIV", "failed")])
def test_a_long_message_is_what_its_segments_are(
    last: str, state: str, bind: Binding, smsc: Smsc
) -> None:
    bound = bind()
    bound.write("x" * 400)
    bound.until(bound.all_are("sent"))

    smsc.receipt(2, wait=False)
    smsc.receipt(3, wait=False)
    bound.until(lambda: len(smsc.statuses) == 2)
    meanwhile = states()
    smsc.receipt(1, last, err="027", wait=False)

    bound.until(bound.all_are(state))
    assert meanwhile == ["sent"]


@pytest.mark.parametrize(
    ("given", "stat", "state"),
    [
        ({}, "ACCEPTD", "sent"),
        ({"accepted": "delivered"}, "ACCEPTD", "delivered"),
        ({}, "UNKNOWN", "unknown"),
        ({"unknown": "failed"}, "UNKNOWN", "failed"),
        ({"unknown": "sent"}, "UNKNOWN", "sent"),
        ({}, "EXPIRED", "failed"),
        ({}, "REJECTD", "failed"),
        ({"intermediate": True}, "ENROUTE", "sent"),
    ],
)
def test_a_receipt_means_what_the_phone_says(
    given: dict[str, Any], stat: str, state: str, bind: Binding, smsc: Smsc
) -> None:
    bound = bind(**given)
    bound.write()
    bound.until(bound.all_are("sent"))

    smsc.receipt(1, stat, wait=False, esm_class=0x20 if stat == "ENROUTE" else 4)
    bound.until(lambda: smsc.statuses == [0])

    assert states() == [state]


# ---- What comes in ------------------------------------------------------------------------------


def test_a_message_is_acknowledged_only_once_it_is_stored(
    bind: Binding, smsc: Smsc, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply = connected.receiving.apply
    troubles = [OperationalError("gone"), OperationalError("still gone")]

    def away(*args: Any, **kwargs: Any) -> Any:
        if troubles:
            raise troubles.pop()
        return apply(*args, **kwargs)

    monkeypatch.setattr(connected.receiving, "apply", away)
    bound = bind()

    deliver(smsc, "Oui, merci")
    bound.until(lambda: smsc.statuses == [0x64, 0x64, 0])

    assert inbox() == ["Oui, merci"]


def test_what_can_never_be_stored_is_kept_raw_and_costs_the_others_nothing(
    bind: Binding, smsc: Smsc, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply = connected.receiving.apply

    def picky(phone: Phone, events: Any, **kwargs: Any) -> Any:
        if any(event.text == "bad" for event in events):
            raise ValueError
        return apply(phone, events, **kwargs)

    monkeypatch.setattr(connected.receiving, "apply", picky)
    bound = bind()
    bound.until_bound()

    for text in ("one", "bad", "two"):
        deliver(smsc, text)
    bound.until(lambda: len(smsc.statuses) == 3)

    assert (smsc.statuses, inbox()) == ([0, 0, 0], ["one", "two"])
    assert "bad" in Exchange.objects.get().received


def test_the_same_again_is_another_message(bind: Binding, smsc: Smsc) -> None:
    bound = bind()
    bound.until_bound()

    deliver(smsc, "Oui")
    deliver(smsc, "Oui")
    smsc.told("response")  # both wait for their answer
    bound.until(incoming("Oui", "Oui"))
    bound.until(lambda: smsc.statuses == [0, 0])
    deliver(smsc, "Oui")

    bound.until(incoming("Oui", "Oui", "Oui"))


def test_a_repetition_after_a_lost_acknowledgement_is_none(bind: Binding, smsc: Smsc) -> None:
    bound = bind()
    bound.until_bound()
    answer = bound.seat._session.acknowledge
    bound.never_acknowledges()
    deliver(smsc, "Oui")
    deliver(smsc, "Oui")
    bound.until(incoming("Oui", "Oui"))

    bound.seat._session.acknowledge = answer  # type: ignore[method-assign]
    smsc.drop()
    bound.until(lambda: smsc.statuses.count(0) == 2)

    assert inbox() == ["Oui", "Oui"]


def doubtful() -> list[str]:
    marked = Message.objects.filter(direction="in", perhaps_repeated=True)
    return list(marked.values_list("text", flat=True))


def test_of_what_was_never_acknowledged_each_takes_one_repetition_and_no_more(
    bind: Binding, smsc: Smsc
) -> None:
    bound = bind()
    bound.until_bound()
    answer = bound.seat._session.acknowledge
    bound.never_acknowledges()
    deliver(smsc, "Oui")
    bound.until(incoming("Oui"))
    bound.seat._session.acknowledge = answer  # type: ignore[method-assign]

    smsc.drop()
    deliver(smsc, "Oui")  # another one
    deliver(smsc, "Non")
    bound.until(lambda: smsc.statuses.count(0) == 3)

    assert Counter(inbox()) == {"Oui": 2, "Non": 1}
    assert doubtful() == []


def test_what_was_acknowledged_and_read_repeats_nothing(bind: Binding, smsc: Smsc) -> None:
    """However soon after a connection broke the same words come again."""
    bound = bind()
    bound.until_bound()
    deliver(smsc, "Oui")
    bound.until(lambda: smsc.statuses == [0])
    bound.write()
    bound.until(bound.all_are("sent"))  # its answer shows that what stood before it was read

    smsc.drop()
    deliver(smsc, "Oui")

    bound.until(incoming("Oui", "Oui"))
    assert doubtful() == []


def test_what_may_have_been_repeated_is_shown_and_marked_once(bind: Binding, smsc: Smsc) -> None:
    bound = bind()
    bound.until_bound()
    deliver(smsc, "Oui")
    bound.until(lambda: smsc.statuses == [0])

    smsc.drop()
    deliver(smsc, "Oui")
    deliver(smsc, "Oui")
    bound.until(lambda: smsc.statuses == [0, 0, 0])

    assert inbox() == ["Oui"] * 3
    assert doubtful() == ["Oui"]


def test_what_a_killed_process_may_have_told_nobody_is_marked_when_it_comes_again(
    bind: Binding, smsc: Smsc
) -> None:
    first = bind()
    first.until_bound()
    first.never_acknowledges()
    deliver(smsc, "Oui")
    first.until(incoming("Oui"))
    first.die()

    second = bind.again(first.phone)  # type: ignore[attr-defined]
    second.until(lambda: 0 in smsc.statuses)
    stored = inbox(), doubtful()
    deliver(smsc, "Oui")

    second.until(incoming("Oui", "Oui", "Oui"))
    assert stored == (["Oui", "Oui"], ["Oui"])
    assert len(doubtful()) == 1


def test_what_a_killed_process_knew_to_be_heard_is_not_in_doubt(bind: Binding, smsc: Smsc) -> None:
    first = bind()
    first.until_bound()
    deliver(smsc, "Oui")
    first.until(incoming("Oui"))
    stored_at = Message.objects.get().created_at
    first.until(lambda: Lease.objects.get().heard_at > stored_at, "a sign that it was read")
    first.die()

    second = bind.again(first.phone)  # type: ignore[attr-defined]
    deliver(smsc, "Oui")

    second.until(incoming("Oui", "Oui"))
    assert doubtful() == []


def test_the_parts_of_a_killed_process_are_not_stored_again(bind: Binding, smsc: Smsc) -> None:
    first = bind()
    first.until_bound()
    first.never_acknowledges()
    deliver(smsc, LONG, split="udh8")
    first.until(incoming(LONG))
    first.die()

    second = bind.again(first.phone)  # type: ignore[attr-defined]
    second.until(lambda: smsc.statuses.count(0) == 3)

    assert inbox() == [LONG]


def test_a_name_of_our_own_is_not_called_the_provider_s(bind: Binding, smsc: Smsc) -> None:
    bound = bind()
    deliver(smsc, "Oui")
    bound.until(incoming("Oui"))
    bound.write()
    bound.until(bound.all_are("sent"))

    names = {one.direction: one.provider_name for one in Message.objects.all()}
    assert names == {"in": "", "out": "1"}


def test_the_same_after_an_orderly_restart_is_another_message(bind: Binding, smsc: Smsc) -> None:
    first = bind()
    deliver(smsc, "Oui")
    first.until(lambda: smsc.statuses == [0])
    first.end()

    second = bind.again(first.phone)  # type: ignore[attr-defined]
    deliver(smsc, "Oui")

    second.until(incoming("Oui", "Oui"))


LONG = "Ça va 😀 " * 20


@pytest.mark.parametrize("split", ["udh8", "udh16", "sar", "payload"])
def test_parts_in_any_order_become_one_message(split: str, bind: Binding, smsc: Smsc) -> None:
    bound = bind()
    bound.until_bound()

    for part in reversed(smsc.parts(LONG, split=split)):
        smsc.deliver(part, wait=False)

    bound.until(incoming(LONG))


def test_a_part_that_never_comes_is_shown_and_one_that_comes_late_is_put_in(
    bind: Binding, smsc: Smsc, settings: Any
) -> None:
    bound = bind()
    bound.until_bound()
    first, *others = smsc.parts(LONG, split="udh8")
    smsc.deliver(others[-1], wait=False)
    bound.until(lambda: smsc.statuses == [0])

    settings.PARTS_WAIT = 0
    show_partial()
    shown = Message.objects.values_list("text", "partial").get()
    for part in (first, *others[:-1]):
        smsc.deliver(part, wait=False)

    bound.until(incoming(LONG))
    assert shown[0].startswith("[…]")
    assert LONG.endswith(shown[0].removeprefix("[…]"))
    assert shown[1]
    assert not Message.objects.get().partial


def test_what_cannot_be_read_is_kept_and_acknowledged(bind: Binding, smsc: Smsc) -> None:
    bound = bind()
    bound.until_bound()

    smsc.raw(bytes.fromhex("00000014 00000005 00000000 00000063 61626364".replace(" ", "")))
    bound.until(Exchange.objects.exists)

    assert "61626364" in Exchange.objects.get().received
    assert bound.binds()[0].state == "bound"


def test_an_alert_notification_is_heard_without_harm(bind: Binding, smsc: Smsc) -> None:
    bound = bind()
    bound.until_bound()

    smsc.alert()
    bound.write()

    bound.until(bound.all_are("sent"))


def test_more_than_can_be_stored_is_refused_and_comes_again(
    bind: Binding, smsc: Smsc, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link, "_MOST_RECEIVED", 3)
    bound = bind()
    bound.until_bound()

    for index in range(6):
        deliver(smsc, f"M{index}")
    smsc.wait_for("response", 3)
    bound.until(lambda: len(inbox()) == 6)
    bound.until(lambda: smsc.statuses.count(0) == 6)

    assert 0x14 in smsc.statuses
    assert sorted(inbox()) == [f"M{index}" for index in range(6)]


# ---- Ending -------------------------------------------------------------------------------------


def test_a_stop_waits_for_answers_and_unbinds(bind: Binding, smsc: Smsc) -> None:
    smsc.behave("ok", held=True)
    bound = bind(window=3)
    bound.write("x" * 200, count=5)
    bound.until(lambda: len(smsc.submits) == 3)

    deliver(smsc, "Oui")
    bound.seat.stop()
    bound.seat.turn()
    smsc.release()
    bound.end()

    assert bound.seat.is_over()
    # What had begun to leave has left whole, and nothing else.
    assert Counter(states()) == {"sent": 2, "queued": 3}
    assert (smsc.statuses, inbox()) == ([0], ["Oui"])
    assert [item["unanswered"] for item in smsc.wait_for("unbind")] == [0]
    assert smsc.texts() == ["x" * 200] * 2


def test_a_stop_while_nobody_answers_leaves_nothing_sending(
    bind: Binding, smsc: Smsc, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connected, "DRAIN", 0.1)
    smsc.behave("mute")
    bound = bind(window=3)
    bound.write(count=5)
    bound.until(lambda: len(smsc.submits) == 3)

    bound.end()

    assert Counter(states()) == {"unknown": 3, "queued": 2}


def test_results_wait_for_the_database(
    bind: Binding, smsc: Smsc, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, troubles = connected.write, [OperationalError("gone")] * 2

    def away(*args: Any) -> None:
        if troubles:
            raise troubles.pop()
        write(*args)

    monkeypatch.setattr(connected, "write", away)
    bound = bind()

    bound.write(count=3)
    bound.until(bound.all_are("sent"))

    assert troubles == []


# ---- Leases -------------------------------------------------------------------------------------


def test_of_two_sessions_one_has_the_phone(bind: Binding) -> None:
    bound = bind()

    assert leases.take(bound.phone) is None
    with pytest.raises(CommandError, match="held elsewhere"):
        call_command("session", str(bound.phone.pk))


def test_the_lease_of_who_is_known_to_be_dead_is_free_at_once(bind: Binding) -> None:
    bound = bind()
    bound.die()
    Lease.objects.update(until=timezone.now() + timedelta(seconds=20))
    owner = Lease.objects.get().owner
    assert owner

    leases.bury(owner)

    assert leases.take(bound.phone)


def test_the_lease_of_a_process_that_died_on_this_machine_is_free_at_once(bind: Binding) -> None:
    bound = bind()
    Lease.objects.update(until=timezone.now() + timedelta(seconds=20))
    alive = leases.take(bound.phone)

    Lease.objects.update(process=Lease.objects.get().process + "1")  # it began at another time

    assert alive is None
    assert leases.held(bound.phone) is None
    assert leases.take(bound.phone)


def test_a_seat_can_be_waited_for(bind: Binding) -> None:
    phone = bind(start=False)
    lease = leases.take(phone)
    assert lease
    seat = Seat(phone, lease)
    seat.start()
    seat.stop()

    seat.join(PATIENCE)

    assert not seat.is_alive()


def test_who_lost_the_lease_claims_nothing_more(
    bind: Binding, smsc: Smsc, caplog: pytest.LogCaptureFixture
) -> None:
    bound = bind()
    bound.until_bound()
    Lease.objects.update(epoch=99)

    bound.write()
    bound.until(bound.seat.is_over)

    assert (states(), smsc.submits) == (["queued"], [])
    assert len([line for line in caplog.messages if "held elsewhere" in line]) == 1


def test_a_lease_is_renewed_and_shown(
    bind: Binding, smsc: Smsc, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "RENEW", 0)
    smsc.behave("mute")
    bound = bind()
    bound.until_bound()
    bound.write()
    bound.until(bound.all_are("sending"))
    Lease.objects.update(until=timezone.now() + timedelta(seconds=8))
    Message.objects.update(lease_until=timezone.now())

    bound.until(lambda: Lease.objects.get().until > timezone.now() + timedelta(seconds=9))
    bound.until(lambda: Message.objects.get().lease_until > timezone.now() + timedelta(seconds=9))

    told = live.binds_of(bound.phone.pk) or []
    assert [(one["state"], one["in_flight"]) for one in told] == [("bound", 1)]


# ---- Phones of one account ----------------------------------------------------------------------


def turn_all(*bound: Bound) -> Callable[[Callable[[], bool]], None]:
    def until(holds: Callable[[], bool]) -> None:
        bound[0].until(lambda: all(one.seat.turn() is None for one in bound[1:]) and holds())

    return until


def test_phones_of_one_account_share_its_rate(bind: Binding, smsc: Smsc) -> None:
    one, two = bind(rate=5), bind(rate=5)
    until = turn_all(one, two)
    one.until_bound()
    two.until_bound()

    begun = time.monotonic()
    one.write(count=5)
    one.until(lambda: states().count("sent") == 5)
    two.write(count=5, first=5)
    end = time.monotonic() + 0.3  # alone it would have sent its five at once
    until(lambda: time.monotonic() > end)

    assert states().count("sent") <= 5 + 5 * (time.monotonic() - begun)


def test_a_receipt_finds_the_message_of_another_phone_of_the_account(
    bind: Binding, smsc: Smsc
) -> None:
    one = bind()
    one.write()
    one.until(one.all_are("sent"))
    one.end()

    two = bind()
    smsc.receipt(1, wait=False)

    two.until(two.all_are("delivered"))


def test_a_receipt_that_is_early_elsewhere_waits_for_its_message(bind: Binding, smsc: Smsc) -> None:
    smsc.behave("ok", held=True)
    two = bind()
    one = bind()
    two.until_bound()
    one.until_bound()
    one.write()
    one.until(lambda: len(smsc.submits) == 1)
    while not Report.objects.exists():  # on whichever bind
        smsc.receipt(1, id="1", wait=False)
        two.seat.turn()
        two.seat.turn()
    smsc.release()

    one.until(one.all_are("delivered"))


def test_a_message_goes_to_the_phone_of_the_account_it_was_written_to(
    bind: Binding, smsc: Smsc
) -> None:
    two = bind(source="+33700000002", address="+33700000002")
    two.end()
    one = bind(source="+33700000001", address="+33700000001")
    one.until_bound()

    deliver(smsc, "For two", to="33700000002")
    deliver(smsc, LONG, to="33700000002", split="udh8")
    deliver(smsc, "For nobody", to="33700000003")
    one.until(lambda: len(inbox()) == 3)

    found = dict(Message.objects.values_list("text", "phone"))
    assert found == {"For two": two.phone.pk, LONG: two.phone.pk, "For nobody": one.phone.pk}


def test_nothing_of_an_account_crosses_workspaces(bind: Binding, smsc: Smsc) -> None:
    theirs = bind(address="+33700000002", workspace=Workspace.objects.create(name="Others"))
    theirs.write()
    theirs.until(theirs.all_are("sent"))
    theirs.end()
    ours = bind()
    ours.until_bound()

    smsc.receipt(1, wait=False)
    deliver(smsc, "Oui", to="33700000002")
    ours.until(lambda: smsc.statuses == [0, 0])

    assert states() == ["sent"]
    assert Message.objects.get(direction="in").phone == ours.phone
    assert Report.objects.get().phone == ours.phone


def test_what_another_phone_of_the_account_has_is_marked_when_it_comes_again(
    bind: Binding, smsc: Smsc
) -> None:
    one = bind()
    one.until_bound()
    one.never_acknowledges()
    deliver(smsc, "Oui")
    one.until(incoming("Oui"))
    two = bind()
    two.until_bound()
    one.die()

    two.until(lambda: smsc.statuses.count(0) == 1)
    deliver(smsc, "Oui")
    two.until(lambda: len(inbox()) == 3)

    assert doubtful()[0] == "Oui"


# ---- Keepers: processes of their own, as on two hosts -------------------------------------------


@contextmanager
def keeper() -> Iterator[subprocess.Popen[bytes]]:
    """Run `manage.py sessions` on the test's own database and queue server."""
    given = {
        "DATA_DIR": str(settings.DATA_DIR),
        "DATABASE_URL": f"sqlite:///{connection.settings_dict['NAME']}",
        "REDIS_URL": settings.REDIS_URL,
        "SECRET_KEY": settings.SECRET_KEY,
        "FIELD_KEYS": settings.FIELD_KEYS[0],
        "ALLOW_PRIVATE_ADDRESSES": "127.0.0.1",
    }
    process = subprocess.Popen(
        [sys.executable, "manage.py", "sessions"], env={**os.environ, **given}
    )
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def wait_until(holds: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + 2 * PATIENCE  # two processes have to start, and theirs
    while not holds():
        assert time.monotonic() < end, f"It waited for {what}: {states()}"
        time.sleep(0.02)


@pytest.mark.skipif(connection.vendor != "sqlite", reason="The keepers need the test's database.")
def test_a_second_keeper_takes_over_from_one_that_was_killed(bind: Binding, smsc: Smsc) -> None:
    smsc.behave("mute", times=5)
    phone = bind(start=False, window=5)
    for index in range(12):
        write_one(phone, "Bonjour", number(index))
    deliver(smsc, "Oui")

    with keeper() as one, keeper() as two:
        wait_until(lambda: len(smsc._of("submit")) == 5, "a full window")
        wait_until(lambda: inbox() == ["Oui"], "a reply")
        sessions = [(keeps, descendants(keeps.pid)) for keeps in (one, two)]
        [(first, [session])] = [(keeps, found) for keeps, found in sessions if found]
        first.kill()
        session.signal(signal.SIGKILL)
        killed_at = time.monotonic()
        deliver(smsc, "Oui")
        wait_until(lambda: len(smsc._of("submit")) == 12, "the rest")
        took = time.monotonic() - killed_at
        Message.objects.filter(status="sending").update(lease_until=timezone.now())
        wait_until(lambda: states().count("sent") == 7, "the answers")
        wait_until(lambda: len(inbox()) == 2, "the second reply")
    end_leases()

    assert Counter(states()) == {"sent": 7, "unknown": 5}
    assert set(sent_to(smsc).values()) == {1}
    assert took < leases.LASTS - leases.RENEW  # and not when the leases had ended


# ---- Testing the connection ---------------------------------------------------------------------


def test_a_test_of_the_connection_binds_and_unbinds(bind: Binding, smsc: Smsc) -> None:
    words = line(bind().phone).check()

    assert "accepts the bind" in words
    smsc.wait_for("unbind")


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ({"password": "wrong"}, Misconfigured, "nvalid"),
        ({"port": 1}, Temporary, "refused"),
        ({"host": "10.0.0.1"}, (Temporary, NotSent), "private"),
    ],
)
def test_a_test_that_fails_says_why(
    given: dict[str, Any], error: Any, words: str, bind: Binding, smsc: Smsc
) -> None:
    smsc.set(password="secret")

    with pytest.raises(error, match=words):
        line(bind(**given).phone).check()


# ---- Troubles of our own ------------------------------------------------------------------------


def test_what_never_left_waits_for_the_database_too(
    bind: Binding, smsc: Smsc, monkeypatch: pytest.MonkeyPatch
) -> None:
    release, troubles = connected.release, [OperationalError("gone")] * 2

    def away(*args: Any) -> int:
        if troubles:
            raise troubles.pop()
        return release(*args)

    monkeypatch.setattr(connected, "release", away)
    smsc.behave("mute")
    bound = bind(window=2)
    bound.write("x" * 400, count=2)
    bound.until(lambda: len(smsc.submits) == 2)

    smsc.refuse()
    smsc.drop()
    bound.until(lambda: Counter(states()) == {"unknown": 1, "queued": 1})
    smsc.listen()

    assert troubles == []


def test_a_queue_server_that_goes_after_the_claim_holds_nothing_up(
    bind: Binding, smsc: Smsc, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(*_: Any) -> None:
        raise QueueDown

    monkeypatch.setattr(limits, "charge", down)
    bound = bind()
    bound.until_bound()

    bound.write()

    bound.until(bound.all_are("sent"))


def test_a_session_that_has_no_room_waits_without_work(bind: Binding, smsc: Smsc) -> None:
    smsc.behave("mute")
    smsc.behave("ok", times=1)
    bound = bind(window=10)
    bound.write(count=12)
    bound.until(lambda: len(smsc.submits) == 10 and "sent" in states())

    assert bound.seat._session.room() == 1
    assert bound.seat._patience() > 0


def test_a_seat_whose_last_words_fail_still_says_that_it_ended(
    bind: Binding, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise ValueError("A mistake of ours.")

    bound = bind()
    ended: list[bool] = []
    bound.seat.ended = lambda: ended.append(True)
    monkeypatch.setattr(leases, "release", fail)
    bound.seat.stop()

    with pytest.raises(ValueError, match="mistake"):
        bound.seat.run()
    monkeypatch.undo()

    assert ended == [True]
