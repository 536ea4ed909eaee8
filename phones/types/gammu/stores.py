"""What a phone wants of SMSD, whichever way SMSD keeps its messages: in folders or in a database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from django.utils.translation import ngettext

from phones.base import Event, OutgoingSms

# Something of a look that the next one has to know. Read by the store that wrote it alone.
Memory = dict[str, Any]


@dataclass
class News:
    """What a look found: events, and what to remember until they are stored."""

    events: list[Event] = field(default_factory=list)
    memory: Memory = field(default_factory=dict)


def waiting(count: int) -> str:
    """Say how many messages SMSD has not sent yet; nothing where there are none."""
    if not count:
        return ""
    words = ngettext("%(count)s message waits.", "%(count)s messages wait.", count)
    return words % {"count": count}


class Store(Protocol):
    """SMSD's folders or its database. Every method raises Misconfigured or Temporary."""

    def put(self, sms: OutgoingSms) -> str:
        """Give SMSD a message unless it has it already; give the name it is found by."""

    def look(self, memory: Memory, pending: Sequence[str]) -> News:
        """Put away what the last look told (`memory`), then tell what is new."""

    def state(self) -> str:
        """Give a sentence on how SMSD and its modem are doing."""
