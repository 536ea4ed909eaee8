"""Filling in a phone: what is kept, what is refused, what never comes back to the page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from django import forms
from django.http import QueryDict
from django.utils.html import escape

from accounts.models import Workspace
from phones import registry, services
from phones.base import Addresses, Capabilities, PhoneType, yes
from phones.forms import PhoneForms, forms_for_edit, forms_for_new
from phones.models import Phone

SECRET = "s3cret-of-the-desk"


class Somewhere(PhoneType):
    """A provider with one secret that it needs, one that it does not, and an address."""

    slug = "somewhere"
    label = "Somewhere"
    what = "for these tests"
    can = Capabilities(send=yes())

    class Settings(forms.Form):
        account = forms.CharField()
        token = forms.CharField(widget=forms.PasswordInput(render_value=True))
        extra = forms.CharField(widget=forms.PasswordInput, required=False)
        site = forms.URLField(required=False, assume_scheme="https")

        advanced = ("site",)


@pytest.fixture
def somewhere(monkeypatch: pytest.MonkeyPatch) -> type[PhoneType]:
    types = {**registry.all_types(), "somewhere": Somewhere}
    monkeypatch.setattr(registry, "all_types", lambda: types)
    return Somewhere


@pytest.fixture
def desk(workspace: Workspace, somewhere: type[PhoneType]) -> Phone:
    stored = {"account": "AC1", "token": SECRET, "extra": "also-" + SECRET, "site": ""}
    return services.add(workspace, "somewhere", name="Desk", settings=stored, rate=1)


def posted(**values: str | list[str]) -> QueryDict:
    filled: dict[str, Any] = {"name": "Desk", "rate": "2", "settings-account": "AC1", **values}
    data = QueryDict(mutable=True)
    for name, value in filled.items():
        data.setlist(name, value if isinstance(value, list) else [value])
    return data


def drawn(both: PhoneForms) -> str:
    return f"{both.phone} {both.provider}"


def test_a_secret_left_empty_is_kept(desk: Phone) -> None:
    both = forms_for_edit(desk, posted())

    assert both.is_valid()
    assert both.cleaned["settings"]["token"] == SECRET
    assert both.cleaned["settings"]["extra"] == "also-" + SECRET


def test_a_new_secret_replaces_the_old_one(desk: Phone) -> None:
    both = forms_for_edit(desk, posted(**{"settings-token": "another-one"}))

    assert both.is_valid()
    assert both.cleaned["settings"]["token"] == "another-one"


def test_a_secret_that_is_not_needed_can_be_forgotten(desk: Phone) -> None:
    both = forms_for_edit(desk, posted(forget=["extra"]))

    assert both.is_valid()
    assert both.cleaned["settings"]["extra"] == ""
    assert both.cleaned["settings"]["token"] == SECRET


def test_a_needed_secret_cannot_be_forgotten(desk: Phone) -> None:
    both = forms_for_edit(desk, posted(forget=["token"]))

    assert not both.is_valid()
    assert "token" in both.provider.errors


def test_kept_secrets_do_not_follow_to_another_address(desk: Phone) -> None:
    both = forms_for_edit(desk, posted(**{"settings-site": "https://elsewhere.example"}))

    assert not both.is_valid()
    assert not both.provider_is_valid()
    assert set(both.provider.errors) == {"token", "extra"}
    assert "address has changed" in str(both.provider.errors["token"])


def test_another_address_is_fine_once_the_secrets_are_typed_again(desk: Phone) -> None:
    data = posted(
        **{
            "settings-site": "https://elsewhere.example",
            "settings-token": "typed-again",
            "settings-extra": "typed-too",
        }
    )

    assert forms_for_edit(desk, data).is_valid()


@pytest.mark.parametrize(
    "data",
    [None, posted(), posted(name=""), posted(**{"settings-token": "typed-now-1234"})],
    ids=["untouched", "kept", "refused", "typed"],
)
def test_secrets_are_never_drawn(desk: Phone, data: QueryDict | None) -> None:
    both = forms_for_edit(desk, data)
    if data is not None:
        both.is_valid()

    page = drawn(both)

    assert escape(SECRET) not in page
    assert "typed-now-1234" not in page
    assert "unchanged" in page


def test_a_new_phone_is_given_a_name_that_is_free(workspace: Workspace) -> None:
    kind = registry.get("simulator")
    for name in ("Simulator", "Simulator 2"):
        Phone.objects.create(workspace=workspace, type="simulator", name=name, settings={})

    both = forms_for_new(workspace, kind)

    assert both.phone["name"].value() == "Simulator 3"


def test_a_new_phone_needs_its_secret(workspace: Workspace, somewhere: type[PhoneType]) -> None:
    both = forms_for_new(workspace, somewhere, posted())

    assert not both.is_valid()
    assert "token" in both.provider.errors


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("rate", "0"),
        ("rate", "-1"),
        ("rate", "nan"),
        ("rate", "inf"),
        ("rate", "fast"),
        ("name", "   "),
        ("name", "x" * 61),
    ],
)
def test_what_makes_no_sense_is_refused(desk: Phone, name: str, value: str) -> None:
    both = forms_for_edit(desk, posted(**{name: value}))

    assert not both.is_valid()
    assert name in both.phone.errors


def test_a_name_is_tidied(desk: Phone) -> None:
    both = forms_for_edit(desk, posted(name="  Front   desk "))

    assert both.is_valid()
    assert both.cleaned["name"] == "Front desk"


def test_a_taken_name_is_refused_in_plain_words(desk: Phone, phone: Phone) -> None:
    both = forms_for_edit(desk, posted(name="Simulator"))

    assert not both.is_valid()
    assert both.phone.errors["name"] == ["Another phone has this name."]


def test_a_phone_may_keep_its_own_name(desk: Phone) -> None:
    assert forms_for_edit(desk, posted(name="Desk")).is_valid()


def test_the_folded_part_opens_when_something_in_it_is_wrong(desk: Phone) -> None:
    fine, wrong = forms_for_edit(desk, posted()), forms_for_edit(desk, posted(rate="0"))
    fine.is_valid()
    wrong.is_valid()

    assert not fine.opens_advanced
    assert wrong.opens_advanced


def test_every_type_draws_its_fields_without_a_secret(workspace: Workspace) -> None:
    for slug, kind in registry.all_types().items():
        settings = dict.fromkeys(kind.Settings.base_fields, SECRET)
        phone = Phone(workspace=workspace, type=slug, name=slug, settings=settings)
        secrets = {name: SECRET + name for name in kind.secret_fields()}
        phone.settings.update(secrets)

        page = drawn(forms_for_edit(phone))

        assert not [name for name, value in secrets.items() if value in page]
        assert Addresses("https://sms.example.org/").base not in page


@pytest.mark.parametrize("slug", list(registry.all_types()))
def test_rare_settings_are_folded_until_one_is_used(workspace: Workspace, slug: str) -> None:
    new = forms_for_new(workspace, registry.get(slug))

    assert not new.opens_advanced


def test_rare_settings_that_are_used_are_open(desk: Phone) -> None:
    assert not forms_for_edit(desk).opens_advanced

    desk.settings["site"] = "https://sms.example.org"

    assert forms_for_edit(desk).opens_advanced


def test_a_secret_that_was_typed_is_asked_for_again_aloud(desk: Phone) -> None:
    """It is not drawn: without a word it would look kept, or stored."""
    wrong = forms_for_edit(desk, posted(name="", **{"settings-token": "new", "settings-extra": ""}))

    html = drawn(wrong)

    assert html.count('placeholder="type it again"') == 1
    assert html.count('placeholder="unchanged"') == 1


def test_a_form_is_fitted_to_what_the_operator_set(
    workspace: Workspace, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Fitted(Somewhere):
        @classmethod
        def offer(cls, form: forms.Form, given: Mapping[str, Any]) -> None:
            form.fields["site"].help_text = f"One of {given.get('hosts')}."

    settings.PHONE_SETTINGS = {"somewhere": {"hosts": "two"}}
    monkeypatch.setattr(Fitted, "slug", "somewhere")

    both = forms_for_new(workspace, Fitted)

    assert both.provider.fields["site"].help_text == "One of two."


def test_a_type_may_leave_a_secret_out(desk: Phone, monkeypatch: pytest.MonkeyPatch) -> None:
    def offer(form: forms.Form, _given: Mapping[str, Any]) -> None:
        del form.fields["extra"]

    monkeypatch.setattr(Somewhere, "offer", offer)

    assert "extra" not in forms_for_edit(desk).provider.fields
    assert forms_for_edit(desk, posted(**{"settings-token": ""})).is_valid()
