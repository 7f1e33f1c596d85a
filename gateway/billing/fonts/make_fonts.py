"""Cut the fonts of bills down to the letters of Western Europe: `python -m gateway.billing.fonts.make_fonts FOLDER`.

FOLDER has DejaVuSans.ttf and DejaVuSans-Bold.ttf 2.37 as they are published (Debian: fonts-dejavu-core). With all their letters
each bill would take ten times as long to embed the few that it uses.
"""

import sys
from pathlib import Path
from typing import Final

from fontTools import subset  # type: ignore[import-untyped]  # it has no types

FOLDER: Final = Path(__file__).parent
NAMES: Final = ("DejaVuSans.ttf", "DejaVuSans-Bold.ttf")
LETTERS: Final = (*range(0x20, 0x7F), *range(0xA0, 0x180), *range(0x2010, 0x2030), 0x20AC, 0x2212)
"""Latin, Latin-1 and Latin Extended-A, dashes, quotes and spaces up to U+202F, the euro sign, the minus sign."""


def main(words: list[str]) -> None:
    """Write both."""
    for name in NAMES:
        options = subset.Options(layout_features=["kern"], hinting=False, name_IDs=["*"])
        font = subset.load_font(str(Path(words[0]) / name), options)
        cutter = subset.Subsetter(options)
        cutter.populate(unicodes=LETTERS)
        cutter.subset(font)
        subset.save_font(font, str(FOLDER / name), options)


if __name__ == "__main__":
    main(sys.argv[1:])
