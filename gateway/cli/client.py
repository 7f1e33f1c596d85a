"""Ask the running gateway to do something, through its Unix socket."""

from __future__ import annotations

import http.client
import json
import socket
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from gateway.cli.errors import CommandFailed, ExitCode

if TYPE_CHECKING:
    from gateway.settings import Settings


LISTED: Final = ("sim", "order", "sms", "link", "session", "trace")
"""Groups of commands that have a `list`."""


class DaemonUnreachable(CommandFailed):
    """The gateway doesn't run, doesn't answer, or its socket isn't ours to open."""

    code = "daemon_unreachable"
    exit_code = ExitCode.UNREACHABLE


class ActionRefused(CommandFailed):
    """The gateway answered no; `problem` is its RFC 9457 body."""

    code = "action_refused"

    def __init__(self, problem: dict[str, Any], *, where: str) -> None:
        title, detail = problem.get("title") or "the gateway refused", problem.get("detail")
        action = where.partition(",")[0]
        to_do = advice(action, problem.get("status"))
        super().__init__(f"{title}: {detail}" if detail else str(title), where=where, to_do=to_do)
        self.problem = problem


def advice(action: str, status: object) -> str:
    """Say what a person can do about an action (`sim.show`) that was refused with this HTTP status."""
    group = action.partition(".")[0]
    match status:
        case HTTPStatus.NOT_FOUND if group == "subscriber":
            return "give the number in international form, or the line's IMSI or ICCID"
        case HTTPStatus.NOT_FOUND if group in LISTED:
            return f"`tpo {group} list` shows what there is"
        case HTTPStatus.BAD_REQUEST | HTTPStatus.NOT_FOUND:
            return "see the examples in the command's --help"
        case HTTPStatus.CONFLICT:
            return "look at how it stands now, then decide; nothing was changed"
        case HTTPStatus.FORBIDDEN:
            return "run this as root or as the gateway's user"
        case HTTPStatus.SERVICE_UNAVAILABLE:
            return "see `tpo status`, and try again in a moment"
        case _:
            return "look at the gateway's log"


def call(settings: Settings, action: str, params: dict[str, Any], *, timeout: float = 30.0) -> dict[str, Any]:
    """Run `action` in the daemon (POST /v1/actions/ACTION with `params` as a JSON object) and return its answer.

    `timeout` is in seconds. Raises DaemonUnreachable, or ActionRefused where the daemon answers with an error.
    """
    path = settings.api.socket
    try:
        body = json.dumps(params, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        to_do = "write the command in a terminal that is set to UTF-8"
        raise CommandFailed("a word of the command is no text in UTF-8", where=action, to_do=to_do) from None
    connection = _UnixConnection(path, timeout)
    try:
        connection.request("POST", f"/v1/actions/{action}", body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        status, content = response.status, response.read()
    except (OSError, http.client.HTTPException) as error:
        raise _unreachable(path, error) from None
    finally:
        connection.close()
    answer = _object(content)
    if status < 300 and answer is not None:
        return answer
    fallback = {"title": "the gateway answered with something unexpected", "detail": f"HTTP status {status}"}
    raise ActionRefused(answer or fallback, where=f"{action}, by {path}")


def _object(content: bytes) -> dict[str, Any] | None:
    try:
        answer = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return answer if isinstance(answer, dict) else None


def _unreachable(path: Path, error: Exception) -> DaemonUnreachable:
    match error:
        case FileNotFoundError() | ConnectionRefusedError():
            what, to_do = "the gateway is not running", "start it with `tpo run`, or name its configuration by --config"
        case PermissionError():
            what, to_do = "you may not talk to the gateway", "run this as root, as the gateway's user or in its group"
        case TimeoutError():
            what, to_do = "the gateway doesn't answer", "look at its log; the action may have been done all the same"
        case _:
            what, to_do = f"the gateway can't be reached: {error}", "look at its log"
    return DaemonUnreachable(what, where=str(path), to_do=to_do)


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket; the host name is only for the Host header."""

    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))
