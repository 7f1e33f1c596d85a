"""A status page's view with something in each part of it, as a day in the life of a gateway may leave it."""

import math
from html.parser import HTMLParser

import msgspec

from gateway.concerns import concern
from gateway.status_page.alarms import RecentAlarm
from gateway.status_page.sampling import Sample
from gateway.status_page.view import (
    CauseSum,
    Doubtful,
    Given,
    HostReach,
    Order,
    Phase,
    Queue,
    Stored,
    Tone,
    View,
    ViewLine,
)

NOW = 1_795_478_400_000_000
AT = "2026-11-24T00:00:00Z"
LINK_FIGURES = (
    ("sent", "1,204,311"),
    ("received", "803,114"),
    ("in flight", "12"),
    ("throttled", "3"),
    ("doubtful", "2"),
)
PEER_FIGURES = (
    ("requests", "15,204,311"),
    ("answers", "15,204,299"),
    ("in work", "12"),
    ("rejected", "3"),
    ("ours", "9"),
)


def line(name, state, tone, figures=LINK_FIGURES, **changes):
    fields = {"since": AT, "age": 93_784.0, "address": "192.0.2.17:2775", "remark": "TRX to smsc.host"} | changes
    return ViewLine(name, state, tone, figures=figures, **fields)


def samples(count=120):
    """A wave, with a gap in its latencies."""
    return [
        Sample(
            requests=900 + 600 * math.sin(n / 9),
            p99=None if 40 <= n < 55 else 0.004 + 0.003 * math.sin(n / 5),
            texts_out=max(0.0, 60 * math.sin(n / 20)),
            texts_in=3.5,
            orders=12.0 if n == 100 else 0.0,
        )
        for n in range(count)
    ]


def full(**changes):
    """Everything is there, and some of it is in trouble."""
    view = View(
        operator="The People's Operator",
        node="ocs-1.london.tpo.example",
        version="0.1.0",
        now=NOW,
        age=1_209_600.0,
        state="running",
        concerns=[
            concern("link.down", "link host-north is down"),
            concern("peer.suspect", "peer pgw-2.host.example is suspect"),
            concern("host.unreachable", "host bundle-host does not answer"),
        ],
        links=[
            line("host-south", "up", Tone.GOOD),
            line("host-north", "down", Tone.BAD, remark="dialled again in 12 s", address=""),
            line("host-night", "taken down", Tone.QUIET, remark=""),
        ],
        peers=[
            line("pgw-1.host.example", "up", Tone.GOOD, PEER_FIGURES, remark="realm host.example"),
            line("pgw-2.host.example", "suspect", Tone.WARN, PEER_FIGURES, remark="realm host.example"),
        ],
        samples=samples(),
        phases=[Phase("loading", 1.5, 0.004), Phase("committing", 4.5, 0.012), Phase("answering", 0.0, None)],
        queues=[
            Queue("Write lane", "14", "Units to be committed.", Tone.GOOD),
            Queue("Texts in memory", "1,204", "Parts that wait for a free place in a window."),
            Queue("Event outbox", "23,118", "The broker is not connected: Connection refused.", Tone.BAD),
        ],
        hosts=[HostReach("lab-hlr", reachable=True), HostReach("bundle-host", reachable=False)],
        orders_running=3,
        stored=Stored(
            texts=[("queued", "1,310"), ("submitted", "412"), ("doubtful", "2")],
            doubtful=[Doubtful("1099511628011", "…23", "host-north", NOW - 90_000_000)],
            orders=[
                Order("1099511628012", "activate", "running", "…17", "lab-hlr", AT, ""),
                Order(
                    "1099511628013", "swap", "failed", "…25", "bundle-host", AT, "the host did not show it within 60 s"
                ),
                Order("1099511628014", "suspend", "done", "…33", "lab-hlr", AT, ""),
            ],
            given=Given(
                "October 2026",
                [
                    CauseSum("Feeding America", "USD", 52_000_000),
                    CauseSum("Smaller causes", "GBP", 310_000_000),
                    CauseSum("WaterAid", "GBP", 1_204_317_000_000),
                ],
            ),
        ),
        recent_alarms=[
            RecentAlarm(
                "order.failed", 1, NOW - 60_000_000, "order: 10********13, kind: swap, detail: no answer within 60 s"
            ),
            RecentAlarm(
                "smpp.link.down", 14, NOW - 90_000_000, "name: host-north, reason: the connection was lost, doubtful: 2"
            ),
        ],
    )
    return msgspec.structs.replace(view, **changes)


class Reader(HTMLParser):
    """The elements of a page, their attributes and its words; checks that all are closed in order."""

    def __init__(self, page):
        super().__init__()
        self.open, self.elements, self.words = [], [], ""
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, name, attributes):
        self.elements.append((name, dict(attributes)))
        self.open.append(name)

    def handle_startendtag(self, name, attributes):
        self.elements.append((name, dict(attributes)))

    def handle_endtag(self, name):
        assert self.open.pop() == name

    def handle_data(self, data):
        if not self.open or self.open[-1] not in ("script", "style"):
            self.words += f"{data} "
