import subprocess
import sys

SCRIPT = """
import importlib, os, pkgutil, sys
import gateway.cli
names = [each.name for each in pkgutil.iter_modules(gateway.cli.__path__, "gateway.cli.") if "__" not in each.name]
for name in [*names, "gateway.api.actions", "gateway.context", "gateway.runtime.daemon"]:
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
    names = "gateway.api.answers, gateway.cli.client, gateway.cli.follow_order, gateway.cli.retrying_client"
    script = f"import sys, {names}; print({{'sqlalchemy', 'aiohttp', 'aiomqtt'}} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=300)
    assert (done.stdout, done.stderr) == ("set()\n", "")
