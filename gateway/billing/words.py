"""The words of bills in the languages of customers, and how money, dates and quantities are written in each.

English, French and Spanish, as the keyword services speak them. French groups digits by U+202F and puts U+00A0 before a sign
(Le Petit Typographe; CLDR `fr`); Spanish groups by points from five digits on (RAE, Ortografía 2010, VIII 2.2).
"""

from datetime import datetime, tzinfo
from decimal import Decimal
from typing import Final, NamedTuple

import msgspec

from gateway.languages.dates import MONTHS, write_day, write_month
from gateway.ledger.money import MICRO, digits_of

_SIGNS: Final = {"GBP": "£", "USD": "$", "EUR": "€"}
NARROW: Final = "\u202f"
NO_BREAK: Final = "\u00a0"
MICROSECONDS: Final = 1_000_000


class Language(NamedTuple):
    """A language: its words by key, and how it writes numbers."""

    words: dict[str, str]
    point: str
    group: str
    least_grouped: int
    sign_behind: bool


_EN: Final = {
    "bill": "Bill",
    "credit": "Credit note",
    "takes_back": "takes back bill",
    "replaces": "takes the place of bill",
    "for": "for",
    "issued": "issued",
    "number": "Number",
    "plan": "Plan",
    "final": "This is the final bill of this line.",
    "opening_balance": "Balance brought forward",
    "closing_balance": "Balance",
    "due": "To be paid by {date}",
    "nothing_due": "Nothing is to be paid.",
    "usage": "Usage",
    "sales": "Bundles and add-ons",
    "corrections": "Corrections",
    "taxes": "Taxes",
    "gifts": "Gifts",
    "credit_section": "Credit",
    "family": "Family",
    "payments": "Payments",
    "settlement": "Settlement",
    "other": "Other",
    "data": "Data",
    "voice": "Calls",
    "sms": "Texts",
    "sale": "Bundles and add-ons",
    "reversal": "Price put right: given back",
    "rerated": "Price put right: charged",
    "refund": "Refund",
    "promo_refund": "Refund of credit",
    "pro_rata": "Part of a bundle given back",
    "gift": "Gifts, whole to the cause",
    "promotion": "Credit from us",
    "lapse": "Credit that has ended",
    "breakage": "Paid credit that has ended",
    "breakage_vat": "Tax on it",
    "opening": "Balance brought along",
    "topup": "Top-ups",
    "payment": "Payments",
    "chargeback": "Payments taken back by the bank",
    "in": "received",
    "included": "Tax within these prices",
    "net": "without tax",
    "tax": "tax",
    "added_tax": "Taxes and fees",
    "added_tax_back": "Taxes and fees",
    "given": "Given to causes from this bill",
    "given_in_year": "Given to causes in {year} so far",
    "gifts_in_year": "and your own gifts",
    "causes": "Your causes",
    "year": "Your year: charged, and given",
    "items": "One by one",
    "calls": "calls",
    "page": "Page",
}
_FR: Final = {
    "bill": "Facture",
    "credit": "Avoir",
    "takes_back": "annule la facture",
    "replaces": "remplace la facture",
    "for": "pour",
    "issued": "émise le",
    "number": "Numéro",
    "plan": "Forfait",
    "final": "Cette facture est la dernière de cette ligne.",
    "opening_balance": "Solde précédent",
    "closing_balance": "Solde",
    "due": "À payer avant le {date}",
    "nothing_due": "Rien n\u2019est à payer.",
    "usage": "Consommation",
    "sales": "Forfaits et options",
    "corrections": "Corrections",
    "taxes": "Taxes",
    "gifts": "Dons",
    "credit_section": "Crédit",
    "family": "Famille",
    "payments": "Paiements",
    "settlement": "Clôture",
    "other": "Autre",
    "data": "Données",
    "voice": "Appels",
    "sms": "SMS",
    "sale": "Forfaits et options",
    "reversal": "Prix corrigé : rendu",
    "rerated": "Prix corrigé : facturé",
    "refund": "Remboursement",
    "promo_refund": "Crédit rendu",
    "pro_rata": "Partie d\u2019un forfait rendue",
    "gift": "Dons, versés en entier",
    "promotion": "Crédit offert",
    "lapse": "Crédit expiré",
    "breakage": "Crédit payé et expiré",
    "breakage_vat": "Taxe sur celui-ci",
    "opening": "Solde apporté",
    "topup": "Recharges",
    "payment": "Paiements",
    "chargeback": "Paiements repris par la banque",
    "in": "reçus",
    "included": "Taxe comprise dans ces prix",
    "net": "hors taxe",
    "tax": "taxe",
    "added_tax": "Taxes et contributions",
    "added_tax_back": "Taxes et contributions",
    "given": "Donné aux causes sur cette facture",
    "given_in_year": "Donné aux causes en {year} jusqu\u2019ici",
    "gifts_in_year": "et vos propres dons",
    "causes": "Vos causes",
    "year": "Votre année : facturé et donné",
    "items": "En détail",
    "calls": "appels",
    "page": "Page",
}
_ES: Final = {
    "bill": "Factura",
    "credit": "Nota de crédito",
    "takes_back": "anula la factura",
    "replaces": "sustituye a la factura",
    "for": "de",
    "issued": "emitida el",
    "number": "Número",
    "plan": "Plan",
    "final": "Esta es la última factura de esta línea.",
    "opening_balance": "Saldo anterior",
    "closing_balance": "Saldo",
    "due": "A pagar hasta el {date}",
    "nothing_due": "No hay nada que pagar.",
    "usage": "Consumo",
    "sales": "Bonos y extras",
    "corrections": "Correcciones",
    "taxes": "Impuestos",
    "gifts": "Donaciones",
    "credit_section": "Crédito",
    "family": "Familia",
    "payments": "Pagos",
    "settlement": "Liquidación",
    "other": "Otros",
    "data": "Datos",
    "voice": "Llamadas",
    "sms": "SMS",
    "sale": "Bonos y extras",
    "reversal": "Precio corregido: devuelto",
    "rerated": "Precio corregido: cobrado",
    "refund": "Reembolso",
    "promo_refund": "Crédito devuelto",
    "pro_rata": "Parte de un bono devuelta",
    "gift": "Donaciones, enteras para la causa",
    "promotion": "Crédito de regalo",
    "lapse": "Crédito caducado",
    "breakage": "Crédito pagado y caducado",
    "breakage_vat": "Su impuesto",
    "opening": "Saldo traído",
    "topup": "Recargas",
    "payment": "Pagos",
    "chargeback": "Pagos retirados por el banco",
    "in": "recibidas",
    "included": "Impuesto incluido en estos precios",
    "net": "sin impuesto",
    "tax": "impuesto",
    "added_tax": "Impuestos y tasas",
    "added_tax_back": "Impuestos y tasas",
    "given": "Donado a causas con esta factura",
    "given_in_year": "Donado a causas en {year} hasta ahora",
    "gifts_in_year": "y sus propias donaciones",
    "causes": "Sus causas",
    "year": "Su año: cobrado y donado",
    "items": "En detalle",
    "calls": "llamadas",
    "page": "Página",
}
LANGUAGES: Final = {
    "en": Language(_EN, ".", ",", 1000, sign_behind=False),
    "fr": Language(_FR, ",", NARROW, 1000, sign_behind=True),
    "es": Language(_ES, ",", ".", 10_000, sign_behind=True),
}


class Writer(msgspec.Struct, frozen=True):
    """Writes in one language, by the operator's clock."""

    language: str
    zone: tzinfo

    def word(self, key: str, **values: str) -> str:
        """Give a word; a key that no language has (a plan's zone, a kind of a later time) stands for itself."""
        found = LANGUAGES[self.language].words.get(key, key)
        return found.format(**values) if values else found

    def money(self, micro: int, currency: str) -> str:
        """Write an amount with its currency, as many digits as the currency has, and more where it is not whole."""
        digits = digits_of(currency)
        value = Decimal(micro) / MICRO
        text = f"{abs(value):.6f}"
        whole, _, decimals = text.partition(".")
        decimals = decimals[:digits] + decimals[digits:].rstrip("0")
        return self._with_sign(self._number(int(whole), decimals), currency, minus=micro < 0)

    def _number(self, whole: int, decimals: str = "") -> str:
        language = LANGUAGES[self.language]
        grouped = f"{whole:,}".replace(",", language.group) if whole >= language.least_grouped else str(whole)
        return f"{grouped}{language.point}{decimals}" if decimals else grouped

    def _with_sign(self, number: str, currency: str, *, minus: bool) -> str:
        sign = _SIGNS.get(currency)
        before = "-" if minus else ""
        if LANGUAGES[self.language].sign_behind or sign is None:
            return f"{before}{number}{NO_BREAK}{sign or currency}"
        return f"{before}{sign}{number}"

    def whole(self, number: int) -> str:
        """Write a whole number."""
        return self._number(number)

    def octets(self, octets: int) -> str:
        """Write a quantity of data, in MB (1,000,000 octets) or GB."""
        unit, size = ("GB", 10**9) if octets >= 10**9 else ("MB", 10**6)
        whole, rest = divmod(octets * 100 // size, 100)
        return f"{self._number(whole, f'{rest:02d}')}{NO_BREAK}{unit}"

    def seconds(self, seconds: int) -> str:
        """Write a time of talk, as hours:minutes:seconds."""
        return f"{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"

    def date(self, at: int) -> str:
        """Write the day of a moment."""
        return write_day(self.moment(at).date(), self.language)

    def moment(self, at: int) -> datetime:
        """Give a moment by the operator's clock."""
        return datetime.fromtimestamp(at / MICROSECONDS, self.zone)

    def short_month(self, place: int) -> str:
        """Write the first letters of a month by its place in the year, from 0 on."""
        return MONTHS[self.language][place][:4]

    def month(self, period: str) -> str:
        """Write a period such as 2026-11."""
        return write_month(period, self.language)
