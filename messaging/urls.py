"""Where the pages of messages are, and what providers call."""

from __future__ import annotations

from django.urls import path, re_path

from messaging import callbacks
from messaging.views import calls, carriers, compose, files, inbox, messages, quiet, quota

_WORKSPACE = "administration/workspaces/<int:pk>/quota/"
urlpatterns = [
    # First, since they are asked for most: others are found after two looks more.
    # With or without the slash: a provider does not follow a redirect with its POST.
    re_path(
        r"^c/ex/(?P<token>[A-Za-z0-9_-]+)/(?P<endpoint>[a-z_]+)/?$",
        callbacks.callback,
        name="channel",
    ),
    re_path(
        r"^callbacks/(?P<token>[A-Za-z0-9_-]+)/(?P<endpoint>[a-z_]+)/?$",
        callbacks.callback,
        name="callback",
    ),
    path("compose/", compose.compose, name="compose"),
    path("compose/recipients/", compose.recipients, name="compose_recipients"),
    path("compose/preview/", compose.preview, name="compose_preview"),
    path("messages/", messages.messages, name="messages"),
    path("messages/cancel/", messages.cancel_many, name="messages_cancel"),
    path("messages/settle/", messages.settle_many, name="messages_settle"),
    path("messages/<int:pk>/", messages.message, name="message"),
    path("messages/<int:pk>/cancel/", messages.cancel, name="message_cancel"),
    path("messages/<int:pk>/now/", messages.send_now, name="message_now"),
    path("messages/<int:pk>/resend/", messages.resend, name="message_resend"),
    path("messages/<int:pk>/settle/", messages.settle, name="message_settle"),
    path("messages/<int:pk>/move/", messages.move, name="message_move"),
    path("inbox/", inbox.inbox, name="inbox"),
    path("inbox/<int:pk>/", inbox.conversation, name="conversation"),
    path("inbox/<int:pk>/unread/", inbox.unread, name="conversation_unread"),
    path("calls/", calls.calls, name="calls"),
    path("carriers/", carriers.carriers, name="carriers"),
    path("carriers/add/", carriers.carrier_add, name="carrier_add"),
    path("carriers/import/", carriers.carrier_import, name="carrier_import"),
    path("carriers/<int:pk>/remove/", carriers.carrier_remove, name="carrier_remove"),
    path("settings/quiet-hours/", quiet.quiet_hours, name="quiet_hours"),
    path("settings/quiet-hours/add/", quiet.add, name="quiet_hours_add"),
    path("settings/quiet-hours/<int:pk>/", quiet.edit, name="quiet_hours_edit"),
    path("settings/quiet-hours/<int:pk>/delete/", quiet.delete, name="quiet_hours_delete"),
    path("settings/quota/", quota.quota, name="quota"),
    path("settings/quota/people/<int:pk>/", quota.person_quota, name="quota_person"),
    path("settings/quota/people/<int:pk>/credit/", quota.person_credit, name="quota_person_credit"),
    path("settings/quota/people/<int:pk>/renew/", quota.person_renew, name="quota_person_renew"),
    path("settings/quota/people/<int:pk>/remove/", quota.person_remove, name="quota_person_remove"),
    path(_WORKSPACE, quota.workspace_quota, name="admin_workspace_quota"),
    path(f"{_WORKSPACE}credit/", quota.workspace_credit, name="admin_workspace_quota_credit"),
    path(f"{_WORKSPACE}renew/", quota.workspace_renew, name="admin_workspace_quota_renew"),
    path(f"{_WORKSPACE}remove/", quota.workspace_remove, name="admin_workspace_quota_remove"),
    path("files/<int:pk>/", files.file, name="file"),
    re_path(r"^media/(?P<token>[^/]+)/?$", files.public, name="media_public"),
]
