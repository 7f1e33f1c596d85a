"""HTML from nested calls. Text is escaped unless it was made here, so what came from outside can never become markup."""

from html import escape
from typing import Final

VOID: Final = frozenset({"link", "meta", "rect", "circle", "polyline", "polygon", "line", "path"})
"""Elements that have no content: those of HTML, and the shapes of SVG."""


class Html(str):
    """Markup that is safe as it stands."""

    __slots__ = ()


def text(value: str) -> Html:
    """Escape a text, quotes too."""
    return value if isinstance(value, Html) else Html(escape(value))


def join(*children: str) -> Html:
    """Put children one after the other; what is no markup yet is escaped."""
    return Html("".join(map(text, children)))


def prose(words: str) -> Html:
    """Write a sentence, what stands between backticks in it as code."""
    return join(*(tag("code", part) if place % 2 else part for place, part in enumerate(words.split("`"))))


def tag(name: str, /, *children: str, **attributes: str | bool | None) -> Html:
    """Make an element. `class_` is class, `aria_label` is aria-label; an attribute that is None or False is left out."""
    written = "".join(_attribute(key, value) for key, value in attributes.items() if value is not None)
    if name in VOID:
        return Html(f"<{name}{written}/>")
    return Html(f"<{name}{written}>{join(*children)}</{name}>")


def _attribute(key: str, value: str | bool) -> str:  # noqa: FBT001  (an attribute is a text, or there, or not)
    name = key.rstrip("_").replace("_", "-")
    if isinstance(value, bool):
        return f" {name}" if value else ""
    return f' {name}="{escape(value)}"'
