"""Writing a message: the page, what would happen, and sending it."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from django.conf import settings
from django.contrib import messages as notices
from django.db.models import QuerySet
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.http import MemberRequest, sender
from contacts.recipients import suggestions
from contacts.services import names
from lib import gsm, masks
from messaging import choosing, composing, media, permitting
from messaging.composing import AlreadySent, CannotSend, Composed
from messaging.counting import count, patterns
from messaging.forms import ComposeForm
from messaging.models import OVER_QUOTA, Media, Message, Priority
from messaging.moments import moment
from messaging.planning import Plan
from messaging.quota import ledger
from messaging.quota.showing import short_words
from messaging.searching import of_submission


@require_http_methods(["GET", "HEAD", "POST"])
@sender
def compose(request: MemberRequest) -> HttpResponseBase:
    """Write a message; what the address says of it, and to whom, fills the form."""
    if request.method != "POST" or "begin" in request.POST:
        # What may be too long for an address comes by POST, and is no message yet either.
        asked = request.POST if request.method == "POST" else request.GET
        to, text, phone = (asked.get(name, "") for name in ("to", "text", "phone"))
        who = [f"c{pk}" for pk in asked.getlist("contact")]
        who += [f"g{pk}" for pk in asked.getlist("group")]
        who += [f"s{pk}" for pk in asked.getlist("segment")]
        form = _form(request, to=masks.echoed(to), text=text, phone=phone, who=who)
        return _page(request, form)
    form = _form(request, request.POST, request.FILES)
    if "replace" in request.POST:
        return _page(request, _rewritten(request, text=gsm.replaceable(form.written)))
    earlier = _sent_before(request, form)
    if earlier.exists():
        return _again(request, form, earlier)
    if not form.is_valid() or "check" in request.POST:
        return _page(request, form, status=200 if form.is_valid() else 422)
    return _send(request, form)


@require_POST
@sender
def preview(request: MemberRequest) -> HttpResponse:
    """Say what would happen to a half-written message."""
    form = _form(request, request.POST)
    # The page knows whether there is a quota: each change of a letter need not ask.
    planned = _planned(request, form, has_quota="quota" in request.POST)
    return render(request, "messaging/_preview.html", planned)


@require_GET
@sender
def recipients(request: MemberRequest) -> HttpResponse:
    """Suggest people and groups for the letters that were typed."""
    permit = permitting.of_member(request.membership, request.workspace)
    found = suggestions(request.workspace, request.GET.get("q", "")[:100], permit.circles)
    return render(request, "messaging/_suggestions.html", {"suggestions": found})


def _form(request: MemberRequest, *data: Any, **first: Any) -> ComposeForm:
    permit = permitting.of_member(request.membership, request.workspace)
    return ComposeForm(request.workspace, *data, permit=permit, **first)


def _send(request: MemberRequest, form: ComposeForm) -> HttpResponseBase:
    data = form.cleaned_data
    pictures = _store(request, form)
    try:
        composed = composing.create(
            workspace=request.workspace,
            route=data["route"],
            numbers=data["numbers"],
            text=data["text"],
            by=request.user,
            submission=data["submission"],
            send_at=data["send_at"],
            media=pictures,
            flash=data["flash"],
            priority=Priority.URGENT if data["urgent"] else Priority.NORMAL,
        )
    except AlreadySent:
        # The other half of a double click won; its picture is the one that is sent.
        _forget(pictures)
        return _again(request, form, _sent_before(request, form))
    except CannotSend as problem:
        _forget(pictures)
        form.add_error("phone", str(problem))
        return _page(request, form, status=422)
    _tell(request, form, composed)
    return _show(_sent_before(request, form))


def _store(request: MemberRequest, form: ComposeForm) -> list[Media]:
    upload = form.cleaned_data["picture"]
    if not upload:
        return []
    return [media.store_upload(request.workspace, upload, form.cleaned_data["content_type"])]


def _forget(pictures: list[Media]) -> None:
    for picture in pictures:
        picture.file.delete(save=False)
        picture.delete()


def _tell(request: MemberRequest, form: ComposeForm, composed: Composed) -> None:
    """Say what was done, and what was left out."""
    at = form.cleaned_data["send_at"]
    awaiting = composed.awaiting
    free = [m for m in composed.queued if not m.reason]
    held = [m for m in free if m.send_at > (at or m.created_at)]
    leaving = len(free) - len(held)
    over = sum(m.reason in OVER_QUOTA for m in composed.skipped)
    sentences = [_on_their_way(leaving, at)] if leaving or not (held or awaiting or over) else []
    if held:
        words = ngettext(
            "%(count)s message waits for the end of quiet hours.",
            "%(count)s messages wait for the end of quiet hours.",
            len(held),
        )
        sentences.append(words % {"count": number_format(len(held))})
    if awaiting:
        words = ngettext(
            "%(count)s message waits for room in the quota.",
            "%(count)s messages wait for room in the quota.",
            len(awaiting),
        )
        sentences.append(words % {"count": number_format(len(awaiting))})
    if over:
        words = ngettext(
            "%(count)s message was left out: the quota is used up.",
            "%(count)s messages were left out: the quota is used up.",
            over,
        )
        sentences.append(words % {"count": number_format(over)})
    if left_out := form.plan.left_out_words:
        sentences.append(_("Left out: %(why)s.") % {"why": left_out})
    tell = notices.warning if awaiting or over else notices.success
    tell(request, " ".join(sentences))


def _on_their_way(amount: int, at: datetime | None) -> str:
    words = ngettext(
        "%(count)s message is on its way.", "%(count)s messages are on their way.", amount
    )
    if at:
        words = ngettext(
            "%(count)s message will leave on %(time)s.",
            "%(count)s messages will leave on %(time)s.",
            amount,
        )
    return words % {"count": number_format(amount), "time": moment(at) if at else ""}


def _sent_before(request: MemberRequest, form: ComposeForm) -> QuerySet[Message]:
    """Give the messages that this very form has made already."""
    try:
        submission = uuid.UUID(request.POST.get("submission", ""))
    except ValueError:
        return Message.objects.none()
    return of_submission(request.workspace, submission)


def _again(
    request: MemberRequest, form: ComposeForm, earlier: QuerySet[Message]
) -> HttpResponseBase:
    """Show what the first click did.

    A form that was changed after it was sent (somebody went back) is another message: it is offered
    as one, and not sent by itself.
    """
    if _is_same(form, list(earlier)):
        return _show(earlier)
    words = _("You have sent a message from this page already. This changed one is not sent yet.")
    notices.warning(request, words)
    return _page(request, _rewritten(request), status=422)


def _is_same(form: ComposeForm, earlier: list[Message]) -> bool:
    first = earlier[0]
    return (
        {message.peer for message in earlier} == set(form.reading.numbers)
        and media.without_links(first.text).strip() == form.written.strip()
        and _chosen_for(first) == str(form["phone"].value())
    )


def _chosen_for(message: Message) -> str:
    """Give what was chosen in the form that made a message."""
    if message.any_phone:
        return choosing.ANY
    return f"g{message.pool_id}" if message.pool_id else str(message.phone_id)


def _rewritten(request: MemberRequest, **changes: str) -> ComposeForm:
    """Give the same form with something changed, as a new message."""
    data = request.POST.copy()
    data["submission"] = str(uuid.uuid4())
    for name, value in changes.items():
        data[name] = value
    return _form(request, data)


def _show(messages: QuerySet[Message]) -> HttpResponseBase:
    """Lead to the message, or to the list of them."""
    first = list(messages.values_list("pk", "submission").order_by("pk")[:2])
    if len(first) == 1:
        return redirect("message", pk=first[0][0])
    return redirect(f"{reverse('messages')}?submission={first[0][1]}")


def _planned(
    request: MemberRequest, form: ComposeForm, *, has_quota: bool = True
) -> dict[str, Any]:
    plan = form.plan
    known = names(request.workspace.pk, plan.named)
    shown = {"form": form, "plan": plan, "names": known}
    return shown | (_quota(request, plan) if has_quota else {})


def _quota(request: MemberRequest, plan: Plan) -> dict[str, Any]:
    """Say what is left of quotas, and what of a plan they do not let through."""
    balances = ledger.standings(ledger.of_person(request.workspace, request.user))
    short = [short_words(one, plan.people, plan.segments) for one in balances]
    return {"balances": balances, "over_quota": [words for words in short if words]}


def _page(request: MemberRequest, form: ComposeForm, status: int = 200) -> HttpResponse:
    context: dict[str, Any] = {
        **_planned(request, form),
        "errors": form.errors if status == 422 else {},
        "count": count(form.written),
        "patterns": patterns(),
        "zone": timezone.get_current_timezone_name().replace("_", " "),
        "media_limit": settings.MEDIA_LIMIT,
        # Browsers forget a chosen file when a page comes back.
        "picture_lost": "picture" in request.FILES,
    }
    return render(request, "messaging/compose.html", context, status=status)
