"""A crash in a process that goes on is told at once and counted; trouble of a socket is neither."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[4]
SCRIPT = """
import asyncio, gc, importlib, sys, threading
from gateway.logs import configure
from gateway.logs.crashes import install

counted = []

async def fails(error):
    raise error

async def main():
    loop = asyncio.get_running_loop()
    install(loop, lambda event, fields: counted.append((event, fields["detail"], threading.current_thread() is main_thread)))
    task = asyncio.create_task(fails(KeyError("447700900123")))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    del task
    gc.collect()
    loop.call_soon(lambda: [].pop())
    thread = threading.Thread(target=lambda: {}["x"])
    thread.start()
    thread.join()
    leaving = threading.Thread(target=sys.exit)
    leaving.start()
    leaving.join()
    lost = asyncio.create_task(fails(ConnectionResetError("gone")))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    del lost
    gc.collect()
    for _ in range(3):
        await asyncio.sleep(0)

main_thread = threading.current_thread()
configure("info")
with asyncio.Runner(loop_factory=importlib.import_module(sys.argv[1]).new_event_loop) as runner:
    runner.run(main())
import json
print(json.dumps(counted))
"""


@pytest.mark.parametrize("loops", ["asyncio", "uvloop"])
def test_tasks_callbacks_and_threads_that_crash_are_told_and_counted_on_the_loop(loops):
    pytest.importorskip(loops)
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, loops], capture_output=True, text=True, cwd=ROOT, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
    *lines, counted = [json.loads(line) for line in done.stdout.splitlines()]
    crashed = [line for line in lines if line["event"] == "daemon.crashed"]
    assert [line["level"] for line in crashed] == ["critical"] * 3
    assert [line["exception"].splitlines()[-1] for line in crashed] == [
        "KeyError: '44********23'",
        "KeyError: 'x'",
        "IndexError: pop from empty list",
    ]
    assert all(event == "daemon.crashed" and on_loop for event, _, on_loop in counted)
    assert [detail.rpartition(": ")[2] for _, detail, _ in counted] == ["KeyError", "KeyError", "IndexError"]
    assert [line["logger"] for line in lines if line["event"] == "log.library"] == ["asyncio"]
