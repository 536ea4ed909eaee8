from __future__ import annotations

from importlib import import_module

from django.apps import AppConfig


class ContactsConfig(AppConfig):
    name = "contacts"

    def ready(self) -> None:
        import_module("contacts.importing.holding")
        import_module("contacts.circles")
