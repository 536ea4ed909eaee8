"""What a status and a reason mean, in whole sentences: what happened, and what can be done."""

from __future__ import annotations

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from messaging.models import Message, Status
from phones.base import Reason


def explain(reason: str) -> str:
    """Say what a reason means and what can be done about it."""
    words = {
        Reason.NONE: _("The provider gave no reason."),
        Reason.BAD_NUMBER: _(
            "This number cannot receive SMS: it does not exist, or it is a landline. Check it with the "
            "person."
        ),
        Reason.OPTED_OUT: _(
            "This person asked for no more messages, so nothing was sent. Take the number off the list "
            "of opt-outs only if they ask for it."
        ),
        Reason.UNREACHABLE: _(
            "The handset could not be reached: it was off, full or without network. Try again later."
        ),
        Reason.BLOCKED: _(
            "The network or the recipient blocked it. Another text or another sender may pass."
        ),
        Reason.EXPIRED: _(
            "It could not be delivered in time, and the network gave up. Try again later."
        ),
        Reason.REJECTED: _("The provider refused it; it never reached the network."),
        Reason.GAVE_UP: _(
            "It could not be handed over within a day, so we stopped trying. Nothing left: it is safe "
            "to send it again."
        ),
        Reason.NO_ANSWER: _(
            "It was handed over, but no usable answer came: it may have left or not. It is not sent "
            "again by itself, so that nobody gets it twice."
        ),
        Reason.WORKER_LOST: _(
            "The worker stopped while it was being sent: it may have left or not. It is not sent again "
            "by itself, so that nobody gets it twice."
        ),
        Reason.NO_PHONE: _(
            "None of the phones it might leave by can carry it to this number. See what they may reach on "
            "their pages, under Edit, More settings."
        ),
        Reason.NOT_A_NUMBER: _(
            "What stood there is no phone number, so nothing was sent. Correct it where it came from, and "
            "write again."
        ),
        Reason.LANDLINE: _(
            "This number belongs to a landline, which receives no SMS. Nothing was sent. Ask the person "
            "for a mobile number."
        ),
        Reason.EMPTY: _(
            "With this person’s own data in it the text came out empty, so nothing was sent. Complete the "
            "data, or give the text a default."
        ),
        Reason.BAD_TEXT: _(
            "The text could not be made with this person’s own data, so nothing was sent. Look at what "
            "is said below, and correct the data or the text."
        ),
        Reason.TOO_LATE: _(
            "When it could have left, its time had passed for longer than was chosen. It never left."
        ),
        Reason.NOT_PERMITTED: _(
            "Who sent it may write to some groups only, and this person is in none of them. It never left. "
            "An administrator can change that, or write to them."
        ),
        Reason.QUOTA: _(
            "The quota of the workspace had no room for it. An administrator of this site can give more."
        ),
        Reason.OWN_QUOTA: _(
            "The sender’s own quota had no room for it. An administrator of the workspace can give more."
        ),
        Reason.PHONE_GONE: _("Its phone was deleted while it waited. It never left."),
        Reason.BY_HAND: _(
            "The provider never answered; somebody found out that it did not arrive."
        ),
    }
    return words.get(Reason(reason) if reason in Reason.values else Reason.NONE, words[Reason.NONE])


def summary(message: Message) -> str:
    """Say in one sentence where the message stands."""
    phone = {"phone": message.phone}
    sentences = {
        Status.QUEUED: _("It waits to leave by %(phone)s.") % phone,
        Status.SENDING: _("It is leaving by %(phone)s now.") % phone,
        Status.SENT: _("%(phone)s sent it; whether it arrived is not known yet.") % phone,
        Status.DELIVERED: _delivered_after(message),
        Status.FAILED: explain(message.reason),
        Status.UNKNOWN: _(
            "It may have left by %(phone)s, or not. Ask the person before you send it again."
        )
        % phone,
        Status.CANCELLED: _("It was cancelled and was not delivered.") % phone,
        Status.SKIPPED: _("It was left out and never sent.") % phone,
        Status.RECEIVED: _("It came in by %(phone)s.") % phone,
    }
    if message.partial:
        return _("It came in by %(phone)s, but a part of it never came.") % phone
    if message.perhaps_repeated:
        return _("It came in by %(phone)s, possibly for the second time.") % phone
    if message.is_scheduled:
        return _("It is planned for later, by %(phone)s.") % phone
    return sentences[Status(message.status)]


def _delivered_after(message: Message) -> str:
    if message.reason == Reason.BY_HAND:
        return _("The provider never answered; somebody found out that it arrived.")
    since = max(message.created_at, message.send_at)
    seconds = int(((message.delivered_at or since) - since).total_seconds())
    words = {"phone": message.phone}
    if seconds < 1:
        return _("Delivered at once, by %(phone)s.") % words
    if seconds < 120:
        after = ngettext(
            "Delivered %(count)s second after it was to leave, by %(phone)s.",
            "Delivered %(count)s seconds after it was to leave, by %(phone)s.",
            seconds,
        )
        return after % {**words, "count": seconds}
    minutes = seconds // 60
    after = ngettext(
        "Delivered %(count)s minute after it was to leave, by %(phone)s.",
        "Delivered %(count)s minutes after it was to leave, by %(phone)s.",
        minutes,
    )
    return after % {**words, "count": minutes}
