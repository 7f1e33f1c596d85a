"""Words of a command and rows of a file that are no text: said by what and where, whether the gateway runs or not."""

import os

import pytest
from support import warm_start
from support.gateways import Gateway, subscribers

pytestmark = pytest.mark.xdist_group("cli_hostile_words")


@pytest.fixture(params=["running", "stopped"], scope="module")
def gateway(request, tmp_path_factory):
    with Gateway(tmp_path_factory.mktemp(request.param)) as made:
        made.enrol(subscribers(1))
        if request.param == "stopped":
            made.stop()
        yield made


def tpo(gateway, *arguments):
    """Run a command whose words may be any octets."""
    words = ("--config", str(gateway.config), *map(os.fsdecode, arguments))
    return warm_start.run(words, timeout=300, env={**os.environ, "NO_COLOR": "1", "LC_ALL": "C.UTF-8"})


def refused(done):
    assert done.returncode == 1, done
    assert "Traceback" not in done.stderr
    assert "what to do:" in done.stderr
    return done.stderr


@pytest.mark.parametrize(
    "words",
    [
        (b"subscriber", b"topup", b"447700900000", b"1.00", b"--reference", b"shop-\xff"),
        (b"subscriber", b"show", b"4477\xed\xa0\x80"),
        (b"subscriber", b"cause", b"447700900000", b"wwf\xff"),
    ],
    ids=["reference", "number", "cause"],
)
def test_a_word_that_is_no_utf_8_is_refused(gateway, words):
    said = refused(tpo(gateway, *words))
    assert "no text in UTF-8" in said or "half of a surrogate pair" in said


def test_nul_in_a_file_is_told_by_its_line(gateway):
    file = gateway.folder / "rows.csv"
    head = "msisdn,imsi,iccid,plan,cause,balance\n"
    good = "447700900001,234150000000001,8944100000000000001,payg-gb,wwf,1\n"
    file.write_bytes((head + good + good.replace("wwf", "w\0f")).encode())
    said = refused(tpo(gateway, "subscriber", "import", str(file)))
    assert f"{file}:3" in said or "NUL" in said


def test_an_amount_that_would_fill_a_balance_is_refused(gateway):
    said = refused(tpo(gateway, "subscriber", "topup", "447700900000", "999999999999.00", "--reference", "r"))
    assert "at most 500.00" in said
    assert tpo(gateway, "subscriber", "topup", "447700900000", "500", "--reference", "r").returncode == 0
