"""Callbacks that nobody should send, to a phone of each type: `python -m bench.callbacks --fuzz`.

Random bytes, random values under the provider's own names, and what was once signed, said again or
changed. No answer may be a failure of ours (5xx). Where the provider signs, nothing may be stored but the
line that says what was refused; where the address is the only secret, nobody else's rows may change, nor
a message whose id the caller cannot know.
"""

from __future__ import annotations

import json
import random
import secrets
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any
from unittest import mock
from urllib.parse import urlencode, urlsplit

from django.apps import apps
from django.db.models import Model, QuerySet
from django.test import Client, override_settings

from accounts.models import Workspace
from messaging.models import Direction, Message, Status
from phones import registry
from phones.base import Callback
from phones.models import EndpointCall, Exchange, Phone
from tests.phones.cases import BASE, Absent, Cases
from tests.phones.test_cases import cases_of, shown

KINDS = (
    "application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
    "text/plain", "application/xml", "", "application/json; charset=iso-8859-1",
)  # fmt: skip
METHODS = ("POST", "POST", "POST", "GET", "GET", "PUT", "HEAD", "PATCH", "DELETE", "OPTIONS")
VALUES: tuple[Any, ...] = (
    "", "0", "-1", "1e999", "9" * 40, "delivered", "+33612345678", "+" * 40, "STOP", "null", "\x00",
    "\ud800", "é" * 300, "1/0", "2026-02-30T25:61:00Z", "' OR 1=1 --", "{{ 7 }}", "../../x", "a\r\nX: y",
    "<script>", 0, -1, 1e308, 10**40, True, None, [], {}, [[]], {"a": {"b": []}}, ["x"] * 40,
)  # fmt: skip
# What a careless reader takes long for, or falls over.
HEAVY = (
    b"[" * 60_000, b'{"data":' * 20_000, b"a=b&" * 900, b"<a>" * 20_000, b"\xff\xfe{\x00}\x00",
    b"1" * 5_000, b'"\\ud800"', b"--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n",
)  # fmt: skip
# They say what was refused, and when.
_NOTED = (Exchange, EndpointCall)


@dataclass
class Findings:
    """How often each status was answered, and what was wrong."""

    statuses: Counter[int] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


def types() -> list[str]:
    """Give the slugs of the types that are called back."""
    kinds = registry.all_types()
    return [slug for slug in kinds if kinds[slug].endpoints and not isinstance(shown(slug), Absent)]


def run(slug: str, count: int, luck: random.Random, findings: Findings) -> None:
    """Send some `count` callbacks to a new phone of a type, and add what came of them to `findings`."""
    with override_settings(PUBLIC_URL=BASE.partition("/callbacks/")[0]):
        stage = Stage(slug, luck, findings)
        try:
            for number, chapter in enumerate(CHAPTERS):
                here = count // len(CHAPTERS) + (number < count % len(CHAPTERS))
                chapter(stage, here)
        finally:
            # The next phone gets the address that the cases were signed for.
            Phone.objects.filter(pk=stage.phone.pk).update(token=secrets.token_urlsafe(24))


class Stage:
    """A phone with a message that waits for its report, and a neighbour who must notice nothing."""

    def __init__(self, slug: str, luck: random.Random, findings: Findings) -> None:
        self.slug, self.luck, self.findings = slug, luck, findings
        self.cases: Cases = cases_of(slug)
        self.token = urlsplit(BASE).path.split("/")[2]
        self.workspace = Workspace.objects.create(name=slug)
        self.phone = self._phone(self.workspace, self.token)
        neighbour = Workspace.objects.create(name=f"{slug}, next door")
        self._phone(neighbour, secrets.token_urlsafe(24))
        self.endpoints = [endpoint.name for endpoint in registry.get(slug).endpoints]
        self.is_signed = not isinstance(self.cases.signed, Absent)
        self.known = _told(self.cases)

    def _phone(self, workspace: Workspace, token: str) -> Phone:
        phone = Phone.objects.create(
            workspace=workspace, type=self.slug, name=self.slug, token=token,
            settings=dict(self.cases.settings),
        )  # fmt: skip
        # No caller knows these names of the message.
        Message.objects.create(
            pk=secrets.randbelow(10**15) + 10**12, workspace=workspace, phone=phone,
            direction=Direction.OUT, status=Status.SENT, peer="+33612345678", text="Hello",
            provider_id=secrets.token_urlsafe(24),
        )  # fmt: skip
        return phone

    # ---- Asking ---------------------------------------------------------------------------------

    def ask(self, said: Callback, expected: Callable[[int], bool], what: str) -> None:
        """Make the request that `said` stands for, and note when its answer is not as `expected`."""
        parts = urlsplit(said.url)
        query = urlencode(_encodable(said.query), doseq=True)
        body = said.body or urlencode(_encodable(said.form), doseq=True).encode()
        usual = KINDS[1] if said.form else KINDS[0]
        headers = {
            k: v for k, v in said.headers.items() if k not in ("content-type", "content-length")
        }
        answer = Client(raise_request_exception=False).generic(
            said.method,
            parts.path + (f"?{query}" if query else ""),
            body,
            content_type=said.headers.get("content-type", usual),
            headers=headers,
        )
        status = answer.status_code
        self.findings.statuses[status] += 1
        if status >= 500 or not expected(status):
            shown_body = body[:80]
            self.findings.wrong.append(
                f"{self.slug}, {what}: {status} to {said.method} {parts.path}?{query[:80]} {shown_body!r}"
            )

    @contextmanager
    def untouched(self, what: str, *, whole: bool) -> Iterator[None]:
        """Note when rows change within: any if `whole`, else what is not this phone's to say."""
        before = self._rows(whole)
        yield
        after = self._rows(whole)
        self.findings.wrong += [
            f"{self.slug}, {what}: {name} changed" for name in before if before[name] != after[name]
        ]

    def _rows(self, whole: bool) -> dict[str, list[Any]]:
        return {
            model._meta.label: list(rows.order_by("pk").values_list())
            for model in apps.get_models()
            if model._meta.managed
            and model not in _NOTED
            and (rows := self._watched(model, whole)) is not None
        }

    def _watched(self, model: type[Model], whole: bool) -> QuerySet[Model] | None:
        rows: QuerySet[Model] = model._default_manager.all()
        if whole or model in (Workspace, Phone):
            return rows
        if model is Message:
            return rows.filter(direction=Direction.OUT)
        names = {item.name for item in model._meta.get_fields()}
        return rows.exclude(workspace=self.workspace) if "workspace" in names else None

    def refused(self, status: int) -> bool:
        """Say whether a callback that no provider sent was answered as it should be."""
        return status in REFUSALS or (not self.is_signed and status < 300)

    # ---- What is said ---------------------------------------------------------------------------

    def address(self, token: str | None = None) -> str:
        name = self.luck.choice([*self.endpoints, self.luck.choice(self.endpoints), "nothing"])
        return f"{BASE.partition('/callbacks/')[0]}/callbacks/{token or self.token}/{name}/"

    def rubbish(self) -> Callback:
        """Give bytes under any heading."""
        luck = self.luck
        body = (
            luck.choice(HEAVY)
            if luck.random() < 0.1
            else luck.randbytes(luck.choice((0, 1, 40, 900)))
        )
        headers = {"content-type": luck.choice(KINDS)}
        for name in {name for said in self.known for name in said.headers}:
            if luck.random() < 0.3:
                headers.setdefault(name, luck.choice(("", "x", "Bearer a.b.c", "=" * 900)))
        query = {luck.choice("abc"): [str(luck.choice(VALUES))] for _ in range(luck.randrange(3))}
        return Callback(luck.choice(METHODS), self.address(), headers, query, {}, body)

    def parameters(self) -> Callback:
        """Give something the provider says, some of its values random, missing or of another sort."""
        said, luck = self.luck.choice(self.known), self.luck
        bent = replace(
            said, url=self.address(), query=_bent(said.query, luck), form=_bent(said.form, luck)
        )
        try:
            whole = json.loads(said.body)
        except ValueError:
            cut = luck.randrange(len(said.body) + 1)
            noise = luck.randbytes(luck.randrange(4))
            return replace(
                bent, body=said.body[:cut] + noise + said.body[cut + luck.randrange(9) :]
            )
        return replace(bent, body=json.dumps(_twisted(whole, luck)).encode())

    def changed(self, signed: Callback) -> Callback:
        """Give what was signed, with its signature or something that it covers changed."""
        luck = self.luck
        name = luck.choice([name for name in signed.headers if name not in _PLAIN])
        value = signed.headers[name]
        at = luck.randrange(len(value) - 3)  # the last letters of Base64 may say nothing
        forged = {
            **signed.headers,
            name: value[:at] + ("0" if value[at] != "0" else "1") + value[at + 1 :],
        }
        if self.slug in COVERS_ADDRESS or luck.random() < 0.5:
            without = {key: kept for key, kept in signed.headers.items() if key != name}
            return replace(signed, headers=luck.choice((forged, forged, without)))
        if signed.form:
            field = luck.choice(list(signed.form))
            return replace(
                signed, form={**signed.form, field: [signed.form[field][0] + "1"]}, body=b""
            )
        return replace(signed, body=signed.body + luck.choice((b" ", b"{}", b"\x00")))


# Their signatures cover the address (and a nonce), not what is said there; see docs/security.md.
COVERS_ADDRESS = {"httpsms", "plivo"}
_PLAIN = {"content-type", "x-event-type"}


def strangers(stage: Stage, count: int) -> None:
    """Say what is right at an address that nobody was given."""
    luck = stage.luck
    with stage.untouched("wrong address", whole=True):
        for _ in range(count):
            token = luck.choice(
                (secrets.token_urlsafe(24), stage.token[:-1], stage.token.upper(), "x")
            )
            said = replace(luck.choice(stage.known), url=stage.address(token))
            stage.ask(said, lambda status: status == NOT_FOUND, "wrong address")


def rubbish(stage: Stage, count: int) -> None:
    with stage.untouched("random bytes", whole=stage.is_signed):
        for _ in range(count):
            stage.ask(stage.rubbish(), stage.refused, "random bytes")


def parameters(stage: Stage, count: int) -> None:
    with stage.untouched("random parameters", whole=stage.is_signed):
        for _ in range(count):
            stage.ask(stage.parameters(), stage.refused, "random parameters")


def replays(stage: Stage, count: int) -> None:
    """Say once more what was signed once: changed it is refused, as it was it changes nothing."""
    if isinstance(stage.cases.signed, Absent):
        parameters(stage, count)
        return
    signed = stage.cases.signed[0]
    stage.ask(signed, lambda _status: True, "signed")
    with stage.untouched("replayed", whole=True):
        for number in range(count - 1):
            if number % 4:
                stage.ask(stage.changed(signed), stage.refused, "changed")
            else:
                stage.ask(signed, lambda _status: True, "replayed")


def trusted(stage: Stage, count: int) -> None:
    """Say rubbish as who has the provider's key: it may be stored, it breaks nothing."""
    with (
        mock.patch.object(registry.get(stage.slug), "verify", return_value=None),
        stage.untouched("signed rubbish", whole=False),
    ):
        for number in range(count):
            said = stage.parameters() if number % 2 else stage.rubbish()
            stage.ask(said, lambda _status: True, "signed rubbish")


CHAPTERS = (strangers, rubbish, parameters, replays, trusted)
NOT_FOUND, REFUSALS = 404, {400, 403, 404, 405, 413}


# ---- Bending ------------------------------------------------------------------------------------


def _told(cases: Cases) -> list[Callback]:
    """Give all that the cases of a type are told, without a signature that fits."""
    told = [
        said
        for source in (cases.reports, cases.incoming)
        if not isinstance(source, Absent)
        for said, *_ in source.values()
    ]
    if isinstance(cases.signed, Absent):
        return told or [Callback("POST", BASE, {}, {}, {"a": ["b"]}, b"")]
    return [_without_signature(said) for said in (*told, *cases.signed[1:])]


def _without_signature(said: Callback) -> Callback:
    """Give a callback without the signature that some of the cases bring along."""
    body = said.body
    with suppress(ValueError):
        fields = json.loads(body)
        body = json.dumps({k: v for k, v in fields.items() if k != "sig"}).encode()
    return replace(
        said,
        headers={name: value for name, value in said.headers.items() if name in _PLAIN},
        query={name: values for name, values in said.query.items() if name != "sig"},
        form={name: values for name, values in said.form.items() if name != "sig"},
        body=b"" if said.form else body,
    )


def _bent(values: Mapping[str, list[str]], luck: random.Random) -> dict[str, list[str]]:
    """Give parameters, some of them random, repeated or missing."""
    return {
        name: [str(luck.choice(VALUES))] * luck.choice((1, 1, 2)) if luck.random() < 0.4 else kept
        for name, kept in values.items()
        if luck.random() > 0.1
    }


def _twisted(whole: Any, luck: random.Random) -> Any:
    """Give a JSON value, some of what it holds random or missing."""
    if luck.random() < 0.15:
        return luck.choice(VALUES)
    if isinstance(whole, dict):
        return {key: _twisted(value, luck) for key, value in whole.items() if luck.random() > 0.05}
    return [_twisted(value, luck) for value in whole] if isinstance(whole, list) else whole


def _encodable(values: Mapping[str, list[str]]) -> dict[str, list[bytes]]:
    return {
        name: [value.encode("utf-8", "surrogatepass") for value in kept]
        for name, kept in values.items()
    }
