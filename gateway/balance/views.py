"""Versions of plans as answers hold them."""

import msgspec


class PlanVersionRow(msgspec.Struct, frozen=True):
    """A version of a plan; `lines` are charged by it now, `former_kept_until` is how long lines of before keep what they had.

    Attributes:
        state: in force, former, unknown (older than versions are kept), or gone: the plan was in no file.
        former_kept_until: a time, `for good`, or None where this version was everybody's at once.
    """

    version: int
    valid_from: str
    state: str
    lines: int
    former_kept_until: str | None
