"""What the gateway makes, writes or removes is nobody else's file, and of the right kind."""

import os
import socket

import pytest

from gateway.settings import ConfigInvalid, load


@pytest.fixture
def problems(tmp_path):
    for name in ("plans.yaml", "causes.yaml"):
        (tmp_path / name).write_text("{}")
    (tmp_path / "var").mkdir()

    def problems_(socket="var/tpo.sock", store="var/tpo.db", more=""):
        path = tmp_path / "gateway.yaml"
        path.write_text(
            f"operator: {{name: TPO}}\nstore: {{url: sqlite:///{store}}}\napi: {{socket: {socket}}}\n{more}"
        )
        try:
            found = load(path, {}).warnings
        except ConfigInvalid as invalid:
            found = invalid.problems
        return [str(problem).split(":", 1)[1].replace(str(tmp_path), "F") for problem in found]

    return problems_


def test_a_store_and_a_socket_of_their_own_are_right(problems, tmp_path):
    assert problems() == []
    (tmp_path / "var" / "tpo.db").touch()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "var" / "tpo.sock"))
        assert problems() == []


@pytest.mark.parametrize(
    ("end", "what"),
    [
        ("", "the store"),
        ("-wal", "the store's log"),
        ("-shm", "the index of the store's log"),
        ("-journal", "the store's journal"),
        (".lock", "the store's lock"),
        (".damaged", "the store's note of a damage"),
    ],
)
def test_a_socket_that_is_a_file_of_the_store_is_refused_whether_it_is_there_or_not(problems, tmp_path, end, what):
    assert problems(socket=f"var/../var/tpo.db{end}") == [
        f"3: api.socket: F/var/../var/tpo.db{end} is {what} (store.url)"
    ]
    (tmp_path / "var" / f"tpo.db{end}").touch()
    assert f"3: api.socket: F/var/tpo.db{end} is {what} (store.url)" in problems(socket=f"var/tpo.db{end}")


def test_a_socket_that_is_the_key_or_a_file_of_the_configuration_is_refused(problems):
    assert problems(socket="var/tpo.key") == [
        "3: api.socket: F/var/tpo.key is the key that the gateway makes (privacy.key)"
    ]
    for name in ("gateway.yaml", "plans.yaml", "causes.yaml"):
        told = problems(socket=name)
        assert told[0].startswith(f"3: api.socket: F/{name} is a file of the configuration (")
        assert (
            told[1]
            == f"3: api.socket: F/{name} is a file, not a socket, and is not touched; name a path where nothing is"
        )


def test_a_store_that_is_a_secrets_file_or_the_plans_is_refused(problems, tmp_path):
    (tmp_path / "secret").write_text("a-secret-of-the-tests")
    (tmp_path / "secret").chmod(0o600)
    assert problems(store="secret", more="privacy: {key: {file: secret}}\n") == [
        "2: store.url: F/secret is the file of a secret (privacy.key)"
    ]
    assert problems(store="plans.yaml") == ["2: store.url: F/plans.yaml is a file of the configuration (plans)"]


@pytest.mark.parametrize("link", [os.symlink, os.link], ids=["symbolic", "hard"])
def test_a_link_to_a_file_is_that_file(problems, tmp_path, link):
    (tmp_path / "var" / "tpo.db").touch()
    link(tmp_path / "var" / "tpo.db", tmp_path / "other")
    assert "3: api.socket: F/other is the store (store.url)" in problems(socket="other")


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (lambda path: path.write_text("an operator's notes"), "a file"),
        (lambda path: path.mkdir(), "a folder"),
        (os.mkfifo, "a device, pipe or socket"),
        (lambda path: path.symlink_to("nowhere"), "a symbolic link"),
    ],
)
def test_what_is_there_and_no_socket_is_not_to_be_one(problems, tmp_path, make, kind):
    make(tmp_path / "notes")
    told = f"3: api.socket: F/notes is {kind}, not a socket, and is not touched; name a path where nothing is"
    assert problems(socket="notes") == [told]


def test_a_folder_is_no_store_and_no_folder_is_a_file(problems, tmp_path):
    assert problems(store="var") == ["2: store.url: F/var is a folder, not a file"]
    (tmp_path / "notes").touch()
    assert problems(store="notes/tpo.db", socket="notes/tpo.sock") == [
        "2: store.url: F/notes is no folder",
        "3: api.socket: F/notes is no folder",
    ]


def test_a_store_with_two_names_is_refused(problems, tmp_path):
    (tmp_path / "var" / "tpo.db").touch()
    os.link(tmp_path / "var" / "tpo.db", tmp_path / "second.db")
    [told] = problems()
    assert told.startswith("2: store.url: F/var/tpo.db has 2 names (hard links); opened by two of them")
