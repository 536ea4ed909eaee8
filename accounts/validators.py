"""What a password must be, besides Django's own demands."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.utils.functional import lazy
from django.utils.translation import gettext as _

from accounts import site


def hint() -> str:
    words = _("At least %(count)s characters. A few words are easy to remember.")
    return words % {"count": site.current().password_length}


# Read when a form is shown, in its language.
PASSWORD_HINT = lazy(hint, str)()


class LengthValidator:
    """Want as many characters as the site's settings say."""

    def validate(self, password: str, user: Any = None) -> None:
        """Raise ValidationError for a shorter one."""
        wanted = site.current().password_length
        if len(password) < wanted:
            words = _("This password is too short: it needs %(count)s characters.")
            raise ValidationError(words % {"count": wanted}, code="password_too_short")

    def get_help_text(self) -> str:
        return hint()
