"""Writing a campaign: a draft that keeps itself, and what one of its recipients would read."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from django.conf import settings
from django.contrib import messages as notices
from django.core.exceptions import ValidationError
from django.db import IntegrityError
from django.forms import Form
from django.http import Http404, HttpResponse, HttpResponseBase, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.text import Truncator
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts import activity
from accounts.http import MemberRequest, sender
from campaigns import drafting, previewing, sheets, sources, steering, tagging, texts
from campaigns.fields import Offer, offered
from campaigns.forms import DraftForm, unsaved, version
from campaigns.models import Approval, Campaign, Recurrence, State
from campaigns.sources import Place
from campaigns.steering import Refused
from campaigns.views import recurring
from campaigns.views.finding import find, recurrence_of
from campaigns.when_form import WhenForm
from contacts.importing.reading import Unreadable
from lib import e164, gsm, masks
from messaging import choosing, media, permitting
from messaging.composing import AlreadySent
from messaging.counting import count, patterns
from messaging.forms import LocalTimeField, wrong_with_time
from messaging.permitting import Permit
from messaging.routing import Route
from messaging.threads import Picture

Phase = Recurrence.Phase
# Where the number that tests go to is remembered, and rows of a file that are shown.
_TEST_NUMBER, _SAMPLE = "campaign_test_number", 3
# Characters of a text that name a message which must be approved.
_NAME = 60


@require_http_methods(["GET", "HEAD", "POST"])
@sender
def new(request: MemberRequest) -> HttpResponseBase:
    """Begin a campaign; what the address, or the form of a message, says of it fills the draft."""
    if request.method != "POST":
        here = _begun(request, request.GET)
        return _page(request, _form(request, here), WhenForm(request.workspace, campaign=None))
    if request.POST.get("begin") == "ask":
        return _ask(request)
    if "begin" in request.POST:
        here = _begun(request, request.POST)
        return redirect("campaign_write", pk=_take_over(request, here).pk)
    return _posted(request, _mine(request))


def _begun(request: MemberRequest, asked: QueryDict) -> Campaign:
    """Give an unsaved draft with what a message's form, or an address, says."""
    who = [*asked.getlist("who"), *(f"c{pk}" for pk in asked.getlist("contact"))]
    who += [f"g{pk}" for pk in asked.getlist("group")]
    who += [f"s{pk}" for pk in asked.getlist("segment")]
    pasted = masks.opened(asked.get("to", "")[:100_000])
    reading = e164.read(pasted, request.workspace.country)
    wanted = asked.get("phone", "")
    lines = choosing.routes(request.workspace, _permit(request)) if wanted else []
    route = next((line.route for line in lines if line.value == wanted), Route())
    return unsaved(
        request.workspace,
        text=asked.get("text", "")[:5000].replace("\x00", "").replace("\r\n", "\n"),
        numbers=[*reading.numbers, *(item.written for item in reading.invalid)],
        who=who[:200],
        phone=route.phone,
        pool=route.pool,
        flash=bool(asked.get("flash")),
    )


def _permit(request: MemberRequest) -> Permit:
    return permitting.of_member(request.membership, request.workspace)


def _form(request: MemberRequest, here: Campaign, *data: Any) -> DraftForm:
    return DraftForm(here, *data, permit=_permit(request))


def _ask(request: MemberRequest) -> HttpResponseBase:
    """Make a draft of a message, or an answer, and lead to where approval is asked for."""
    at, wrong = None, ""
    if request.POST.get("when") == "later":
        try:
            at = LocalTimeField(required=False).clean(request.POST.get("at", ""))
            wrong = wrong_with_time(at)
        except ValidationError as error:
            wrong = error.messages[0]
    made = _asked_for(request, None if wrong else at)
    if wrong:
        notices.warning(request, wrong)
    return redirect("campaign_write" if wrong else "campaign_check", pk=made.pk)


def _asked_for(request: MemberRequest, at: datetime | None) -> Campaign:
    """Store a draft of a message, or an answer, that must be approved: once, however often it is clicked."""
    here = _begun(request, _data(request))
    try:
        here.submission = uuid.UUID(request.POST.get("submission", ""))
    except ValueError:
        raise Http404 from None
    here.name = Truncator(" ".join(here.text.split())).chars(_NAME)
    here.urgent = bool(request.POST.get("urgent"))
    here.send_at = at
    before = request.workspace.campaigns.filter(submission=here.submission).first()
    if before:
        return before
    try:
        return _take_over(request, here, "name", "urgent", "send_at")
    except IntegrityError:
        return get_object_or_404(request.workspace.campaigns, submission=here.submission)


def _take_over(request: MemberRequest, here: Campaign, *more: str) -> Campaign:
    """Store a draft of what a message's form said, its picture too where it is one."""
    who = [recipient.value for recipient in DraftForm(here).recipients]
    names = ("text", "numbers", "phone", "pool", "flash", *more)
    said = {name: getattr(here, name) for name in names}
    made = drafting.keep(here, {**said, "who": who}, request.user)
    picture = request.FILES.get("picture")
    if picture and (picture.size or 0) <= settings.MEDIA_LIMIT:
        kind = media.kind_of(picture.read(16))
        picture.seek(0)
        if kind in media.SENDABLE:
            drafting.take_picture(made, picture, kind)
    return made


def _mine(request: MemberRequest) -> Campaign:
    """Give the draft that this very page has begun, unsaved before its first save. Raises Http404."""
    try:
        submission = uuid.UUID(request.POST.get("submission", ""))
    except ValueError:
        raise Http404 from None
    pk = request.workspace.campaigns.filter(submission=submission).values_list("pk", flat=True)
    if found := pk.first():
        return find(request, found)
    return Campaign(workspace=request.workspace, submission=submission)


@require_http_methods(["GET", "HEAD", "POST"])
@sender
def write(request: MemberRequest, pk: int) -> HttpResponseBase:
    """Show a draft, or keep what was changed."""
    here = find(request, pk)
    if request.method == "POST":
        return _posted(request, here)
    if here.state != State.DRAFT:
        return redirect("campaign", pk=pk)
    recurrence = recurrence_of(here)
    if recurrence and recurrence.phase in (Phase.ACTIVE, Phase.ENDED):
        words = _("Its runs are copied from this: pause it before you change it.")
        notices.info(request, words)
        return redirect("recurrence", pk=recurrence.pk)
    return _page(request, _form(request, here), WhenForm(request.workspace, campaign=here))


@require_POST
@sender
def edit(request: MemberRequest, pk: int) -> HttpResponseBase:
    """Make a draft of a campaign that waits for its time, so that nothing half-written ever begins."""
    here = find(request, pk)
    try:
        was = here.state
        if was != State.DRAFT:
            steering.unschedule(here, request.user)
        if was == State.ASKED:
            activity.record("campaign.taken_back", subject=here, workspace=request.workspace)
            notices.info(request, _("The request is taken back: it is a draft again."))
        elif was != State.DRAFT:
            words = _("It is a draft again: it does not begin by itself until you schedule it.")
            notices.info(request, words)
    except Refused as error:
        notices.warning(request, str(error))
        return redirect("campaign", pk=pk)
    return redirect("campaign_write", pk=pk)


def _posted(request: MemberRequest, here: Campaign) -> HttpResponseBase:
    """Keep what is right of a form, then go where its button leads."""
    form = _form(request, here, _data(request), request.FILES)
    when = WhenForm(request.workspace, request.POST, campaign=here if here.pk else None)
    form.is_valid()
    try:
        if form.is_stale:
            raise Refused(_("This draft was changed elsewhere meanwhile. Load the page again."))
        form.campaign = here = _keep(request, here, form)
        if when.is_valid():
            recurring.keep(here, when, request.user)
    except Refused as error:
        form.add_error(None, str(error))
    except IntegrityError:
        raise Http404 from None
    if request.htmx:
        return _saved(request, form, when)
    if here.pk is None or form.errors or when.errors:
        return _page(request, form, when, status=422)
    if "check" in request.POST:
        return redirect("campaign_check", pk=here.pk)
    if "test" in request.POST:
        return _test(request, here)
    place = request.POST.get("place", "")
    step = next((name for name in ("next", "back") if name in request.POST), "")
    query = f"?place={place}&step={step}" if step and Place.read(place) else ""
    return redirect(reverse("campaign_write", args=[here.pk]) + query)


def _data(request: MemberRequest) -> QueryDict:
    """Give the form; with letters of the GSM alphabet where its button asks for them."""
    data = request.POST.copy()
    if "replace" in data:
        data["text"] = gsm.replaceable(data.get("text", ""))
    return data


def _keep(request: MemberRequest, here: Campaign, form: DraftForm) -> Campaign:
    """Store what is right. Raises Refused."""
    data = form.cleaned_data
    here = drafting.keep(here, form.changes, request.user)
    if "tags" in data:
        tagging.set_tags(here, data["tags"])
    if data.get("picture"):
        drafting.take_picture(here, data["picture"], data["content_type"])
    elif "drop_picture" in request.POST:
        steering.set_media(here, [])
    if data.get("sheet"):
        try:
            drafting.take_sheet(here, data["sheet"])
        except Unreadable as error:
            form.add_error("sheet", str(error))
    elif "drop_sheet" in request.POST:
        steering.save(here, sheet=None)
    elif data.get("column") is not None:
        drafting.take_column(here, data["column"])
    return here


def _saved(request: MemberRequest, form: DraftForm, when: WhenForm) -> HttpResponse:
    """Say that it was kept, what is wrong, and what somebody would read now."""
    answer = render(request, "campaigns/_saved.html", _shown(request, form, when))
    if form.campaign.pk and request.path == reverse("campaign_new"):
        answer["HX-Replace-Url"] = reverse("campaign_write", args=[form.campaign.pk])
    return answer


def _page(
    request: MemberRequest, form: DraftForm, when: WhenForm, status: int = 200
) -> HttpResponse:
    here = form.campaign
    shown = {
        **_shown(request, form, when),
        "when": when,
        "recurrence": recurrence_of(here) if here.pk else None,
        "count": count(form.written, has_fields=True),
        "patterns": patterns(),
        "fields": _offered(here),
        "media_limit": settings.MEDIA_LIMIT,
        "sheet_limit": sheets.MOST_BYTES,
        "known_tags": request.workspace.campaign_tags.all(),
        "pictures": [Picture(item) for item in here.media.all()] if here.pk else [],
        "columns": _columns(here),
        "sheet_rows": _rows(here),
        "file_lost": bool(request.FILES) and status == 422,
        "returned": _returned(here),
    }
    return render(request, "campaigns/write.html", shown, status=status)


def _returned(here: Campaign) -> Approval | None:
    """Give the last request, where it came back and nothing was asked for since."""
    last = here.approvals.select_related("answered_by").last() if here.pk else None
    is_back = last and last.answer in (Approval.Answer.RETURNED, Approval.Answer.TAKEN_BACK)
    return last if is_back and last and last.answered_by_id != last.asked_by_id else None


def _shown(request: MemberRequest, form: DraftForm, when: WhenForm | None = None) -> dict[str, Any]:
    here = form.campaign
    asked = request.GET if request.method == "GET" else request.POST
    return {
        "campaign": here,
        "form": form,
        "errors": form.errors if form.is_bound else {},
        "wrong": [*_sentences(form), *(_sentences(when) if when else ())],
        "version": version(here) if here.pk else "",
        "problems": texts.problems(form.written, [offer.name for offer in _offered(here)]),
        "preview": previewing.preview(here, asked.get("place", ""), asked.get("step", ""))
        if here.pk
        else previewing.Preview(),
        "lacks": previewing.lacks(here),
        "longest": previewing.longest(here),
        "expected": sources.expected(here) if here.pk else 0,
        "test_submission": uuid.uuid4(),
        "test_number": request.session.get(_TEST_NUMBER, ""),
    }


def _sentences(form: Form) -> list[str]:
    """Give what is wrong with a form that was posted, in sentences."""
    return (
        [str(words) for found in form.errors.values() for words in found] if form.is_bound else []
    )


def _offered(campaign: Campaign) -> list[Offer]:
    """Give the fields that its text may name."""
    return offered(campaign.workspace, campaign.sheet)


def _columns(campaign: Campaign) -> list[dict[str, Any]]:
    """Give the columns of a campaign's file: place, name, and how a text names it."""
    if campaign.sheet is None:
        return []
    named = zip(campaign.sheet.shape.get("columns", []), campaign.sheet.keys, strict=False)
    return [
        {"place": place, "name": name, "written": Offer(f"row.{key}", name).written}
        for place, (name, key) in enumerate(named)
    ]


def _rows(campaign: Campaign) -> list[Any]:
    """Give the first rows of a campaign's file; none where it cannot be read any more."""
    try:
        return sheets.sample(campaign.sheet)[:_SAMPLE] if campaign.sheet else []
    except Unreadable:
        return []


@require_GET
@sender
def preview(request: MemberRequest, pk: int) -> HttpResponse:
    """Show what somebody would read: the recipient at a place, or the one before or behind it."""
    here = find(request, pk)
    form = _form(request, here)
    return render(request, "campaigns/_preview.html", _shown(request, form))


def _test(request: MemberRequest, here: Campaign) -> HttpResponseBase:
    """Send what the recipient that is shown would read to somebody's own number."""
    back = reverse("campaign_write", args=[here.pk])
    written = request.POST.get("test_number", "")
    place = Place.read(request.POST.get("place", ""))
    try:
        number = e164.parse(written, request.workspace.country)
        submission = uuid.UUID(request.POST.get("test_submission", ""))
        sent = steering.send_test(here, number, place, request.user, submission)
    except e164.Invalid:
        notices.error(request, _("Type your own number in full, so that the test can reach you."))
    except ValueError:
        raise Http404 from None
    except AlreadySent:
        notices.info(request, _("The test is on its way already."))
    except Refused as error:
        notices.error(request, str(error))
    else:
        request.session[_TEST_NUMBER] = number
        if sent.queued:
            words = _("The test is on its way to %(number)s.") % {"number": masks.shown(number)}
            notices.success(request, words)
        else:
            notices.warning(
                request, _("This number is on the list of opt-outs, so no test was sent.")
            )
    return redirect(f"{back}?place={place}" if place else back)
