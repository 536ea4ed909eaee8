"""Pictures and files of messages: kept outside the web root, given out only signed or to members."""

from __future__ import annotations

import mimetypes
from collections.abc import Iterable
from contextlib import suppress
from datetime import timedelta

from django.conf import settings
from django.core.files.base import ContentFile, File
from django.core.signing import BadSignature as BadToken
from django.core.signing import TimestampSigner
from django.utils import timezone

from accounts.models import Workspace
from lib import stored
from lib.http import NoAnswer, NotSent, Trace
from messaging.models import Media, Message
from phones.base import Attachment, IncomingMedia, PhoneError
from phones.lines import keep, line, redactor_of

# How long a provider may fetch an outgoing picture; its own queue may be slow.
LINK_LIFE = timedelta(days=3)
# How long people may open a picture that they were sent as a link.
PERSONS_LINK_LIFE = timedelta(days=30)
# How often, and how long, an incoming picture that could not be fetched is tried again.
TRY_AGAIN, TRY_FOR = timedelta(minutes=2), timedelta(hours=6)
# What browsers may show by themselves. Everything else, SVG above all, is only downloaded.
SHOWN = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"})
# What people may send: pictures that every MMS provider takes.
SENDABLE = frozenset({"image/jpeg", "image/png", "image/gif"})

_signer = TimestampSigner(salt="media")
_for_people = TimestampSigner(salt="media link")


def attachment(item: Media) -> Attachment:
    """Give what a phone type sends: an address that works without logging in, for LINK_LIFE."""
    token = _signer.sign(str(item.pk))
    url = f"{_public()}{token}/"
    return Attachment(
        url=url, content_type=item.content_type, size=item.size, read=lambda: _content(item)
    )


def _content(item: Media) -> bytes:
    with item.file.open("rb") as file:
        content: bytes = file.read()
    return content


def with_links(text: str, items: Iterable[Media]) -> str:
    """Give a text with the addresses of pictures below it, each open to who has it for PERSONS_LINK_LIFE."""
    links = (f"{_public()}{_for_people.sign(str(item.pk))}/" for item in items)
    return "\n".join(filter(None, [text, *links]))


def without_links(text: str) -> str:
    """Give a text as it was before links were added to it."""
    return "\n".join(line for line in text.split("\n") if not line.startswith(_public()))


def is_linked(text: str) -> bool:
    """Say whether a text has its pictures as links, so that they are not sent besides."""
    return _public() in text


def _public() -> str:
    return f"{settings.PUBLIC_URL}/media/"


def signed(token: str) -> Media | None:
    """Give the file of a signed address, or None when it is wrong or too old."""
    pk = _unsigned(token)
    return Media.objects.filter(pk=pk).exclude(file="").first() if pk else None


def _unsigned(token: str) -> str:
    for signer, life in ((_signer, LINK_LIFE), (_for_people, PERSONS_LINK_LIFE)):
        with suppress(BadToken):
            return signer.unsign(token, max_age=life)
    return ""


def store_upload(workspace: Workspace, upload: File[bytes], content_type: str) -> Media:
    """Keep an uploaded picture whose type was found by looking into it."""
    return _store(Media(workspace=workspace), upload.read(), content_type)


def expect(message: Message, sources: tuple[IncomingMedia, ...]) -> list[Media]:
    """Keep the pictures of an incoming message; give those a worker has to fetch. Within a transaction."""
    items = [_expected(message, source) for source in sources]
    message.media.set(items)
    return [item for item in items if item.source]


def _expected(message: Message, source: IncomingMedia) -> Media:
    item = Media(
        workspace_id=message.workspace_id,
        source=stored.text(source.url),
        content_type=stored.text(source.content_type, 100),
    )
    if not source.content:
        item.save()
        return item
    item.source = ""
    try:
        return _store(item, _bounded(source.content), source.content_type)
    except PhoneError as error:
        item.problem = str(error)
        item.save()
        return item


def fetch(media_id: int) -> None:
    """Fetch an incoming picture with its phone's credentials; keep the reason when that fails.

    A job: run twice, it fetches once.
    """
    item = Media.objects.filter(pk=media_id, file="").first()
    if item is None:
        return
    message = item.messages.select_related("phone").first()
    if message is None or message.phone.is_deleted:
        Media.objects.filter(pk=item.pk).update(problem="The phone it came by was deleted.")
        return
    traces: list[Trace] = []
    try:
        fetched = line(message.phone, traces.append).fetch(
            IncomingMedia(item.source, item.content_type)
        )
        _store(item, _bounded(fetched.content), fetched.content_type or item.content_type)
    except (PhoneError, NotSent, NoAnswer) as error:
        Media.objects.filter(pk=item.pk).update(
            problem=stored.text(redactor_of(message.phone).text(str(error)), 300)
        )
    keep(message.phone, traces, message.pk)


def late() -> list[int]:
    """Give the ids of incoming pictures that should have been fetched by now and were not."""
    now = timezone.now()
    missing = Media.objects.filter(
        file="", created_at__gt=now - TRY_FOR, created_at__lt=now - TRY_AGAIN
    ).exclude(source="")
    return list(missing.values_list("pk", flat=True)[:100])


def _bounded(content: bytes) -> bytes:
    if len(content) > settings.MEDIA_LIMIT:
        raise PhoneError(f"The file is larger than {settings.MEDIA_LIMIT} bytes.")
    return content


def _store(item: Media, content: bytes, content_type: str) -> Media:
    content_type = stored.text(content_type.split(";", maxsplit=1)[0].strip().lower(), 100)
    extension = mimetypes.guess_extension(content_type) or ".bin"
    item.content_type = content_type
    item.size = len(content)
    item.problem = ""
    item.file.save(f"{timezone.now():%d%H%M%S%f}{extension}", ContentFile(content), save=False)
    item.save()
    return item


def kind_of(content: bytes) -> str:
    """Give the MIME type of a picture by its first bytes, or ""; what the browser says is no proof."""
    if content.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if content[:6] in (b"GIF87a", b"GIF89a"):
        return "image/gif"
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    return ""
