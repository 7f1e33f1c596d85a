"""Every request type of the API's actions, by their names."""

import importlib
import pkgutil

import msgspec

from gateway.api import requests


def request_types():
    found = set()
    for each in pkgutil.iter_modules(requests.__path__, f"{requests.__name__}."):
        kinds = vars(importlib.import_module(each.name)).values()
        found |= {kind for kind in kinds if isinstance(kind, type) and issubclass(kind, msgspec.Struct)}
    return sorted(found, key=lambda kind: kind.__name__)
