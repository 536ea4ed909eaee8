"""A passkey, from making it to logging in with it, by the scripts of the pages in Chromium."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from allauth.mfa.models import Authenticator
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from accounts.models import User
from tests.browser.conftest import assert_for_everybody
from tests.conftest import PASSWORD

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_passkey_is_made_and_lets_in(
    page: Page,
    alice: User,
    log_in: Callable[[User], Page],
    live_server: LiveServer,
    complaints: list[str],
) -> None:
    devtools = page.context.new_cdp_session(page)
    devtools.send("WebAuthn.enable")
    device = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    devtools.send("WebAuthn.addVirtualAuthenticator", {"options": device})
    log_in(alice)
    page.goto(f"{live_server.url}/settings/security/passkeys/add/")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Go on").click()
    page.get_by_label("Name").fill("Laptop")
    assert_for_everybody(page)
    page.get_by_role("button", name="Make the passkey").click()
    expect(page.get_by_role("heading", name="Recovery codes")).to_be_visible()
    assert_for_everybody(page)
    page.goto(f"{live_server.url}/settings/security/")
    expect(page.get_by_text("Laptop", exact=True)).to_be_visible()
    assert_for_everybody(page)

    page.context.clear_cookies()
    page.goto(f"{live_server.url}/login/?next=/settings/me/")
    assert_for_everybody(page)
    page.get_by_role("button", name="Log in with a passkey").click()
    expect(page.get_by_role("heading", name="Me")).to_be_visible()

    # Behind the password, it is the second step.
    page.context.clear_cookies()
    page.goto(f"{live_server.url}/login/")
    page.get_by_label("E-mail").fill(alice.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in", exact=True).click()
    expect(page.get_by_role("heading", name="One more step")).to_be_visible()
    assert_for_everybody(page)
    page.get_by_role("button", name="Use a passkey").click()
    expect(page.get_by_role("heading", name="Welcome, Alice")).to_be_visible()
    assert Authenticator.objects.get(type="webauthn").last_used_at
