"""What was said in one conversation, as bubbles between lines that name the day."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db.models import Q
from django.utils import formats, timezone
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from messaging import media
from messaging.conversations import messages_of
from messaging.models import Conversation, Media, Message

# Messages of one page, and the most that an open page is kept up to date with.
_PAGE, _MOST = 50, 200
# Messages of one person that follow each other within this time share the line under them.
_RUN = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Picture:
    """A file of a message: shown by itself, offered for download, on its way, or missing (`problem`)."""

    media: Media

    @property
    def is_here(self) -> bool:
        return bool(self.media.file)

    @property
    def is_shown(self) -> bool:
        return self.is_here and self.media.content_type in media.SHOWN

    @property
    def is_coming(self) -> bool:
        return not self.is_here and not self.media.problem

    @property
    def kind(self) -> str:
        """Give the kind of file in a word: PDF, MP4, VCARD."""
        name = self.media.content_type.partition("/")[2].removeprefix("x-").partition("+")[0]
        return name.upper() or _("File")


@dataclass(frozen=True, slots=True)
class Bubble:
    """A message in its thread. `day` is said above it, "" when it is the day of the one before.

    `has_foot` is False where the line under the next bubble says the same.
    """

    message: Message
    pictures: list[Picture]
    day: str
    has_foot: bool


@dataclass(frozen=True, slots=True)
class Thread:
    """Part of a conversation, oldest first.

    `earlier` is the id that older messages come before, None when there are none. `version`
    changes when anything in it does.
    """

    bubbles: list[Bubble]
    messages: list[Message]
    earlier: int | None
    version: str

    @property
    def first(self) -> int:
        """Give the id that the thread begins with."""
        return self.messages[0].pk if self.messages else 0


def thread(conversation: Conversation, *, before: int | None = None) -> Thread:
    """Give the newest messages of a conversation, or those before an id. Two queries."""
    asked = Q() if before is None else Q(pk__lt=before)
    return _thread(conversation, asked, _PAGE)


def since(conversation: Conversation, first: int) -> Thread:
    """Give the messages from an id on: what an open page shows, and what came since."""
    return _thread(conversation, Q(pk__gte=first), _MOST)


def _thread(conversation: Conversation, asked: Q, most: int) -> Thread:
    rows = messages_of(conversation).filter(asked).select_related("created_by", "phone")
    # A phone's settings are decrypted when they are read; nobody needs them here.
    rows = rows.defer("phone__settings").prefetch_related("media")
    found = list(rows[: most + 1])
    messages = found[:most][::-1]
    return Thread(
        bubbles=_bubbles(messages),
        messages=messages,
        earlier=messages[0].pk if len(found) > most else None,
        version=_version(messages),
    )


def _bubbles(messages: list[Message]) -> list[Bubble]:
    days = [_day(message.created_at) for message in messages]
    days_before: list[date | None] = [None, *days]
    following: list[Message | None] = [*messages[1:], None]
    return [
        Bubble(
            message=message,
            pictures=[Picture(item) for item in message.media.all()],
            day=_said(day) if day != day_before else "",
            has_foot=not _goes_on(message, after),
        )
        for message, day, day_before, after in zip(
            messages, days, days_before, following, strict=False
        )
    ]


def _goes_on(message: Message, after: Message | None) -> bool:
    """Say whether the next message is theirs too, to the same phone and soon after."""
    return (
        after is not None
        and not (message.partial or message.perhaps_repeated)
        and message.is_incoming
        and after.is_incoming
        and after.phone_id == message.phone_id
        and after.created_at - message.created_at < _RUN
        and _day(after.created_at) == _day(message.created_at)
    )


def _day(at: datetime) -> date:
    return timezone.localtime(at).date()


def _said(day: date) -> str:
    """Give a day as people say it: Today, Yesterday, Wednesday 19 November, with its year if past."""
    today = timezone.localdate()
    if day == today:
        return _("Today")
    if day == today - timedelta(days=1):
        return _("Yesterday")
    if day.year == today.year:
        return formats.date_format(day, pgettext("day in full", "l j F"))
    return formats.date_format(day, pgettext("day in full, with its year", "l j F Y"))


def _version(messages: list[Message]) -> str:
    """Give a fingerprint of all that may change in what is shown; "Today" is not for ever."""
    shown = [str(timezone.localdate())]
    for message in messages:
        shown.append(f"{message.pk} {message.status} {message.send_at} {message.phone_id}")
        # The missing part of a message that was shown without it may still come.
        shown.append(f"{message.partial} {len(message.text)}")
        shown += [f"{item.pk} {item.size} {item.problem}" for item in message.media.all()]
    return hashlib.blake2s("\n".join(shown).encode(), digest_size=8).hexdigest()
