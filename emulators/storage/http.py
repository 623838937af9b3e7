"""The HTTP server: connections stay open, and each has a thread."""

from http import HTTPStatus
from http.server import ThreadingHTTPServer

from gcp_storage_emulator import server

from emulators.foreign_requests import why_refused


class Connection(server.RequestHandler):  # type: ignore[misc]
    """One client's connection. The emulator closes it after each answer (HTTP/1.0)."""

    protocol_version = "HTTP/1.1"
    # An answer is two small packets: with Nagle's algorithm the second would wait 40 ms.
    disable_nagle_algorithm = True

    def parse_request(self) -> bool:
        """Refuse requests of web pages and of a foreign Host before any handler sees them."""
        if not super().parse_request():
            return False
        why = why_refused({name.lower(): value for name, value in self.headers.items()})
        if why is None:
            return True
        self.close_connection = True
        self.send_error(HTTPStatus.FORBIDDEN, why)
        return False

    def send_response(self, code: int, message: str | None = None) -> None:
        """Begin an answer; close the connection after it if the request may not be read whole.

        No handler reads the body of a request that is not implemented, and the emulator leaves the
        end of a chunked body unread. Either would be taken for the next request.
        """
        super().send_response(code, message)
        if code == HTTPStatus.NOT_IMPLEMENTED or "Transfer-Encoding" in self.headers:
            self.send_header("Connection", "close")


class Server(ThreadingHTTPServer):
    """A thread a connection."""

    # Eight uploaders at once overflow the default queue of five, and wait a second each.
    request_queue_size = 128
