"""Under which names and addresses the site can be reached from where it listens."""

from __future__ import annotations

import socket

_EVERYWHERE = ("0.0.0.0", "::", "")  # noqa: S104 - compared with, not listened on


def with_port(host: str, port: int) -> str:
    """Give `host:port` as addresses write it, IPv6 in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def public_host(host: str) -> str:
    """Give the name others may use for a site that listens on `host`."""
    return _own_address() if host in _EVERYWHERE else host


def loopback_host(host: str) -> str:
    """Give the address under which this machine itself reaches a site that listens on `host`."""
    if host in _EVERYWHERE:
        return "::1" if host == "::" else "127.0.0.1"
    return host


def allowed_hosts(host: str) -> list[str]:
    """Give the names a site that listens on `host` answers to, in Django's ALLOWED_HOSTS form."""
    names = [public_host(host)]
    if host in _EVERYWHERE:
        names.append(socket.gethostname())
    return [f"[{name}]" if ":" in name else name for name in names]


def free_loopback_port() -> int:
    """Give a port on 127.0.0.1 that nobody listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def _own_address() -> str:
    """Give this machine's address on its network; 127.0.0.1 without a network."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as route:
        try:
            # Sends nothing: the system only chooses the way to an address kept for documentation.
            route.connect(("192.0.2.1", 9))
            address: str = route.getsockname()[0]
            return address
        except OSError:
            return "127.0.0.1"
