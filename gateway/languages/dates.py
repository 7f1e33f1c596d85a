"""Days and months as English, French and Spanish write them, on bills and in notices."""

from datetime import date
from typing import Final

MONTHS: Final[dict[str, tuple[str, ...]]] = {
    "en": (
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ),
    "fr": (
        "janvier",
        "février",
        "mars",
        "avril",
        "mai",
        "juin",
        "juillet",
        "août",
        "septembre",
        "octobre",
        "novembre",
        "décembre",
    ),
    "es": (
        "enero",
        "febrero",
        "marzo",
        "abril",
        "mayo",
        "junio",
        "julio",
        "agosto",
        "septiembre",
        "octubre",
        "noviembre",
        "diciembre",
    ),
}
_DAYS: Final = {"en": "{day} {month} {year}", "fr": "{day} {month} {year}", "es": "{day} de {month} de {year}"}


def write_day(day: date, language: str) -> str:
    """Write a day."""
    return _DAYS[language].format(day=day.day, month=MONTHS[language][day.month - 1], year=day.year)


def write_month(period: str, language: str) -> str:
    """Write a month such as 2026-11."""
    year, number = period.split("-")
    return f"{MONTHS[language][int(number) - 1]} {year}"
