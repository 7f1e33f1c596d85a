"""How long the machine keeps processes waiting: what a bound in seconds is held against."""

import threading
import time
from pathlib import Path


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


class Stretch:
    """By which factor the machine stretched what busy processes did since this was made: 1 where it was theirs alone.

    A process that is busy is kept waiting by others more often than one that sleeps and wakes up. The kernel counts it
    (Linux, Documentation/scheduler/sched-stats: `/proc/<pid>/schedstat`, nanoseconds run and waited for a processor).
    """

    def __init__(self, *pids):
        self._pids = pids
        self._began = self._counted()

    @property
    def factor(self):
        """Seconds that passed while there was work, for each second of work."""
        ran, waited = (now - then for now, then in zip(self._counted(), self._began, strict=True))
        return 1 + waited / max(ran, 1)

    def _counted(self):
        tasks = [task for pid in self._pids for task in Path(f"/proc/{pid}/task").iterdir()]
        rows = [(task / "schedstat").read_text().split() for task in tasks]
        return [sum(int(row[place]) for row in rows) for place in (0, 1)]
