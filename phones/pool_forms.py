"""The form of a group of phones: its name, and which phones are in it with which priority and weight."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import Workspace
from lib.words import fold
from phones.health import kind_of
from phones.models import Phone, Pool
from phones.pools import Place

FURTHEST, HEAVIEST = 100, 100


def priority_field(**extra: Any) -> forms.IntegerField:
    return forms.IntegerField(
        label=gettext_lazy("Priority"), min_value=-FURTHEST, max_value=FURTHEST, **extra
    )


def weight_field(**extra: Any) -> forms.IntegerField:
    return forms.IntegerField(
        label=gettext_lazy("Weight"), min_value=1, max_value=HEAVIEST, **extra
    )


@dataclass(frozen=True, slots=True)
class Row:
    """A phone that may be in the group, with its three fields."""

    phone: Phone
    chosen: forms.BoundField
    priority: forms.BoundField
    weight: forms.BoundField


class PoolForm(forms.Form):
    """A group. Valid, `cleaned_data` has `name` and `places`."""

    name = forms.CharField(
        label=gettext_lazy("Name"),
        max_length=60,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )

    def __init__(self, workspace: Workspace, pool: Pool | None, data: QueryDict | None) -> None:
        self._workspace, self._pool = workspace, pool
        places = {place.phone_id: place for place in pool.places.all()} if pool else {}
        super().__init__(data, initial={"name": pool.name if pool else ""})
        self._phones = [
            phone
            for phone in workspace.phones.living().defer("settings").order_by("pk")
            if (kind := kind_of(phone)) and kind.can.send
        ]
        for phone in self._phones:
            place = places.get(phone.pk)
            self.fields[f"in_{phone.pk}"] = forms.BooleanField(
                label=phone.name, required=False, initial=place is not None
            )
            self.fields[f"priority_{phone.pk}"] = priority_field(
                required=False, initial=place.priority if place else 0
            )
            self.fields[f"weight_{phone.pk}"] = weight_field(
                required=False, initial=place.weight if place else 1
            )

    @property
    def rows(self) -> list[Row]:
        return [
            Row(phone, self[f"in_{pk}"], self[f"priority_{pk}"], self[f"weight_{pk}"])
            for phone in self._phones
            for pk in (phone.pk,)
        ]

    def clean_name(self) -> str:
        name = " ".join(self.cleaned_data["name"].split())
        others = Pool.objects.filter(workspace=self._workspace, folded=fold(name)[:60])
        if self._pool:
            others = others.exclude(pk=self._pool.pk)
        if others.exists():
            raise forms.ValidationError(self.name_taken())
        return name

    @staticmethod
    def name_taken() -> str:
        return _("Another group of phones has this name.")

    def clean(self) -> dict[str, Any]:
        data = self.cleaned_data
        data["places"] = [
            Place(phone.pk, data[f"priority_{phone.pk}"] or 0, data[f"weight_{phone.pk}"] or 1)
            for phone in self._phones
            if data.get(f"in_{phone.pk}")
            and {f"priority_{phone.pk}", f"weight_{phone.pk}"} <= data.keys()
        ]
        if not data["places"] and not self.errors:
            raise forms.ValidationError(_("Choose at least one phone."))
        return data
