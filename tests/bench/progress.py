"""What the bench does at the moment, for whoever waits: lines on the standard error, so that the output can be piped."""

import sys


def progress(text):
    """Write a line."""
    sys.stderr.write(f"bench: {text}\n")
    sys.stderr.flush()
