"""What can be done to a phone, and what must not happen while it is done."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.dispatch import Signal
from django.utils import timezone
from django_rq.settings import QUEUES
from redis.exceptions import RedisError

from accounts.models import User, Workspace
from phones import limits, services
from phones.models import EndpointCall, Exchange, PauseReason, Phone
from phones.receivers import add_simulator
from phones.signals import phone_deleted, phone_ready


@contextmanager
def heard(signal: Signal) -> Iterator[list[dict[str, Any]]]:
    said: list[dict[str, Any]] = []

    def listen(**words: Any) -> None:
        said.append(words)

    signal.connect(listen)
    try:
        yield said
    finally:
        signal.disconnect(listen)


def add(workspace: Workspace, name: str = "Desk", **settings: Any) -> Phone:
    return services.add(workspace, "simulator", name=name, settings=settings, rate=5)


def test_an_added_phone_shows_its_number_and_is_announced(workspace: Workspace) -> None:
    with heard(phone_ready) as said:
        phone = add(workspace, sender="+33600000001")

    assert phone.address == "+33600000001"
    assert [words["phone"] for words in said] == [phone]


def test_two_phones_cannot_have_one_name(workspace: Workspace) -> None:
    add(workspace)

    with pytest.raises(services.NameTaken):
        add(workspace)

    assert workspace.phones.count() == 1


def test_two_workspaces_may_use_the_same_name(workspace: Workspace) -> None:
    add(workspace)

    add(Workspace.objects.create(name="Elsewhere"))

    assert Phone.objects.filter(name="Desk").count() == 2


def test_a_pause_keeps_its_first_reason(phone: Phone, alice: User) -> None:
    first = services.pause(phone, reason=PauseReason.NO_CREDIT, words="Balance 0")
    second = services.pause(phone, reason=PauseReason.PERSON, words="Holidays", by=alice)

    phone.refresh_from_db()
    assert (first, second) == (True, False)
    assert (phone.pause_reason, phone.pause_words) == ("no_credit", "Balance 0")


def test_long_words_of_a_provider_do_not_break_the_pause(phone: Phone) -> None:
    services.pause(phone, reason=PauseReason.MISCONFIGURED, words="x\x00" * 600)

    phone.refresh_from_db()
    assert phone.is_paused
    assert len(phone.pause_words) == 500
    assert "\x00" not in phone.pause_words


def test_starting_forgets_the_pause_and_the_slowness_and_wakes_sending(phone: Phone) -> None:
    services.pause(phone, reason=PauseReason.MISCONFIGURED, words="Wrong key")
    limits.slow_down(phone, words="Too fast", seconds=60)

    with heard(phone_ready) as said:
        started = services.start(phone)

    phone.refresh_from_db()
    assert started
    assert (phone.paused_at, phone.pause_reason, phone.pause_words) == (None, "", "")
    assert not limits.pace(phone).is_slow
    assert len(said) == 1


def test_starting_a_phone_that_runs_changes_nothing(phone: Phone) -> None:
    assert not services.start(phone)

    phone.refresh_from_db()
    assert not phone.is_paused


def test_a_phone_starts_although_the_queue_server_is_down(
    phone: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    services.pause(phone, reason=PauseReason.PERSON)
    monkeypatch.setitem(QUEUES, "send", {"URL": "unix:///nowhere/valkey.sock"})
    with pytest.raises(RedisError):
        limits.release(phone)

    services.start(phone)

    phone.refresh_from_db()
    assert not phone.is_paused


def test_deleting_erases_secrets_and_addresses_but_not_the_row(workspace: Workspace) -> None:
    phone = add(workspace, key="hunter22-secret")
    token = phone.token

    with heard(phone_deleted) as said:
        deleted = services.delete(phone)

    phone.refresh_from_db()
    assert deleted
    assert phone.is_deleted
    assert phone.settings == {}
    assert phone.token != token
    assert [words["phone"].pk for words in said] == [phone.pk]


def test_deleting_twice_is_announced_once(phone: Phone) -> None:
    with heard(phone_deleted) as said:
        results = [services.delete(phone), services.delete(phone)]

    assert results == [True, False]
    assert len(said) == 1


def test_a_deleted_phone_frees_its_name(workspace: Workspace) -> None:
    services.delete(add(workspace))

    assert add(workspace).pk


def test_a_deletion_that_somebody_objects_to_leaves_everything(phone: Phone) -> None:
    def object_to_it(**_: Any) -> None:
        raise RuntimeError("not now")

    phone_deleted.connect(object_to_it)
    try:
        with pytest.raises(RuntimeError):
            services.delete(phone)
    finally:
        phone_deleted.disconnect(object_to_it)

    phone.refresh_from_db()
    assert not phone.is_deleted


def test_new_addresses_stop_the_old_ones_and_were_never_called(phone: Phone) -> None:
    EndpointCall.objects.create(phone=phone, endpoint="status", last_at=timezone.now())
    old = phone.token

    services.rotate_token(phone)

    phone.refresh_from_db()
    assert phone.token != old
    assert not phone.endpoint_calls.exists()


@pytest.mark.parametrize("change", ["edit", "pause", "rotate"])
def test_a_deleted_phone_does_not_change(phone: Phone, change: str) -> None:
    services.delete(phone)
    phone.refresh_from_db()
    before = Phone.objects.filter(pk=phone.pk).values().get()

    if change == "edit":
        services.edit(
            phone, name="Back", settings={"key": "k3y-again"}, rate=1, resend_unknown=True
        )
    elif change == "pause":
        services.pause(phone, reason=PauseReason.PERSON)
    else:
        services.rotate_token(phone)

    assert Phone.objects.filter(pk=phone.pk).values().get() == before


def test_a_provider_that_cannot_be_reached_is_explained_and_recorded(
    phone: Phone, settings: Any
) -> None:
    # A port that nobody listens on.
    settings.PHONE_SETTINGS = {"simulator": {"base_url": "http://127.0.0.1:1"}}

    result = services.check(phone)

    assert not result.ok
    assert "127.0.0.1:1" in result.words
    assert "could not be reached" in result.meaning
    assert Exchange.objects.get(phone=phone).error


def test_settings_are_tried_without_leaving_a_trace(workspace: Workspace, settings: Any) -> None:
    settings.PHONE_SETTINGS = {"simulator": {"base_url": "http://127.0.0.1:1"}}

    result = services.check_settings(workspace, "simulator", {"sender": ""})

    assert not result.ok
    assert not Phone.objects.exists()
    assert not Exchange.objects.exists()


def test_a_new_workspace_has_a_simulator(workspace: Workspace) -> None:
    add_simulator(workspace=workspace)

    phone = workspace.phones.get()
    assert (phone.name, phone.type) == ("Simulator", "simulator")
    assert phone.address
