from django.apps import AppConfig


class MessagingConfig(AppConfig):
    name = "messaging"

    def ready(self) -> None:
        from messaging import holding, receivers, segments  # noqa: F401, PLC0415  models are loaded only now
