"""Hide secrets in what people may read: exchanges with providers, logs, errors."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

HIDDEN = "•••"
# Headers whose value is a credential whatever the provider.
_HEADERS = {"authorization", "proxy-authorization", "cookie", "set-cookie", "x-api-key", "api-key"}
# Characters. Shorter values would blank out ordinary words.
_SHORTEST = 4


class Redactor:
    """Replace each of `secrets` wherever it appears, as it is, URL-encoded or inside Basic credentials.

    >>> Redactor(["hunter22"]).text("password=hunter22")
    'password=•••'
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        forms: set[str] = set()
        for secret in secrets:
            if len(secret) >= _SHORTEST:
                encoded = base64.b64encode(secret.encode()).decode()
                forms |= {secret, quote(secret, safe=""), quote_plus(secret), encoded}
        # Longest first, so that a secret that contains another is hidden whole.
        self._forms = sorted(forms, key=len, reverse=True)

    def text(self, value: str) -> str:
        """Give `value` with every secret hidden."""
        for form in self._forms:
            value = value.replace(form, HIDDEN)
        return value

    def headers(self, values: Iterable[tuple[str, str]]) -> str:
        """Give headers as lines, credentials hidden."""
        return "\n".join(
            f"{name}: {HIDDEN if name.lower() in _HEADERS else self.text(value)}"
            for name, value in values
        )
