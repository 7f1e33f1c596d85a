"""Read causes.yaml: whom customers may give to, with the number that an auditor can look up."""

import re
from datetime import date
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, model_validator

from gateway.charity.causes import TRANSMIT_WITHIN, Agreement, Cause, Successor
from gateway.ledger.account_names import UNASSIGNED
from gateway.settings.sections.section import Section
from gateway.settings.values import Country, Currency, Id, Price, Text

_NUMBERS: Final = {
    "GB-CHC": (re.compile(r"[0-9]{6,7}", re.ASCII), "288701"),
    "GB-SC": (re.compile(r"SC[0-9]{6}", re.ASCII), "SC039479"),
    "US-EIN": (re.compile(r"[0-9]{2}-[0-9]{7}", re.ASCII), "36-3673599"),
}


def _day(value: str) -> str:
    try:
        if date.fromisoformat(value).isoformat() == value:
            return value
    except ValueError:
        pass
    message = 'must be a day in quotes, like "2026-11-27"'
    raise ValueError(message)


Day = Annotated[str, AfterValidator(_day)]
Days = Annotated[int, Field(ge=0, le=366)]


class AgreementEntry(Section):
    """What was agreed with a cause (Charities Act 1992 s.59); without `transmit_within` it has its money within 28 days."""

    signed: Day
    starts: Day
    currency: Currency
    method: Id
    ends: Day | Literal[""] = ""
    period: Literal["month", "quarter"] = "month"
    transmit_within: Annotated[int, Field(ge=1, le=366)] = TRANSMIT_WITHIN
    threshold: Price = 0
    carry: Days = 0

    @model_validator(mode="after")
    def _pays_in_time(self) -> "AgreementEntry":
        """Refuse terms by which money waits longer than was agreed (SI 1994/3024 reg. 6)."""
        if self.ends and self.ends < self.starts:
            message = "ends: it ends before it starts"
            raise ValueError(message)
        if self.threshold and not self.carry:
            message = "threshold: say by `carry` for how many days less than this may be carried"
            raise ValueError(message)
        longest = self.agreement.longest
        if longest >= self.transmit_within:
            message = (
                f"transmit_within: by `period: {self.period}` and `carry: {self.carry}` money waits up to {longest} days, "
                f"and {self.transmit_within} are agreed to have paid it; 28 count where no other time was agreed"
            )
            raise ValueError(message)
        return self

    @property
    def agreement(self) -> Agreement:
        """The agreement as the books go by it."""
        return Agreement(**self.model_dump())


class SuccessorEntry(Section):
    """Who takes what a closed cause is owed: only its regulator or its trustees can name it."""

    cause: Id
    named_by: Literal["regulator", "trustees"]
    on: Day
    reference: Text


class CauseEntry(Section):
    """One cause of causes.yaml, under its id."""

    name: Text
    country: Country
    regulator: Literal["GB-CHC", "GB-SC", "US-EIN", ""] = ""
    number: str = ""
    open: bool = True
    vetting: Literal["applied", "approved", "declined", "suspended"] = "applied"
    statement: Annotated[str, Field(max_length=500)] = ""
    editors: list[Text] = Field(default_factory=list)
    agreement: AgreementEntry | None = None
    successor: SuccessorEntry | None = None

    @model_validator(mode="after")
    def _is_ready_for_what_it_says(self) -> "CauseEntry":
        if self.vetting == "approved" and not (self.number and self.statement):
            message = "vetting: approved needs its number in a register, and the statement that customers are shown"
            raise ValueError(message)
        if self.successor and self.open:
            message = "successor: only a closed cause (open: false) has one"
            raise ValueError(message)
        return self

    @model_validator(mode="after")
    def _number_fits_regulator(self) -> "CauseEntry":
        if self.number and not self.regulator:
            message = "has a number but no regulator"
            raise ValueError(message)
        if self.number:
            form, example = _NUMBERS[self.regulator]
            if not form.fullmatch(self.number):
                message = f"the number is not one of regulator {self.regulator}: it looks like {example}"
                raise ValueError(message)
        return self

    def cause(self, cause_id: str) -> Cause:
        """Return the cause that the ledger accrues to."""
        return Cause(
            id=cause_id,
            name=self.name,
            country=self.country,
            regulator=self.regulator,
            number=self.number,
            open=self.open,
            vetting=self.vetting,
            statement=self.statement,
            editors=tuple(self.editors),
            agreement=self.agreement.agreement if self.agreement else None,
            successor=Successor(**self.successor.model_dump()) if self.successor else None,
        )


def _is_no_account(cause_id: str) -> str:
    """Refuse the name of what is owed to no cause yet: exports, packs and reports would take the one for the other."""
    if cause_id == UNASSIGNED:
        message = f"no cause can be called {UNASSIGNED}: it is what the books call giving of those who chose none"
        raise ValueError(message)
    return cause_id


CAUSES_FILE: Final = dict[Annotated[Id, AfterValidator(_is_no_account)], CauseEntry]
"""The shape of causes.yaml: each cause under its id."""


def causes_from(entries: dict[str, CauseEntry]) -> dict[str, Cause]:
    """Turn validated entries into causes by id."""
    return {cause_id: entry.cause(cause_id) for cause_id, entry in entries.items()}
