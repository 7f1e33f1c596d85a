"""How often lanes at a PostgreSQL server wait for a lock that somebody else holds: looks at what runs there, many a second."""

import threading

import psycopg

BETWEEN = 0.02
"""Seconds between two looks: each costs the server some 100 us."""
_LOOK = (
    "SELECT wait_event_type IS NOT DISTINCT FROM 'Lock' FROM pg_stat_activity "
    "WHERE application_name ~ '^tpo/[0-9]+/[0-9]+$' AND datname = current_database() AND xact_start IS NOT NULL"
)


class LockWaits:
    """Looks while the block runs: `looks` counts transactions of lanes, `waits` those of them that waited for a lock."""

    def __init__(self, url):
        self._url = url
        self.looks = self.waits = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lock-waits", daemon=True)

    def __enter__(self):
        """Begin to look."""
        self._thread.start()
        return self

    def __exit__(self, *error):
        """Look no more."""
        self._over.set()
        self._thread.join()

    def _run(self):
        with psycopg.connect(self._url, autocommit=True) as connection:
            while not self._over.wait(BETWEEN):
                seen = [waits for (waits,) in connection.execute(_LOOK)]
                self.looks += len(seen)
                self.waits += sum(seen)
