"""People are kept once per number, found again, changed in bulk, and brought back."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import User, Workspace
from contacts import carriers, changing, finding, keeping, services
from contacts.finding import Wanted
from contacts.models import Change, Contact, Field, Group, Tag
from tests.contacts.cast import contact, field

pytestmark = [pytest.mark.django_db, pytest.mark.database]


def found(workspace: Workspace, **wanted: object) -> list[str]:
    people = finding.find(workspace, Wanted(**wanted))  # type: ignore[arg-type]
    return sorted(person.name for person in people)


def test_what_follows_from_the_number_is_known(workspace: Workspace) -> None:
    mobile = contact(workspace, "Nadia", "+33612345678")
    landline = contact(workspace, "Office", "+33142685300")

    assert (mobile.kind, mobile.country) == ("mobile", "FR")
    assert (landline.kind, landline.country) == ("landline", "FR")


def test_a_number_is_kept_once_among_the_living(workspace: Workspace, alice: User) -> None:
    first = contact(workspace, "Nadia", "+33612345678")
    with pytest.raises(keeping.Taken) as taken:
        contact(workspace, "Omar", "+33612345678")
    changing.delete(workspace, Contact.objects.all(), by=alice)

    assert taken.value.contact == first
    contact(workspace, "Omar", "+33612345678")
    assert found(workspace) == ["Omar"]


@pytest.mark.parametrize(
    "q", ["zoe", "ZOÉ", "elodie zoe", "lyon", "06 12 34", "+33 6 12", "345678", "0033612"]
)
def test_people_are_found_without_accents_and_by_any_part(workspace: Workspace, q: str) -> None:
    contact(workspace, "Zoé Élodie", "+33612345678", town="Lyon")
    contact(workspace, "Omar", "+447911123456", town="Leeds")

    assert found(workspace, q=q) == ["Zoé Élodie"]


def test_what_a_field_says_is_looked_for_by_its_type(workspace: Workspace) -> None:
    town, since = field(workspace, "Town"), field(workspace, "Since", "date")
    vip, age = field(workspace, "Vip", "yes_no"), field(workspace, "Level", "number")
    contact(workspace, "A", "+33612345671", town="Lyon", since="2020-01-31", vip=True, level=3)
    contact(workspace, "B", "+33612345672", town="Paris", vip=False)

    assert found(workspace, field=town, value="lyo") == ["A"]
    assert found(workspace, field=town) == ["A", "B"]
    assert found(workspace, field=since, value="2020") == ["A"]
    assert found(workspace, field=vip, value="no") == ["B"]
    assert found(workspace, field=age, value="3") == ["A"]
    assert found(workspace, field=age, value="x") == []


@pytest.mark.parametrize("order", ["", "newest", "changed"])
def test_pages_show_everybody_once(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, order: str
) -> None:
    monkeypatch.setattr(finding, "PAGE", 2)
    for number in range(7):
        contact(workspace, "Same" if number % 2 else f"N{number}", f"+3361234567{number}")

    seen, mark = [], ""
    for _ in range(4):
        page = finding.page(finding.find(workspace, Wanted()), order, mark)
        seen += [person.pk for person in page.contacts]
        mark = page.following

    assert (len(seen), len(set(seen)), mark) == (7, 7, "")


def test_each_change_of_many_can_be_undone(workspace: Workspace, alice: User) -> None:
    a, b = (contact(workspace, name, f"+3361234567{n}") for n, name in enumerate("AB"))
    tag, group = keeping.tag_named(workspace, "VIP"), keeping.group_named(workspace, "Choir")
    a.tags.add(tag)
    b.groups.add(group)
    people = Contact.objects.living()

    changes = [
        changing.tag(workspace, people, tag, by=alice),
        changing.ungroup(workspace, people, group, by=alice),
        changing.delete(workspace, people, by=alice),
    ]
    assert [change.people for change in changes] == [[b.pk], [b.pk], [a.pk, b.pk]]
    assert found(workspace) == []

    assert [changing.undo(change) for change in reversed(changes)] == [2, 1, 1]
    assert changing.undo(changes[0]) == 0
    assert found(workspace) == ["A", "B"]
    assert [list(person.tags.all()) for person in (a, b)] == [[tag], []]
    assert list(b.groups.all()) == [group]


def test_who_is_replaced_meanwhile_stays_deleted(workspace: Workspace, alice: User) -> None:
    contact(workspace, "Old", "+33612345678")
    change = changing.delete(workspace, Contact.objects.all(), by=alice)
    contact(workspace, "New", "+33612345678")

    assert changing.undo(change) == 0
    assert found(workspace) == ["New"]


def test_the_deleted_go_for_good_after_a_month(workspace: Workspace, alice: User) -> None:
    contact(workspace, "Old", "+33612345678")
    changing.delete(workspace, Contact.objects.all(), by=alice)
    changing.purge()
    assert Contact.objects.count() == 1

    Contact.objects.update(deleted_at=timezone.now() - timedelta(days=31))
    Change.objects.update(created_at=timezone.now() - timedelta(days=31))
    changing.purge()

    assert (Contact.objects.count(), Change.objects.count()) == (0, 0)


def test_a_merge_fills_gaps_and_loses_nothing(workspace: Workspace, alice: User) -> None:
    kept = contact(workspace, "Nadia", "+33612345678", town="Lyon")
    other = contact(workspace, "N. B.", "+33698765432", town="Paris", vip=True)
    other.groups.add(keeping.group_named(workspace, "Choir"))

    change = keeping.merge(kept, [other], by=alice)

    kept.refresh_from_db()
    assert (kept.name, kept.values) == ("Nadia", {"town": "Lyon", "vip": True})
    assert [group.name for group in kept.groups.all()] == ["Choir"]
    assert found(workspace) == ["Nadia"]
    assert changing.undo(change) == 1


def test_tags_and_groups_are_one_whatever_their_case(workspace: Workspace) -> None:
    assert keeping.tag_named(workspace, "Été") == keeping.tag_named(workspace, " ete ")
    assert keeping.names_in("a, A;b\n b ,,") == ["A", "b"]


def test_a_deleted_field_takes_its_values_along(workspace: Workspace) -> None:
    town = field(workspace, "Town")
    person = contact(workspace, "A", "+33612345671", town="Lyon", level=3)

    keeping.delete_field(town)
    assert keeping.fields_of(workspace) == []
    keeping.forget_values(town.pk)

    person.refresh_from_db()
    assert person.values == {"level": 3}
    assert found(workspace, q="lyon") == []
    assert not Field.objects.exists()


def test_keys_of_fields_are_free_words(workspace: Workspace) -> None:
    labels = ["Date of birth", "Date-of-birth", "Name", "1st", "名前"]
    keys = [field(workspace, label).key for label in labels]

    assert keys == ["date_of_birth", "date_of_birth_2", "name_2", "field_1st", "field"]


def test_others_learn_names_and_carriers(
    workspace: Workspace, django_assert_num_queries: object
) -> None:
    person = contact(workspace, "Nadia", "+33612345678")
    person.carrier = "orange-fr"
    keeping.save(person)
    numbers = ["+33612345678", "+33600000000"]

    with django_assert_num_queries(2):  # type: ignore[operator]
        assert services.names(workspace.pk, numbers) == {"+33612345678": "Nadia"}
        assert carriers.carriers(workspace.pk, numbers) == {"+33612345678": "orange-fr"}


def test_who_is_in_a_group_are_the_living(workspace: Workspace, alice: User) -> None:
    group = keeping.group_named(workspace, "Choir")
    people = [contact(workspace, name, f"+3361234567{n}") for n, name in enumerate("AB")]
    group.contacts.set(people)
    changing.delete(workspace, Contact.objects.filter(name="A"), by=alice)

    assert [person.name for person in services.members(group)] == ["B"]
    assert Group.objects.count() == 1
    assert not Tag.objects.exists()
