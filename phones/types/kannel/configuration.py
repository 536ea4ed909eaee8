"""What a person pastes into kannel.conf so that this site may send and receive through it."""

from __future__ import annotations

from django.utils.translation import gettext

from phones.types.kannel.callbacks import MESSAGE

# The id of the smsbox that serves this site.
BOX = "smsapp"
# Kannel cuts off what is beyond; 1600 emoji need 48 segments.
MOST_SEGMENTS = 50
# A failed callback is repeated each minute for a day.
_RETRIES, _EVERY = 1440, 60


def groups(*, user: str, smsc: str, incoming: str) -> str:
    """Give the groups; `incoming` is the address of incoming messages, `smsc` may be empty."""
    link = smsc or gettext("the-id-of-your-link")
    sendsms = [
        ("username", user),
        ("password", gettext("the-password-of-the-form")),
        ("concatenation", "true"),
        ("max-messages", str(MOST_SEGMENTS)),
    ]
    service = [
        ("keyword", "default"),
        ("catch-all", "true"),
        *([("accepted-smsc", smsc)] if smsc else []),
        # What this site answers is not for the person who wrote.
        ("max-messages", "0"),
        ("post-url", f'"{incoming}{MESSAGE}"'),
    ]
    box = [("smsbox-id", BOX), ("http-request-retry", _RETRIES), ("http-queue-delay", _EVERY)]
    besides = gettext("Your group smsbox needs these lines besides its own:")
    return "\n".join(
        [
            _group("sendsms-user", sendsms),
            _group("smsbox-route", [("smsbox-id", BOX), ("smsc-id", link)]),
            _group("sms-service", service),
            f"# {besides}",
            *(f"#   {name} = {value}" for name, value in box),
            *_only_ours(smsc),
            "",
        ]
    )


def _only_ours(smsc: str) -> list[str]:
    """Give what keeps a link to its own messages: by itself Kannel hands any message to any link."""
    if not smsc:
        return []
    words = gettext("Where there are several links, the group smsc of this one needs:")
    return [f"# {words}", f"#   allowed-smsc-id = {smsc}"]


def _group(name: str, lines: list[tuple[str, str]]) -> str:
    return "".join(f"{key} = {value}\n" for key, value in [("group", name), *lines])
