"""Where the pages of campaigns and saved texts are."""

from __future__ import annotations

from django.urls import path

from campaigns.views import texts

urlpatterns = [
    path("texts/", texts.texts, name="texts"),
    path("texts/add/", texts.text_add, name="text_add"),
    path("texts/check/", texts.text_check, name="text_check"),
    path("texts/menu/", texts.texts_menu, name="texts_menu"),
    path("texts/<int:pk>/edit/", texts.text_edit, name="text_edit"),
    path("texts/<int:pk>/delete/", texts.text_delete, name="text_delete"),
]
