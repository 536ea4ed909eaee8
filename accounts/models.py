"""Who: people, the workspaces they share, and what each may do there."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts import roles
from accounts.roles import Hidden, Role
from lib.masks import Eyes
from lib.vault import EncryptedJSONField

__all__ = [
    "EmailChange",
    "Event",
    "Invitation",
    "Membership",
    "Role",
    "Site",
    "Theme",
    "User",
    "Workspace",
]

# How long an invitation can be taken up.
INVITATION_LIFE = timedelta(days=14)


class UserManager(BaseUserManager["User"]):
    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        """Add a person; the e-mail address is stored in lower case."""
        user = self.model(email=email.strip().lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> User:
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)

    def get_by_natural_key(self, username: str | None) -> User:
        return self.get(email=(username or "").lower())


class Theme(models.TextChoices):
    SYSTEM = "", _("Like the system")
    LIGHT = "light", _("Light")
    DARK = "dark", _("Dark")


class User(AbstractBaseUser, PermissionsMixin):
    """A person. `is_superuser` marks a site administrator; everything else comes from memberships."""

    email = models.EmailField(_("e-mail"), unique=True)
    name = models.CharField(_("name"), max_length=100, blank=True)
    language = models.CharField(_("language"), max_length=5, blank=True)
    time_zone = models.CharField(_("time zone"), max_length=64, blank=True)
    theme = models.CharField(
        _("appearance"), max_length=5, blank=True, choices=Theme.choices, default=Theme.SYSTEM
    )
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=timezone.now)
    last_seen_at = models.DateTimeField(null=True, blank=True)
    must_change_password = models.BooleanField(default=False)

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []
    objects: ClassVar[UserManager] = UserManager()

    def __str__(self) -> str:
        return self.name or self.email

    def get_short_name(self) -> str:
        return self.name.split(" ")[0] if self.name else self.email


class Workspace(models.Model):
    """What people share: phones, messages, conversations. Everything belongs to exactly one.

    `country` (ISO 3166 alpha-2) explains numbers in national form; `time_zone` is an IANA name.
    Nobody enters an archived one, and its phones pause; one that is `deleting_at` is gone soon. Texts and
    messages are kept for so many days, or as the site says (None; see accounts.site). `numbers_hidden`
    says from whom the numbers of people are (lib.masks).
    """

    name = models.CharField(_("name"), max_length=100)
    description = models.CharField(_("description"), max_length=100, blank=True)
    country = models.CharField(_("country"), max_length=2, default="FR")
    time_zone = models.CharField(_("time zone"), max_length=64, default="Europe/Paris")
    numbers_hidden = models.CharField(
        _("hide numbers from"), max_length=10, blank=True, choices=Hidden.choices, default=""
    )
    created_at = models.DateTimeField(default=timezone.now)
    archived_at = models.DateTimeField(null=True, blank=True)
    deleting_at = models.DateTimeField(null=True, blank=True)
    keep_texts_days = models.PositiveSmallIntegerField(null=True, blank=True)
    keep_messages_days = models.PositiveSmallIntegerField(null=True, blank=True)

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    """A person's role in a workspace. `limits` are those of a sender (see accounts.limits)."""

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, models.CASCADE, related_name="memberships")
    role = models.CharField(_("role"), max_length=10, choices=Role.choices)
    limits = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workspace", "user"], name="one_role_per_workspace"),
            models.CheckConstraint(condition=models.Q(role__in=Role.values), name="known_role"),
        ]

    def __str__(self) -> str:
        return f"{self.user} ({self.role})"

    def may(self, action: str) -> bool:
        """Say whether the role allows an action of accounts.roles."""
        return roles.allows(self.role, action)

    @property
    def is_masked(self) -> bool:
        """Say whether the numbers of people are hidden from this member."""
        return roles.hides(self.workspace.numbers_hidden, self.role)

    @property
    def eyes(self) -> Eyes:
        """Give whose eyes read what is shown to this member."""
        return Eyes(self.workspace_id, self.is_masked)

    @property
    def may_send(self) -> bool:
        return self.may(roles.SEND)

    @property
    def may_manage(self) -> bool:
        """Phones, people and the workspace's settings."""
        return self.may(roles.MANAGE)

    @property
    def may_keep_contacts(self) -> bool:
        """Contacts, groups, segments: who may write to some only does not say who belongs there."""
        return self.may_send and not self._is_limited_by(roles.PEOPLE)

    @property
    def must_ask(self) -> bool:
        """Say whether what they write must be approved."""
        return self._is_limited_by(roles.APPROVAL)

    def _is_limited_by(self, name: str) -> bool:
        return self.role == Role.SENDER and bool(self.limits.get(name))


class Invitation(models.Model):
    """An open door to a workspace, for one person. Only the SHA-256 of its token is kept.

    `email` empty = whoever has the link.
    """

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="invitations")
    email = models.EmailField(_("e-mail"), blank=True)
    role = models.CharField(_("role"), max_length=10, choices=Role.choices, default=Role.SENDER)
    limits = models.JSONField(default=dict, blank=True)
    token_hash = models.CharField(max_length=64, unique=True)
    invited_by = models.ForeignKey(User, models.CASCADE, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    accepted_at = models.DateTimeField(null=True, blank=True)
    accepted_by = models.ForeignKey(User, models.SET_NULL, null=True, blank=True, related_name="+")

    def __str__(self) -> str:
        return self.email or "link"

    @property
    def is_open(self) -> bool:
        is_fresh = timezone.now() < self.created_at + INVITATION_LIFE
        return self.accepted_at is None and is_fresh and self.workspace.archived_at is None


class EmailChange(models.Model):
    """Another e-mail address that somebody wants to log in with. Both addresses have to agree."""

    user = models.OneToOneField(User, models.CASCADE, related_name="email_change")
    email = models.EmailField(_("new e-mail"))
    created_at = models.DateTimeField(default=timezone.now)
    old_agreed_at = models.DateTimeField(null=True, blank=True)
    new_agreed_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.user_id} → {self.email}"


class Site(models.Model):
    """What administrators set for the whole site: one row. None and "" leave it to the environment.

    `password_length` is characters; `signup_domains` are separated by spaces. What is kept for None days of
    texts and messages is kept for good. A `mail_host` wins over EMAIL_URL; `mail_secrets` holds its password.
    `left_out` are parts of the site that nobody has (accounts.features).
    """

    name = models.CharField(_("name"), max_length=60, default="smsapp")
    logo = models.BinaryField(null=True, blank=True)
    logo_type = models.CharField(max_length=20, blank=True)
    language = models.CharField(_("language"), max_length=5, blank=True)
    country = models.CharField(_("country"), max_length=2, blank=True)
    time_zone = models.CharField(_("time zone"), max_length=64, blank=True)
    signup_open = models.BooleanField(null=True)
    signup_domains = models.CharField(max_length=1000, null=True, blank=True)  # noqa: DJ001
    second_factor = models.CharField(max_length=20, blank=True)
    password_length = models.PositiveSmallIntegerField(default=10)
    keep_exchanges_days = models.PositiveSmallIntegerField(null=True)
    keep_texts_days = models.PositiveSmallIntegerField(null=True)
    keep_messages_days = models.PositiveSmallIntegerField(null=True)
    mail_host = models.CharField(max_length=253, blank=True)
    mail_port = models.PositiveIntegerField(default=587)
    mail_security = models.CharField(max_length=10, default="starttls")
    mail_user = models.CharField(max_length=254, blank=True)
    mail_secrets = EncryptedJSONField(default=dict)
    mail_from = models.CharField(max_length=254, blank=True)
    left_out = models.JSONField(default=list, blank=True)
    changed_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(pk=1), name="one_site")]

    def __str__(self) -> str:
        return self.name


class AppendOnly(models.QuerySet["Event"]):
    """Rows that nobody changes or takes away."""

    def update(self, **_fields: Any) -> int:
        raise TypeError("The activity log only grows.")

    def delete(self) -> tuple[int, dict[str, int]]:
        raise TypeError("The activity log only grows.")


class Event(models.Model):
    """One line of the activity log: who did what, when, to what, in which workspace, from where.

    Names are copies, so that lines outlive whom and what they are about. `details` is small and
    holds no texts, numbers or secrets. `behalf` is the person in whose place an administrator acted.
    """

    at = models.DateTimeField(default=timezone.now)
    action = models.CharField(max_length=40)
    actor_id = models.BigIntegerField(null=True)
    actor = models.CharField(max_length=254, blank=True)
    behalf_id = models.BigIntegerField(null=True)
    behalf = models.CharField(max_length=254, blank=True)
    workspace_id = models.BigIntegerField(null=True)
    workspace = models.CharField(max_length=100, blank=True)
    subject = models.CharField(max_length=254, blank=True)
    details = models.JSONField(default=dict)
    address = models.GenericIPAddressField(null=True)

    objects = AppendOnly.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["workspace_id", "-id"], name="events_of_workspace"),
            models.Index(fields=["actor_id", "-id"], name="events_of_person"),
        ]

    def __str__(self) -> str:
        return f"{self.actor or '–'}: {self.action} {self.subject}".strip()

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Add the line. Raises TypeError when it is there already."""
        if not self._state.adding:
            raise TypeError("The activity log only grows.")
        super().save(*args, **kwargs)

    def delete(self, *_args: Any, **_kwargs: Any) -> tuple[int, dict[str, int]]:
        raise TypeError("The activity log only grows.")
