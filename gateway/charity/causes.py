"""The causes that customers may choose, as config/causes.yaml lists them."""

import msgspec


class Cause(msgspec.Struct, frozen=True):
    """A charity; `regulator` is GB-CHC, GB-SC, US-EIN or empty, `number` its registration there."""

    id: str
    name: str
    country: str
    regulator: str = ""
    number: str = ""
    open: bool = True
