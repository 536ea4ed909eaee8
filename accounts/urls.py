"""People: entering, settings, invitations. Log-in pages keep django-allauth's names."""

from __future__ import annotations

from django.urls import URLPattern, path, re_path

from accounts import (
    activity_views,
    emails,
    entrance,
    factors,
    joining,
    passwords,
    people,
    security,
    single_sign_on,
    views,
)
from accounts.administration import importing, users, workspaces

_USER = "administration/users/<int:pk>/"
_WORKSPACE = "administration/workspaces/<int:pk>/"
urlpatterns: list[URLPattern] = [
    path("setup/", entrance.first_run, name="setup"),
    path("setup/site/", entrance.first_workspace, name="setup_site"),
    path("login/", passwords.login, name="account_login"),
    path("logout/", passwords.logout, name="account_logout"),
    path("login/code/", factors.authenticate, name="mfa_authenticate"),
    path("login/passkey/", factors.login_by_passkey, name="mfa_login_webauthn"),
    path("login/again/", factors.reauthenticate, name="account_reauthenticate"),
    path("login/again/code/", factors.reauthenticate_by_code, name="mfa_reauthenticate"),
    path(
        "login/again/passkey/",
        factors.reauthenticate_by_passkey,
        name="mfa_reauthenticate_webauthn",
    ),
    path("login/with/cancelled/", single_sign_on.cancelled, name="socialaccount_login_cancelled"),
    path("login/with/<slug:provider_id>/", single_sign_on.login, name="openid_connect_login"),
    path(
        "login/with/<slug:provider_id>/callback/",
        single_sign_on.callback,
        name="openid_connect_callback",
    ),
    path("login/inactive/", passwords.inactive, name="account_inactive"),
    path("signup/", entrance.sign_up, name="account_signup"),
    path("signup/<str:token>/", entrance.sign_up_finish, name="sign_up_finish"),
    path("password/", passwords.change, name="account_change_password"),
    path("password/reset/", passwords.reset, name="account_reset_password"),
    path("password/reset/sent/", passwords.reset_done, name="account_reset_password_done"),
    path(
        "password/reset/done/",
        passwords.reset_from_key_done,
        name="account_reset_password_from_key_done",
    ),
    re_path(
        r"^password/reset/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$",
        passwords.reset_from_key,
        name="account_reset_password_from_key",
    ),
    path("join/<str:token>/", joining.invitation, name="invitation"),
    path("settings/", views.settings_workspace, name="settings_workspace"),
    path("settings/me/", views.profile, name="profile"),
    path("settings/security/", security.security, name="mfa_index"),
    path("settings/security/app/", factors.activate_app, name="mfa_activate_totp"),
    path("settings/security/app/remove/", factors.deactivate_app, name="mfa_deactivate_totp"),
    path("settings/security/codes/", factors.codes, name="mfa_view_recovery_codes"),
    path("settings/security/codes/new/", factors.make_codes, name="mfa_generate_recovery_codes"),
    path(
        "settings/security/codes/file/",
        factors.download_codes,
        name="mfa_download_recovery_codes",
    ),
    path("settings/security/passkeys/add/", factors.add_passkey, name="mfa_add_webauthn"),
    path(
        "settings/security/passkeys/<int:pk>/rename/",
        factors.rename_passkey,
        name="mfa_edit_webauthn",
    ),
    path(
        "settings/security/passkeys/<int:pk>/remove/",
        factors.remove_passkey,
        name="mfa_remove_webauthn",
    ),
    path("settings/security/sessions/end/", security.sessions_end, name="sessions_end"),
    path("settings/security/sessions/<int:pk>/end/", security.session_end, name="session_end"),
    path("settings/security/email/", emails.change, name="email_change"),
    path("settings/security/email/cancel/", emails.cancel, name="email_cancel"),
    path("email/<str:token>/", emails.agree, name="email_agree"),
    path("settings/people/", people.people, name="people"),
    path("settings/people/roles/", people.roles_page, name="people_roles"),
    path("settings/activity/", activity_views.workspace_activity, name="activity"),
    path("settings/people/invite/", people.invite, name="people_invite"),
    path("settings/people/<int:pk>/role/", people.member_role, name="people_role"),
    path("settings/people/<int:pk>/remove/", people.member_remove, name="people_remove"),
    path(
        "settings/people/invitations/<int:pk>/renew/",
        people.invitation_renew,
        name="invitation_renew",
    ),
    path(
        "settings/people/invitations/<int:pk>/revoke/",
        people.invitation_revoke,
        name="invitation_revoke",
    ),
    path("workspaces/switch/", views.workspace_switch, name="workspace_switch"),
    path("workspaces/none/", views.workspace_missing, name="workspace_missing"),
    path("impersonation/stop/", users.impersonation_stop, name="impersonation_stop"),
    path("administration/", users.users, name="admin_users"),
    path("administration/users/add/", users.user_add, name="admin_user_add"),
    path("administration/users/import/", importing.users_import, name="admin_users_import"),
    path("administration/users/change/", users.users_change, name="admin_users_change"),
    path(_USER, users.user, name="admin_user"),
    path(f"{_USER}edit/", users.user_edit, name="admin_user_edit"),
    path(f"{_USER}delete/", users.user_delete, name="admin_user_delete"),
    path(
        "administration/users/<int:pk>/impersonate/",
        users.user_impersonate,
        name="admin_user_impersonate",
    ),
    path("administration/workspaces/", workspaces.workspaces, name="admin_workspaces"),
    path("administration/workspaces/add/", workspaces.workspace_add, name="admin_workspace_add"),
    path(_WORKSPACE, workspaces.workspace, name="admin_workspace"),
    path(
        f"{_WORKSPACE}members/",
        workspaces.member_add,
        name="admin_workspace_member_add",
    ),
    path(
        f"{_WORKSPACE}members/<int:member>/",
        workspaces.member_change,
        name="admin_workspace_member",
    ),
    path(
        f"{_WORKSPACE}transfer/",
        workspaces.transfer,
        name="admin_workspace_transfer",
    ),
    path(
        f"{_WORKSPACE}archive/",
        workspaces.archive,
        name="admin_workspace_archive",
    ),
    path(
        f"{_WORKSPACE}restore/",
        workspaces.restore,
        name="admin_workspace_restore",
    ),
    path(
        f"{_WORKSPACE}delete/",
        workspaces.delete,
        name="admin_workspace_delete",
    ),
    path("administration/activity/", activity_views.site_activity, name="admin_activity"),
]
