"""SMSCs that take so many texts a second and refuse the rest, by the rules that are met, and a sender in a time of its own."""

import heapq
from collections import deque

from protocols.smpp.throttle import Throttle


class Bucket:
    """A token bucket that holds `burst`: with 1, a request is taken if the one before it was long enough ago."""

    def __init__(self, rate, burst=1):
        self.rate, self._burst, self._tokens, self._at = rate, burst, burst, 0.0

    def take(self, now):
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self.rate)
        self._at = now
        if self._tokens < 1 - 1e-9:
            return False
        self._tokens -= 1
        return True


class Seconds:
    """So many requests in each second of the clock (or in each `length` of them)."""

    def __init__(self, rate, length=1.0):
        self.rate, self._length, self._second, self._count = rate, length, -1, 0

    def take(self, now):
        second = int((now + 0.37) / self._length)
        if second != self._second:
            self._second, self._count = second, 0
        self._count += 1
        return self._count <= self.rate * self._length


class Sliding:
    """So many requests in any second."""

    def __init__(self, rate):
        self.rate, self._taken = rate, deque()

    def take(self, now):
        while self._taken and self._taken[0] <= now - 1.0:
            self._taken.popleft()
        if len(self._taken) >= self.rate:
            return False
        self._taken.append(now)
        return True


class Queue:
    """A queue that is full (0x14) at `size`, and is emptied at the rate."""

    def __init__(self, rate, size):
        self.rate, self._size, self._length, self._at = rate, size, 0.0, 0.0

    def take(self, now):
        self._length = max(0.0, self._length - (now - self._at) * self.rate)
        self._at = now
        if self._length + 1 > self._size:
            return False
        self._length += 1
        return True


def play(limits, smsc, seconds, *, latency=0.01, jitter=lambda: 0.0, changes=(), wanted=lambda _: True):
    """Give the times at which requests were taken, and at which they were refused; `changes` are (time, rate)."""
    throttle, now, used, serial = Throttle(limits), 0.0, 0, 0
    taken, refused, changes = [], [], deque(changes)
    events = []  # (time, serial, sent_at or None for a look)
    heapq.heappush(events, (0.0, 0, None, False))
    while events:
        now, _, sent_at, ok = heapq.heappop(events)
        if now >= seconds:
            break
        while changes and now >= changes[0][0]:
            smsc.rate = changes.popleft()[1]
        if sent_at is not None:
            used -= 1
            if ok:
                throttle.succeeded(sent_at, now)
            else:
                throttle.throttled(sent_at, now)
        throttle.resume(now, used)
        while wanted(now) and throttle.room(used, now):
            throttle.take(now)
            used += 1
            arrives = now + latency / 2 + jitter()
            good = smsc.take(arrives)
            (taken if good else refused).append(arrives)
            serial += 1
            heapq.heappush(events, (arrives + latency / 2, serial, now, good))
        if not wanted(now):
            due = now + 0.05
        elif throttle.paused_until is not None:
            due = throttle.paused_until
        else:
            due = throttle.ready_at(now)
        if due > now and not any(entry[2] is None and entry[0] <= due for entry in events):
            serial += 1
            heapq.heappush(events, (due, serial, None, False))
    return taken, refused
