"""The first run: who can read the terminal, and nobody else, makes the administrator."""

from __future__ import annotations

import re
import stat
from pathlib import Path

import pytest
from django.test import Client

from accounts import setup
from accounts.models import Role, User, Workspace
from accounts.signals import workspace_created

pytestmark = pytest.mark.django_db


def person(code: str | None, **changes: str) -> dict[str, str]:
    typed = {
        "code": code or "",
        "name": "Alice Martin",
        "email": "Alice@Example.org",
        "password": "seven quiet herons",
    }
    return typed | changes


SITE = {"name": "Les Tilleuls", "language": "fr", "country": "FR", "time_zone": "Europe/Paris"}


def test_the_code_is_easy_to_copy_and_stays_the_same(data_dir: Path) -> None:
    code = setup.one_time_code()

    assert re.fullmatch(r"[2-9A-HJ-KM-NP-TW-Z]{4}-[2-9A-HJ-KM-NP-TW-Z]{4}", code or "")
    assert setup.one_time_code() == code


def test_only_we_can_read_the_code(data_dir: Path) -> None:
    setup.one_time_code()

    folder = data_dir / "secrets"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "setup_code").stat().st_mode) == 0o600
    assert [file.name for file in folder.iterdir()] == ["setup_code"]


def test_there_is_no_code_once_somebody_exists(data_dir: Path, alice: User) -> None:
    assert setup.one_time_code() is None
    assert not (data_dir / "secrets").exists()


@pytest.mark.parametrize("path", ["/", "/login/", "/settings/people/", "/no/such/page/"])
def test_every_page_leads_to_the_set_up_while_nobody_exists(path: str, client: Client) -> None:
    assert client.get(path)["Location"] == "/setup/"


def test_machines_are_not_sent_to_the_set_up(client: Client) -> None:
    assert client.get("/healthz").status_code in (200, 503)
    assert client.get("/callbacks/nobody/status/").status_code == 404


@pytest.mark.parametrize(
    "write",
    [str, str.lower, lambda code: code.replace("-", ""), lambda code: f" {code[:4]} {code[5:]} "],
    ids=["as printed", "lower case", "without dash", "with spaces"],
)
def test_the_code_makes_the_administrator(write: object, client: Client, data_dir: Path) -> None:
    code = setup.one_time_code()

    answer = client.post("/setup/", person(write(code)))  # type: ignore[operator]

    assert answer["Location"] == "/setup/site/"
    user = User.objects.get()
    assert (user.email, user.name, user.is_superuser) == ("alice@example.org", "Alice Martin", True)
    assert user.check_password("seven quiet herons")
    assert client.get("/setup/site/").status_code == 200
    assert not (data_dir / "secrets" / "setup_code").exists()


@pytest.mark.parametrize("code", ["", "AAAA-AAAA", "ÄÖÜ€"], ids=["none", "wrong", "not ASCII"])
def test_a_wrong_code_makes_nobody(code: str, client: Client, data_dir: Path) -> None:
    answer = client.post("/setup/", person(code))

    assert answer.status_code == 422
    assert not User.objects.exists()


def test_after_five_wrong_codes_the_right_one_must_wait(client: Client, data_dir: Path) -> None:
    code = setup.one_time_code()
    for _try in range(5):
        client.post("/setup/", person("AAAA-AAAA"))

    answer = client.post("/setup/", person(code))

    assert "Wait a minute" in answer.content.decode()
    assert not User.objects.exists()


@pytest.mark.parametrize(
    "password", ["tiny42", "1234567890", "password123", "alicemartin"], ids=str
)
def test_a_weak_password_is_refused_and_the_code_stays_good(
    password: str, client: Client, data_dir: Path
) -> None:
    code = setup.one_time_code()

    answer = client.post("/setup/", person(code, password=password))

    assert answer.status_code == 422
    assert password not in answer.content.decode()
    assert setup.one_time_code() == code


def test_a_second_set_up_is_refused(client: Client, data_dir: Path, alice: User) -> None:
    (data_dir / "secrets").mkdir()
    (data_dir / "secrets" / "setup_code").write_text("7KQ4-M2TX")

    seen, sent = client.get("/setup/"), client.post("/setup/", person("7KQ4-M2TX"))

    assert (seen["Location"], sent["Location"]) == ("/", "/")
    assert User.objects.get() == alice


def test_of_two_with_the_same_code_one_comes_late(data_dir: Path) -> None:
    setup.one_time_code()
    (data_dir / "secrets" / "setup_code").unlink()  # the other one has just used it

    with pytest.raises(setup.AlreadySetUp):
        setup.create_administrator(name="Eve", email="eve@example.org", password="x")

    assert not User.objects.exists()


def test_the_second_step_makes_the_workspace(client: Client, data_dir: Path) -> None:
    announced: list[Workspace] = []

    def hear(workspace: Workspace, **_signal: object) -> None:
        announced.append(workspace)

    workspace_created.connect(hear)
    client.post("/setup/", person(setup.one_time_code()))

    answer = client.post("/setup/site/", SITE)

    workspace_created.disconnect(hear)
    workspace = Workspace.objects.get()
    assert answer["Location"] == "/"
    assert announced == [workspace]
    assert (workspace.name, workspace.country, workspace.time_zone) == (
        "Les Tilleuls",
        "FR",
        "Europe/Paris",
    )
    assert workspace.memberships.get().role == Role.OWNER
    assert User.objects.get().language == "fr"


@pytest.mark.parametrize(
    ("speaks", "country", "zone"),
    [
        ("fr-FR,fr;q=0.9,en;q=0.8", "FR", "Europe/Paris"),
        ("fr-CA,fr;q=0.9", "CA", "UTC"),
        ("es", "ES", "Europe/Madrid"),
        ("de-DE,de;q=0.9", "DE", "UTC"),
        ("tlh, en-GB;q=0.5", "GB", "Europe/London"),
        ("", "GB", "Europe/London"),
        ("*;q=x, ,,", "GB", "Europe/London"),
    ],
    ids=["French", "Canada", "Spanish", "Germany", "Klingon", "nothing", "nonsense"],
)
def test_the_place_is_guessed_from_the_browser(
    speaks: str, country: str, zone: str, client: Client, data_dir: Path
) -> None:
    client.post("/setup/", person(setup.one_time_code()))

    page = client.get("/setup/site/", headers={"accept-language": speaks})

    initial = page.context["form"].initial
    assert (initial["country"], initial["time_zone"]) == (country, zone)


def test_the_second_step_is_for_whoever_did_the_first(as_bob: Client, as_alice: Client) -> None:
    answers = [person.post("/setup/site/", SITE) for person in (as_bob, as_alice, Client())]

    assert [answer["Location"] for answer in answers] == ["/", "/", "/login/?next=/setup/site/"]
    assert Workspace.objects.count() == 1
