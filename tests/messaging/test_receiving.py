"""What providers tell us: in any order, any number of times, and never lost."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from contacts.models import OptOut
from lib.jobs import DEFAULT, waiting
from messaging.models import (
    Attempt,
    Call,
    Conversation,
    Direction,
    Media,
    Message,
    Report,
    Status,
)
from messaging.receiving import apply
from messaging.reporting import match_all_parked
from phones.base import (
    Delivery,
    Fetched,
    IncomingCall,
    IncomingMedia,
    IncomingSms,
    OptOutNotice,
    PhoneError,
    Reason,
    StatusReport,
)
from phones.models import Phone
from tests.messaging.conftest import number, states

pytestmark = pytest.mark.django_db

PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 30


def outgoing(phone: Phone, status: Status, **fields: object) -> Message:
    now = timezone.now()
    return Message.objects.create(
        workspace=phone.workspace,
        phone=phone,
        direction=Direction.OUT,
        peer=number(1),
        text="Hello",
        status=status,
        claimed_at=None if status == Status.QUEUED else now,
        lease_until=now if status == Status.SENDING else None,
        **fields,
    )


REPORTS = st.lists(
    st.builds(
        StatusReport,
        state=st.sampled_from(list(Delivery)),
        provider_id=st.just("SM1"),
        code=st.sampled_from(["", "30003", "30005"]),
    ),
    min_size=1,
    max_size=5,
)


@hypothesis_settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(reports=REPORTS, data=st.data())
def test_any_order_and_repetition_of_reports_ends_the_same(
    line: Phone, reports: list[StatusReport], data: st.DataObject
) -> None:
    before = data.draw(st.sampled_from([Status.SENDING, Status.SENT, Status.UNKNOWN]))
    again = data.draw(st.permutations(reports + data.draw(st.lists(st.sampled_from(reports)))))
    ends = []
    for order in (reports, again):
        Message.objects.all().delete()
        message = outgoing(line, before, provider_id="SM1")
        for report in order:
            apply(line, [report])
        ends += states(message)

    assert ends[0] == ends[1]


@pytest.mark.parametrize(
    ("before", "report", "after"),
    [
        (Status.SENDING, Delivery.SENT, Status.SENT),
        (Status.SENT, Delivery.SENT, Status.SENT),
        (Status.SENT, Delivery.DELIVERED, Status.DELIVERED),
        (Status.SENT, Delivery.FAILED, Status.FAILED),
        (Status.UNKNOWN, Delivery.SENT, Status.SENT),
        (Status.UNKNOWN, Delivery.DELIVERED, Status.DELIVERED),
        (Status.UNKNOWN, Delivery.FAILED, Status.FAILED),
        (Status.FAILED, Delivery.DELIVERED, Status.DELIVERED),
        (Status.FAILED, Delivery.SENT, Status.FAILED),
        (Status.DELIVERED, Delivery.FAILED, Status.DELIVERED),
        (Status.DELIVERED, Delivery.SENT, Status.DELIVERED),
        (Status.CANCELLED, Delivery.DELIVERED, Status.DELIVERED),
        (Status.CANCELLED, Delivery.FAILED, Status.CANCELLED),
        (Status.QUEUED, Delivery.DELIVERED, Status.QUEUED),
        (Status.QUEUED, Delivery.FAILED, Status.QUEUED),
        (Status.SKIPPED, Delivery.DELIVERED, Status.SKIPPED),
    ],
)
def test_a_report_raises_a_state_or_leaves_it(before, report, after, line) -> None:
    message = outgoing(line, before, provider_id="SM1")

    apply(line, [StatusReport(report, "SM1")])

    assert states(message) == [after]


def test_a_message_that_waits_to_be_sent_again_is_not_once_it_arrived(line) -> None:
    message = outgoing(line, Status.QUEUED, provider_id="SM1")
    Message.objects.update(claimed_at=timezone.now())

    apply(line, [StatusReport(Delivery.DELIVERED, "SM1")])

    assert states(message) == [Status.DELIVERED]


def test_the_providers_words_are_kept(line) -> None:
    message = outgoing(line, Status.SENT, provider_id="SM1")

    apply(
        line,
        [StatusReport(Delivery.FAILED, "SM1", "", Reason.UNREACHABLE, "30003", "Unreachable")],
    )

    message.refresh_from_db()
    assert (message.reason, message.code, message.words) == (
        Reason.UNREACHABLE,
        "30003",
        "Unreachable",
    )


def test_a_report_finds_its_message_by_our_reference(line) -> None:
    message = outgoing(line, Status.SENDING)

    apply(line, [StatusReport(Delivery.DELIVERED, "SM1", reference=str(message.pk))])

    message.refresh_from_db()
    assert (message.status, message.provider_id) == (Status.DELIVERED, "SM1")


@pytest.mark.parametrize("reference", ["", "abc", "-1", "9" * 40, "²", "1.0"])
def test_a_foreign_reference_harms_nothing(reference, line) -> None:
    message = outgoing(line, Status.SENT, provider_id="SM1")

    apply(line, [StatusReport(Delivery.DELIVERED, "SM2", reference=reference)])

    assert states(message) == [Status.SENT]
    assert Report.objects.get().message is None


def test_another_phones_message_is_not_touched(line, phone) -> None:
    message = outgoing(phone, Status.SENT, provider_id="SM1")

    apply(line, [StatusReport(Delivery.DELIVERED, "SM1", reference=str(message.pk))])

    assert states(message) == [Status.SENT]


def test_a_late_report_of_the_phone_it_was_moved_from_is_heard(line, phone) -> None:
    message = outgoing(phone, Status.UNKNOWN)
    Attempt.objects.create(message=message, phone=line, kind=Attempt.Kind.UNKNOWN)

    apply(line, [StatusReport(Delivery.DELIVERED, "SM1", reference=str(message.pk))])

    assert states(message) == [Status.DELIVERED]


def test_a_report_nobody_knows_is_parked_once_and_matched_later(line) -> None:
    for _ in range(3):
        apply(line, [StatusReport(Delivery.DELIVERED, "SM1")])
    parked = Report.objects.get()
    message = outgoing(line, Status.SENT, provider_id="SM1")

    matched = match_all_parked()

    parked.refresh_from_db()
    assert matched == 1
    assert parked.message == message
    assert states(message) == [Status.DELIVERED]


def test_a_time_in_the_future_is_not_believed(line) -> None:
    message = outgoing(line, Status.SENT, provider_id="SM1")
    later = timezone.now() + timedelta(days=2)

    apply(line, [StatusReport(Delivery.DELIVERED, "SM1", at=later)])

    message.refresh_from_db()
    assert message.delivered_at is not None
    assert message.delivered_at <= timezone.now()


def test_a_reply_is_stored_unread_and_tied_to_its_number(line) -> None:
    apply(line, [IncomingSms("06 00 00 00 01", "Yes, thank you", "IN1", to="36105")])

    message = Message.objects.get()
    conversation = Conversation.objects.get()
    assert (message.peer, message.text, message.own) == (number(1), "Yes, thank you", "36105")
    assert message.status == Status.RECEIVED
    assert (conversation.peer, conversation.unread, conversation.last) == (number(1), 1, message)
    assert conversation.phone == line


def test_a_repeated_reply_is_stored_once(line) -> None:
    for _ in range(3):
        apply(line, [IncomingSms(number(1), "Yes", "IN1")])

    assert Message.objects.count() == 1
    assert Conversation.objects.get().unread == 1


def test_the_same_words_twice_are_two_replies(line) -> None:
    apply(line, [IncomingSms(number(1), "Yes", "IN1"), IncomingSms(number(1), "Yes", "IN2")])

    assert Message.objects.count() == 2
    assert Conversation.objects.get().unread == 2


def test_a_reply_with_odd_characters_is_stored(line) -> None:
    apply(line, [IncomingSms("Banque", "a\x00b 🎉", "IN1")])

    message = Message.objects.get()
    assert (message.peer, message.text) == ("Banque", "ab 🎉")


@pytest.mark.django_db(transaction=True)
def test_a_picture_is_fetched_by_a_worker_and_stored(line, scripted, jobs) -> None:
    scripted.fetched = Fetched(PNG, "image/png")

    apply(line, [IncomingSms(number(1), "", "IN1", media=(IncomingMedia("https://x.test/1", ""),))])
    before = Media.objects.get().file
    jobs()

    item = Media.objects.get()
    assert not before
    assert item.content_type == "image/png"
    assert item.file.read() == PNG
    item.file.close()


@pytest.mark.django_db(transaction=True)
def test_a_picture_that_cannot_be_fetched_says_why(line, scripted, jobs) -> None:
    scripted.fetched = PhoneError("Gone", "404")

    apply(line, [IncomingSms(number(1), "", "IN1", media=(IncomingMedia("https://x.test/1", ""),))])
    jobs()

    assert Media.objects.get().problem == "Gone"
    assert waiting(DEFAULT) == 0


def test_a_picture_that_came_along_is_stored_at_once(line, settings) -> None:
    picture = IncomingMedia(content_type="image/png", content=PNG)

    apply(line, [IncomingSms(number(1), "", "IN1", media=(picture,))])

    item = Media.objects.get()
    assert (item.content_type, item.size, item.problem, item.source) == (
        "image/png",
        len(PNG),
        "",
        "",
    )
    assert item.file.read() == PNG
    item.file.close()


def test_a_picture_that_came_along_is_no_larger_than_a_fetched_one(line, settings) -> None:
    settings.MEDIA_LIMIT = len(PNG) - 1
    picture = IncomingMedia(content_type="image/png", content=PNG)

    apply(line, [IncomingSms(number(1), "Look", "IN1", media=(picture,))])

    item = Media.objects.get()
    assert (bool(item.file), item.problem) == (
        False,
        f"The file is larger than {len(PNG) - 1} bytes.",
    )
    assert Message.objects.get().text == "Look"


@pytest.mark.parametrize("order", [(0, 1), (1, 0), (0, 0, 1, 1), (1, 0, 1)], ids=str)
def test_a_call_and_its_end_are_one_in_any_order(order, line) -> None:
    events = [
        IncomingCall(number(1), "CA1"),
        IncomingCall(number(1), "CA1", ended=True, seconds=12, outcome="completed"),
    ]

    for index in order:
        apply(line, [events[index]])

    call = Call.objects.get()
    assert (call.peer, call.seconds, call.outcome) == (number(1), 12, "completed")
    assert call.ended_at is not None


def test_an_opt_out_notice_is_remembered_and_taken_back(line, workspace) -> None:
    apply(line, [OptOutNotice(number(1), "STOP")])
    stopped = OptOut.objects.get(workspace=workspace)
    apply(line, [OptOutNotice(number(1), "START", again=True)])

    assert (stopped.number, stopped.detail) == (number(1), "STOP")
    assert not OptOut.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_callback_is_stored_whole_or_not_at_all(line) -> None:
    with pytest.raises(AttributeError):
        apply(line, [IncomingSms(number(1), "Yes", "IN1"), object()])  # type: ignore[list-item]

    assert not Message.objects.exists()
