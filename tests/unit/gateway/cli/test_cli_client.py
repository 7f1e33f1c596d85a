"""The command's client against real Unix sockets."""

import json
import socket
import threading
from contextlib import contextmanager

import msgspec
import pytest

from gateway.api.problems import ProblemBody
from gateway.cli.client import ActionRefused, DaemonUnreachable, JsonObject, Listing, call
from gateway.cli.errors import ExitCode
from gateway.settings import load


@pytest.fixture
def settings(tmp_path):
    path = tmp_path / "gateway.yaml"
    path.write_text("operator: {name: T}\nstore: {url: sqlite:///t.db}\napi: {socket: s}\n")
    return load(path, {})


@contextmanager
def daemon(path, answer):
    """Accept one connection, take one request, send `answer` as it is."""
    seen = []
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def serve():
            connection, _ = listener.accept()
            with connection:
                request = b""
                while b"\r\n\r\n" not in request:
                    request += connection.recv(65536)
                head, _, body = request.partition(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
                while len(body) < length:
                    body += connection.recv(65536)
                seen.append((head.decode(), body))
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield seen
        thread.join()


def http(status, body):
    content = json.dumps(body).encode() if not isinstance(body, bytes) else body
    return b"HTTP/1.1 %d X\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (status, len(content), content)


def test_an_action_is_posted_and_its_answer_returned(settings):
    with daemon(settings.api.socket, http(200, {"balance": "10.00"})) as seen:
        assert call(settings, "subscriber.show", {"number": "447700900123"}, JsonObject) == {"balance": "10.00"}
    [(head, body)] = seen
    assert head.startswith("POST /v1/actions/subscriber.show HTTP/1.1\r\n")
    assert "Content-Type: application/json" in head
    assert json.loads(body) == {"number": "447700900123"}


def test_a_problem_body_is_told_in_its_own_words(settings):
    problem = ProblemBody("about:blank", "unknown plan", 422, "plan.unknown", "there is no plan x")
    with daemon(settings.api.socket, http(422, msgspec.json.encode(problem))), pytest.raises(ActionRefused) as refused:
        call(settings, "subscriber.plan", {}, JsonObject)
    assert refused.value.problem == problem
    assert refused.value.exit_code is ExitCode.FAILED
    assert "unknown plan: there is no plan x" in str(refused.value)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[1]", b"\xff"])
def test_an_answer_that_is_no_object_is_refused(settings, body):
    with daemon(settings.api.socket, http(500, body)), pytest.raises(ActionRefused, match="HTTP status 500"):
        call(settings, "status", {}, JsonObject)


@pytest.mark.parametrize("body", [b"", b"[1]", b"{}", b'{"rows": [1]}'])
def test_an_answer_of_another_type_is_refused(settings, body):
    with daemon(settings.api.socket, http(200, body)), pytest.raises(ActionRefused, match="something unexpected"):
        call(settings, "link.list", {}, Listing)


@pytest.mark.parametrize("answer", [b"", b"garbage\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{}"])
def test_a_broken_connection_is_unreachable(settings, answer):
    with daemon(settings.api.socket, answer), pytest.raises(DaemonUnreachable):
        call(settings, "status", {}, JsonObject)


def test_no_daemon_is_unreachable_and_says_what_to_do(settings):
    with pytest.raises(DaemonUnreachable) as unreachable:
        call(settings, "status", {}, JsonObject)
    assert unreachable.value.exit_code is ExitCode.UNREACHABLE
    assert str(unreachable.value).splitlines() == [
        "tpo: the gateway is not running",
        f"  where:      {settings.api.socket}",
        "  what to do: start it with `tpo run`, or name its configuration by --config",
    ]


def test_a_stale_socket_is_unreachable(settings):
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(settings.api.socket))
    with pytest.raises(DaemonUnreachable, match="not running"):
        call(settings, "status", {}, JsonObject)


def test_a_daemon_that_says_nothing_is_unreachable(settings):
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(settings.api.socket))
        silent.listen()
        with pytest.raises(DaemonUnreachable, match="doesn't answer"):
            call(settings, "status", {}, JsonObject, timeout=0.05)
