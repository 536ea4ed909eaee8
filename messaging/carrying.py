"""What a phone cannot carry, in words: for the composer, and for moving a message."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.translation import gettext as _

from lib import gsm
from phones import reaching
from phones.base import Words
from phones.health import kind_of
from phones.models import Phone

# What a message may need → what is said of a phone that has it not. Names of Capabilities.
NEEDS = ("mms_out", "flash", "unicode", "long")


@dataclass(frozen=True, slots=True)
class Load:
    """What has to be carried."""

    text: str
    picture: bool = False
    flash: bool = False

    @property
    def segments(self) -> int:
        return max(1, gsm.measure(self.text).segments)

    @property
    def needs(self) -> list[str]:
        """Give the capabilities it takes, of NEEDS."""
        length = gsm.measure(self.text)
        wanted = {
            "mms_out": self.picture,
            "flash": self.flash,
            "unicode": length.encoding == "ucs2",
            "long": length.segments > 1,
        }
        return [name for name in NEEDS if wanted[name]]


def label_of(phone: Phone) -> Words:
    """Give the name of the phone's type; its slug when the type's file is gone."""
    kind = kind_of(phone)
    return kind.label if kind else phone.type


def lacks(phone: Phone) -> list[str]:
    """Give what this phone cannot do, of NEEDS."""
    kind = kind_of(phone)
    return [name for name in NEEDS if kind is None or not getattr(kind.can, name)]


def obstacle(phone: Phone, load: Load) -> str:
    """Say why the phone cannot carry this at all, in a whole sentence; "" when it can."""
    kind = kind_of(phone)
    if phone.is_deleted:
        return _("%(phone)s was deleted.") % {"phone": phone.name}
    if kind is None or not kind.can.send:
        return _("%(phone)s cannot send.") % {"phone": phone.name}
    missing = next((name for name in load.needs if not getattr(kind.can, name)), "")
    return sentence(phone.name, missing) if missing else ""


def forbidden(phone: Phone, number: str) -> str:
    """Say that the phone may not write to a number (E.164); "" when it may."""
    if reaching.permits(phone, number):
        return ""
    return _("%(phone)s may not write to this number. Choose another phone.") % {
        "phone": phone.name
    }


def sentence(phone: str, need: str) -> str:
    """Say that a phone, by its name, has not what is needed (of NEEDS), and what to do about it."""
    words = {
        "mms_out": _(
            "%(phone)s cannot send pictures. Take the picture out or choose another phone."
        ),
        "flash": _("%(phone)s cannot send flash messages. Untick Flash or choose another phone."),
        "unicode": _(
            "%(phone)s can send only the letters of the GSM alphabet. Take the other characters out "
            "or choose another phone."
        ),
        "long": _(
            "%(phone)s can send only one segment. Make the text shorter or choose another phone."
        ),
    }
    return words[need] % {"phone": phone}


def short(need: str) -> str:
    """Say it in a few words, under the phone's name."""
    words = {
        "mms_out": _("cannot send pictures"),
        "flash": _("cannot send flash messages"),
        "unicode": _("cannot send this alphabet"),
        "long": _("cannot send more than one segment"),
    }
    return words[need]
