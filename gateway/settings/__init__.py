"""The operator's settings: checked whole, then in force; a reload puts another whole in their place."""

from gateway.settings.loading import Settings, load
from gateway.settings.problems import ConfigInvalid, Problem, Severity
from gateway.settings.show import shown
from gateway.settings.values import Endpoint

__all__ = ["ConfigInvalid", "Endpoint", "Problem", "Settings", "Severity", "load", "shown"]
