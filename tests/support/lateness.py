"""How long the machine keeps a process waiting that has only to wake up: what a bound in seconds is held against."""

import threading
import time


class Lateness:
    """`most`: seconds by which a sleep ended too late, at the most, since this was made; measured on a thread until `end`.

    A loop that is kept busy by what it is attacked with does not keep a thread waiting: it shows in what is measured, not here.
    """

    def __init__(self):
        self.most, self._ended = 0.0, threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self):
        while not self._ended.is_set():
            began = time.monotonic()
            time.sleep(0.01)
            self.most = max(self.most, time.monotonic() - began - 0.01)

    def end(self):
        """Stop measuring; gives the most."""
        self._ended.set()
        self._thread.join()
        return self.most

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()
