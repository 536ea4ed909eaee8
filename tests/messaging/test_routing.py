"""Through what: the right phone of several, the same for the same person, the simulator never by chance."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from accounts.models import Workspace
from messaging import routing
from messaging.carrying import Load
from messaging.models import Direction, Message, Status
from messaging.routing import Candidate, Route, assign
from phones import reaching
from phones.models import Phone, Pool, PoolPhone
from tests.messaging.conftest import number

pytestmark = pytest.mark.django_db

HELLO = Load("Hello")
Make = Callable[..., Phone]


@pytest.fixture
def make(workspace: Workspace, scripted: Any) -> Make:
    def make(name: str, **extra: Any) -> Phone:
        extra = {"type": "scripted", "settings": {}, "rate": 100, **extra}
        return Phone.objects.create(workspace=workspace, name=name, **extra)

    return make


def pool_of(workspace: Workspace, **places: tuple[Phone, int, int]) -> Pool:
    pool = Pool.objects.create(workspace=workspace, name="Fast", folded="fast")
    for phone, priority, weight in places.values():
        PoolPhone.objects.create(pool=pool, phone=phone, priority=priority, weight=weight)
    return pool


def chosen(workspace: Workspace, route: Route, *numbers: str, **extra: Any) -> list[str]:
    """Give the name of each number's phone, or why it waits."""
    loads = [(index, to, HELLO) for index, to in enumerate(numbers)]
    return [
        item.phone.name if item.phone else item.why
        for item in assign(workspace, route, loads, **extra).values()
    ]


def test_the_highest_priority_goes_first(workspace, make) -> None:
    make("Low"), make("High", priority=5)

    assert chosen(workspace, Route(), number(1), number(2)) == ["High", "High"]


def test_a_paused_phone_lets_the_next_one_go(workspace, make) -> None:
    make("Low"), make("High", priority=5, paused_at=timezone.now())

    assert chosen(workspace, Route(), number(1)) == ["Low"]


def test_equals_share_by_weight(workspace, make) -> None:
    one, three = make("One"), make("Three")
    route = Route(pool=pool_of(workspace, a=(one, 0, 1), b=(three, 0, 3)))

    shares = Counter(chosen(workspace, route, *map(number, range(1000))))

    assert 690 < shares["Three"] < 810
    assert shares["One"] + shares["Three"] == 1000


def test_the_same_number_gets_the_same_phone(workspace, make) -> None:
    make("One"), make("Two")
    numbers = [number(index) for index in range(20)]

    assert chosen(workspace, Route(), *numbers) == chosen(workspace, Route(), *numbers)


@pytest.mark.database
def test_who_wrote_to_one_phone_is_answered_by_it(workspace, make) -> None:
    phones = {phone.name: phone for phone in (make("One"), make("Two"))}
    usual = chosen(workspace, Route(), number(1))[0]
    other = next(phone for name, phone in phones.items() if name != usual)
    Message.objects.create(
        workspace=workspace, phone=other, direction=Direction.IN, status=Status.RECEIVED,
        peer=number(1),
    )  # fmt: skip

    assert chosen(workspace, Route(), number(1)) == [other.name]


def test_a_new_person_goes_where_there_is_room_and_one_who_is_known_waits(workspace, make) -> None:
    phones = {phone.name: phone for phone in (make("One"), make("Two"))}
    usual = phones[chosen(workspace, Route(), number(1))[0]]
    other = next(phone for phone in phones.values() if phone != usual)
    room = {usual.pk: 0, other.pk: 1}

    assert chosen(workspace, Route(), number(1), room=room) == [other.name]

    Message.objects.create(
        workspace=workspace, phone=usual, direction=Direction.OUT, status=Status.SENT,
        peer=number(1),
    )  # fmt: skip
    assert chosen(workspace, Route(), number(1), room=room) == [
        f"It waits until {usual.name} has room"
    ]


def test_a_phone_takes_no_more_than_it_has_room_for(workspace, make) -> None:
    one, two = make("One"), make("Two")

    names = chosen(workspace, Route(), *map(number, range(10)), room={one.pk: 3, two.pk: 2})

    assert Counter(names)["One"] == 3
    assert Counter(names)["Two"] == 2


def test_a_country_that_is_denied_is_left_to_others(workspace, make) -> None:
    make("High", priority=1, denied=["FR"]), make("Low", denied=["GB", "3361"])

    assert chosen(workspace, Route(), "+33712345678", "+447911123456") == ["Low", "High"]
    assert assign(workspace, Route(), [(1, "+33612345678", HELLO)])[1].is_hopeless
    everybody = ["+33712345678", "+447911123456", "+33612345678"]
    assert routing.reachable(workspace, Route(), HELLO, everybody) == set(everybody[:2])


@pytest.mark.parametrize(
    ("allowed", "denied", "number", "may"),
    [
        ([], [], "+33612345678", True),
        (["FR"], [], "+33612345678", True),
        (["FR"], [], "+447911123456", False),
        (["CA"], [], "+12025550123", False),
        ([], ["1"], "+12025550123", False),
        (["1202"], ["1"], "+12025550123", True),
        (["US"], ["1202"], "+12025550123", False),
        (["1202"], ["1202"], "+12025550123", False),
        ([], ["CA"], "+12025550123", True),
    ],
)
def test_the_longest_prefix_says_whether_a_number_may_be_written_to(
    allowed, denied, number, may
) -> None:
    assert reaching.permits(Phone(allowed=allowed, denied=denied), number) is may


def test_places_are_read_as_people_write_them() -> None:
    assert reaching.read("FR, +33 6; 0044\nfr") == ["FR", "336", "44"]
    with pytest.raises(reaching.NotAPlace):
        reaching.read("France")


def test_pictures_go_to_phones_that_send_them_and_else_as_links(workspace, make, phone) -> None:
    picture = Load("Look", picture=True)
    plain = make("Plain", type="smpp", priority=9)
    assert routing.links(routing.candidates(workspace, Route(phone=plain)))
    assert assign(workspace, Route(phone=plain), [(1, number(1), picture)])[1].phone == plain

    able = make("Able")

    assert assign(workspace, Route(), [(1, number(1), picture)])[1].phone == able


def test_the_simulator_is_never_any_phone_where_there_is_a_real_one(workspace, make, phone) -> None:
    assert chosen(workspace, Route(), number(1)) == ["Simulator"]

    make("Real", paused_at=timezone.now())

    assert chosen(workspace, Route(), number(1)) == ["Real is paused"]


def test_a_thousand_are_assigned_in_a_few_queries(
    workspace, make, django_assert_max_num_queries
) -> None:
    make("One"), make("Two")
    loads = [(index, number(index), HELLO) for index in range(1000)]

    with django_assert_max_num_queries(3):
        assign(workspace, Route(), loads)


@given(st.sets(st.integers(1, 50), min_size=2, max_size=6), st.integers(0, 10**9))
def test_a_phone_that_goes_takes_only_its_own_people_with_it(ids, person) -> None:
    found = [Candidate(Phone(pk=pk), 0, 1 + pk % 3, frozenset()) for pk in sorted(ids)]
    ranked = sorted(found, key=lambda item: routing._rank(item, str(person)))

    without = [item for item in found if item is not ranked[0]]

    assert max(without, key=lambda item: routing._rank(item, str(person))) is ranked[-1]
