"""Through what: phones, when their addresses were called, and what was said to their providers."""

from __future__ import annotations

import secrets
from datetime import datetime

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import User, Workspace
from lib.vault import Confidential, EncryptedJSONField
from phones import registry
from phones.base import Addresses, Kind


def new_token() -> str:
    """Give a secret for callback addresses: 32 characters, 190 bits."""
    return secrets.token_urlsafe(24)


class PauseReason(models.TextChoices):
    PERSON = "person", _("Paused by hand")
    MISCONFIGURED = "misconfigured", _("The provider refuses the account")
    NO_CREDIT = "no_credit", _("The account is empty")


class PhoneQuerySet(models.QuerySet["Phone"]):
    def living(self) -> PhoneQuerySet:
        return self.filter(deleted_at=None)

    def ready(self) -> PhoneQuerySet:
        return self.living().filter(paused_at=None)


class Phone(models.Model):
    """Something that messages leave and arrive through: an account, a number, a line.

    `type` is a slug of the registry; `settings` (encrypted) are what its form cleaned; `address` is the
    number or name people see. `rate` is in segments per second. `token` is the secret part of its
    callback addresses. A deleted phone keeps its row, so that its messages still say where they went,
    but loses its settings and its token.
    """

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="phones")
    type = models.CharField(_("type"), max_length=40)
    name = models.CharField(_("name"), max_length=60)
    settings = EncryptedJSONField()
    address = models.CharField(max_length=40, blank=True)
    token = models.CharField(max_length=40, unique=True, default=new_token)
    rate = models.FloatField(_("segments per second"), default=1)
    # Who is asked, for money, which carrier a number belongs to (`wants_carrier`); None = nobody.
    look_up_by = models.ForeignKey("self", models.SET_NULL, null=True, blank=True, related_name="+")
    resend_unknown = models.BooleanField(_("send again when the outcome is unknown"), default=False)
    paused_at = models.DateTimeField(null=True, blank=True)
    pause_reason = models.CharField(max_length=20, blank=True, choices=PauseReason.choices)
    pause_words = models.CharField(max_length=500, blank=True)
    paused_by = models.ForeignKey(User, models.SET_NULL, null=True, blank=True, related_name="+")
    # Where asking the provider goes on, when it was asked last, and what went wrong then.
    poll_cursor = models.TextField(blank=True)
    polled_at = models.DateTimeField(null=True, blank=True)
    poll_problem = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    deleted_at = models.DateTimeField(null=True, blank=True)

    objects = PhoneQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["workspace", "name"],
                condition=models.Q(deleted_at=None),
                name="one_phone_per_name",
                violation_error_message=_("Another phone has this name."),
            ),
            models.CheckConstraint(condition=models.Q(rate__gt=0), name="rate_above_zero"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_paused(self) -> bool:
        return self.paused_at is not None

    @property
    def is_deleted(self) -> bool:
        return self.deleted_at is not None

    @property
    def kind(self) -> Kind:
        """Give the class of its type. Raises KeyError when the type's file is gone."""
        return registry.get(self.type)

    @property
    def addresses(self) -> Addresses:
        """Give its callback addresses, built from PUBLIC_URL, never from a request."""
        return Addresses(f"{settings.PUBLIC_URL}/callbacks/{self.token}/")

    @property
    def full_settings(self) -> Confidential:
        """Give its decrypted settings, with what the operator sets for every phone of this type."""
        return Confidential({**self.settings, **settings.PHONE_SETTINGS.get(self.type, {})})


class Pool(models.Model):
    """Phones that stand in for each other: a message to the pool leaves by one of them."""

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="pools")
    name = models.CharField(_("name"), max_length=60)
    folded = models.CharField(max_length=60)
    phones = models.ManyToManyField(Phone, through="PoolPhone", related_name="pools")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["workspace", "folded"],
                name="one_pool_per_name",
                violation_error_message=_("Another group of phones has this name."),
            )
        ]
        ordering = ["folded"]

    def __str__(self) -> str:
        return self.name


class PoolPhone(models.Model):
    """A phone in a pool: the highest `priority` that is able goes first, equals share by `weight`."""

    pool = models.ForeignKey(Pool, models.CASCADE, related_name="places")
    phone = models.ForeignKey(Phone, models.CASCADE, related_name="places")
    priority = models.SmallIntegerField(default=0)
    weight = models.PositiveSmallIntegerField(default=1)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["pool", "phone"], name="one_place_per_phone"),
            models.CheckConstraint(condition=models.Q(weight__gt=0), name="weight_above_zero"),
        ]

    def __str__(self) -> str:
        return f"{self.pool_id} {self.phone_id}"


class Lease(models.Model):
    """Who holds the session of a connected phone, and until when unless it is renewed.

    `epoch` rises with each new holder: who holds an older one may neither claim nor send. The provider knows
    that we have what came in before `heard_at`; what came later it may tell again. `process` is the holder's
    name by lib.processes.
    """

    phone = models.OneToOneField(Phone, models.CASCADE, related_name="lease")
    epoch = models.PositiveBigIntegerField(default=0)
    owner = models.UUIDField(null=True, blank=True)
    host = models.CharField(max_length=100, blank=True)
    process = models.CharField(max_length=120, blank=True)
    until = models.DateTimeField()
    heard_at = models.DateTimeField(default=timezone.now)
    # `heard_at` and `until` of the holder before this one; not stored.
    before: tuple[datetime, datetime]

    def __str__(self) -> str:
        return f"{self.phone_id} {self.epoch}"


class Price(models.Model):
    """What a segment to numbers with `prefix` costs: millionths of `currency` (ISO 4217).

    `prefix` are digits without +, the country code first; "" is everything else. The longest wins.
    """

    phone = models.ForeignKey(Phone, models.CASCADE, related_name="prices")
    prefix = models.CharField(max_length=15, blank=True)
    amount = models.BigIntegerField()
    currency = models.CharField(max_length=3)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["phone", "prefix"], name="one_price_per_prefix"),
            models.CheckConstraint(condition=models.Q(amount__gte=0), name="price_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{self.prefix}: {self.amount} {self.currency}"


class EndpointCall(models.Model):
    """When a callback address was last called, and how often."""

    phone = models.ForeignKey(Phone, models.CASCADE, related_name="endpoint_calls")
    endpoint = models.CharField(max_length=20)
    last_at = models.DateTimeField()
    refused_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["phone", "endpoint"], name="one_row_per_endpoint")
        ]

    def __str__(self) -> str:
        return self.endpoint


class Exchange(models.Model):
    """One redacted request and answer: ours to the provider (`out`) or a callback (`in`).

    `message` is the id of the message it was about, 0 if none: an id and not a relation, since phones
    know nothing of messages. `status` is HTTP's, 0 = no answer. Pruned after KEEP_EXCHANGES_DAYS.
    """

    class Direction(models.TextChoices):
        OUT = "out", _("to the provider")
        IN = "in", _("from the provider")

    phone = models.ForeignKey(Phone, models.CASCADE, related_name="exchanges")
    message = models.BigIntegerField(default=0)
    direction = models.CharField(max_length=3, choices=Direction.choices)
    method = models.CharField(max_length=10)
    url = models.TextField()
    sent = models.TextField(blank=True)
    received = models.TextField(blank=True)
    status = models.PositiveSmallIntegerField(default=0)
    ms = models.PositiveIntegerField(default=0)
    error = models.TextField(blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [
            models.Index(fields=["phone", "-id"], name="exchange_phone"),
            models.Index(
                fields=["message"], name="exchange_message", condition=models.Q(message__gt=0)
            ),
            models.Index(fields=["created_at"], name="exchange_age"),
        ]

    def __str__(self) -> str:
        return f"{self.method} {self.status}"
