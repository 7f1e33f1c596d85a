"""What a run found, as tables for a terminal and as JSON for a program, each figure beside its floor."""

import json
import os
import platform

from tests.bench import floors

COLUMNS = {
    "rate": "a second",
    "from": "from",
    "to": "to",
    "turns": "turns",
    "cpu_us": "CPU us",
    "cores": "cores",
    "p50_ms": "p50 ms",
    "p99_ms": "p99 ms",
    "database_turns": "database's turns",
    "seconds": "seconds",
    "ideal_seconds": "at the rate",
    "peak_mib": "MiB",
}

QUIET = 0.25
"""Cores that others may use while rates and latencies are still the product's own."""


def assemble(parts, machine, bounds):
    """The whole report of these parts; `machine` is what `Machine` saw."""
    figures = {name: value for part in parts.values() for name, value in part["figures"].items()}
    checks = {f"{part}, {name}": check for part, each in parts.items() for name, check in each["checks"].items()}
    missed = [floor.name for floor in floors.missed(figures, bounds)]
    wrong = [name for name, check in checks.items() if not check["ok"]]
    return {
        "parts": parts,
        "figures": figures,
        "machine": machine,
        "missed": missed,
        "wrong": wrong,
        "ok": not missed and not wrong,
    }


def exit_code(report):
    """0 where every ratio keeps to its floor and the books are right, else 1."""
    return 0 if report["ok"] else 1


def write_json(report, out):
    """The report for a program."""
    out.write(f"{json.dumps(report, indent=2)}\n")


def write(report, bounds, out):
    """The report for a person."""
    for name, part in report["parts"].items():
        out.write(f"\n{name}: {words(part['conditions'])}\n")
        out.writelines(f"{line}\n" for line in table(part["rows"]))
        for figure, value in part["figures"].items():
            out.write(f"  {figure:<34}{value:>10g}  {_beside(figure, value, bounds)}\n")
        if part["sizes"]:
            out.write(f"  {words(part['sizes'])}\n")
        for subject, check in part["checks"].items():
            out.write(f"  {subject}: {'right' if check['ok'] else 'WRONG'}: {words(check)}\n")
    out.write(f"\nmachine: {words(report['machine'])}\n")
    if is_disturbed(report["machine"]):
        out.write(
            "DISTURBED: others used the cores meanwhile: rates and latencies say little, and turns are up to a third more\n"
        )
    for name in report["missed"]:
        out.write(f"MISSED: {name} is {report['figures'][name]:g}, {bounds[name]}: {bounds[name].why}\n")
    for name in report["wrong"]:
        out.write(f"WRONG: {name}\n")


def table(rows):
    """Lines of a table that has the columns that any of the rows has."""
    columns = [name for name in COLUMNS if any(name in row for row in rows.values())]
    width = max(map(len, rows))
    yield "  " + " " * width + "".join(f"{COLUMNS[name]:>{max(10, len(COLUMNS[name]) + 2)}}" for name in columns)
    for subject, row in rows.items():
        cells = (f"{row.get(name, ''):>{max(10, len(COLUMNS[name]) + 2)}}" for name in columns)
        yield f"  {subject:<{width}}" + "".join(cells)


def _beside(figure, value, bounds):
    if figure not in bounds:
        return ""
    floor = bounds[figure]
    if floor.holds(value):
        return f"holds: {floor}"
    return f"MISSED: {floor}" if floor.decides else f"not reached: {floor}"


def words(values):
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in values.items())


def is_disturbed(seen):
    """Whether others took so much of the machine that rates say little."""
    return seen["cores_used_by_others"] + seen["cores_kept_by_the_host"] > QUIET


def machine(before, after, seconds, own_cpu, speeds):
    """How the machine was meanwhile: `before` and `after` are processes.busy_seconds, `own_cpu` what the bench itself used.

    What others used and what the host kept back tell how disturbed the run was.
    """
    busy, stolen = (end - start for start, end in zip(before, after, strict=True))
    return {
        "cpus": os.cpu_count(),
        "python": platform.python_version(),
        "million_turns_a_second": f"{min(speeds) / 1e6:.1f}-{max(speeds) / 1e6:.1f}" if speeds else "not measured",
        "cores_used_by_others": round(max(0.0, busy - own_cpu) / seconds, 2),
        "cores_kept_by_the_host": round(stolen / seconds, 2),
    }
