"""Texts through the whole gateway, out and in, beside the link alone, in rounds; on SQLite and on PostgreSQL.

Out: HTTP batches -> committed -> submit_sm -> response -> receipt -> stored as delivered. In: deliver_sm of a text of a handset
-> committed -> deliver_sm_resp. Beside them, on an SMSC that only answers: submit_sm and response by our link, which is the
reference, and by smpp34's Python client. Window 64; each SMSC is a process of its own. At the end the books must be right.
"""

import asyncio
import concurrent.futures
import json
import sqlite3
import time
import urllib.request
from contextlib import ExitStack, closing, contextmanager

import psycopg

from tests.bench import link, processes
from tests.bench.progress import progress
from tests.bench.rounds import Round, interleave, ratio, summary
from tests.bench.smsc import smsc
from tests.bench.speed import Speed
from tests.support import postgres

OUT, IN, LINK, SMPP34 = "out", "in", "link alone", "link alone, smpp34"
BATCH, CLIENTS = 250, 4
LINK_TEXTS = 8
"""So many times as many texts as through the gateway go over the link alone."""
LONGEST = 120.0
"""Seconds after which texts that are not delivered are missed."""
EXTRA = """smpp:
  links:
    - {{name: smsc, host: 127.0.0.1, port: {port}, system_id: tpo, password: secret, window: 64}}
messaging: {{short_codes: ["70070"]}}
keywords: {root}/config/keywords.yaml
"""


class Through:
    """A gateway on one store with a message centre of its own, and how many texts its store has as delivered."""

    def __init__(self, folder, suffix, url, centre, lane):
        extra = EXTRA.format(port=centre.port, root=processes.ROOT)
        self.gateway = processes.Gateway(folder, [], store=url, lane=lane, extra=extra)
        self.suffix, self.centre = suffix, centre
        self.url = url

    @contextmanager
    def delivered(self):
        """A function that counts the texts that the store has as delivered."""
        if self.url.startswith("sqlite"):
            connection = sqlite3.connect(f"file:{self.gateway.store}?mode=ro", uri=True)
        else:
            connection = psycopg.connect(self.url, autocommit=True)
        with closing(connection):
            yield lambda: connection.execute("SELECT count(*) FROM texts WHERE state = 'delivered'").fetchone()[0]


def measure(options, folder):
    """Run the part; gives its report."""
    number, lane = max(BATCH, options.texts - options.texts % BATCH), (options.lanes or [""])[0]
    with ExitStack() as stores, ExitStack() as stack:
        # The gateways end before the database's server does: their books are checked in between.
        database = stores.enter_context(postgres.server()) if "postgresql" in options.stores else None
        bare = stack.enter_context(smsc(receipts=False))
        ways = []
        for store in options.stores:
            url = "sqlite:///var/tpo.db" if store == "sqlite" else database("texts")
            suffix = f", {store}" if ways else ""
            ways.append(Through(folder / f"texts-{store}", suffix, url, stack.enter_context(smsc(receipts=True)), lane))
            stack.enter_context(ways[-1].gateway.running())
        work = _work(ways, bare, number)
        rounds = {name: [] for name in work}
        progress("texts: warming up")
        for way in ways:
            _out(way, BATCH)
            way.centre.deliver(BATCH)
        for turn, name in interleave(list(work), options.rounds):
            rounds[name].append(_round(*work[name]))
            progress(f"texts: round {turn + 1} of {options.rounds}: {name}: {rounds[name][-1].rate:.0f}/s")
        database_cpu = processes.cpu_seconds(processes.database_process(ways[-1].url)) if database else 0.0
        stack.close()
        checks = {f"books{way.suffix}": _check(way.gateway) for way in ways}
    return {
        "rows": {name: summary(each) for name, each in rounds.items()},
        "figures": figures(rounds),
        "sizes": {},
        "speeds": [each.speed for name in rounds for each in rounds[name]],
        "database_cpu": database_cpu,
        "checks": checks,
        "conditions": {"rounds": options.rounds, "texts": number, "window": link.WINDOW},
    }


def _work(ways, bare, number):
    """What a round does, by name: the function, how many texts it takes, and what gives the CPU seconds so far."""
    work = {}
    for way in ways:
        work[f"{OUT}{way.suffix}"] = (lambda way=way: _out(way, number), number, way.gateway.cpu)
        work[f"{IN}{way.suffix}"] = (lambda way=way: way.centre.deliver(number), number, way.gateway.cpu)
    alone = number * LINK_TEXTS
    work[LINK] = (lambda: asyncio.run(link.ours(bare.port, alone)), alone, time.process_time)
    work[SMPP34] = (lambda: asyncio.run(link.theirs(bare.port, alone)), alone, time.process_time)
    return work


def figures(rounds):
    """The ratios, by the names that floors have."""
    of = {
        "texts.out_of_link": ratio(rounds[OUT], rounds[LINK], "rate"),
        "texts.in_of_link": ratio(rounds[IN], rounds[LINK], "rate"),
        "texts.out_turns": summary(rounds[OUT])["turns"],
        "texts.in_turns": summary(rounds[IN])["turns"],
        "texts.link_turns_of_smpp34": ratio(rounds[LINK], rounds[SMPP34], "turns"),
    }
    for name in (OUT, IN):
        if f"{name}, postgresql" in rounds:
            of[f"texts.{name}_postgresql_of_sqlite"] = ratio(rounds[f"{name}, postgresql"], rounds[name], "rate")
    return {name: round(value, 3) for name, value in of.items()}


def _round(work, number, cpu):
    before = cpu()
    with Speed() as speed:
        seconds = work()
    return Round(number, seconds, cpu() - before, speed.turns_per_second)


def _check(gateway):
    progress("texts: checking the books")
    books = json.loads(gateway.tpo("ledger", "check", "--json"))
    return {"ok": bool(books["ok"]), "entries": books["entries"]}


def _out(way, number):
    """Send so many texts over HTTP; seconds until the last one is stored as delivered."""
    with way.delivered() as delivered, concurrent.futures.ThreadPoolExecutor(CLIENTS) as clients:
        wanted, began = delivered() + number, time.perf_counter()
        list(clients.map(lambda first: _post(way.gateway, first), range(0, number, BATCH)))
        while (missing := wanted - delivered()) > 0:
            if time.perf_counter() - began > LONGEST:
                raise processes.Failed(f"{missing} texts are not delivered after {LONGEST:.0f} s")
            time.sleep(0.02)
        return time.perf_counter() - began


def _post(gateway, first):
    texts = [{"from": "TPO", "to": f"4477009{i:05d}", "text": f"text number {i}"} for i in range(first, first + BATCH)]
    url, token = f"http://127.0.0.1:{gateway.api}/v1/sms/batch", {"Authorization": f"Bearer {processes.TOKEN}"}
    request = urllib.request.Request(url, json.dumps(texts).encode(), token)
    with urllib.request.urlopen(request, timeout=60) as answer:
        if answer.status != 202:
            raise processes.Failed(f"a batch of texts was answered {answer.status}")
