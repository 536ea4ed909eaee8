"""Tags and groups: renamed, put together, deleted and brought back, with nobody lost from them."""

from __future__ import annotations

import pytest
from django.test import Client

from accounts.models import User, Workspace
from campaigns import sources, steering
from contacts import changing, keeping, segments
from contacts.models import Change, Contact, Group, Segment, Tag
from tests.contacts.cast import contact

pytestmark = [pytest.mark.django_db, pytest.mark.database]


@pytest.fixture
def people(workspace: Workspace) -> list[Contact]:
    return [contact(workspace, f"Person {i}", f"+3361234567{i}") for i in range(3)]


def tagged(workspace: Workspace, name: str, *people: Contact) -> Tag:
    tag = keeping.tag_named(workspace, name)
    tag.contacts.set(people)
    return tag


def rule(workspace: Workspace, what: str, value: str) -> Segment:
    said = {"what": what, "is": "=", "value": value}
    return Segment.objects.create(workspace=workspace, name=value, folded=value.lower(), rule=said)


def test_tags_are_listed_with_how_many_have_them(
    workspace: Workspace, people: list[Contact], as_vera: Client
) -> None:
    tagged(workspace, "vip", *people[:2])
    tagged(workspace, "Artist")
    Contact.objects.filter(pk=people[0].pk).update(deleted_at="2026-11-20T00:00Z")

    answer = as_vera.get("/contacts/tags/")

    assert [(tag.name, tag.amount) for tag in answer.context["tags"]] == [
        ("Artist", 0),
        ("vip", 1),
    ]
    assert "Rename" not in answer.text


def test_a_tag_is_renamed_and_segments_follow(
    workspace: Workspace, people: list[Contact], as_bob: Client
) -> None:
    tag = tagged(workspace, "vip", people[0])
    segment = rule(workspace, "tag", "VIP")

    as_bob.post(f"/contacts/tags/{tag.pk}/edit/", {"name": " Very  important "})

    tag.refresh_from_db()
    segment.refresh_from_db()
    assert (tag.name, tag.folded) == ("Very important", "very important")
    assert list(segments.people(segment)) == [people[0]]


@pytest.mark.parametrize("name", ["", "a, b", "x" * 61])
def test_what_is_no_name_of_a_tag_is_refused(
    workspace: Workspace, as_bob: Client, name: str
) -> None:
    tag = tagged(workspace, "vip")

    answer = as_bob.post(f"/contacts/tags/{tag.pk}/edit/", {"name": name})

    assert answer.status_code == 422
    assert Tag.objects.get().name == "vip"


def test_two_tags_become_one_only_when_confirmed_and_that_is_undone(
    workspace: Workspace, people: list[Contact], as_bob: Client, bob: User
) -> None:
    kept, other = (
        tagged(workspace, "Friends", *people[:2]),
        tagged(workspace, "freinds", *people[1:]),
    )
    segment = rule(workspace, "tag", "freinds")
    address = f"/contacts/tags/{other.pk}/edit/"

    asked = as_bob.post(address, {"name": "friends"})
    assert (asked.status_code, Tag.objects.count()) == (422, 2)
    assert "There is a tag Friends already" in asked.text
    as_bob.post(address, {"name": "friends", "merge": "1"})

    segment.refresh_from_db()
    assert list(Tag.objects.all()) == [kept]
    assert set(kept.contacts.all()) == set(people)
    assert set(segments.people(segment)) == set(people)

    for change in Change.objects.order_by("-pk"):
        changing.undo(change)
    assert set(kept.contacts.all()) == set(people[:2])
    assert set(Tag.objects.get(name="freinds").contacts.all()) == set(people[1:])


@pytest.mark.parametrize("what", ["tag", "group"])
def test_what_was_deleted_is_brought_back_with_its_people(
    workspace: Workspace, people: list[Contact], as_alice: Client, what: str
) -> None:
    owner = Tag if what == "tag" else Group
    made = owner.objects.create(workspace=workspace, name="Choir", folded="choir")
    made.contacts.set(people)
    if what == "group":
        Group.objects.update(description="Every Monday")
    campaign = steering.create(workspace, None, who=[f"g{made.pk}"])
    page = "/contacts/tags/" if what == "tag" else "/groups/"

    answer = as_alice.post(f"{page}{made.pk}/delete/", follow=True)
    assert not owner.objects.exists()
    assert "Choir was deleted. 3 people" in answer.text
    as_alice.post(f"/contacts/changes/{Change.objects.get().pk}/undo/")

    back = owner.objects.get()
    assert (back.pk, back.name) == (made.pk, "Choir")
    assert set(back.contacts.all()) == set(people)
    if what == "group":
        assert back.description == "Every Monday"  # type: ignore[union-attr]
        assert sources.broken(campaign) == []


def test_an_empty_group_is_brought_back_too(workspace: Workspace, alice: User) -> None:
    group = Group.objects.create(workspace=workspace, name="Choir", folded="choir")

    change = changing.drop(group, alice)
    assert change.can_be_undone
    changing.undo(change)

    assert Group.objects.get().name == "Choir"


def test_a_name_that_was_taken_meanwhile_is_no_obstacle(
    workspace: Workspace, people: list[Contact], alice: User
) -> None:
    group = Group.objects.create(workspace=workspace, name="Choir", folded="choir")
    group.contacts.set(people)
    tag = tagged(workspace, "vip", people[0])
    changes = [changing.drop(group, alice), changing.drop(tag, alice)]
    Group.objects.create(workspace=workspace, name="choir", folded="choir")
    again = tagged(workspace, "VIP", people[1])

    for change in changes:
        changing.undo(change)

    assert set(Group.objects.get(name="Choir (2)").contacts.all()) == set(people)
    assert list(Tag.objects.all()) == [again]
    assert set(again.contacts.all()) == set(people[:2])


def test_only_who_may_delete_groups_brings_them_back(
    workspace: Workspace, alice: User, as_bob: Client
) -> None:
    group = Group.objects.create(workspace=workspace, name="Choir", folded="choir")
    change = changing.drop(group, alice)

    assert as_bob.post(f"/contacts/changes/{change.pk}/undo/").status_code == 403
    assert not Group.objects.exists()
