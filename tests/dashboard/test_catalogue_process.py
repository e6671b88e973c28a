"""The catalogue comes from another process, and its failures are plain."""

import sys

import pytest

from dashboard.catalogue import component_names, read_catalogue
from harness.errors import AblateError


def _python(code):
    return [sys.executable, "-c", code, "components", "--json"]


def test_a_failing_command_says_why():
    with pytest.raises(AblateError, match="no such slot"):
        read_catalogue(_python("import sys; sys.exit('no such slot')"), 20)


def test_a_hanging_command_is_given_up():
    with pytest.raises(AblateError, match=r"longer than 0\.2 s"):
        read_catalogue(_python("import time; time.sleep(60)"), 0.2)


def test_what_is_no_json_is_said():
    with pytest.raises(AblateError, match="no JSON"):
        read_catalogue(_python("print('hello')"), 20)


def test_components_are_found_alone_in_a_cycle_and_by_phase():
    assert list(component_names({"name": "gqa", "norm": {"name": "x"}})) == ["gqa"]
    assert list(component_names([{"name": "rope"}, {"name": "none"}])) == ["rope", "none"]
    assert list(component_names({"train": {"name": "bf16"}, "infer": "fp32"})) == ["bf16", "fp32"]
    assert list(component_names(None)) == []
