"""Whom: opt-outs."""

from __future__ import annotations

from django.urls import URLPattern, path

from contacts import views

urlpatterns: list[URLPattern] = [
    path("opt-outs/", views.opt_outs, name="opt_outs"),
    path("opt-outs/add/", views.opt_out_add, name="opt_out_add"),
    path("opt-outs/<int:pk>/remove/", views.opt_out_remove, name="opt_out_remove"),
]
