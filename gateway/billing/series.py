"""The series in which bills and credit notes are numbered, each without a gap."""

from typing import Final

BILL: Final = "bill"
CREDIT_NOTE: Final = "credit"
