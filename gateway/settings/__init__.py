"""The operator's settings: read once, checked whole, never changed while the gateway runs."""

from gateway.settings.loading import Settings, load
from gateway.settings.problems import ConfigInvalid, Problem, Severity
from gateway.settings.show import shown
from gateway.settings.values import Endpoint

__all__ = ["ConfigInvalid", "Endpoint", "Problem", "Settings", "Severity", "load", "shown"]
