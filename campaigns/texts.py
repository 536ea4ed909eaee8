"""Placeholder until the texts helper's lands."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from contacts.models import Contact


class Bad(Exception):
    """x"""


class Unmakeable(Exception):
    words = ""


@dataclass(frozen=True, slots=True)
class Rendered:
    text: str
    missing: tuple[str, ...] = ()


class Compiled:
    def __init__(self, source: str) -> None:
        self.source = source
        self.fields: frozenset[str] = frozenset()

    def render(self, values: Mapping[str, Any]) -> Rendered:
        return Rendered(self.source)


@functools.lru_cache(100)
def compiled(source: str) -> Compiled:
    return Compiled(source)


def contact_values(contact: Contact | None, number: str, country: str) -> dict[str, Any]:
    return {}
