"""Where passkeys can be: browsers make them for names, not for IP addresses, and only over TLS."""

from __future__ import annotations

import ipaddress

from django.http import HttpRequest


def passkeys_work(request: HttpRequest) -> bool:
    """Say whether browsers make passkeys here: they want a name, and TLS but for localhost.

    https://www.w3.org/TR/webauthn-3/#relying-party-identifier, read in November 2026.
    """
    host = request.get_host().rpartition(":")[0] or request.get_host()
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return request.is_secure() or host == "localhost" or host.endswith(".localhost")
    return False
