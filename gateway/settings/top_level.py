"""The keys of gateway.yaml: its sections, those that are required, and the further files that it names."""

from typing import Final

from gateway.settings.sections.api import Api
from gateway.settings.sections.bills import Bills
from gateway.settings.sections.charging import Charging
from gateway.settings.sections.charity import Charity
from gateway.settings.sections.diameter import Diameter
from gateway.settings.sections.events import Events
from gateway.settings.sections.fraud import Fraud
from gateway.settings.sections.messaging import Messaging
from gateway.settings.sections.notices import Notices
from gateway.settings.sections.operator import Operator
from gateway.settings.sections.privacy import Privacy
from gateway.settings.sections.provisioning import Provisioning
from gateway.settings.sections.retention import Retention
from gateway.settings.sections.section import Section
from gateway.settings.sections.smpp import Smpp
from gateway.settings.sections.store import Store

SECTIONS: Final[dict[str, type[Section]]] = {
    "operator": Operator,
    "store": Store,
    "api": Api,
    "smpp": Smpp,
    "messaging": Messaging,
    "diameter": Diameter,
    "charging": Charging,
    "notices": Notices,
    "fraud": Fraud,
    "bills": Bills,
    "provisioning": Provisioning,
    "events": Events,
    "charity": Charity,
    "privacy": Privacy,
    "retention": Retention,
}
"""The sections of the file by their keys."""

REQUIRED: Final = ("operator", "store", "api")

FILES: Final = ("plans", "causes", "keywords", "taxes")
"""Keys that name a further file."""
