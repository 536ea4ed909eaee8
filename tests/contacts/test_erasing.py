"""Who is erased is nowhere any more: not in the database, not in its file, not in a file beside it."""

from __future__ import annotations

import io
import json
import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings as site_settings
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.utils import timezone
from openpyxl import Workbook

from accounts.activity import record
from accounts.models import User, Workspace
from campaigns import expanding, rehearsing, sheets, steering
from campaigns.models import Campaign, Sheet
from contacts import holdings, keeping
from contacts.importing import erasing, files, reading, running
from contacts.models import Contact, Import, NumberCarrier
from messaging import composing, media, receiving, sending
from messaging.models import Call, LookUp, Message, PartSet, Report
from messaging.routing import Route
from phones.base import Delivery, IncomingCall, IncomingSms, Part, StatusReport
from phones.models import Exchange, Phone, Reached
from phones.simulator import store
from tests.contacts.cast import contact
from tests.messaging.conftest import line, scripted

__all__ = ["line", "scripted"]

NUMBER, DIGITS = "+33687650439", "687650439"
ROWS = f"number,name\n06 87 65 04 39,Nadia\n+33611111111,Bo\n{NUMBER},Nadia again\n0622222222,Cy\n"


@pytest.fixture(autouse=True)
def folder(settings: Any, tmp_path: Path) -> None:
    settings.DATA_DIR, settings.MEDIA_ROOT = tmp_path, tmp_path / "media"


def upload(content: bytes, name: str = "people.csv") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content)


def imported(workspace: Workspace, alice: User, state: str) -> Import:
    import_ = Import.objects.create(workspace=workspace, by=alice, name="people.csv")
    files.keep(import_, upload(ROWS.encode() + b"rejected: 06-87-65-04-39 x,\n"))
    shape = reading.shape_of(files.upload(import_))
    Import.objects.filter(pk=import_.pk).update(
        shape=shape.as_dict(), mapping=["number", "name"], state=Import.State.UPLOADED
    )
    import_.refresh_from_db()
    for wanted in (Import.State.CHECKING, Import.State.RUNNING):
        if wanted == Import.State.RUNNING and state != Import.State.DONE:
            break
        assert running.begin(import_, wanted)
        running.run(import_.pk)
        import_.refresh_from_db()
    assert import_.state == state
    return import_


def everywhere(workspace: Workspace, phone: Phone, simulator: Phone, alice: User) -> Campaign:
    """Put a number wherever one can be."""
    for state in (Import.State.DONE, Import.State.CHECKED):
        imported(workspace, alice, state)
    person = keeping.at(workspace.pk, NUMBER)
    assert person
    person.carrier = "orange-fr"
    keeping.save(person)
    deleted = contact(workspace, "Other", "+33633333333")
    deleted.number, deleted.deleted_at = NUMBER, timezone.now()
    Contact.objects.bulk_create(
        [Contact(workspace=workspace, number=NUMBER, deleted_at=timezone.now())]
    )
    LookUp.objects.create(workspace=workspace, number=NUMBER, phone=phone)
    Reached.objects.create(phone=phone, month=202611, number=NUMBER)
    item = media.store_upload(workspace, ContentFile(NUMBER.encode(), "x.png"), "image/png")
    composing.create(
        workspace=workspace, route=Route(phone), numbers=[NUMBER], text="Hi", by=alice,
        submission=uuid.uuid4(), media=[item],
    )  # fmt: skip
    sending.pump(phone.pk)
    part = Part(reference="9", number=1, total=2)
    receiving.apply(
        phone,
        [
            IncomingSms(sender=NUMBER, text="Yes", provider_id="a"),
            IncomingSms(sender=NUMBER, text="half", provider_id="b", part=part),
            IncomingCall(caller=NUMBER, provider_id="c", at=timezone.now()),
            StatusReport(Delivery.FAILED, provider_id="nobody's", peer=NUMBER.removeprefix("+")),
        ],
    )
    for body in (f"to={NUMBER}", "to=0687650439"):
        Exchange.objects.create(phone=phone, method="POST", url="/", sent=body)
    record("contacts.exported", workspace=workspace, actor=alice, count=1)
    owed = store.Owed("http://x", "k", json.dumps({"from": NUMBER}), 0, 0)
    with store_of() as base:
        base.take("sim-1", 202, {"reference": "1", "to": NUMBER, "text": "Hi"}, [owed])
    sheet = sheets.keep(workspace, upload(ROWS.encode()))
    campaign = steering.create(
        workspace, alice, name="Flu", text="Hello {{ row.name }}", phone=phone, sheet=sheet,
        numbers=[NUMBER, "+33644444444"], without_numbers=[NUMBER],
    )  # fmt: skip
    rehearsing.begin(campaign)
    seen = rehearsing._Numbers(campaign)
    assert seen.first(NUMBER, "0-0") == ""
    seen.keep("0-0")
    seen.close()
    # As one that had ended would have it: who was met twice.
    Campaign.objects.filter(pk=campaign.pk).update(plan={"repeats": [[NUMBER, "0-0", "1-1"]]})
    return campaign


class store_of:
    def __enter__(self) -> store.Store:
        self._store = store.Store(store.path())
        return self._store

    def __exit__(self, *_: object) -> None:
        self._store.close()


def dumped() -> Iterator[tuple[str, str]]:
    """Give every row of every table, as text."""
    for model in filter(
        lambda model: model._meta.managed, apps.get_models(include_auto_created=True)
    ):
        for row in model._base_manager.values():
            yield model.__name__, " ".join(
                bytes(value).decode("utf-8", "replace") if isinstance(value, bytes | memoryview)
                else str(value)
                for value in row.values()
            )  # fmt: skip


def found() -> set[str]:
    """Name the tables and the files that hold the digits of the number, that of the database among them."""
    sought = erasing.pattern(NUMBER)
    tables = {name for name, row in dumped() if sought.search(row.encode())}
    places = [path for path in Path(site_settings.DATA_DIR).rglob("*") if path.is_file()]
    if connection.vendor == "sqlite":
        database = Path(connection.settings_dict["NAME"])
        places += database.parent.glob(f"{database.name}*")
    return tables | {
        str(path)
        for path in places
        if erasing.mentions(path, NUMBER) or DIGITS.encode() in path.read_bytes()
    }


@pytest.mark.database
@pytest.mark.django_db(transaction=True)
def test_who_is_erased_is_nowhere(
    workspace: Workspace, line: Phone, phone: Phone, alice: User, as_alice: Client
) -> None:
    everywhere(workspace, line, phone, alice)
    before = found()
    for table in (
        Contact, NumberCarrier, LookUp, Reached, Message, Call, PartSet, Report, Exchange, Campaign
    ):  # fmt: skip
        assert table.__name__ in before
    for folder in ("imports", "sheets", "media", "simulator", "rehearsals"):
        assert any(name.startswith(f"{site_settings.DATA_DIR}/{folder}") for name in before), folder
    pk = Contact.objects.living().get(number=NUMBER).pk

    page = as_alice.get(f"/contacts/{pk}/erase/").content.decode()
    for words in ("1 file of recipients", "2 files that were imported", "exchanges with providers"):
        assert words in page
    answer = as_alice.post(f"/contacts/{pk}/erase/", {"sure": "1"})

    assert answer.status_code == 302
    assert found() == set()


@pytest.mark.database
@pytest.mark.django_db(transaction=True)
def test_a_person_may_take_everything_along(
    workspace: Workspace, line: Phone, phone: Phone, alice: User
) -> None:
    everywhere(workspace, line, phone, alice)

    told = holdings.everything(Contact.objects.living().get(number=NUMBER))

    json.dumps(told)
    assert [row["cells"]["name"] for row in told["files"]] == ["Nadia", "Nadia again"]
    assert told["imports"][0]["cells"]["name"] == "Nadia"
    assert told["carrier_of_the_number"][0]["carrier"] == "orange-fr"
    assert {row["sent"] for row in told["exchanges"]} >= {"to=0687650439"}
    assert told["campaigns"] == [{"name": "Flu"}]


@pytest.mark.database
@pytest.mark.django_db(transaction=True)
def test_a_campaign_goes_on_with_all_others_in_its_file(
    workspace: Workspace, line: Phone, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = contact(workspace, "Nadia", NUMBER)
    campaign = steering.create(
        workspace, alice, name="Flu", text="Hello {{ row.name }}", phone=line,
        sheet=sheets.keep(workspace, upload(ROWS.encode())),
    )  # fmt: skip
    steering.start(campaign, alice)
    monkeypatch.setattr(expanding, "_CHUNK", 2)
    monkeypatch.setattr(expanding, "_RUN", 0)
    expanding.run(campaign.pk)
    Message.objects.filter(peer=NUMBER).update(
        status="cancelled", held=False, ended_at=timezone.now()
    )

    holdings.erase(person)
    for _ in range(3):
        expanding.run(campaign.pk)

    texts = dict(Message.objects.values_list("peer", "text"))
    assert texts["+33611111111"] == "Hello Bo"
    assert texts["+33622222222"] == "Hello Cy"
    assert NUMBER not in texts


def test_nobody_is_erased_while_a_file_with_them_is_imported(
    workspace: Workspace, alice: User
) -> None:
    imported(workspace, alice, Import.State.DONE)
    Import.objects.update(state=Import.State.RUNNING)

    with pytest.raises(holdings.CannotErase):
        holdings.erase(Contact.objects.get(number=NUMBER))

    assert Contact.objects.filter(number=NUMBER).exists()


def book() -> bytes:
    made = Workbook()
    made.create_sheet("People")
    sheet = made["People"]
    for row in (
        ["number", "born", "notes"],
        [33687650439, timezone.now().date(), "x"],
        ["+33611111111", timezone.now().date(), "child of 06.87.65.04.39"],
        ["+33622222222", timezone.now().date() - timedelta(days=1), 3],
    ):
        sheet.append(row)
    file = io.BytesIO()
    made.save(file)
    return file.getvalue()


CARDS = "".join(
    f"BEGIN:VCARD\r\nVERSION:3.0\r\nFN:{name}\r\nTEL:{number}\r\nEND:VCARD\r\n"
    for name, number in (("A", "+33611111111"), ("N", "06 87 65 04 39"), ("C", "+33622222222"))
)
TABLE = (
    "number;born;notes\r\n+33611111111;1;x\r\n06 87 65 04 39;2;y\r\n+33622222222;3;z 0687650439\r\n"
)
FORMATS: dict[str, tuple[Callable[[], bytes], dict[str, Any]]] = {
    "csv": (TABLE.encode, {}),
    "csv in UTF-16": (lambda: b"\xff\xfe" + TABLE.encode("utf-16-le"), {}),
    "csv in cp1252": (lambda: TABLE.replace("notes", "élève").encode("cp1252"), {}),
    "xlsx": (book, {"sheet": 1}),
    "json": (
        lambda: json.dumps(
            [{"n": "+33611111111"}, {"n": NUMBER, "x": 1}, {"n": "+33622222222"}]
        ).encode(),
        {},
    ),
    "vcard": (CARDS.encode, {}),
}


@pytest.mark.parametrize("name", FORMATS)
def test_a_number_leaves_a_file_of_any_format_and_no_row_moves(name: str, tmp_path: Path) -> None:
    content, wished = FORMATS[name]
    path = tmp_path / "somebody"
    path.write_bytes(content())
    shape = reading.shape_of(path, **wished)
    before = list(reading.rows(path, shape))
    assert erasing.mentions(path, NUMBER)
    assert len(list(erasing.about(path, shape, NUMBER, "FR"))) == 1

    erasing.erase(path, shape, NUMBER, "FR")

    after = list(reading.rows(path, shape))
    assert not erasing.mentions(path, NUMBER)
    assert len(after) == len(before) == 3
    kept = [(old, new) for old, new in zip(before, after, strict=True) if old == new]
    assert kept
    assert [path] == list(tmp_path.iterdir())


def test_the_rows_of_others_stay_as_they_are(workspace: Workspace) -> None:
    sheet = sheets.keep(workspace, upload(ROWS.encode()))

    sheets.erase(sheet, NUMBER)

    rows = list(sheets.rows(Sheet.objects.get()))
    assert [row[1] for row in rows] == ["–", "Bo", "–", "Cy"]
    assert rows[0][0] == ""


def test_a_picture_stays_while_a_campaign_has_it(workspace: Workspace, phone: Phone) -> None:
    person = contact(workspace, "Nadia", NUMBER)
    item = media.store_upload(workspace, ContentFile(b"x"), "image/png")
    Campaign.objects.create(workspace=workspace, name="Copy").media.set([item])
    message = Message.objects.create(
        workspace=workspace, phone=phone, direction="out", status="sent", peer=NUMBER
    )
    message.media.set([item])

    holdings.erase(person)

    assert not Message.objects.exists()
    assert Campaign.objects.get().media.get() == item
