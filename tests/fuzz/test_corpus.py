"""The inputs that fuzzing kept, given to their readers again."""

import pytest

from tests.fuzz.targets import CORPUS, TARGETS


@pytest.mark.parametrize("name", TARGETS)
def test_each_input_of_the_corpus_ends_as_its_reader_says(name):
    files = sorted((CORPUS / name).iterdir())
    assert len(files) >= 5
    for file in files:
        TARGETS[name](file.read_bytes())
