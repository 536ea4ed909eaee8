"""Whom: for now, the people who asked not to be written to."""

from __future__ import annotations

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import User, Workspace


class OptOut(models.Model):
    """A number (E.164) that must get no message from this workspace; `source` says how we know."""

    class Source(models.TextChoices):
        PROVIDER = "provider", _("told by the provider")
        PERSON = "person", _("added by hand")

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="opt_outs")
    number = models.CharField(_("number"), max_length=20)
    source = models.CharField(max_length=10, choices=Source.choices)
    detail = models.CharField(max_length=200, blank=True)
    added_by = models.ForeignKey(User, models.SET_NULL, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workspace", "number"], name="one_opt_out_per_number")
        ]

    def __str__(self) -> str:
        return self.number


class NumberCarrier(models.Model):
    """The carrier of a number (E.164), a slug of the gateways' lists; `source` says how we know.

    Of a number that was looked up, `by` names who told it, and `said` (the provider's name for the
    carrier), `line`, `country` and `network` (MCC-MNC) are what was told; `problem` says why nothing
    was. `carrier` is then "" where no gateway is that carrier's.
    """

    class Source(models.TextChoices):
        PERSON = "person", _("added by hand")
        IMPORT = "import", _("imported")
        LOOK_UP = "look_up", _("looked up")

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="number_carriers")
    number = models.CharField(_("number"), max_length=20)
    carrier = models.CharField(_("carrier"), max_length=60, blank=True)
    source = models.CharField(max_length=10, choices=Source.choices)
    by = models.CharField(max_length=60, blank=True)
    said = models.CharField(max_length=200, blank=True)
    line = models.CharField(max_length=10, blank=True)
    country = models.CharField(max_length=2, blank=True)
    network = models.CharField(max_length=10, blank=True)
    problem = models.CharField(max_length=300, blank=True)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workspace", "number"], name="one_carrier_per_number")
        ]

    def __str__(self) -> str:
        return f"{self.number}: {self.carrier}"
