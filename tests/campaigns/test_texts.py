"""What a text with merge fields says to one person, and what it says of its own mistakes."""

from __future__ import annotations

import contextlib
import time
from datetime import date, datetime
from typing import Any

import pytest
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st

from campaigns.merging.filters import FILTERS
from campaigns.merging.lexing import MOST_SOURCE
from campaigns.texts import Bad, Unmakeable, compiled, problems
from messaging.forms import MOST_TEXT

NADIA: dict[str, Any] = {
    "contact": {
        "name": "Nadia Benali", "firstname": "Nadia", "language": "fr", "born": date(1999, 8, 3),
        "points": 12.5, "member": True, "left": False, "town": " ", "tags": ("vip", "staff"),
    },
    "row": {"age": "20", "price": "1 234,5", "when": "24/12/2026 14h30", "code": "007", "1st": "Léo"},
    "workspace": {"name": "Les Tilleuls", "language": "en"},
}  # fmt: skip
KNOWN = ["contact.firstname", "contact.name", "row.child"]


def said(source: str, values: dict[str, Any] = NADIA) -> str:
    return compiled(source).render(values).text


# ---- What it says -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("Hello {{ contact.firstname }}!", "Hello Nadia!"),
        ("{{contact.firstname|upcase}}", "NADIA"),
        ('{{ row["1st"] }}', "Léo"),
        ('{{ contact.town | default: "there" }}', "there"),
        ('{{ contact.town | upcase | default: "there" }}', "there"),
        ('{{ contact.left | default: "stays" }}', "stays"),
        ('{{ contact.firstname | default: contact.name }}', "Nadia"),
        ("{{ contact.name | downcase | capitalize }}", "Nadia benali"),
        ('{{ " a  b " | strip }}|{{ " a  b " | squish }}', "a  b|a b"),
        ('{{ contact.name | truncate: 8 }}|{{ contact.name | truncate: 6, "…" }}', "Nadia...|Nadia…"),
        ('{{ "a b c" | truncatewords: 2, "…" }}', "a b…"),
        ('{{ "b" | prepend: "a" | append: "c" | remove: "b" }}', "ac"),
        ("{{ contact.name | first }}{{ contact.name | last }}", "Ni"),
        ("{{ contact.name | size }} {{ contact.tags | size }}", "12 2"),
        ("{{ contact.tags }}", "vip, staff"),
        ("{{ row.age | plus: 1 }} {{ row.age | minus: 0.5 }}", "21 19,5"),
        ("{{ 0.1 | plus: 0.2 }}", "0,3"),
        ("{{ row.price | times: 2 }} {{ row.price | round }}", "2469 1235"),
        ("{{ 7 | divided_by: 2 }} {{ 8 | divided_by: 2.0 }}", "3,5 4"),
        ("{{ 12.5 | round: 2 }} {{ 1.5 | ceil }} {{ -1.5 | floor }}", "12,50 2 -2"),
        ("{{ contact.points }} {{ contact.member }} {{ contact.left }}", "12,5 oui non"),
        ('{{ "{{" }} and {% raw', None),
        ('{{ "{{" }}', "{{"),
    ],
    ids=str,
)  # fmt: skip
def test_a_field_says_what_is_known(source: str, text: str | None) -> None:
    if text is None:
        with pytest.raises(Bad):
            compiled(source)
    else:
        assert said(source) == text


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("contact.member", True), ("contact.left", False), ("contact.town", False),
        ("contact.nothing", False), ("row.code", True), ('row.code == "007"', True),
        ("row.code == 7", True), ('row.age == "20.0"', False), ("row.age == 20", True),
        ("row.age >= 18", True), ('row.age < "100"', True), ("row.age != 20", False),
        ('contact.member == "oui"', True), ("contact.nothing > 1", False),
        ("contact.nothing == nil", True), ("contact.town == blank", True),
        ('contact.born < "2000-01-01"', True), ('row.when > "2026-12-24 14:00"', True),
        ('contact.tags contains "vip"', True), ('contact.tags contains "vi"', False),
        ('contact.name contains "Ben"', True), ("row.age > 18 and contact.left", False),
        ("row.age > 30 or contact.member", True),
        ("contact.left or contact.member and row.code", True),
    ],
)  # fmt: skip
def test_a_condition_compares_what_people_compare(condition: str, holds: bool) -> None:
    assert said(f"{{% if {condition} %}}yes{{% else %}}no{{% endif %}}") == "yes" * holds + "no" * (
        not holds
    )


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("{% unless contact.member %}a{% elsif row.age %}b{% else %}c{% endunless %}", "b"),
        ("{% if contact.left %}a{% elsif row.age > 30 %}b{% else %}c{% endif %}", "c"),
        ('{% case row.age %} {% when 10, 20 %}x{% when "20" %}y{% endcase %}', "x"),
        ('{% case row.age %}{% when "1" or "2" %}x{% else %}z{% endcase %}', "z"),
        ("{% case row.age %}{% when 1 %}x{% endcase %}.", "."),
        ("a {%- if true -%} b {%- endif -%} c", "abc"),
        ("a{% if true %} {% endif %}b", "a b"),
        ("a{% comment %} {{ broken {% if %}{% endcomment -%} b", "ab"),
    ],
)
def test_a_block_says_one_of_its_parts(source: str, text: str) -> None:
    assert said(source) == text


@pytest.mark.parametrize(
    ("language", "format_", "text"),
    [
        ("fr", "%A %-d %B %Y", "mardi 1 décembre 2026"),
        ("es", "%-d de %B", "1 de diciembre"),
        ("en", "%a %d %b %y", "Tue 01 Dec 26"),
        ("fr-CA", "%-d %B", "1 décembre"),
        ("ru", "%-d %B", "1 декабря"),
        ("ru", "%B %Y", "декабрь 2026"),
        ("xx-nonsense", "%B", "December"),
        ("en", "%H:%M %I:%M %p", "14:05 02:05 PM"),
        ("en", "%m/%d 100%%", "12/01 100%"),
    ],
)
def test_a_date_is_said_in_the_persons_language(language: str, format_: str, text: str) -> None:
    values = {"contact": {"language": language}, "row": {"at": datetime(2026, 12, 1, 14, 5)}}

    assert said(f'{{{{ row.at | date: "{format_}" }}}}', values) == text


@pytest.mark.parametrize(
    "written", ["2026-12-24 14:30", "24/12/2026 14h30", "24.12.26, 14:30", "2026-12-24T14:30:00+01:00"]
)  # fmt: skip
def test_a_cell_is_read_as_the_day_and_time_it_says(written: str) -> None:
    assert said('{{ row.at | date: "%d %H:%M" }}', {"row": {"at": written}}) == "24 14:30"


def test_who_has_no_language_gets_the_workspaces() -> None:
    values = {"contact": {"born": date(1999, 8, 3)}, "workspace": {"language": "es"}}

    assert said("{{ contact.born }}", values) == "3 de agosto de 1999"


def test_a_time_brings_no_space_that_makes_the_message_unicode() -> None:
    values = {"row": {"at": datetime(2026, 12, 1, 14, 5)}, "workspace": {"language": "en"}}

    assert said("{{ row.at }}", values) == "December 1, 2026 2:05 PM"


@pytest.mark.parametrize(
    ("cell", "text"),
    [(20.0, "20"), (12.5, "12.5"), (datetime(2026, 12, 1), "December 1, 2026"), (True, "yes")],
    ids=str,
)
def test_a_cell_of_a_sheet_is_said_as_the_sheet_shows_it(cell: object, text: str) -> None:
    assert said("{{ row.x }}", {"row": {"x": cell}}) == text


# ---- What is missing ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "missing"),
    [
        ("{{ contact.town }} {{ contact.town }} {{ row.x | upcase }}", ("contact.town", "row.x")),
        ("{{ row.age | plus: row.more }}", ("row.more",)),
        ('{{ row.x | default: "y" }}', ()),
        ("{{ row.x | default: contact.town }}", ("contact.town",)),
        ('{{ row.x | default: "" }}', ()),
        ("{% if row.x %}{{ row.x }}{% endif %}{{ nil }}", ()),
    ],
)
def test_a_hole_in_the_text_is_reported(source: str, missing: tuple[str, ...]) -> None:
    assert compiled(source).render(NADIA).missing == missing


def test_the_fields_of_a_text_are_known_before_it_is_said() -> None:
    source = '{% if row.a == contact.b %}{{ row["c d"] | default: workspace.name }}{% endif %}'

    assert compiled(source).fields == {"row.a", "contact.b", "row.c d", "workspace.name"}


# ---- What cannot be made ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("{{ contact.name | plus: 1 }}", "“Nadia Benali” is no number."),
        ("{{ contact.name | date }}", "“Nadia Benali” is no date."),
        ("{{ row.age | divided_by: 0 }}", "Nothing can be divided by 0."),
        ("{% if contact.name > 3 %}{% endif %}", "“Nadia Benali” is no number."),
        ("{{ 99999999 | times: 99999999 }}", "A number becomes too large."),
        ("{{ row.age | round: 9 }}", "round takes 0 to 6 digits."),
    ],
)
def test_a_value_that_does_not_fit_is_said(source: str, words: str) -> None:
    with pytest.raises(Unmakeable) as caught:
        said(source)

    assert caught.value.words == words


@pytest.mark.parametrize(
    "source", ["x" * (MOST_TEXT + 1), "{{ row.x }}" * 400], ids=["plain", "fields"]
)
def test_a_text_never_becomes_longer_than_can_be_sent(source: str) -> None:
    with pytest.raises(Unmakeable, match="longer than 1600"):
        said(source, {"row": {"x": "12345"}})


# ---- What is wrong ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "line", "column", "words"),
    [
        ("Hello {{ contact.name", 1, 7, "This is never closed: write }} where it ends."),
        ("{{ contact.name } {{ contact.name }}", 1, 1, "This is never closed"),
        ("a\nb {% if contact.name %}c", 2, 3, "This is never closed: write {% endif %} where it ends."),
        ("{% comment %}c", 1, 1, "write {% endcomment %}"),
        ("{% if contact.name %}c{% endcase %}", 1, 23, "“if” ends with “endif”"),
        ("a{% endif %}", 1, 2, "no block here"),
        ("{% for x in y %}", 1, 1, "There is no tag “for”"),
        ("{% esle %}", 1, 1, "Did you mean “else”?"),
        ("{{ contact.name | upcas }}", 1, 19, "Did you mean “upcase”?"),
        ("{{ contact.name | replace: 'a' }}", 1, 19, "There is no filter “replace”."),
        ("{{ contact.name | plus }}", 1, 19, "Write it so: “| plus: 1”."),
        ("{{ contact.name | upcase: 1 }}", 1, 19, "Write it so: “| upcase”."),
        ("{{ contact.name | default: x: 1 }}", 1, 19, "default"),
        ("{{ name }}", 1, 4, "write contact.name"),
        ("{{ contact.name.size }}", 1, 4, "one word"),
        ("{{ contact[0] }}", 1, 4, "one word"),
        ("{{ contact[contact.name] }}", 1, 4, "one word"),
        ("{{ contact.nam }}", 1, 4, "There is no field “contact.nam”. Did you mean “contact.name”?"),
        ("{{ row.firstnam }}", 1, 4, "Did you mean “contact.firstname”?"),
        ("{{ }}", 1, 3, "Something is missing here."),
        ("{% %}", 1, 1, "Something is missing here."),
        ("{% if %}{% endif %}", 1, 7, "Something is missing here."),
        ("{% if row.child = 1 %}{% endif %}", 1, 17, "write =="),
        ("{% if row.child %}{% else if 1 %}{% endif %}", 1, 27, "“elsif”"),
        ("{% if row.child %}{% endif row %}", 1, 28, "“endif” stands alone."),
        ("{% if row.child and 1 or 2 %}{% endif %}", 1, 17, "misread"),
        ("{{ contact.name | default: “x” }}", 1, 28, "straight quotes"),
        ("{{ contact.name | default: 'x }}", 1, 28, "never closed"),
        ("{{ (1..9) }}", 1, 4, "“(” cannot stand here."),
        ('{{ row.child | date: "%Q" }}', 1, 22, "“%Q”"),
        ("{{ row.child | date: contact.name }}", 1, 22, "in quotes"),
        ("{% case row.child %}x{% when 1 %}{% endcase %}", 1, 1, "never sent"),
        ("{% case row.child %}{% when 1 2 %}{% endcase %}", 1, 31, "cannot stand here"),
        ("{{ 9999999999999999 }}", 1, 4, "too large"),
        ("x" * MOST_SOURCE + "{{ row.child }}", 1, MOST_SOURCE + 1, "longer than 5000"),
        ("{{ row.child" + " " * 500 + "}}", 1, 1, "longer than 500"),
        ("{% if true %}" * 11 + "{% endif %}" * 11, 1, 131, "in one another"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_at_its_place_before_anything_is_sent(
    source: str, line: int, column: int, words: str
) -> None:
    (found,) = problems(source, KNOWN)

    assert (found.line, found.column, found.is_error) == (line, column, True)
    assert words in found.words
    if not found.words.startswith("There is no field"):
        with pytest.raises(Bad, match=f"^Line {line}, column {column}: "):
            compiled(source)


def test_a_name_that_is_far_from_all_is_no_suggestion() -> None:
    (found,) = problems("{{ contact.zzz }}", KNOWN)

    assert found.words == "There is no field “contact.zzz”."


def test_a_column_needs_a_file() -> None:
    (found,) = problems("{{ row.child }}", ["contact.name"])

    assert found.words == "“row.child” is a column of a file, and there is no file."
    assert problems("{{ row.child }}", ["contact.name", "row.*"]) == []


@pytest.mark.parametrize(
    ("source", "column"),
    [
        ("Hello {firstname}", 7),
        ("Hello {contact.firstname}", 7),
        ("Hello } }} x", 9),
        ("{{ contact.name -}}  %}", 22),
    ],
)
def test_what_looks_like_a_slip_is_told_and_hinders_nobody(source: str, column: int) -> None:
    (found,) = problems(source, KNOWN)

    assert (found.column, found.is_error) == (column, False)


def test_the_place_is_shown_with_what_stands_around_it() -> None:
    (found,) = problems("Dear\n" + "x" * 60 + " {{ contact.nam }}" + "y" * 60, KNOWN)

    assert (found.before, found.blamed) == ("…" + "x" * 36 + " {{ ", "contact.nam")
    assert found.after == " }}" + "y" * 37 + "…"


def test_each_unknown_field_is_told() -> None:
    found = problems("{{ contact.a1 }}\n{{ contact.b1 }} {name}", KNOWN)

    assert [(one.line, one.column, one.is_error) for one in found] == [
        (1, 4, True), (2, 4, True), (2, 18, False),
    ]  # fmt: skip


def test_a_space_that_does_not_break_is_a_space_between_braces() -> None:
    source = '{{\u00a0row.x\u202f| default\u00a0: "a\u00a0b"\u00a0}}'

    assert said(source) == "a\u00a0b"


# ---- What holds for any text --------------------------------------------------------------------


@given(st.text(max_size=MOST_TEXT).filter(lambda text: "{{" not in text and "{%" not in text))
def test_a_text_without_fields_is_kept_exactly(text: str) -> None:
    assert compiled(text).render({}) == compiled(text).render(NADIA)
    assert said(text) == text


SCRAPS = st.sampled_from(
    [
        "{{", "}}", "{%", "%}", "{{-", "-}}", "{% if ", "{% elsif ", "{% else %}", "{% endif %}",
        "{% unless ", "{% case ", "{% when ", "{% endcase %}", "{% comment %}", "{% endcomment %}",
        "contact.name", "row.age", "row", ".", "[", "]", "(", ")", "..", "1", "9" * 99, "1.5", "-3",
        '"', "'", "“", " ", "\n", "\u00a0", "|", ":", ",", " and ", " or ", " not ", "==", "=", "<", ">",
        "!=", "contains", "nil", "blank", "true", "\x00", "\ud800", "é", "٣", "date", '"%B"', "%", "x",
        *FILTERS,
    ]
)  # fmt: skip


@given(st.lists(SCRAPS, max_size=60).map("".join) | st.text("{%}-|:.\"' acontr1", max_size=80))
def test_whatever_is_written_is_read_or_refused(source: str) -> None:
    with contextlib.suppress(Bad, Unmakeable):
        assert len(compiled(source).render(NADIA).text) <= MOST_TEXT
    assert all(problem.line > 0 and problem.column > 0 for problem in problems(source, KNOWN))


VALUES = (
    st.none() | st.text() | st.integers() | st.floats() | st.booleans() | st.dates() | st.datetimes()
    | st.datetimes(timezones=st.timezones()) | st.just("20") | st.just("2026-01-01") | st.just("yes")
    | st.just(()) | st.just(("vip", "staff"))
)  # fmt: skip


@given(
    st.sampled_from(sorted(FILTERS)),
    VALUES,
)  # fmt: skip
def test_no_value_breaks_a_filter(name: str, value: object) -> None:
    source = f"{{{{ row.x | {FILTERS[name].example} }}}}"
    with contextlib.suppress(Unmakeable):
        compiled(source).render({"row": {"x": value}})


@given(VALUES, VALUES)
def test_no_two_values_break_a_question(one: object, other: object) -> None:
    for sign in ("==", "!=", "<", "<=", ">", ">=", "contains"):
        with contextlib.suppress(Unmakeable):
            said(f"{{% if row.x {sign} row.y %}}{{% endif %}}", {"row": {"x": one, "y": other}})


@pytest.mark.parametrize(
    "scrap",
    [
        "{{", "{%", "{% a", "{{ a ", "{%   ", "{% comment %}{{", "{{ (", "{{ [", '{{ "}}', "{{ a.",
        "{% if a and ", "{{ row.x | upcase | ", "{{'", "{{ row[", "{% if true %}",
    ],
)  # fmt: skip
def test_no_source_takes_long(scrap: str) -> None:
    for source in (
        scrap * (MOST_SOURCE // len(scrap)),
        scrap + " " * 4900,
        scrap + "a" * 400 + "}}",
    ):
        began = time.process_time()
        problems(source, KNOWN)

        assert time.process_time() - began < 0.5


def test_the_longest_chain_of_a_whole_text_stays_small() -> None:
    chain = "{{ row.x" + " | append: row.x" * 30 + " | size }}"

    assert said(chain, {"row": {"x": "x" * 32_000}}) == str(31 * 32_000)


@pytest.mark.parametrize("reader", ["en", "fr", "es"])
def test_who_looks_changes_nothing(reader: str) -> None:
    source = (
        '{{ contact.born }} {{ contact.points }} {{ contact.member }} {{ row.when | date: "%B" }}'
    )
    with translation.override(reader):
        assert said(source) == "3 août 1999 12,5 oui décembre"
