"""Agreements, accounts and rules of the tenth in the files: what would pay a cause late, or nobody, is refused."""

from datetime import UTC

import pytest
from pydantic import ValidationError

from gateway.settings.causes_file import CauseEntry
from gateway.settings.checks.charity import check_register_numbers
from gateway.settings.checks.found import Found
from gateway.settings.error_messages import Report
from gateway.settings.sections.charity import Charity, ComparedPolicy
from gateway.settings.yaml_loader import Document

AGREEMENT = {"signed": "2026-01-15", "starts": "2026-02-01", "currency": "GBP", "method": "bacs", "transmit_within": 60}
CAUSE = {"name": "WaterAid", "country": "GB", "regulator": "GB-CHC", "number": "288701"}
ACCOUNT = {
    "currency": "GBP",
    "format": "pain.001.001.09",
    "name": "Giving",
    "sort_code": "20-00-00",
    "account": "55779911",
}
RULE = {"base": "gross", "rate": 10, "effective_from": "2027-01-01"}
CAMPAIGN = {"id": "winter-2026", "matcher": "Acme", "ratio": 50, "cap": 5, "begins": "2026-12-01", "ends": "2026-12-31"}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"transmit_within": 28}, "waits up to 31 days, and 28 are agreed"),
        ({"transmit_within": 31}, "waits up to 31 days"),
        ({"period": "quarter"}, "waits up to 92 days"),
        ({"carry": 29}, "waits up to 60 days"),
        ({"threshold": 5}, "say by `carry`"),
        ({"ends": "2026-01-31"}, "ends before it starts"),
        ({"signed": "15 January"}, "must be a day"),
        ({"currency": "GBX"}, "GBX"),
    ],
)
def test_an_agreement_by_which_money_would_come_late_is_refused(change, why):
    with pytest.raises(ValidationError, match=why):
        CauseEntry.model_validate(CAUSE | {"agreement": AGREEMENT | change})


def test_an_agreement_with_a_threshold_that_is_carried_within_its_time_is_taken():
    entry = CauseEntry.model_validate(CAUSE | {"agreement": AGREEMENT | {"threshold": 5, "carry": 20}})
    agreement = entry.cause("wateraid").agreement
    assert (agreement.threshold, agreement.longest, agreement.holds_on("2026-02-01")) == (5_000_000, 51, True)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"vetting": "approved"}, "needs its number in a register, and the statement"),
        (
            {"successor": {"cause": "wwf", "named_by": "trustees", "on": "2026-01-01", "reference": "minutes"}},
            "only a closed",
        ),
        (
            {"open": False, "successor": {"cause": "wwf", "named_by": "us", "on": "2026-01-01", "reference": "x"}},
            "trustees",
        ),
    ],
)
def test_a_cause_says_what_its_state_needs(change, why):
    with pytest.raises(ValidationError, match=why):
        CauseEntry.model_validate(CAUSE | change)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"accounts": [ACCOUNT, ACCOUNT]}, "more than one"),
        ({"accounts": [ACCOUNT | {"format": "nacha"}]}, "nacha is for accounts with a routing number"),
        ({"accounts": [ACCOUNT | {"sort_code": "1"}]}, "sort code of 6 digits"),
        ({"accounts": [ACCOUNT | {"company": "1234567890"}]}, "only a NACHA file names it"),
        ({"accounts": [ACCOUNT | {"bic": "NWBKGB2L"}]}, "bic: is given with an iban"),
        ({"matching": [CAMPAIGN | {"ratio": 0}]}, "winter-2026 adds nothing"),
        ({"matching": [CAMPAIGN | {"cap": 0}]}, "winter-2026 adds nothing"),
        ({"policies": {"2026-1": {"base": "gross", "rate": 12, "effective_from": "2027-01-01"}}}, "never changes"),
        ({"policies": {"2027-1": {"base": "net", "rate": 10, "effective_from": "2027-01-01"}}}, "say it of a net base"),
        ({"policies": {"2027-1": {"base": "gross", "rate": 10, "effective_from": "1 May"}}}, "must be a day"),
        ({"policies": {"a": RULE, "b": RULE | {"rate": 12, "effective_from": "20270101"}}}, "the same effective_from"),
        ({"matching": [CAMPAIGN], "transfer_word": "Winter-2026"}, "a campaign has it as its id"),
    ],
)
def test_accounts_and_rules_that_cannot_be_are_refused(given, why):
    with pytest.raises(ValidationError, match=why):
        Charity.model_validate(given)


def test_a_rule_follows_from_its_day_on():
    given = {"policies": {"2027-1": {"base": "net", "tax": 20, "rate": 10, "effective_from": "2027-01-01"}}}
    (policy,) = Charity.model_validate(given).later(UTC)
    assert (policy.rate, policy.tax, policy.effective_from) == (1_000, 2_000, 1_798_761_600_000_000)
    assert policy.tenth(7_500_000) == 625_000


def test_a_rule_to_compare_with_may_leave_something_out():
    given = {"id": "usage-only", "base": "gross", "rate": 10, "exclusions": ["sale"]}
    assert ComparedPolicy.model_validate(given).as_request()["exclusions"] == ["sale"]


def test_a_rule_on_a_net_base_that_says_no_tax_is_not_compared():
    with pytest.raises(ValidationError, match="say it of a net base"):
        ComparedPolicy.model_validate({"id": "net", "base": "net", "rate": 10})


def test_a_number_in_a_register_that_two_causes_have_is_warned_of():
    entries = {name: CauseEntry.model_validate(CAUSE | {"number": number}) for name, number in NUMBERS}
    report = Report(Document("gateway.yaml"))
    check_register_numbers(Found(causes={name: entry.cause(name) for name, entry in entries.items()}), report)
    assert [str(each) for each in report.problems] == [
        "gateway.yaml:1: causes: warning: wwf.number: wateraid has the same one in the register GB-CHC"
    ]


NUMBERS = (("wateraid", "288701"), ("wwf", "288701"), ("other", "1081247"), ("new", ""), ("newer", ""))
