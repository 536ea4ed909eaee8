"""The first minutes: a one-time code lets whoever can read the terminal make the administrator.

The code lies in DATA_DIR/secrets/setup_code until it is used. It exists only while nobody does.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from django.conf import settings
from django.core.cache import cache
from django.db import transaction
from django.utils.crypto import constant_time_compare

from accounts.models import User

# Without 0 O 1 I L U V: what is read aloud or copied from a terminal must not be mistaken.
_LETTERS = "23456789ABCDEFGHJKMNPQRSTWXYZ"
# Wrong codes that the whole site takes in a minute.
TRIES_PER_MINUTE = 5


class AlreadySetUp(Exception):
    """Somebody else made the administrator first."""


class TooManyTries(Exception):
    """The next code is looked at in a minute."""


def is_done() -> bool:
    """Say whether a user exists."""
    return User.objects.exists()


def one_time_code() -> str | None:
    """Give the code that guards the first run, like `7KQ4-M2TX`; None once a user exists."""
    if is_done():
        return None
    file = _file()
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not file.exists():
        _write(file, _new_code())
    return file.read_text().strip()


def is_code(typed: str) -> bool:
    """Say whether `typed` is the code, whatever its case, spaces and dashes.

    Raises TooManyTries after five wrong ones within a minute.
    """
    if cache.get("setup_tries", 0) >= TRIES_PER_MINUTE:
        raise TooManyTries
    code = one_time_code()
    if code and constant_time_compare(_bare(typed), _bare(code)):
        return True
    cache.add("setup_tries", 0, timeout=60)
    cache.incr("setup_tries")
    return False


@transaction.atomic
def create_administrator(*, name: str, email: str, password: str) -> User:
    """Add the first user and use the code up. Raises AlreadySetUp when another was faster."""
    if is_done():
        raise AlreadySetUp
    user = User.objects.create_superuser(email, password, name=name)
    try:
        # Of two who come at the same time, one removes the file; the other is rolled back.
        _file().unlink()
    except FileNotFoundError:
        raise AlreadySetUp from None
    return user


def _file() -> Path:
    return Path(settings.DATA_DIR) / "secrets" / "setup_code"


def _new_code() -> str:
    letters = "".join(secrets.choice(_LETTERS) for _ in range(8))
    return f"{letters[:4]}-{letters[4:]}"


def _write(file: Path, code: str) -> None:
    """Put `code` into `file`, whole and readable by us alone, unless another process was faster."""
    draft = file.with_name(f".setup_code.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as out:
        out.write(code + "\n")
    try:
        os.link(draft, file)
    except FileExistsError:
        pass
    finally:
        draft.unlink()


def _bare(code: str) -> str:
    return "".join(letter for letter in code.upper() if letter.isalnum())
