"""What can be done to a phone: add, edit, pause, start, delete, and ask its provider something.

Changes are conditional updates; the instance that was given is not changed, so read it again.
Questions are answered by a `Result`, kept as redacted exchanges, and belong outside transactions.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from redis.exceptions import RedisError

from accounts import places
from accounts.activity import record
from accounts.models import User, Workspace
from lib import money, stored
from lib.http import NoAnswer, NotSent, Trace
from phones import limits, lines, prices, quotas
from phones.base import (
    BadAnswer,
    Balance,
    Misconfigured,
    Money,
    NoCredit,
    OutcomeUnknown,
    PhoneError,
    PhoneType,
    Temporary,
    Throttled,
)
from phones.models import EndpointCall, PauseReason, Phone, PoolPhone, Watch, new_token
from phones.signals import phone_deleted, phone_ready

logger = logging.getLogger(__name__)

# Seconds that somebody who looks at a page waits for a provider that was asked too fast.
_LONGEST_PATIENCE = 1.5


class NameTaken(Exception):
    """Another phone of the workspace has this name."""


@dataclass(frozen=True, slots=True)
class Result:
    """What the provider said: `words` and `code` are its own, `meaning` is what follows from them."""

    ok: bool
    words: str
    code: str = ""
    meaning: str = ""

    @property
    def sentence(self) -> str:
        """Give all of it in one line."""
        code = f"({self.code})" if self.code else ""
        return " ".join(filter(None, [self.words, code, self.meaning]))


# ---- Changing a phone ---------------------------------------------------------------------------


def add(
    workspace: Workspace,
    slug: str,
    *,
    name: str,
    settings: dict[str, Any],
    rate: float,
    resend_unknown: bool = False,
    look_up_by: Phone | None = None,
    by: User | None = None,
    **routing: Any,
) -> Phone:
    """Add a phone of type `slug`; `routing` may be its priority, weight, allowed and denied.

    Raises NameTaken.
    """
    phone = Phone(
        workspace=workspace,
        type=slug,
        name=name,
        settings=settings,
        rate=rate,
        resend_unknown=resend_unknown,
        look_up_by=look_up_by,
        **routing,
    )
    phone.address = _address(phone)
    try:
        with transaction.atomic():
            phone.save(force_insert=True)
    except IntegrityError:
        raise NameTaken from None
    logger.info("Phone %s (%s) was added by person %s.", phone.pk, slug, by and by.pk)
    record("phone.added", subject=name, workspace=workspace, type=slug)
    phone_ready.send(Phone, phone=phone)
    return phone


def edit(
    phone: Phone,
    *,
    name: str,
    settings: dict[str, Any],
    rate: float,
    resend_unknown: bool,
    look_up_by: Phone | None = None,
    by: User | None = None,
    **routing: Any,
) -> None:
    """Change a living phone. `settings` replace the stored ones whole; `routing` as in `add`.

    Raises NameTaken.
    """
    changed = Phone(
        pk=phone.pk, type=phone.type, token=phone.token, name=name, settings=settings, rate=rate
    )
    try:
        with transaction.atomic():
            Phone.objects.living().filter(pk=phone.pk).update(
                name=name,
                settings=settings,
                address=_address(changed),
                rate=rate,
                resend_unknown=resend_unknown,
                look_up_by=look_up_by,
                **routing,
            )
    except IntegrityError:
        raise NameTaken from None
    logger.info("Phone %s was edited by person %s.", phone.pk, by and by.pk)
    record("phone.edited", subject=name, workspace=phone.workspace)
    phone_ready.send(Phone, phone=changed)


def _address(phone: Phone) -> str:
    return lines.line(phone).address()[:40]


def pause(phone: Phone, *, reason: PauseReason, words: str = "", by: User | None = None) -> bool:
    """Let nothing leave through the phone until somebody starts it; say whether this call did it.

    A phone that is paused already keeps its first reason.
    """
    changed = (
        Phone.objects.ready()
        .filter(pk=phone.pk)
        .update(
            paused_at=timezone.now(),
            pause_reason=reason,
            pause_words=stored.text(words, 500),
            paused_by=by,
        )
    )
    if changed:
        logger.warning("Phone %s was paused (%s).", phone.pk, reason.value)
        record("phone.paused", subject=phone.name, workspace=phone.workspace, cause=reason.value)
    return bool(changed)


def start(phone: Phone, *, by: User | None = None) -> bool:
    """Let a phone send at its full rate again; say whether it was paused."""
    changed = (
        Phone.objects.living()
        .filter(pk=phone.pk, paused_at__isnull=False)
        .update(paused_at=None, pause_reason="", pause_words="", paused_by=None)
    )
    # Who starts it by hand has mended it: what happened before is forgiven.
    Watch.objects.filter(phone=phone).update(**quotas.WELL, counts_from=timezone.now())
    try:
        limits.release(phone)
    except RedisError as error:
        logger.warning(
            "Phone %s stays slowed: the queue server does not answer (%s).", phone.pk, error
        )
    logger.info("Phone %s was started by person %s.", phone.pk, by and by.pk)
    if changed:
        record("phone.started", subject=phone.name, workspace=phone.workspace)
    phone_ready.send(Phone, phone=phone)
    return bool(changed)


def delete(phone: Phone, *, by: User | None = None) -> bool:
    """Delete a phone: its settings and addresses are gone, its row stays for its messages."""
    with transaction.atomic():
        living = Phone.objects.living().select_for_update().filter(pk=phone.pk).first()
        if living is None:
            return False
        phone_deleted.send(Phone, phone=living, by=by)
        Phone.objects.filter(look_up_by=phone).update(look_up_by=None)
        PoolPhone.objects.filter(phone=phone).delete()
        Phone.objects.filter(pk=phone.pk).update(
            settings={}, token=new_token(), deleted_at=timezone.now()
        )
    logger.info("Phone %s was deleted by person %s.", phone.pk, by and by.pk)
    record("phone.deleted", subject=phone.name, workspace=phone.workspace)
    return True


def rotate_token(phone: Phone, *, by: User | None = None) -> None:
    """Give the phone new callback addresses; the old ones stop at once."""
    with transaction.atomic():
        Phone.objects.living().filter(pk=phone.pk).update(token=new_token())
        EndpointCall.objects.filter(phone=phone).delete()
    logger.info("Phone %s was given new addresses by person %s.", phone.pk, by and by.pk)
    record("phone.token", subject=phone.name, workspace=phone.workspace)


# ---- Asking the provider ------------------------------------------------------------------------


def can_check(kind: type[PhoneType]) -> bool:
    """Say whether phones of this type can be tried without sending anything."""
    return kind.check is not PhoneType.check


def check(phone: Phone) -> Result:
    """Try the phone's credentials without sending anything."""
    return _ask(phone, lambda line: line.check())


def check_settings(workspace: Workspace, slug: str, settings: dict[str, Any]) -> Result:
    """Try settings that are not saved; nothing is kept."""
    return _ask(Phone(workspace=workspace, type=slug, settings=settings), lambda line: line.check())


def balance(phone: Phone) -> Result:
    """Ask what is left on the account."""
    return _ask(phone, lambda line: _left(line.balance()))


def fetch_prices(phone: Phone, countries: Sequence[str]) -> Result:
    """Ask what a segment to each country (ISO 3166 alpha-2) costs, and put it into the price table.

    What was told before the provider refused or failed is kept. Raises TooMany.
    """
    found: dict[str, Money] = {}
    result = _ask(phone, lambda line: _fetched(line, countries, found))
    prices.write(phone, found)
    return result


def _fetched(line: PhoneType, countries: Sequence[str], found: dict[str, Money]) -> str:
    names = dict(places.countries())
    told = []
    for country in countries:
        price = _price(line, country)
        if rows := prices.spread(country, price):
            found |= rows
            told.append(f"{names[country]} {money.spoken(price.amount, price.currency)}")
        else:
            told.append(
                _("%(country)s left out, because no prefix tells its numbers from its neighbours'")
                % {"country": names[country]}
            )
    return _("A segment costs: %(prices)s.") % {"prices": "; ".join(told)}


def _price(line: PhoneType, country: str) -> Money:
    """Ask once more where it was too fast: some providers answer one such question in a second."""
    try:
        return line.price_to(country)
    except Throttled as error:
        time.sleep(min(error.retry_after or 1, _LONGEST_PATIENCE))
        return line.price_to(country)


def connect(phone: Phone) -> Result:
    """Set the phone's callback addresses at the provider."""
    return _ask(phone, lambda line: line.connect())


def _left(balance: Balance) -> str:
    amount = number_format(Decimal(balance.amount) / 1_000_000, decimal_pos=2)
    return _("%(amount)s %(currency)s left on the account.") % {
        "amount": amount,
        "currency": balance.currency,
    }


def _ask(phone: Phone, question: Callable[[PhoneType], str]) -> Result:
    traces: list[Trace] = []
    try:
        words = question(lines.line(phone, traces.append))
        return Result(ok=True, words=lines.redactor_of(phone).text(words))
    except PhoneError as error:
        said = lines.hushed(phone, error)
        return Result(ok=False, words=said.words, code=said.code, meaning=_meaning(error))
    except NotSent as error:
        return Result(ok=False, words=str(error), meaning=_not_reached())
    except NoAnswer as error:
        return Result(ok=False, words=str(error), meaning=_not_answered())
    finally:
        if phone.pk:
            lines.keep(phone, traces)


def _meaning(error: PhoneError) -> str:
    if isinstance(error, NoCredit):
        return _("The account is empty. Top it up at the provider, then start the phone.")
    if isinstance(error, Misconfigured):
        return _("The provider refuses these settings. Compare them with what its site shows.")
    if isinstance(error, Temporary):
        return _("The provider cannot answer now. Try again in a minute.")
    if isinstance(error, BadAnswer):
        return _(
            "We do not understand this answer. The exchange is kept, so that it can be mended."
        )
    if isinstance(error, OutcomeUnknown):
        return _not_answered()
    return _("The provider refused.")


def _not_reached() -> str:
    return _(
        "The provider could not be reached. Check the address, and whether this server may call out."
    )


def _not_answered() -> str:
    return _("The provider took the question and did not answer. Try again in a minute.")
