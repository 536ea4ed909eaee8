"""Where the pages of campaigns and saved texts are."""

from __future__ import annotations

from django.urls import path

from campaigns.views import recurring, texts

urlpatterns = [
    path("campaigns/<int:pk>/when/", recurring.when, name="campaign_when"),
    path("campaigns/recurring/", recurring.recurrences, name="recurrences"),
    path("campaigns/recurring/preview/", recurring.preview, name="recurrences_preview"),
    path("campaigns/recurring/<int:pk>/", recurring.recurrence, name="recurrence"),
    path("campaigns/recurring/<int:pk>/begin/", recurring.begin, name="recurrence_begin"),
    path("campaigns/recurring/<int:pk>/pause/", recurring.pause, name="recurrence_pause"),
    path("campaigns/recurring/<int:pk>/resume/", recurring.resume, name="recurrence_resume"),
    path("campaigns/recurring/<int:pk>/end/", recurring.end, name="recurrence_end"),
    path("campaigns/recurring/<int:pk>/skip/", recurring.skip, name="recurrence_skip"),
    path("campaigns/recurring/<int:pk>/unskip/", recurring.unskip, name="recurrence_unskip"),
    path("campaigns/recurring/<int:pk>/prepare/", recurring.prepare, name="recurrence_prepare"),
    path("texts/", texts.texts, name="texts"),
    path("texts/add/", texts.text_add, name="text_add"),
    path("texts/check/", texts.text_check, name="text_check"),
    path("texts/menu/", texts.texts_menu, name="texts_menu"),
    path("texts/<int:pk>/edit/", texts.text_edit, name="text_edit"),
    path("texts/<int:pk>/delete/", texts.text_delete, name="text_delete"),
]
