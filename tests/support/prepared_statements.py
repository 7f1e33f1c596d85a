"""The gateway's prepared statements, found where they are."""

import importlib
import pkgutil

import gateway
from gateway.store.statements import Delete, SelectAmong, SelectPairs, Update

FINDS = (SelectAmong, SelectPairs, Update, Delete)


def statements():
    """Every prepared statement of the gateway that finds rows, by its module and name."""
    for module in pkgutil.walk_packages(gateway.__path__, "gateway."):
        if ".migrations." not in module.name and not module.name.endswith("__main__"):
            for name, value in vars(importlib.import_module(module.name)).items():
                if isinstance(value, FINDS):
                    yield f"{module.name}.{name}", value
