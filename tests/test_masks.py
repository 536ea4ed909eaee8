"""Numbers are hidden from whom a workspace hides them: everywhere, and nobody can forget it.

Known numbers are put wherever numbers are kept; then every address is asked and every link followed, as a
browser would, by somebody who may not see them. No answer, its headers and files included, may hold more of
a number than its country, a first digit and its last two.
"""

from __future__ import annotations

import html
import io
import re
import uuid
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus, unquote_plus, urljoin, urlsplit

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.mail import EmailMessage
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import User, Workspace
from accounts.roles import Hidden
from campaigns import alerting, drafting, rehearsing, steering
from campaigns.models import Campaign
from contacts import keeping
from contacts.carriers import remember
from contacts.models import Contact, NumberCarrier, OptOut, Segment
from contacts.services import opt_out
from lib import masks
from lib.masks import Eyes
from messaging.models import (
    Attempt,
    Call,
    Conversation,
    Direction,
    Message,
    Report,
    Status,
)
from phones.base import Reason
from phones.models import Exchange, Phone, Watch
from tests.campaigns.conftest import work
from tests.conftest import logged_in
from tests.test_doors import MEMBER, SENDER, address, things

__all__ = ["things"]
pytestmark = pytest.mark.django_db

# Somebody with a name, somebody without, strangers: French ones, which a first digit follows, and others.
NADIA, NOBODY, STRANGER = "+33647382956", "+33758493067", "+33769504178"
PASTED, EXCLUDED, IN_FILE = "+33692817364", "+33681706253", "+33670695142"
CALLER, FAILING, ABROAD = "+33659584031", "+33748473920", "+12025557391"
KNOWN = [NADIA, NOBODY, STRANGER, PASTED, EXCLUDED, IN_FILE, CALLER, FAILING, ABROAD]
# Pages of one kind that are asked.
_EACH = 2
# They leave the site or end the session.
_ENDS = ("/logout/", "/static/", "/i18n/")


def home(number: str) -> str:
    """Give a number as people write it at home."""
    digits = number.removeprefix("+33")
    return " ".join(["0" + digits[0], *(digits[i : i + 2] for i in range(1, 9, 2))])


# ---- Looking ------------------------------------------------------------------------------------

_BETWEEN = re.compile(r"(?<=\d)[\s().\-/\u00a0\u202f]+(?=\d)")


def found_in(text: str, numbers: Iterable[str] = KNOWN) -> list[str]:
    """Give the numbers of which a text holds more than is shown, however they are written."""
    forms = {form for raw in (text, unquote_plus(text)) for form in (raw, html.unescape(raw))}
    forms |= {re.sub(r"<[^>]*>", "", form) for form in forms}
    bare = "\n".join(_BETWEEN.sub("", form) for form in forms)
    return [number for number in numbers if any(part in bare for part in _parts(number))]


def _parts(number: str) -> tuple[str, str]:
    """Give what betrays a number: the digits that are hidden, with the one before or behind them."""
    return number[-9:-2], number[-8:-1]


def said_by(answer: HttpResponse) -> str:
    """Give all that an answer says: headers, cookies, its body, and what is inside of a workbook."""
    body = answer.getvalue()
    if body.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(body)) as book:
            body = b"\n".join(book.read(name) for name in book.namelist())
    return f"{answer.headers}\n{answer.cookies}\n{body.decode()}"


@pytest.mark.parametrize(
    "written",
    [
        NADIA, NADIA[1:], home(NADIA), home(NADIA).replace(" ", ""), "06.47.38.29.56", "647382956",
        "%2B33647382956", "+33&nbsp;6&nbsp;47&nbsp;38&nbsp;29&nbsp;56", "<b>+33 6</b> 47 38 29 56",
    ],
)  # fmt: skip
def test_what_is_looked_for_would_be_found(written: str) -> None:
    assert found_in(f"They wrote to {written} twice") == [NADIA]


# ---- Numbers everywhere -------------------------------------------------------------------------


@pytest.fixture
def everywhere(workspace: Workspace, phone: Phone, alice: User, bob: User) -> None:
    """Put known numbers wherever numbers are kept, and into the words of providers."""
    now = timezone.now()
    keeping.save(Contact(workspace=workspace, number=NADIA, name="Nadia"))
    keeping.save(Contact(workspace=workspace, number=NOBODY))
    opt_out(workspace, STRANGER, OptOut.Source.PERSON, f"{home(STRANGER)} asked", by=alice)
    remember(workspace, {CALLER: "us-verizon"}, NumberCarrier.Source.PERSON)
    for number in KNOWN:
        _correspondence(workspace, phone, bob, number)
        Call.objects.create(
            workspace=workspace, phone=phone, peer=number, provider_id=number[-4:], started_at=now
        )
    for _ in range(4):
        _message(workspace, phone, FAILING, Status.FAILED, reason=Reason.REJECTED)
    _segments(workspace)
    _campaigns(workspace, phone, bob)
    Exchange.objects.create(
        phone=phone, direction="in", method="GET", status=200, error=f"{CALLER} is odd",
        url=f"/callbacks/•••/?from=%2B{CALLER[1:]}", sent=f"to={NADIA}", received=f'{{"to": "{NOBODY}"}}',
    )  # fmt: skip
    Report.objects.create(
        phone=phone, state="failed", provider_id=f"{CALLER[1:]}-1", words=f"No route to {CALLER}"
    )
    Watch.objects.create(
        phone=phone, failed=10, troubled_at=now, words=f"Most were for {home(FAILING)}"
    )
    Phone.objects.filter(pk=phone.pk).update(poll_problem=f"Cannot ask for {CALLER}")
    Phone.objects.create(
        workspace=workspace, type="simulator", name="Second", settings={}, rate=1, paused_at=now,
        pause_reason="misconfigured", pause_words=f"The sender may not write to {NADIA[1:]}",
    )  # fmt: skip


def _message(
    workspace: Workspace, phone: Phone, number: str, status: Status, **fields: Any
) -> Message:
    direction = Direction.IN if status == Status.RECEIVED else Direction.OUT
    now = timezone.now()
    ended = {"ended_at": now} if status in (Status.FAILED, Status.UNKNOWN) else {}
    fields = {"text": "See you on Monday", "words": f"Not for {number}", **ended, **fields}
    return Message.objects.create(
        workspace=workspace, phone=phone, peer=number, direction=direction, status=status, **fields
    )


def _correspondence(workspace: Workspace, phone: Phone, by: User, number: str) -> None:
    made = [
        _message(workspace, phone, number, status, created_by=by, provider_id=provider_id)
        for status, provider_id in (
            (Status.QUEUED, ""), (Status.DELIVERED, f"id-{number[1:]}-1"), (Status.FAILED, ""),
            (Status.UNKNOWN, ""), (Status.RECEIVED, f"in-{number}"),
        )
    ]  # fmt: skip
    for message in made[:4]:
        said = {"code": "7", "words": f"{home(number)} is off"}
        Attempt.objects.create(message=message, kind="temporary", phone=phone, **said)
        Report.objects.create(message=message, phone=phone, state="sent", peer=number, **said)
        Exchange.objects.create(
            phone=phone, message=message.pk, direction="out", method="POST", status=200,
            url=f"https://api.example.org/{number}", sent=f"to={number}", received=number,
        )  # fmt: skip
    Conversation.objects.create(
        workspace=workspace,
        peer=number,
        phone=phone,
        last=made[-1],
        last_at=timezone.now(),
        unread=1,
    )


def _segments(workspace: Workspace) -> None:
    rule = {"what": "number", "is": "=", "value": NADIA}
    Segment.objects.create(workspace=workspace, name="One", folded="one", rule=rule)


def _campaigns(workspace: Workspace, phone: Phone, by: User) -> None:
    said = {"text": "To {{ contact.number }}, {{ row.phone }}", "phone": phone}
    chosen = {"numbers": [PASTED, NADIA, f"{PASTED[3:]} 5 7"], "without_numbers": [EXCLUDED]}
    draft = steering.create(workspace, by, name="Draft", **said, **chosen)
    rows = f"phone,when,other\n{IN_FILE},Monday,{home(NOBODY)}\n"
    drafting.take_sheet(draft, SimpleUploadedFile("people.csv", rows.encode()))
    steering.check(draft)
    rehearsing.run(draft.pk)
    begun = steering.create(
        workspace, by, name="Begun", text="Hello", phone=phone, numbers=[*KNOWN, "0692817364 5"]
    )
    steering.start(begun, by)
    work(begun)
    failed = Message.objects.filter(campaign=begun, status=Status.QUEUED, peer__in=KNOWN[:3])
    failed.update(
        status=Status.FAILED, held=False, ended_at=timezone.now(), words=f"Not for {NADIA}"
    )


def mask(workspace: Workspace, hidden: Hidden) -> None:
    workspace.numbers_hidden = hidden
    workspace.save()


@pytest.fixture
def masked(everywhere: None, workspace: Workspace, as_bob: Client) -> Client:
    """The browser of a sender who may not see numbers."""
    mask(workspace, Hidden.SENDERS)
    return as_bob


# ---- Everywhere ---------------------------------------------------------------------------------


def walked(browser: Client, things: Any) -> Iterator[tuple[str, HttpResponse]]:
    """Ask every address, and what their pages lead to, some of each kind; give each with its answer."""
    left = [*_beginnings(things)]
    always = set(left)
    asked: Counter[str] = Counter()
    seen: set[str] = set()
    while left:
        place = left.pop(0)
        kind = _kind(place)
        is_enough = asked[kind] >= _EACH and place not in always
        if place in seen or is_enough or place.startswith(_ENDS):
            continue
        seen.add(place)
        asked[kind] += 1
        answer = browser.get(place)
        yield place, answer
        if "html" in answer.headers.get("Content-Type", ""):
            left += _links(place, answer.content.decode())
        if to := answer.headers.get("Location"):
            left.append(urljoin(place, to))


def _beginnings(things: Any) -> Iterator[str]:
    """Give every address, and those of a message of each state and of each campaign."""
    yield from (address(name, things) for name in sorted(MEMBER | SENDER))
    known = Message.objects.filter(peer=NADIA).order_by("status", "pk")
    for pk in {message.status: message.pk for message in known}.values():
        yield reverse("message", args=[pk])
    for pk in Campaign.objects.filter(name__in=["Draft", "Begun"]).values_list("pk", flat=True):
        for name in ("campaign", "campaign_write", "campaign_preview", "campaign_check"):
            yield reverse(name, args=[pk])
        yield f"{reverse('campaign_left_out', args=[pk])}?why=not_a_number"
        yield from (f"{reverse('campaign_export', args=[pk])}?format={f}" for f in ("csv", "xlsx"))


_LINK = re.compile(r'(?:href|src|action|hx-get)="([^"#]+)')


def _links(place: str, page: str) -> list[str]:
    """Give the addresses of ours that a page names, and those of the files that its form offers."""
    found = [urljoin(place, html.unescape(link)) for link in _LINK.findall(page)]
    path = place.partition("?")[0]
    files = [f"{path}?format={name}" for name in ("csv", "xlsx") if 'name="format"' in page]
    return [link for link in found + files if not urlsplit(link).netloc and link.startswith("/")]


def _kind(place: str) -> str:
    """Give what pages of one kind have in common: the address without ids, the names of the filters."""
    path, _mark, query = place.partition("?")
    return re.sub(r"\d+", "1", path) + "?" + re.sub(r"=[^&]*", "", query)


def test_no_number_is_anywhere_for_whom_they_are_hidden_from(
    everywhere, things, workspace: Workspace, as_bob: Client
) -> None:
    mask(workspace, Hidden.SENDERS)

    answers = list(walked(as_bob, things))

    assert len([place for place, answer in answers if answer.status_code == 200]) > 80
    told = {place: found for place, a in answers if (found := found_in(place + said_by(a)))}
    assert told == {}


def test_viewers_see_none_either(everywhere, things, workspace: Workspace, as_vera: Client) -> None:
    mask(workspace, Hidden.VIEWERS)

    places = [address(name, things) for name in sorted(MEMBER)]

    assert {place: found_in(said_by(as_vera.get(place))) for place in places} == {
        place: [] for place in places
    }


def test_the_walk_would_meet_all_of_them(everywhere, things, as_bob: Client) -> None:
    draft, begun = (Campaign.objects.get(name=name).pk for name in ("Draft", "Begun"))
    places = {
        "/calls/": KNOWN,
        "/inbox/": KNOWN,
        "/carriers/": [CALLER],
        "/contacts/": [NADIA, NOBODY],
        "/opt-outs/": [STRANGER],
        "/segments/": [NADIA],
        "/phones/": [NADIA],
        "/campaigns/failing/": [FAILING],
        "/campaigns/failing/export/": [FAILING],
        "/campaigns/failing/export/?format=xlsx": [FAILING],
        f"/campaigns/{draft}/write/": [NADIA, NOBODY, PASTED, EXCLUDED, IN_FILE],
        f"/campaigns/{draft}/check/left-out/?why=not_a_number": [PASTED],
        f"/campaigns/{begun}/": KNOWN,
        f"/campaigns/{begun}/export/?format=csv": KNOWN,
        f"/campaigns/{begun}/export/?format=xlsx": KNOWN,
    }

    met = {place: found_in(said_by(as_bob.get(place))) for place in places}

    assert met == places


# ---- From whom ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hidden", "expected"),
    [
        (Hidden.NOBODY, set()),
        (Hidden.VIEWERS, {"as_vera"}),
        (Hidden.SENDERS, {"as_vera", "as_bob"}),
    ],
)
def test_numbers_are_hidden_from_those_whom_the_workspace_names(
    hidden: Hidden, expected: set[str], request: pytest.FixtureRequest, workspace: Workspace
) -> None:
    contact = Contact(workspace=workspace, number=NADIA)
    keeping.save(contact)
    mask(workspace, hidden)
    pages = {
        who: request.getfixturevalue(who).get(f"/contacts/{contact.pk}/").content.decode()
        for who in ("as_vera", "as_bob", "as_dora", "as_alice")
    }

    assert {who for who, page in pages.items() if "+33 6 •• •• •• 56" in page} == expected
    assert {who for who, page in pages.items() if not found_in(page)} == expected


@pytest.fixture
def as_dora(dora: User) -> Client:
    return logged_in(dora)


def test_a_manager_chooses_it_and_everybody_reads_of_it(
    workspace: Workspace, as_alice: Client, as_vera: Client
) -> None:
    page = as_alice.get("/settings/").content.decode()
    typed = {"name": "Les Tilleuls", "country": "FR", "time_zone": "Europe/Paris"}
    saved = as_alice.post("/settings/", typed | {"numbers_hidden": "viewers"})

    assert "Hide numbers from" in page
    assert "your own fields are shown as they are" in page
    assert saved.status_code == 302
    workspace.refresh_from_db()
    assert workspace.numbers_hidden == Hidden.VIEWERS
    assert "See numbers" in as_vera.get("/settings/people/roles/").content.decode()


def test_nothing_is_asked_of_the_database_for_it(
    everywhere, workspace: Workspace, as_vera: Client, django_assert_max_num_queries: Any
) -> None:
    def asked() -> int:
        with django_assert_max_num_queries(1000) as counted:
            as_vera.get("/messages/")
        return len(counted)

    before = asked()
    mask(workspace, Hidden.VIEWERS)

    assert asked() == before


# ---- Looking for people -------------------------------------------------------------------------

# Where numbers are searched, and one that is there, with how it is shown.
SEARCHES = [
    ("/messages/", NADIA, "Nadia"),
    ("/inbox/", NADIA, "Nadia"),
    ("/contacts/", NOBODY, "+33 7 •• •• •• 67"),
    ("/opt-outs/", STRANGER, "+33 7 •• •• •• 78"),
    ("/carriers/", CALLER, "+33 6 •• •• •• 31"),
    ("/campaigns/{begun}/", ABROAD, "+1 •••-•••-••91"),
    ("/compose/recipients/", NOBODY, "+33 7 •• •• •• 67"),
]


def _searched(browser: Client, place: str, q: str) -> str:
    place = place.format(begun=Campaign.objects.get(name="Begun").pk)
    # What was typed stands in the field again.
    page = browser.get(place, {"q": q}).content.decode()
    return page.replace(html.escape(q), "").replace(quote(q), "").replace(quote_plus(q), "")


@pytest.mark.database
@pytest.mark.parametrize(("place", "number", "shown"), SEARCHES)
def test_who_knows_a_whole_number_finds_it_and_its_parts_find_nothing(
    place: str, number: str, shown: str, masked: Client
) -> None:
    parts = [
        number[:-1],
        number[:6],
        number[3:8],
        number[-3:],
        number[-2:],
        number[1:4],
        "0" + number[3:7],
    ]
    parts += [f"Nadia {number[4:7]}"] if shown == "Nadia" else []

    assert shown in _searched(masked, place, number)
    assert {part: shown in _searched(masked, place, part) for part in parts} == dict.fromkeys(
        parts, False
    )


@pytest.mark.parametrize(
    "place", ["/messages/", "/inbox/", "/contacts/", "/campaigns/{begun}/", "/compose/recipients/"]
)
def test_people_are_found_by_their_names(place: str, masked: Client) -> None:
    assert "Nadia" in _searched(masked, place, "nad")


@pytest.mark.database
def test_a_field_that_has_digits_is_still_found(masked: Client, workspace: Workspace) -> None:
    person = Contact.objects.get(workspace=workspace, number=NADIA)
    person.values = {"town": "69003 Lyon"}
    keeping.save(person)

    assert "Nadia" in _searched(masked, "/contacts/", "69003")
    assert "Nadia" in _searched(masked, "/inbox/", "lyon 69003")


def test_no_rule_asks_how_numbers_begin(masked: Client) -> None:
    rule = {"name": "Begins", "mode": "write", "text": 'number starts_with "+3364"', "act": "save"}
    answer = masked.post("/segments/add/", rule)
    existing = Segment.objects.get(name="One")
    edit = masked.get(f"/segments/{existing.pk}/edit/")

    assert answer.status_code == 422
    assert not Segment.objects.filter(name="Begins").exists()
    assert edit.status_code == 302
    # It can still be written to.
    assert "1 person" in masked.get(f"/segments/{existing.pk}/").content.decode()


# ---- Writing to people --------------------------------------------------------------------------


def test_a_link_to_write_to_somebody_leads_to_their_number(
    masked: Client, phone: Phone, workspace: Workspace
) -> None:
    call = masked.get("/calls/").content.decode()
    [link] = {link for link in _links("/calls/", call) if f"{_mark(workspace, CALLER)}" in link}
    page = masked.get(link)
    typed = _field(page, "to")
    sent = masked.post(
        "/compose/",
        {"to": typed, "text": "Hello", "phone": phone.pk, "submission": str(uuid.uuid4())},
    )

    assert typed.startswith("+33 6 •• •• •• 31 ~")
    assert found_in(said_by(page)) == []
    assert sent.status_code == 302
    assert Message.objects.latest("pk").peer == CALLER
    assert found_in(said_by(sent) + said_by(masked.get(sent.headers["Location"]))) == []


def test_what_is_typed_beside_a_mark_is_previewed_and_taken_along(
    masked: Client, workspace: Workspace, phone: Phone
) -> None:
    typed = f"{_mark(workspace, CALLER)}, 06 12 00 00 01"
    form = {"to": typed, "text": "Hello", "phone": phone.pk}
    preview = masked.post("/compose/preview/", form)
    begun = masked.post("/campaigns/new/", form | {"begin": "1"})

    assert "+33 6 •• •• •• 31" in preview.content.decode()
    assert found_in(said_by(preview)) == []
    assert begun.status_code == 302
    assert Campaign.objects.latest("pk").numbers == [CALLER, "+33612000001"]


def _mark(workspace: Workspace, number: str) -> str:
    with masks.looking(Eyes(workspace.pk, is_hidden=True)):
        return masks.mark(number)


def _field(page: HttpResponse, name: str) -> str:
    [found] = re.findall(
        rf'<textarea[^>]* name="{name}"[^>]*>(.*?)</textarea>', page.content.decode(), re.S
    )
    return html.unescape(found).strip()


def test_people_are_answered_and_written_to_by_name(masked: Client, phone: Phone) -> None:
    talk = Conversation.objects.get(peer=STRANGER)
    OptOut.objects.all().delete()
    answer = masked.post(f"/inbox/{talk.pk}/", {"text": "Yes", "submission": str(uuid.uuid4())})
    nadia = Contact.objects.get(number=NADIA)
    form = {"who": f"c{nadia.pk}", "text": "Hello", "phone": phone.pk}
    sent = masked.post("/compose/", form | {"submission": str(uuid.uuid4())})

    assert (answer.status_code, sent.status_code) == (302, 302)
    newest = Message.objects.order_by("-pk")[:2]
    assert [(message.text, message.peer) for message in newest] == [
        ("Hello", NADIA),
        ("Yes", STRANGER),
    ]


def test_a_draft_keeps_the_numbers_that_its_reader_cannot_see(masked: Client) -> None:
    draft = Campaign.objects.get(name="Draft")
    before = (draft.numbers, draft.without_numbers)
    page = masked.get(f"/campaigns/{draft.pk}/write/")
    form = {
        "submission": str(draft.submission), "seen": draft.updated_at.isoformat(), "name": "Draft",
        "text": draft.text, "to": _field(page, "to") + "\n06 12 00 00 01",
        "without_to": _field(page, "without_to"), "when": "now",
    }  # fmt: skip
    saved = masked.post(f"/campaigns/{draft.pk}/write/", form, headers={"HX-Request": "true"})

    draft.refresh_from_db()
    assert draft.numbers == [*before[0][:2], "+33612000001", before[0][2]]
    assert draft.without_numbers == before[1]
    assert found_in(said_by(saved)) == []


def test_a_preview_hides_what_the_message_says(masked: Client, phone: Phone, jobs: Any) -> None:
    draft = Campaign.objects.get(name="Draft")
    preview = masked.get(f"/campaigns/{draft.pk}/preview/").content.decode()
    place = re.findall(r'name="place" value="([^"]+)"', preview)[0]
    form = {
        "submission": str(draft.submission), "seen": draft.updated_at.isoformat(), "text": draft.text,
        "name": "Draft", "to": "\n".join(draft.numbers), "when": "now", "test": "1", "place": place,
        "test_number": "+33612000001", "test_submission": str(uuid.uuid4()),
    }  # fmt: skip
    masked.post(f"/campaigns/{draft.pk}/write/", form)
    test = Message.objects.latest("pk")
    draft.refresh_from_db()
    steering.start(draft, test.created_by)
    work(draft)

    assert "To +33 6 •• •• •• 64, " in preview
    assert (test.peer, test.text) == ("+33612000001", "To +33 6 •• •• •• 64, ")
    sent = Message.objects.get(campaign=draft, peer=PASTED)
    assert sent.text == f"To {PASTED}, "


def test_no_text_of_theirs_names_a_number(masked: Client, phone: Phone) -> None:
    draft = Campaign.objects.get(name="Draft")
    draft.text = "{% if contact.number contains '473829' %}Hello{% endif %}"
    draft.save()
    check = masked.get(f"/campaigns/{draft.pk}/check/").content.decode()
    page = masked.get(f"/campaigns/{draft.pk}/write/").content.decode()
    masked.post(f"/campaigns/{draft.pk}/start/", {"version": draft.updated_at.isoformat()})

    draft.refresh_from_db()
    assert "Numbers are hidden from you, so a text of yours cannot name them." in check
    assert "Numbers are hidden from you, so a text of yours cannot name them." in page
    assert "{{ contact.number }}" not in page
    assert draft.state == "draft"


def test_a_contact_keeps_its_number_and_gets_one_from_a_mark(
    masked: Client, workspace: Workspace
) -> None:
    nobody = Contact.objects.get(number=NOBODY)
    masked.post(f"/contacts/{nobody.pk}/edit/", {"name": "Somebody", "number": "+33612000001"})
    shown = masked.get("/contacts/add/", {"number": _mark(workspace, CALLER)}).content.decode()
    [typed] = re.findall(r'name="number" value="([^"]*)"', shown)
    masked.post("/contacts/add/", {"name": "Rings", "number": html.unescape(typed)})

    nobody.refresh_from_db()
    assert (nobody.name, nobody.number) == ("Somebody", NOBODY)
    assert typed.startswith("+33 6 •• •• •• 31 ~")
    assert Contact.objects.get(name="Rings").number == CALLER


def test_failing_numbers_are_stopped_by_their_marks(masked: Client) -> None:
    page = masked.get("/campaigns/failing/").content.decode()
    [chosen] = re.findall(r'name="chosen" value="([^"]+)"', page)
    asked = masked.get("/campaigns/failing/stop/", {"chosen": chosen})
    [again] = re.findall(r'name="chosen" value="([^"]+)"', asked.content.decode())
    masked.post("/campaigns/failing/stop/", {"chosen": again, "what": "opt_out"})

    assert OptOut.objects.filter(number=FAILING).exists()
    assert found_in(said_by(asked)) == []


def test_a_mail_about_their_campaign_holds_none(
    masked: Client, workspace: Workspace, bob: User, mailoutbox: list[EmailMessage]
) -> None:
    begun = Campaign.objects.get(name="Begun")
    alerting.stop(begun, f"Nothing may be sent to {NADIA}")
    alerting.stopped(begun.pk)
    mask(workspace, Hidden.VIEWERS)
    alerting.stopped(begun.pk)

    assert [mail.to for mail in mailoutbox] == [[bob.email], [bob.email]]
    assert [found_in(mail.body) for mail in mailoutbox] == [[], [NADIA]]


# ---- Nobody forgets it --------------------------------------------------------------------------

ROOT = Path(__file__).parents[1]
# They speak of numbers that are ours, and masks speak for them all.
OURS = {"lib/e164.py", "lib/masks.py", "messaging/choosing.py", "smsapp/templatetags/words.py"}
# A field is drawn by its form, and what is a figure is no number of anybody.
_SHOWN_AS = ("|spoken", "|plain", "|called:", "|mark", "form.number.", "|stringformat")


def test_numbers_are_spoken_through_the_masks_only() -> None:
    apps = ("accounts", "campaigns", "contacts", "lib", "messaging", "phones", "smsapp")
    speaking = {
        str(file.relative_to(ROOT))
        for app in apps
        for file in (ROOT / app).rglob("*.py")
        if "e164.spoken(" in file.read_text()
    }

    assert speaking <= OURS


def test_no_template_draws_a_number_as_it_is() -> None:
    drawn = re.compile(r"\{\{\s*[\w.]*\.?\b(?:peer|number)\b[^}]*\}\}")
    told = {
        f"{file.relative_to(ROOT)}: {found}"
        for file in (ROOT / "templates").rglob("*.html")
        for found in drawn.findall(file.read_text())
        # `number` alone is what a sentence calls something that was counted or shown before.
        if not any(way in found for way in _SHOWN_AS) and found != "{{ number }}"
    }

    assert told == set()
