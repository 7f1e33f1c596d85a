"""The status page as HTML: one document, its style and its small script inside, and the policy that allows both."""

import base64
import hashlib
from collections.abc import Callable, Iterable, Sequence
from importlib.resources import files
from typing import Final

from gateway.charity.public_sums import FEWEST
from gateway.concerns import Concern
from gateway.events.times import rfc3339
from gateway.ledger.money import MICRO
from gateway.status_page.formats import NOTHING, day_and_time, duration, figure
from gateway.status_page.markup import Html, join, prose, tag
from gateway.status_page.plots import plot
from gateway.status_page.sampling import Sample
from gateway.status_page.view import CauseSum, Given, HostReach, Order, Phase, Queue, Tone, View, ViewLine

RELOAD_SECONDS: Final = 5
STYLE: Final = files(__package__).joinpath("page.css").read_text("utf-8")
SCRIPT: Final = files(__package__).joinpath("refresh.js").read_text("utf-8")
ICON: Final = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E"
    "%3Ccircle cx='8' cy='8' r='7' fill='%230b6b53'/%3E%3C/svg%3E"
)
ORDER_TONES: Final = {"done": Tone.GOOD, "failed": Tone.BAD, "compensated": Tone.WARN}
TEXT_NOTES: Final = {
    "queued": "Accepted, and not sent yet.",
    "submitted": "Sent; their receipts are awaited.",
    "doubtful": "Sent, and never answered for.",
}
LEVEL_TONES: Final = {"critical": Tone.BAD, "error": Tone.BAD, "warning": Tone.WARN}


def _hash(source: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()}'"


POLICY: Final = (
    f"default-src 'none'; script-src {_hash(SCRIPT)}; style-src {_hash(STYLE)}; img-src data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""The page loads nothing from anywhere, and runs no script but its own (CSP level 3 §2.3.1)."""


def document(view: View) -> str:
    """Write the whole page."""
    tone, verdict, concerns = verdict_of(view)
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="robots", content="noindex"),
        tag("title", f"{'' if tone is Tone.GOOD else f'({len(concerns) or 1}) '}{view.node} - TPO gateway"),
        tag("link", rel="icon", href=ICON),
        tag("noscript", tag("meta", http_equiv="refresh", content=str(RELOAD_SECONDS))),
        tag("style", Html(STYLE)),
    )
    facts = tag("div", *_facts(view), id="facts")
    told = tag("div", *_verdict(verdict, concerns), id="verdict", class_=f"verdict {tone}", role="status")
    body = tag(
        "body",
        tag("a", "To the content", class_="skip", href="#content"),
        _header(view),
        tag("main", _stale(), told, facts, id="content"),
        _footer(view),
        tag("script", Html(SCRIPT)),
    )
    return f"<!doctype html>\n{tag('html', head, body, lang='en')}\n"


def verdict_of(view: View) -> tuple[Tone, str, Sequence[Concern]]:
    """Say in one sentence how the gateway does, with what concerns it."""
    grave = view.state != "running" or any(each.severity == "critical" for each in view.concerns)
    if not view.concerns:
        return (Tone.GOOD, "Everything runs.", ()) if view.state == "running" else (Tone.BAD, "It is stopping.", ())
    number = len(view.concerns)
    return Tone.BAD if grave else Tone.WARN, f"{number} thing{'s' * (number > 1)} to look at", view.concerns


def _verdict(verdict: str, concerns: Sequence[Concern]) -> list[Html]:
    items = [tag("li", each.words, " ", tag("span", each.runbook, class_="note")) for each in concerns]
    return [tag("p", verdict), *([tag("ul", *items)] if items else [])]


def _header(view: View) -> Html:
    at = rfc3339(view.now // 1_000_000 * 1_000_000)
    name = tag("div", tag("h1", view.operator), tag("p", f"TPO gateway {view.node}", class_="soft empty"))
    fresh = tag(
        "div",
        tag("p", "As of ", tag("time", f"{at[11:19]} UTC", datetime=at), id="now", class_="soft"),
        tag("button", "Pause", id="pause", type="button", hidden=True),
        class_="fresh",
    )
    return tag("header", name, fresh)


def _stale() -> Html:
    words = "The gateway does not answer: what you see is old. The page tries on by itself."
    return tag("div", tag("p", words), id="stale", class_="verdict bad stale", role="alert", hidden=True)


def _footer(view: View) -> Html:
    line = tag("span", f"Version {view.version}, {view.state} for {duration(view.age)}.", id="updated")
    return tag(
        "footer", tag("p", line, " All times are UTC. Figures for machines: ", tag("a", "/metrics", href="/metrics"))
    )


def _facts(view: View) -> list[Html]:
    pairs = tag("div", _queues(view), _given(view.stored.given), class_="grid")
    return [
        _rates(view.samples),
        _links(view),
        _peers(view),
        pairs,
        _orders(view),
        _phases(view.phases),
        _recent_alarms(view),
    ]


def _section(name: str, title: str, *children: str) -> Html:
    return tag("section", tag("h2", title, id=name), *children, aria_labelledby=name)


def _rates(samples: Sequence[Sample]) -> Html:
    series: list[tuple[str, str, Callable[[Sample], float | None]]] = [
        ("Charging requests", "a second", lambda sample: sample.requests),
        ("Charging p99", "ms", lambda sample: None if sample.p99 is None else sample.p99 * 1000),
        ("Texts out", "parts a second", lambda sample: sample.texts_out),
        ("Texts in", "a second", lambda sample: sample.texts_in),
        ("SIM orders ended", "a minute", lambda sample: sample.orders),
    ]
    figures = [_figure(name, unit, [pick(sample) for sample in samples]) for name, unit, pick in series]
    return _section("rates", "The last ten minutes", tag("div", *figures, class_="plots"))


def _figure(name: str, unit: str, values: Sequence[float | None]) -> Html:
    now = values[-1] if values else None
    known = [value for value in values if value is not None]
    shown = NOTHING if now is None else figure(now)
    highest = f"highest {figure(max(known))}" if known else "nothing measured yet"
    label = f"{name}, {unit}: now {'none' if now is None else shown}, {highest} in the last ten minutes"
    value = tag("span", shown, " ", tag("span", unit, class_="unit"), class_="now")
    return tag("figure", tag("figcaption", name, value), plot(values, label), tag("span", highest, class_="soft"))


def _links(view: View) -> Html:
    if not view.links:
        return _section(
            "links", "SMPP links", _empty("No link is configured (smpp.links): no text goes out or comes in.")
        )
    return _section("links", "SMPP links", _lines("Link", view.links))


def _peers(view: View) -> Html:
    if not view.peers:
        return _section(
            "peers", "Diameter peers", _empty("No peer is configured (diameter.peers): nothing is charged.")
        )
    return _section("peers", "Diameter peers", _lines("Peer", view.peers))


def _lines(kind: str, lines: Sequence[ViewLine]) -> Html:
    names = [name for name, _ in lines[0].figures]
    rows = []
    for line in lines:
        since = join(duration(line.age), tag("span", _time(line.since), class_="note"))
        whom = join(line.address or NOTHING, tag("span", line.remark, class_="note") if line.remark else "")
        rows.append([line.name, _badge(line.state, line.tone), since, whom, *(value for _, value in line.figures)])
    return _table(
        [kind, "State", "Since", "Address", *names], rows, numbers=range(4, 4 + len(names)), kind="wide lines"
    )


def _queues(view: View) -> Html:
    texts = [
        Queue(
            f"Texts {state}",
            number,
            TEXT_NOTES[state],
            Tone.WARN if state == "doubtful" and number != "0" else Tone.QUIET,
        )
        for state, number in view.stored.texts
    ]
    rows = [[queue.name, _count(queue), prose(queue.note)] for queue in (*view.queues, *texts)]
    parts = [_table(["Queue", "Waiting", "What it is"], rows, numbers=(1,))]
    if view.stored.trouble:
        parts.append(tag("p", f"The store cannot be read: {view.stored.trouble}", class_="verdict bad"))
    if view.stored.doubtful:
        doubtful = [[text.id, text.receiver, text.link, _time(rfc3339(text.at))] for text in view.stored.doubtful]
        parts.append(tag("h3", "Doubtful texts"))
        parts.append(_table(["Text", "To", "Link", "Since"], doubtful))
        parts.append(_empty(prose("They go the way of their link's policy. Look at one with `tpo sms show ID`.")))
    return _section("queues", "Queues", *parts)


def _count(queue: Queue) -> str:
    return _badge(queue.waiting, queue.tone) if queue.tone in (Tone.WARN, Tone.BAD) else queue.waiting


def _given(given: Given) -> Html:
    rule = f"Figures come once a calendar month is over, in whole units, where at least {FEWEST} customers stand behind them."
    if not given.month:
        return _section("given", "Given to causes", _empty(f"No month is published yet. {rule}"))
    title = f"Given to causes in {given.month}"
    if not given.sums:
        return _section("given", title, _empty(f"Nothing could be told of that month. {rule}"))
    rows = [[each.name, _whole(each)] for each in given.sums]
    return _section("given", title, _table(["Cause", "Given"], rows, numbers=(1,)), _empty(rule))


def _whole(each: CauseSum) -> str:
    return f"{each.amount // MICRO:,} {each.currency}"


def _orders(view: View) -> Html:
    hosts = [join(" ", host.name, " ", _reach(host)) for host in view.hosts]
    told = ["Hosts:", *hosts] if hosts else ["No host is configured (provisioning.hosts)."]
    parts = [_empty(*told)]
    if view.orders_running:
        parts.append(_empty(f"Under way now: {view.orders_running}."))
    if view.stored.orders:
        rows = [_order(order) for order in view.stored.orders]
        parts.append(_table(["Order", "What", "State", "Card", "Host", "Last step"], rows, kind="wide"))
    else:
        parts.append(_empty("No order yet."))
    return _section("orders", "SIM orders", *parts)


def _reach(host: HostReach) -> Html:
    return _badge("reachable", Tone.GOOD) if host.reachable else _badge("does not answer", Tone.BAD)


def _order(order: Order) -> list[str]:
    state = _badge(order.state, ORDER_TONES.get(order.state, Tone.QUIET))
    if order.error:
        state = join(state, tag("span", order.error, class_="note"))
    return [order.id, order.kind, state, order.card, order.host or NOTHING, _time(order.at)]


def _phases(phases: Sequence[Phase]) -> Html:
    """Show where the write lane's time went, and how long each part takes for one batch in a hundred."""
    whole = sum(phase.seconds for phase in phases)
    if not whole:
        return _section("phases", "Where the time went", _empty("No batch was committed in the last ten minutes."))
    rows = [
        [phase.name, f"{phase.seconds / whole:.0%}", NOTHING if phase.p99 is None else figure(phase.p99 * 1000)]
        for phase in phases
    ]
    columns = ["Part of a batch", "Share of the time", "99th percentile, ms"]
    return _section("phases", "Where the time went", _table(columns, rows, numbers=(1, 2)))


def _recent_alarms(view: View) -> Html:
    if not view.recent_alarms:
        return _section("alarms", "Alarms since the start", _empty("None."))
    rows = []
    for trouble in view.recent_alarms:
        event = join(tag("code", trouble.event), tag("span", prose(trouble.meaning), class_="note"))
        last = join(_time(rfc3339(trouble.at)), tag("span", trouble.words, class_="note") if trouble.words else "")
        level = _badge(trouble.level, LEVEL_TONES[trouble.level])
        rows.append([event, level, f"{trouble.count:,}", last, prose(trouble.action)])
    table = _table(["Event", "Level", "Times", "The last time", "What to do"], rows, numbers=(2,), kind="wide long")
    return _section("alarms", "Alarms since the start", table)


def _table(
    columns: Sequence[str], rows: Iterable[Sequence[str]], numbers: Iterable[int] = (), kind: str | None = None
) -> Html:
    """Write a table whose first column names the row. Roles keep its meaning where a narrow screen shows it as a list."""
    right = frozenset(numbers)
    head = [
        tag("th", name, scope="col", role="columnheader", class_="number" if place in right else None)
        for place, name in enumerate(columns)
    ]
    body = [
        tag("tr", *(_cell(place, columns[place], value, right) for place, value in enumerate(row)), role="row")
        for row in rows
    ]
    top = tag("thead", tag("tr", *head, role="row"), role="rowgroup")
    return tag("table", top, tag("tbody", *body, role="rowgroup"), role="table", class_=kind)


def _cell(place: int, column: str, value: str, right: frozenset[int]) -> Html:
    if place == 0:
        return tag("th", value, scope="row", role="rowheader")
    content = tag("span", value) if value else ""
    return tag("td", content, role="cell", data_label=column, class_="number" if place in right else None)


def _badge(state: str, tone: Tone) -> Html:
    return tag("span", state, class_=f"badge {tone}")


def _time(at: str) -> Html:
    return tag("time", day_and_time(at), datetime=at)


def _empty(*words: str) -> Html:
    return tag("p", *words, class_="empty")
