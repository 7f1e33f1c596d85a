"""`tpo charity report --policy`: what is wrong with a policy to compare with is told by its line, in our own words."""

import pytest

from gateway.cli import main


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        ("", "policy.yaml:1: file: must be"),
        ("[]", "policy.yaml:1: file: must be"),
        ("{id: x, base: gross}", "policy.yaml:1: rate: is required"),
        ("{id: x, base: gros, rate: 10}", "policy.yaml:1: base: must be"),
        ("id: x\nbase: gross\nrate: -1\n", "policy.yaml:3: rate: must be between 0 and 100"),
        ("id: x\nbase: gross\nrate: 10\nexclusions: [x]\n", "policy.yaml:4: exclusions[0]: must be"),
        ("{id: x, base: gross, rat: 10}", "rat: unknown key; did you mean `rate`?"),
        ("{id: x, base: gross, rate: 10, rate: 20}", "rate: is given twice"),
    ],
)
def test_a_policy_that_is_none_is_told_by_its_line(policy, said, tmp_path, capsys):
    file = tmp_path / "policy.yaml"
    file.write_text(policy)
    assert main(["charity", "report", "2026-11", "--policy", str(file)]) == 1
    told = capsys.readouterr().err
    assert said in told
    assert "Input should" not in told
    assert "Field required" not in told
