"""What happened in a run, line by line: numbers masked, and a digest that says whether two runs were the same."""

import hashlib

from gateway.privacy.masks import mask


class Story:
    """The lines of one run. `listen` gets each as it is told."""

    def __init__(self, loop, listen=None):
        self._loop, self._listen = loop, listen
        self._digest = hashlib.sha256()
        self.lines = []

    def tell(self, who, what):
        line = f"{len(self.lines):6} {self._loop.time():11.4f}  {who:8} {mask(what)}"
        self._digest.update(line.encode())
        self.lines.append(line)
        if self._listen is not None:
            self._listen(line)

    @property
    def digest(self):
        return self._digest.hexdigest()[:16]
