"""The section `bills`: their head, when they are due, and what follows where they are not paid."""

from typing import Annotated, Final

from pydantic import Field, model_validator

from gateway.bank.accounts import AccountInvalid, BankAccount, checked
from gateway.settings.sections.section import Section
from gateway.settings.values import Duration

DAY: Final = 86_400


class PaidToAccount(Section):
    """An account that customers pay bills to: `sort_code` with `account`, `iban`, or `routing` with `account`."""

    sort_code: str = ""
    account: str = ""
    iban: str = ""
    routing: str = ""

    @property
    def bank_account(self) -> BankAccount:
        """The account in its plain form; whose it is does not matter."""
        return checked(BankAccount("bills", self.sort_code, self.account, self.iban, "", self.routing))

    @model_validator(mode="after")
    def _is_whole(self) -> "PaidToAccount":
        try:
            _ = self.bank_account
        except AccountInvalid as error:
            raise ValueError(str(error)) from None
        return self


class Bills(Section):
    """When bills are due, what becomes of those that are not paid, and what stands at their head; times in seconds."""

    due: Annotated[Duration, Field(ge=DAY)] = 14 * DAY
    suspend: Annotated[Duration, Field(ge=DAY)] = 14 * DAY
    write_off: Annotated[Duration, Field(ge=DAY)] = 180 * DAY
    head: list[str] = Field(default_factory=list, max_length=6)
    accounts: list[PaidToAccount] = Field(default_factory=list)
    """Of a bank's file only what is of these pays bills; without any, whatever account it is of."""

    def is_paid_to(self, account: str) -> bool:
        """Return whether bills are paid to an account, as a statement calls it."""
        return not self.accounts or any(each.bank_account.is_called(account) for each in self.accounts)
