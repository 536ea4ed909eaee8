"""Messages that exist: the list, one of them, and what people decide about them."""

from __future__ import annotations

from typing import Any

from django.contrib import messages as notices
from django.db.models import QuerySet
from django.http import Http404, HttpResponse, HttpResponseBase, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.http import MemberRequest, member, sender
from accounts.site import keep_days
from contacts.keeping import at
from contacts.services import names
from messaging import actions, page, permitting
from messaging.composing import CannotSend
from messaging.forms import FilterForm
from messaging.models import Message, Status
from messaging.retention import TEXTS
from messaging.searching import Found, Wanted, find

# Messages of one page of the list.
PAGE = 50
# What htmx takes as "stop asking".
_STOP_POLLING = 286


@require_GET
@member
def messages(request: MemberRequest) -> HttpResponse:
    """List what was sent and received, newest first, as far as the filters in the address want it."""
    form, wanted, found = _found(request, request.GET)
    before = _whole_number(request.GET.get("before", ""))
    rows = found.messages.filter(pk__lt=before) if before else found.messages
    shown = list(_with_names(rows)[: PAGE + 1])
    may_change = request.membership.may_send and bool(_query(request.GET))
    context = {
        "form": form,
        "wanted": wanted,
        "names": names(request.workspace.pk, {row.peer for row in shown}),
        "rows": shown[:PAGE],
        "older": shown[PAGE - 1].pk if len(shown) > PAGE else None,
        "before": before,
        "is_partial": found.is_partial,
        "texts_days": _texts_days(request, wanted),
        "query": _query(request.GET),
        "is_filtered": bool(_query(request.GET)),
        "can_cancel": may_change and any(row.can_cancel for row in shown),
        "can_settle": may_change and any(row.can_settle for row in shown),
    }
    return render(request, "messaging/messages.html", context)


def _texts_days(request: MemberRequest, wanted: Wanted) -> int | None:
    """Give for how many days words can be found, where that is not for good and words are looked for."""
    is_words = wanted.q.strip() and not wanted.is_number
    return keep_days(TEXTS, request.workspace) if is_words else None


def _with_names(messages: QuerySet[Message]) -> QuerySet[Message]:
    """Fetch what the list shows of phones and campaigns: no settings are decrypted, no long text is read."""
    return messages.select_related("phone", "campaign").defer(
        "phone__settings", "campaign__text", "campaign__numbers", "campaign__without_numbers"
    )


@require_http_methods(["GET", "HEAD", "POST"])
@sender
def cancel_many(request: MemberRequest) -> HttpResponseBase:
    """Ask, then cancel all that wait among those the filters want.

    Only those that were there when the question was asked: `upto` is the newest id of then.
    """
    if request.method != "POST":
        return _ask(request, "messaging/cancel.html", Status.QUEUED)
    amount = actions.cancel(_answered(request), by=request.user)
    notices.success(request, _cancelled(amount))
    return _to_list(request)


@require_http_methods(["GET", "HEAD", "POST"])
@sender
def settle_many(request: MemberRequest) -> HttpResponseBase:
    """Ask what became of those whose outcome is unknown, then write it down, as `cancel_many` does."""
    if request.method != "POST":
        return _ask(request, "messaging/settle.html", Status.UNKNOWN)
    amount = actions.settle(_answered(request), arrived=_arrived(request), by=request.user)
    notices.success(request, _settled(amount))
    return _to_list(request)


def _ask(request: MemberRequest, template: str, status: Status) -> HttpResponse:
    """Ask about all messages in a state among those the filters want."""
    asked = request.GET
    _form, _wanted, found = _found(request, asked)
    these = found.messages.filter(status=status)
    newest = these.values_list("pk", flat=True).first()
    context = {"amount": these.count(), "upto": newest, "query": _query(asked), "asked": asked}
    return render(request, template, context)


def _answered(request: MemberRequest) -> QuerySet[Message]:
    """Give what the filters want, without what came after the question."""
    _form, _wanted, found = _found(request, request.POST)
    return found.messages.filter(pk__lte=_whole_number(request.POST.get("upto", "")))


def _to_list(request: MemberRequest) -> HttpResponseBase:
    return redirect(f"{reverse('messages')}?{_query(request.POST)}")


@require_GET
@member
def message(request: MemberRequest, pk: int) -> HttpResponse:
    """Show one message and why it is where it is. It refreshes itself until nothing can change."""
    permit = permitting.of_member(request.membership, request.workspace)
    shown = page.build(_message(request, pk), timezone.now(), permit)
    contact = at(request.workspace.pk, shown.message.peer)
    known = {contact.number: contact.name} if contact and contact.name else {}
    context = {"page": shown, "contact": contact, "names": known}
    if not request.htmx:
        return render(request, "messaging/message.html", context)
    if request.GET.get("seen") == shown.fingerprint:
        return HttpResponse(status=_STOP_POLLING if shown.is_final else 204)
    return render(request, "messaging/_message.html", context)


@require_POST
@sender
def cancel(request: MemberRequest, pk: int) -> HttpResponseBase:
    shown = _message(request, pk)
    if actions.cancel(request.workspace.messages.filter(pk=shown.pk), by=request.user):
        notices.success(request, _cancelled(1))
    else:
        _too_late(request)
    return redirect("message", pk=pk)


@require_POST
@sender
def send_now(request: MemberRequest, pk: int) -> HttpResponseBase:
    try:
        if actions.send_now(_message(request, pk), by=request.user):
            notices.success(request, _("It leaves now."))
        else:
            _too_late(request)
    except CannotSend as error:
        notices.error(request, str(error))
    return redirect("message", pk=pk)


@require_POST
@sender
def resend(request: MemberRequest, pk: int) -> HttpResponseBase:
    try:
        if actions.resend(_message(request, pk), by=request.user):
            notices.success(request, _("It is being sent again."))
        else:
            _too_late(request)
    except CannotSend as error:
        notices.error(request, str(error))
    return redirect("message", pk=pk)


@require_POST
@sender
def settle(request: MemberRequest, pk: int) -> HttpResponseBase:
    """Write down what somebody found out: `arrived` is 1 or 0."""
    these = request.workspace.messages.filter(pk=_message(request, pk).pk)
    if actions.settle(these, arrived=_arrived(request), by=request.user):
        notices.success(request, _settled(1))
    else:
        _too_late(request)
    return redirect("message", pk=pk)


@require_POST
@sender
def move(request: MemberRequest, pk: int) -> HttpResponseBase:
    shown = _message(request, pk)
    chosen = _whole_number(request.POST.get("phone", ""))
    phone = get_object_or_404(request.workspace.phones.living(), pk=chosen)
    try:
        if actions.move(shown, phone, by=request.user):
            words = _("It was moved to %(phone)s.") % {"phone": phone.name}
            notices.success(request, words)
        else:
            _too_late(request)
    except CannotSend as error:
        notices.error(request, str(error))
    return redirect("message", pk=pk)


def _message(request: MemberRequest, pk: int) -> Message:
    return get_object_or_404(
        request.workspace.messages.select_related("phone", "created_by", "campaign"), pk=pk
    )


def _found(request: MemberRequest, asked: QueryDict) -> tuple[FilterForm, Wanted, Found]:
    form = FilterForm(request.workspace, asked)
    wanted = Wanted(**_given(form), everything=bool(asked.get("all")))
    return form, wanted, find(request.workspace, wanted)


def _given(form: FilterForm) -> dict[str, Any]:
    return {name: value for name, value in form.cleaned_data.items() if value}


def _query(asked: QueryDict) -> str:
    """Give the filters as they stand in an address, without the place in the list."""
    kept = asked.copy()
    for name in ("before", "upto", "arrived", "csrfmiddlewaretoken"):
        kept.pop(name, None)
    for name in [name for name in kept if not kept[name]]:
        del kept[name]
    return kept.urlencode()


def _whole_number(written: str) -> int:
    """Give the number of an address, 0 without one. Raises Http404 for anything else."""
    if not written:
        return 0
    if not (written.isascii() and written.isdigit() and len(written) < 19):
        raise Http404
    return int(written)


def _arrived(request: MemberRequest) -> bool:
    """Read the answer of the form. Raises Http404 where there is none: nothing may be guessed here."""
    answer = request.POST.get("arrived")
    if answer not in ("0", "1"):
        raise Http404
    return answer == "1"


def _settled(amount: int) -> str:
    if not amount:
        return _("Nothing was settled: news came meanwhile.")
    words = ngettext("%(count)s message was settled.", "%(count)s messages were settled.", amount)
    return words % {"count": number_format(amount, force_grouping=True)}


def _cancelled(amount: int) -> str:
    if not amount:
        return _("Nothing was cancelled: it had left already.")
    words = ngettext(
        "%(count)s message was cancelled.", "%(count)s messages were cancelled.", amount
    )
    return words % {"count": number_format(amount, force_grouping=True)}


def _too_late(request: MemberRequest) -> None:
    notices.warning(request, _("Nothing was changed: the message has moved on meanwhile."))
