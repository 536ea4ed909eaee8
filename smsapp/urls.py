"""Where everything is."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path
from django.views.i18n import set_language

from smsapp import metrics, system, usage_views, views
from smsapp.tables import tables

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("messaging.urls")),  # first: providers ask most
    path("", views.home, name="home"),
    path("more/", views.more, name="more"),
    path("healthz", views.healthz, name="healthz"),
    path("readyz", views.readyz, name="readyz"),
    path("metrics", metrics.metrics, name="metrics"),
    path("favicon.ico", views.favicon, name="favicon"),
    path("administration/system/", system.system, name="system"),
    path("administration/system/ask/", system.system_ask, name="system_ask"),
    path("administration/tables/", tables().urls),
    path("usage/", usage_views.workspace_usage, name="usage"),
    path("usage/export/", usage_views.workspace_usage_export, name="usage_export"),
    path("administration/usage/", usage_views.site_usage, name="admin_usage"),
    path("administration/usage/export/", usage_views.site_usage_export, name="admin_usage_export"),
    path("language/", set_language, name="set_language"),
    # Each app's urls.py holds its whole paths, so that a page is found by searching its address.
    path("", include("accounts.urls")),
    path("", include("contacts.urls")),
    path("", include("phones.urls")),
    path("", include("campaigns.urls")),
]

handler400 = "smsapp.views.bad_request"
handler403 = "smsapp.views.forbidden"
handler404 = "smsapp.views.not_found"
handler500 = "smsapp.views.server_error"
