"""People: entering, settings, invitations. Log-in pages keep django-allauth's names."""

from __future__ import annotations

from django.urls import URLPattern, path, re_path

from accounts import entrance, joining, passwords, people, views

urlpatterns: list[URLPattern] = [
    path("setup/", entrance.first_run, name="setup"),
    path("setup/site/", entrance.first_workspace, name="setup_site"),
    path("login/", passwords.login, name="account_login"),
    path("logout/", passwords.logout, name="account_logout"),
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
    path("settings/people/", people.people, name="people"),
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
]
