"""The doctor names each illness, and the sentence that mends it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import get_language

from accounts.models import Membership, User, Workspace
from lib import counters
from lib.jobs import DEFAULT, SEND, Worker, enqueue, jobs_of, redis
from messaging.models import Direction, Message, Status
from phones import limits
from phones.models import EndpointCall, Phone
from smsapp.diagnosis import Check, State, checks, diagnose, fine, kept, lines, site, work
from smsapp.diagnosis.checks import CHECKS, OUTSIDE
from tests.conftest import no_server

pytestmark = pytest.mark.django_db


@pytest.fixture
def root(workspace: Workspace) -> Client:
    user = User.objects.create_superuser("root@example.org", name="Root")
    Membership.objects.create(workspace=workspace, user=user, role="owner")
    client = Client()
    client.force_login(user)
    return client


def waiting(phone: Phone, *, minutes: float, **fields: Any) -> Message:
    at = timezone.now() - timedelta(minutes=minutes)
    return Message.objects.create(
        workspace=phone.workspace, phone=phone, direction=Direction.OUT, status=Status.QUEUED,
        peer="+33612345678", text="Hello", not_before=at, send_at=at, **fields,
    )  # fmt: skip


def doctor(**options: Any) -> tuple[str, int]:
    said = StringIO()
    try:
        call_command("doctor", stdout=said, no_color=True, inside=True, **options)
    except SystemExit as end:
        return said.getvalue(), int(str(end.code))
    return said.getvalue(), 0


# ---- What it says -------------------------------------------------------------------------------


def test_what_is_broken_comes_with_what_mends_it_and_ends_with_1() -> None:
    said, code = doctor()

    assert code == 1
    assert "✗ Tick" in said
    assert "→ Start it: ./run manage tick" in said


def test_a_site_that_is_well_ends_with_0(
    settings: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings.SECRET_KEY = "s" * 50
    settings.FIELD_KEYS = ["A" * 43 + "="]
    redis().set("tick", time.time())
    monkeypatch.setattr(work, "workers", lambda queue: 1)

    said, code = doctor()

    assert "✗" not in said
    assert code == 0


def test_programs_read_json() -> None:
    said = json.loads(doctor(json=True)[0])

    assert said["state"] == "broken"
    assert {"name", "title", "state", "words", "mend"} == set(said["checks"][0])


def test_what_rests_on_a_dead_queue_server_is_not_said_a_dozen_times(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    nowhere = no_server()
    monkeypatch.setattr(work, "redis", lambda *_: nowhere)

    results = {result.name: result for result in diagnose(CHECKS)}

    assert results["queue"].state == State.BROKEN
    assert "tick" not in results
    assert "disk" in results


def test_every_check_finds_something_and_mends_what_is_wrong() -> None:
    for result in diagnose(CHECKS):
        assert result.words, result.name
        assert (result.state == State.FINE) == (not result.mend), result.name


# ---- Each illness -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "state"),
    [
        ("https://sms.example.org", State.FINE),
        ("http://sms.example.org", State.WATCH),
        ("http://127.0.0.1:8000", State.FINE),
        ("http://192.168.1.5:8000", State.FINE),
        ("http://raspberry.local", State.FINE),
    ],
)
def test_the_public_address(url: str, state: State, settings: Any) -> None:
    settings.PUBLIC_URL = url

    assert site.address().state == state


def test_phones_that_wait_for_calls_want_a_public_address(
    workspace: Workspace, settings: Any
) -> None:
    settings.PUBLIC_URL = "http://10.0.0.5:8000"
    Phone.objects.create(workspace=workspace, type="kannel", name="Kannel", settings={})

    found = site.address()

    assert found.state == State.WATCH
    assert "Kannel" in found.words


def test_secrets_that_everybody_knows(settings: Any) -> None:
    assert site.secrets().state == State.BROKEN

    settings.SECRET_KEY, settings.FIELD_KEYS = "s" * 50, ["other"]
    assert site.secrets().state == State.FINE

    settings.SECRET_KEY = "short"
    assert site.secrets().state == State.WATCH


def test_debug_on_a_public_site(settings: Any) -> None:
    settings.SECRET_KEY, settings.FIELD_KEYS = "s" * 50, ["other"]
    settings.DEBUG, settings.PUBLIC_URL = True, "https://sms.example.org"

    assert site.secrets().state == State.BROKEN


def test_keys_that_do_not_open_what_is_stored(phone: Phone, settings: Any) -> None:
    assert site.keys().state == State.FINE

    settings.FIELD_KEYS = ["B" * 43 + "="]

    assert site.keys().state == State.BROKEN
    assert phone.name in site.keys().words


def test_files_that_others_can_read(settings: Any, tmp_path: Path) -> None:
    data = tmp_path / "var"
    (data / "secrets").mkdir(parents=True, mode=0o700)
    data.chmod(0o755)
    settings.DATA_DIR = data
    key = data / "secrets" / "field_keys"
    key.touch(0o600)
    assert site.permissions().state == State.FINE

    key.chmod(0o644)
    assert site.permissions().state == State.BROKEN

    data.chmod(0o700)
    assert site.permissions().state == State.FINE


def test_a_full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    def free(amount: int) -> None:
        usage = type("Usage", (), {"free": amount})
        monkeypatch.setattr(site.shutil, "disk_usage", lambda _: usage)

    free(100 * 1024**2)
    assert site.disk().state == State.BROKEN
    free(1024**3)
    assert site.disk().state == State.WATCH
    free(100 * 1024**3)
    assert site.disk().state == State.FINE


@pytest.mark.parametrize(
    ("apart", "state"), [(0, State.FINE), (-5, State.WATCH), (90, State.BROKEN)]
)
def test_clocks_that_differ(apart: int, state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(site, "_is_set_by_nobody", lambda: False)
    monkeypatch.setattr(site, "_other_clocks", lambda: [time.time() + apart])

    assert site.clock().state == state


def test_a_clock_that_nobody_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(site, "_is_set_by_nobody", lambda: True)

    assert site.clock().state == State.WATCH


def test_mails_that_do_not_leave(settings: Any) -> None:
    assert site.mails().state == State.WATCH

    settings.EMAIL_URL, settings.EMAIL_HOST = "smtp://u:p@mail.example.org", "mail.example.org"

    assert site.mails().words == "They go by mail.example.org."


def test_a_mail_server_that_is_away(settings: Any) -> None:
    assert site.mail_server().state == State.FINE
    settings.EMAIL_URL = "smtp://127.0.0.1:1"
    assert site.mail_server().words == "The mail server lets us in."
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1

    assert site.mail_server().state == State.BROKEN


def test_migrations_that_are_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert work.migrations().state == State.FINE

    monkeypatch.setattr(work.MigrationExecutor, "migration_plan", lambda *_: [1, 2])

    assert work.migrations().words == "2 changes of the tables are missing."


def test_a_tick_that_stopped() -> None:
    assert work.tick().state == State.BROKEN
    redis().set("tick", time.time() - 50)
    assert work.tick().state == State.BROKEN
    redis().set("tick", time.time() - 1)
    assert work.tick().state == State.FINE


def test_workers_are_counted_while_they_live() -> None:
    assert work.sending_workers().state == State.BROKEN
    worker = Worker([jobs_of(SEND)], connection=redis(SEND))
    worker.register_birth()

    assert work.sending_workers().state == State.FINE
    assert work.other_workers().state == State.BROKEN

    # Killed: its key ended, its name is still on the list.
    redis(SEND).delete(worker.key)
    assert work.sending_workers().state == State.BROKEN


def test_a_job_that_waits_long(
    monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    monkeypatch.setattr(work, "workers", lambda queue: 1)
    with django_capture_on_commit_callbacks(execute=True):
        enqueue(len, "abc")
    (job,) = jobs_of(DEFAULT).get_jobs()
    job.enqueued_at = timezone.now() - timedelta(minutes=5)
    job.save()

    assert work.other_workers().state == State.WATCH
    assert "300 seconds" in work.other_workers().words


def test_messages_that_could_leave_and_do_not(phone: Phone) -> None:
    waiting(phone, minutes=1)
    assert work.backlog().state == State.FINE

    waiting(phone, minutes=10)
    assert work.backlog().state == State.BROKEN

    # A campaign that goes on at the phone's rate is fine, however old its messages are.
    counters.note("handed_over_at", phone.pk)
    assert work.backlog().state == State.FINE


def test_a_provider_that_rests_is_not_our_illness(phone: Phone) -> None:
    waiting(phone, minutes=10)
    limits.hold(phone, words="unreachable", seconds=60)

    assert work.backlog().state == State.WATCH


def test_what_a_paused_phone_keeps_is_not_late(phone: Phone) -> None:
    waiting(phone, minutes=10)
    Phone.objects.update(paused_at=timezone.now())

    assert work.backlog().state == State.FINE


def test_sessions_that_nobody_keeps(workspace: Workspace) -> None:
    assert work.sessions().state == State.FINE
    Phone.objects.create(workspace=workspace, type="smpp", name="Line", settings={})

    found = work.sessions()

    assert found.state == State.BROKEN
    assert "Line" in found.words


def test_callbacks_that_never_came(phone: Phone) -> None:
    message = waiting(phone, minutes=20, provider_id="x1")
    assert lines.callbacks().state == State.FINE
    message.status = "sent"
    message.send_at = message.sent_at = timezone.now() - timedelta(minutes=60)
    message.save(update_fields=["status", "send_at", "sent_at"])

    assert lines.callbacks().state == State.WATCH

    now = timezone.now()
    call = EndpointCall.objects.create(phone=phone, endpoint="status", last_at=now)
    assert lines.callbacks().state == State.FINE

    EndpointCall.objects.filter(pk=call.pk).update(refused_at=now + timedelta(seconds=1))
    assert "refused" in lines.callbacks().words


def test_phones_that_stopped_by_themselves(phone: Phone, alice: User) -> None:
    Phone.objects.update(paused_at=timezone.now(), paused_by=alice)
    assert lines.paused().state == State.FINE

    Phone.objects.update(paused_by=None)
    assert lines.paused().state == State.WATCH


def fail() -> None:
    raise ZeroDivisionError


@pytest.mark.django_db(transaction=True)
def test_jobs_that_broke(jobs: Callable[[], None]) -> None:
    assert work.failed_jobs().state == State.FINE
    enqueue(fail)
    jobs()

    assert work.failed_jobs().state == State.WATCH


@pytest.mark.skipif(connection.vendor != "sqlite", reason="SQLite's own")
def test_sqlite_outside_of_wal(monkeypatch: pytest.MonkeyPatch) -> None:
    assert work.database().state == State.FINE
    ask = work._ask
    monkeypatch.setattr(work, "_ask", lambda sql: "delete" if "journal" in sql else ask(sql))

    assert work.database().state == State.BROKEN


@pytest.mark.postgres
def test_postgresql_that_does_not_write_through() -> None:
    # That of the tests runs without fsync.
    assert "power cut" in work.database().words


# ---- The page -----------------------------------------------------------------------------------


def test_the_page_shows_the_same_and_asks_again(root: Client) -> None:
    page = root.get(reverse("system")).content.decode()

    assert "Nobody looks for what is due" in page
    assert "./run manage tick" in page
    assert 'hx-trigger="every 5s"' in page


def test_the_page_has_a_fixed_number_of_queries(
    root: Client, workspace: Workspace, phone: Phone
) -> None:
    asked = []
    for names in ("", "", "abcde"):
        for name in names:
            Phone.objects.create(workspace=workspace, type="simulator", name=name, settings={})
        with CaptureQueriesContext(connection) as queries:
            root.get(reverse("system"))
        asked.append(len(queries))

    assert asked[1] == asked[2]  # the first one also finds out who asks


@pytest.mark.django_db(transaction=True)
def test_what_is_outside_is_asked_by_a_worker_and_then_shown(
    root: Client, jobs: Callable[[], None]
) -> None:
    root.post(reverse("system_ask"))
    assert str(OUTSIDE[0].title) not in root.get(reverse("system")).content.decode()

    jobs()

    page = root.get(reverse("system")).content.decode()
    assert str(OUTSIDE[0].title) in page
    assert "No mail server is set." in page


def test_the_job_speaks_the_language_of_who_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    speaks = Check("mail_server", "Mail", lambda: fine(str(get_language())))
    monkeypatch.setattr(checks, "OUTSIDE", (speaks,))

    checks.look_outside("fr")

    assert [result.words for result in kept(OUTSIDE)] == ["fr"]
