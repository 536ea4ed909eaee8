from importlib import import_module

from django.apps import AppConfig


class PhonesConfig(AppConfig):
    name = "phones"

    def ready(self) -> None:
        import_module("phones.checks")
        import_module("phones.receivers")
