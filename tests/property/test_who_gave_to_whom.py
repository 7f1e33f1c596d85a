"""An outsider has all that leaves the house for three years: does he name a giver oftener than by guessing?

He knows every price (`usage/rated`, by pseudonym), so every tenth and its total; he has every figure of `charity/accrued`, of
which the status page shows the same, and what was not published as the difference. Each attack is shown to name givers where
sums are told as the gateway once told them, and then tried on what it tells now.
"""

import itertools
from collections import Counter
from datetime import UTC, datetime

import msgspec
import numpy as np
import pytest
from sqlalchemy import select
from support.lane_fixture import CAUSE_SEALS, CAUSES, Workplace
from support.outsiders import integer_programme, linear_relaxation, luck, matching_pursuit, subset

from gateway.api.openapi import document
from gateway.billing.giving_text import write_text
from gateway.billing.writer import Writer
from gateway.charging.quota import UsageRecord
from gateway.charging.usage_events import RatedEvents
from gateway.charity.giving_report import PUBLIC, PUBLISHED, giving_report
from gateway.charity.months import end_of, following
from gateway.charity.public_sums import FEWEST, SMALLER, Giving, decide
from gateway.charity.publication import GRACE, MonthReader, PublishMonth
from gateway.languages.bills import WORDS
from gateway.ledger import account_names, accounts
from gateway.ledger.money import MICRO
from gateway.metrics.registry import Metrics
from gateway.privacy.pseudonyms import Pseudonyms
from gateway.status_page.stored import given
from gateway.store.engine import reading
from gateway.store.tables import marks, nodes, outbox, publications

pytestmark = pytest.mark.xdist_group("who_gave_to_whom")
LINES, MONTHS, UNLIKELY = 5000, 36, 1e-3
LEFT = "left of the total"
GROUPS = {f"small-{givers}": givers for givers in (1, 3, 10, 49, 50)}
REGRESSION, SOLVERS = (matching_pursuit,), (linear_relaxation, integer_programme)
"""Givers of small causes; the rest of the lines give to large ones, or have chosen none."""


def tenths_of(random, rows, lines, spread, idle=0.0):
    """What accrues by each line (columns) in each period, in micro-units: some use much, some little, all unevenly."""
    habit = np.exp(random.normal(0, spread, lines)) * MICRO
    used = habit * np.exp(random.normal(0, 0.5, (rows, lines))) * (random.random((rows, lines)) >= idle)
    return np.rint(used).astype(np.int64)


def divided(random, groups, lines=LINES):
    """Which lines give to which cause."""
    order = iter(random.permutation(lines))
    members = {cause: sorted(itertools.islice(order, size)) for cause, size in groups.items()}
    rest = list(order)
    return members | {"wateraid": rest[: len(rest) // 2], "wwf": rest[len(rest) // 2 : -400], "unassigned": rest[-400:]}


# What was told once


def test_exact_sums_of_two_minutes_name_every_line():
    """Ten different givers stood behind each sum; whoever knows the prices solved for who they are in no time."""
    random = np.random.default_rng(1)
    tenths = tenths_of(random, 2, 24, 1.0)
    members = set(random.permutation(24)[:11].tolist())
    assert subset(tenths.T, tenths[:, sorted(members)].sum(1)) == [members]


def test_daily_sums_in_pence_name_the_givers_of_a_cause():
    random = np.random.default_rng(2)
    tenths = tenths_of(random, 180, LINES, 1.0, idle=0.5) / MICRO / 30
    members = set(random.permutation(LINES)[:30].tolist())
    told = np.floor(tenths[:, sorted(members)].sum(1) * 100)
    found = [len(members & set(matching_pursuit(tenths * 100, told, 30)))]
    found.append(len(members & set(linear_relaxation(tenths * 100, told, 30, seconds=60))))
    assert found[0] >= 25
    assert max(luck(hits, 30, 30, LINES) for hits in found) < 1e-20


def test_whole_pounds_a_month_name_the_few_givers_of_a_cause_that_is_told_apart():
    random = np.random.default_rng(4)
    tenths = tenths_of(random, MONTHS, LINES, 1.0) / MICRO
    members = set(random.permutation(LINES)[:3].tolist())
    told = np.diff(np.floor(np.cumsum(tenths[:, sorted(members)].sum(1))), prepend=0)
    assert luck(len(members & set(matching_pursuit(tenths, told, 3))), 3, 3, LINES) < UNLIKELY


def test_whole_pounds_a_month_of_a_cause_of_its_own_name_nine_of_sixty_lines_by_an_integer_programme():
    random = np.random.default_rng(5)
    tenths = tenths_of(random, MONTHS, 60, 0.7) / MICRO
    members = set(random.permutation(60)[:9].tolist())
    told = np.diff(np.floor(np.cumsum(tenths[:, sorted(members)].sum(1))), prepend=0)
    assert set(integer_programme(tenths, told, 60, seconds=60)) == members


# What is told now


class Outsider:
    """Collects the figures of each month, and tries every attack on every series that they make."""

    def __init__(self, tenths, members):
        self.tenths, self.members, self.months = tenths, members, []

    def hear(self, figures):
        """The figures of the next month: cause -> whole units."""
        self.months.append(figures)

    def series(self):
        """Every series that can be made: each cause's own, where it is told, and what is left of the total."""
        for cause in sorted({cause for month in self.months for cause in month}):
            yield cause, *self._between(lambda month, of=cause: month.get(of))
        total = np.floor(self.tenths.sum(1) / MICRO)
        apart = [sum(told for cause, told in month.items() if cause != SMALLER) for month in self.months]
        yield LEFT, self.tenths / MICRO, total - np.array(apart)

    def _between(self, told_of):
        """A figure covers all since the figure before it, as what is not told is carried on."""
        rows, told, waiting = [], [], np.zeros(self.tenths.shape[1])
        for n, month in enumerate(self.months):
            waiting = waiting + self.tenths[n] / MICRO
            if (figure := told_of(month)) is not None:
                rows.append(waiting)
                told.append(figure)
                waiting = np.zeros_like(waiting)
        return np.array(rows), np.array(told, dtype=float)

    def findings(self, attacks):
        """(series, attack, cause, hits) of each attempt that found more of a small cause's givers than a blind one does."""
        for name, tenths, told in self.series():
            for attack in attacks:
                if len(told) < 4 or (attack in SOLVERS and name not in {SMALLER, LEFT, *GROUPS}):
                    continue
                order = attack(tenths, told, MONTHS - 2)
                for cause, givers in self._small():
                    picks = order[: len(givers)]
                    hits = len(set(picks) & set(givers))
                    if picks and luck(hits, len(picks), len(givers), tenths.shape[1]) < UNLIKELY:
                        yield name, attack.__name__, cause, hits

    def _small(self):
        small = {cause: givers for cause, givers in self.members.items() if cause in GROUPS}
        return [*small.items(), ("any of them", sorted(itertools.chain(*small.values())))]


def three_years(random, groups, spread, lines=LINES):
    """What an outsider has heard after three years of an operator whose other lines give to large causes."""
    tenths, members = tenths_of(random, MONTHS, lines, spread), divided(random, groups, lines)
    outsider, carried = Outsider(tenths, members), {}
    for month in tenths:
        for cause, givers in members.items():
            open_sum = carried.setdefault((cause, "GBP"), Giving(parts={}, givers=set()))
            for line in givers:
                open_sum.add(int(line), int(month[line]))
        decision = decide(carried)
        carried = decision.carried
        outsider.hear({figure.cause: figure.amount // MICRO for figure in decision.figures})
    return outsider


@pytest.mark.parametrize("spread", [0.0, 0.7, 1.2], ids=["all use alike", "some use more", "few use most"])
@pytest.mark.parametrize("givers", GROUPS.values())
def test_regression_does_not_find_the_givers_of_one_small_cause(givers, spread):
    outsider = three_years(np.random.default_rng(givers), {f"small-{givers}": givers}, spread)
    assert givers == 50 or not any(f"small-{givers}" in month for month in outsider.months)
    assert sum(len(month) for month in outsider.months) >= MONTHS // 3
    assert list(outsider.findings(REGRESSION)) == []


@pytest.mark.parametrize("givers", GROUPS.values())
def test_integer_programmes_do_not_find_the_givers_of_one_small_cause(givers):
    outsider = three_years(np.random.default_rng(givers), {f"small-{givers}": givers}, 0.7)
    assert list(outsider.findings(SOLVERS)) == []


def first_names(operators, spread):
    """How often the first name by regression, of any series of so many operators, is one of fifty givers': (right, all)."""
    named = []
    for seed in range(operators):
        outsider = three_years(np.random.default_rng(200 + seed), {"small-50": 50}, spread)
        givers = set(outsider.members["small-50"])
        named += [matching_pursuit(*series, 1)[0] in givers for _, *series in outsider.series() if len(series[1]) > 3]
    return sum(named), len(named)


def test_the_heaviest_of_fifty_givers_is_not_the_first_name_of_regression(monkeypatch):
    """By their number alone fifty do not hide him: of operators with a cause of fifty, he is named at every second one."""
    right, named = first_names(12, 1.2)
    assert luck(right, named, 50, LINES) >= UNLIKELY
    monkeypatch.setattr(Giving, "broad", property(lambda giving: len(giving.givers) >= FEWEST))
    right, named = first_names(12, 1.2)
    assert luck(right, named, 50, LINES) < UNLIKELY


def test_nine_givers_among_few_lines_are_not_found_where_their_figure_is_joined():
    outsider = three_years(np.random.default_rng(6), {"small-10": 9}, 0.0, lines=60 + 400)
    assert list(outsider.findings((*REGRESSION, *SOLVERS))) == []


class Operator:
    """A gateway's store over three years: what is used is booked and told as usage, and each month is published."""

    def __init__(self, place, random):
        self.place, self.members = place, divided(random, GROUPS)
        self.tenths = tenths_of(random, MONTHS, LINES, 0.7)
        self.cause_of = {int(line): cause for cause, lines in self.members.items() for line in lines}
        with place.writer.begin() as connection:
            named = map(accounts.cause_account, {*self.members, *CAUSES} - {"unassigned"})
            self.accounts = accounts.ensure(connection, [*account_names.SYSTEM, *named]).numbers
        self.rated = RatedEvents("ocs.test.example", Pseudonyms(b"k" * 32))
        self.number = place.node.next_id + 1_000_000
        self.prices, self.told, self.pages = [], [], []

    def live_on(self):
        """Month for month, from January 2024 on."""
        period = "2024-01"
        for month in self.tenths:
            start = end_of(period, UTC) - 86_400_000_000
            self._use(month, start)
            self._publish(end_of(period, UTC) + GRACE, period)
            period = following(period)

    def _use(self, month, at):
        account, rows, prices = self.accounts, [], Counter()
        names = {c: account["unassigned" if c == "unassigned" else f"cause:{c}"] for c in self.members}
        for line, tenth in enumerate(map(int, month)):
            usage = self.number
            self.number += 3
            for entry, kind, debit, credit, amount in (
                (usage + 1, "charge", (1 << 41) + line, account["revenue"], 10 * tenth),
                (usage + 2, "accrual", account["giving"], names[self.cause_of[line]], tenth),
            ):
                rows.append((entry, at, kind, debit, credit, amount, "GBP", at, usage, 1, "2026-1", 10_000, None))
            event = self.rated(UsageRecord(usage, at, (1 << 41) + line, 1, "data", 10, 1, 0, 0, 10 * tenth, "GBP", "p"))
            prices[event.subject] += round(float(event.data.price) * MICRO)
        self.prices.append(prices)
        with self.place.writer.begin() as connection:
            marks_ = ", ".join("?" * 13)
            connection.connection.driver_connection.executemany(f"INSERT INTO transfers VALUES ({marks_})", rows)

    def _publish(self, now, period):
        with reading(self.place.reader) as connection:
            reader = MonthReader(connection, UTC, now, CAUSE_SEALS)
            assert reader.period == period
            while reader.advance(connection):
                continue
        assert self.place.lane.run(PublishMonth("ocs.test.example", reader.month()))
        with reading(self.place.reader) as connection:
            self.pages.append(given(connection, {}))
        self.told.append(period)

    def heard(self):
        """The figures by month, from the events of `charity/accrued`."""
        months = {period: {} for period in self.told}
        for (body,) in self.place.read(select(outbox.c.body).where(outbox.c.topic == "charity/accrued")):
            data = msgspec.json.decode(body)["data"]
            assert set(data) == {"period", "cause", "amount", "currency"}
            assert data["cause"] not in months[data["period"]]
            months[data["period"]][data["cause"]] = int(float(data["amount"]))
        return list(months.values())


@pytest.fixture(scope="module")
def operator(tmp_path_factory):
    place = Workplace(f"sqlite:///{tmp_path_factory.mktemp('operator')}/t.db")
    place.lane.start()
    operator = Operator(place, np.random.default_rng(11))
    operator.live_on()
    yield operator
    place.close()


def test_the_givers_of_small_causes_are_not_found_in_all_that_left_a_gateway_in_three_years(operator):
    subjects = sorted(operator.prices[0])
    rated = np.array([[month[subject] // 10 for subject in subjects] for month in operator.prices])
    names = Pseudonyms(b"k" * 32)
    places = {subject: place for place, subject in enumerate(subjects)}
    members = {
        cause: [places[names.subscriber((1 << 41) + int(line))] for line in lines]
        for cause, lines in operator.members.items()
    }  # fmt: skip
    outsider = Outsider(rated, members)
    for figures in operator.heard():
        outsider.hear(figures)
    assert sum(SMALLER in month for month in outsider.months) >= MONTHS // 2
    assert sum("wateraid" in month for month in outsider.months) >= MONTHS - 1
    assert list(outsider.findings((*REGRESSION, *SOLVERS))) == []


def test_small_causes_are_named_nowhere_and_the_page_and_the_events_tell_the_same(operator):
    small = {cause for cause, size in GROUPS.items() if size < 50}
    assert not small & {cause for month in operator.heard() for cause in month}
    names = {"Smaller causes": SMALLER, "No cause chosen yet": "unassigned"}
    for page, month in zip(operator.pages, operator.heard(), strict=True):
        assert {names.get(each.name, each.name): each.amount // MICRO for each in page.sums} == month


def test_reports_for_the_public_tell_of_each_month_what_the_events_told_in_every_language(operator):
    small, names = {cause for cause, size in GROUPS.items() if size < 50}, {"wateraid": "WaterAid", "wwf": "WWF"}
    with reading(operator.place.reader) as connection:
        for period, figures in zip(operator.told, operator.heard(), strict=True):
            report = giving_report(connection, period, PUBLIC, UTC)
            assert {line.cause: line.amounts[PUBLISHED] // MICRO for line in report.lines} == figures
            assert all(line.amounts[PUBLISHED] % MICRO == 0 for line in report.lines)
    for language in WORDS:
        text = write_text(report, Writer(language, UTC), "TPO", names)
        assert not [cause for cause in small if cause in text]
        assert Writer(language, UTC).word("for_public") in text


def test_metrics_and_the_interfaces_description_tell_of_no_cause(operator):
    assert not any(cause in Metrics().text().decode() for cause in operator.members)
    figures = [figure for month in operator.heard() for figure in month.values()]
    described = msgspec.json.encode(document()).decode()
    assert not [figure for figure in figures if figure > 999 and str(figure) in described]


def test_every_penny_of_three_years_was_told_or_is_carried_on(operator):
    told = sum(sum(month.values()) for month in operator.heard()) * MICRO
    with operator.place.reader.connect() as connection:
        carried = connection.exec_driver_sql("SELECT coalesce(sum(amount), 0) FROM unpublished_sums").scalar()
    assert told + carried == int(operator.tenths.sum())
    assert len(operator.place.read(select(publications))) == MONTHS
    assert datetime.fromtimestamp(operator.place.read(select(publications.c.published_at))[0][0] / MICRO, UTC)
    assert (
        len(operator.place.read(select(marks).where(marks.c.name == "charity/accrued")))
        == len(operator.place.read(select(nodes)))
        == 1
    )
