"""Texts through the whole gateway on SQLite, out and in, beside the link alone, in rounds.

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
from contextlib import closing

from tests.bench import link, processes
from tests.bench.progress import progress
from tests.bench.rounds import Round, interleave, ratio, summary
from tests.bench.smsc import smsc
from tests.bench.speed import Speed

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


def measure(options, folder):
    """Run the part; gives its report."""
    number = max(BATCH, options.texts - options.texts % BATCH)
    rounds = {name: [] for name in (OUT, IN, LINK, SMPP34)}
    with smsc(receipts=True) as centre, smsc(receipts=False) as bare:
        extra = EXTRA.format(port=centre.port, root=processes.ROOT)
        gateway = processes.Gateway(folder / "texts", [], lane=(options.lanes or [""])[0], extra=extra)
        work = {
            OUT: lambda: _out(gateway, number),
            IN: lambda: centre.deliver(number),
            LINK: lambda: asyncio.run(link.ours(bare.port, number * LINK_TEXTS)),
            SMPP34: lambda: asyncio.run(link.theirs(bare.port, number * LINK_TEXTS)),
        }
        with gateway.running():
            progress("texts: warming up")
            _out(gateway, BATCH)
            centre.deliver(BATCH)
            for turn, name in interleave(list(work), options.rounds):
                through = name in {OUT, IN}
                rounds[name].append(_round(work[name], number * (1 if through else LINK_TEXTS), gateway, through))
                progress(f"texts: round {turn + 1} of {options.rounds}: {name}: {rounds[name][-1].rate:.0f}/s")
    books = json.loads(gateway.tpo("ledger", "check", "--json"))
    return {
        "rows": {name: summary(each) for name, each in rounds.items()},
        "figures": figures(rounds),
        "sizes": {},
        "speeds": [each.speed for name in rounds for each in rounds[name]],
        "checks": {"books": {"ok": bool(books["ok"]), "entries": books["entries"]}},
        "conditions": {"rounds": options.rounds, "texts": number, "window": link.WINDOW},
    }


def figures(rounds):
    """The ratios, by the names that floors have."""
    of = {
        "texts.out_of_link": ratio(rounds[OUT], rounds[LINK], "rate"),
        "texts.in_of_link": ratio(rounds[IN], rounds[LINK], "rate"),
        "texts.out_turns": summary(rounds[OUT])["turns"],
        "texts.in_turns": summary(rounds[IN])["turns"],
        "texts.link_turns_of_smpp34": ratio(rounds[LINK], rounds[SMPP34], "turns"),
    }
    return {name: round(value, 3) for name, value in of.items()}


def _round(work, number, gateway, through):
    """Measure one; the CPU is the gateway's for what goes through it, else that of the client in this process."""

    def cpu():
        return gateway.cpu() if through else time.process_time()

    before = cpu()
    with Speed() as speed:
        seconds = work()
    return Round(number, seconds, cpu() - before, speed.turns_per_second)


def _out(gateway, number):
    """Send so many texts over HTTP; seconds until the last one is stored as delivered."""
    with closing(sqlite3.connect(f"file:{gateway.store}?mode=ro", uri=True)) as store:
        wanted, began = _delivered(store) + number, time.perf_counter()
        with concurrent.futures.ThreadPoolExecutor(CLIENTS) as clients:
            list(clients.map(lambda first: _post(gateway, first), range(0, number, BATCH)))
        while _delivered(store) < wanted:
            if time.perf_counter() - began > LONGEST:
                raise processes.Failed(f"{wanted - _delivered(store)} texts are not delivered after {LONGEST:.0f} s")
            time.sleep(0.02)
        return time.perf_counter() - began


def _post(gateway, first):
    texts = [{"from": "TPO", "to": f"4477009{i:05d}", "text": f"text number {i}"} for i in range(first, first + BATCH)]
    url, token = f"http://127.0.0.1:{gateway.api}/v1/sms/batch", {"Authorization": f"Bearer {processes.TOKEN}"}
    request = urllib.request.Request(url, json.dumps(texts).encode(), token)
    with urllib.request.urlopen(request, timeout=60) as answer:
        if answer.status != 202:
            raise processes.Failed(f"a batch of texts was answered {answer.status}")


def _delivered(store):
    return store.execute("SELECT count(*) FROM texts WHERE state = 'delivered'").fetchone()[0]
