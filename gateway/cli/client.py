"""Ask the running gateway to do something, through its Unix socket."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

import msgspec

from gateway.api.problems import ProblemBody
from gateway.cli.errors import CommandFailed, ExitCode

if TYPE_CHECKING:
    from gateway.settings import Settings


Answer = TypeVar("Answer")
JsonObject = dict[str, object]
"""An answer that is printed as it is."""
LISTED: Final = ("sim", "order", "sms", "link", "session", "trace")
"""Groups of commands that have a `list`."""


class Listing(msgspec.Struct, frozen=True):
    """Rows that are printed as they are; `next`: what the page after them begins behind, None where there is none."""

    rows: list[JsonObject]
    columns: list[str] = []
    next: int | str | None = None


class Ask(Protocol):
    """Runs an action, and gives its answer as the type that is named."""

    def __call__(self, action: str, params: Mapping[str, object], kind: type[Answer]) -> Answer:
        """Run it; CommandFailed says why it cannot be."""


class DaemonUnreachable(CommandFailed):
    """The gateway doesn't run, doesn't answer, or its socket isn't ours to open."""

    code = "daemon_unreachable"
    exit_code = ExitCode.UNREACHABLE


class ActionRefused(CommandFailed):
    """The gateway answered no; `problem` is its RFC 9457 body."""

    code = "action_refused"

    def __init__(self, problem: ProblemBody, *, where: str) -> None:
        to_do = advice(where.partition(",")[0], problem.status)
        unreached = problem.status == HTTPStatus.GATEWAY_TIMEOUT  # another gateway, by way of the one that was asked
        exit_code = ExitCode.UNREACHABLE if unreached else None
        super().__init__(f"{problem.title}: {problem.detail}", where=where, to_do=to_do, exit_code=exit_code)
        self.problem = problem

    def problem_body(self) -> dict[str, object]:
        """Return the gateway's own problem, with what the command knows besides."""
        return {**super().problem_body(), **msgspec.structs.asdict(self.problem)}


def advice(action: str, status: int) -> str:
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
        case HTTPStatus.GATEWAY_TIMEOUT:
            return "see `tpo status`: start that gateway, or look at its log"
        case HTTPStatus.SERVICE_UNAVAILABLE:
            return "see `tpo status`, and try again in a moment"
        case _:
            return "look at the gateway's log"


def call(
    settings: Settings, action: str, params: Mapping[str, object], kind: type[Answer], *, timeout: float = 30.0
) -> Answer:
    """Run `action` in the daemon (POST /v1/actions/ACTION with `params` as a JSON object) and give its answer as a `kind`.

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
    try:
        if status < 300:
            return msgspec.json.decode(content, type=kind)
        problem = msgspec.json.decode(content, type=ProblemBody)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        title = "the gateway answered with something unexpected"
        problem = ProblemBody("about:blank", title, status, "", f"HTTP status {status}")
    raise ActionRefused(problem, where=f"{action}, by {path}")


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
