"""The section `events`: the broker that events are published to."""

from typing import Annotated
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator

from gateway.settings.secrets import SecretValue
from gateway.settings.sections.section import Section, split_url
from gateway.settings.values import Endpoint, ReadableFile, Text


def _mqtt_url(value: str) -> str:
    parts = split_url(value)
    if parts is None or parts.scheme not in {"mqtt", "mqtts"} or not parts.hostname or not _only_host(parts):
        message = "must be mqtt://HOST:PORT, or mqtts:// for TLS"
        raise ValueError(message)
    return value


def _only_host(parts: SplitResult) -> bool:
    # A name and a password have keys of their own.
    return "@" not in parts.netloc and not parts.path.strip("/") and not parts.query and not parts.fragment


def _mqtt_topic(value: str) -> str:
    if not value or value != value.strip("/") or any(character in value for character in "+#$\0"):
        message = "must be a plain topic, like tpo or mvno/tpo"
        raise ValueError(message)
    return value


class Mqtt(Section):
    """The broker that events are published to."""

    url: Annotated[str, AfterValidator(_mqtt_url)]
    topic: Annotated[str, AfterValidator(_mqtt_topic)] = "tpo"
    username: Text | None = None
    password: SecretValue | None = None
    ca: ReadableFile | None = None

    @property
    def broker(self) -> Endpoint:
        """Where the broker listens."""
        parts = urlsplit(self.url)
        return Endpoint(parts.hostname or "", parts.port or (8883 if self.tls else 1883))

    @property
    def tls(self) -> bool:
        """Whether the connection is encrypted."""
        return self.url.startswith("mqtts:")


class Events(Section):
    """What the company hears of; without a broker, events stay readable with `tpo events`."""

    mqtt: Mqtt | None = None
