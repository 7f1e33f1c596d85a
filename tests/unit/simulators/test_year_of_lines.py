"""The lines and diaries of a simulated year: drawn by the seed alone, with numbers that the gateway takes."""

from datetime import datetime
from random import Random
from zoneinfo import ZoneInfo

from gateway.charity.choices import parse
from provisioning import identifiers
from simulators.year.clock import Clock
from simulators.year.line_events import Use, month_of
from simulators.year.lines import PAYS, PLANS, draw
from simulators.year.settings_files import CAUSES, MONTHLY, Month, write

ZONE = ZoneInfo("Europe/London")
BEGIN, END = datetime(2025, 3, 1, tzinfo=ZONE), datetime(2025, 4, 1, tzinfo=ZONE)


def test_lines_have_numbers_that_can_be_imported_and_choices_that_can_be_made():
    known = [cause.id for cause in CAUSES]
    for line in draw(Random(1), 60):
        assert identifiers.imported_iccid(line.iccid) == line.iccid
        assert (identifiers.imsi(line.imsi), identifiers.msisdn(line.msisdn)) == (line.imsi, line.msisdn)
        assert not line.causes or sum(share.share for share in parse(line.causes, known)) == 10_000


def test_each_plan_and_each_way_to_pay_is_there_however_few_lines_there_are():
    lines = draw(Random(1), 10)
    assert {line.plan for line in lines} == set(PLANS)
    assert {line.pays for line in lines if line.plan == MONTHLY} == set(PAYS)


def test_the_same_seed_draws_the_same_month_in_the_order_of_time_within_its_bounds():
    def drawn(seed):
        return [(each.at, each.line.place, type(each)) for each in month_of(draw(Random(seed), 30), BEGIN, END, seed)]

    assert drawn(1) == drawn(1) != drawn(2)
    assert drawn(1) == sorted(drawn(1), key=lambda each: each[0])
    assert BEGIN < drawn(1)[0][0] < drawn(1)[-1][0] < END
    assert {kind for _, _, kind in drawn(1)} > {Use}


def test_a_line_that_has_ended_does_nothing():
    lines = draw(Random(1), 10)
    for line in lines:
        line.gone = True
    assert month_of(lines, BEGIN, END, 1) == []


def test_the_settings_of_each_month_are_good_and_causes_close_in_the_middle(tmp_path):
    closed = {}
    for number in (1, 6, 7):
        month = Month(2025, number, 12)
        settings = write(tmp_path, 1, month, "http://127.0.0.1:1/api", data_price="0.01")
        assert settings.warnings == []
        closed[number] = [cause.id for cause in settings.causes.values() if not cause.open]
    assert closed == {1: [], 6: ["old-lanterns"], 7: ["old-lanterns", "lost-letters"]}
    assert settings.causes["old-lanterns"].successor.cause == "clean-water"
    assert (tmp_path / "privacy.key").stat().st_mode & 0o777 == 0o600


def test_the_clock_never_goes_back_and_knows_the_operators_days():
    clock = Clock(ZONE, datetime(2025, 3, 30, 12, tzinfo=ZONE))
    clock.move(datetime(2025, 3, 29, tzinfo=ZONE))
    assert clock.moment == datetime(2025, 3, 30, 12, tzinfo=ZONE)
    assert clock.midnight(clock.moment) == datetime(2025, 3, 31, tzinfo=ZONE)
