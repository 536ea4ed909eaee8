"""What people fill in, and what they do at octopush.com."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _

from phones.base import Endpoint, PhoneType

UNSIGNED = _("Octopush does not sign its callbacks. Only Octopush knows their secret address.")

STATUS = Endpoint(
    "status",
    _("Delivery and opt-outs"),
    _(
        "Tells what became of a message sent with Premium quality, and who asked for no more. "
        "Without it, messages stay at “sent” and opt-outs are not known here."
    ),
    paste=(
        _("Log in at octopush.com and open Callbacks in the menu."),
        _("Paste the address at the acknowledgements of receipt."),
        _("Paste the same address once more at the opt-outs (STOP), and save."),
    ),
)
INCOMING = Endpoint(
    "incoming",
    _("Incoming messages"),
    _("Brings what people write to your number. Without it, no reply arrives."),
    paste=(
        _("Log in at octopush.com and open Callbacks in the menu."),
        _("Paste the address at the incoming SMS (replies), and save."),
    ),
)
KEYS = _(
    "Log in at octopush.com and open API credentials: your login is an e-mail address, and the API "
    "key stands beside it."
)
CREDIT = _("See that the account has credit for the countries you write to.")
TEST = _("Fill in the form, save it and test the connection. Nothing is sent.")
PASTE = _("Paste the addresses at Octopush, under Callbacks.")


class OctopushSettings(PhoneType.Settings):
    """The account and how its messages travel. Each type adds who they come from."""

    advanced: tuple[str, ...] = ("stop_mention", "simulation")

    login = forms.EmailField(
        label=_("Login"),
        help_text=_("The e-mail address of your Octopush account, shown with the API credentials."),
        max_length=200,
    )
    api_key = forms.CharField(
        label=_("API key"),
        help_text=_("At octopush.com, under API credentials."),
        max_length=200,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
    quality = forms.ChoiceField(
        label=_("Quality"),
        help_text=_("Delivery is reported for Premium only."),
        choices=[("sms_premium", _("Premium")), ("sms_low_cost", _("Low cost"))],
        initial="sms_premium",
    )
    purpose = forms.ChoiceField(
        label=_("Purpose"),
        help_text=_(
            "Marketing messages leave in the daytime only, and a STOP mention is added to each."
        ),
        choices=[
            ("alert", _("Transactional: alerts, codes, answers")),
            ("wholesale", _("Marketing")),
        ],
        initial="alert",
    )
    stop_mention = forms.CharField(
        label=_("STOP mention"),
        help_text=_(
            "Ends each marketing message that does not contain it. Empty is what Octopush asks for "
            "in France: “STOP au XXXXX” with Premium, “no PUB=STOP” with Low cost."
        ),
        max_length=40,
        required=False,
    )
    simulation = forms.BooleanField(
        label=_("Simulate only"),
        help_text=_("Octopush checks each message and answers as usual, but sends it to nobody."),
        required=False,
    )
