"""Asking for approval, and answering."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages as notices
from django.http import HttpResponseBase
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from accounts import activity
from accounts.http import MemberRequest, manager, sender
from campaigns import approving
from campaigns.forms import version
from campaigns.models import State
from campaigns.steering import Refused
from campaigns.views.checking import is_checked
from campaigns.views.finding import find, recurrence_of
from messaging import permitting
from messaging.forms import LocalTimeField, wrong_with_time
from messaging.moments import moment


class AnswerForm(forms.Form):
    """When something that is approved leaves: as was asked, now, or at another time (`at`)."""

    when = forms.ChoiceField(
        choices=[(name, name) for name in ("asked", "now", "later")],
        required=False,
        error_messages={"invalid_choice": gettext_lazy("Choose when it leaves.")},
    )
    at = LocalTimeField(required=False)

    def clean(self) -> dict[str, Any]:
        data = self.cleaned_data
        if data.get("when") != "later":
            self.errors.pop("at", None)
            data["at"] = None
        elif "at" not in self.errors and (wrong := wrong_with_time(data.get("at"))):
            self.add_error("at", wrong)
        return data


@require_POST
@sender
def ask(request: MemberRequest, pk: int) -> HttpResponseBase:
    """Ask for approval of exactly what was checked."""
    here = find(request, pk)
    mine = permitting.of_member(request.membership, request.workspace)
    if here.state == State.ASKED:
        return redirect("campaign_check", pk=pk)
    try:
        if not is_checked(request, here, mine):
            raise Refused(
                _("It was changed since it was checked. Look at it again, then ask for approval.")
            )
        approving.ask(here, request.user)
    except Refused as error:
        notices.warning(request, str(error))
        return redirect("campaign_check" if here.state == State.DRAFT else "campaign", pk=pk)
    activity.record("campaign.asked", subject=here, workspace=request.workspace)
    notices.success(request, _("You have asked for approval. You get a mail when it is answered."))
    return redirect("campaign_check", pk=pk)


@require_POST
@manager
def approve(request: MemberRequest, pk: int) -> HttpResponseBase:
    """Let exactly what was looked at leave."""
    here = find(request, pk)
    form = AnswerForm(request.POST)
    try:
        if here.state == State.ASKED and (
            here.planned_at is None or request.POST.get("version") != version(here)
        ):
            raise Refused(_("It is not what you have looked at any more. Look at it again."))
        if not form.is_valid():
            raise Refused(str(next(iter(form.errors.values()))[0]))
        is_now = form.cleaned_data["when"] == "now"
        approving.approve(here, request.user, now=is_now, send_at=form.cleaned_data["at"])
    except Refused as error:
        notices.warning(request, str(error))
        return redirect("campaign", pk=pk)
    activity.record("campaign.approved", subject=here, workspace=request.workspace)
    if recurrence_of(here):
        notices.success(request, _("It is approved, and runs from now on."))
    elif here.state == State.SCHEDULED and here.send_at:
        words = _("It is approved, and begins by itself on %(time)s.")
        notices.success(request, words % {"time": moment(here.send_at)})
    else:
        notices.success(request, _("It is approved, and has begun."))
    return redirect("campaign", pk=pk)


@require_POST
@manager
def give_back(request: MemberRequest, pk: int) -> HttpResponseBase:
    """Send it back with a remark."""
    here = find(request, pk)
    remark = request.POST.get("remark", "").replace("\x00", "").strip()
    try:
        if not remark:
            raise Refused(_("Say what should be different, so that they can change it."))
        approving.give_back(here, request.user, remark)
    except Refused as error:
        notices.warning(request, str(error))
        return redirect("campaign", pk=pk)
    activity.record("campaign.returned", subject=here, workspace=request.workspace)
    words = _("It is a draft again. Your remark is shown on it, and was mailed.")
    notices.success(request, words)
    return redirect("campaigns")
