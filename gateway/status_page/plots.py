"""Small plots as inline SVG: the last ten minutes from left to right, now at the right edge."""

from collections.abc import Sequence
from typing import Final

from gateway.status_page.markup import Html, tag
from gateway.status_page.sampling import KEPT

WIDTH, HEIGHT, EDGE = 240, 56, 3
STEP: Final = WIDTH / (KEPT - 1)
Points = list[tuple[float, float]]


def plot(values: Sequence[float | None], label: str) -> Html:
    """Draw values, the last one at the right edge, from zero to the highest; where there is None the line has a gap.

    `label` says in words what the plot shows, for who cannot see it.
    """
    top = max((value for value in values if value is not None), default=0.0) or 1.0
    shapes: list[Html] = [tag("line", class_="base", x1="0", x2=str(WIDTH), y1=_at(0, top), y2=_at(0, top))]
    for points in _runs(values, top):
        written = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        bottom = _at(0, top)
        shapes.append(
            tag("polygon", class_="area", points=f"{points[0][0]:.1f},{bottom} {written} {points[-1][0]:.1f},{bottom}")
        )
        shapes.append(tag("polyline", class_="line", points=written))
    return tag(
        "svg",
        *shapes,
        class_="plot",
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        preserveAspectRatio="none",
        role="img",
        aria_label=label,
    )


def _runs(values: Sequence[float | None], top: float) -> list[Points]:
    """Cut the values at their gaps, and place each run's points."""
    runs: list[Points] = []
    joined = False
    for place, value in enumerate(values, KEPT - len(values)):
        if value is not None:
            if not joined:
                runs.append([])
                if _stands_alone(values, place - (KEPT - len(values))):
                    runs[-1].append(((place - 1) * STEP, _height(value, top)))  # a line needs two points
            runs[-1].append((place * STEP, _height(value, top)))
        joined = value is not None
    return runs


def _stands_alone(values: Sequence[float | None], place: int) -> bool:
    return place + 1 == len(values) or values[place + 1] is None


def _height(value: float, top: float) -> float:
    return HEIGHT - EDGE - (HEIGHT - 2 * EDGE) * value / top


def _at(value: float, top: float) -> str:
    return f"{_height(value, top):.1f}"
