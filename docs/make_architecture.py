"""Draw docs/architecture.svg from the contracts in .importlinter: the floors of the gateway, lowest last.

`python docs/make_architecture.py` writes it; a test compares it, so that the picture is what the contracts hold.
"""

from __future__ import annotations

import configparser
from pathlib import Path
from typing import Final
from xml.sax.saxutils import escape

ROOT: Final = Path(__file__).resolve().parents[1]
PICTURE: Final = ROOT / "docs" / "architecture.svg"
WIDTH, FLOOR, GAP, MARGIN = 860, 34, 6, 16


def floors() -> list[list[str]]:
    """Return the floors of the gateway from the highest to the lowest, each with its packages."""
    contracts = configparser.ConfigParser()
    contracts.read(ROOT / ".importlinter")
    layers = contracts["importlinter:contract:floors"]["layers"].split("\n")
    return [layer.replace(":", "|").split("|") for layer in layers if layer.strip()]


def picture() -> str:
    """Return the picture as SVG."""
    rows = [[name.strip() for name in floor] for floor in floors()]
    below = [["provisioning  (identifiers, SIM life, orders; hosts/)"], ["protocols.diameter", "protocols.smpp"]]
    height = 2 * MARGIN + 24 + (len(rows) + len(below)) * (FLOOR + GAP) + 2 * GAP
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="14">',
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="{MARGIN}" y="{MARGIN + 12}" fill="#444">A floor imports only from those below it.</text>',
    ]
    y = MARGIN + 24
    for number, row in enumerate([*rows, *below]):
        colour = "#dbe9f6" if number < len(rows) else "#e3efdd"
        if number == len(rows):
            y += 2 * GAP
        width = (WIDTH - 2 * MARGIN - (len(row) - 1) * GAP) / len(row)
        for place, name in enumerate(row):
            x = MARGIN + place * (width + GAP)
            parts.append(f'<rect x="{x:.0f}" y="{y}" width="{width:.0f}" height="{FLOOR}" rx="4" fill="{colour}"/>')
            label = name if number >= len(rows) else f"gateway.{name}"
            parts.append(f'<text x="{x + width / 2:.0f}" y="{y + 22}" text-anchor="middle">{escape(label)}</text>')
        y += FLOOR + GAP
    return "\n".join([*parts, "</svg>"]) + "\n"


if __name__ == "__main__":
    PICTURE.write_text(picture(), encoding="utf-8")
