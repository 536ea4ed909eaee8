from __future__ import annotations

from pprint import pformat

import pytest
from cryptography.fernet import Fernet
from django.db import connection

from lib.vault import Unreadable, decrypt, encrypt
from phones.models import Phone

SECRET = {"auth_token": "tok-9f3b2c71"}


def test_what_is_encrypted_comes_back() -> None:
    assert decrypt(encrypt(SECRET)) == SECRET


def test_two_tokens_of_one_value_differ() -> None:
    assert encrypt(SECRET) != encrypt(SECRET)


def test_an_older_key_still_reads_and_a_new_one_writes(settings) -> None:
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    settings.FIELD_KEYS = [old]
    token = encrypt(SECRET)

    settings.FIELD_KEYS = [new, old]

    assert decrypt(token) == SECRET
    settings.FIELD_KEYS = [new]
    with pytest.raises(Unreadable):
        decrypt(token)


def test_a_wrong_key_is_said_and_never_gives_ciphertext(settings) -> None:
    token = encrypt(SECRET)
    settings.FIELD_KEYS = [Fernet.generate_key().decode()]

    with pytest.raises(Unreadable, match="FIELD_KEYS"):
        decrypt(token)


def test_secrets_are_not_in_the_database_nor_in_what_a_traceback_shows(phone: Phone) -> None:
    Phone.objects.filter(pk=phone.pk).update(settings=SECRET)
    phone.refresh_from_db()
    with connection.cursor() as cursor:
        cursor.execute("SELECT settings FROM phones_phone")
        (stored,) = cursor.fetchone()

    assert phone.settings == SECRET
    assert SECRET["auth_token"] not in stored
    assert SECRET["auth_token"] not in pformat({"settings": phone.settings})
    assert SECRET["auth_token"] not in repr(phone.full_settings)


def test_settings_cannot_be_searched(db: None) -> None:
    with pytest.raises(TypeError):
        list(Phone.objects.filter(settings=SECRET))
