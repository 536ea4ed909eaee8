"""What is restored is what was backed up, row by row and file by file, and nothing is sent twice for it."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from accounts.models import User, Workspace
from campaigns.models import Campaign, State
from lib.jobs import redis
from messaging.models import Attempt, Direction, Media, Message, Status
from phones.models import Phone
from smsapp import backup, restoring

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.database]

KEY = Fernet.generate_key().decode()


@pytest.fixture(autouse=True)
def home(tmp_path: Path, settings: Any) -> Path:
    data = tmp_path / "var"
    (data / "media" / "2026").mkdir(parents=True)
    (data / "imports").mkdir()
    settings.DATA_DIR, settings.FIELD_KEYS = data, [KEY]
    return data


@pytest.fixture(autouse=True)
def small_ids() -> Iterator[None]:
    """Let the ids of the next test begin where they were."""
    yield
    table = Message._meta.db_table
    Message.objects.all().delete()
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), 1, false)")
        else:
            cursor.execute("DELETE FROM sqlite_sequence WHERE name = %s", [table])


def message(phone: Phone, status: Status, **fields: Any) -> Message:
    fields.setdefault("send_at", timezone.now() - timedelta(minutes=1))
    if status == Status.SENDING:
        fields["lease_until"] = timezone.now()
    return Message.objects.create(
        workspace=phone.workspace, phone=phone, direction=Direction.OUT, status=status,
        peer="+33612345678", text="Ça va 🐈?", **fields,
    )  # fmt: skip


def rows() -> dict[str, list[tuple[Any, ...]]]:
    """Give everything that is in the database, as Python sees it."""
    return {
        model._meta.label: list(model._base_manager.order_by("pk").values_list())
        for model in apps.get_models(include_auto_created=True)
        if model._meta.managed
    }


@pytest.fixture
def site(home: Path, phone: Phone, alice: User) -> Path:
    phone.settings = {"auth_token": "s3cret"}
    phone.save(update_fields=["settings"])
    sent = message(phone, Status.DELIVERED, provider_id="x1")
    picture = Media.objects.create(workspace=phone.workspace, file="2026/a.png", size=3)
    picture.messages.add(sent)
    (home / "media" / "2026" / "a.png").write_bytes(b"\x89PN")
    (home / "imports" / "report").write_text("{}")
    return home


def test_what_is_restored_is_what_was_backed_up(site: Path, tmp_path: Path, settings: Any) -> None:
    file = tmp_path / "b.tar.gz"
    message(Phone.objects.get(), Status.QUEUED, send_at=timezone.now() + timedelta(days=1))
    before = rows()
    call_command("backup", str(file))

    Message.objects.update(text="lost")
    Workspace.objects.create(name="Never backed up")
    (site / "media" / "2026" / "a.png").write_bytes(b"other")
    (site / "media" / "2026" / "new.png").write_bytes(b"new")
    settings.FIELD_KEYS = [KEY]
    call_command("restore", str(file), replace=True)

    assert rows() == before
    assert Phone.objects.get().settings == {"auth_token": "s3cret"}
    assert (site / "media" / "2026" / "a.png").read_bytes() == b"\x89PN"
    assert not (site / "media" / "2026" / "new.png").exists()
    assert (site / "imports" / "report").read_text() == "{}"
    assert (site / "secrets" / "field_keys").read_text().strip() == KEY
    # What was there is kept.
    assert len(list(site.glob("before-restore-*.tar.gz"))) == 1


def test_nothing_is_open_to_others(site: Path, tmp_path: Path) -> None:
    file = tmp_path / "b.tar.gz"
    call_command("backup", str(file))
    call_command("restore", str(file), replace=True)

    assert file.stat().st_mode & 0o077 == 0
    assert [p for p in tmp_path.iterdir() if p.name.startswith(".smsapp")] == []
    inside = [p for p in (site / "secrets").rglob("*") if p.stat().st_mode & 0o077]
    assert inside == []


def test_what_may_have_left_since_is_never_sent_by_itself(site: Path, tmp_path: Path) -> None:
    phone = Phone.objects.get()
    waits, flies = message(phone, Status.QUEUED), message(phone, Status.SENDING)
    later = message(phone, Status.QUEUED, send_at=timezone.now() + timedelta(days=1))
    call_command("backup", str(tmp_path / "b.tar.gz"))

    call_command("restore", str(tmp_path / "b.tar.gz"), replace=True)

    for doubtful in (waits, flies):
        doubtful.refresh_from_db()
        assert doubtful.status == Status.UNKNOWN
        assert "may have left since" in doubtful.words
        assert Attempt.objects.get(message=doubtful).kind == Attempt.Kind.UNKNOWN
    later.refresh_from_db()
    assert later.status == Status.QUEUED


def test_no_campaign_goes_on_or_begins_by_itself(site: Path, tmp_path: Path) -> None:
    phone, now = Phone.objects.get(), timezone.now()
    runs, begins, waits = (
        Campaign.objects.create(
            workspace=phone.workspace, name=name, text="Hello", phone=phone, state=state, send_at=at
        )
        for name, state, at in (
            ("runs", State.RUNNING, now),
            ("begins", State.SCHEDULED, now - timedelta(minutes=1)),
            ("waits", State.SCHEDULED, now + timedelta(days=1)),
        )
    )
    call_command("backup", str(tmp_path / "b.tar.gz"))

    call_command("restore", str(tmp_path / "b.tar.gz"), replace=True)

    states = dict(Campaign.objects.values_list("pk", "state"))
    assert states == {
        runs.pk: State.PAUSED, begins.pk: State.DRAFT, waits.pk: State.SCHEDULED,
    }  # fmt: skip


def test_a_site_that_only_moves_sends_what_waits(site: Path, tmp_path: Path) -> None:
    waits = message(Phone.objects.get(), Status.QUEUED)
    call_command("backup", str(tmp_path / "b.tar.gz"))

    call_command("restore", str(tmp_path / "b.tar.gz"), replace=True, as_it_was=True)

    waits.refresh_from_db()
    assert waits.status == Status.QUEUED


def test_late_news_of_a_lost_message_meet_no_new_one(site: Path, tmp_path: Path) -> None:
    phone = Phone.objects.get()
    call_command("backup", str(tmp_path / "b.tar.gz"))
    lost = message(phone, Status.SENT)

    call_command("restore", str(tmp_path / "b.tar.gz"), replace=True)

    assert message(phone, Status.QUEUED).pk > lost.pk + 1000


# ---- What is refused ----------------------------------------------------------------------------


def test_people_are_not_replaced_without_saying_so(site: Path, tmp_path: Path) -> None:
    call_command("backup", str(tmp_path / "b.tar.gz"))
    Workspace.objects.update(name="Changed")

    with pytest.raises(CommandError, match="--replace"):
        call_command("restore", str(tmp_path / "b.tar.gz"))

    assert Workspace.objects.get().name == "Changed"


def test_a_site_that_runs_is_not_replaced(site: Path, tmp_path: Path) -> None:
    call_command("backup", str(tmp_path / "b.tar.gz"))
    redis().set("tick", time.time())

    with pytest.raises(CommandError, match=r"Stop the site first.*tick"):
        call_command("restore", str(tmp_path / "b.tar.gz"), replace=True)


def spoiled(file: Path, how: str) -> Path:
    """Give a backup with something wrong in it."""
    bad = file.with_name("bad.tar.gz")
    if how == "cut":
        bad.write_bytes(file.read_bytes()[:-200])
        return bad
    if how == "empty":
        bad.write_bytes(b"")
        return bad
    manifest = b""
    with tarfile.open(file) as old, tarfile.open(bad, "w:gz") as new:
        for member in old:
            content = old.extractfile(member).read()  # type: ignore[union-attr]
            if how == "newer" and member.name == "manifest.json":
                told = json.loads(content)
                told["migrations"].append(["messaging", "9999_from_the_future"])
                content = json.dumps(told).encode()
            if how == "changed" and member.name.startswith("media/"):
                content = b"###"
            if how == "engine" and member.name == "manifest.json":
                other = b"sqlite" if connection.vendor == "postgresql" else b"postgresql"
                content = content.replace(connection.vendor.encode(), other)
            if how in ("newer", "engine") and member.name == "digests.json":
                told = json.loads(content)
                told["manifest.json"] = hashlib.sha256(manifest).hexdigest()
                content = json.dumps(told).encode()
            if member.name == "manifest.json":
                manifest = content
            member.size = len(content)
            new.addfile(member, io.BytesIO(content))
        if how == "outside":
            new.addfile(tarfile.TarInfo("media/../../evil"))
        if how == "link":
            link = tarfile.TarInfo("media/link")
            link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
            new.addfile(link)
    return bad


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("cut", "cannot be read|not whole"),
        ("empty", "cannot be read|not whole"),
        ("changed", "damaged at media/2026/a.png"),
        ("newer", "9999_from_the_future.*update smsapp first"),
        ("engine", "move-database"),
        ("outside", "no backup of smsapp holds"),
        ("link", "no backup of smsapp holds"),
    ],
)
def test_a_bad_backup_changes_nothing(
    how: str, words: str, site: Path, tmp_path: Path, settings: Any
) -> None:
    settings.MIGRATION_MODULES = {}  # the tests' database is made without them
    call_command("backup", str(tmp_path / "b.tar.gz"))
    before = rows()

    with pytest.raises(CommandError, match=words):
        call_command("restore", str(spoiled(tmp_path / "b.tar.gz", how)), replace=True)

    assert rows() == before
    assert (site / "media" / "2026" / "a.png").read_bytes() == b"\x89PN"
    assert [p.name for p in site.iterdir() if "restoring" in p.name] == []


def test_a_backup_that_fails_leaves_the_last_one(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "b.tar.gz"
    call_command("backup", str(file))
    good = file.read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(backup, "_fill", full)
    with pytest.raises(CommandError, match="No space left"):
        call_command("backup", str(file))

    assert file.read_bytes() == good
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_an_empty_site_needs_no_permission(site: Path, tmp_path: Path) -> None:
    call_command("backup", str(tmp_path / "b.tar.gz"))
    call_command("flush", interactive=False, verbosity=0)
    assert not restoring.holds_people()

    call_command("restore", str(tmp_path / "b.tar.gz"))

    assert User.objects.get().email == "alice@example.org"
