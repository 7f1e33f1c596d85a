"""The status page without a browser: what it says, what it never says, and that nothing from outside becomes markup."""

import re
from types import SimpleNamespace

import msgspec
import pytest
from support.page_views import PEER_FIGURES, Reader, full, line, samples

from gateway.concerns import concern
from gateway.environment import Environment
from gateway.logs.catalogue import EVENTS
from gateway.status_page.alarms import MAX_WORDS, RecentAlarms
from gateway.status_page.formats import day_and_time, duration, figure
from gateway.status_page.markup import Html, join, prose, tag
from gateway.status_page.plots import WIDTH, plot
from gateway.status_page.rendering import POLICY, SCRIPT, STYLE, document, verdict_of
from gateway.status_page.running_concerns import charging_concerns, concerns_of, process_concerns
from gateway.status_page.running_lines import link_line, outbox, peer_line
from gateway.status_page.sampling import KEPT, Ring, Sample, Totals, between, quantile
from gateway.status_page.view import CauseSum, Given, HostReach, Queue, Stored, Tone
from protocols.diameter.node_events import PeerState
from protocols.smpp.node_events import Counters, LinkState
from protocols.smpp.transitions import SessionState

EVIL = "<script>alert('x')</script>\"><img src=x onerror=alert(1)>"
NUMBER = "447700900123"


def link(**changes):
    fields = {
        "name": "smsc-1",
        "state": SessionState.BOUND_TRX,
        "since": 10.0,
        "address": "192.0.2.1:2775",
        "system_id": "smsc",
        "waiting": 0,
        "unanswered": 0,
        "paused_until": None,
        "retry_at": None,
        "wanted": True,
        "suspended": False,
        "congestion_state": None,
        "counters": Counters(),
    }
    return LinkState(**fields | changes)


def peer(**changes):
    numbers = dict.fromkeys(
        ("outstanding", "pending", "requests_in", "answers_out", "requests_out", "answers_in", "rejected", "dropped"), 0
    )
    known = {
        "identity": "pgw.host.example",
        "realm": "host.example",
        "state": "open",
        "watchdog": "okay",
        "since": 10.0,
    }
    return PeerState(**known | {"address": "192.0.2.2"} | numbers | changes)


# Markup


def test_text_is_escaped_and_markup_of_ours_is_not_escaped_twice():
    assert join("<b>", tag("b", "<&>"), '"') == "&lt;b&gt;<b>&lt;&amp;&gt;</b>&quot;"
    assert tag("a", Html("<br>"), href='"><script>', aria_label="x", hidden=True, title=None, disabled=False) == (
        '<a href="&quot;&gt;&lt;script&gt;" aria-label="x" hidden><br></a>'
    )
    assert tag("meta", name="a", class_="b") == '<meta name="a" class="b"/>'
    assert prose("Read `<b>` now.") == "Read <code>&lt;b&gt;</code> now."


def told(concerns):
    return [(each.id, each.words) for each in concerns]


def test_nothing_that_came_from_outside_becomes_an_element():
    hostile = line(EVIL, EVIL, Tone.BAD, tuple((EVIL, EVIL) for _ in range(2)), address=EVIL, remark=EVIL)
    view = full()
    order = msgspec.structs.replace(view.stored.orders[0], kind=EVIL, state=EVIL, card=EVIL, host=EVIL, error=EVIL)
    doubtful = msgspec.structs.replace(view.stored.doubtful[0], receiver=EVIL, link=EVIL)
    evil = full(
        operator=EVIL,
        node=EVIL,
        state=EVIL,
        concerns=[concern("link.down", EVIL)],
        links=[hostile],
        peers=[hostile],
        queues=[Queue(EVIL, EVIL, EVIL, Tone.BAD)],
        hosts=[HostReach(EVIL, reachable=False)],
        stored=Stored([("queued", EVIL)], [doubtful], [order], Given(EVIL, [CauseSum(EVIL, EVIL, 1)]), EVIL),
        recent_alarms=[msgspec.structs.replace(view.recent_alarms[0], words=EVIL)],
    )
    page = Reader(document(evil))
    assert [name for name, _ in page.elements].count("script") == 1
    assert "img" not in {name for name, _ in page.elements}
    assert not [attributes for _, attributes in page.elements if any(key.startswith("on") for key in attributes)]
    assert page.words.count(EVIL) > 20


def test_the_policy_names_the_one_script_and_the_one_style_and_there_is_no_other():
    page = document(full())
    assert page.count("<script>") == page.count("<style>") == 1
    assert SCRIPT in page
    assert STYLE in page
    assert " style=" not in page
    assert len(re.findall(r"'sha256-[A-Za-z0-9+/]{43}='", POLICY)) == 2
    assert "unsafe" not in POLICY


# What is said


def test_a_page_with_everything_shows_everything():
    words = Reader(document(full())).words
    for expected in (
        "The People's Operator",
        "3 things to look at",
        "link host-north is down",
        "dialled again in 12 s",
        "pgw-2.host.example",
        "suspect",
        "23,118",
        "1099511628011",
        "the host did not show it within 60 s",
        "does not answer",
        "Under way now: 3.",
        EVENTS["smpp.link.down"].action,
        "Given to causes in October 2026",
        "1,204,317 GBP",
        "Smaller causes",
        "310 GBP",
        "52 USD",
        "at least 50 customers",
    ):
        assert expected in words, expected


def test_a_page_with_nothing_says_so():
    empty = full(
        concerns=[],
        links=[],
        peers=[],
        samples=[],
        hosts=[],
        orders_running=0,
        stored=Stored(),
        recent_alarms=[],
    )
    words = Reader(document(empty)).words
    for expected in (
        "Everything runs.",
        "No link is configured",
        "No peer is configured",
        "nothing measured yet",
        "No host is configured",
        "No order yet.",
        "None.",
        "No month is published yet.",
    ):
        assert expected in words, expected


def test_the_verdict_is_as_grave_as_what_it_is_about():
    fine = line("a", "up", Tone.GOOD)
    assert verdict_of(full(links=[fine], peers=[], concerns=[])) == (Tone.GOOD, "Everything runs.", ())
    small, grave = concern("texts.doubtful", "x"), concern("link.down", "y")
    assert verdict_of(full(links=[fine], peers=[], concerns=[small]))[:2] == (Tone.WARN, "1 thing to look at")
    assert verdict_of(full(concerns=[small, grave]))[:2] == (Tone.BAD, "2 things to look at")
    assert verdict_of(full(links=[fine], peers=[], concerns=[small], state="draining"))[0] is Tone.BAD


def test_every_table_has_headers_and_every_cell_says_its_column():
    page = Reader(document(full()))
    tables = [attributes for name, attributes in page.elements if name == "table"]
    columns = [attributes for name, attributes in page.elements if name == "th" and attributes.get("scope") == "col"]
    cells = [attributes for name, attributes in page.elements if name == "td"]
    assert len(tables) == 8
    assert len(columns) > len(tables)
    assert all(each["role"] == "table" for each in tables)
    assert cells
    assert all(cell["data-label"] and cell["role"] == "cell" for cell in cells)


def test_times_and_figures_are_said_as_people_say_them():
    assert [duration(seconds) for seconds in (-1, 59.9, 60, 3599, 3600, 7500, 86_400, 1_051_200)] == [
        "0 s",
        "59 s",
        "1 min",
        "59 min",
        "1 h",
        "2 h 5 min",
        "1 d",
        "12 d 4 h",
    ]
    assert [figure(value) for value in (0, 0.01, 0.25, 3.0, 12.34, 1234.5)] == [
        "0",
        "<0.1",
        "0.2",
        "3",
        "12.3",
        "1,234",
    ]
    assert day_and_time("2026-11-04T21:05:09.123456Z") == "4 Nov 21:05:09"


# Lines and queues


NOW = Environment(monotonic=lambda: 100.0)


@pytest.mark.parametrize(
    ("changes", "state", "tone", "remark"),
    [
        ({}, "up", Tone.GOOD, "TRX to smsc"),
        ({"suspended": True}, "suspended", Tone.WARN, "TRX to smsc"),
        ({"paused_until": 101.0}, "throttled", Tone.WARN, "TRX to smsc"),
        ({"paused_until": 99.0}, "up", Tone.GOOD, "TRX to smsc"),
        ({"state": SessionState.CLOSED, "system_id": "", "retry_at": 112.4}, "down", Tone.BAD, "dialled again in 12 s"),
        ({"state": SessionState.BINDING, "system_id": ""}, "down", Tone.BAD, ""),
        ({"state": SessionState.CLOSED, "system_id": "", "wanted": False}, "taken down", Tone.QUIET, ""),
    ],
)
def test_a_link_is_told_by_its_state(changes, state, tone, remark):
    told = link_line(link(**changes), NOW)
    assert (told.state, told.tone, told.remark, told.age) == (state, tone, remark, 90.0)


@pytest.mark.parametrize(
    ("changes", "state", "tone"),
    [
        ({}, "up", Tone.GOOD),
        ({"watchdog": "suspect"}, "suspect", Tone.WARN),
        ({"state": "closed", "watchdog": "initial"}, "down", Tone.BAD),
    ],
)
def test_a_peer_is_told_by_its_state_and_its_watchdog(changes, state, tone):
    told = peer_line(peer(**changes), NOW)
    assert (told.state, told.tone) == (state, tone)
    assert len(told.figures) == len(PEER_FIGURES)


def test_concerns_name_what_is_not_well_and_nothing_else():
    links = [link_line(link(name="a"), NOW), link_line(link(name="b", state=SessionState.CLOSED), NOW)]
    links.append(link_line(link(name="c", state=SessionState.CLOSED, wanted=False), NOW))
    hosts = [HostReach("lab", reachable=True), HostReach("far", reachable=False)]
    queues = [Queue("Write lane", "9", "The disk is behind.", Tone.WARN), Queue("Texts in memory", "5", "-")]
    assert told(concerns_of(links, [], hosts, queues, Stored(trouble="gone"))) == [
        ("link.down", "link b is down"),
        ("host.unreachable", "host far does not answer"),
        ("lane.behind", "Write lane: The disk is behind"),
        ("store.unreadable", "the store cannot be read"),
    ]
    assert process_concerns(0.1, draining=False) == []
    assert told(process_concerns(1.23, draining=True, failing=["recover"])) == [
        ("process.draining", "the gateway is draining: it takes nothing new"),
        ("process.late", "the event loop is 1.2 s late"),
        ("task.failing", "the task recover fails again and again"),
    ]


def test_a_minute_of_slow_or_refused_requests_and_held_reports_are_concerns():
    def minute(**fields):
        return [
            Sample(**{"requests": 10.0, "p99": 0.01, "texts_out": 0.0, "texts_in": 0.0, "orders": 0.0} | fields)
        ] * 12

    assert charging_concerns(minute(), 0) == charging_concerns([], 0) == []
    assert [each.id for each in charging_concerns(minute(p99=0.2), 0)] == ["charging.slow"]
    assert charging_concerns(minute(p99=0.2)[:11], 0) == charging_concerns(minute(p99=None), 0) == []
    assert told(charging_concerns(minute(refused=1.0), 2)) == [
        ("charging.refused", "10% of charging requests were refused in the last minute"),
        ("reports.held", "2 usage reports wait for a decision"),
    ]


def test_where_the_time_of_the_lane_went_is_a_small_table():
    words = Reader(document(full())).words
    assert re.search(r"committing\s+75%\s+12", words), words
    assert "No batch was committed" in Reader(document(full(phases=[]))).words


def test_the_outbox_is_told_with_and_without_a_broker():
    assert outbox(None).tone is Tone.QUIET
    state = SimpleNamespace(connected=True, waiting=1234, last_error=None)
    assert outbox(SimpleNamespace(state=lambda: state)).waiting == "1,234"
    state = SimpleNamespace(connected=False, waiting=2, last_error=f"refused {NUMBER}")
    told = outbox(SimpleNamespace(state=lambda: state))
    assert (told.tone, told.note) == (Tone.BAD, "The broker is not connected: refused 44********23.")


# Samples and plots


def totals(at, latency=((0.01, 0), (float("inf"), 0)), out=0, came=0, orders=0):
    return Totals(at, tuple(latency), out, came, orders)


def test_what_lies_between_two_readings_is_a_sample():
    before = totals(10.0, ((0.01, 100), (0.025, 100), (float("inf"), 100)), 5, 7, 1)
    after = totals(15.0, ((0.01, 150), (0.025, 200), (float("inf"), 200)), 15, 7, 3)
    sample = between(before, after)
    assert (sample.requests, sample.texts_out, sample.texts_in, sample.orders) == (20.0, 2.0, 0.0, 24.0)
    assert sample.p99 == pytest.approx(0.01 + 0.015 * 49 / 50)
    assert between(after, msgspec.structs.replace(after, at=20.0)).p99 is None


def test_a_quantile_falls_into_its_bucket_and_never_beyond_the_last_bound():
    assert quantile(0.5, [(1.0, 10), (2.0, 10), (float("inf"), 10)]) == 0.5
    assert quantile(0.99, [(1.0, 0), (2.0, 0), (float("inf"), 5)]) == 2.0
    assert quantile(0.99, []) is None


def test_the_ring_keeps_ten_minutes_and_begins_with_the_second_reading():
    ring = Ring()
    ring.add(totals(0.0))
    assert ring.samples() == []
    for number in range(1, KEPT + 20):
        ring.add(totals(number * 5.0, out=number * 5))
    assert len(ring.samples()) == KEPT
    assert {sample.texts_out for sample in ring.samples()} == {1.0}
    ring.add(totals(1.0))
    assert len(ring.samples()) == KEPT


def test_a_plot_ends_at_the_right_has_gaps_and_says_what_it_shows():
    drawn = plot([1.0, 2.0, None, 4.0], "so and so")
    lines = re.findall(r'class="line" points="([^"]+)"', drawn)
    assert len(lines) == 2
    assert lines[-1].split()[-1] == f"{WIDTH:.1f},3.0"  # the highest touches the upper edge
    assert 'role="img" aria-label="so and so"' in drawn
    assert "polyline" not in plot([], "nothing")
    assert "polyline" not in plot([None, None], "nothing")
    assert "nan" not in plot([0.0] * 3, "zero")
    assert len(plot([sample.requests for sample in samples(KEPT)], "full")) < 6000


# Troubles


def test_troubles_are_counted_by_event_and_their_fields_are_masked():
    recent_alarms = RecentAlarms()
    recent_alarms.record("smpp.link.up", {"name": "a"}, 1)
    recent_alarms.record("smpp.link.down", {"name": "a", "detail": f"to +{NUMBER}", "token": "hush"}, 2)
    recent_alarms.record("order.failed", {"detail": "x" * 500}, 3)
    recent_alarms.record("smpp.link.down", {"name": "b", "msisdn": int(NUMBER), "unset": None}, 4)
    worst, link_down = recent_alarms.all()
    assert (worst.event, worst.count, len(worst.words)) == ("order.failed", 1, MAX_WORDS)
    assert (link_down.count, link_down.at, link_down.level) == (2, 4, "warning")
    assert link_down.words == "name: b, msisdn: 44********23"
    assert link_down.action == EVENTS["smpp.link.down"].action
    recent_alarms.record("smpp.link.down", {"detail": f"to +{NUMBER}", "token": "hush"}, 5)
    assert "hush" not in recent_alarms.all()[-1].words
    assert NUMBER not in recent_alarms.all()[-1].words


def test_an_undecodable_word_of_a_peer_does_not_break_the_page():
    body = document(full(operator="bad \udcff word")).encode("utf-8", "replace")
    assert b"bad ? word" in body


def test_a_month_that_nothing_could_be_told_of_is_named():
    words = Reader(document(full(stored=Stored(given=Given("October 2026"))))).words
    assert "Given to causes in October 2026" in words
    assert "Nothing could be told of that month." in words
