"""The sections of gateway.yaml that are valid in themselves, as checks across sections get them."""

from __future__ import annotations

from pathlib import Path

import msgspec

from gateway.charity.causes import Cause
from gateway.messaging.keywords.catalogue import KeywordBook
from gateway.rating.plans import Plan
from gateway.rating.taxes import Jurisdiction
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
from gateway.settings.sections.smpp import Smpp
from gateway.settings.sections.store import Store


class Found(msgspec.Struct):
    """The sections that are valid in themselves; the others are None. And where the files are: the folder of gateway.yaml, and
    the files of the configuration by their keys."""

    operator: Operator | None = None
    store: Store | None = None
    api: Api | None = None
    smpp: Smpp | None = None
    messaging: Messaging | None = None
    diameter: Diameter | None = None
    charging: Charging | None = None
    notices: Notices | None = None
    bills: Bills | None = None
    fraud: Fraud | None = None
    provisioning: Provisioning | None = None
    events: Events | None = None
    charity: Charity | None = None
    privacy: Privacy | None = None
    retention: Retention | None = None
    plans: dict[str, Plan] | None = None
    causes: dict[str, Cause] | None = None
    keywords: dict[str, KeywordBook] | None = None
    taxes: dict[str, Jurisdiction] | None = None
    folder: Path | None = None
    files: dict[str, Path] = {}
