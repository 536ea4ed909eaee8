"""Which gateway a number's carrier has, for phones that go by it; or why it has none, in words that help."""

from __future__ import annotations

from django.utils.translation import gettext as _

from contacts.models import NumberCarrier
from phones.base import BadNumber, Line, LookedUp, Rejected
from phones.models import Phone

# In NumberCarrier.line: whoever was asked says that there is no such number.
NO_NUMBER = "none"


def carrier_by(phone: Phone, row: NumberCarrier) -> str | Rejected:
    """Give the slug of the number's carrier, or why a message to it fails by this phone.

    What a look-up told is read anew, so that a carrier written down since then is found for nothing.
    """
    if row.carrier or row.source != NumberCarrier.Source.LOOK_UP:
        return row.carrier
    if row.line == NO_NUMBER:
        return BadNumber(row.problem)
    told = {"phone": row.by, "carrier": row.said, "problem": row.problem}
    if row.line == Line.LANDLINE:
        return BadNumber(_("%(phone)s says that this is a landline.") % told)
    found = LookedUp(row.said, Line(row.line), row.country, row.network)
    if slug := phone.kind.carrier_of(phone.settings, found):
        return slug
    if not row.said:
        words = _(
            "%(phone)s could not tell the carrier of this number: %(problem)s Choose it in “Carriers of "
            "numbers”, or remove the number there to have it looked up again."
        )
        return Rejected(words % told)
    words = _(
        "%(phone)s says that this number belongs to “%(carrier)s”, and no gateway of this phone is known "
        "to be theirs. Choose one in “Carriers of numbers”, or write theirs under “Your own carriers”."
    )
    return Rejected(words % told)
