"""One saying of a text: what goes in, what comes out, and what may go wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _

from campaigns.merging import days
from messaging.forms import MOST_TEXT


class Bad(Exception):
    """A text that cannot be read: `words` says why, at `line` and `column`, both from 1."""

    def __init__(self, source: str, index: int, words: str) -> None:
        self.line, self.column = place(source, index)
        self.words = words
        where = _("Line %(line)s, column %(column)s:") % {"line": self.line, "column": self.column}
        super().__init__(f"{where} {words}")


class Unmakeable(Exception):
    """A text that cannot be said to this person, though it can to others."""

    def __init__(self, words: str) -> None:
        super().__init__(words)
        self.words = words


def place(source: str, index: int) -> tuple[int, int]:
    """Give the line and the column of a character, both from 1."""
    before = source[:index]
    return before.count("\n") + 1, index - (before.rfind("\n") + 1) + 1


class Missing:
    """What stands where nothing is known: the field's name, "" for nil and empty."""

    __slots__ = ("name",)

    def __init__(self, name: str = "") -> None:
        self.name = name


NOTHING = Missing()


class Run:
    """What steps read and write: the values of one person, and the text as far as it is."""

    __slots__ = ("_left", "lacking", "said", "values")

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values = values
        self.said: list[str] = []
        self.lacking: list[str] = []
        self._left = MOST_TEXT

    def write(self, words: str) -> None:
        """Add to the text. Raises Unmakeable when it becomes too long to be sent."""
        self._left -= len(words)
        if self._left < 0:
            raise Unmakeable(
                _("The text becomes longer than %(most)s characters.") % {"most": MOST_TEXT}
            )
        self.said.append(words)

    @property
    def language(self) -> str:
        """Give the language of dates and numbers: the person's, the workspace's, the site's."""
        for who in ("contact", "workspace"):
            code = (self.values.get(who) or {}).get("language")
            if code and (known := days.language(str(code))):
                return known
        return settings.LANGUAGE_CODE


Expression = Callable[[Run], Any]
Step = Callable[[Run], None]
