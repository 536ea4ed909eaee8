"""SMPP: its settings and its form. What it does on the air is in tests/phones/smpp and tests/flows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from phones.base import Addresses
from phones.smpp.profile import Profile, profile_of
from phones.smpp.receipts import Habits
from phones.types.smpp import Smpp
from phones.types.smpp.settings import SettingsForm
from tests.fakes import FakeHttp
from tests.phones.cases import BASE, Absent

CASES = Absent("It stays connected: tests/phones/smpp and tests/flows/test_smpp.py show it.")

NEEDED = {
    "host": "smsc.example.org",
    "port": "2775",
    "system_id": "tilleuls",
    "password": "s3cret",
}


def form(**changes: str) -> SettingsForm:
    return SettingsForm({**NEEDED, **changes})


def profile(**changes: str) -> Profile:
    filled = form(**changes)
    assert filled.is_valid(), filled.errors
    return profile_of(filled.cleaned_data)


def words(name: str, **changes: str) -> str:
    """Give what the form says of a field."""
    return str(form(**changes).errors.as_data().get(name, ""))


def made() -> tuple[str, str]:
    """Give a certificate and its key as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "smsapp")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name)
    builder = builder.public_key(key.public_key()).serial_number(1)
    builder = builder.not_valid_before(now).not_valid_after(now + timedelta(days=1))
    certificate = builder.sign(key, hashes.SHA256())
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return certificate.public_bytes(serialization.Encoding.PEM).decode(), private.decode()


CERTIFICATE, KEY = made()


def test_four_fields_are_enough() -> None:
    habits = Habits(zone=ZoneInfo("UTC"))

    assert profile() == Profile("smsc.example.org", 2775, "tilleuls", "s3cret", habits=habits)


# Another value for each field, and what it needs besides to have a meaning.
OTHERS: dict[str, dict[str, str]] = {
    "host": {"host": "10.8.0.2"},
    "port": {"port": "3550"},
    "tls": {"tls": "on"},
    "system_id": {"system_id": "another"},
    "password": {"password": "much longer than eight"},
    "source": {"source": "ACME"},
    "mode": {"mode": "pair"},
    "system_type": {"system_type": "VMA"},
    "binds": {"binds": "3"},
    "window": {"window": "100"},
    "source_ton": {"source_ton": "6"},
    "source_npi": {"source_npi": "8"},
    "dest_ton": {"dest_ton": "0"},
    "dest_npi": {"dest_npi": "0"},
    "plus": {"plus": "on"},
    "address_range": {"address_range": "^3361"},
    "service_type": {"service_type": "CMT"},
    "version": {"version": "0x33"},
    "alphabet": {"alphabet": "latin1"},
    "gsm_code": {"gsm_code": "0xF1"},
    "latin1": {"latin1": "on"},
    "long": {"long": "sar"},
    "receipts": {"receipts": "2"},
    "intermediate": {"intermediate": "on"},
    "validity": {"validity": "90"},
    "ids": {"ids": "hex_dec"},
    "zone": {"zone": "Europe/Paris"},
    "accepted": {"accepted": "delivered"},
    "unknown": {"unknown": "failed"},
    "receipts_by_text": {"receipts_by_text": "on"},
    "tlvs": {"tlvs": "0x1400 = text: 1101"},
    "statuses": {"statuses": "0x40A = throttled"},
    "enquire": {"enquire": "55"},
    "answer_within": {"answer_within": "30"},
    "first_pause": {"first_pause": "5"},
    "longest_pause": {"longest_pause": "600"},
    "tls_name": {"tls": "on", "tls_name": "smsc.internal"},
    "tls_ca": {"tls": "on", "tls_ca": CERTIFICATE},
    "tls_certificate": {"tls": "on", "tls_certificate": CERTIFICATE, "tls_key": KEY},
    "tls_key": {"tls": "on", "tls_key": KEY},
    "tls_unverified": {"tls": "on", "tls_unverified": "on"},
}


@pytest.mark.parametrize("name", SettingsForm.base_fields)
def test_every_setting_reaches_the_protocol(name: str) -> None:
    changed = OTHERS[name]
    without = {key: value for key, value in changed.items() if key != name}
    if name == "tls_certificate":
        without = {"tls": "on"}

    assert profile(**changed) != profile(**without)


@pytest.mark.parametrize("name", SettingsForm.base_fields)
def test_every_setting_is_explained(name: str) -> None:
    field = SettingsForm.base_fields[name]

    assert str(field.label)
    assert str(field.help_text).endswith(".")


def test_no_field_is_asked_twice_and_the_rare_ones_are_folded() -> None:
    advanced = SettingsForm.advanced

    assert len(set(advanced)) == len(advanced)
    assert set(SettingsForm.base_fields) - set(advanced) == {
        "host", "port", "tls", "system_id", "password", "source", "mode"
    }  # fmt: skip
    assert not any(SettingsForm.base_fields[name].required for name in advanced)


@pytest.mark.parametrize(
    "host",
    ["smpp://smsc.example.org", "smsc.example.org:2775", "smsc.example.org/x", "smsc example",
     "[::1]:2775"],
)  # fmt: skip
def test_a_host_is_a_name_and_nothing_else(host: str) -> None:
    assert "without smpp:// and port" in words("host", host=host)


@pytest.mark.parametrize(
    ("host", "kept"),
    [(" smsc.example.org ", "smsc.example.org"), ("2001:db8::1", "2001:db8::1"), ("[::1]", "::1")],
)
def test_a_host_may_be_an_address(host: str, kept: str) -> None:
    assert profile(host=host).host == kept


@pytest.mark.parametrize(
    ("sender", "said"),
    [
        ("Tilleuls Santé", "11 characters"),
        ("Santé", "plain letters"),
        ("me@home", "plain letters"),
        ("★", "plain letters"),
        ("`ACME`", "plain letters"),
        ("AC\nME", "plain letters"),
        ("1" * 21, "20 characters"),
        ("Tilleuls", ""),
        ("+33 6 12 34 56 78", ""),
        ("36123", ""),
        ("", ""),
    ],
)
def test_a_sender_is_a_number_or_a_short_plain_name(sender: str, said: str) -> None:
    heard = words("source", source=sender)

    assert said in heard
    assert bool(said) == bool(heard)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("zone", "Paris", "Europe/Paris"),
        ("tlvs", "0x1400 = text: a\n0x1401 = number: 7", "0x1401 = number: 7"),
        ("tlvs", "99999 = text: a", "99999 = text: a"),
        ("statuses", "0x40A = slow", "throttled, temporary, rejected"),
        ("system_id", "Ελλάς", "plain letters"),
        ("password", "пароль", "plain letters"),
        ("system_type", "Ω", "plain letters"),
        ("service_type", "Ω", "plain letters"),
        ("address_range", "Ω", "plain letters"),
        ("system_id", "x" * 16, "15 characters"),
        ("password", "", "required"),
        ("port", "0", "1"),
        ("window", "1001", "1000"),
        ("binds", "17", "16"),
    ],
)
def test_a_mistake_is_said_where_it_was_made(name: str, value: str, said: str) -> None:
    assert said in words(name, **{name: value})
    assert list(form(**{name: value}).errors) == [name]


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("tls_ca", {"tls_ca": "not a PEM"}),
        ("tls_ca", {"tls_ca": CERTIFICATE.replace("M", "é", 1)}),
        ("tls_certificate", {"tls_certificate": "not a PEM", "tls_key": KEY}),
        ("tls_certificate", {"tls_certificate": CERTIFICATE, "tls_key": made()[1]}),
        ("tls_key", {"tls_certificate": CERTIFICATE}),
    ],
)
def test_a_wrong_certificate_is_said_where_it_is(name: str, changes: dict[str, str]) -> None:
    assert list(form(tls="on", **changes).errors) == [name]


def test_certificates_do_not_matter_without_encryption() -> None:
    assert profile(tls_ca="not a PEM").tls is None


def test_a_key_that_was_pasted_into_one_line_gets_its_lines_back() -> None:
    pasted = KEY.replace("\n", " ")

    filled = form(tls="on", tls_certificate=CERTIFICATE, tls_key=pasted)

    assert filled.is_valid(), filled.errors
    assert filled.cleaned_data["tls_key"].split() == KEY.split()
    assert filled.cleaned_data["tls_key"].startswith("-----BEGIN PRIVATE KEY-----\n")


def test_secrets_are_the_password_and_the_key() -> None:
    assert set(Smpp.secret_fields()) == {"password", "tls_key"}


def test_a_phone_says_who_it_is() -> None:
    settings: dict[str, Any] = {**NEEDED, "port": 2775, "source": "ACME"}
    phone = Smpp(settings, FakeHttp(), Addresses(BASE))

    assert phone.address() == "ACME"
    assert phone.account_name() == "tilleuls@smsc.example.org:2775"
