from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from accounts.models import User, Workspace
from messaging import composing
from messaging.models import Message
from messaging.routing import Route
from messaging.sending import pump
from phones import registry, types
from phones.models import Phone

_TYPES = str(Path(__file__).parents[1] / "types")


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The phone type that does what the test writes down."""
    monkeypatch.setattr(types, "__path__", [*types.__path__, _TYPES])
    registry.all_types.cache_clear()
    kind = registry.get("scripted")
    kind.forget()
    yield kind
    registry.all_types.cache_clear()


@pytest.fixture
def line(workspace: Workspace, scripted: Any) -> Phone:
    """A phone of the scripted type, fast enough not to be the limit."""
    return Phone.objects.create(
        workspace=workspace, type="scripted", name="Line", settings={}, rate=100_000
    )


@pytest.fixture
def write(workspace: Workspace, line: Phone, bob: User) -> Callable[..., list[Message]]:
    """Compose a message to some numbers."""

    def write(*numbers: str, text: str = "Hello", **extra: Any) -> list[Message]:
        route = extra.pop("route", None) or Route(extra.pop("phone", line))
        extra = {"route": route, "by": bob, "submission": uuid.uuid4(), **extra}
        composed = composing.create(
            workspace=workspace, numbers=numbers or (number(1),), text=text, **extra
        )
        return composed.queued + composed.skipped

    return write


@pytest.fixture
def send(line: Phone) -> Callable[[], None]:
    """Give the phone its turn, as a worker would."""
    return lambda: pump(line.pk)


def number(index: int) -> str:
    """A French mobile number."""
    return f"+336{index:08d}"


def states(*messages: Message) -> list[str]:
    """The states of the messages now, in the order of the arguments."""
    found = {m.pk: m.status for m in Message.objects.filter(pk__in=[m.pk for m in messages])}
    return [found[m.pk] for m in messages]
