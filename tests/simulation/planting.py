"""Plants a fault in a copy of the gateway, and says which seed finds it: how we know that the simulation can find anything."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MUTATIONS = Path(__file__).with_name("mutations")
COPIED = ("gateway", "protocols", "provisioning")


def names():
    """The mutations that there are."""
    return sorted(path.stem for path in MUTATIONS.glob("*.patch"))


def read(name):
    """What a mutation changes: the file, and for each place the lines as they are and as they become."""
    text = (MUTATIONS / f"{name}.patch").read_text()
    changes = []
    for part in re.split(r"^--- a/", text, flags=re.MULTILINE)[1:]:
        head, *hunks = re.split(r"^@@.*@@.*\n", part, flags=re.MULTILINE)
        file = head.splitlines()[0]
        for hunk in hunks:
            lines = hunk.splitlines(keepends=True)
            before = "".join(line[1:] for line in lines if line[0] in " -")
            after = "".join(line[1:] for line in lines if line[0] in " +")
            changes.append((file, before, after))
    return changes


def misfits(name):
    """The files of a mutation whose lines have changed since: it has to be written anew."""
    return [file for file, before, _ in read(name) if (ROOT / file).read_text().count(before) != 1]


def plant(name, folder):
    """Make a tree in a folder with the mutation in it."""
    for package in COPIED:
        shutil.copytree(ROOT / package, folder / package)
    for shared in ("config", "tests"):
        (folder / shared).symlink_to(ROOT / shared)
    for file, before, after in read(name):
        path = folder / file
        path.write_text(path.read_text().replace(before, after))


def hunt(folder, seeds, first=1):
    """Play seeds in a tree; gives the exit code, 1 where one broke a promise, and what was printed."""
    command = [sys.executable, "-m", "tests.simulation", "--seeds", str(seeds), "--first", str(first)]
    environment = os.environ | {"PYTHONHASHSEED": "0"}
    done = subprocess.run(command, check=False, cwd=folder, env=environment, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr
