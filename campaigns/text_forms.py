"""What people type when they keep a text."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import Workspace
from campaigns import fields, texts
from campaigns.models import Text
from campaigns.texts import Problem
from lib.words import fold


class TextForm(forms.Form):
    """A name and a source. `problems` are those of the source; errors keep it from being valid."""

    name = forms.CharField(
        label=gettext_lazy("Name"),
        max_length=100,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    source = forms.CharField(
        label=gettext_lazy("Text"),
        max_length=texts.MOST_SOURCE,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 6, "dir": "auto"}),
    )

    def __init__(self, workspace: Workspace, text: Text | None, *args: Any, **kwargs: Any) -> None:
        self.workspace, self.text = workspace, text
        self.offered = fields.offered(workspace)
        if text:
            kwargs["initial"] = {"name": text.name, "source": text.source}
        super().__init__(*args, **kwargs)

    @property
    def written(self) -> str:
        """Give the source as it stands in the form, right or wrong."""
        # Browsers send two characters for the end of a line, and count one.
        return str(self["source"].value() or "").replace("\r\n", "\n")

    @property
    def problems(self) -> list[Problem]:
        return texts.problems(self.written, known(self.offered))

    def clean_name(self) -> str:
        name = " ".join(self.cleaned_data["name"].split())
        same = self.workspace.texts.filter(folded=fold(name)[:100]).first()
        if same and same != self.text:
            raise forms.ValidationError(_("There is a text of this name already."))
        return name

    def clean_source(self) -> str:
        if not self.written.strip():
            raise forms.ValidationError(_("There is nothing to keep yet. Write a text."))
        if any(problem.is_error for problem in self.problems):
            # The page shows each at its place.
            raise forms.ValidationError(_("This text cannot be sent yet."))
        return self.written


def known(offered: list[fields.Offer]) -> list[str]:
    """Give the names a kept text may use: any column, too, for nobody knows with which file it goes."""
    return [*(offer.name for offer in offered), "row.*"]
