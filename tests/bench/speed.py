"""How fast Python runs on this machine at the moment, in passes of one loop a second of CPU time.

A shared virtual machine has two speeds and changes between them within seconds, so a second of CPU time is no measure. A *turn*
is one pass of the loop below: CPU time multiplied by the turns a second that were possible just then. The loop is run for a few
milliseconds, ten times a second, all the while that something is measured: what counts is the machine's speed under that
load, not before or after it. By its own CPU time, not by the clock: whoever else runs takes time from it, but no turns.
"""

import statistics
import threading
import time

PASSES = 20_000
"""Of a sample: two milliseconds or so."""
EVERY = 0.1
"""Seconds between samples: the loop takes a fiftieth of one core."""


def turns(count):
    """The loop: arithmetic on small integers, reads and writes of a list, as interpreted code does all the time.

    So much in a pass that a bare Erlang/OTP diameter server takes some 290 turns for a charging request: the measure that the
    goals in floors.yaml were set in.
    """
    table, total = [0] * 64, 0
    for i in range(count):
        total = (total * 31 + table[i & 63]) & 0xFFFFFFFF
        table[total & 63] = i
        total += table[i * 7 & 63] >> 3
    return total


def sample():
    """Turns a second of this thread's CPU time, just now."""
    began = time.thread_time()
    turns(PASSES)
    return PASSES / (time.thread_time() - began)


class Speed:
    """The speed while a block runs: `with Speed() as speed: ...`, then `speed.turns_per_second`."""

    def __enter__(self):
        """Take the first sample, and more beside the block."""
        self.samples = [sample()]
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._go_on, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_):
        """Take the last one."""
        self._ended.set()
        self._thread.join()
        self.samples.append(sample())

    def _go_on(self):
        while not self._ended.wait(EVERY):
            self.samples.append(sample())

    @property
    def turns_per_second(self):
        """The mean over the block: its slow seconds count by how long they were."""
        return statistics.fmean(self.samples)
