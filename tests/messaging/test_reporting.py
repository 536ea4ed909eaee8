"""Status reports by the hundred: whatever their order, repetition and batches, they end the same."""

from __future__ import annotations

from itertools import pairwise

import pytest
from django.db import connection
from django.utils import timezone
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from messaging.models import Direction, Message, Report, Segment, Status
from messaging.receiving import apply
from messaging.reporting import match_parked
from phones.base import Delivery, StatusReport
from phones.models import Phone
from tests.messaging.conftest import number

pytestmark = [pytest.mark.django_db, pytest.mark.database]

# What each says more than its state, so that one of two with the same state is as good as the other.
CODES = {Delivery.FAILED: "027", Delivery.UNKNOWN: "007"}
NAMES = ["one", "two", "long 1", "long 2", "nobody"]
REPORTS = st.lists(
    st.builds(
        lambda name, state: StatusReport(state, name, code=CODES.get(state, "")),
        st.sampled_from(NAMES),
        st.sampled_from(list(Delivery)),
    ),
    min_size=1,
    max_size=8,
)


def messages(phone: Phone, states: list[Status]) -> list[Message]:
    """Make two messages of one segment, and one of two."""
    Message.objects.all().delete()
    Report.objects.all().delete()
    made = [
        Message.objects.create(
            workspace=phone.workspace,
            phone=phone,
            direction=Direction.OUT,
            peer=number(index),
            text="Hello",
            status=state,
            claimed_at=timezone.now(),
            lease_until=timezone.now(),
            provider_id=name,
            segments=2 if name == "long 1" else 1,
        )
        for index, (state, name) in enumerate(zip(states, ["one", "two", "long 1"], strict=True))
    ]
    for place in (1, 2):
        Segment.objects.create(
            message=made[2], phone=phone, number=place, provider_id=f"long {place}"
        )
    return made


def ends(phone: Phone) -> list[object]:
    told = Message.objects.order_by("id").values_list("status", "reason", "code")
    parked = Report.objects.values_list("provider_id", "state", "message").distinct()
    return [*told, *sorted(parked)]


def in_batches(reports: list[StatusReport], cuts: list[int]) -> list[list[StatusReport]]:
    edges = [0, *sorted(cuts), len(reports)]
    return [reports[start:end] for start, end in pairwise(edges) if end > start]


@hypothesis_settings(
    max_examples=30 if connection.vendor == "sqlite" else 10,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(reports=REPORTS, data=st.data())
def test_any_order_repetition_and_batches_end_the_same(
    phone: Phone, reports: list[StatusReport], data: st.DataObject
) -> None:
    begun = st.sampled_from([Status.SENDING, Status.SENT])
    before = [data.draw(begun), data.draw(begun), Status.SENT]
    again = data.draw(st.permutations(reports + data.draw(st.lists(st.sampled_from(reports)))))
    cuts = data.draw(st.lists(st.integers(0, len(again)), max_size=4))

    messages(phone, before)
    for report in reports:
        apply(phone, [report])
    one_by_one = ends(phone)
    messages(phone, before)
    for batch in in_batches(again, cuts):
        apply(phone, batch)

    assert ends(phone) == one_by_one


@hypothesis_settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(reports=REPORTS, data=st.data())
def test_reports_that_come_before_the_answer_end_the_same(
    phone: Phone, reports: list[StatusReport], data: st.DataObject
) -> None:
    late = data.draw(st.integers(0, len(reports)))
    states = [Status.SENT] * 3

    messages(phone, states)
    for report in reports:
        apply(phone, [report])
    expected = ends(phone)[:3]
    made = messages(phone, states)
    Message.objects.update(provider_id="")
    Segment.objects.update(provider_id="")
    for report in reports[:late]:
        apply(phone, [report])
    for message in made:
        Message.objects.filter(pk=message.pk).update(provider_id=message.provider_id)
    for place in (1, 2):
        Segment.objects.filter(number=place).update(provider_id=f"long {place}")
    match_parked(phone, NAMES[:-1])
    for report in reports[late:]:
        apply(phone, [report])

    assert ends(phone)[:3] == expected


def test_a_segment_that_arrives_after_all_makes_the_message_wait_again(phone: Phone) -> None:
    [*_, long] = messages(phone, [Status.SENT] * 3)

    apply(phone, [StatusReport(Delivery.FAILED, "long 1", code="027")])
    apply(phone, [StatusReport(Delivery.DELIVERED, "long 1")])

    long.refresh_from_db()
    assert (long.status, long.reason, long.code) == (Status.SENT, "", "")


def test_what_a_person_settled_stays_whatever_the_segments_say(phone: Phone) -> None:
    [*_, long] = messages(phone, [Status.SENT] * 3)
    Message.objects.filter(pk=long.pk).update(status=Status.FAILED, reason="by_hand")

    apply(phone, [StatusReport(Delivery.DELIVERED, "long 1")])

    long.refresh_from_db()
    assert (long.status, long.reason) == (Status.FAILED, "by_hand")


@pytest.mark.parametrize(
    ("receipt", "aliases", "peer", "expected"),
    [
        ("10", ("16", "a"), number(0), "sixteen"),  # decimal 16 written in hexadecimal
        ("10", ("16", "a"), number(1), "ten"),
        ("10", ("16", "a"), number(5), None),
        ("10", ("16", "a"), "", "ten"),
        ("10", (), number(5), "ten"),
    ],
)
def test_an_id_in_two_notations_belongs_to_the_number_it_is_about(
    receipt: str, aliases: tuple[str, ...], peer: str, expected: str | None, phone: Phone
) -> None:
    sixteen, ten, _ = messages(phone, [Status.SENT] * 3)
    Message.objects.filter(pk=sixteen.pk).update(provider_id="16")
    Message.objects.filter(pk=ten.pk).update(provider_id="10")

    apply(phone, [StatusReport(Delivery.DELIVERED, receipt, aliases=aliases, peer=peer)])

    found = Message.objects.filter(status=Status.DELIVERED).values_list("pk", flat=True)
    assert (
        list(found) == [{"sixteen": sixteen.pk, "ten": ten.pk}[expected]] if expected else not found
    )


def test_an_id_given_twice_belongs_to_the_number_it_is_about(phone: Phone) -> None:
    one, _, long = messages(phone, [Status.SENT] * 3)
    Message.objects.filter(pk=one.pk).update(provider_id="long 2")

    apply(phone, [StatusReport(Delivery.FAILED, "long 2", peer=long.peer)])

    assert list(Message.objects.filter(status=Status.FAILED)) == [long]
