"""Settings of giving: by which rule the tenth is reckoned, and from which accounts causes are paid."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from gateway.bank.accounts import AccountInvalid, BankAccount, checked
from gateway.settings.sections import Section
from gateway.settings.values import Currency, Text

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
        return self


class Charity(Section):
    """The rules of the tenth, and the accounts that causes are paid from, one a currency."""

    policy: Literal["2026-1"] = "2026-1"
    accounts: list[CharityAccount] = Field(default_factory=list)

    @model_validator(mode="after")
    def _one_a_currency(self) -> "Charity":
        if len({each.currency for each in self.accounts}) != len(self.accounts):
            message = "accounts: there is more than one for a currency"
            raise ValueError(message)
        return self

    def account(self, currency: str) -> CharityAccount | None:
        """Give the account that causes are paid from in a currency."""
        return next((each for each in self.accounts if each.currency == currency), None)
