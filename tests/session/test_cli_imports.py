import pkgutil
import subprocess
import sys

import gateway.api.answers

SCRIPT = """
import importlib, os, pkgutil, sys
import aiohttp, aiomqtt, msgspec, phonenumbers, psycopg, sqlalchemy, typer, typer.main, yaml  # of others: once for all
import gateway.cli
names = [each.name for each in pkgutil.walk_packages(gateway.cli.__path__, "gateway.cli.") if "__" not in each.name]
for name in [*names, "gateway.api.actions.table", "gateway.context", "gateway.runtime.daemon"]:
    if not (pid := os.fork()):
        importlib.import_module(name)
        os._exit(0)
    if os.waitpid(pid, 0)[1]:
        sys.exit(name)
print(len(names))
"""


def test_each_module_of_a_command_is_imported_without_another_before_it():
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    assert int(done.stdout) > 20


def test_what_commands_read_of_the_gateway_needs_no_store():
    answers = [each.name for each in pkgutil.iter_modules(gateway.api.answers.__path__, "gateway.api.answers.")]
    commands = ["gateway.cli.client", "gateway.cli.follow_order", "gateway.cli.retrying_client"]
    names = ", ".join(each for each in [*answers, *commands] if each != "gateway.api.answers.rows")
    script = f"import sys, {names}; print({{'sqlalchemy', 'aiohttp', 'aiomqtt'}} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=300)
    assert (done.stdout, done.stderr) == ("set()\n", "")
