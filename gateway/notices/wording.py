"""What each notice says, in the languages of the keyword services; an operator's own words stand in `notices.wording`.

They are written in the letters of the GSM alphabet, one part each as far as that goes.
"""

import hashlib
from collections.abc import Mapping
from datetime import date
from typing import Final, NamedTuple

from gateway.languages.dates import write_day, write_month
from gateway.messaging.keywords.amounts import Money, write_amount
from gateway.messaging.keywords.answers import gsm_safe
from gateway.messaging.keywords.catalogue import TemplateInvalid, placeholders_in
from gateway.notices.kinds import KINDS, NoticeKind

EVERYWHERE: Final = ("operator", "care")
"""Placeholders that every wording may have: the operator's name, and the number that one may ask at."""
MOST_PARTS: Final = 3
"""Parts of a notice: what is longer is hardly read, and a statutory one carries nothing else."""
VERSION_DIGITS: Final = 12
_EN: Final = {
    NoticeKind.BILL_LIMIT_SET: "{operator}: your bill limit is now {limit} a month, beyond your plan's own price.",
    NoticeKind.BILL_LIMIT_REMOVED: "{operator}: your line has no bill limit any more, as you asked.",
    NoticeKind.BILL_LIMIT_IN_MONTH: "{operator}: your bill limit in {month} is {limit}, beyond your plan's own price.",
    NoticeKind.BILL_UNLIMITED_IN_MONTH: "{operator}: your line has no bill limit in {month}, as you asked.",
    NoticeKind.BILL_LIMIT_AGREED: "{operator}: as you agreed, use beyond your bill limit is charged in {month}.",
    NoticeKind.BILL_LIMIT_LIKELY: "{operator}: {charged} of your bill limit of {limit} is used this month.",
    NoticeKind.BILL_LIMIT_REACHED: (
        "{operator}: you have reached your bill limit of {limit}. What costs more stops until next month, unless you ask us "
        "to go on. Emergency calls always work."
    ),
    NoticeKind.ROAMING_START: (
        "{operator}: you are roaming. Data {data} a MB, calls {voice} a minute, calls to you {incoming} a minute, texts {sms}. "
        "You may set a bill limit at any time."
    ),
    NoticeKind.ROAMING_INADVERTENT: (
        "{operator}: your phone uses a network across the border, and roaming prices apply. If you did not travel, choose "
        "your home network by hand in your phone's settings, or switch data roaming off."
    ),
    NoticeKind.CAP_ABROAD_LIKELY: "{operator}: {charged} of your roaming cap of {cap} is used this month.",
    NoticeKind.CAP_ABROAD_REACHED: (
        "{operator}: you have reached your roaming cap of {cap}. Use abroad stops until next month, unless you ask us to go "
        "on. Emergency calls always work."
    ),
    NoticeKind.CAP_ABROAD_AGREED: "{operator}: as you agreed, use abroad beyond your roaming cap is charged in {month}.",
    NoticeKind.ALLOWANCE_LOW: "{operator}: {percent}% of your allowance for {service} is used.",
    NoticeKind.LOW_BALANCE: "{operator}: your balance is {balance}.",
    NoticeKind.BILL_OVERDUE: (
        "{operator}: {amount} of your bill is overdue. Please pay with {reference}: on {date} your line would be suspended. "
        "If you cannot pay, call us."
    ),
    NoticeKind.BILL_SUSPENDED: (
        "{operator}: your line is suspended, as {amount} of your bill is not paid. It goes on as soon as it is. Emergency "
        "calls always work."
    ),
    NoticeKind.CHOICE_ASKED: (
        "{operator}: your choice of a cause needs your answer by {date}. Text CAUSE for the list. What you gave so far is kept."
    ),
}
_ES: Final = {
    NoticeKind.BILL_LIMIT_SET: "{operator}: su límite de gasto es ahora de {limit} al mes, aparte del precio de su plan.",
    NoticeKind.BILL_LIMIT_REMOVED: "{operator}: su línea ya no tiene límite de gasto, como pidió.",
    NoticeKind.BILL_LIMIT_IN_MONTH: "{operator}: su límite de gasto en {month} es de {limit}, aparte del precio de su plan.",
    NoticeKind.BILL_UNLIMITED_IN_MONTH: "{operator}: su línea no tiene límite de gasto en {month}, como pidió.",
    NoticeKind.BILL_LIMIT_AGREED: "{operator}: como acordó, el uso por encima de su límite se cobra en {month}.",
    NoticeKind.BILL_LIMIT_LIKELY: "{operator}: ha gastado {charged} de su límite de {limit} este mes.",
    NoticeKind.BILL_LIMIT_REACHED: (
        "{operator}: ha llegado a su límite de gasto de {limit}. Lo que cuesta más se detiene hasta el mes que viene, salvo "
        "que nos pida seguir. Las llamadas de emergencia funcionan siempre."
    ),
    NoticeKind.ROAMING_START: (
        "{operator}: está en itinerancia. Datos {data} por MB, llamadas {voice} por minuto, recibidas {incoming} por minuto, "
        "mensajes {sms}. Puede fijar un límite de gasto en todo momento."
    ),
    NoticeKind.ROAMING_INADVERTENT: (
        "{operator}: su teléfono usa una red del otro lado de la frontera, con precios de itinerancia. Si no ha viajado, elija "
        "su red a mano en los ajustes, o desactive los datos en itinerancia."
    ),
    NoticeKind.CAP_ABROAD_LIKELY: "{operator}: ha gastado {charged} de su tope en itinerancia de {cap} este mes.",
    NoticeKind.CAP_ABROAD_REACHED: (
        "{operator}: ha llegado a su tope en itinerancia de {cap}. El uso en el extranjero se detiene hasta el mes que viene, "
        "salvo que nos pida seguir. Las llamadas de emergencia funcionan siempre."
    ),
    NoticeKind.CAP_ABROAD_AGREED: "{operator}: como acordó, el uso en el extranjero por encima del tope se cobra en {month}.",
    NoticeKind.ALLOWANCE_LOW: "{operator}: ha usado el {percent}% de su bono de {service}.",
    NoticeKind.LOW_BALANCE: "{operator}: su saldo es de {balance}.",
    NoticeKind.BILL_OVERDUE: (
        "{operator}: {amount} de su factura están vencidos. Pague con {reference}: el {date} se suspendería su línea. Si no "
        "puede pagar, llámenos."
    ),
    NoticeKind.BILL_SUSPENDED: (
        "{operator}: su línea está suspendida, pues faltan {amount} de su factura. Sigue en cuanto se paguen. Las llamadas de "
        "emergencia funcionan siempre."
    ),
    NoticeKind.CHOICE_ASKED: (
        "{operator}: su elección de una causa necesita su respuesta hasta el {date}. Envíe CAUSAS para ver la lista. Lo que "
        "dio hasta ahora se guarda."
    ),
}
_FR: Final = {
    NoticeKind.BILL_LIMIT_SET: "{operator} : votre plafond est de {limit} par mois, hors prix du forfait.",
    NoticeKind.BILL_LIMIT_REMOVED: "{operator} : votre ligne n'a plus de plafond, comme demandé.",
    NoticeKind.BILL_LIMIT_IN_MONTH: "{operator} : votre plafond est de {limit} en {month}, hors prix du forfait.",
    NoticeKind.BILL_UNLIMITED_IN_MONTH: "{operator} : votre ligne n'a pas de plafond en {month}, comme demandé.",
    NoticeKind.BILL_LIMIT_AGREED: "{operator} : comme convenu, l'usage au-delà du plafond est facturé en {month}.",
    NoticeKind.BILL_LIMIT_LIKELY: "{operator} : {charged} de votre plafond de {limit} sont utilisés ce mois-ci.",
    NoticeKind.BILL_LIMIT_REACHED: (
        "{operator} : votre plafond de {limit} est atteint. Ce qui coûte plus s'arrête jusqu'au mois prochain, sauf si vous "
        "nous demandez de continuer. Les appels d'urgence passent toujours."
    ),
    NoticeKind.ROAMING_START: (
        "{operator} : vous êtes en itinérance. Données {data} le Mo, appels {voice} la minute, appels reçus {incoming} la "
        "minute, textos {sms}. Vous pouvez fixer un plafond à tout moment."
    ),
    NoticeKind.ROAMING_INADVERTENT: (
        "{operator} : votre téléphone utilise un réseau au-delà de la frontière, aux prix d'itinérance. Si vous n'avez pas "
        "voyagé, choisissez votre réseau à la main, ou coupez les données en itinérance."
    ),
    NoticeKind.CAP_ABROAD_LIKELY: "{operator} : {charged} de votre plafond d'itinérance de {cap} sont utilisés ce mois-ci.",
    NoticeKind.CAP_ABROAD_REACHED: (
        "{operator} : votre plafond d'itinérance de {cap} est atteint. L'usage à l'étranger s'arrête jusqu'au mois prochain, "
        "sauf si vous nous demandez de continuer. Les appels d'urgence passent toujours."
    ),
    NoticeKind.CAP_ABROAD_AGREED: "{operator} : comme convenu, l'usage à l'étranger au-delà du plafond est facturé en {month}.",
    NoticeKind.ALLOWANCE_LOW: "{operator} : {percent}% de votre forfait {service} sont utilisés.",
    NoticeKind.LOW_BALANCE: "{operator} : votre solde est de {balance}.",
    NoticeKind.BILL_OVERDUE: (
        "{operator} : {amount} de votre facture sont en retard. Payez avec {reference} : le {date}, votre ligne serait "
        "suspendue. Si vous ne pouvez pas payer, appelez-nous."
    ),
    NoticeKind.BILL_SUSPENDED: (
        "{operator} : votre ligne est suspendue, {amount} de votre facture n'étant pas payés. Elle reprend dès le paiement. "
        "Les appels d'urgence passent toujours."
    ),
    NoticeKind.CHOICE_ASKED: (
        "{operator} : votre choix d'une association attend votre réponse jusqu'au {date}. Envoyez ASSOCIATION pour la liste. "
        "Ce que vous avez donné est gardé."
    ),
}
WORDS: Final[dict[str, dict[NoticeKind, str]]] = {"en": _EN, "es": _ES, "fr": _FR}
SERVICES: Final = {
    "en": {"data": "data", "voice": "calls", "sms": "texts"},
    "es": {"data": "datos", "voice": "llamadas", "sms": "mensajes"},
    "fr": {"data": "données", "voice": "appels", "sms": "textos"},
}
"""What a service is called in each language."""


class Service(NamedTuple):
    """A service that a notice names: data, voice or sms."""

    name: str


class Day(NamedTuple):
    """A day of the calendar that a notice names."""

    date: date


class Month(NamedTuple):
    """A calendar month, such as 2026-11, that a notice names."""

    period: str


Value = str | Money | Service | Day | Month
Values = Mapping[str, Value]


def check_wording(kind: NoticeKind, template: str) -> str | None:
    """Say what is wrong with an operator's own words for a kind; None if nothing is.

    TemplateInvalid where the braces do not pair.
    """
    row = KINDS[kind]
    named, known = placeholders_in(template), (*row.must, *row.may, *EVERYWHERE)
    unknown = [name for name in named if name not in known]
    if unknown:
        return f"unknown placeholder {{{unknown[0]}}}; it may have {', '.join(f'{{{name}}}' for name in known)}"
    absent = [name for name in row.must if name not in named]
    return f"must name {', '.join(f'{{{name}}}' for name in absent)}" if absent else None


def longest(kind: NoticeKind, template: str, language: str, operator: str) -> str:
    """Fill in a wording with about the longest that it may have to say, to see how many parts it takes at most."""
    most = Money(99_999_990_000, "GBP")
    values: dict[str, Value] = dict.fromkeys((*KINDS[kind].must, *KINDS[kind].may), most)
    known: dict[str, Value] = {
        "operator": operator,
        "care": "+44 20 7946 0123",
        "percent": "80",
        "service": Service("voice"),
    }
    known |= {"month": Month("2026-09"), "date": Day(date(2026, 9, 30)), "reference": "RF18539007547034"}
    return fill_in(template, {**values, **known}, language)


def fill_in(template: str, values: Values, language: str) -> str:
    """Give a notice's text; amounts in the currency's usual way, letters in the GSM alphabet where they have a twin there."""
    return gsm_safe(template.format_map({name: _written(value, language) for name, value in values.items()}))


def _written(value: Value, language: str) -> str:
    """Write what a notice names in its language."""
    match value:
        case Money():
            return write_amount(value)
        case Service(name):
            return SERVICES[language][name]
        case Day(day):
            return write_day(day, language)
        case Month(period):
            return write_month(period, language)
        case str():
            return value


def version_of(template: str) -> str:
    """Name a wording by its content, so that it can be shown later which words a customer got."""
    return hashlib.sha256(template.encode()).hexdigest()[:VERSION_DIGITS]


__all__ = ["EVERYWHERE", "MOST_PARTS", "SERVICES", "WORDS", "TemplateInvalid", "check_wording", "fill_in", "version_of"]
