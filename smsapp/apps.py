from django.apps import AppConfig
from django.conf import settings

from smsapp import sentry


class SmsappConfig(AppConfig):
    name = "smsapp"

    def ready(self) -> None:
        if settings.SENTRY_DSN:
            sentry.start(settings.SENTRY_DSN, release=settings.VERSION)
