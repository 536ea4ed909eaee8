"""The activity log: who did what. Lines are added by those who know that something was done.

A line names people and things, and holds no texts, numbers of people written to, or secrets.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from allauth.core.internal.httpkit import get_client_ip
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts.models import Event, User, Workspace

# What can be done, and how it reads; what stands before the dot is what it was done to.
ACTIONS = {
    "person.login": _("Logged in"),
    "person.login_failed": _("Log-in refused"),
    "person.logout": _("Logged out"),
    "person.joined": _("Account made"),
    "person.password": _("Password changed"),
    "person.email": _("E-mail address changed"),
    "person.factor_added": _("Second factor added"),
    "person.factor_removed": _("Second factor removed"),
    "person.codes": _("Recovery codes made"),
    "person.connected": _("Connected to single sign-on"),
    "person.disconnected": _("Disconnected from single sign-on"),
    "person.sessions_ended": _("Logged out elsewhere"),
    "user.added": _("User added"),
    "user.edited": _("User edited"),
    "user.suspended": _("User suspended"),
    "user.reactivated": _("User reactivated"),
    "user.deleted": _("User deleted"),
    "user.factor_reset": _("Second factor reset"),
    "user.password_forced": _("New password demanded"),
    "user.password_sent": _("Link for a new password sent"),
    "user.logged_out": _("User logged out everywhere"),
    "user.imported": _("Users imported"),
    "impersonation.started": _("Acts as somebody else"),
    "impersonation.ended": _("Acts as themselves again"),
    "site.edited": _("Settings of the site changed"),
    "workspace.added": _("Workspace added"),
    "workspace.edited": _("Workspace edited"),
    "workspace.archived": _("Workspace archived"),
    "workspace.restored": _("Workspace restored"),
    "workspace.deleted": _("Workspace deleted"),
    "member.invited": _("Invited"),
    "member.renewed": _("Invitation renewed"),
    "member.revoked": _("Invitation revoked"),
    "member.joined": _("Joined"),
    "member.added": _("Member added"),
    "member.role": _("Role changed"),
    "member.limited": _("Limits of a sender changed"),
    "member.removed": _("Member removed"),
    "member.left": _("Left"),
    "phone.added": _("Phone added"),
    "phone.edited": _("Phone edited"),
    "phone.paused": _("Phone paused"),
    "phone.started": _("Phone started"),
    "phone.deleted": _("Phone deleted"),
    "phone.token": _("Callback addresses changed"),
    "campaign.started": _("Campaign started or scheduled"),
    "campaign.asked": _("Approval asked for"),
    "campaign.approved": _("Campaign approved"),
    "campaign.returned": _("Campaign sent back"),
    "campaign.taken_back": _("Request for approval taken back"),
    "campaign.paused": _("Campaign paused"),
    "campaign.resumed": _("Campaign resumed"),
    "campaign.cancelled": _("Campaign cancelled"),
    "campaign.retried": _("Failed messages tried again"),
    "campaign.exported": _("Recipients exported"),
    "quota.set": _("Quota set"),
    "quota.credited": _("Quota credited"),
    "quota.renewed": _("Quota renewed"),
    "quota.removed": _("Quota removed"),
    "contacts.exported": _("Contacts exported"),
    "contacts.stopped": _("Failing numbers stopped"),
    "contacts.deleted": _("Contacts deleted"),
    "contacts.erased": _("Person erased"),
}
# Groups to filter by: what stands before the dot.
KINDS = {
    "person": _("Log-ins and security"),
    "member": _("Members and invitations"),
    "phone": _("Phones"),
    "campaign": _("Campaigns"),
    "quota": _("Quotas"),
    "contacts": _("Exports and deletions"),
    "workspace": _("Workspaces"),
    "user": _("Users"),
    "site": _("Settings of the site"),
    "impersonation": _("Acting as somebody else"),
}


@dataclass(frozen=True, slots=True)
class Acting:
    """Who is behind what is done now: `user`, in whose place (`behalf`), from which IP address."""

    user: User | None = None
    behalf: User | None = None
    address: str | None = None


NOBODY = Acting()
# Set by the middleware for the time of a request; nobody in workers and on the command line.
acting: ContextVar[Acting] = ContextVar("acting", default=NOBODY)


def address_of(request: HttpRequest) -> str | None:
    """Give the IP address a request comes from, None where it cannot be told."""
    try:
        address: str | None = get_client_ip(request)
    except ImproperlyConfigured:  # fewer proxies in X-Forwarded-For than there should be
        return None
    return address


def record(
    action: str,
    *,
    subject: object = "",
    workspace: Workspace | None = None,
    actor: User | None = None,
    **details: Any,
) -> Event:
    """Add a line about an `action` of ACTIONS, done by whoever asks now, else by `actor`."""
    now = acting.get()
    who = now.user or actor
    return Event.objects.create(
        action=action,
        actor_id=who.pk if who else None,
        actor=str(who or ""),
        behalf_id=now.behalf.pk if now.behalf else None,
        behalf=str(now.behalf or ""),
        workspace_id=workspace.pk if workspace else None,
        workspace=workspace.name if workspace else "",
        subject=str(subject)[:254],
        details=details,
        address=now.address,
    )
