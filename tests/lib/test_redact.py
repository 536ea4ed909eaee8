from __future__ import annotations

import base64
from urllib.parse import quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.redact import Redactor

SECRET = "s3cr/t+word="


@pytest.mark.parametrize(
    "text",
    [
        f"password={SECRET}&x=1",
        f"password={quote_plus(SECRET)}&x=1",
        f'{{"key": "{SECRET}"}}',
        base64.b64encode(SECRET.encode()).decode(),
    ],
    ids=["plain", "url", "json", "base64"],
)
def test_a_secret_is_hidden_in_each_of_its_forms(text: str) -> None:
    hidden = Redactor([SECRET]).text(text)

    assert SECRET not in hidden
    assert "•••" in hidden


def test_credentials_in_headers_are_hidden_whatever_they_are() -> None:
    lines = Redactor([]).headers([("Authorization", "Basic abc"), ("Accept", "*/*")])

    assert lines == "Authorization: •••\nAccept: */*"


def test_a_secret_inside_a_longer_one_leaves_no_rest() -> None:
    assert Redactor(["abcd", "abcdefgh"]).text("x abcdefgh y") == "x ••• y"


def test_short_values_do_not_blank_out_words() -> None:
    assert Redactor(["on", ""]).text("on and on") == "on and on"


@given(st.text(), st.text(min_size=4, alphabet=st.characters(min_codepoint=33, max_codepoint=126)))
def test_no_secret_survives(text: str, secret: str) -> None:
    assert secret not in Redactor([secret]).text(f"{text}{secret}{text}").replace("•••", "")
