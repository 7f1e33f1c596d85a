"""`tpo demo`: the story of a customer's first day in the terminal; `python -m simulators.demo_command` runs it, too."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from simulators.exit import ExitCode

if TYPE_CHECKING:
    from simulators.demo import Step

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def demo(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print the steps as JSON, at the end.")] = False,
) -> None:
    """Tell in under a minute what the gateway does: a SIM, a gift by text, a film, the tenth, a power cut.

    A gateway and a host network are started for it, in a folder of their own and on free ports, and nothing of them is
    left. Each figure is read back from the gateway by its own commands. Exits with 0 only if every step held.

    \b
    Examples:
      tpo demo
      tpo demo --json
    """
    from simulators.demo import Demo  # noqa: PLC0415  (`tpo --help` starts faster)

    began = time.monotonic()

    async def tell_story() -> tuple[bool, list[Step]]:
        task = asyncio.current_task()
        assert task is not None
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)  # as Ctrl-C: nothing is left behind
        with tempfile.TemporaryDirectory(prefix="tpo-demo-") as folder:
            story = Demo(Path(folder), None, _ignore if as_json else _print)
            return await story.run(), story.steps

    try:
        held, steps = asyncio.run(tell_story())
    except (KeyboardInterrupt, asyncio.CancelledError):
        raise typer.Exit(ExitCode.FAILED) from None
    seconds = round(time.monotonic() - began, 1)
    if as_json:
        told = [
            {"name": s.name, "held": s.held, "seconds": s.seconds, "figures": s.figures, "why": s.why} for s in steps
        ]
        sys.stdout.write(f"{json.dumps({'held': held, 'seconds': seconds, 'steps': told}, indent=2)}\n")
    else:
        sys.stdout.write(f"\n{'Every step held' if held else 'A step did not hold'} ({seconds:.0f} s).\n")
    if not held:
        raise typer.Exit(ExitCode.FAILED)


def _print(step: Step) -> None:
    mark = "ok" if step.held else "NOT SO"
    lines = [f"\n{step.name}  [{mark}, {step.seconds:.1f} s]"]
    lines += [f"    {name}: {value}" for name, value in step.figures.items()]
    lines += [f"    {step.why}"] if step.why else []
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


def _ignore(_step: Step) -> None:
    """With --json the steps are told at the end."""


if __name__ == "__main__":
    app()
