"""The YAML loader bends nothing, refuses what could deceive, and knows every line."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.settings import yaml_loader
from gateway.settings.yaml_loader import MAX_DEPTH, MAX_FILE_SIZE, load_file, load_text, resolve


@pytest.fixture(autouse=True, params=["LibYAML", "PyYAML"])
def parser(request, monkeypatch):
    if request.param == "PyYAML":
        monkeypatch.setattr(yaml_loader, "_FAST", None)
    else:
        assert yaml_loader._FAST is not None, "PyYAML was built without LibYAML"


def read(text):
    return load_text(text, "t.yaml")


def refusals(text):
    return [(problem.line, problem.key, problem.message) for problem in read(text).problems]


@pytest.mark.parametrize(
    "text",
    [
        "0046",
        "+447700900123",
        "no",
        "yes",
        "off",
        "01",
        "12:30:00",
        "2026-11-23",
        "0x1F",
        "0o17",
        "1e3",
        "1_000",
        ".5",
        "~",
        "True",
        "NULL",
        "-0",
        "1.",
        ".inf",
        "=",
        "<<",
        "44770090012344770090",
        "9" * 5000,
    ],
)
def test_what_is_not_plainly_a_number_or_word_stays_text(text):
    assert read(f"key: {text}").value == {"key": text}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("-7", -7),
        ("70070", 70070),
        ("true", True),
        ("false", False),
        ("null", None),
        ("", None),
        ("0.07", Decimal("0.07")),
        ("-1.50", Decimal("-1.50")),
        ("7.50", Decimal("7.50")),
    ],
)
def test_numbers_and_words_are_resolved(text, value):
    found = read(f"key: {text}").value["key"]
    assert found == value
    assert type(found) is type(value)


def test_a_decimal_keeps_its_digits():
    assert str(resolve("0.07")) == "0.07"


def test_quotes_make_text():
    assert read("a: '7'\nb: \"true\"\nc: |\n  1\n").value == {"a": "7", "b": "true", "c": "1\n"}


def test_keys_are_always_text():
    assert read("no: 1\n200: 2\nnull: 3\n").value == {"no": 1, "200": 2, "null": 3}


def test_a_duplicate_key_is_refused_with_both_lines_and_the_first_kept():
    document = read("a: 1\nb: 2\na: 3\n'a': 4\n")
    assert [(p.line, p.key, p.message) for p in document.problems] == [
        (3, "a", "is given twice; the first is on line 1"),
        (4, "a", "is given twice; the first is on line 1"),
    ]
    assert document.value == {"a": 1, "b": 2}


def test_an_alias_bomb_is_refused_and_never_expanded():
    levels = [f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]" for n in range(1, 40)]
    document = read("l0: &l0 [lol]\n" + "\n".join(levels))
    assert (1, "l0", "the anchor `&l0` is not allowed") in [(p.line, p.key, p.message) for p in document.problems]
    assert (2, "l1[0]", "the alias `*l0` is not allowed; write the value out") in refusals(
        "l0: &l0 [lol]\nl1: [*l0, *l0]"
    )
    assert document.value["l39"] == [None] * 9


def test_a_merge_key_is_only_a_key():
    assert read("<<: {a: 1}\n").value == {"<<": {"a": 1}}


@pytest.mark.parametrize("tag", ["!!str", "!!python/object/apply:os.system", "!x", "!"])
def test_tags_are_refused(tag):
    [(line, key, message)] = refusals(f"a: 1\nb: {tag} x\n")
    assert (line, key) == (2, "b")
    assert "tag" in message


def test_a_second_document_is_refused():
    assert refusals("a: 1\n---\nb: 2\n") == [(2, "file", "holds a second document (`---`); one file is one document")]


def test_depth_is_bounded_long_before_the_stack():
    [(line, key, message)] = refusals("x: " + "[" * 200_000)
    assert (line, message) == (1, f"is nested more than {MAX_DEPTH} levels deep")
    assert key.startswith("x[0]")


def test_a_mapping_as_a_key_is_refused():
    assert refusals("? {a: 1}\n: v\n") == [(1, "(key of line 1)", "a key must be plain text")]


def test_a_syntax_error_names_its_line_and_place():
    [(line, key, message)] = refusals("a: 1\nb:\n  c: [1, 2\nd: 3\n")
    assert line >= 3
    assert key.startswith("b.c")
    assert message.startswith("is not YAML: ")


@pytest.mark.parametrize(
    "text", ['a: "\\UFFFFFFFF"', "%YAML 1." + "9" * 5000 + "\n--- a", "a: \x01", "\ta: 1", "a: b: c"]
)
def test_every_broken_text_is_a_problem_and_not_an_exception(text):
    document = read(text)
    assert document.unreadable
    assert len(document.problems) == 1


def test_half_a_surrogate_pair_is_refused_in_a_value_and_harmless_in_a_key():
    assert refusals('a: "\\ud800"') == [(1, "a", "holds half of a surrogate pair, which is no character")]
    assert read('"\\ud800": 1').value == {"\\ud800": 1}


def test_lines_of_keys_and_values_are_known():
    document = read("a:\n  b:\n    - x\n    - y: 1\n      z:\n        2\n")
    assert document.line(("a", "b")) == 3
    assert document.line(("a", "b"), of_key=True) == 2
    assert document.line(("a", "b", 1, "z")) == 6
    assert document.line(("a", "b", 1, "z"), of_key=True) == 5
    assert document.line(("a", "b", 1, "absent")) == 4


def test_files_are_bounded_and_decoded(tmp_path):
    path = tmp_path / "x.yaml"
    path.write_bytes(b"#" * (MAX_FILE_SIZE + 1))
    assert "larger" in load_file(path).problems[0].message
    path.write_bytes(b"a: 1\nb: \xff\n")
    assert load_file(path).problems == [(str(path), 2, "file", "is not UTF-8 text", "error")]
    assert "No such file" in load_file(tmp_path / "absent.yaml").problems[0].message
    path.write_bytes(b"")
    assert load_file(path).value is None


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text):
    document = read(text)
    assert document.value is None or not document.unreadable


@given(st.text(alphabet="ab:- \n[]{},&*!'\"0#|>?", max_size=60))
def test_any_yaml_like_text_is_read_or_refused(text):
    document = read(text)
    assert document.value is None or not document.unreadable


def test_a_byte_order_mark_amid_a_file_is_a_character():
    assert read("a: 1\n\ufeff# b: 2\nc: 3\n").value == {"a": 1, "\ufeff# b": 2, "c": 3}
