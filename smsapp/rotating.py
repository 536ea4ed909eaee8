"""A new key for what is stored encrypted, while everything runs.

1. The new key is put before the old ones, in the file that every process reads again when it changes. From
   then on all write with the new key, and read what any of them wrote.
2. What older keys wrote is written anew, row by row and only where it is as we read it.
3. Whoever had read the keys just before step 1 may still write with the old one for a moment. So step 2 is
   repeated until, a while later, nothing is left.
4. The old keys are dropped.
A run that is cut off is begun again: it only adds one more key.
"""

from __future__ import annotations

import json
import os
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet
from django.apps import apps
from django.db import models
from django.db.models import TextField
from django.db.models.functions import Cast

from lib import vault

# Seconds after which no transaction is left that had read the keys before they changed.
SETTLED = 60.0
_BATCH = 500


def rotate(file: Path, *, settled: float = SETTLED) -> int:
    """Go from the keys in `file` to one new key; give how many values were written anew."""
    new = Fernet.generate_key().decode()
    write(file, [new, *vault.keys()])
    ends = time.monotonic() + settled
    total = renew_all()
    time.sleep(max(0.0, ends - time.monotonic()))
    while many := renew_all():
        total += many
    write(file, [new])
    return total


def begin_signing(file: Path) -> None:
    """Put a new key for signatures before those in `file`; it counts for whoever starts from then on."""
    write(file, [secrets.token_urlsafe(50), *file.read_text().split()], between="\n")


def end_signing(file: Path) -> int:
    """Drop all keys for signatures but the newest; give how many."""
    newest, *older = file.read_text().split()
    write(file, [newest])
    return len(older)


def renew_all() -> int:
    """Write anew, with the newest key, what older ones wrote; give how many values."""
    return sum(_renew(model, field) for model, field in fields())


def fields() -> Iterator[tuple[type[models.Model], models.Field[Any, Any]]]:
    """Give what may hold tokens: encrypted fields, and JSON with tokens in it (allauth's second factors)."""
    for model in apps.get_models(include_auto_created=True):
        if model._meta.managed and not model._meta.proxy:
            for field in model._meta.concrete_fields:
                if isinstance(field, vault.EncryptedJSONField | models.JSONField):
                    yield model, field


def _renew(model: type[models.Model], field: models.Field[Any, Any]) -> int:
    rows = model._base_manager.annotate(written=Cast(field.name, TextField()))
    rows = rows.filter(written__contains="gAAAA").order_by("pk")
    renewed, last = 0, None
    while True:
        after = rows if last is None else rows.filter(pk__gt=last)
        batch = list(after.values_list("pk", "written")[:_BATCH])
        for pk, written in batch:
            text = vault.renewed(written)
            if text != written:
                is_token = isinstance(field, vault.EncryptedJSONField)
                value = vault.decrypt(text) if is_token else json.loads(text)
                same = rows.filter(pk=pk, written=written).order_by()
                renewed += same.update(**{field.name: value})
        if len(batch) < _BATCH:
            return renewed
        last = batch[-1][0]


def write(file: Path, keys: list[str], *, between: str = ",") -> None:
    """Replace the keys, whole or not at all."""
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as out:
        out.write(between.join(keys) + "\n")
        out.flush()
        os.fsync(out.fileno())
    draft.replace(file)
