"""The providers' own packages judge how we check signatures: they sign, both verify, both must agree.

plivo 4.63, vonage 4.9 and messagebird 2.2. MessageBird is no type of ours; its verifier knows the one
claim that Vonage's own leaves out, `payload_hash`, which both providers make in the same way.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, urlencode

import jwt
from hypothesis import given
from hypothesis import strategies as st
from messagebird.error import ValidationError
from messagebird.request_validator import RequestValidator
from plivo.utils import validate_signature
from plivo.utils.signature_v3 import (
    construct_get_url,
    construct_post_url,
    get_signature_v3,
    validate_v3_signature,
)
from vonage_http_client.auth import Auth
from vonage_jwt import verify_signature
from vonage_jwt.errors import VonageVerifyJwtError

from phones.base import BadSignature, Callback
from phones.types.plivo.callbacks import verify as verify_plivo
from phones.types.vonage.signatures import verify_fields, verify_token

HOST = "https://sms.example.org"
SECRET = "a-signature-secret-that-is-long-enough"

# What a form can carry; names are those of a provider, values anything that people write.
names = st.text("abcXYZ_-019", min_size=1, max_size=8)
values = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)
forms = st.dictionaries(names, values, max_size=5)
# Plivo's package breaks on anything else in the query of an address.
queries = st.dictionaries(names, st.text("abc &=+%?./-_019", max_size=12), max_size=4)
paths = st.text("abcXYZ019-_/", max_size=20).map(lambda path: f"/callbacks/{path}")
nonces = st.text("abc0123456789", min_size=1, max_size=20)
tokens = st.text(st.characters(codec="ascii", exclude_categories=("Cc",)), min_size=1, max_size=40)


def believed(verify: Any, *arguments: Any) -> bool:
    try:
        verify(*arguments)
    except BadSignature:
        return False
    return True


# ---- Plivo --------------------------------------------------------------------------------------


def from_plivo(
    version: str,
    signature: str,
    nonce: str,
    path: str,
    query: Mapping[str, str],
    form: Mapping[str, str],
    method: str = "POST",
) -> Callback:
    asked = urlencode(query)
    return Callback(
        method=method,
        url=HOST + path + (f"?{asked}" if asked else ""),
        headers={
            f"x-plivo-signature-{version}": signature,
            f"x-plivo-signature-{version}-nonce": nonce,
        },
        query=parse_qs(asked, keep_blank_values=True),
        form={name: [value] for name, value in form.items()},
        body=urlencode(form).encode() if method == "POST" else b"",
    )


def signed_by_plivo(said: Callback, token: str, nonce: str) -> str:
    """Give the signature in version 3 that Plivo's package makes."""
    form = {name: each[0] for name, each in said.form.items()}
    is_get = said.method == "GET"
    text = construct_get_url(said.url, {}) if is_get else construct_post_url(said.url, form)
    return str(get_signature_v3(token, text.decode(), nonce).decode())


@given(
    token=tokens,
    nonce=nonces,
    path=paths,
    query=queries,
    form=forms,
    method=st.sampled_from(["POST", "GET"]),
    change=st.sampled_from(["nothing", "token", "nonce", "path", "query", "form"]),
)
def test_plivo_agrees_about_calls(
    token: str,
    nonce: str,
    path: str,
    query: dict[str, str],
    form: dict[str, str],
    method: str,
    change: str,
) -> None:
    form = form if method == "POST" else {}
    signature = signed_by_plivo(
        from_plivo("v3", "", nonce, path, query, form, method), token, nonce
    )
    if change == "token":
        token += "x"
    elif change == "nonce":
        nonce += "x"
    elif change == "path":
        path += "x"
    elif change == "query":
        query = {**query, "forged": "1"}
    elif change == "form" and method == "POST":
        form = {**form, "forged": "1"}
    else:
        change = "nothing"

    said = from_plivo("v3", f"other=,{signature}", nonce, path, query, form, method)

    theirs = validate_v3_signature(method, said.url, nonce, token, f"other=,{signature}", {**form})
    assert believed(verify_plivo, said, token) == theirs == (change == "nothing")


@given(token=tokens, nonce=nonces, path=paths, query=queries, form=forms, forged=st.booleans())
def test_plivo_agrees_about_messages(
    token: str, nonce: str, path: str, query: dict[str, str], form: dict[str, str], forged: bool
) -> None:
    # Version 2 signs the address without its query, and nothing else; the package only verifies.
    digest = hmac.new(token.encode(), f"{HOST}{path}{nonce}".encode(), hashlib.sha256).digest()
    signature = base64.b64encode(digest).decode()
    said = from_plivo("v2", signature, nonce + "x" * forged, path, query, form)

    theirs = validate_signature(said.url, nonce + "x" * forged, signature, token)

    assert believed(verify_plivo, said, token) == theirs == (not forged)


# ---- Vonage -------------------------------------------------------------------------------------


@given(
    fields=st.dictionaries(names.filter(lambda name: name != "sig"), values, max_size=6),
    method=st.sampled_from(["md5", "sha1", "sha256", "sha512"]),
    secret=tokens,
    upper=st.booleans(),
    forged=st.booleans(),
)
def test_vonage_agrees_about_the_fields_of_the_sms_api(
    fields: dict[str, str], method: Any, secret: str, upper: bool, forged: bool
) -> None:
    # Its package does not know the plain “md5hash”.
    auth = Auth(api_key="abcd1234", signature_secret=secret, signature_method=method)
    fields = {**fields, "timestamp": "1795000000"}
    signature = auth.sign_params({**fields})
    sig = signature.upper() if upper else signature
    said = {**fields, "sig": sig} | ({"text": "forged"} if forged else {})
    honest = said.get("text") == fields.get("text")

    ours = believed(verify_fields, said, method, secret)

    assert ours == auth.check_signature({**said}) == honest


@given(
    body=st.binary(max_size=40),
    at=st.floats(0, 0.999),
    other=st.sampled_from("ABCDEFGHabcdefgh01234567-_"),
    secret=st.sampled_from([SECRET, f"{SECRET}é"]),
    with_secret=st.sampled_from([SECRET, f"{SECRET}é"]),
)
def test_vonage_agrees_about_tokens(
    body: bytes, at: float, other: str, secret: str, with_secret: str
) -> None:
    claims = {"iss": "Vonage", "iat": 1_700_000_000, "payload_hash": hashed(body)}
    token = jwt.encode(claims, secret, "HS256")
    place = int(at * len(token))
    changed = token if token[place] == "." else token[:place] + other + token[place + 1 :]

    for said in (token, changed):
        ours = believed(verify_token, f"Bearer {said}", body, with_secret)
        assert ours == theirs_of_vonage(said, with_secret)


def theirs_of_vonage(token: str, secret: str) -> bool:
    try:
        return verify_signature(token, secret)
    except VonageVerifyJwtError:
        return False


@given(
    signed=st.binary(min_size=1, max_size=40),
    sent=st.binary(max_size=40),
    same=st.booleans(),
    has_hash=st.booleans(),
)
def test_messagebird_agrees_about_the_body_that_a_token_covers(
    signed: bytes, sent: bytes, same: bool, has_hash: bool
) -> None:
    body = signed if same else sent
    now = int(time.time())
    claims: dict[str, Any] = {"iss": "MessageBird", "nbf": now - 60, "exp": now + 3600}
    claims |= {"payload_hash": hashed(signed)} if has_hash else {}
    token = jwt.encode(claims, SECRET, "HS256")

    ours = believed(verify_token, f"Bearer {token}", body, SECRET)

    assert ours == theirs_of_messagebird(token, body)


def theirs_of_messagebird(token: str, body: bytes) -> bool:
    try:
        RequestValidator(SECRET, skip_url_validation=True).validate_signature(token, "", body)
    except ValidationError:
        return False
    return True


def hashed(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()
