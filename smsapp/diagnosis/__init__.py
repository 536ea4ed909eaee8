"""What can be wrong with this site, each with the sentence that mends it.

`manage.py doctor` prints it, the page /administration/system/ shows it live. A check looks at one thing
and gives one `Finding`. Those that ask somebody outside take seconds: the page has a job run them.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from django.db import DatabaseError
from django.utils import timezone
from django.utils.translation import gettext as _

from lib.jobs import QueueDown, redis
from phones.base import Words

logger = logging.getLogger(__name__)

DATABASE, QUEUE = "database", "queue"
# Where what was seen outside is kept, and for how many seconds.
_KEY, _KEPT = "diagnosis", 7 * 86_400


class State(StrEnum):
    FINE = "fine"
    WATCH = "watch"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found: `words` say how it is, `mend` what mends it ("" where nothing is wrong)."""

    state: State
    words: str
    mend: str = ""


def fine(words: str) -> Finding:
    return Finding(State.FINE, words)


def watch(words: str, mend: str) -> Finding:
    return Finding(State.WATCH, words, mend)


def broken(words: str, mend: str) -> Finding:
    return Finding(State.BROKEN, words, mend)


@dataclass(frozen=True, slots=True)
class Check:
    """One thing to look at. `needs` names what must answer before it can be looked at."""

    name: str
    title: Words
    look: Callable[[], Finding]
    needs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Result:
    """One check's finding, as it is shown; `at` = when somebody outside was asked."""

    name: str
    title: str
    state: State
    words: str
    mend: str
    at: datetime | None = None

    @property
    def icon(self) -> str:
        icons = {State.FINE: "circle-check", State.WATCH: "alert-triangle"}
        return icons.get(self.state, "circle-x")

    @property
    def colour(self) -> str:
        return {State.FINE: "t-green", State.WATCH: "t-amber"}.get(self.state, "t-red")


def diagnose(checks: Iterable[Check]) -> list[Result]:
    """Look at each in turn; what rests on something that does not answer is left out."""
    results: list[Result] = []
    away: set[str] = set()
    for check in checks:
        if not away.intersection(check.needs):
            found = _look(check)
            results.append(
                Result(check.name, str(check.title), found.state, found.words, found.mend)
            )
            if check.name in (DATABASE, QUEUE) and found.state == State.BROKEN:
                away.add(check.name)
    return results


def _look(check: Check) -> Finding:
    try:
        return check.look()
    except (DatabaseError, QueueDown, OSError) as error:
        # One check that fails is a finding like others; what it says may hold a password.
        logger.warning("The check %s failed: %s", check.name, error)
        return broken(
            _("This could not be looked at (%(error)s).") % {"error": type(error).__name__},
            _("Look at what is wrong above first; the log says more."),
        )


def worst(results: Iterable[Result]) -> State:
    order = list(State)
    return max((result.state for result in results), key=order.index, default=State.FINE)


def keep(results: Iterable[Result]) -> None:
    """Keep what was seen outside, for the page. Raises QueueDown."""
    said = [[r.name, r.state.value, r.words, r.mend] for r in results]
    redis().set(_KEY, json.dumps([timezone.now().isoformat(), said]), ex=_KEPT)


def kept(checks: Iterable[Check]) -> list[Result]:
    """Give what was seen outside last, nothing while nobody has looked. Raises QueueDown."""
    written = redis().get(_KEY)
    if not written:
        return []
    moment, said = json.loads(written)
    at = datetime.fromisoformat(moment)
    titles = {check.name: str(check.title) for check in checks}
    return [
        Result(name, titles[name], State(state), words, mend, at)
        for name, state, words, mend in said
        if name in titles
    ]
