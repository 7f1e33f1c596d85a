"""The bounds that measured figures are held to: one file of them, `floors.yaml`."""

from dataclasses import dataclass
from pathlib import Path

import yaml

FILE = Path(__file__).with_name("floors.yaml")


@dataclass(frozen=True)
class Floor:
    """A bound from below or from above, and why it is there."""

    name: str
    why: str
    at_least: float | None = None
    at_most: float | None = None
    decides: bool = True

    def __post_init__(self):
        """Refuse what bounds nothing, or twice."""
        if (self.at_least is None) == (self.at_most is None):
            message = f"{self.name}: give at_least or at_most"
            raise ValueError(message)

    def holds(self, value):
        """Whether a value keeps to it."""
        return value >= self.at_least if self.at_most is None else value <= self.at_most

    def __str__(self):
        """As it is printed beside the figure."""
        return f"at least {self.at_least:g}" if self.at_most is None else f"at most {self.at_most:g}"


def load(file=FILE):
    """Name -> floor."""
    return {name: Floor(name, **fields) for name, fields in yaml.safe_load(file.read_text()).items()}


def missed(figures, floors):
    """The floors that decide and that these figures miss; a figure that was not measured misses none."""
    return [
        floor
        for name, floor in floors.items()
        if figures.get(name) is not None and floor.decides and not floor.holds(figures[name])
    ]
