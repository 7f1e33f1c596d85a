"""What each notice says, by language and kind (notices.kinds); an operator's own words take the place of these.

They are written in the letters of the GSM alphabet, one part each as far as that goes.
"""

from typing import Final

_EN: Final = {
    "bill_limit_set": "{operator}: your bill limit is now {limit} a month, beyond your plan's own price.",
    "bill_limit_removed": "{operator}: your line has no bill limit any more, as you asked.",
    "bill_limit_in_month": "{operator}: your bill limit in {month} is {limit}, beyond your plan's own price.",
    "bill_unlimited_in_month": "{operator}: your line has no bill limit in {month}, as you asked.",
    "bill_limit_agreed": "{operator}: as you agreed, use beyond your bill limit is charged in {month}.",
    "bill_limit_likely": "{operator}: {charged} of your bill limit of {limit} is used this month.",
    "bill_limit_reached": (
        "{operator}: you have reached your bill limit of {limit}. What costs more stops until next month, unless you ask us "
        "to go on. Emergency calls always work."
    ),
    "roaming_start": (
        "{operator}: you are roaming. Data {data} a MB, calls {voice} a minute, calls to you {incoming} a minute, texts {sms}. "
        "You may set a bill limit at any time."
    ),
    "roaming_inadvertent": (
        "{operator}: your phone uses a network across the border, and roaming prices apply. If you did not travel, choose "
        "your home network by hand in your phone's settings, or switch data roaming off."
    ),
    "cap_abroad_likely": "{operator}: {charged} of your roaming cap of {cap} is used this month.",
    "cap_abroad_reached": (
        "{operator}: you have reached your roaming cap of {cap}. Use abroad stops until next month, unless you ask us to go "
        "on. Emergency calls always work."
    ),
    "cap_abroad_agreed": "{operator}: as you agreed, use abroad beyond your roaming cap is charged in {month}.",
    "allowance_low": "{operator}: {percent}% of your allowance for {service} is used.",
    "low_balance": "{operator}: your balance is {balance}.",
    "bill_overdue": (
        "{operator}: {amount} of your bill is overdue. Please pay with {reference}: on {date} your line would be suspended. "
        "If you cannot pay, call us."
    ),
    "bill_suspended": (
        "{operator}: your line is suspended, as {amount} of your bill is not paid. It goes on as soon as it is. Emergency "
        "calls always work."
    ),
    "choice_asked": (
        "{operator}: your choice of a cause needs your answer by {date}. Text CAUSE for the list. What you gave so far is kept."
    ),
}
_ES: Final = {
    "bill_limit_set": "{operator}: su límite de gasto es ahora de {limit} al mes, aparte del precio de su plan.",
    "bill_limit_removed": "{operator}: su línea ya no tiene límite de gasto, como pidió.",
    "bill_limit_in_month": "{operator}: su límite de gasto en {month} es de {limit}, aparte del precio de su plan.",
    "bill_unlimited_in_month": "{operator}: su línea no tiene límite de gasto en {month}, como pidió.",
    "bill_limit_agreed": "{operator}: como acordó, el uso por encima de su límite se cobra en {month}.",
    "bill_limit_likely": "{operator}: ha gastado {charged} de su límite de {limit} este mes.",
    "bill_limit_reached": (
        "{operator}: ha llegado a su límite de gasto de {limit}. Lo que cuesta más se detiene hasta el mes que viene, salvo "
        "que nos pida seguir. Las llamadas de emergencia funcionan siempre."
    ),
    "roaming_start": (
        "{operator}: está en itinerancia. Datos {data} por MB, llamadas {voice} por minuto, recibidas {incoming} por minuto, "
        "mensajes {sms}. Puede fijar un límite de gasto en todo momento."
    ),
    "roaming_inadvertent": (
        "{operator}: su teléfono usa una red del otro lado de la frontera, con precios de itinerancia. Si no ha viajado, elija "
        "su red a mano en los ajustes, o desactive los datos en itinerancia."
    ),
    "cap_abroad_likely": "{operator}: ha gastado {charged} de su tope en itinerancia de {cap} este mes.",
    "cap_abroad_reached": (
        "{operator}: ha llegado a su tope en itinerancia de {cap}. El uso en el extranjero se detiene hasta el mes que viene, "
        "salvo que nos pida seguir. Las llamadas de emergencia funcionan siempre."
    ),
    "cap_abroad_agreed": "{operator}: como acordó, el uso en el extranjero por encima del tope se cobra en {month}.",
    "allowance_low": "{operator}: ha usado el {percent}% de su bono de {service}.",
    "low_balance": "{operator}: su saldo es de {balance}.",
    "bill_overdue": (
        "{operator}: {amount} de su factura están vencidos. Pague con {reference}: el {date} se suspendería su línea. Si no "
        "puede pagar, llámenos."
    ),
    "bill_suspended": (
        "{operator}: su línea está suspendida, pues faltan {amount} de su factura. Sigue en cuanto se paguen. Las llamadas de "
        "emergencia funcionan siempre."
    ),
    "choice_asked": (
        "{operator}: su elección de una causa necesita su respuesta hasta el {date}. Envíe CAUSAS para ver la lista. Lo que "
        "dio hasta ahora se guarda."
    ),
}
_FR: Final = {
    "bill_limit_set": "{operator} : votre plafond est de {limit} par mois, hors prix du forfait.",
    "bill_limit_removed": "{operator} : votre ligne n'a plus de plafond, comme demandé.",
    "bill_limit_in_month": "{operator} : votre plafond est de {limit} en {month}, hors prix du forfait.",
    "bill_unlimited_in_month": "{operator} : votre ligne n'a pas de plafond en {month}, comme demandé.",
    "bill_limit_agreed": "{operator} : comme convenu, l'usage au-delà du plafond est facturé en {month}.",
    "bill_limit_likely": "{operator} : {charged} de votre plafond de {limit} sont utilisés ce mois-ci.",
    "bill_limit_reached": (
        "{operator} : votre plafond de {limit} est atteint. Ce qui coûte plus s'arrête jusqu'au mois prochain, sauf si vous "
        "nous demandez de continuer. Les appels d'urgence passent toujours."
    ),
    "roaming_start": (
        "{operator} : vous êtes en itinérance. Données {data} le Mo, appels {voice} la minute, appels reçus {incoming} la "
        "minute, textos {sms}. Vous pouvez fixer un plafond à tout moment."
    ),
    "roaming_inadvertent": (
        "{operator} : votre téléphone utilise un réseau au-delà de la frontière, aux prix d'itinérance. Si vous n'avez pas "
        "voyagé, choisissez votre réseau à la main, ou coupez les données en itinérance."
    ),
    "cap_abroad_likely": "{operator} : {charged} de votre plafond d'itinérance de {cap} sont utilisés ce mois-ci.",
    "cap_abroad_reached": (
        "{operator} : votre plafond d'itinérance de {cap} est atteint. L'usage à l'étranger s'arrête jusqu'au mois prochain, "
        "sauf si vous nous demandez de continuer. Les appels d'urgence passent toujours."
    ),
    "cap_abroad_agreed": "{operator} : comme convenu, l'usage à l'étranger au-delà du plafond est facturé en {month}.",
    "allowance_low": "{operator} : {percent}% de votre forfait {service} sont utilisés.",
    "low_balance": "{operator} : votre solde est de {balance}.",
    "bill_overdue": (
        "{operator} : {amount} de votre facture sont en retard. Payez avec {reference} : le {date}, votre ligne serait "
        "suspendue. Si vous ne pouvez pas payer, appelez-nous."
    ),
    "bill_suspended": (
        "{operator} : votre ligne est suspendue, {amount} de votre facture n'étant pas payés. Elle reprend dès le paiement. "
        "Les appels d'urgence passent toujours."
    ),
    "choice_asked": (
        "{operator} : votre choix d'une association attend votre réponse jusqu'au {date}. Envoyez ASSOCIATION pour la liste. "
        "Ce que vous avez donné est gardé."
    ),
}
WORDS: Final[dict[str, dict[str, str]]] = {"en": _EN, "es": _ES, "fr": _FR}
SERVICES: Final = {
    "en": {"data": "data", "voice": "calls", "sms": "texts"},
    "es": {"data": "datos", "voice": "llamadas", "sms": "mensajes"},
    "fr": {"data": "données", "voice": "appels", "sms": "textos"},
}
"""What a service is called in each language."""
