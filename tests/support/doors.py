"""The doors of a running gateway, knocked at with any bytes: HTTP over TCP and over its Unix socket."""

import http.client
import json
import socket

from gateway.api.actions.orders import OrderActions
from gateway.api.actions.sessions import SessionActions
from gateway.api.actions.table import ACTIONS
from gateway.api.actions.texts import SmsActions
from gateway.api.actions.traces import TraceActions
from gateway.runtime.drain import Drain
from gateway.runtime.reload import Reload
from gateway.runtime.status import status_actions
from support.patience import PATIENCE


class Door:
    """One kept connection, opened again when the gateway has closed it."""

    def __init__(self, connect):
        self._connect, self._connection = connect, None

    def knock(self, method, path, body=None, headers=()):
        """One request: (status, content type, body)."""
        for _ in range(2):
            if self._connection is None:
                self._connection = _Connection(self._connect)
            try:
                return self._ask(method, path, body, headers)
            except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
                self.close()  # it was kept for too long
        raise AssertionError(f"the door closes without an answer: {method} {path}")

    def _ask(self, method, path, body, headers):
        connection = self._connection
        connection.putrequest(method, path, skip_accept_encoding=True)
        for name, value in dict(headers).items():
            connection.putheader(name, value)
        if body is not None:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        answer = connection.getresponse()
        content = answer.read()
        if answer.will_close:
            self.close()
        return answer.status, answer.headers.get_content_type(), content

    def close(self):
        """Let go of it."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None


class _Connection(http.client.HTTPConnection):
    def __init__(self, connect):
        super().__init__("localhost", timeout=30)
        self._open = connect

    def connect(self):
        self.sock = self._open()

    def _validate_path(self, url):
        """Any path goes out as it is."""


def tcp_door(gateway):
    """The HTTP interface."""

    def connect():
        found = socket.create_connection(("127.0.0.1", gateway.http_port), timeout=PATIENCE)
        found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return found

    return Door(connect)


def unix_door(gateway):
    """The socket of the commands."""

    def connect():
        found = socket.socket(socket.AF_UNIX)
        found.settimeout(30)
        found.connect(str(gateway.folder / "var/tpo.sock"))
        return found

    return Door(connect)


def every_action():
    """All actions, those too that need the running gateway: name -> request type."""
    kinds = (SmsActions, SessionActions, OrderActions, TraceActions, Reload, Drain)
    running = [status_actions(None), *(object.__new__(kind).actions() for kind in kinds)]
    return {name: action.request for actions in (ACTIONS, *running) for name, action in actions.items()}


def refusal(content):
    """A problem body's parts that people read; fails where it is none."""
    told = json.loads(content)
    assert set(told) == {"type", "title", "status", "code", "detail"}, told
    assert told["detail"]
    for word in (
        "codec",
        "Error",
        "Traceback",
        "byte ",
        "argument",
        "NoneType",
        "object is",
        "int()",
        "psycopg",
        "sqlite",
    ):
        assert word not in told["detail"], told
    return told
