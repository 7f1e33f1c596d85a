"""The section `charity`: by which rule the tenth is computed, the accounts that causes are paid from, and campaigns."""

from datetime import date, datetime, tzinfo
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from gateway.bank.accounts import AccountInvalid, BankAccount, checked
from gateway.charity.policies import POLICIES, Policy
from gateway.settings.sections.section import Section
from gateway.settings.values import Currency, Duration, Id, Percent, Price, Text

Format = Literal["pain.001.001.03", "pain.001.001.09", "nacha"]


class CharityAccount(Section):
    """The account that causes are paid from in a currency, and the format of its bank's payment files."""

    currency: Currency
    format: Format
    name: Text
    sort_code: str = ""
    account: str = ""
    iban: str = ""
    bic: str = ""
    routing: str = ""
    company: Annotated[str, Field(pattern=r"^[A-Z0-9 ]{0,10}$")] = ""

    @property
    def bank_account(self) -> BankAccount:
        """The account in its plain form."""
        return checked(BankAccount(self.name, self.sort_code, self.account, self.iban, self.bic, self.routing))

    @model_validator(mode="after")
    def _is_whole(self) -> "CharityAccount":
        try:
            found = self.bank_account
        except AccountInvalid as error:
            raise ValueError(str(error)) from None
        if (self.format == "nacha") != bool(found.routing):
            message = "format: nacha is for accounts with a routing number, pain.001 for all others"
            raise ValueError(message)
        if self.format == "nacha" and (not self.company or self.currency != "USD"):
            message = "company: a NACHA file needs the ten characters that the bank knows us by, and pays USD"
            raise ValueError(message)
        if self.format != "nacha" and self.company:
            message = "company: only a NACHA file names it (format: nacha)"
            raise ValueError(message)
        return self


def _day(value: str) -> str:
    try:
        date.fromisoformat(value)
    except ValueError:
        message = 'must be a day in quotes, like "2027-01-01"'
        raise ValueError(message) from None
    return value


def _date(value: object) -> date:
    try:
        return date.fromisoformat(str(value))
    except ValueError:
        message = "must be a day, such as 2026-12-01"
        raise ValueError(message) from None


def _check_tax(base: str, tax: int) -> None:
    """Refuse a net base whose tax nobody said: it would be reckoned as a gross one."""
    if (base == "net") != bool(tax):
        message = "tax: say it of a net base, whose price it is in, and of no other"
        raise ValueError(message)


class PolicyEntry(Section):
    """A rule of the tenth, from the first moment of a day on the operator's clock: `rate` and `tax` in percent.

    On `exclusions` nothing accrues: a service, `usage` (all of them), or `sale` (of bundles and add-ons). `trigger` is what
    confirms a tenth: that its charge is paid for, or the charge itself.
    """

    base: Literal["gross", "net"]
    rate: Percent
    trigger: Literal["paid", "charged"] = "paid"
    effective_from: Annotated[str, AfterValidator(_day)]
    tax: Percent = 0
    exclusions: list[Literal["usage", "sale", "data", "voice", "sms"]] = Field(default_factory=list)

    @model_validator(mode="after")
    def _says_its_tax(self) -> "PolicyEntry":
        _check_tax(self.base, self.tax)
        return self


class ComparedPolicy(Section):
    """A rule of the tenth that is only compared with (`tpo charity report --policy`): it may leave out usage, or sales."""

    id: Annotated[str, Field(min_length=1, max_length=16)]
    base: Literal["gross", "net"]
    rate: Percent
    tax: Percent = 0
    exclusions: list[Literal["usage", "sale"]] = Field(default_factory=list)

    @model_validator(mode="after")
    def _says_its_tax(self) -> "ComparedPolicy":
        _check_tax(self.base, self.tax)
        return self

    def as_request(self) -> dict[str, object]:
        """Give it with basis points, as the action takes it."""
        return self.model_dump()


class MatchingCampaign(Section):
    """Who adds how much (percent) to gifts that are made from one day until and with another, and how much in all."""

    id: Id
    matcher: Text
    ratio: Percent
    cap: Price
    currency: Currency = "GBP"
    begins: Annotated[date, BeforeValidator(_date)]
    ends: Annotated[date, BeforeValidator(_date)]
    causes: list[Id] = Field(default_factory=list)


class Charity(Section):
    """The rules of the tenth and of gifts, and the accounts that causes are paid from, one a currency."""

    policy: Literal["2026-1"] = "2026-1"
    confirm_every: Annotated[Duration, Field(ge=0, le=31 * 86_400)] = 24 * 3600
    ask_days: Annotated[int, Field(ge=1, le=366)] = 30
    after_asking: Literal["held", "unassigned"] = "held"
    gift_window: Annotated[Duration, Field(ge=0, le=30 * 86_400)] = 24 * 3600
    matching: list[MatchingCampaign] = Field(default_factory=list)
    policies: dict[Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,15}$")], PolicyEntry] = Field(
        default_factory=dict
    )
    accounts: list[CharityAccount] = Field(default_factory=list)
    transfer_word: Annotated[str, Field(pattern=r"^([A-Za-z0-9-]{6,18})?$")] = "charity-account"

    @model_validator(mode="after")
    def _check_campaigns(self) -> "Charity":
        names = [each.id for each in self.matching]
        if len(set(names)) != len(names):
            message = "two campaigns have the same id"
            raise ValueError(message)
        if idle := [each.id for each in self.matching if not (each.ratio and each.cap)]:
            message = f"matching: {idle[0]} adds nothing: its ratio and its cap are more than 0"
            raise ValueError(message)
        if any(each.ends < each.begins for each in self.matching):
            message = "a campaign ends before it begins"
            raise ValueError(message)
        if self.transfer_word.lower() in names:
            message = "transfer_word: a campaign has it as its id: a bank's line could be of either"
            raise ValueError(message)
        return self

    @model_validator(mode="after")
    def _changes_no_rule(self) -> "Charity":
        if known := sorted(self.policies.keys() & POLICIES.keys()):
            message = f"policies: {known[0]} is the program's own; a rule never changes, another one has another id"
            raise ValueError(message)
        days = [date.fromisoformat(each.effective_from) for each in self.policies.values()]
        if len(set(days)) != len(days):
            message = "policies: two rules have the same effective_from: which of them is in force on that day?"
            raise ValueError(message)
        return self

    @model_validator(mode="after")
    def _one_a_currency(self) -> "Charity":
        if len({each.currency for each in self.accounts}) != len(self.accounts):
            message = "accounts: there is more than one for a currency"
            raise ValueError(message)
        return self

    def later(self, zone: tzinfo) -> tuple[Policy, ...]:
        """Return the rules that follow `policy`; `zone` is the operator's."""
        return tuple(
            Policy(
                id=name,
                base=entry.base,
                rate=entry.rate,
                tax=entry.tax,
                exclusions=tuple(sorted(set(entry.exclusions))),
                effective_from=int(datetime.fromisoformat(entry.effective_from).replace(tzinfo=zone).timestamp())
                * 1_000_000,
                trigger=entry.trigger,
            )
            for name, entry in self.policies.items()
        )

    def account(self, currency: str) -> CharityAccount | None:
        """Return the account that causes are paid from in a currency."""
        return next((each for each in self.accounts if each.currency == currency), None)
