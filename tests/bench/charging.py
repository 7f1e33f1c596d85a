"""Charging requests, from a request in to its durable answer out: gateways beside servers without any state, in rounds.

Each contestant is a process (or two) that stands ready all the while; a round drives one after the other with I + 3 U + T of
one rating group on loopback. Without state: the echo (`tests.bench.echo`, our node), and what `REFERENCE` names. Gateways: on
SQLite with the first number of lines, which all others are compared with; with more lines; on PostgreSQL; two gateways on one
PostgreSQL; with each kind of lane. At the end the books of each store must be right, and the octets exported those reported.
"""

import csv
import io
import json
import shlex
import subprocess
import sys
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench import frames, load, processes
from tests.bench.lock_waits import LockWaits
from tests.bench.progress import progress
from tests.bench.rounds import Round, interleave, ratio, summary
from tests.bench.speed import Speed
from tests.support import postgres

ECHO, REFERENCE = "echo", "reference"
WARM_UP = 2
"""Seconds that each is driven before the first round."""


@dataclass
class Contestant:
    """What is driven: its ports, the processes whose CPU counts, and the rounds that it had."""

    name: str
    ports: list
    pids: list
    gateways: list = field(default_factory=list)
    lines: int = 1
    database: int | None = None
    """The process id of its database's server."""
    url: str = ""
    """Of its store."""
    lock_looks: int = 0
    lock_waits: int = 0
    """Transactions of its lanes that were looked at, and those of them that waited for a lock."""
    rounds: list = field(default_factory=list)
    octets: int = 0
    unknown_octets: int = 0
    disk_before: int | None = None

    def cpu(self):
        """CPU seconds so far."""
        return sum(map(processes.cpu_seconds, self.pids))

    def database_cpu(self):
        """CPU seconds of its database's server so far."""
        return processes.cpu_seconds(self.database) if self.database else 0.0


@dataclass(frozen=True)
class Variant:
    """How a gateway is set up."""

    store: str
    lines: int
    lane: str
    gateways: int = 1

    def __str__(self):
        """Its name among the contestants."""
        words = [self.store, f"{self.lines} lines"]
        if self.lane:
            words.append(f"lane {self.lane}")
        if self.gateways > 1:
            words.append(f"{self.gateways} gateways")
        return ", ".join(words)


def variants(options):
    """The base, and others that differ from it in one thing each."""
    lines, lanes = options.lines[0], options.lanes or [""]
    found = [Variant(options.stores[0], lines, lanes[0])]
    found += [Variant(options.stores[0], more, lanes[0]) for more in options.lines[1:]]
    found += [Variant(options.stores[0], lines, lane) for lane in lanes[1:]]
    found += [Variant(store, lines, lanes[0]) for store in options.stores[1:]]
    if "postgresql" in options.stores and options.gateways > 1:
        found.append(Variant("postgresql", lines, lanes[0], options.gateways))
    return found


def measure(options, folder):
    """Run the part; gives its report."""
    with ExitStack() as stores, ExitStack() as stack:
        # The gateways end before the database's server does: their books are checked in between.
        database = stores.enter_context(postgres.server()) if "postgresql" in options.stores else None
        contestants = _start(options, folder, database, stack)
        for name, contestant in contestants.items():
            progress(f"charging: warming up {name}")
            _drive(contestant, options, WARM_UP)
        for number, name in interleave(list(contestants), options.rounds):
            contestants[name].rounds.append(_drive(contestants[name], options, options.seconds))
            progress(
                f"charging: round {number + 1} of {options.rounds}: {name}: {contestants[name].rounds[-1].rate:.0f}/s"
            )
        base = contestants[str(variants(options)[0])]
        found = figures({name: each.rounds for name, each in contestants.items()}, variants(options))
        found |= lock_figures(contestants.values())
        sizes = _sizes(base)
        database_cpu = max(each.database_cpu() for each in contestants.values())
        stack.close()
        checks = {name: _check(each) for name, each in contestants.items() if each.gateways}
    return {
        "rows": {name: summary(each.rounds) for name, each in contestants.items()},
        "figures": found,
        "sizes": sizes,
        "speeds": [each.speed for contestant in contestants.values() for each in contestant.rounds],
        "database_cpu": database_cpu,
        "checks": checks,
        "conditions": {
            "load": Path(options.ctf).name if options.ctf else "Python",
            "reference": program(options.reference),
            "rounds": options.rounds,
            "seconds": options.seconds,
            "concurrency": options.concurrency,
        },
    }


def figures(rounds, found):
    """The ratios, by the names that floors have; `rounds` by contestant, `found` the variants, the base first."""
    base, others = found[0], found[1:]
    of = {
        "charging.of_echo": ratio(rounds[str(base)], rounds[ECHO], "rate"),
        "charging.turns_of_echo": ratio(rounds[str(base)], rounds[ECHO], "turns"),
        "charging.turns": summary(rounds[str(base)])["turns"],
        "charging.p99_ms": summary(rounds[str(base)])["p99_ms"],
    }
    if REFERENCE in rounds:
        of["charging.of_reference"] = ratio(rounds[str(base)], rounds[REFERENCE], "rate")
        of["charging.turns_of_reference"] = ratio(rounds[str(base)], rounds[REFERENCE], "turns")
    for each in others:
        one = rounds[str(each)]
        if each.gateways > 1:
            alone = rounds[str(Variant(each.store, each.lines, each.lane))]
            of["charging.two_gateways_cpu"] = ratio(one, alone, "all_turns")
            of["charging.two_gateways_rate"] = ratio(one, alone, "rate")
        elif each.store != base.store:
            of[f"charging.{each.store}_of_{base.store}"] = ratio(one, rounds[str(base)], "rate")
            of[f"charging.{each.store}_cpu_of_{base.store}"] = ratio(one, rounds[str(base)], "all_turns")
        elif each.lines != base.lines:
            of["charging.more_lines"] = ratio(one, rounds[str(base)], "turns")
        else:
            of[f"charging.{each.lane}_of_{base.lane}"] = ratio(one, rounds[str(base)], "rate")
    return {name: round(value, 3) for name, value in of.items()}


def lock_figures(contestants):
    """The share of looks that saw a transaction of a lane wait for a lock, where several gateways share a store."""
    sharing = [each for each in contestants if len(each.gateways) > 1]
    looks = sum(each.lock_looks for each in sharing)
    waits = sum(each.lock_waits for each in sharing)
    return {"charging.two_gateways_lock_waits": round(waits / looks, 4)} if looks else {}


def program(command):
    """The name of the program in a command, without paths: what is recorded is read on other machines."""
    words = [word for word in shlex.split(command) if word != "env" and "=" not in word]
    return Path(words[0]).name if words else "none"


def _start(options, folder, database, stack):
    """Everything that is measured, by name; all of it ends with the stack. `database` makes a new one and gives its URL."""
    contestants = {ECHO: _reference(ECHO, f"{shlex.quote(sys.executable)} -m tests.bench.echo {{port}}", folder, stack)}
    if options.reference:
        contestants[REFERENCE] = _reference(REFERENCE, options.reference, folder, stack)
    for number, variant in enumerate(variants(options)):
        progress(f"charging: starting {variant}, importing its lines")
        profile = options.profile.resolve() if options.profile and not number else None
        url = "sqlite:///var/tpo.db" if variant.store == "sqlite" else database(f"bench{number}")
        contestants[str(variant)] = stack.enter_context(_gateways(variant, folder / str(number), url, profile))
    return contestants


def _reference(name, command, folder, stack):
    port, pid = stack.enter_context(processes.server(command, folder))
    return Contestant(name, [port], [pid])


@contextmanager
def _gateways(variant, folder, url, profile):
    """One gateway or several on a store that has the lines."""
    folder.mkdir()
    lines = frames.lines(variant.lines)
    many = variant.gateways > 1
    peers = frames.CLIENTS if many else (frames.CLIENT,)
    gateways = []
    for number in range(variant.gateways):
        identity = f"ocs-{number}.tpo.example" if many else frames.SERVER
        gateways.append(
            processes.Gateway(
                folder / str(number), lines, profile, store=url, lane=variant.lane, identity=identity, peers=peers
            )
        )
    gateways[0].import_lines()
    with ExitStack() as stack:
        for gateway in gateways:
            stack.enter_context(gateway.running())
        contestant = Contestant(
            str(variant),
            [each.port for each in gateways],
            [each.process.pid for each in gateways],
            gateways,
            variant.lines,
            processes.database_process(url) if url.startswith("postgresql") else None,
            url,
        )
        if contestant.database is None:
            contestant.disk_before = gateways[0].checkpoint()
        yield contestant


def _drive(contestant, options, seconds):
    """One round against one of them."""
    program = [options.ctf] if options.ctf else load.OWN
    before, database = contestant.cpu(), contestant.database_cpu()
    try:
        with Speed() as speed, LockWaits(contestant.url) if contestant.database else nullcontext() as locks:
            answered = load.run(
                program,
                contestant.ports,
                lines=contestant.lines,
                seconds=seconds,
                concurrency=options.concurrency,
                cwd=processes.ROOT,
            )
    except subprocess.CalledProcessError as error:
        raise processes.Failed(
            f"the load program failed against {contestant.name}: {error}\n{error.stderr[-2000:]}"
        ) from None
    if contestant.gateways and not answered.ok:
        raise processes.Failed(f"{contestant.name} did not answer everything, or not rightly: {answered}")
    if locks is not None:
        contestant.lock_looks += locks.looks
        contestant.lock_waits += locks.waits
    contestant.octets += answered.used_octets
    contestant.unknown_octets += answered.unknown_octets
    return Round(
        answered.answers,
        answered.elapsed_s,
        contestant.cpu() - before,
        speed.turns_per_second,
        answered.p50_ms,
        answered.p99_ms,
        contestant.database_cpu() - database if contestant.database else None,
    )


def _sizes(base):
    """What a request takes on disk, and how many share a commit; of the base, while it runs, its warm-up included."""
    gateway = base.gateways[0]
    lane = gateway.status()["lane"]
    found = {"ccr_per_commit": round(lane["units"] / max(lane["batches"], 1), 1)}
    if base.disk_before is not None:
        found["disk_octets_per_ccr"] = round((gateway.checkpoint() - base.disk_before) / max(lane["units"], 1))
    return found


def _check(contestant):
    """Prove the books and count the octets, by the commands that an auditor has."""
    progress(f"charging: checking the books of {contestant.name}")
    gateway = contestant.gateways[0]
    books = json.loads(gateway.tpo("ledger", "check", "--json"))
    exported = sum(int(row["octets"]) for row in csv.DictReader(io.StringIO(gateway.tpo("usage", "export"))))
    counted = contestant.octets <= exported <= contestant.octets + contestant.unknown_octets
    return {
        "ok": bool(books["ok"]) and counted,
        "ledger": bool(books["ok"]),
        "entries": books["entries"],
        "octets_reported": contestant.octets,
        "octets_exported": exported,
    }
