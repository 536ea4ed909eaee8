"""The pages of a phone's price table: looking, setting, removing, importing, exporting, asking."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.datastructures import MultiValueDict
from django.utils.formats import number_format
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts import places
from accounts.http import MemberRequest, manager, member
from lib import destinations
from phones import price_files, prices, services
from phones.base import Money
from phones.health import kind_of
from phones.models import Phone
from phones.price_files import Sheet
from phones.price_forms import MOST_COUNTRIES, FetchForm, ImportForm, PriceForm
from phones.prices import MOST, TooMany

# Rows of one page, and lines of a file that are named one by one when they cannot be read.
_PAGE, _NAMED = 100, 50


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table; `country` is its name, "" where unknown."""

    prefix: str
    country: str
    price: Money


@require_GET
@member
def table(request: MemberRequest, pk: int) -> HttpResponse:
    """Show the prices; `q` finds a country, a prefix, or the price of a number."""
    phone = _phone(request, pk)
    where = request.GET.get("where", "")
    return _page(request, phone, PriceForm(initial=_initial(phone, where)))


@require_POST
@manager
def set_price(request: MemberRequest, pk: int) -> HttpResponseBase:
    """Add a price or change it."""
    phone = _phone(request, pk)
    form = PriceForm(request.POST)
    if not form.is_valid():
        return _page(request, phone, form, status=422)
    try:
        prices.write(phone, form.prices)
    except TooMany:
        form.add_error(None, _too_many())
        return _page(request, phone, form, status=422)
    messages.success(request, _("The price is saved. It counts for what is written from now on."))
    return redirect("phone_prices", pk=pk)


@require_POST
@manager
def remove(request: MemberRequest, pk: int) -> HttpResponseBase:
    phone = _phone(request, pk)
    removed, _models = phone.prices.filter(prefix=request.POST.get("prefix", "")[:15]).delete()
    if removed:
        messages.success(request, _("The price is removed."))
    return redirect("phone_prices", pk=pk)


@require_POST
@manager
def fetch(request: MemberRequest, pk: int) -> HttpResponseBase:
    """Ask the provider for the prices of some countries."""
    phone = _phone(request, pk)
    kind = kind_of(phone)
    if kind is None or not kind.has_price_list():
        raise Http404
    form = FetchForm(request.POST)
    if not form.is_valid():
        return _page(request, phone, PriceForm(initial=_initial(phone, "")), form, status=422)
    try:
        result = services.fetch_prices(phone, form.cleaned_data["countries"])
    except TooMany:
        messages.error(request, _too_many())
    else:
        say = messages.success if result.ok else messages.error
        say(request, result.words if result.ok else result.sentence)
    return redirect("phone_prices", pk=pk)


@require_GET
@member
def export(request: MemberRequest, pk: int) -> HttpResponse:
    phone = _phone(request, pk)
    answer = HttpResponse(
        price_files.write(prices.table_of(phone)), content_type="text/csv; charset=utf-8"
    )
    name = slugify(phone.name) or "phone"
    answer.headers["Content-Disposition"] = f'attachment; filename="prices-{name}.csv"'
    return answer


@require_http_methods(["GET", "HEAD", "POST"])
@manager
def load(request: MemberRequest, pk: int) -> HttpResponseBase:
    """Import a table: read it, show what would change, and write it once somebody says so."""
    phone = _phone(request, pk)
    if request.method != "POST":
        currency = _initial(phone, "")["currency"]
        return _import_page(request, phone, ImportForm(initial={"currency": currency}))
    if "table" in request.POST:
        return _write(request, phone)
    form = ImportForm(request.POST, request.FILES)
    if not form.is_valid():
        return _import_page(request, phone, form, status=422)
    return _import_page(request, phone, form, form.sheet)


def _write(request: MemberRequest, phone: Phone) -> HttpResponseBase:
    """Write what was shown. It has travelled through the browser, so it is read as strictly."""
    sheet = price_files.read(request.POST["table"])
    form = ImportForm(MultiValueDict({"pasted": [request.POST["table"]]}))
    if sheet.problems or not sheet.prices:
        form.is_valid()
        return _import_page(request, phone, form, sheet, status=422)
    try:
        prices.write(phone, sheet.prices, replace=request.POST.get("mode") == "replace")
    except TooMany:
        form.add_error(None, _too_many())
        return _import_page(request, phone, form, status=422)
    count = len(sheet.prices)
    words = ngettext("%(count)s price is imported.", "%(count)s prices are imported.", count)
    messages.success(request, words % {"count": number_format(count, force_grouping=True)})
    return redirect("phone_prices", pk=phone.pk)


# ---- What the pages show ------------------------------------------------------------------------


def _page(
    request: MemberRequest,
    phone: Phone,
    form: PriceForm,
    asking: FetchForm | None = None,
    status: int = 200,
) -> HttpResponse:
    whole, kind = prices.table_of(phone), kind_of(phone)
    query = request.GET.get("q", "").strip()[:80]
    found = _found(whole, query)
    start = _start(request.GET.get("from", ""), len(found))
    home = dict(places.countries()).get(request.workspace.country, "")
    context: dict[str, Any] = {
        "phone": phone,
        "kind": kind,
        "form": form,
        "asking": asking or FetchForm(initial={"countries": home}),
        "most_countries": MOST_COUNTRIES,
        "count": len(whole),
        "found": len(found),
        "rows": found[start : start + _PAGE],
        "query": query,
        "earlier": max(0, start - _PAGE) if start else None,
        "later": start + _PAGE if start + _PAGE < len(found) else None,
    }
    return render(request, "phones/prices.html", context, status=status)


def _import_page(
    request: MemberRequest,
    phone: Phone,
    form: ImportForm,
    sheet: Sheet | None = None,
    status: int = 200,
) -> HttpResponse:
    context: dict[str, Any] = {"phone": phone, "form": form, "sheet": sheet}
    if sheet is not None:
        old = prices.table_of(phone)
        context |= {
            "difference": prices.compare(old, sheet.prices),
            "had": len(old),
            "table": price_files.write(sheet.prices),
            "problems": sheet.problems[:_NAMED],
            "more_problems": max(0, len(sheet.problems) - _NAMED),
        }
        status = status if sheet.prices else 422
    return render(request, "phones/prices_import.html", context, status=status)


def _found(whole: dict[str, Money], query: str) -> list[Row]:
    """Give the rows that a search finds, everything else at the end; a long number finds its price."""
    names = dict(places.countries())
    rows = [
        Row(prefix, names.get(destinations.country_of(prefix), "") if prefix else "", price)
        for prefix, price in whole.items()
    ]
    rows.sort(key=lambda row: (not row.prefix, row.prefix))
    digits = "".join(letter for letter in query if letter.isascii() and letter.isdigit())
    if digits:
        return [r for r in rows if r.prefix.startswith(digits) or digits.startswith(r.prefix)]
    words = query.casefold()
    return [row for row in rows if words in row.country.casefold()] if words else rows


def _start(written: str, count: int) -> int:
    """Give the row that a page begins with."""
    number = int(written) if written.isascii() and written.isdigit() and len(written) < 6 else 0
    return number if number < count else 0


def _initial(phone: Phone, where: str) -> dict[str, str]:
    """Fill the form with the price of `where` (a prefix or *), or with the currency used last."""
    price = (
        phone.prices.filter(prefix="" if where == "*" else where[:15]).first() if where else None
    )
    if price is None:
        last = phone.prices.order_by("-pk").values_list("currency", flat=True).first()
        return {"currency": last or ""}
    amount = price_files.amount_of(price.amount)
    return {"where": where, "price": amount, "currency": price.currency}


def _too_many() -> str:
    words = _("A table has %(most)s prices at most. Nothing was changed.")
    return words % {"most": number_format(MOST, force_grouping=True)}


def _phone(request: MemberRequest, pk: int) -> Phone:
    """Give a living phone of the current workspace. Raises Http404."""
    return get_object_or_404(request.workspace.phones.living(), pk=pk)
