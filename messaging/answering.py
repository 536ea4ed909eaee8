"""Answering somebody: by which phone, or why not."""

from __future__ import annotations

import uuid
from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import User
from contacts.models import OptOut
from lib import masks
from messaging import carrying, choosing, composing
from messaging.carrying import Load
from messaging.choosing import Choice
from messaging.conversations import messages_of
from messaging.forms import MOST_TEXT
from messaging.models import Conversation, Direction, Message
from messaging.permitting import Permit
from messaging.routing import Route
from phones.models import Phone


class AnswerForm(forms.Form):
    """An answer in a conversation. It leaves by the phone they wrote to, while that one can send.

    `phone` is the one that the page named; without it, the one they wrote to. `submission` is the
    form's own id: it makes a double click harmless.
    """

    text = forms.CharField(required=False, strip=False)
    phone = forms.CharField(required=False)
    submission = forms.UUIDField(
        widget=forms.HiddenInput,
        error_messages={
            "required": gettext_lazy("This form is not whole. Load the page again."),
            "invalid": gettext_lazy("This form is not whole. Load the page again."),
        },
    )

    def __init__(
        self,
        conversation: Conversation,
        data: QueryDict | None = None,
        *,
        permit: Permit | None = None,
    ) -> None:
        super().__init__(data, initial={"submission": uuid.uuid4()}, auto_id="answer_%s")
        self.conversation = conversation
        self.permit = permit or Permit(conversation.workspace)

    # ---- What the page shows --------------------------------------------------------------------

    @cached_property
    def offered(self) -> list[Choice]:
        return choosing.choices(self.conversation.workspace, self.permit)

    @cached_property
    def usable(self) -> list[Choice]:
        """Give the phones that an answer can leave by."""
        return [choice for choice in self.offered if not choice.off]

    @cached_property
    def theirs(self) -> Choice | None:
        """Give the phone they wrote to, None when it was deleted."""
        wanted = self.conversation.phone_id
        return next((choice for choice in self.offered if choice.phone.pk == wanted), None)

    @cached_property
    def chosen(self) -> Choice | None:
        """Give the phone that the answer leaves by, None while somebody has to choose."""
        wanted = str(self["phone"].value() or self.conversation.phone_id)
        return next((choice for choice in self.usable if str(choice.phone.pk) == wanted), None)

    @property
    def must_choose(self) -> bool:
        """Say whether the phone they wrote to cannot send, so that another has to be chosen."""
        return self.theirs is None or bool(self.theirs.off)

    @property
    def trouble(self) -> str:
        """Say why the phone they wrote to cannot take the answer; "" when it can."""
        name = self.conversation.phone.name
        if self.theirs is None and not self.permit.may_use(self.conversation.phone):
            return _("They wrote to %(phone)s, through which you may not send.") % {"phone": name}
        if self.theirs is None:
            return _("They wrote to %(phone)s, which was deleted.") % {"phone": name}
        if self.theirs.off:
            words = _("They wrote to %(phone)s (%(why)s).")
            return words % {"phone": name, "why": self.theirs.off}
        return ""

    @cached_property
    def earlier(self) -> Message | None:
        """Give the message that this very form has made already."""
        try:
            submission = uuid.UUID(str(self["submission"].value()))
        except ValueError:
            return None
        sent = messages_of(self.conversation).filter(direction=Direction.OUT)
        return sent.filter(submission=submission).first()

    @cached_property
    def opted_out(self) -> OptOut | None:
        rows = self.conversation.workspace.opt_outs.filter(number=self.conversation.peer)
        return rows.first()

    @property
    def can_be_reached(self) -> bool:
        """Say whether the other side is a number; a name or a short code takes no answer."""
        return self.conversation.peer.startswith("+")

    @cached_property
    def refusal(self) -> str:
        """Say why this person may not be written to by who looks; "" where they may."""
        return self.permit.people_refusal([self.conversation.peer]) if self.can_be_reached else ""

    @property
    def is_closed(self) -> bool:
        """Say whether there is nothing to write here: nobody to reach, or no phone to do it."""
        closed = not self.can_be_reached or self.opted_out is not None or not self.usable
        return closed or bool(self.refusal)

    @cached_property
    def written(self) -> str:
        """Give the text as it will leave: browsers send a line break as two characters."""
        return str(self["text"].value() or "").replace("\r\n", "\n").replace("\r", "\n")

    # ---- What is right and wrong ----------------------------------------------------------------

    def clean_text(self) -> str:
        if not self.written.strip():
            raise forms.ValidationError(_("There is nothing to send yet. Write a text."))
        if len(self.written) > MOST_TEXT:
            raise forms.ValidationError(
                _("The text has %(count)s characters; %(most)s is the most that can be sent.")
                % {"count": len(self.written), "most": MOST_TEXT}
            )
        return self.written

    def clean_phone(self) -> Phone:
        if self.chosen is None:
            raise forms.ValidationError(self._unusable())
        return self.chosen.phone

    def _unusable(self) -> str:
        named = str(self["phone"].value() or self.conversation.phone_id)
        found = next((choice for choice in self.offered if str(choice.phone.pk) == named), None)
        if found is None:
            return _("Choose a phone that the answer leaves by.")
        words = _("%(phone)s: %(why)s. Choose another phone.")
        return words % {"phone": found.phone.name, "why": found.off}

    def clean(self) -> dict[str, Any]:
        data = self.cleaned_data
        if not self.can_be_reached or self.opted_out:
            raise forms.ValidationError(
                _("Nothing was sent: %(number)s takes no answer.")
                % {"number": masks.shown(self.conversation.peer)}
            )
        if self.refusal:
            raise forms.ValidationError(self.refusal)
        ready = data.get("phone") and data.get("text")
        if ready and (problem := carrying.obstacle(data["phone"], Load(data["text"]))):
            self.add_error("text", problem)
        elif ready and (problem := carrying.forbidden(data["phone"], self.conversation.peer)):
            self.add_error("phone", problem)
        return data

    def send(self, by: User) -> None:
        """Send the valid answer, quiet hours or not: they have written to us.

        Raises AlreadySent when its submission made a message before, CannotSend where `by` may not send it.
        """
        composing.create(
            workspace=self.conversation.workspace,
            route=Route(self.cleaned_data["phone"]),
            numbers=[self.conversation.peer],
            text=self.cleaned_data["text"],
            by=by,
            submission=self.cleaned_data["submission"],
            at_any_hour=True,
        )
