"""Where the pages of phones are."""

from __future__ import annotations

from django.urls import path

from phones import limit_views, live_views, pool_views, price_views, views

urlpatterns = [
    path("phones/", views.phones, name="phones"),
    path("phones/types/", views.types, name="phone_types"),
    path("phones/add/", views.choose, name="phone_add"),
    path("phones/add/<slug:slug>/", views.new, name="phone_new"),
    path("phones/add/<slug:slug>/try/", views.try_new, name="phone_try"),
    path("phones/groups/", pool_views.table, name="pools"),
    path("phones/groups/add/", pool_views.add, name="pool_add"),
    path("phones/groups/<int:pk>/", pool_views.edit, name="pool_edit"),
    path("phones/groups/<int:pk>/delete/", pool_views.delete, name="pool_delete"),
    path("phones/<int:pk>/", views.phone, name="phone"),
    path("phones/<int:pk>/addresses/", views.addresses, name="phone_addresses"),
    path("phones/<int:pk>/addresses/new/", views.rotate, name="phone_rotate"),
    path("phones/<int:pk>/addresses/set/", views.connect, name="phone_connect"),
    path("phones/<int:pk>/edit/", views.edit, name="phone_edit"),
    path("phones/<int:pk>/edit/try/", views.try_edit, name="phone_edit_try"),
    path("phones/<int:pk>/check/", views.check, name="phone_check"),
    path("phones/<int:pk>/balance/", views.balance, name="phone_balance"),
    path("phones/<int:pk>/pause/", views.pause, name="phone_pause"),
    path("phones/<int:pk>/start/", views.start, name="phone_start"),
    path("phones/<int:pk>/binds/", live_views.binds, name="phone_binds"),
    path("phones/<int:pk>/trace/", live_views.trace, name="phone_trace"),
    path("phones/<int:pk>/limits/", limit_views.page, name="phone_limits"),
    path("phones/<int:pk>/limits/set/", limit_views.set_limit, name="phone_limit_set"),
    path("phones/<int:pk>/limits/remove/", limit_views.remove_limit, name="phone_limit_remove"),
    path("phones/<int:pk>/limits/watch/", limit_views.watch, name="phone_watch"),
    path("phones/<int:pk>/prices/", price_views.table, name="phone_prices"),
    path("phones/<int:pk>/prices/set/", price_views.set_price, name="phone_price_set"),
    path("phones/<int:pk>/prices/remove/", price_views.remove, name="phone_price_remove"),
    path("phones/<int:pk>/prices/fetch/", price_views.fetch, name="phone_prices_fetch"),
    path("phones/<int:pk>/prices/import/", price_views.load, name="phone_prices_import"),
    path("phones/<int:pk>/prices/prices.csv", price_views.export, name="phone_prices_export"),
    path("phones/<int:pk>/delete/", views.delete, name="phone_delete"),
]
