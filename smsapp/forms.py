"""How forms are drawn: Django's own rendering, with our field template and classes."""

from __future__ import annotations

from typing import Any

from django import forms
from django.forms.renderers import TemplatesSetting

# What a widget looks like, by its `input_type`; anything else is a line of text.
_LOOKS = {
    "checkbox": "form-check-input",
    "radio": "form-check-input",
    "select": "form-select",
    "hidden": "",
}


def look_of(widget: forms.Widget) -> str:
    """Give the class of a widget, "" for one that is not seen."""
    return _LOOKS.get(getattr(widget, "input_type", ""), "form-control")


class Field(forms.BoundField):
    """A field that knows how it looks. Its describing ids and aria-invalid are Django's own."""

    def build_widget_attrs(
        self, attrs: dict[str, Any], widget: forms.Widget | None = None
    ) -> dict[str, Any]:
        widget = widget or self.field.widget
        attrs = super().build_widget_attrs(attrs, widget)
        classes = [str(widget.attrs.get("class", "")), look_of(widget)]
        if self.errors and not self.is_hidden:
            classes.append("is-invalid")
        if found := " ".join(filter(None, classes)):
            attrs["class"] = found
        return attrs

    @property
    def look(self) -> str:
        """Say how field.html lays it out: check (the label after the box), choices or line."""
        widget = self.field.widget
        if isinstance(widget, forms.CheckboxInput):
            return "check"
        return "choices" if self.use_fieldset else "line"

    @property
    def is_optional(self) -> bool:
        """Say whether people should read "optional": not where a choice or a default is made for them."""
        return not self.field.required and look_of(self.field.widget) == "form-control"


class Renderer(TemplatesSetting):
    form_template_name = "django/forms/form.html"
    bound_field_class = Field
