"""The section `privacy`: the key of pseudonyms and sealed data."""

from gateway.settings.secrets import SecretValue
from gateway.settings.sections.section import Section


class Privacy(Section):
    """The key that pseudonyms and sealed secrets come from; without one the daemon makes var/tpo.key once."""

    key: SecretValue | None = None
