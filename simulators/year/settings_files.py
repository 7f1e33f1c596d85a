"""The files by which the simulated operator is set up: its gateway, plans and causes, as they are in a month of the year."""

import hashlib
import json
import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

import msgspec
import yaml

from gateway.cli.commands.init import initial_folder
from gateway.settings import Settings, load
from simulators.bank import Account

OPERATOR: Final = "Year Mobile"
COMPANY: Final = Account(f"{OPERATOR} Limited", "200000", "41110001")
CHARITY: Final = Account(f"{OPERATOR} Giving", "200000", "41110002")
"""The accounts of the company: what customers pay goes to one, causes are paid from the other."""
SHORT_CODE: Final = "70070"
PAYG, BUNDLE, MONTHLY = "payg-gb", "bundle-gb", "monthly-gb"
REGULATOR: Final = "GB-CHC"
WRITE_OFF_DAYS: Final = 30


class CauseTerms(msgspec.Struct, frozen=True):
    """A cause of the year: its number in the register, and the account that it is paid to.

    `closes` says that it closes in mid-year, in which of the months after that; `heir` is whom its trustees named.
    """

    id: str
    name: str
    number: str
    account: Account
    closes: int = 0
    heir: str = ""
    threshold: int = 0

    @property
    def word(self) -> str:
        """What customers text for it."""
        return self.name.replace(" ", "").upper()


class Month(msgspec.Struct, frozen=True):
    """A month of a year that has so many months; it is numbered from 1."""

    year: int
    number: int
    of: int

    def closes(self, cause: CauseTerms) -> int:
        """Return the month in which a cause closes; 0 where it does not."""
        return max(2, (self.of + 1) // 2) + cause.closes - 1 if cause.closes else 0

    def is_closed(self, cause: CauseTerms) -> bool:
        """Whether a cause is closed in this month."""
        return 0 < self.closes(cause) <= self.number

    @property
    def open_causes(self) -> list[CauseTerms]:
        """The causes that may be chosen."""
        return [cause for cause in CAUSES if not self.is_closed(cause)]

    @property
    def has_closings(self) -> bool:
        """Whether a cause closes as it begins."""
        return any(self.closes(cause) == self.number for cause in CAUSES)


CAUSES: Final = (
    CauseTerms("clean-water", "Clean Water", "1000001", Account("Clean Water", "300000", "52000001")),
    CauseTerms("food-bank", "Food Bank", "1000002", Account("Food Bank", "300000", "52000002")),
    CauseTerms("wild-woods", "Wild Woods", "1000003", Account("Wild Woods", "300000", "52000003"), threshold=5),
    CauseTerms(
        "old-lanterns", "Old Lanterns", "1000004", Account("Old Lanterns", "300000", "52000004"), 1, "clean-water"
    ),
    CauseTerms("lost-letters", "Lost Letters", "1000005", Account("Lost Letters", "300000", "52000005"), 2),
)
"""One closes with an heir and one without; each has an agreement from the first day on."""


def write(folder: Path, seed: int, month: Month, host_url: str, *, data_price: str) -> Settings:
    """Write the files as they are in a month, and load them; `data_price` is what pay as you go costs a megabyte."""
    (folder / "gateway.yaml").write_text(_gateway(host_url), encoding="utf-8")
    (folder / "plans.yaml").write_text(_PLANS.replace("DATA_PRICE", data_price), encoding="utf-8")
    (folder / "causes.yaml").write_text("".join(_causes(month)), encoding="utf-8")
    (folder / "keywords.yaml").write_text(_keywords(), encoding="utf-8")
    _write_key(folder / "privacy.key", seed)
    shutil.copy(initial_folder() / "taxes.yaml", folder / "taxes.yaml")
    return load(folder / "gateway.yaml")


def _write_key(path: Path, seed: int) -> None:
    """Write the key that the seed makes, so that the same seed makes the same evidence."""
    path.touch(0o600)
    path.write_text(hashlib.sha256(f"the key of simulated year {seed}".encode()).hexdigest(), encoding="utf-8")


def _gateway(host_url: str) -> str:
    return f"""# A simulated operator: no customer, no money of this file exists.
operator: {{name: {OPERATOR}, country: GB, currency: GBP, timezone: Europe/London}}
store: {{url: "sqlite:///tpo.db", lane: thread, seal_after: 5d}}
api: {{listen: "127.0.0.1:8080", socket: tpo.sock}}
messaging: {{short_codes: ["{SHORT_CODE}"], answers_per_hour: 100}}
charging: {{slice: 100000000, slice_seconds: 600}}
bills: {{due: 14d, suspend: 14d, write_off: {WRITE_OFF_DAYS}d}}
charity:
  gift_window: 24h
  accounts:
    - {{currency: GBP, format: pain.001.001.09, name: "{CHARITY.name}", sort_code: "{CHARITY.sort_code}",
       account: "{CHARITY.number}"}}
privacy: {{key: {{file: privacy.key}}}}
provisioning:
  hosts:
    - {{name: host, adapter: tmf640, plans: [{PAYG}, {BUNDLE}, {MONTHLY}], url: "{host_url}"}}
plans: plans.yaml
causes: causes.yaml
keywords: keywords.yaml
taxes: taxes.yaml
"""


_PLANS: Final = """\
payg-gb:
  name: Pay as you go
  currency: GBP
  tax: {inclusive: GB}
  data: {price: DATA_PRICE, per: 1000000}
  voice: {price: 0.03, per: 60, minimum: 60, step: 1}
  sms: {price: 0.02, per: 1}
  destinations:
    "4490": {voice: {price: 0.55, per: 60, increments: 60/1, service: {price: 1.50, per: 60, tenth: false}}}
    own: {voice: free, sms: free}
  roaming:
    home: ["234"]
    zones:
      europe:
        networks: ["208", "262"]
        data: {price: 0.05, per: 1000000}
        voice: {price: 0.20, per: 60}
        sms: {price: 0.06, per: 1}
bundle-gb:
  name: The bundle
  currency: GBP
  tax: {inclusive: GB}
  data: {price: 0.01, per: 1000000}
  voice: {price: 0.03, per: 60, minimum: 60, step: 1}
  sms: {price: 0.02, per: 1}
  bundle: {price: 7.50, period: month, data: 400000000, voice: 3000, sms: 50, roll_over: [data]}
  add_ons:
    boost: {price: 3.00, days: 7, data: 500000000}
monthly-gb:
  name: By the month
  currency: GBP
  tax: {inclusive: GB}
  data: {price: 0.02, per: 1000000}
  voice: {price: 0.05, per: 60, minimum: 60, step: 1}
  sms: {price: 0.03, per: 1}
"""


def _causes(month: Month) -> Iterator[str]:
    for cause in CAUSES:
        closed = month.is_closed(cause)
        ends = f', ends: "{month.year}-{month.closes(cause) - 1:02d}-28"' if closed else ""
        carried = f", threshold: {cause.threshold}.00, carry: 20" if cause.threshold else ""
        agreement = f'signed: "{month.year - 1}-11-01", starts: "{month.year - 1}-12-01", currency: GBP, method: bacs'
        yield f"""{cause.id}:
  name: {cause.name}
  country: GB
  regulator: {REGULATOR}
  number: "{cause.number}"
  vetting: approved
  statement: "{cause.name} gets 10% of your bill."
  open: {str(not closed).lower()}
  agreement: {{{agreement}, transmit_within: 60{carried}{ends}}}
"""
        if closed and cause.heir:
            named = f'named_by: trustees, "on": "{month.year}-{month.closes(cause):02d}-01", reference: minutes-17'
            yield f"  successor: {{cause: {cause.heir}, {named}}}\n"


@cache
def _keywords() -> str:
    """The shipped services of the short code in English, for the causes of the year; JSON is YAML, too."""
    shipped = yaml.load((initial_folder() / "keywords.yaml").read_text(encoding="utf-8"), Loader=yaml.BaseLoader)  # noqa: S506  (texts alone)
    book = shipped[SHORT_CODE] | {"gift": {"minimum": 1, "maximum": 40}, "names": []}
    book |= {"causes": {cause.id: [cause.word] for cause in CAUSES}, "languages": {"en": book["languages"]["en"]}}
    return json.dumps({SHORT_CODE: book}, indent=1)
