"""How English, French and Spanish write numbers.

French groups digits by U+202F and puts U+00A0 before a sign (Le Petit Typographe; CLDR `fr`); Spanish groups by points from
five digits on (RAE, Ortografía 2010, VIII 2.2).
"""

from typing import Final, NamedTuple

_NARROW: Final = "\u202f"


class NumberForm(NamedTuple):
    """The signs before decimals and between groups, the least number that is grouped, and where a currency's sign stands."""

    point: str
    group: str
    least_grouped: int
    sign_behind: bool


NUMBER_FORMS: Final = {
    "en": NumberForm(".", ",", 1000, sign_behind=False),
    "es": NumberForm(",", ".", 10_000, sign_behind=True),
    "fr": NumberForm(",", _NARROW, 1000, sign_behind=True),
}
