"""What was expected of a question is kept from before its first run."""

import json
import subprocess

import pytest
from lab import ablate, write_yaml

from harness.errors import ConfigError
from harness.experiments.question.resolve import resolve

PRIMARY = {"primary": "gelu - swiglu"}


@pytest.fixture
def run(small, tmp_path):
    """Run an experiment with changes; return its plan and what was said."""

    def do(**changes):
        data = small(contrasts=PRIMARY, **changes)
        file, results = write_yaml(tmp_path / "x.yaml", data), tmp_path / "results"
        assert ablate("run", file, "--inline", results=results).code == 0
        said = " ".join(ablate("compare", "small", results=results).out.split())
        return json.loads((results / "experiments/small/plan.json").read_text()), said

    return do


def test_what_was_expected_is_shown_beside_what_was_found(run):
    plan, said = run(expect={"primary": "worse"})
    assert plan["expect"] == plan["stamped"]["expect"] == {"primary": "worse"}
    assert f"expected of primary: worse, found: refused (stamped {plan['stamped']['time']})" in said


def test_the_stamp_is_that_of_before_the_first_run(run):
    first, _ = run(expect={"primary": "worse"})
    again, said = run(expect={"primary": "worse"}, seeds=3)
    assert again["stamped"] == first["stamped"]
    assert "changed after the first run" not in said


def test_an_expectation_that_was_changed_later_is_shown_as_changed(run):
    first, _ = run(expect={"primary": "worse"})
    again, said = run(expect={"primary": "better"})
    assert again["stamped"] == first["stamped"] and again["expect"] == {"primary": "better"}
    assert "expected of primary: better, found: refused; changed after the first run" in said
    assert "when it was worse" in said


def test_an_expectation_that_came_later_or_was_dropped_is_shown_as_that(run):
    run()
    _, said = run(expect={"primary": "worse"})
    assert "changed after the first run" in said and "when it was nothing" in said


def test_a_primary_contrast_that_was_chosen_later_is_shown_as_that(run, small, tmp_path):
    run()
    data = small(contrasts={"primary": "swiglu - gelu"})
    file, results = write_yaml(tmp_path / "x.yaml", data), tmp_path / "results"
    said = " ".join(ablate("run", file, "--inline", results=results).out.split())
    assert "the primary contrast was changed after the first run" in said
    assert "when it was gelu - swiglu" in said


def test_another_question_has_a_stamp_of_its_own(run, small):
    first, _ = run(expect={"primary": "worse"})
    base = small()["base"]
    base["train"]["budget"] = {"steps": 3}
    other, said = run(base=base, expect={"primary": "better"})
    assert other["stamped"]["question_hash"] != first["stamped"]["question_hash"]
    assert "changed after the first run" not in said


def test_the_commit_of_the_file_is_kept(small, tmp_path):
    file = write_yaml(tmp_path / "x.yaml", small())

    def git(*arguments):
        own = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
        command = ["git", "-C", str(tmp_path), *own, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    git("init", "-q")
    git("add", "x.yaml")
    git("commit", "-qm", "the question")
    ablate("run", file, "--inline", results=tmp_path / "results")
    plan = json.loads((tmp_path / "results/experiments/small/plan.json").read_text())
    assert git("rev-parse", "HEAD").startswith(plan["stamped"]["commit"])


def test_what_is_expected_is_of_a_declared_contrast(small, tmp_path):
    with pytest.raises(ConfigError, match=r"expect\.primry: unknown contrast 'primry'"):
        resolve(small(contrasts=PRIMARY, expect={"primry": "worse"}), tmp_path)
    with pytest.raises(ConfigError, match=r"expect.primary: .*'better', 'worse' or"):
        resolve(small(contrasts=PRIMARY, expect={"primary": "bad"}), tmp_path)
