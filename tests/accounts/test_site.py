"""The settings of the site: they win over the environment and hold everywhere; administrators set them."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

import pytest
from django.core import mail
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from accounts import mail as mailing_out
from accounts import mailing, site
from accounts.administration.public_address import check_address
from accounts.models import Event, Site, User, Workspace
from campaigns import recurring, scheduling
from campaigns.models import Campaign
from lib.http import Answer, Guard, Http
from messaging.models import Message
from phones.models import Phone
from tests.conftest import PASSWORD, logged_in, person
from tests.peers.mail import USER, SmtpPeer, smtp_peer

pytestmark = pytest.mark.django_db

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 40
TYPED = {
    "name": "Tilleuls SMS", "language": "fr", "country": "ES", "time_zone": "Europe/Madrid",
    "signup_domains": "@Example.org, example.com", "second_factor": "nobody", "password_length": "14",
    "keep_exchanges_days": "30",
}  # fmt: skip


@pytest.fixture
def as_root(db: None) -> Client:
    user = person("root@example.org", "Root")
    user.is_superuser = True
    user.save()
    return logged_in(user)


def save(browser: Client, **typed: object) -> int:
    return browser.post("/administration/site/", TYPED | typed).status_code


def test_what_is_saved_is_shown_and_wins_over_the_environment(
    as_root: Client, client: Client, settings: Settings
) -> None:
    settings.SIGNUP_OPEN = True
    save(as_root)

    assert "Tilleuls SMS" in client.get("/login/").content.decode()
    assert client.post("/signup/", {"email": "new@example.org"}).status_code == 403
    assert site.keep_exchanges_days() == 30
    assert Event.objects.filter(action="site.edited").count() == 1


def test_what_nobody_has_saved_is_as_the_environment_says(settings: Settings) -> None:
    settings.SIGNUP_OPEN, settings.SIGNUP_DOMAINS = True, ["example.org"]
    settings.REQUIRE_SECOND_FACTOR, settings.KEEP_EXCHANGES_DAYS = "everybody", 3

    assert site.sign_up_is_open()
    assert site.sign_up_domains() == ["example.org"]
    assert site.second_factor() == "everybody"
    assert site.keep_exchanges_days() == 3


def test_sign_up_is_for_the_domains_that_are_named(as_root: Client, client: Client) -> None:
    save(as_root, signup_open="on")

    for email, status in (("a@example.com", 200), ("a@other.example", 422)):
        assert client.post("/signup/", {"email": email}).status_code == status, email


def test_a_short_password_is_refused_with_the_length_that_is_wanted(
    as_root: Client, alice: User
) -> None:
    save(as_root, language="en")
    hers = logged_in(alice)
    short = {"oldpassword": PASSWORD, "password1": "thirteen char", "password2": "thirteen char"}
    answer = hers.post("/password/", short).content.decode()

    assert "it needs 14 characters" in answer
    assert "At least 14 characters" in answer


def test_a_second_factor_is_wanted_of_whom_the_settings_say(as_root: Client, alice: User) -> None:
    save(as_root, second_factor="everybody")

    assert logged_in(alice).get("/settings/me/")["Location"] == "/settings/security/"


@pytest.mark.parametrize(("asked", "spoken"), [("", "fr"), ("xx,yy;q=0.5", "fr"), ("es", "es")])
def test_who_asks_for_none_of_our_languages_reads_the_site_s(
    asked: str, spoken: str, as_root: Client
) -> None:
    save(as_root)
    browser = Client(headers={"accept-language": asked} if asked else {})

    assert f'<html lang="{spoken}"' in browser.get("/login/").content.decode()


def test_a_logo_stands_on_the_log_in_page(as_root: Client, client: Client) -> None:
    save(as_root, logo_file=SimpleUploadedFile("logo.png", PNG))
    answer = client.get("/site/logo/")

    assert answer.content == PNG
    assert (answer["Content-Type"], answer["X-Content-Type-Options"]) == ("image/png", "nosniff")
    assert "/site/logo/?" in client.get("/login/").content.decode()
    save(as_root, no_logo="on")
    assert client.get("/site/logo/").status_code == 404


@pytest.mark.parametrize(
    "content",
    [b"<svg onload=alert(1)>", b"GIF89a", PNG + b"\0" * 200_000],
    ids=["svg", "gif", "too large"],
)
def test_only_small_pictures_are_taken(content: bytes, as_root: Client) -> None:
    assert save(as_root, logo_file=SimpleUploadedFile("logo.png", content)) == 422
    assert not Site.objects.exists()


def test_other_processes_see_a_change_within_seconds(as_root: Client) -> None:
    site.remember(Site(pk=1), seconds=-1)
    Site.objects.create(pk=1, name="Changed elsewhere")

    assert site.current().name == "Changed elsewhere"


# ---- Mail ---------------------------------------------------------------------------------------


@pytest.fixture
def ours(settings: Settings) -> None:
    """Send as a site does, instead of into the list that tests look at."""
    settings.EMAIL_BACKEND_OTHERWISE = settings.EMAIL_BACKEND
    settings.EMAIL_BACKEND = "accounts.mailing.Backend"


@pytest.fixture
def server() -> Iterator[SmtpPeer]:
    with smtp_peer(login=True) as found:
        yield found


def typed_for(server: SmtpPeer, **typed: str) -> dict[str, str]:
    return {
        "host": "127.0.0.1", "port": str(server.port), "security": "none", "user": USER,
        "password": "s3cret-of-mail", "sender": "sms@example.org", **typed,
    }  # fmt: skip


def test_a_mail_is_sent_to_try_the_server_of_the_environment(as_root: Client) -> None:
    as_root.post("/administration/site/mail/", {"port": "587", "security": "starttls"})

    assert mail.outbox[0].to == ["root@example.org"]
    assert not Site.objects.exists()


@pytest.mark.peer
@pytest.mark.filterwarnings("ignore:Requiring AUTH")
@pytest.mark.usefixtures("ours")
def test_a_mail_server_is_kept_once_it_took_a_mail_and_all_mails_leave_by_it(
    as_root: Client, server: SmtpPeer
) -> None:
    page = as_root.post(
        "/administration/site/mail/", typed_for(server), follow=True
    ).content.decode()

    assert "took a mail to root@example.org" in page
    assert "s3cret-of-mail" not in page
    assert "s3cret-of-mail" not in str(Site.objects.values())
    assert server.mails[-1].mail_from == "sms@example.org"
    mailing_out.send("alice@example.org", "Hello", "accounts/mail/try.txt")
    assert server.mails[-1].rcpt_tos == ["alice@example.org"]
    assert site.current().mail_host == "127.0.0.1"

    as_root.post("/administration/site/mail/", typed_for(server, host=""))
    mailing_out.send("alice@example.org", "Hello", "accounts/mail/try.txt")
    assert len(mail.outbox) == 1


@pytest.mark.peer
@pytest.mark.filterwarnings("ignore:Requiring AUTH")
@pytest.mark.usefixtures("ours")
def test_a_mail_server_that_refuses_is_not_kept_and_its_words_are_shown(
    as_root: Client, server: SmtpPeer
) -> None:
    typed = typed_for(server, password="wrong")

    answer = as_root.post("/administration/site/mail/", typed)

    assert answer.status_code == 422
    assert "The mail server refused the user or the password: 535" in answer.content.decode()
    assert not Site.objects.exists()


@pytest.mark.peer
@pytest.mark.filterwarnings("ignore:Requiring AUTH")
@pytest.mark.usefixtures("ours")
def test_the_stored_password_goes_nowhere_but_to_its_own_server(
    as_root: Client, server: SmtpPeer
) -> None:
    as_root.post("/administration/site/mail/", typed_for(server))

    same = as_root.post("/administration/site/mail/", typed_for(server, password=""))
    other = as_root.post("/administration/site/mail/", typed_for(server, password="", port="2525"))

    assert (same.status_code, other.status_code) == (302, 422)
    assert "Type the password for this server and user." in other.content.decode()
    assert mailing.stored() == mailing.Server(
        "127.0.0.1", server.port, "none", USER, "s3cret-of-mail", "sms@example.org"
    )


def test_a_mail_server_may_be_kept_untried(as_root: Client) -> None:
    typed = {"host": "mail.example.org", "port": "587", "security": "starttls", "unseen": "1"}

    assert as_root.post("/administration/site/mail/", typed).status_code == 302
    assert mailing.stored() == mailing.Server("mail.example.org", 587, "starttls")
    assert mail.outbox == []


@pytest.mark.usefixtures("ours")
def test_a_password_that_cannot_be_decrypted_is_told_as_trouble_with_mails(
    settings: Settings,
) -> None:
    Site.objects.create(pk=1, mail_host="mail.example.org", mail_secrets={"password": "x"})
    settings.FIELD_KEYS = ["YWJj" * 10 + "YWI="]

    with pytest.raises(OSError, match="cannot be read"):
        mailing_out.send("alice@example.org", "Hello", "accounts/mail/try.txt")


def test_what_a_dead_mail_server_says_is_shown(as_root: Client, settings: Settings) -> None:
    settings.EMAIL_BACKEND = "tests.accounts.test_passwords.DeadMailServer"

    typed = {"port": "587", "security": "starttls"}
    page = as_root.post("/administration/site/mail/", typed).content.decode()

    assert "no mail server here" in page


@pytest.mark.django_db(transaction=True)
def test_the_public_address_is_known_again(live_server: LiveServer, settings: Settings) -> None:
    settings.PUBLIC_URL = live_server.url
    http = Http(guard=Guard(frozenset({"127.0.0.1", "localhost"})))
    User.objects.create_user("a@example.org")

    assert check_address(http)[0]


def test_another_site_under_the_public_address_is_told(
    another_site: str, settings: Settings
) -> None:
    settings.PUBLIC_URL = another_site
    ok, words = check_address(Http(guard=Guard(frozenset({"127.0.0.1"}))))

    assert not ok
    assert "not this site" in words


def test_an_address_that_nobody_can_call_is_told(settings: Settings) -> None:
    settings.PUBLIC_URL = "http://127.0.0.1:9"
    for guard in (Guard(), Guard(frozenset({"127.0.0.1"}))):
        ok, words = check_address(Http(guard=guard))
        assert not ok
        assert "cannot be called" in words


@pytest.fixture
def another_site(tmp_path: Path) -> Iterator[str]:
    """Serve a folder of files on the loopback; give its address."""
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_workspace_may_keep_things_for_less_time_but_not_for_more(
    as_root: Client, alice: User, workspace: Workspace
) -> None:
    hers = logged_in(alice)
    save(as_root, language="en", keep_texts_days="90", keep_messages_days="365", sure="on")
    typed = {"name": "W", "country": "FR", "time_zone": "Europe/Paris"}

    assert "90 at most" in hers.get("/settings/").content.decode()
    answer = hers.post("/settings/", typed | {"keep_texts_days": "91"})
    assert answer.status_code == 422
    hers.post("/settings/", typed | {"keep_texts_days": "30", "sure": "on"})

    workspace.refresh_from_db()
    assert site.keep_days("texts", workspace) == 30
    assert site.keep_days("messages", workspace) == 365


def test_keeping_less_than_before_wants_a_tick(as_root: Client) -> None:
    days = {"language": "en", "keep_texts_days": "90"}
    answer = as_root.post("/administration/site/", TYPED | days)

    assert answer.status_code == 422
    assert "What is older goes within hours" in answer.content.decode()
    assert not Site.objects.exists()
    assert save(as_root, **days, sure="on") == 302
    assert save(as_root, **days) == 302, "as before"
    assert save(as_root, **days | {"keep_texts_days": "400"}) == 302
    assert save(as_root, **days | {"keep_texts_days": "399"}) == 422


@pytest.mark.parametrize("typed", [{"keep_messages_days": "29"}, {"keep_texts_days": "0"}])
def test_nothing_goes_before_its_repetitions_have_stopped(
    typed: dict[str, str], as_root: Client
) -> None:
    assert save(as_root, sure="on", **typed) == 422


# ---- Proxies ------------------------------------------------------------------------------------


class Front:
    """A proxy in front of the site: it changes a request as `changes` says, or answers by itself."""

    def __init__(self, answer: Answer | None = None, **changes: str) -> None:
        self.answer, self.changes = answer, changes

    def request(self, method: str, url: str, *, data: bytes, **_: object) -> Answer:
        if self.answer:
            return self.answer
        User.objects.get_or_create(email="a@example.org")
        path, _, query = url.partition("/site/")[2].partition("?")
        public = urlsplit(url)
        passed = {
            "QUERY_STRING": query,
            "HTTP_HOST": public.netloc,
            "wsgi.url_scheme": public.scheme,
        } | self.changes
        answer = Client().post(
            f"/site/{path}", data, content_type="application/x-www-form-urlencoded", **passed
        )
        return Answer(answer.status_code, {}, answer.content)


def checked(front: Front, settings: Settings) -> tuple[bool, str]:
    settings.PUBLIC_URL = "https://sms.example.org"
    settings.ALLOWED_HOSTS = ["*"]
    return check_address(cast("Http", front))


def test_a_good_proxy_is_told_from_bad_ones(settings: Settings) -> None:
    assert checked(Front(), settings) == (
        True,
        "https://sms.example.org leads here: providers can call it back.",
    )


@pytest.mark.parametrize(
    ("front", "words"),
    [
        (Front(QUERY_STRING="to=+33 6&a=1"), "changes what is said on the way"),
        (Front(**{"wsgi.url_scheme": "http"}), "BEHIND_PROXY=true"),
        (Front(HTTP_HOST="10.0.0.2:8000"), "under the name 10.0.0.2:8000"),
        (
            Front(Answer(301, {"location": "https://www.example.org/"}, b"")),
            "sends on to https://www",
        ),
        (Front(Answer(401, {}, b"")), "lets nobody in (401)"),
        (Front(Answer(502, {}, b"")), "does not reach smsapp"),
        (Front(Answer(200, {}, b"[1]")), "not this site"),
    ],
    ids=["query", "scheme", "host", "redirect", "password", "gateway", "another"],
)
def test_what_a_proxy_does_wrong_is_said(front: Front, words: str, settings: Settings) -> None:
    ok, said = checked(front, settings)

    assert not ok
    assert words in said


# ---- What is left out ---------------------------------------------------------------------------


def test_what_is_left_out_is_on_no_page_and_has_none(
    as_root: Client, as_alice: Client, phone: Phone, workspace: Workspace
) -> None:
    campaign = Campaign.objects.create(workspace=workspace, name="Flu", state="paused")
    message = Message.objects.create(
        workspace=workspace, direction="out", phone=phone, peer="+33600000001", campaign=campaign,
        status="sent",
    )  # fmt: skip
    gone = ("/campaigns/", f"/campaigns/{campaign.pk}/", "/texts/", "/calls/")
    shown = ("/", "/messages/", f"/messages/{message.pk}/", "/compose/", "/more/", "/inbox/")
    assert [as_alice.get(path).status_code for path in gone] == [200] * 4

    save(as_root, left_out=["campaigns", "calls"])

    assert [as_alice.get(path).status_code for path in gone] == [404] * 4
    for path in shown:
        page = as_alice.get(path).content.decode()
        assert not re.search(r'(href|action|hx-get)="/(campaigns|texts|calls)', page), path
    save(as_root)
    assert [as_alice.get(path).status_code for path in gone] == [200] * 4


def test_campaigns_that_are_left_out_pause_and_none_begins(
    as_root: Client, workspace: Workspace, phone: Phone
) -> None:
    running = Campaign.objects.create(workspace=workspace, state="running", name="Runs")
    due = Campaign.objects.create(
        workspace=workspace, state="scheduled", name="Due", send_at=timezone.now(), text="Hi",
        numbers=["+33600000001"], phone=phone, late=24,
    )  # fmt: skip

    save(as_root, left_out=["campaigns"], language="en")
    assert (scheduling.start_due(), recurring.make_due()) == (0, 0)
    running.refresh_from_db()
    due.refresh_from_db()
    assert (running.state, due.state) == ("paused", "scheduled")
    assert "left out" in running.problem

    save(as_root)
    assert scheduling.start_due() == 1
