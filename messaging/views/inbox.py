"""The inbox: who wrote, what was said, and answering."""

from __future__ import annotations

import uuid
from contextlib import suppress
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages as notices
from django.http import HttpResponse, HttpResponseBase, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.http import MemberRequest, member, sender
from contacts.keeping import at as contact_at
from contacts.services import names
from lib import gsm
from messaging import conversations, permitting, threads
from messaging.answering import AnswerForm
from messaging.composing import AlreadySent, CannotSend
from messaging.counting import count, patterns
from messaging.models import Conversation

# An open page that has the newest already is told so, and keeps what it shows.
_NOTHING_NEW = 204


@require_GET
@member
def inbox(request: MemberRequest) -> HttpResponse:
    """List the conversations; to an open page that asks again, the list alone."""
    if not request.htmx:
        return render(request, "messaging/inbox.html", _list(request))
    context = _list(request, _number(request.GET.get("at", "")))
    if request.GET.get("seen") == context["version"]:
        return HttpResponse(status=_NOTHING_NEW)
    return render(request, "messaging/_conversations.html", {**context, "alone": True})


@require_http_methods(["GET", "POST"])
def conversation(request: MemberRequest, pk: int) -> HttpResponseBase:
    """Show what was said, and take an answer."""
    view = _answer if request.method == "POST" else _thread
    return view(request, pk)


@member
def _thread(request: MemberRequest, pk: int) -> HttpResponse:
    """Show the newest messages, or those `before` an id; an open page asks for what is new `since` one.

    Whoever sees the newest has read them.
    """
    here = _conversation(request, pk)
    since, before = (_number(request.GET.get(name, "")) for name in ("since", "before"))
    if request.htmx and since is not None:
        return _news(request, here, since)
    shown = threads.thread(here, before=before)
    if request.htmx and before is not None:
        return render(request, "messaging/_bubbles.html", {"thread": shown, "here": here})
    if before is None:
        conversations.mark_read(here, shown.messages)
    return _page(request, here, shown, _form(request, here))


def _news(request: MemberRequest, here: Conversation, since: int) -> HttpResponse:
    shown = threads.since(here, since)
    if request.GET.get("seen") == shown.version:
        return HttpResponse(status=_NOTHING_NEW)
    new = [message for message in shown.messages if message.is_incoming and not message.read_at]
    conversations.mark_read(here, shown.messages)
    context = {
        "thread": shown,
        "here": here,
        "is_live": True,
        "news": True,
        "heard": new[-1].text if new else "",
    }
    return render(request, "messaging/_bubbles.html", context)


@sender
def _answer(request: MemberRequest, pk: int) -> HttpResponseBase:
    here = _conversation(request, pk)
    form = _form(request, here, request.POST)
    if "replace" in request.POST:
        plain = gsm.replaceable(form.written)
        return _page(request, here, threads.thread(here), _again(request, here, text=plain))
    if form.earlier and form.earlier.text == form.written:
        return redirect("conversation", pk=pk)
    if form.earlier:
        words = _(
            "You have sent an answer from this page already. This changed one is not sent yet."
        )
        notices.warning(request, words)
        return _page(request, here, threads.thread(here), _again(request, here), status=422)
    if not form.is_valid():
        return _page(request, here, threads.thread(here), form, status=422)
    # The other half of a double click may win; its message is this one.
    try:
        with suppress(AlreadySent):
            form.send(by=request.user)
    except CannotSend as refusal:
        form.add_error(None, str(refusal))
        return _page(request, here, threads.thread(here), form, status=422)
    return redirect("conversation", pk=pk)


def _again(request: MemberRequest, here: Conversation, **changes: str) -> AnswerForm:
    """Give the same form with something changed, as another answer."""
    data = request.POST.copy()
    data["submission"] = str(uuid.uuid4())
    for name, value in changes.items():
        data[name] = value
    return _form(request, here, data)


def _form(request: MemberRequest, here: Conversation, data: QueryDict | None = None) -> AnswerForm:
    permit = permitting.of_member(request.membership, request.workspace)
    return AnswerForm(here, data, permit=permit)


@require_POST
@sender
def unread(request: MemberRequest, pk: int) -> HttpResponseBase:
    """Put it back among the unread ones."""
    conversations.mark_unread(_conversation(request, pk))
    notices.success(request, _("The conversation is unread again."))
    return redirect("inbox")


def _conversation(request: MemberRequest, pk: int) -> Conversation:
    mine = request.workspace.conversations.select_related("phone").defer("phone__settings")
    found = get_object_or_404(mine, pk=pk)
    found.workspace = request.workspace
    return found


def _page(
    request: MemberRequest,
    here: Conversation,
    thread: threads.Thread,
    form: AnswerForm,
    status: int = 200,
) -> HttpResponse:
    listed = _list(request, here.pk)
    contact = contact_at(request.workspace.pk, here.peer)
    context = {
        **listed,
        "contact": contact,
        "can_keep": here.peer.startswith("+"),
        "names": listed["names"] | ({here.peer: contact.name} if contact and contact.name else {}),
        "here": here,
        "thread": thread,
        "is_live": "before" not in request.GET,
        "form": form,
        # A text that was only changed by the server is not judged yet.
        "errors": form.errors if status == 422 else {},
        "count": count(form.written),
        "patterns": patterns(),
    }
    return render(request, "messaging/conversation.html", context, status=status)


def _list(request: MemberRequest, at: int | None = None) -> dict[str, Any]:
    """Give the list as the address wants it; `at` is the conversation that is open."""
    asked = request.GET
    q, only_unread = asked.get("q", "").strip()[:100], asked.get("show") == "unread"
    before = asked.get("from", "")
    page = conversations.page(request.workspace, q=q, unread=only_unread, before=before, kept=at)
    filters = {"q": q, "show": "unread" if only_unread else ""}
    return {
        "page": page,
        "at": at,
        "q": q,
        "only_unread": only_unread,
        "is_newest": not before,
        "filters": urlencode({name: value for name, value in filters.items() if value}),
        "version": page.version,
        "names": names(request.workspace.pk, [row.peer for row in page.conversations]),
    }


def _number(written: str) -> int | None:
    """Give an id out of an address; what is none is left out."""
    fits = written.isascii() and written.isdigit() and len(written) < 19
    return int(written) if fits else None
