"""Rules say the same as a text, as a tree and as a form, and one query finds exactly whom they hold for."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from accounts.models import User, Workspace
from contacts import keeping, segments, services
from contacts.models import Contact, Segment
from contacts.rules import building, checking, compiling, language, tree
from contacts.rules.subjects import OPERATORS, Subject, subjects
from contacts.rules.tree import And, Not, Or, Question, Rule, Today
from messaging.models import Direction, Message, Status
from phones.models import Phone
from tests.contacts.cast import contact, field

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
TODAY = NOW.date()
KNOWN = {
    subject.name: subject
    for subject in (
        Subject("name", "Name", "text"),
        Subject("town", "Town", "text", is_field=True),
        Subject("level", "Level", "number", is_field=True),
        Subject("born", "Born", "date", is_field=True),
        Subject("vip", "Vip", "yes_no", is_field=True),
        Subject("group", "Group", "member", choices=(("Choir", "Choir"), ("Staff", "Staff"))),
        Subject("created", "Added", "moment"),
    )
}

# ---- Generated rules -------------------------------------------------------------------------

_DAYS = st.dates(date(1900, 1, 1), date(2100, 1, 1)) | st.builds(Today, st.integers(-400, 400))
_TEXTS = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=8
)
_VALUES: dict[str, st.SearchStrategy[Any]] = {
    "text": _TEXTS.filter(str.strip),
    "number": st.integers(-1000, 1000) | st.decimals(-99, 99, places=2).map(float),
    "date": _DAYS,
    "moment": _DAYS,
    "yes_no": st.booleans(),
    "member": st.sampled_from(["Choir", "Staff"]),
    "age": st.integers(-5, 120) | st.just(17.5),
    "birthday": _DAYS,
}


@st.composite
def one_test(draw: Any) -> Question:
    subject = draw(st.sampled_from(list(KNOWN.values())))
    function = draw(st.sampled_from(["", "age", "birthday"])) if subject.type == "date" else ""
    operator = draw(st.sampled_from(OPERATORS[function or subject.type]))
    if operator in tree.BARE:
        value = None
    elif operator == tree.WITHIN:
        value = draw(st.integers(0, 366))
    else:
        value = draw(_VALUES[function or subject.type])
    return checking.check_test(Question(subject.name, operator, value, function), KNOWN)


def _joined(inner: st.SearchStrategy[Rule]) -> st.SearchStrategy[Rule]:
    several = st.lists(inner, min_size=2, max_size=3).map(tuple)
    return st.builds(Not, inner) | st.builds(And, several) | st.builds(Or, several)


RULES: st.SearchStrategy[Rule] = st.recursive(one_test(), _joined, max_leaves=6).filter(
    lambda rule: tree.depth(rule) <= tree.MOST_DEEP
)


def flat(rule: Rule) -> Rule:
    """Give a rule without the brackets that mean nothing: (a AND b) AND c is a AND b AND c."""
    if isinstance(rule, Not):
        return Not(flat(rule.rule))
    if isinstance(rule, And | Or):
        kind, found = type(rule), []
        for inner in map(flat, rule.rules):
            found += inner.rules if isinstance(inner, kind) else [inner]
        return kind(tuple(found))
    return rule


@given(RULES)
def test_a_rule_is_the_same_as_a_text(rule: Rule) -> None:
    text = language.write(rule)

    assert flat(language.read(text, KNOWN)) == flat(rule)
    assert language.write(language.read(text, KNOWN)) == text


@given(RULES)
def test_a_rule_is_the_same_as_json(rule: Rule) -> None:
    assert tree.load(tree.dump(rule)) == rule


@given(RULES)
def test_a_rule_is_the_same_as_a_form(rule: Rule) -> None:
    root = building.of_rule(rule, KNOWN)
    posted: dict[str, str] = {}

    def post(node: building.Node) -> None:
        name = f"n{node.path}"
        posted[f"{name}.not"] = "1" if node.negated else ""
        if node.is_group:
            posted[f"{name}.count"] = str(len(node.inner))
            posted[f"{name}.join"] = node.join
            for inner in node.inner:
                post(inner)
        else:
            posted[f"{name}.what"] = node.what
            posted[f"{name}.is"] = node.operator
            posted[f"{name}.value"] = node.value

    post(root)
    back = building.to_rule(building.read(posted, KNOWN), KNOWN)
    assert back is not None
    assert language.write(back) == language.write(rule)


@given(st.text(max_size=60))
def test_no_text_breaks_the_reader(text: str) -> None:
    try:
        language.read(text, KNOWN)
    except language.Mistake as error:
        assert 0 <= error.at <= len(text)  # noqa: PT017


@pytest.mark.parametrize(
    ("text", "at", "words"),
    [
        ('town = "Lyon', 7, "quotation mark"), ('twon = "Lyon"', 0, "no field “twon”"),
        ("town = 3", 7, "A text belongs here"), ('level > "a"', 8, "A number"),
        ('town < "a"', 5, "cannot be asked"), ('(town = "a"', 0, "never closed"),
        ('town = "a" level = 3', 11, "AND or OR"), ("", 0, "name of a field"),
        ("born = 2026-02-30", 7, "no such day"), ('group = "Nobody"', 8, "no group"),
        ("age(town) > 3", 0, "no date"), ('town ~ "a"', 5, "cannot be read"), ("NOT", 3, "name of a field"),
        ("birthday(born) within 999", 22, "number of days"), ("vip = 1", 6, "Yes or no"),
        ("(" * 60 + 'town = "a"' + ")" * 60, 17, "too deep"),
    ],
)  # fmt: skip
def test_mistakes_point_at_their_place(text: str, at: int, words: str) -> None:
    with pytest.raises(language.Mistake) as mistake:
        language.read(text, KNOWN)

    assert words in str(mistake.value)
    assert mistake.value.at == at


def test_words_may_be_written_in_any_way() -> None:
    said = 'not (TOWN Starts With "L" and Level <> -2.50) or age( born )>=18 or born<today-3 days'
    rule = language.read(said, KNOWN)

    assert language.write(rule) == (
        'NOT (town STARTS WITH "L" AND level != -2.5) OR age(born) >= 18 OR born < today - 3'
    )


# ---- Finding ---------------------------------------------------------------------------------


def holds(rule: Rule, person: Contact, groups: set[str]) -> bool:
    """Say whether a rule holds for somebody, one by one: what the query must agree with."""
    if isinstance(rule, Not):
        return not holds(rule.rule, person, groups)
    if isinstance(rule, And | Or):
        found = [holds(inner, person, groups) for inner in rule.rules]
        return all(found) if isinstance(rule, And) else any(found)
    if rule.operator in (tree.OTHER, tree.EMPTY):
        opposite = tree.EQUAL if rule.operator == tree.OTHER else tree.KNOWN
        return not holds(Question(rule.what, opposite, rule.value, rule.function), person, groups)
    if rule.what == "group":
        return bool(groups) if rule.operator == tree.KNOWN else rule.value in groups
    has: Any = {"name": person.name or None, "created": TODAY}.get(
        rule.what, person.values.get(rule.what)
    )
    if has is None or rule.operator == tree.KNOWN:
        return has is not None
    if rule.what == "born":
        has = date.fromisoformat(has)
    wanted: Any = rule.value
    if isinstance(wanted, Today):
        wanted = TODAY + timedelta(days=wanted.days)
    if rule.function == "birthday":
        days = [wanted] if rule.operator == tree.EQUAL else [
            TODAY + timedelta(days=more) for more in range(wanted + 1)
        ]  # fmt: skip
        words = {f"{day:%m-%d}" for day in days}
        if any((day + timedelta(days=1)).strftime("%m-%d") == "03-01" for day in days):
            words.add("02-29")
        return f"{has:%m-%d}" in words
    if rule.function == "age":
        has = TODAY.year - has.year - ((TODAY.month, TODAY.day) < (has.month, has.day))
    if isinstance(has, str):
        has, wanted = has.lower(), str(wanted).lower()
    return {
        tree.EQUAL: lambda: has == wanted, tree.LESS: lambda: has < wanted,
        tree.MOST: lambda: has <= wanted, tree.MORE: lambda: has > wanted,
        tree.LEAST: lambda: has >= wanted, tree.CONTAINS: lambda: wanted in has,
        tree.STARTS: lambda: has.startswith(wanted), tree.ENDS: lambda: has.endswith(wanted),
    }[rule.operator]()  # fmt: skip


def some_test(luck: random.Random) -> Question:
    what = luck.choice(["name", "town", "level", "born", "vip", "group", "created"])
    function = luck.choice(["", "age", "birthday"]) if what == "born" else ""
    operator = luck.choice(OPERATORS[function or KNOWN[what].type])
    values: dict[str, Any] = {
        "name": ["Ann", "o", "B"], "town": ["Lyon", "yo", "l", "%"], "level": [1, 2, 2.5],
        "vip": [True, False],
        "group": ["Choir", "Staff"], "created": [TODAY, Today(-1), Today(1)],
        "born": [date(1990, 3, 1), date(2008, 2, 29), Today(0), Today(-9000)],
        "age": [18, 36, 35.5], "birthday": [Today(0), date(2026, 2, 28), Today(1)],
    }  # fmt: skip
    value = luck.choice(values[function or what])
    if operator == tree.WITHIN:
        value = luck.choice([0, 3, 366])
    return Question(what, operator, None if operator in tree.BARE else value, function)


def some_rule(luck: random.Random, deep: int = 0) -> Rule:
    kind = luck.choice(["test", "test", "not", "and", "or"]) if deep < 3 else "test"
    if kind == "test":
        return some_test(luck)
    if kind == "not":
        return Not(some_rule(luck, deep + 1))
    inner = tuple(some_rule(luck, deep + 1) for _ in range(luck.randint(2, 3)))
    return And(inner) if kind == "and" else Or(inner)


@pytest.fixture
def crowd(workspace: Workspace) -> list[tuple[Contact, set[str]]]:
    workspace.time_zone = "UTC"
    workspace.save()
    for label, type_ in (
        ("Town", "text"),
        ("Level", "number"),
        ("Born", "date"),
        ("Vip", "yes_no"),
    ):
        field(workspace, label, type_)
    choir, staff = keeping.group_named(workspace, "Choir"), keeping.group_named(workspace, "Staff")
    luck, found = random.Random(7), []
    for number in range(30):
        options: dict[str, list[Any]] = {
            "town": ["Lyon", "LYON", "Paris", "50%", None], "level": [1, 2, 2.5, -3, None],
            "born": ["1990-03-01", "1990-03-02", "2008-02-29", "2008-03-01", "2026-02-28", None],
            "vip": [True, False, None],
        }  # fmt: skip
        values = {
            key: value for key, some in options.items() if (value := luck.choice(some)) is not None
        }
        person = contact(
            workspace, luck.choice(["Ann", "Bo", "bob", ""]), f"+336123456{number:02}", **values
        )
        groups = {group for group in (choir, staff) if luck.random() < 0.4}
        person.groups.set(groups)
        found.append((person, {group.name for group in groups}))
    Contact.objects.update(created_at=NOW)
    return found


@pytest.mark.django_db
def test_one_query_finds_exactly_whom_a_rule_holds_for(workspace: Workspace, crowd: Any) -> None:
    luck = random.Random(11)
    for _ in range(250):
        rule = some_rule(luck)
        found = set(compiling.people(workspace, rule, NOW).values_list("pk", flat=True))
        wanted = {person.pk for person, groups in crowd if holds(rule, person, groups)}

        assert found == wanted, language.write(rule)


@pytest.mark.django_db
def test_messages_and_opt_outs_can_be_asked_for(workspace: Workspace, phone: Phone) -> None:
    people = [contact(workspace, name, f"+3361234567{n}") for n, name in enumerate("ABC")]
    services.opt_out(workspace, people[2].number, "person")
    for person, direction, days in (
        (people[0], "in", 40),
        (people[1], "in", 1),
        (people[1], "out", 0),
    ):
        message = Message.objects.create(
            workspace=workspace, phone=phone, direction=Direction(direction), peer=person.number,
            status=Status.RECEIVED if direction == "in" else Status.SENT, text="x",
        )  # fmt: skip
        Message.objects.filter(pk=message.pk).update(created_at=NOW - timedelta(days=days))

    def found(text: str) -> str:
        rule = language.read(text, subjects(workspace))
        return "".join(sorted(p.name for p in compiling.people(workspace, rule, NOW)))

    assert found("last reply < today - 30") == "A"
    assert found("last reply >= today - 30") == "B"
    assert found("last reply is empty") == "C"
    assert found("last message = today") == "B"
    assert found("NOT last message IS KNOWN") == "AC"
    assert found("opted out = yes") == "C"
    assert found('number = "06 12 34 56 70" OR country = "fr" AND kind = "landline"') == "A"


@pytest.mark.django_db
def test_a_rule_for_what_is_gone_holds_for_nobody(workspace: Workspace, crowd: Any) -> None:
    rule = Not(Question("town", "=", "Nowhere"))
    segment = Segment.objects.create(
        workspace=workspace, name="S", folded="s", rule=tree.dump(rule)
    )
    assert segments.people(segment).count() == len(crowd)

    keeping.delete_field(workspace.fields.get(key="town"))

    assert segments.people(segment).count() == 0
    assert "no field" in segments.problem(segment)
    broken = Segment(workspace=workspace, name="B", rule={"odd": 1})
    assert segments.people(broken).count() == 0


@pytest.mark.django_db
def test_a_segment_follows_its_group_to_a_new_name(
    workspace: Workspace, crowd: Any, as_alice: Client
) -> None:
    rule = tree.dump(And((Question("group", "=", "Choir"), Not(Question("vip", "=", True)))))
    segment = Segment.objects.create(workspace=workspace, name="S", folded="s", rule=rule)
    before = segments.people(segment).count()
    group = workspace.groups.get(name="Choir")
    as_alice.post(f"/groups/{group.pk}/edit/", {"name": "Singers", "description": ""})

    segment.refresh_from_db()
    assert before > 0
    assert segments.people(segment).count() == before
    assert "Singers" in language.write(segments.rule_of(segment))
    assert "S" in as_alice.get(f"/groups/{group.pk}/delete/").content.decode()


@pytest.mark.django_db
def test_finding_takes_the_same_queries_for_any_rule(workspace: Workspace, crowd: Any) -> None:
    luck = random.Random(3)
    for _ in range(5):
        with CaptureQueriesContext(
            connection,
        ) as asked:
            list(compiling.people(workspace, some_rule(luck), NOW))
        # What may be asked for takes three, the people one, or none where nobody can be meant.
        assert len(asked) in (3, 4)


# ---- Pages -----------------------------------------------------------------------------------


@pytest.fixture
def lyon(workspace: Workspace) -> list[Contact]:
    field(workspace, "Town")
    return [
        contact(workspace, "Nadia", "+33612345670", town="Lyon"),
        contact(workspace, "Omar", "+33612345671", town="Paris"),
    ]


BUILT = {
    "name": "Lyon", "mode": "build", "n0.count": "1", "n0.join": "all", "n0-0.what": "town",
    "n0-0.is": "=", "n0-0.value": "Lyon",
}  # fmt: skip


@pytest.mark.django_db
def test_a_segment_is_built_looked_at_and_used(
    as_bob: Client, lyon: Any, workspace: Workspace
) -> None:
    looked = as_bob.post("/segments/add/", BUILT | {"act": "look"}).content.decode()
    assert "Nadia" in looked
    assert "Omar" not in looked
    assert not Segment.objects.exists()

    saved = as_bob.post("/segments/add/", BUILT | {"act": "save"})
    segment = Segment.objects.get()
    page = as_bob.get(saved["Location"]).content.decode()
    listed = as_bob.get(f"/contacts/?segment={segment.pk}").content.decode()
    as_bob.post(
        "/contacts/change/", {"segment": segment.pk, "all": "1", "what": "tag", "new": "ly"}
    )

    assert segment.rule == {"what": "town", "is": "=", "value": "Lyon"}
    assert "town = &quot;Lyon&quot;" in page
    assert "Omar" not in page + listed
    assert [person.name for person in workspace.tags.get().contacts.all()] == ["Nadia"]


@pytest.mark.django_db
def test_buttons_add_and_take_out_questions(as_bob: Client, lyon: Any) -> None:
    added = as_bob.post("/segments/add/", BUILT | {"act": "add:0"}).content.decode()
    nested = as_bob.post("/segments/add/", BUILT | {"act": "nest:0"}).content.decode()
    removed = as_bob.post("/segments/add/", BUILT | {"act": "remove:0-0"}).content.decode()

    assert 'name="n0-1.what"' in added
    assert 'name="n0-1-0.what"' in nested
    assert 'name="n0-0.what"' not in removed


@pytest.mark.django_db
def test_a_text_is_not_drawn_anew_while_one_types_it(as_bob: Client, lyon: Any) -> None:
    built = as_bob.post("/segments/add/", BUILT | {"act": "look"}).text
    written = as_bob.post("/segments/add/", BUILT | {"act": "write"}).text

    assert 'hx-trigger="change"' in built
    assert 'hx-trigger="change"' not in written


@pytest.mark.django_db
def test_the_form_turns_into_a_text_and_back(as_bob: Client, lyon: Any) -> None:
    text = as_bob.post("/segments/add/", BUILT | {"act": "write"}).content.decode()
    back = as_bob.post(
        "/segments/add/",
        {"mode": "write", "act": "build", "text": 'NOT town = "Paris"', "name": "x"},
    ).content.decode()

    assert "town = &quot;Lyon&quot;</textarea>" in text
    assert 'value="Paris"' in back
    assert '<option value="1" selected>' in back


@pytest.mark.django_db
def test_a_wrong_rule_is_not_saved(as_bob: Client, lyon: Any) -> None:
    written = {"mode": "write", "act": "save", "text": 'twon = "Lyon"', "name": "x"}
    wrong = as_bob.post("/segments/add/", written)
    unnamed = as_bob.post("/segments/add/", BUILT | {"act": "save", "name": " "})

    assert (wrong.status_code, unnamed.status_code) == (422, 422)
    assert "no field “twon”" in wrong.content.decode()
    assert "<mark>twon" in wrong.content.decode()
    assert not Segment.objects.exists()


@pytest.mark.django_db
def test_a_segment_can_be_written_to(
    as_bob: Client, lyon: Any, workspace: Workspace, phone: Phone
) -> None:
    rule = tree.dump(Question("town", "=", "Lyon"))
    segment = Segment.objects.create(workspace=workspace, name="Lyon", folded="lyon", rule=rule)
    page = as_bob.get(f"/compose/?segment={segment.pk}").content.decode()
    found = as_bob.get("/compose/recipients/?q=lyo").content.decode()

    assert f'value="s{segment.pk}" checked' in page
    assert "Send to 1 person" in page
    assert f'data-value="s{segment.pk}"' in found


@pytest.mark.django_db
def test_segments_of_others_do_not_exist(
    as_charlie: Client, workspace: Workspace, charlie: User
) -> None:
    segment = Segment.objects.create(workspace=workspace, name="Secret", folded="secret", rule={})

    assert as_charlie.get(f"/segments/{segment.pk}/").status_code == 404
    assert "Secret" not in as_charlie.get("/segments/").content.decode()
