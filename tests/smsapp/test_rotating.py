"""Keys change while processes run that know the old ones, and nothing becomes unreadable."""

from __future__ import annotations

import os
import subprocess
import sys
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet, InvalidToken
from django.core.management import CommandError, call_command
from django.core.signing import BadSignature, TimestampSigner
from django.db.models import TextField
from django.db.models.functions import Cast
from django.test import Client

from accounts.models import Workspace
from lib import vault
from messaging.models import Report
from phones.models import Phone
from smsapp import rotating

pytestmark = [pytest.mark.django_db, pytest.mark.database]


@pytest.fixture
def file(tmp_path: Path, settings: Any) -> Path:
    place = tmp_path / "field_keys"
    rotating.write(place, [Fernet.generate_key().decode()])
    settings.FIELD_KEYS_FILE = place
    return place


@pytest.fixture
def line(file: Path, workspace: Workspace) -> Phone:
    return Phone.objects.create(
        workspace=workspace, type="simulator", name="Line", settings={"auth_token": "s3cret"}
    )


def written(phone: Phone) -> str:
    rows = Phone.objects.filter(pk=phone.pk).annotate(written=Cast("settings", TextField()))
    return str(rows.values_list("written", flat=True)[0])


def test_everything_has_the_new_key_and_the_old_one_is_gone(file: Path, line: Phone) -> None:
    old, before = file.read_text(), written(line)

    assert rotating.rotate(file, settled=0) == 1

    assert file.read_text() != old
    assert "," not in file.read_text()
    assert file.stat().st_mode & 0o077 == 0
    assert written(line) != before
    assert Phone.objects.get(pk=line.pk).settings == {"auth_token": "s3cret"}
    with pytest.raises(InvalidToken):
        Fernet(old.strip()).decrypt(written(line).encode())


def test_a_process_that_runs_reads_the_keys_anew(file: Path) -> None:
    token = vault.encrypt({"a": 1})
    key = file.read_text().strip()
    new = Fernet.generate_key().decode()

    rotating.write(file, [new, key])

    assert vault.decrypt(token) == {"a": 1}
    assert Fernet(new).decrypt(vault.encrypt({"b": 2}).encode())


def test_what_somebody_writes_with_the_old_key_meanwhile_is_found(
    file: Path, line: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = Fernet(file.read_text().strip()).encrypt(b'{"auth_token": "late"}').decode()
    rounds = []
    renew_all = rotating.renew_all

    def renew() -> int:
        many = renew_all()
        if not rounds:  # a transaction that had read the keys before commits only now
            token = vault.models.Value(late, output_field=TextField())
            Phone.objects.filter(pk=line.pk).update(settings=token)
        rounds.append(many)
        return many

    monkeypatch.setattr(rotating, "renew_all", renew)
    rotating.rotate(file, settled=0)

    assert rounds == [1, 1, 0]
    assert Phone.objects.get(pk=line.pk).settings == {"auth_token": "late"}


def test_what_a_person_changes_meanwhile_stays(
    file: Path, line: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    renewed = vault.renewed

    def slow(text: str) -> str:
        Phone.objects.filter(pk=line.pk).update(settings={"auth_token": "newer"})
        return renewed(text)

    rotating.write(file, [Fernet.generate_key().decode(), file.read_text().strip()])
    monkeypatch.setattr(vault, "renewed", slow)

    assert rotating.renew_all() == 0
    assert Phone.objects.get(pk=line.pk).settings == {"auth_token": "newer"}


def test_tokens_inside_of_json_have_the_new_key_too(file: Path, line: Phone) -> None:
    inside = vault.encrypt({"text": "seed"})
    foreign = Fernet(Fernet.generate_key()).encrypt(b"x" * 60).decode()
    report = Report.objects.create(phone=line, state="sent", aliases=[inside, foreign, "x"])

    rotating.rotate(file, settled=0)

    report.refresh_from_db()
    mine, theirs, other = report.aliases
    assert vault.decrypt(mine) == {"text": "seed"}
    assert (theirs, other) == (foreign, "x")


def test_a_run_that_was_cut_off_is_begun_again(file: Path, line: Phone) -> None:
    rotating.write(file, [Fernet.generate_key().decode(), file.read_text().strip()])

    rotating.rotate(file, settled=0)

    assert Phone.objects.get(pk=line.pk).settings == {"auth_token": "s3cret"}
    assert "," not in file.read_text()


def test_keys_of_the_environment_are_the_operator_s_to_change(settings: Any) -> None:
    settings.FIELD_KEYS_FILE = None

    with pytest.raises(CommandError, match=r"FIELD_KEYS=\S{44},…"):
        call_command("rotate_keys")


def test_with_keys_of_the_environment_all_is_written_anew_by_the_newest(
    settings: Any, workspace: Workspace
) -> None:
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    settings.FIELD_KEYS_FILE, settings.FIELD_KEYS = None, [old]
    phone = Phone.objects.create(
        workspace=workspace, type="simulator", name="A", settings={"auth_token": "s3cret"}
    )

    settings.FIELD_KEYS = [new, old]
    call_command("rotate_keys", only_write=True)

    settings.FIELD_KEYS = [new]
    assert Phone.objects.get(pk=phone.pk).settings == {"auth_token": "s3cret"}


def test_a_file_that_is_gone_for_a_moment_changes_nothing(file: Path) -> None:
    known = vault.keys()
    os.remove(file)

    assert vault.keys() == known


# ---- What is signed -----------------------------------------------------------------------------


@pytest.fixture
def signing(tmp_path: Path, settings: Any) -> Path:
    place = tmp_path / "secret_key"
    place.write_text(f"{settings.SECRET_KEY}\n")
    settings.SECRET_KEY_FILE = place
    return place


def restart(file: Path, settings: Any) -> None:
    settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS = file.read_text().split()


def test_people_stay_logged_in_and_links_open_while_the_signing_key_changes(
    signing: Path, as_alice: Client, workspace: Workspace, settings: Any
) -> None:
    as_alice.get("/")
    link = TimestampSigner(salt="media").sign("1")

    call_command("rotate_keys", signing=True, stdout=StringIO())
    restart(signing, settings)

    assert signing.stat().st_mode & 0o077 == 0
    assert as_alice.get("/").status_code == 200
    assert TimestampSigner(salt="media").unsign(link) == "1"

    call_command("rotate_keys", signing=True, drop_old=True, stdout=StringIO())
    restart(signing, settings)

    assert not settings.SECRET_KEY_FALLBACKS
    assert as_alice.get("/").status_code == 200, "who was here meanwhile has the new key"
    with pytest.raises(BadSignature):
        TimestampSigner(salt="media").unsign(link)


def test_who_was_not_here_while_both_keys_were_logs_in_again(
    signing: Path, as_alice: Client, settings: Any
) -> None:
    as_alice.get("/")
    for options in ({}, {"drop_old": True}):
        call_command("rotate_keys", signing=True, stdout=StringIO(), **options)
    restart(signing, settings)

    assert as_alice.get("/").status_code == 302


def test_a_signing_key_of_the_environment_is_changed_by_its_operator(settings: Any) -> None:
    settings.SECRET_KEY_FILE = None

    with pytest.raises(CommandError, match="SECRET_KEY_FALLBACKS"):
        call_command("rotate_keys", signing=True)


def test_settings_read_older_keys_from_the_file_and_the_environment(tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "secret_key").write_text("newest\nolder\n")
    (tmp_path / "secrets" / "field_keys").write_text("x\n")
    env = {"PATH": os.environ["PATH"], "DATA_DIR": str(tmp_path), "SECRET_KEY_FALLBACKS": "oldest"}
    code = "from smsapp import settings as s; print(s.SECRET_KEY, *s.SECRET_KEY_FALLBACKS)"

    said = subprocess.run(
        [sys.executable, "-c", code], check=False, env=env, capture_output=True, text=True
    )

    assert said.stdout.split() == ["newest", "oldest", "older"], said.stderr
