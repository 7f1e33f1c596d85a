"""Who the HTTP interface of a running gateway lets in: methods, names, logins, wrong tokens, fields that stand twice."""

import http.client
import json
import socket
from base64 import b64encode

import pytest
from support.log_lines import lines_of
from support.patience import PATIENCE
from support.sms_gateway import TOKENS, SmsGateway

pytestmark = pytest.mark.xdist_group("http_access")

RIGHT = f"Bearer {TOKENS['operator']}"
LOGIN = "Basic " + b64encode(f"anna:{TOKENS['viewer']}".encode()).decode()
ELSEWHERE = {"X-Forwarded-For": "192.0.2.9"}
TEXT = b'{"from": "TPO", "to": "447700900200", "text": "hello"}'


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    with SmsGateway(tmp_path_factory.mktemp("access")) as running:
        yield running


def ask(gateway, method, path, headers=(), body=None):
    """One request with these fields and no others: (status, fields of the answer, problem code)."""
    connection = http.client.HTTPConnection("127.0.0.1", gateway.http_port, timeout=PATIENCE)
    fields = list(dict(headers).items()) if isinstance(headers, dict) else list(headers)
    connection.putrequest(method, path, skip_host=any(name == "Host" for name, _ in fields), skip_accept_encoding=True)
    for name, value in fields:
        connection.putheader(name, value)
    if body is not None:
        connection.putheader("Content-Length", str(len(body)))
    connection.endheaders(body)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    problem = answer.headers.get_content_type() == "application/problem+json" and content
    return answer.status, answer.headers, json.loads(content)["code"] if problem else ""


@pytest.mark.parametrize(
    ("path", "allow"),
    [
        ("/", {"GET", "HEAD"}),
        ("/livez", {"GET", "HEAD"}),
        ("/metrics", {"GET", "HEAD"}),
        ("/openapi.json", {"GET", "HEAD"}),
        ("/v1/sms", {"POST"}),
        ("/v1/sms/1", {"GET", "HEAD"}),
        ("/v1/orders", {"POST"}),
        ("/v1/subscribers/447700900000/topups", {"POST"}),
        ("/v1/hosts/lab/listener/secret", {"POST"}),
        ("/v1/hosts/lab/listener/secret/event", {"POST"}),
    ],
)
@pytest.mark.parametrize("method", ["DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND"])
def test_a_method_that_a_path_does_not_have_is_405_and_says_which_it_has(gateway, path, allow, method):
    status, fields, code = ask(gateway, method, path, {"Authorization": RIGHT})
    assert (status, code) == (405, "http.405")
    assert set(fields["Allow"].replace(" ", "").split(",")) == allow


@pytest.mark.parametrize("path", ["/", "/livez", "/metrics", "/v1/charity/causes", "/v1/sms/1", "/nowhere", "/\x7f"])
def test_no_answer_tells_what_we_are_made_of_and_none_about_customers_is_kept_on_the_way(gateway, path):
    with socket.create_connection(("127.0.0.1", gateway.http_port), timeout=PATIENCE) as connection:
        head = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {RIGHT}\r\nConnection: close\r\n\r\n"
        connection.sendall(head.encode())
        answer = b"".join(iter(lambda: connection.recv(65536), b"")).partition(b"\r\n\r\n")[0]
    assert b"\r\nServer: tpo-gateway" in answer
    assert b"aiohttp" not in answer
    assert (b"\r\nCache-Control: no-store" in answer) is (path != "/metrics")


@pytest.mark.parametrize("path", ["/livez", "/v1/sms", "/nowhere"])
def test_an_expectation_that_is_not_known_is_refused_by_a_problem(gateway, path):
    fields = {"Authorization": RIGHT, "Expect": "200-ok"}
    assert ask(gateway, "POST", path, fields, TEXT)[::2] == (417, "http.417")


@pytest.mark.parametrize("path", ["/", "/metrics", "/readyz", "/v1/sms/1", "/nowhere"])
def test_a_name_that_leads_here_and_is_not_ours_is_misdirected(gateway, path):
    for host in ("evil.example", f"evil.example:{gateway.http_port}"):
        assert ask(gateway, "GET", path, {"Host": host, "Authorization": RIGHT})[::2] == (421, "host.unknown")
    assert ask(gateway, "GET", path, {"Host": "localhost", "Authorization": RIGHT})[0] != 421


def test_a_request_whose_target_names_another_host_is_misdirected(gateway):
    assert ask(gateway, "GET", "http://evil.example/", {"Host": "localhost"})[0] == 421


@pytest.mark.parametrize(
    "fields",
    [
        [("Authorization", RIGHT), ("Authorization", RIGHT)],
        [("Authorization", RIGHT), ("authorization", "Bearer wrong")],
        [("Authorization", RIGHT), ("Idempotency-Key", "a"), ("Idempotency-Key", "b")],
        [("Authorization", RIGHT), ("Idempotency-Key", "a"), ("idempotency-key", "a")],
        [("Authorization", RIGHT), ("Host", "localhost"), ("Host", "localhost")],
        [("Authorization", RIGHT), ("Content-Length", str(len(TEXT)))],
        [("Authorization", RIGHT), ("Content-Length", "1")],
        [("Authorization", RIGHT), ("Transfer-Encoding", "chunked")],
    ],
)
@pytest.mark.parametrize("path", ["/v1/sms", "/v1/orders"])
def test_a_field_that_stands_twice_is_refused(gateway, fields, path):
    assert ask(gateway, "POST", path, fields, TEXT)[0] == 400


@pytest.mark.parametrize(
    "body",
    [
        b'{"from": "TPO", "to": "447700900200", "to": "447700900201", "text": "hello"}',
        b'{"from": "TPO", "to": "447700900200", "t\\u006f": "447700900201", "text": "hello"}',
        b'{"from": "TPO", "to": "447700900200", "text": "hello", "validity": {"a": [{"b": 1, "b": 1}]}}',
        b'{"from": "TPO", "To": "447700900200", "to": "447700900200", "text": "hello"}',
    ],
)
def test_a_body_that_names_a_thing_twice_is_refused(gateway, body):
    assert ask(gateway, "POST", "/v1/sms", {"Authorization": RIGHT}, body)[0] == 400


def test_a_browser_on_another_machine_is_asked_for_a_token_and_let_in_with_it(gateway):
    status, fields, code = ask(gateway, "GET", "/", ELSEWHERE)
    assert (status, code) == (401, "token.missing")
    assert fields["WWW-Authenticate"].startswith('Basic realm="')
    for method in ("GET", "HEAD"):
        status, fields, _ = ask(gateway, method, "/", {**ELSEWHERE, "Authorization": LOGIN})
        assert (status, fields.get_content_type()) == (200, "text/html")
    assert ask(gateway, "GET", "/metrics", {**ELSEWHERE, "Authorization": RIGHT})[0] == 200
    secure = {"X-Forwarded-For": "192.0.2.10", "X-Forwarded-Proto": "https", "Authorization": LOGIN}
    assert ask(gateway, "GET", "/", secure)[0] == 200
    warned = [line["address"] for line in lines_of(gateway, "api.login.in_clear")]
    assert warned == ["192.0.2.9"]


def test_a_login_of_a_browser_is_not_taken_for_what_changes_something(gateway):
    status, fields, code = ask(gateway, "POST", "/v1/sms", {"Authorization": LOGIN}, TEXT)
    assert (status, code) == (401, "token.missing")
    assert fields["WWW-Authenticate"].startswith("Bearer")


def test_a_token_that_is_not_utf_8_is_refused_as_a_wrong_one(gateway):
    status, _, code = ask(gateway, "GET", "/v1/sms/1", {"Authorization": b"Bearer \xff\xfe"})
    assert (status, code) == (401, "token.missing")


def counted(gateway, reason):
    text = gateway.get("/metrics")[1]
    name = f'tpo_api_tokens_refused_total{{reason="{reason}"}} '
    return next(float(line.split()[-1]) for line in text.splitlines() if line.startswith(name))


def test_wrong_tokens_are_counted_and_logged_once_and_then_their_sender_waits(gateway):
    assert ask(gateway, "GET", "/v1/sms/1", {"Authorization": RIGHT})[0] == 404
    before = counted(gateway, "limited")
    answers = [ask(gateway, "GET", "/v1/sms/1", {"Authorization": f"Bearer wrong-{n}"}) for n in range(40)]
    statuses = [status for status, _, _ in answers]
    assert set(statuses) == {401, 429}
    assert all(int(fields["Retry-After"]) >= 1 for status, fields, _ in answers if status == 429)
    assert counted(gateway, "limited") - before == statuses.count(429)
    assert counted(gateway, "wrong") >= statuses.count(401)
    assert ask(gateway, "GET", "/v1/sms/1", {"Authorization": RIGHT})[0] == 404  # who was right before is let in
    assert 1 <= gateway.log.read_text().count('"api.token.refused"') <= 3
