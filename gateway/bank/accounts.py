"""Bank accounts as payment files name them: a UK sort code and account, an IBAN, or a US routing number and account."""

import re
from typing import Final

import msgspec
from stdnum import bic, iban
from stdnum.exceptions import ValidationError
from stdnum.us import rtn

_SORT_CODE: Final = re.compile(r"[0-9]{6}", re.ASCII)
_UK_ACCOUNT: Final = re.compile(r"[0-9]{8}", re.ASCII)
_US_ACCOUNT: Final = re.compile(r"[0-9]{4,17}", re.ASCII)
_NAME: Final = re.compile(r"[ -~]{1,70}", re.ASCII)
"""What every bank takes of a name: printable ASCII."""
_GB_SORT_CODE: Final = 8
"""Where an IBAN of the UK has the sort code, behind its country, check digits and bank; the account is the rest."""
_SORT_CODE_DIGITS: Final = 6


class AccountInvalid(ValueError):
    """An account that no bank has; the text says why, and never what was given."""


class BankAccount(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whose account, and which: `sort_code` with `account`, `iban` (perhaps with `bic`), or `routing` with `account`."""

    name: str
    sort_code: str = ""
    account: str = ""
    iban: str = ""
    bic: str = ""
    routing: str = ""

    def __repr__(self) -> str:
        """Tell nothing: it may stand in an error."""
        return "BankAccount(...)"

    @property
    def known_by(self) -> str:
        """What a statement of the account calls it, without spaces: an IBAN ends with sort code and account."""
        return self.iban or f"{self.sort_code}{self.routing}{self.account}"

    def is_called(self, number: str) -> bool:
        """Return whether a statement's account is this one; the statement may leave out the bank, or put an IBAN around it."""
        is_uk = number.startswith("GB") and not self.iban
        if (number[_GB_SORT_CODE:] if is_uk else number) == self.known_by:
            return True
        domestic = self.iban[_GB_SORT_CODE:] if self.iban.startswith("GB") else ""
        return bool(number) and number in {self.account, domestic, domestic[_SORT_CODE_DIGITS:]}

    def is_same(self, other: "BankAccount") -> bool:
        """Return whether both are one account, each in its plain form: an IBAN may be of a sort code and account."""
        return self.is_called(other.known_by) or other.is_called(self.known_by)


def checked(found: BankAccount) -> BankAccount:
    """Give an account in its plain form, without spaces and hyphens; AccountInvalid where it cannot be one."""
    plain = BankAccount(found.name.strip(), *(_plain(getattr(found, name)) for name in _PARTS))
    if not _NAME.fullmatch(plain.name):
        raise AccountInvalid("name: 1 to 70 letters, digits and signs of ASCII")
    if plain.iban:
        _check_iban(plain)
    elif plain.bic:
        raise AccountInvalid("bic: is given with an iban; a sort code or a routing number says which bank it is")
    elif plain.routing:
        if not rtn.is_valid(plain.routing):
            raise AccountInvalid("routing: this is no routing number of a US bank")
        if not _US_ACCOUNT.fullmatch(plain.account) or plain.sort_code:
            raise AccountInvalid("account: 4 to 17 digits, beside the routing number")
    elif not _SORT_CODE.fullmatch(plain.sort_code) or not _UK_ACCOUNT.fullmatch(plain.account):
        raise AccountInvalid(
            "give a sort code of 6 digits and an account of 8, or an IBAN, or a routing number and account"
        )
    return plain


_PARTS: Final = ("sort_code", "account", "iban", "bic", "routing")


def _plain(text: str) -> str:
    return text.replace(" ", "").replace("-", "").upper()


def _check_iban(found: BankAccount) -> None:
    try:
        iban.validate(found.iban)
        if found.bic:
            bic.validate(found.bic)
    except ValidationError:
        raise AccountInvalid("iban, bic: this is no IBAN, or no BIC") from None
    if found.sort_code or found.account or found.routing:
        raise AccountInvalid("iban: give it alone, or with its bic")
