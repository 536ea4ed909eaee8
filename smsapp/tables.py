"""Django's admin at /administration/tables/: rows as they are stored, for who looks for a fault.

Nothing can be changed there, since what our pages change has consequences that a row knows nothing of. And
it shows only what kind of thing a row is, and when: nothing that people wrote, no number, name of a contact
or secret. Who must see those acts as a member of the workspace, which the activity log tells.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.contrib.admin import AdminSite, ModelAdmin, ShowFacets
from django.db import models
from django.db.models import Max, QuerySet
from django.http import HttpRequest
from django.urls import URLPattern
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from accounts.http import administrator

if TYPE_CHECKING:
    AnyModelAdmin = ModelAdmin[models.Model]
else:
    AnyModelAdmin = ModelAdmin

OURS = ("accounts", "contacts", "phones", "messaging", "campaigns")
PER_PAGE = 50
# Rows of the newest so many numbers are listed, so that no list counts millions; search finds the others.
MOST = 10_000
COLUMNS = 12
# Texts that say what a thing is; all others might be somebody's words.
_NAMING = {
    "accounts.Event": {"action"},
    "accounts.User": {"email", "language", "time_zone"},
    "accounts.Workspace": {"name", "country", "time_zone"},
    "campaigns.Campaign": {"time_zone"},
    "campaigns.Recurrence": {"rule", "zone"},
    "campaigns.Tally": {"status", "country"},
    "contacts.Field": {"key"},
    "messaging.Activity": {"status"},
    "messaging.Message": {"encoding", "code"},
    "messaging.Report": {"state", "code"},
    "messaging.Segment": {"state", "code"},
    "phones.EndpointCall": {"endpoint"},
    "phones.Exchange": {"method"},
    "phones.Lease": {"host", "process"},
    "phones.Phone": {"name", "type"},
    "phones.Pool": {"name"},
}
_PLAIN = (
    models.BooleanField,
    models.DateField,
    models.ForeignKey,
    models.IntegerField,
    models.FloatField,
)


def shown(model: type[models.Model]) -> list[str]:
    """Give the columns of `model` that reveal nothing, the primary key first."""
    naming = _NAMING.get(model._meta.label, set())
    return [
        str(field.attname)
        for field in model._meta.concrete_fields
        if isinstance(field, _PLAIN) or field.choices or field.name in naming
    ]


class Rows(AnyModelAdmin):
    """The rows of one table, to look at."""

    actions = None
    list_per_page = PER_PAGE
    list_max_show_all = PER_PAGE
    ordering = ("-pk",)
    search_fields = ("pk",)
    search_help_text = _("The number of a row (id)")
    show_facets = ShowFacets.NEVER
    show_full_result_count = False
    sortable_by = ()

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = super().get_queryset(request)
        match = request.resolver_match
        if request.GET.get("q") or not (match and str(match.url_name).endswith("_changelist")):
            return rows
        return rows.filter(pk__gt=(rows.aggregate(last=Max("pk"))["last"] or 0) - MOST)

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        return shown(self.model)[:COLUMNS]

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        return shown(self.model)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return shown(self.model)

    def get_list_filter(self, request: HttpRequest) -> list[Any]:
        return [field.name for field in self.model._meta.concrete_fields if field.choices]

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Refuse questions about columns that are not shown: answers would reveal them."""
        return lookup.removesuffix("__exact") in self.get_list_filter(request)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        if not search_term:
            return queryset, False
        is_number = search_term.isascii() and search_term.isdigit() and len(search_term) < 19
        return (queryset.filter(pk=search_term) if is_number else queryset.none()), False

    def get_urls(self) -> list[URLPattern]:
        return [
            url for url in super().get_urls() if str(url.name).endswith(("_changelist", "_change"))
        ]

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return True

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class Tables(AdminSite):
    """The admin, behind the gate of the administration and without doors of its own."""

    site_header = index_title = _("Tables")
    site_title = "smsapp"
    enable_nav_sidebar = False
    _KEPT = ("index", "app_list", "jsi18n")

    def get_urls(self) -> list[Any]:
        return [
            url
            for url in super().get_urls()
            if not isinstance(url, URLPattern) or url.name in self._KEPT
        ]

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        """Name each table as the code does: a plural made by adding an s misleads, and is not always one."""
        found: list[Any] = super().get_app_list(request, app_label)
        for app in found:
            for table in app["models"]:
                table["name"] = table["object_name"]
        return found

    def has_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.is_active and request.user.is_superuser)

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        return administrator(require_safe(super().admin_view(view, cacheable)))


def tables() -> Tables:
    """Give the admin of all our models."""
    site = Tables()
    for name in OURS:
        site.register(list(apps.get_app_config(name).get_models()), Rows)
    return site
