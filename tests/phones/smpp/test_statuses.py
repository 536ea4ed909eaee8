"""Every command_status is classed as the specification and the operators mean it."""

from __future__ import annotations

import pytest

from phones.base import (
    BadNumber,
    Misconfigured,
    NoCredit,
    OptedOut,
    PhoneError,
    Rejected,
    Temporary,
    Throttled,
)
from phones.smpp import statuses
from phones.smpp.profile import read_statuses

PERMANENT = [
    0x01, 0x02, 0x03, 0x05, 0x06, 0x07, 0x0A, 0x0C, 0x0D, 0x0E, 0x0F, 0x11, 0x13, 0x15, 0x33, 0x34, 0x40,
    0x42, 0x43, 0x44, 0x48, 0x49, 0x53, 0x54, 0x55, 0x61, 0x62, 0x63, 0x65, 0x66, 0x67, 0xC0, 0xC1, 0xC2,
    0xC3, 0xC4, 0x100, 0x40A, 0x4FF, 0xFFFFFFFF,
]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "codes"),
    [
        (Throttled, [0x58, 0x14]),
        (Temporary, [0x04, 0x08, 0x45, 0x64, 0xFE, 0xFF]),
        (BadNumber, [0x0B, 0x50, 0x51]),
        (Rejected, PERMANENT),
    ],
)
def test_each_status_has_its_class(kind: type[PhoneError], codes: list[int]) -> None:
    for code in codes:
        error = statuses.error_of(code, {})
        assert type(error) is kind, hex(code)
        assert error.code == f"0x{code:08X}"
        assert error.words
        assert not error.words.startswith("<")


def test_a_throttled_phone_rests_and_longer_where_the_queue_is_full() -> None:
    throttled, full = (statuses.error_of(code, {}) for code in (0x58, 0x14))

    assert isinstance(throttled, Throttled)
    assert isinstance(full, Throttled)
    assert throttled.retry_after == 1
    assert full.retry_after == 5


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("throttled", Throttled),
        ("temporary", Temporary),
        ("rejected", Rejected),
        ("bad number", BadNumber),
        ("opted out", OptedOut),
        ("no credit", NoCredit),
        ("misconfigured", Misconfigured),
    ],
)
def test_a_phone_may_say_what_a_code_means(word: str, kind: type[PhoneError]) -> None:
    own = read_statuses(f"0x0000040A = {word}\n\n 11: {word.upper()} ")

    assert type(statuses.error_of(0x40A, own)) is kind
    assert type(statuses.error_of(0x0B, own)) is kind
    assert type(statuses.error_of(0x58, own)) is Throttled


def test_every_class_can_be_named() -> None:
    assert read_statuses("\n".join(f"{n} = {word}" for n, word in enumerate(statuses.CLASSES))) == (
        dict(enumerate(statuses.CLASSES))
    )


@pytest.mark.parametrize("line", ["0x40A", "throttled", "0x40A = slow", "0xG = throttled", "= x"])
def test_a_line_that_says_nothing_is_named(line: str) -> None:
    with pytest.raises(ValueError, match=line.split(maxsplit=1)[0]):
        read_statuses(f"0x58 = throttled\n{line}\n")


def test_what_the_server_says_is_passed_on() -> None:
    assert statuses.error_of(0x45, {}, "Try tomorrow").words == "Try tomorrow"
    assert "code of its own" in statuses.error_of(0x40A, {}).words


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (0x0E, Misconfigured),
        (0x0F, Misconfigured),
        (0x53, Misconfigured),
        (0x05, Temporary),
        (0x0D, Temporary),
        (0x08, Temporary),
        (0x401, Temporary),
    ],
)
def test_a_bind_is_refused_for_the_account_or_for_now(code: int, kind: type[PhoneError]) -> None:
    assert type(statuses.bind_error_of(code)) is kind
