"""What messages cost: estimated when they are written, told by the provider once it knows."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from itertools import permutations
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import User, Workspace
from contacts.models import OptOut
from messaging import actions, composing, costs, receiving
from messaging.activity import ACTIVITY
from messaging.models import Media, Message, Report, Status
from messaging.outcomes import Outcome, record
from messaging.routing import Route
from phones import prices
from phones.base import Delivery, Money, Rejected, Sent, StatusReport
from phones.models import Phone
from tests.messaging.conftest import number

pytestmark = pytest.mark.django_db

Write = Callable[..., list[Message]]
FRANCE, GERMANY, AMERICA = number(1), "+4915112345678", "+12125550123"


@pytest.fixture(autouse=True)
def table(line: Phone) -> None:
    prices.write(line, {"33": Money(50_000, "EUR"), "1": Money(7_900, "USD")})


def cost(message: Message) -> tuple[int | None, str, bool]:
    message.refresh_from_db()
    return message.cost, message.currency, message.cost_is_estimate


def claimed(message: Message) -> uuid.UUID:
    """Let a run hold the message, as while it is being sent."""
    run = uuid.uuid4()
    Message.objects.filter(pk=message.pk).update(
        status=Status.SENDING, claim=run, claimed_at=timezone.now(), lease_until=timezone.now()
    )
    message.refresh_from_db()
    return run


def shown(response: Any) -> str:
    return " ".join(response.content.decode().replace("\N{NO-BREAK SPACE}", " ").split())


# ---- The estimate -------------------------------------------------------------------------------


def test_each_message_keeps_what_it_was_estimated_to_cost(write: Write, line: Phone) -> None:
    french, german, american = write(FRANCE, GERMANY, AMERICA, text="x" * 161)
    prices.write(line, {"33": Money(90_000, "EUR"), "49": Money(90_000, "EUR")})

    assert cost(french) == (100_000, "EUR", True)
    assert cost(german) == (None, "", False)
    assert cost(american) == (15_800, "USD", True)


def test_who_gets_nothing_and_pictures_are_not_estimated(
    write: Write, workspace: Workspace
) -> None:
    OptOut.objects.create(workspace=workspace, number=FRANCE, source="person")
    [skipped] = write(FRANCE)
    [picture] = write(number(2), media=[Media.objects.create(workspace=workspace)])

    assert cost(skipped) == (None, "", False)
    assert cost(picture) == (None, "", False)


def test_a_thousand_messages_need_one_query_more(
    write: Write, line: Phone, django_assert_num_queries: Any
) -> None:
    many = [number(index) for index in range(1000)]
    with django_assert_num_queries(1):
        estimate = costs.estimate(line, many, "Hello")

    assert estimate is not None
    assert estimate.amounts == {"EUR": 50_000_000}


def test_moved_to_another_phone_it_is_estimated_by_that_ones_prices(
    write: Write, line: Phone, bob: User
) -> None:
    other = Phone.objects.create(workspace=line.workspace, type="scripted", name="B", settings={})
    third = Phone.objects.create(workspace=line.workspace, type="scripted", name="C", settings={})
    prices.write(other, {"": Money(10_000, "USD")})
    [message] = write(FRANCE)

    actions.move(message, other, by=bob)
    assert cost(message) == (10_000, "USD", True)

    message.refresh_from_db()
    actions.move(message, third, by=bob)
    assert cost(message) == (None, "", False)


# ---- What the provider says ---------------------------------------------------------------------


def test_the_provider_s_answer_beats_the_estimate(write: Write, line: Phone) -> None:
    [message] = write(FRANCE)
    run = claimed(message)

    record(run, line, [Outcome(message, sent=Sent("x", cost=49_000, currency="USD"))])

    assert cost(message) == (49_000, "USD", False)


@pytest.mark.parametrize(
    "sent", [Sent("x"), Sent("x", cost=-1, currency="EUR"), Sent("x", cost=49_000)]
)
def test_an_answer_that_tells_no_cost_leaves_the_estimate(
    sent: Sent, write: Write, line: Phone
) -> None:
    [message] = write(FRANCE)
    run = claimed(message)

    record(run, line, [Outcome(message, sent=sent)])

    assert cost(message) == (50_000, "EUR", True)


def test_a_report_tells_cost_and_segments_and_silence_takes_nothing_back(
    write: Write, line: Phone
) -> None:
    [message] = write(FRANCE)
    claimed(message)
    reference = str(message.pk)
    priced = StatusReport(
        Delivery.SENT, reference=reference, segments=2, cost=33_300, currency="usd"
    )

    receiving.apply(line, [priced, StatusReport(Delivery.DELIVERED, reference=reference)])

    assert cost(message) == (33_300, "USD", False)
    assert (message.status, message.segments) == (Status.DELIVERED, 2)


def test_a_late_report_still_tells_the_cost(write: Write, line: Phone) -> None:
    """Its state is old news; its price is not."""
    [message] = write(FRANCE)
    claimed(message)
    reference = str(message.pk)

    receiving.apply(line, [StatusReport(Delivery.DELIVERED, reference=reference)])
    receiving.apply(
        line, [StatusReport(Delivery.SENT, reference=reference, cost=33_300, currency="EUR")]
    )

    assert message.pk
    assert cost(message) == (33_300, "EUR", False)
    assert message.status == Status.DELIVERED


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_in_any_order_the_report_knows_best(
    order: tuple[int, ...], write: Write, line: Phone
) -> None:
    [message] = write(FRANCE)
    run = claimed(message)
    steps: list[Callable[[], object]] = [
        lambda: record(run, line, [Outcome(message, sent=Sent("x", cost=1, currency="EUR"))]),
        lambda: receiving.apply(
            line, [StatusReport(Delivery.DELIVERED, "x", str(message.pk), cost=2, currency="EUR")]
        ),
        lambda: receiving.apply(line, [StatusReport(Delivery.SENT, "x", str(message.pk))]),
    ]

    for step in order:
        steps[step]()

    assert cost(message) == (2, "EUR", False)
    assert message.status == Status.DELIVERED


def test_a_report_that_came_too_early_keeps_its_price(
    write: Write, line: Phone, django_capture_on_commit_callbacks: Any
) -> None:
    [message] = write(FRANCE)
    run = claimed(message)
    with django_capture_on_commit_callbacks(execute=True):
        receiving.apply(
            line, [StatusReport(Delivery.DELIVERED, "x", segments=3, cost=2, currency="EUR")]
        )
    assert Report.objects.get().cost == 2

    record(run, line, [Outcome(message, sent=Sent("x"))])

    assert cost(message) == (2, "EUR", False)
    assert (message.segments, message.status) == (3, Status.DELIVERED)


@pytest.mark.parametrize("said", [10**30, -5, "much", 1.5])
def test_nonsense_is_no_cost(said: Any, write: Write, line: Phone) -> None:
    [message] = write(FRANCE)
    claimed(message)
    report = StatusReport(
        Delivery.SENT, reference=str(message.pk), segments=said, cost=said, currency="EUR"
    )

    receiving.apply(line, [report])

    assert cost(message) == (50_000, "EUR", True)
    assert (message.segments, message.status) == (1, Status.SENT)


# ---- Sums ---------------------------------------------------------------------------------------


@pytest.mark.database
def test_what_was_spent_is_added_up_and_what_never_left_is_not(write: Write, line: Phone) -> None:
    told, waiting, cancelled, failed, _american = write(
        FRANCE, number(2), number(3), number(4), AMERICA
    )
    record(claimed(told), line, [Outcome(told, sent=Sent("x", cost=49_000, currency="EUR"))])
    Message.objects.filter(pk=cancelled.pk).update(status=Status.CANCELLED)
    record(claimed(failed), line, [Outcome(failed, error=Rejected("No"))])

    left = ACTIVITY.counts(line.workspace_id)
    assert sorted((key[1], key[-1], sums[2:]) for key, sums in left.items()) == [
        ("failed", "EUR", (0, 0)),
        ("sent", "EUR", (49_000, 0)),
    ]
    found = {m.pk: m.will_cost for m in Message.objects.all()}
    assert [found[m.pk] for m in (told, waiting, cancelled, failed)] == [True, True, False, False]


# ---- What people see ----------------------------------------------------------------------------


def preview(client: Client, phone: Phone, to: str, **more: str) -> str:
    return shown(
        client.post("/compose/preview/", {"to": to, "text": "Hello", "phone": phone.pk, **more})
    )


def test_the_composer_says_what_it_costs_while_one_types(as_bob: Client, line: Phone) -> None:
    page = preview(as_bob, line, f"{FRANCE}, {AMERICA}, {GERMANY}")

    assert "about 0.05 EUR + 0.0079 USD" in page
    assert "price unknown for 1 number" in page
    assert "price unknown" not in preview(as_bob, line, FRANCE)
    assert "<dt>Cost</dt><dd>unknown</dd>" in preview(as_bob, line, GERMANY)


def test_the_composer_says_nothing_of_costs_where_nothing_is_known(
    as_bob: Client, line: Phone
) -> None:
    assert "Cost" not in preview(as_bob, line, FRANCE, pictured="1")
    assert "Cost" not in preview(as_bob, line, "")
    line.prices.all().delete()
    assert "Cost" not in preview(as_bob, line, FRANCE)


def test_the_message_s_page_tells_an_estimate_from_a_cost(
    as_bob: Client, write: Write, line: Phone
) -> None:
    [message] = write(FRANCE)
    page = f"/messages/{message.pk}/"
    assert "about 0.05 EUR" in shown(as_bob.get(page))
    before = as_bob.get(page).context["page"].fingerprint

    record(claimed(message), line, [Outcome(message, sent=Sent("x", 1, 49_000, "EUR"))])

    told = as_bob.get(page)
    assert "about" not in shown(told).split("<h2")[-1]
    assert "took it: 1 segment, 0.049 EUR." in shown(told)
    assert told.context["page"].fingerprint != before


def test_what_was_cancelled_shows_no_cost(as_bob: Client, write: Write, bob: User) -> None:
    [message] = write(FRANCE)
    actions.cancel(Message.objects.all(), by=bob)

    assert "EUR" not in shown(as_bob.get(f"/messages/{message.pk}/"))


def test_a_reply_is_estimated_too(
    write: Write, line: Phone, workspace: Workspace, bob: User
) -> None:
    composed = composing.create(
        workspace=workspace,
        route=Route(line),
        numbers=[FRANCE],
        text="Yes",
        by=bob,
        submission=uuid.uuid4(),
    )

    assert cost(composed.queued[0]) == (50_000, "EUR", True)


def test_each_phone_shows_what_a_segment_to_a_mobile_of_our_country_costs(
    as_bob: Client, line: Phone, workspace: Workspace
) -> None:
    other = Phone.objects.create(workspace=workspace, type="scripted", name="B", settings={})
    Phone.objects.create(workspace=workspace, type="scripted", name="C", settings={})
    prices.write(line, {"": Money(1, "EUR"), "336": Money(49_000, "EUR"), "3371": Money(9, "EUR")})
    prices.write(other, {"": Money(0, "EUR")})

    lines = as_bob.get("/compose/").context["form"].lines

    told = [choice.price.replace("\N{NO-BREAK SPACE}", " ") for choice, _blocked in lines]
    # What may leave by any of them has no price of its own.
    assert told == ["0.049 EUR", "free", "", ""]
