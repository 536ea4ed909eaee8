"""Where the pages of campaigns and saved texts are."""

from __future__ import annotations

from django.urls import path

from campaigns.views import (
    checking,
    failing,
    lists,
    recurring,
    showing,
    steering,
    tags,
    texts,
    writing,
)

urlpatterns = [
    path("campaigns/", lists.campaigns, name="campaigns"),
    path("campaigns/new/", writing.new, name="campaign_new"),
    path("campaigns/tags/", tags.tags, name="campaigns_tags"),
    path("campaigns/failing/", failing.failing, name="campaigns_failing"),
    path("campaigns/failing/export/", failing.export, name="campaigns_failing_export"),
    path("campaigns/failing/stop/", failing.stop, name="campaigns_failing_stop"),
    path("campaigns/failing/undo/", failing.undo, name="campaigns_failing_undo"),
    path("campaigns/<int:pk>/", showing.campaign, name="campaign"),
    path("campaigns/<int:pk>/write/", writing.write, name="campaign_write"),
    path("campaigns/<int:pk>/edit/", writing.edit, name="campaign_edit"),
    path("campaigns/<int:pk>/preview/", writing.preview, name="campaign_preview"),
    path("campaigns/<int:pk>/check/", checking.check, name="campaign_check"),
    path("campaigns/<int:pk>/check/left-out/", checking.left_out, name="campaign_left_out"),
    path("campaigns/<int:pk>/start/", checking.start, name="campaign_start"),
    path("campaigns/<int:pk>/export/", showing.export, name="campaign_export"),
    path("campaigns/<int:pk>/pause/", steering.pause, name="campaign_pause"),
    path("campaigns/<int:pk>/resume/", steering.resume, name="campaign_resume"),
    path("campaigns/<int:pk>/cancel/", steering.cancel, name="campaign_cancel"),
    path("campaigns/<int:pk>/retry/", steering.retry, name="campaign_retry"),
    path("campaigns/<int:pk>/duplicate/", steering.duplicate, name="campaign_duplicate"),
    path("campaigns/<int:pk>/delete/", steering.delete, name="campaign_delete"),
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
