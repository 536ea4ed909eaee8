"""What a phone type must give, as system checks: a type that breaks its promise stops the start.

The contract test (tests/phones/test_contract.py) adds what only a repository has: tests and docs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django import forms
from django.apps import AppConfig
from django.core.checks import CheckMessage, Error, register

from phones import registry
from phones.base import PhoneType

# Capability → the method that keeps its promise.
_METHODS = {
    "send": "send",
    "receive": "parse",
    "mms_in": "fetch",
    "delivery": "parse",
    "call": "parse",
    "call_end": "parse",
    "opt_out": "parse",
    "balance": "balance",
    "signed": "verify",
    "look_up": "look_up",
    "polling": "poll",
    "bulk": "send_many",
}
# A type that stays connected sends and receives by its session.
_METHODS_OF_CONNECTED = {
    **_METHODS,
    **dict.fromkeys(["send", "receive", "delivery"], "session"),
}
# Capability → the addresses of which the provider calls one.
_ADDRESSES = {
    "receive": {"incoming"},
    "mms_in": {"incoming"},
    "delivery": {"status"},
    "call": {"call"},
    "call_end": {"call_end", "call"},
}
# A setting whose name ends in one of these is a secret.
_SECRETS = {"token", "secret", "password", "key", "pin"}


@register()
def check_phone_types(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Report every fault of every type."""
    return [
        Error(
            fault,
            hint="phones/base.py says what a type must give.",
            obj=slug,
            id="phones.E001",
        )
        for slug, kind in registry.all_types().items()
        for fault in faults_of(kind)
    ]


def faults_of(kind: type[PhoneType]) -> list[str]:
    """Give what is wrong with a type, in sentences; an empty list for a good one."""
    missing = [
        f"It has no `{name}`." for name in ("label", "what", "can") if not hasattr(kind, name)
    ]
    if missing:
        return missing
    return [
        *_broken_promises(kind),
        *_missing_addresses(kind),
        *_unverified(kind),
        *_mixed_up(kind),
        *_poor_settings(kind),
    ]


def _mixed_up(kind: type[PhoneType]) -> Iterator[str]:
    if kind.wants_carrier and kind.can.bulk:
        yield "It wants each number's carrier (`wants_carrier`), so it cannot send in bulk."


def _gives(kind: type[PhoneType], method: str) -> bool:
    return getattr(kind, method) is not getattr(PhoneType, method)


def _brings_media(kind: type[PhoneType]) -> bool:
    """Say whether whole pictures may come with the news, so that none need be fetched."""
    return bool(kind.can.polling) or any(endpoint.carries_media for endpoint in kind.endpoints)


def _broken_promises(kind: type[PhoneType]) -> Iterator[str]:
    if not _gives(kind, "check"):
        yield "It has no method `check`, which tries the credentials."
    # A type that is never called asks for all its news, or stays connected.
    asks = kind.can.polling and not kind.endpoints
    methods = _METHODS_OF_CONNECTED if kind.connected else _METHODS
    for capability, method in methods.items():
        if capability == "mms_in" and _brings_media(kind):
            continue
        needed = "poll" if asks and method == "parse" else method
        if getattr(kind.can, capability) and not _gives(kind, needed):
            yield f"It can `{capability}`, but has no method `{needed}`."
    if kind.has_price_list() and not kind.can.price:
        yield "It has a method `price_to`, but its matrix says that it tells no `price`."


def _missing_addresses(kind: type[PhoneType]) -> Iterator[str]:
    names = {endpoint.name for endpoint in kind.endpoints}
    for capability, any_of in _ADDRESSES.items():
        # A type that polls, or stays connected, need not be called.
        if kind.can.polling or kind.connected:
            break
        if getattr(kind.can, capability) and not names & any_of:
            yield f"It can `{capability}`, but has no endpoint `{min(any_of)}`."
    if len(names) < len(kind.endpoints):
        yield "Two of its endpoints have one name."
    for endpoint in kind.endpoints:
        if not (endpoint.label and endpoint.why):
            yield f"Its endpoint `{endpoint.name}` does not say what it is and why."
        if not (endpoint.automatic or endpoint.paste):
            yield f"Its endpoint `{endpoint.name}` does not say where to paste it."


def _unverified(kind: type[PhoneType]) -> Iterator[str]:
    if not kind.endpoints:
        return
    if not _gives(kind, "verify") and not kind.unsigned:
        yield "It verifies no callback and does not say why (`unsigned`)."
    if _gives(kind, "verify") and not kind.can.signed:
        yield "It verifies its callbacks, but its matrix says that they are not signed."


def _poor_settings(kind: type[PhoneType]) -> Iterator[str]:
    for name, field in kind.Settings.base_fields.items():
        if not (field.label and field.help_text):
            yield f"Its setting `{name}` has no label or no help."
        hidden = isinstance(field.widget, forms.PasswordInput)
        if name.split("_")[-1] in _SECRETS and not hidden:
            yield f"Its setting `{name}` is a secret in a field that shows it."
        if isinstance(field.widget, forms.PasswordInput) and field.widget.render_value:
            yield f"Its setting `{name}` puts the secret back into the page."
    for name in getattr(kind.Settings, "advanced", ()):
        if name not in kind.Settings.base_fields:
            yield f"Its advanced setting `{name}` does not exist."
