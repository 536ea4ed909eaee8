"""Forms are drawn so that everybody can use them."""

from __future__ import annotations

import re

from django import forms
from django.forms.renderers import DjangoTemplates
from pytest_django.asserts import assertHTMLEqual

from smsapp.forms import Renderer


class Booking(forms.Form):
    name = forms.CharField(help_text="As on the card.")
    note = forms.CharField(required=False, widget=forms.Textarea)
    secret = forms.CharField(required=False, widget=forms.PasswordInput)
    day = forms.ChoiceField(choices=[("mon", "Monday"), ("tue", "Tuesday")])
    way = forms.ChoiceField(choices=[("a", "By SMS")], widget=forms.RadioSelect)
    agree = forms.BooleanField(label="I agree")
    back = forms.CharField(required=False, widget=forms.HiddenInput)


def tag(html: str, name: str) -> str:
    found = re.search(rf'<(?:input|select|textarea)[^>]*name="{name}"[^>]*>', html)
    assert found
    return found[0]


def test_each_widget_has_its_look() -> None:
    html = str(Booking())

    assert 'class="form-control"' in tag(html, "name")
    assert 'class="form-control"' in tag(html, "note")
    assert 'class="form-select"' in tag(html, "day")
    assert 'class="form-check-input"' in tag(html, "way")
    assert 'class="form-check-input"' in tag(html, "agree")
    assert "class=" not in tag(html, "back")


def test_a_wrong_field_is_marked_and_described_by_its_help_and_error() -> None:
    html = str(Booking({"name": ""}))

    field = tag(html, "name")
    assert 'aria-invalid="true"' in field
    assert "is-invalid" in field
    assert 'aria-describedby="id_name_helptext id_name_error"' in field
    assert 'id="id_name_helptext"' in html
    assert 'id="id_name_error"' in html


def test_a_field_without_errors_is_not_marked() -> None:
    assert "aria-invalid" not in str(Booking())


def test_only_fields_that_people_may_leave_empty_are_called_optional() -> None:
    html = str(Booking())

    assert html.count(">optional<") == 2
    assert re.search(r'for="id_note">Note <span class="optional">', html)
    assert re.search(r'for="id_secret">Secret <span class="optional">', html)


def test_a_secret_is_never_rendered_back() -> None:
    assert "hunter2" not in str(Booking({"secret": "hunter2"}))


def test_choices_are_a_group_with_a_name() -> None:
    html = str(Booking())

    assert re.search(r'<fieldset class="field[^>]*>\s*<legend>Way</legend>', html)


def test_a_field_keeps_the_class_its_widget_has() -> None:
    class Narrow(forms.Form):
        code = forms.CharField(widget=forms.TextInput(attrs={"class": "num"}))

    assert 'class="num form-control"' in str(Narrow())


def test_a_select_is_what_django_makes_of_it() -> None:
    choices = [("", "None"), (0, "<Zero> & more"), ("Tens", [(10, "Ten"), ("20", "Twenty")])]
    select = forms.SelectMultiple({"class": "wide", "disabled": True, "hidden": False}, choices)
    drawn = [
        select.render("many", ["0", "20"], {"id": "id_many"}, renderer)
        for renderer in (Renderer(), DjangoTemplates())
    ]

    assert drawn[0].count(" selected") == 2
    assertHTMLEqual(*drawn)
