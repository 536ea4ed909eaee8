"""The forms of a phone's price table: one price, a file of them, and asking the provider."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts import places
from phones import price_files
from phones.base import Money
from phones.price_files import MOST_BYTES, Sheet, Unreadable

# Countries that one question to the provider names: each is a request of its own.
MOST_COUNTRIES = 10


def _currency_field(**extra: Any) -> forms.CharField:
    return forms.CharField(
        label=gettext_lazy("Currency"),
        max_length=3,
        widget=forms.TextInput(
            attrs={"autocomplete": "off", "autocapitalize": "characters", "placeholder": "EUR"}
        ),
        **extra,
    )


class PriceForm(forms.Form):
    """One price. Valid, `prices` is {prefix: price of a segment}: several where a country has several."""

    where = forms.CharField(
        label=gettext_lazy("Destination"),
        help_text=gettext_lazy("A country, a prefix such as +33 6, or * for everything else."),
        max_length=80,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    price = forms.CharField(
        label=gettext_lazy("Price of a segment"),
        max_length=30,
        widget=forms.TextInput(attrs={"autocomplete": "off", "inputmode": "decimal"}),
    )
    currency = _currency_field()

    prices: dict[str, Money]

    def clean_where(self) -> tuple[str, ...]:
        try:
            return price_files.read_destination(self.cleaned_data["where"])
        except Unreadable as wrong:
            raise forms.ValidationError(str(wrong)) from None

    def clean(self) -> dict[str, Any]:
        data = self.cleaned_data
        if data.keys() >= {"where", "price", "currency"}:
            try:
                price = price_files.read_price(data["price"], "", data["currency"])
            except Unreadable as wrong:
                raise forms.ValidationError(str(wrong)) from None
            self.prices = dict.fromkeys(data["where"], price)
        return data


class ImportForm(forms.Form):
    """A price table, as a file or pasted. Valid, `sheet` is what was read."""

    file = forms.FileField(
        label=gettext_lazy("File"),
        help_text=gettext_lazy("CSV, as every spreadsheet saves it."),
        required=False,
        widget=forms.FileInput(attrs={"accept": ".csv,.txt,.tsv,text/csv,text/plain"}),
    )
    pasted = forms.CharField(
        label=gettext_lazy("Or paste the table"),
        max_length=MOST_BYTES,
        required=False,
        strip=False,
        widget=forms.Textarea(
            attrs={
                "rows": 6,
                "spellcheck": "false",
                "placeholder": "33;0,049;EUR\nBE;0,07;EUR\n*;0,12;EUR",
            }
        ),
    )
    currency = _currency_field(
        help_text=gettext_lazy("Where a line names none."),
        required=False,
    )

    sheet: Sheet

    def clean_file(self) -> UploadedFile[Any] | None:
        upload: UploadedFile[Any] | None = self.cleaned_data["file"]
        if upload and (upload.size or 0) > MOST_BYTES:
            raise forms.ValidationError(
                _("The file is larger than %(most)s. Import it in parts.")
                % {"most": filesizeformat(MOST_BYTES)}
            )
        return upload

    def clean(self) -> dict[str, Any]:
        data = self.cleaned_data
        if self.errors:
            return data
        upload, pasted = data.get("file"), data.get("pasted", "")
        content = price_files.text_of(upload.read()) if upload else pasted
        if not content.strip():
            raise forms.ValidationError(_("Choose a file or paste a table."))
        self.sheet = price_files.read(content, data.get("currency", ""))
        return data


class FetchForm(forms.Form):
    """Which countries to ask the provider about. Valid, `countries` are their codes."""

    countries = forms.CharField(
        label=gettext_lazy("Countries"),
        help_text=gettext_lazy("Names or two-letter codes, with commas between them."),
        max_length=500,
    )

    def clean_countries(self) -> list[str]:
        written = [name.strip() for name in self.cleaned_data["countries"].split(",")]
        codes: dict[str, None] = {}
        for name in filter(None, written):
            code = places.country_named(name)
            if not code:
                raise forms.ValidationError(
                    _("%(name)s is no country that we know.") % {"name": name}
                )
            codes[code] = None
        if not codes:
            raise forms.ValidationError(_("Name at least one country."))
        if len(codes) > MOST_COUNTRIES:
            words = _("These are %(count)s countries; %(most)s can be asked about at once.")
            raise forms.ValidationError(words % {"count": len(codes), "most": MOST_COUNTRIES})
        return list(codes)
