"""Play worlds: `python -m tests.simulation --seeds 200`, or one of them again, `--seed 17 --steps`."""

import argparse
import gc
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import islice
from pathlib import Path

SHOWN_PROMISES, SHOWN_LINES = 20, 60


def read_options():
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=0, metavar="N", help="play so many seeds")
    parser.add_argument("--first", type=int, default=1, metavar="N", help="begin with this seed")
    parser.add_argument("--seed", type=int, help="play this one alone")
    parser.add_argument("--seconds", type=float, default=60.0, help="virtual seconds of faults in each world")
    parser.add_argument("--steps", action="store_true", help="print every line of the story as it comes")
    parser.add_argument("--digests", action="store_true", help="print what the story of each world comes to")
    parser.add_argument("--keep-going", action="store_true", help="play on after a world that broke a promise")
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="play in so many processes")
    return parser.parse_args()


def play(seed, seconds, listen=None):
    """Play one world; gives what is to be told of it.

    Tasks of processes that were killed say their last words when they are collected: after their world, and to nobody.
    """
    gc.disable()
    try:
        return _play(seed, seconds, listen)
    finally:
        hook, sys.unraisablehook = sys.unraisablehook, lambda _error: None
        gc.collect()
        sys.unraisablehook = hook
        gc.enable()


def _play(seed, seconds, listen):
    from .world import World

    world = World(seed, seconds=seconds, listen=listen)
    return {
        "seed": seed,
        "broken": list(world.run()),
        "end": world.story.lines[-SHOWN_LINES:],
        "digest": world.story.digest,
        "lines": len(world.story.lines),
        "virtual": world.loop.time(),
        "faults": world.faults.count,
    }


def play_all(seeds, options):
    """Play worlds and give what is to be told of each, in their order; one that comes after a broken one may be missing."""
    if options.workers == 1:
        listen = partial(print, flush=True) if options.steps else None
        yield from (play(seed, options.seconds, listen) for seed in seeds)
        return
    with ProcessPoolExecutor(options.workers) as pool:
        rest = iter(seeds)
        waiting = [pool.submit(play, seed, options.seconds) for seed in islice(rest, 2 * options.workers)]
        while waiting:
            yield waiting.pop(0).result()
            waiting += [pool.submit(play, seed, options.seconds) for seed in islice(rest, 1)]


def main():
    options = read_options()
    if os.environ.get("PYTHONHASHSEED") != "0":  # sets of words have an order then, the same in every run
        again = [sys.executable, "-m", "tests.simulation", *sys.argv[1:]]
        os.execve(sys.executable, again, os.environ | {"PYTHONHASHSEED": "0"})
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    seeds = [options.seed] if options.seed is not None else range(options.first, options.first + options.seeds)
    began, virtual, faults, played, failed = time.perf_counter(), 0.0, 0, 0, []
    for world in play_all(seeds, options):
        virtual, faults, played = virtual + world["virtual"], faults + world["faults"], played + 1
        if options.digests or options.seed is not None:
            print(f"seed {world['seed']}: {world['lines']} lines, digest {world['digest']}")
        if world["broken"]:
            failed.append(world["seed"])
            explain(world, options.seconds)
            if not options.keep_going:
                break
    spent = time.perf_counter() - began
    print(
        f"{played} worlds, {len(failed)} broke a promise {failed or ''}: {virtual / 3600:.2f} virtual hours and {faults} faults"
        f" in {spent:.1f} s: {virtual / 86400 / spent * 60:.2f} virtual days and {faults / spent * 60:.0f} faults a minute"
    )
    return 1 if failed else 0


def explain(world, seconds):
    print(f"\nseed {world['seed']} broke {len(world['broken'])} promises:")
    for what in world["broken"][:SHOWN_PROMISES]:
        print(f"  {what}")
    print("the end of its story:")
    for line in world["end"]:
        print(f"  {line}")
    print(f"again: python -m tests.simulation --seed {world['seed']} --seconds {seconds:g} --steps\n")


if __name__ == "__main__":
    sys.exit(main())
