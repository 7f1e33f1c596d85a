"""Currencies and countries are those of ISO 4217 and ISO 3166, wherever a setting names one."""

import phonenumbers
import pytest

from gateway.ledger.currencies import CURRENCIES
from gateway.settings import ConfigInvalid, load
from gateway.settings.values import countries

RATE = "{price: 1, per: 1}"


def written(folder, operator="", plan="GBP", country="GB"):
    (folder / "plans.yaml").write_text(f"p: {{name: P, currency: {plan}, data: {RATE}, voice: {RATE}, sms: {RATE}}}\n")
    (folder / "causes.yaml").write_text(f"c: {{name: C, country: {country}}}\n")
    path = folder / "gateway.yaml"
    path.write_text(f"operator: {{name: T{operator}}}\nstore: {{url: 'sqlite:///t.db'}}\napi: {{socket: s}}\n")
    return path


def problems(path):
    with pytest.raises(ConfigInvalid) as refused:
        load(path, {})
    return [(problem.key, problem.message) for problem in refused.value.problems]


@pytest.mark.parametrize("code", ["JPY", "KWD", "USD", "CHF"])
def test_every_currency_there_is_may_be_named(tmp_path, code):
    settings = load(written(tmp_path, f", currency: {code}, country: US", code, "JP"), {})
    assert (settings.operator.currency, settings.plans["p"].currency) == (code, code)


@pytest.mark.parametrize(
    ("code", "meant"), [("GPB", "GBP"), ("GBX", "GBP"), ("UDS", "USD"), ("ERU", "EUR"), ("QQQ", "")]
)
def test_a_currency_that_is_none_is_refused_with_the_one_that_was_meant(tmp_path, code, meant):
    said = f"there is no currency `{code}` in ISO 4217" + (f"; did you mean `{meant}`?" if meant else "")
    assert problems(written(tmp_path, f", currency: {code}", code)) == [
        ("operator.currency", said),
        ("p.currency", said),
    ]


@pytest.mark.parametrize("code", ["ZZ", "UK", "EU", "XX"])
def test_a_country_that_is_none_is_refused(tmp_path, code):
    found = problems(written(tmp_path, f", country: {code}", country=code))
    assert [key for key, _ in found] == ["operator.country", "c.country"]
    assert all(f"there is no country `{code}` in ISO 3166" in message for _, message in found)


def test_the_tables_are_whole():
    assert len(countries()) == 249
    assert phonenumbers.SUPPORTED_REGIONS - countries() <= {"AC", "TA", "XK"}
    assert {CURRENCIES[code] for code in ("JPY", "KRW", "ISK")} == {0}
    assert {CURRENCIES[code] for code in ("KWD", "BHD", "TND")} == {3}
