"""The Messages API, version 1: https://developer.vonage.com/en/api/messages. SMS and MMS."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext

from lib.http import Answer
from phones.base import (
    Attachment,
    BadAnswer,
    BadNumber,
    Misconfigured,
    NoCredit,
    OutcomeUnknown,
    OutgoingSms,
    PhoneError,
    Rejected,
    Sent,
    Temporary,
    Throttled,
)
from phones.types.vonage.codes import KINDS, NOT_TAKEN

URL = "https://api.nexmo.com/v1/messages"

_BY_STATUS: dict[int, type[PhoneError]] = {
    **dict.fromkeys([401, 403, 404], Misconfigured),
    402: NoCredit,
    429: Throttled,
}


def order(sms: OutgoingSms, sender: str, report_to: str) -> dict[str, Any]:
    common = {
        "from": sender,
        "to": sms.to.removeprefix("+"),
        "client_ref": sms.reference,
        "webhook_url": report_to,
        "webhook_version": "v1",
    }
    if not sms.media:
        encoding = {"encoding_type": "auto"}
        return common | {
            "channel": "sms",
            "message_type": "text",
            "text": sms.text,
            "sms": encoding,
        }
    parts = [_part(item, "" if at else sms.text) for at, item in enumerate(sms.media)]
    if len(parts) > 1:
        return common | {"channel": "mms", "message_type": "content", "content": parts}
    kind = parts[0].pop("type")
    return common | {"channel": "mms", "message_type": kind, kind: parts[0]}


def _part(item: Attachment, caption: str) -> dict[str, str]:
    """Give a picture or file; the text of the message goes with the first one."""
    kind = item.content_type.partition("/")[0]
    if "vcard" in item.content_type:
        kind = "vcard"
    elif kind not in ("image", "audio", "video"):
        kind = "file"
    return {"type": kind, "url": item.url} | ({"caption": caption} if caption else {})


def sent(body: dict[str, Any]) -> Sent:
    if not body.get("message_uuid"):
        words = gettext("Vonage does not say what became of this message.")
        raise BadAnswer(str(body.get("detail") or body.get("title") or words))
    return Sent(str(body["message_uuid"]))


def refusal(answer: Answer, *, creating: bool) -> PhoneError:
    """Give the error for an answer that is no success; `creating` = it may have made a message."""
    body = body_of(answer)
    words, code = _words(body, answer.status), code_of(body)
    unsure = answer.status == 408 or answer.status >= 500
    if unsure and code not in NOT_TAKEN:
        return (OutcomeUnknown if creating else Temporary)(words, code)
    usual = Rejected if answer.status >= 400 else BadAnswer
    kind = KINDS.get(code) or _BY_STATUS.get(answer.status, usual)
    if kind is Rejected and "to" in _wrong_fields(body):
        kind = BadNumber
    if issubclass(kind, Temporary):
        return kind(words, code, retry_after=answer.retry_after)
    return kind(words, code)


def code_of(body: dict[str, Any]) -> str:
    """Give the end of an address such as …/api-errors/messages#1050."""
    return str(body.get("type") or "").rpartition("#")[2][:40]


def body_of(answer: Answer) -> dict[str, Any]:
    """Give the JSON object of an answer, {} for anything else."""
    try:
        said = answer.json()
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def _wrong_fields(body: dict[str, Any]) -> dict[str, str]:
    said = body.get("invalid_parameters")
    found = [item for item in said if isinstance(item, dict)] if isinstance(said, list) else []
    return {str(item.get("name") or item.get("field")): str(item.get("reason")) for item in found}


def _words(body: dict[str, Any], status: int) -> str:
    said = [str(body[name]) for name in ("title", "detail") if body.get(name)]
    said += [f"{name}: {reason}" for name, reason in _wrong_fields(body).items()]
    without = gettext("Vonage answered HTTP %(status)s, without a word.") % {"status": status}
    return " – ".join(said) or without
