"""An import stores every good row once, says why of every other one, and survives being killed."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import openpyxl
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from accounts.models import Workspace
from contacts import keeping, services
from contacts.importing import files, running
from contacts.models import Contact, Field, Group, Import
from lib.jobs import redis
from tests.contacts.cast import contact, field

pytestmark = pytest.mark.django_db(transaction=True)

PEOPLE = """Name,Phone,Town,Groups
Nadia Benali,06 12 34 56 78,Lyon,Choir
Omar,0698765432,,"Choir, Parents"
Nobody,12,Paris,
Nadia again,+33612345678,Évian,
"""


@pytest.fixture
def upload(as_alice: Client) -> Callable[..., Import]:
    def upload(content: str | bytes, name: str = "people.csv") -> Import:
        data = content.encode() if isinstance(content, str) else content
        answer = as_alice.post("/contacts/imports/add/", {"file": SimpleUploadedFile(name, data)})
        assert answer.status_code == 302, answer.content.decode()[-3000:]
        return Import.objects.latest("pk")

    return upload


def check(client: Client, made: Import, jobs: Callable[[], None], **given: Any) -> Import:
    columns = {f"column-{place}": target for place, target in enumerate(made.mapping)}
    answer = client.post(f"/contacts/imports/{made.pk}/check/", {**columns, **given})
    assert answer.status_code == 302
    jobs()
    made.refresh_from_db()
    return made


def start(client: Client, made: Import, jobs: Callable[[], None]) -> Import:
    client.post(f"/contacts/imports/{made.pk}/start/")
    jobs()
    made.refresh_from_db()
    return made


def counts(made: Import) -> tuple[int, ...]:
    return made.added, made.updated, made.same, made.skipped, made.rejected


def test_a_file_is_mapped_checked_and_stored(
    workspace: Workspace, as_alice: Client, upload: Any, jobs: Any
) -> None:
    made = upload(PEOPLE)
    page = as_alice.get(f"/contacts/imports/{made.pk}/").content.decode()
    assert made.mapping == ["name", "number", "new:text", "groups"]
    assert "Nadia Benali" in page

    check(as_alice, made, jobs, tag="2026")
    assert made.state == "checked"
    assert counts(made) == (2, 1, 0, 0, 1)
    assert not Contact.objects.exists()
    assert not Field.objects.exists()

    start(as_alice, made, jobs)
    nadia = Contact.objects.get(number="+33612345678")
    assert (made.state, counts(made)) == ("done", (2, 1, 0, 0, 1))
    assert (nadia.name, nadia.values, nadia.kind) == ("Nadia again", {"town": "Évian"}, "mobile")
    assert [tag.name for tag in nadia.tags.all()] == ["2026"]
    assert {g.name: services.members(g).count() for g in Group.objects.all()} == {
        "Choir": 2, "Parents": 1,
    }  # fmt: skip
    assert not files.upload(made).exists()
    done = as_alice.get(f"/contacts/imports/{made.pk}/").content.decode()
    assert "too short" in done


def test_rejected_rows_come_back_with_the_reason(as_alice: Client, upload: Any, jobs: Any) -> None:
    made = check(as_alice, upload("Name,Phone\n=cmd(),12\nOmar,0698765432\n"), jobs)
    answer = as_alice.get(f"/contacts/imports/{made.pk}/rejected/")
    content = b"".join(answer.streaming_content).decode("utf-8-sig")  # type: ignore[attr-defined]

    rows = list(csv.reader(io.StringIO(content)))
    assert rows[0] == ["Name", "Phone", "Reason"]
    assert rows[1][:2] == ["'=cmd()", "12"]
    assert "too short" in rows[1][2]
    assert len(rows) == 2


@pytest.mark.parametrize(("known", "name"), [("update", "New"), ("skip", "Old")])
def test_known_people_are_updated_or_left(
    workspace: Workspace, as_alice: Client, upload: Any, jobs: Any, known: str, name: str
) -> None:
    field(workspace, "Town")
    old = contact(workspace, "Old", "+33612345678", town="Lyon")
    made = check(
        as_alice, upload("Name,Phone,Town\nNew,0612345678,\n"), jobs, known=known, group="All"
    )
    start(as_alice, made, jobs)

    old.refresh_from_db()
    assert (old.name, old.values) == (name, {"town": "Lyon"})
    assert services.members(Group.objects.get()).count() == 1
    assert counts(made) == ((0, 1, 0, 0, 0) if known == "update" else (0, 0, 0, 1, 0))


def test_the_same_file_again_changes_nothing(as_alice: Client, upload: Any, jobs: Any) -> None:
    text = "Name,Phone,Born\nNadia,0612345678,31/12/1999\nOmar,0698765432,\n"
    for _ in range(2):
        made = start(as_alice, check(as_alice, upload(text), jobs), jobs)

    assert counts(made) == (0, 0, 2, 0, 0)
    assert Contact.objects.get(name="Nadia").values == {"born": "1999-12-31"}
    assert Field.objects.get().type == "date"


def test_a_killed_import_goes_on_behind_its_last_chunk(
    as_alice: Client, upload: Any, jobs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "_CHUNK", 10)
    lines = "".join(f"N{n},06123{n:05}\n" for n in range(35))
    made = check(as_alice, upload(f"Name,Phone\n{lines}"), jobs)
    real, calls = running._store, []

    def die(*given: Any) -> None:
        calls.append(given)
        if len(calls) == 3:
            raise KeyboardInterrupt
        real(*given)

    monkeypatch.setattr(running, "_store", die)
    running.begin(made, "running")
    with pytest.raises(KeyboardInterrupt):
        running.run(made.pk)
    assert Contact.objects.count() == 20

    Import.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    assert running.resume() == 1
    jobs()
    made.refresh_from_db()
    assert (made.state, made.row, made.added, Contact.objects.count()) == ("done", 35, 35, 35)
    assert [line.row for line, _end in files.lines(made)] == list(range(1, 36))


def test_a_check_cut_into_runs_sees_what_comes_twice(
    as_alice: Client, upload: Any, jobs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "_CHUNK", 2)
    monkeypatch.setattr(running, "_RUN", 0.0)
    lines = "".join(f"N{n},061234567{n % 3}\n" for n in range(7))
    made = check(as_alice, upload(f"Name,Phone\n{lines}"), jobs)
    for _ in range(4):
        redis().flushall()
        running.run(made.pk)
    made.refresh_from_db()

    assert (made.state, made.added, made.updated) == ("checked", 3, 4)


def test_two_runs_at_once_store_nobody_twice(as_alice: Client, upload: Any, jobs: Any) -> None:
    made = check(as_alice, upload("Name,Phone\nNadia,0612345678\n"), jobs)
    running.begin(made, "running")
    Import.objects.update(lease_until=timezone.now() + timedelta(seconds=60))
    running.run(made.pk)
    assert not Contact.objects.exists()

    Import.objects.update(lease_until=None)
    running.run(made.pk)
    running.run(made.pk)
    assert Contact.objects.count() == 1


def test_a_stopped_import_stays_stopped(as_alice: Client, upload: Any, jobs: Any) -> None:
    made = check(as_alice, upload("Name,Phone\nNadia,0612345678\n"), jobs)
    running.begin(made, "running")
    as_alice.post(f"/contacts/imports/{made.pk}/stop/")
    jobs()
    made.refresh_from_db()

    assert made.state == "stopped"
    assert not Contact.objects.exists()
    assert not files.upload(made).exists()


def test_a_file_without_a_number_is_not_started(as_alice: Client, upload: Any) -> None:
    made = upload("Name,Town\nNadia,Lyon\nOmar,Paris\n")
    answer = as_alice.post(f"/contacts/imports/{made.pk}/check/", {"column-0": "name"})

    assert answer.status_code == 422
    assert "which column holds the number" in answer.content.decode()


def test_the_file_can_be_read_in_another_way(as_alice: Client, upload: Any) -> None:
    made = upload("Nadia;0612345678\nOmar;0698765432\n")
    as_alice.post(
        f"/contacts/imports/{made.pk}/shape/",
        {"encoding": "cp1252", "delimiter": ";", "headings": "1"},
    )
    made.refresh_from_db()

    assert made.shape["columns"] == ["Nadia", "0612345678"]


def test_what_is_too_large_or_no_file_is_refused(as_alice: Client, settings: Any) -> None:
    settings.IMPORT_LIMIT = 10
    large = as_alice.post(
        "/contacts/imports/add/", {"file": SimpleUploadedFile("a.csv", b"x" * 11)}
    )
    nothing = as_alice.post("/contacts/imports/add/")

    assert (large.status_code, nothing.status_code) == (422, 422)
    assert not Import.objects.exists()


@pytest.mark.parametrize("format_", ["csv", "xlsx", "json", "vcard"])
def test_what_is_exported_can_be_imported_again(
    workspace: Workspace, as_alice: Client, upload: Any, jobs: Any, format_: str
) -> None:
    field(workspace, "Town")
    field(workspace, "Born", "date")
    person = contact(workspace, "Zoé, B.", "+33612345678", town="=Évian", born="1999-12-31")
    person.notes, person.language, person.time_zone = "two\nlines", "fr", "Europe/Paris"
    keeping.save(person)
    keeping.group_named(workspace, "Choir").contacts.add(person)
    answer = as_alice.get(f"/contacts/export/?format={format_}")
    content = b"".join(answer.streaming_content)  # type: ignore[attr-defined]
    Contact.objects.all().delete()

    made = start(as_alice, check(as_alice, upload(content, f"p.{format_}"), jobs), jobs)

    back = Contact.objects.get()
    assert counts(made) == (1, 0, 0, 0, 0)
    assert (back.name, back.number, back.language) == (person.name, person.number, "fr")
    assert [group.name for group in back.groups.all()] == ["Choir"]
    if format_ != "vcard":
        assert back.values["born"] == "1999-12-31"
        assert back.values["town"].removeprefix("'") == "=Évian"
        assert back.notes == "two\nlines"


def test_an_export_holds_those_that_were_looked_for(workspace: Workspace, as_alice: Client) -> None:
    contact(workspace, "Nadia", "+33612345678")
    contact(workspace, "Omar", "+33698765432")
    answer = as_alice.get("/contacts/export/?format=json&q=nadia")
    found = json.loads(b"".join(answer.streaming_content))  # type: ignore[attr-defined]
    nobody = as_alice.get("/contacts/export/?format=json&q=xyz")
    book = as_alice.get("/contacts/export/?format=xlsx")

    assert [person["name"] for person in found] == ["Nadia"]
    assert json.loads(b"".join(nobody.streaming_content)) == []  # type: ignore[attr-defined]
    sheet = openpyxl.load_workbook(io.BytesIO(b"".join(book.streaming_content))).active  # type: ignore[attr-defined]
    assert sheet is not None
    assert sheet.max_row == 3


def test_files_go_after_a_week(as_alice: Client, upload: Any) -> None:
    made = upload(PEOPLE)
    assert files.prune() == 0
    Import.objects.update(created_at=timezone.now() - timedelta(days=8))

    assert files.prune() == 1
    assert not files.folder(made).exists()
    assert not Import.objects.exists()
