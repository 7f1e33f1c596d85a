"""Run `tpo` with a profiler on each of its threads: `python -m tests.bench.profiled FILE tpo-arguments...`.

FILE gets the threads' figures together, FILE.THREAD each one's own; read them with `python -m pstats`. A profiled gateway is
two to three times slower, and short functions look dearer than they are.
"""

import cProfile
import pstats
import sys
import threading

from gateway.cli import main

_profiles = {}


def _begin(*_event):
    """Is called at the first event of a new thread; the profiler takes over from there."""
    name = threading.current_thread().name
    profile = _profiles.setdefault(name, cProfile.Profile())
    profile.enable()


def _run(file, arguments):
    threading.setprofile(_begin)
    _begin()
    try:
        return main(arguments)
    finally:
        threading.setprofile(None)
        for profile in _profiles.values():
            profile.disable()
        for name in ("MainThread", "write-lane"):
            if name in _profiles:
                _profiles[name].dump_stats(f"{file}.{name}")
        together = None
        for profile in _profiles.values():
            profile.create_stats()
            if profile.stats:
                together = pstats.Stats(profile) if together is None else together.add(profile)
        if together is not None:
            together.dump_stats(file)


if __name__ == "__main__":
    sys.exit(_run(sys.argv[1], sys.argv[2:]))
