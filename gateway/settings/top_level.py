"""The keys of gateway.yaml: its sections, those that are required, and the further files that it names."""

from typing import Final

from gateway.settings.billing_section import Bills
from gateway.settings.charity_sections import Charity
from gateway.settings.line_sections import Fraud, Notices
from gateway.settings.sections import (
    Api,
    Charging,
    Diameter,
    Events,
    Messaging,
    Operator,
    Privacy,
    Provisioning,
    Retention,
    Section,
    Smpp,
    Store,
)

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
