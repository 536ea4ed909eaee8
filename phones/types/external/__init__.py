"""Any service with an HTTP API: the request is written as a template (docs/phones/external.md).

A superset of RapidPro's external channel, so that a service made for that one needs no change.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from lib.redact import Redactor
from phones.base import (
    Callback,
    Capabilities,
    Endpoint,
    Event,
    OutgoingSms,
    PhoneType,
    Reply,
    Sent,
    Words,
    no,
    yes,
)
from phones.types.external import answers, callbacks, template
from phones.types.external.settings import SettingsForm
from phones.types.external.template import Request


class External(PhoneType):
    label = _("HTTP service")
    what = _("any service with an HTTP API, and what was made for RapidPro's external channel")
    Settings = SettingsForm
    # A phone without settings of its own still answers its callbacks.
    settings: Mapping[str, Any] = MappingProxyType({})
    can = Capabilities(
        send=yes(),
        receive=yes(_("If the service calls us")),
        phone_status=no(),
        mms_out=no(),
        mms_in=no(),
        delivery=yes(_("If the service reports it")),
        flash=no(),
        call=no(),
        call_end=no(),
        own_name=yes(_("If the service allows it")),
        unicode=yes(_("If the service does")),
        long=yes(_("If the service does")),
        balance=no(),
        price=no(),
        polling=no(),
        bulk=no(),
        safe_retry=no(_("The service gets the same id again; we cannot know whether it looks")),
        signed=no(),
        opt_out=yes(_("If the service tells")),
    )
    unsigned = _(
        "There is no common way to sign such calls. They are known by the secret in their address; "
        "give it to nobody but the service."
    )
    setup = (
        _("Find in the documentation of the service how a message is sent: address, method, body."),
        _(
            "Write address and body with variables in the place of values: {{text}}, {{to}}, "
            "{{to_no_plus}}, {{from}}, {{from_no_plus}}, {{id}}, {{channel}}, {{status_url}} and "
            "{{secret}}. They are encoded as the kind of body needs it."
        ),
        _("Say how a good answer looks, if its status alone does not tell."),
        _("Give the service the addresses that it shall call."),
        _("Send a message to yourself: only that shows whether the service takes it."),
    )
    endpoints = (
        Endpoint(
            "status",
            _("Delivery"),
            _("Tells what became of a message. Without it, messages stay at “sent”."),
            paste=(
                _("Give it to the service as the address of delivery reports."),
                _("It must send id and status: sent, delivered or failed."),
                _("Or put {{status_url}} into the request: it names the message already."),
            ),
            methods=("POST", "GET"),
        ),
        Endpoint(
            "incoming",
            _("Incoming messages"),
            _("Brings what people write to your number. Without it, no reply arrives."),
            paste=(
                _("Give it to the service as the address of incoming messages."),
                _("It must send from and text, and if it can date and id."),
            ),
            methods=("POST", "GET"),
        ),
        Endpoint(
            "optout",
            _("Opt-outs"),
            _("Tells who wants no more messages. Without it, they are still written to."),
            paste=(
                _("Give it to the service as the address of opt-outs, if it has one."),
                _("It must send from: the number of the person."),
            ),
            methods=("POST", "GET"),
        ),
    )

    def address(self) -> str:
        return str(self.settings.get("sender") or "")

    def send(self, sms: OutgoingSms) -> Sent:
        order = self._order(sms)
        answer = self.http.request(
            order.method, order.url, data=order.body, headers=dict(order.headers)
        )
        return answers.sent(answer, self.settings)

    # RapidPro's names of what a service calls: /c/ex/<channel>/receive and so on.
    actions = MappingProxyType(
        {
            "receive": "incoming",
            "sent": "status",
            "delivered": "status",
            "failed": "status",
            "stopped": "optout",
        }
    )

    def sheets(self) -> list[tuple[Words, str]]:
        if not self.settings.get("url"):
            return []
        sample = OutgoingSms(reference="1042", key="1042", to="+33612345678", text="Où ? 10 €")
        return [
            (_("The request that leaves"), self.preview(sample)),
            (_("Addresses for a service made for RapidPro"), "\n".join(self._rapidpros())),
        ]

    def _rapidpros(self) -> list[str]:
        """Give the addresses that such a service calls."""
        site, token = self.addresses.base.rstrip("/").rsplit("/callbacks/", 1)
        return [f"{site}/c/ex/{token}/{action}" for action in self.actions]

    def preview(self, sms: OutgoingSms) -> str:
        """Give the request as it would leave, with its secret hidden."""
        order = self._order(sms)
        secrets = Redactor([str(self.settings.get("authorization") or "")])
        head = f"{order.method} {secrets.text(order.url)}\n{secrets.headers(order.headers.items())}"
        return f"{head}\n\n{secrets.text((order.body or b'').decode())}".strip()

    def _order(self, sms: OutgoingSms) -> Request:
        return template.request(
            self.settings,
            template.values(
                sms,
                sender=self.address(),
                # What stands in the addresses of RapidPro too: /c/ex/<channel>/receive.
                channel=self.addresses.base.rstrip("/").rpartition("/")[2],
                status_url=self.addresses.of("status", reference=sms.reference),
                secret=str(self.settings.get("authorization") or ""),
            ),
        )

    def parse(self, endpoint: str, callback: Callback) -> list[Event]:
        return callbacks.parse(endpoint, callback, self.settings)

    def reply(self, endpoint: str) -> Reply:
        return callbacks.reply(str(self.settings.get("reply") or ""), endpoint)

    def check(self) -> str:
        parts = urlsplit(str(self.settings["url"]))
        # Neither path nor secret: whatever a service does with them, it could send something.
        self.http.request("HEAD", f"{parts.scheme}://{parts.netloc}/")
        words = gettext("%(host)s answers. Only a message shows whether it takes messages.")
        return words % {"host": parts.hostname}
