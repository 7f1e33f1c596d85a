"""A gateway's Unix socket with a script behind it: for what a command asks, and what it makes of the answers."""

import json
import socketserver
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


ICCID, AT = "8944100000000000013", "2026-11-01T00:00:00Z"


def card(iccid=ICCID, state="active", **more):
    """A card as `sim.show` answers it."""
    known = {
        "iccid": iccid,
        "state": state,
        "suspended_for": [],
        "imsi": "234150000000001",
        "msisdn": None,
        "plan": None,
    }
    known |= {"host": None, "observed": "unknown", "observed_at": None, "order": None, "updated_at": AT, "eid": None}
    return known | {"keys": True, "subscriber_id": None, "created_at": AT, "free_at": None} | more


def step(name, mark="done", attempts=0, error=None):
    """A step of an order."""
    return {"name": name, "mark": mark, "attempts": attempts, "at": None, "error": error, "found": None}


def order(state="done", *steps, error=None):
    """An order as `order.show` answers it."""
    return {
        "id": "77",
        "kind": "activate",
        "state": state,
        "iccid": ICCID,
        "msisdn": "44********23",
        "host": "hlr",
        "actor": "socket:0",
        "undoing": False,
        "error": error,
        "created_at": AT,
        "updated_at": AT,
        "due_at": None,
        "plan": None,
        "reason": None,
        "new_iccid": None,
        "adopt": False,
        "returning": False,
        "steps": list(steps) or [step("host.activate"), step("line.enable")],
    }


class Refuse(Exception):
    """What a script raises to have its caller refused."""

    def __init__(self, status, code, detail):
        super().__init__(detail)
        self.status = status
        self.body = {"type": "about:blank", "title": "No", "status": status, "code": code, "detail": detail}


class Script:
    """Answers by action: a body, a list of bodies one after the other (the last one stays), or a function of the params."""

    def __init__(self, **answers):
        self.answers = {name.replace("__", "."): answer for name, answer in answers.items()}
        self.asked = []

    def params(self, action):
        """The parameters of each call of an action."""
        return [params for name, params in self.asked if name == action]

    def answer(self, action, params):
        self.asked.append((action, params))
        found = self.answers[action]
        if isinstance(found, list):
            found = found.pop(0) if len(found) > 1 else found[0]
        if isinstance(found, Refuse):
            raise found
        return found(params) if callable(found) else found


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    script: Script


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        params = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        try:
            status, body = 200, self.server.script.answer(self.path.removeprefix("/v1/actions/"), params)
        except Refuse as refusal:
            status, body = refusal.status, refusal.body
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(content)

    def address_string(self):
        return "unix"

    def log_message(self, *_):
        pass


def write_config(folder):
    """A configuration with the shipped plans and causes; gives its path."""
    path = folder / "gateway.yaml"
    path.write_text(
        "operator: {name: T}\nstore: {url: 'sqlite:///tpo.db'}\napi: {socket: s}\n"
        f"plans: {ROOT}/config/plans.yaml\ncauses: {ROOT}/config/causes.yaml\n"
    )
    return path


@contextmanager
def scripted(folder, **answers):
    """Serve a script on the socket of the configuration in that folder; `a__b` answers the action a.b."""
    script = Script(status={"state": "running"}, **answers)
    with _Server(str(folder / "s"), _Handler) as server:
        server.script = script
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield script
        finally:
            server.shutdown()
            thread.join()
    (folder / "s").unlink()
