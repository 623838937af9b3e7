"""Which requests the servers answer: those of programs on this machine, never of a web page.

A page in a browser may send a form to a server on loopback, and, once its own name resolves to
loopback, read the answer. A browser names the page in Origin and the name in Host.
"""

from collections.abc import Mapping

LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})


def why_refused(headers: Mapping[str, str]) -> str | None:
    """Return why a request is refused; None where it is not. Names of headers are lower-case."""
    if "origin" in headers:
        return "requests of web pages (Origin) are refused"
    host = headers.get("host", "")
    name = host if host.endswith("]") else host.rpartition(":")[0] or host
    if name not in LOOPBACK:
        return f"this server answers on loopback alone, not as '{host[:100]}'"
    return None
