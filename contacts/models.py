"""Whom: people with their fields, tags and groups, and those who asked not to be written to."""

from __future__ import annotations

import uuid
from typing import Any

from django.db import models
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from accounts.models import User, Workspace
from lib import e164, masks
from lib.stored import text
from lib.words import fold

LIVING = models.Q(deleted_at=None)


class Kind(models.TextChoices):
    """What a number is, as far as its range tells (`lib.e164.describe`)."""

    MOBILE = "mobile", _("Mobile")
    LANDLINE = "landline", _("Landline")
    EITHER = "either", _("Mobile or landline")
    VOIP = "voip", _("Internet telephone")
    OTHER = "other", _("Service number")
    UNKNOWN = "unknown", _("Not known")


class ContactQuerySet(models.QuerySet["Contact"]):
    def living(self) -> ContactQuerySet:
        """Leave out those that were deleted and can still be brought back."""
        return self.filter(LIVING)


class Contact(models.Model):
    """A person with a number (E.164), unique among the living of a workspace.

    `values` holds what the workspace's fields say of the person, by the field's key: a text, a
    number, a day (YYYY-MM-DD) or a truth; what is not known is not there. `carrier` is a slug.
    `kind`, `country` (ISO 3166 alpha-2), `sorted_name` and `searched` follow from the rest: call
    `derive` before saving. A deleted contact stays for a while, so that it can be brought back.
    """

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="contacts")
    name = models.CharField(_("name"), max_length=200, blank=True)
    number = models.CharField(_("number"), max_length=20)
    values = models.JSONField(default=dict, blank=True)
    notes = models.TextField(_("notes"), max_length=5000, blank=True)
    language = models.CharField(_("language"), max_length=10, blank=True)
    time_zone = models.CharField(_("time zone"), max_length=64, blank=True)
    carrier = models.CharField(_("carrier"), max_length=64, blank=True)
    kind = models.CharField(_("kind of number"), max_length=10, choices=Kind.choices, blank=True)
    country = models.CharField(_("country"), max_length=2, blank=True)
    sorted_name = models.CharField(max_length=200, blank=True)
    searched = models.TextField(blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(default=timezone.now)
    deleted_at = models.DateTimeField(null=True, blank=True)

    objects = ContactQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["workspace", "number"], condition=LIVING, name="one_contact_per_number"
            )
        ]
        indexes = [
            models.Index(fields=["workspace", "-id"], condition=LIVING, name="contact_newest"),
            models.Index(
                fields=["workspace", "sorted_name", "id"], condition=LIVING, name="contact_by_name"
            ),
            models.Index(
                fields=["workspace", "-updated_at", "-id"], condition=LIVING, name="contact_changed"
            ),
            models.Index(fields=["deleted_at"], condition=~LIVING, name="contact_deleted"),
        ]

    def __str__(self) -> str:
        return self.name or masks.shown(self.number)

    def derive(self) -> None:
        """Bring what follows from name, number and values up to date."""
        self.kind, self.country = e164.describe(self.number)
        self.sorted_name = fold(self.name)[:200]
        self.searched = searched(self.name, self.number, self.values)


def searched(name: str, number: str, values: dict[str, Any]) -> str:
    """Give what a search looks through: folded name, number and texts."""
    return fold(" ".join([name, number, *(v for v in values.values() if isinstance(v, str))]))


class FieldType(models.TextChoices):
    TEXT = "text", _("Text")
    NUMBER = "number", _("Number")
    DATE = "date", _("Date")
    YES_NO = "yes_no", _("Yes or no")


class Field(models.Model):
    """Something a workspace wants to know of people. `key` never changes: texts and rules name it.

    A deleted field is hidden at once; it goes when a job has taken its values off everybody.
    """

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="fields")
    key = models.CharField(_("key"), max_length=40)
    label = models.CharField(_("name"), max_length=80)
    type = models.CharField(_("type"), max_length=10, choices=FieldType.choices)
    created_at = models.DateTimeField(default=timezone.now)
    deleted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workspace", "key"], name="one_field_per_key")
        ]
        ordering = ["pk"]

    def __str__(self) -> str:
        return self.label


class Tag(models.Model):
    """A word that marks people. `folded` makes Vip and VIP one."""

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="tags")
    name = models.CharField(_("name"), max_length=60)
    folded = models.CharField(max_length=60)
    contacts = models.ManyToManyField(Contact, related_name="tags")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workspace", "folded"], name="one_tag_per_name")
        ]
        ordering = ["folded"]

    def __str__(self) -> str:
        return self.name


class Group(models.Model):
    """People that are written to together, put in one by one."""

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="groups")
    name = models.CharField(_("name"), max_length=100)
    folded = models.CharField(max_length=100)
    description = models.CharField(_("description"), max_length=200, blank=True)
    contacts = models.ManyToManyField(Contact, related_name="groups")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workspace", "folded"], name="one_group_per_name")
        ]
        ordering = ["folded"]

    def __str__(self) -> str:
        return self.name


class Segment(models.Model):
    """People that fulfil a rule, whoever that is at the moment. `rule` is a tree (contacts/rules)."""

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="segments")
    name = models.CharField(_("name"), max_length=100)
    folded = models.CharField(max_length=100)
    rule = models.JSONField(default=dict)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workspace", "folded"], name="one_segment_per_name")
        ]
        ordering = ["folded"]

    def __str__(self) -> str:
        return self.name


class Change(models.Model):
    """What somebody did to many contacts at once, and to which, so that it can be undone.

    `people` are the ids of those that it changed. `target` is the id of the tag or group, `target_name` its
    name and `detail` its description.
    """

    class Action(models.TextChoices):
        TAG = "tag", _("Tagged")
        UNTAG = "untag", _("Tag taken off")
        GROUP = "group", _("Put into a group")
        UNGROUP = "ungroup", _("Taken out of a group")
        DELETE = "delete", _("Deleted")
        DROP_TAG = "drop_tag", _("Tag deleted")
        DROP_GROUP = "drop_group", _("Group deleted")

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="contact_changes")
    action = models.CharField(max_length=10, choices=Action.choices)
    target = models.BigIntegerField(null=True, blank=True)
    target_name = models.CharField(max_length=100, blank=True)
    detail = models.CharField(max_length=200, blank=True)
    people = models.JSONField(default=list)
    amount = models.PositiveIntegerField(default=0)
    by = models.ForeignKey(User, models.SET_NULL, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    undone_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [models.Index(fields=["workspace", "-id"], name="contact_change_list")]

    def __str__(self) -> str:
        return f"{self.action} {self.amount}"

    @property
    def is_drop(self) -> bool:
        """Say whether a tag or a group was deleted, which comes back though nobody was in it."""
        return self.action in (self.Action.DROP_TAG, self.Action.DROP_GROUP)

    @property
    def is_of_managers(self) -> bool:
        """Say whether only those who manage the workspace may do it, and take it back."""
        return self.is_drop or self.action == self.Action.DELETE

    @property
    def can_be_undone(self) -> bool:
        return self.undone_at is None and bool(self.amount or self.is_drop)

    @property
    def said(self) -> str:
        """Say what was done: 12 people were put into Choir."""
        return _said(self.action, self.amount) % {
            "count": number_format(self.amount, force_grouping=True),
            "name": self.target_name,
        }


def _said(action: str, amount: int) -> str:
    if action == Change.Action.TAG:
        words = ngettext(
            "%(count)s person was tagged %(name)s.",
            "%(count)s people were tagged %(name)s.",
            amount,
        )
    elif action == Change.Action.UNTAG:
        words = ngettext(
            "The tag %(name)s was taken off %(count)s person.",
            "The tag %(name)s was taken off %(count)s people.",
            amount,
        )
    elif action == Change.Action.GROUP:
        words = ngettext(
            "%(count)s person was put into %(name)s.",
            "%(count)s people were put into %(name)s.",
            amount,
        )
    elif action == Change.Action.UNGROUP:
        words = ngettext(
            "%(count)s person was taken out of %(name)s.",
            "%(count)s people were taken out of %(name)s.",
            amount,
        )
    elif action == Change.Action.DROP_TAG:
        words = ngettext(
            "The tag %(name)s was deleted. %(count)s person had it, and stays.",
            "The tag %(name)s was deleted. %(count)s people had it, and stay.",
            amount,
        )
    elif action == Change.Action.DROP_GROUP:
        words = ngettext(
            "The group %(name)s was deleted. %(count)s person was in it, and stays.",
            "The group %(name)s was deleted. %(count)s people were in it, and stay.",
            amount,
        )
    else:
        words = ngettext("%(count)s person was deleted.", "%(count)s people were deleted.", amount)
    return words


class Import(models.Model):
    """A file of people on its way in.

    `shape` says how the file is read (format, encoding, delimiter, sheet, headings), `mapping` which
    column goes where, in the order of the columns; `options` what to do with people we know. `row`
    counts the data rows that are done, in the same transaction as what they changed; `told` is the
    length of the report, in bytes, that belongs to it. Files lie in DATA_DIR/imports under `token`.
    """

    class State(models.TextChoices):
        UPLOADED = "uploaded", _("Uploaded")
        CHECKING = "checking", _("Being checked")
        CHECKED = "checked", _("Checked")
        RUNNING = "running", _("Running")
        DONE = "done", _("Done")
        STOPPED = "stopped", _("Stopped")
        FAILED = "failed", _("Failed")

    class Known(models.TextChoices):
        UPDATE = "update", _("Update them with what the file says")
        SKIP = "skip", _("Leave them as they are")

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="imports")
    by = models.ForeignKey(User, models.SET_NULL, null=True, blank=True, related_name="+")
    token = models.UUIDField(default=uuid.uuid4, unique=True)
    name = models.CharField(max_length=200)
    size = models.PositiveBigIntegerField(default=0)
    shape = models.JSONField(default=dict)
    mapping = models.JSONField(default=list)
    options = models.JSONField(default=dict)
    state = models.CharField(max_length=10, choices=State.choices, default=State.UPLOADED)
    problem = models.CharField(max_length=300, blank=True)
    total = models.PositiveIntegerField(default=0)
    row = models.PositiveIntegerField(default=0)
    added = models.PositiveIntegerField(default=0)
    updated = models.PositiveIntegerField(default=0)
    same = models.PositiveIntegerField(default=0)
    skipped = models.PositiveIntegerField(default=0)
    rejected = models.PositiveIntegerField(default=0)
    told = models.PositiveBigIntegerField(default=0)
    lease_until = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["workspace", "-id"], name="import_list"),
            models.Index(
                fields=["lease_until"],
                condition=models.Q(state__in=["checking", "running"]),
                name="import_under_way",
            ),
        ]

    def __str__(self) -> str:
        return text(self.name)

    @property
    def share(self) -> int:
        """Give how much is done, in percent."""
        return min(100, self.row * 100 // self.total) if self.total else 0

    @property
    def is_moving(self) -> bool:
        return self.state in (self.State.CHECKING, self.State.RUNNING)


class OptOut(models.Model):
    """A number (E.164) that must get no message from this workspace; `source` says how we know."""

    class Source(models.TextChoices):
        PROVIDER = "provider", _("told by the provider")
        PERSON = "person", _("added by hand")
        INVALID = "invalid", _("does not work")

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
