"""What is opened by its name: files, and pipes that somebody writes into; nothing that has no end."""

import io
import os
import socket
import threading
from contextlib import closing

import pytest

from gateway.store.named_files import MAX_LINE, lines_of, open_named, read_named


def test_a_file_is_read_up_to_what_was_agreed(tmp_path):
    path = tmp_path / "seals"
    path.write_bytes(b"x" * 10)
    assert read_named(path, 10) == b"x" * 10
    with pytest.raises(OSError, match="more than 9 octets"):
        read_named(path, 9)


def test_a_pipe_is_read_to_its_end_however_late_that_comes(tmp_path):
    reading, writing = os.pipe()
    later = threading.Timer(0.1, lambda: (os.write(writing, b"late"), os.close(writing)))
    later.start()
    try:
        assert read_named(tmp_path / f"/dev/fd/{reading}", 100) == b"late"
    finally:
        later.join()
        os.close(reading)


def test_a_pipe_without_a_writer_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="nothing comes out"):
        read_named(tmp_path / "pipe", 100)


def test_what_is_no_file_is_named(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with closing(socket.socket(socket.AF_UNIX)) as bound:
        bound.bind(str(tmp_path / "socket"))
        for path, kind in (
            (tmp_path, "a folder"),
            (tmp_path / "pipe", "a pipe"),
            (tmp_path / "socket", "a socket"),
            (tmp_path / "/dev/zero", "a device"),
        ):
            with pytest.raises(OSError) as refused:  # noqa: PT011  (its strerror is looked at below)
                open_named(path, pipe=False)
            assert refused.value.strerror == f"it is {kind}, and a regular file is wanted"


def test_a_line_without_an_end_comes_in_pieces():
    assert [len(piece) for piece in lines_of(io.StringIO("x" * (2 * MAX_LINE + 1) + "\ny"))] == [
        MAX_LINE,
        MAX_LINE,
        2,
        1,
    ]
