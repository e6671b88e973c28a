"""A study says what was best, and plainly what of it is not confirmed."""

import pandas as pd
import pytest
from stored import HOSTILE, write
from studies import definition, events, write_study

from harness.analysis.study.confirmed import confirmed, summary_frame, unconfirmed
from harness.analysis.study.front import front
from harness.analysis.study.read import read_study, study_of
from harness.analysis.study.words import study_lines
from harness.analysis.words.sentences import sentence
from harness.errors import AblateError
from harness.store.experiments import ExperimentStore

AGAIN = {"experiment": "heads", "trials": [12, 4]}


def lines_of(study):
    return "\n".join(study_lines(study))


@pytest.fixture
def confirmed_study(tmp_path):
    write(tmp_path)
    return read_study(write_study(tmp_path, confirmed=AGAIN), "kv")


def test_counts_name_every_kind_of_end():
    said = lines_of(study_of(definition(), events()))
    counts = "13 done, 3 pruned, 5 infeasible, 1 duplicate, 1 diverged, 1 failed of 24"
    assert counts in said


def test_every_trial_of_the_front_is_named_with_its_values_and_parameters():
    study = study_of(definition(), events())
    said = lines_of(study)
    for row in front(study.trials, study.objectives).to_dict("records"):
        assert f"trial {row['number']}: val_bpb {row['objective.val_bpb']:.4f}" in said
    assert "kv_bytes 18 kB" in said
    assert "attention=mqa, d_ff=384" in said  # a branch not taken is not named
    assert "hypervolume: 6708" in said


def test_of_one_objective_one_trial_is_best_and_there_is_no_volume():
    study = study_of(definition(objectives=("val_bpb",)), events(("val_bpb",)))
    said = lines_of(study)
    assert "best: trial 12: val_bpb 1.8593 (" in said
    assert "hypervolume" not in said
    assert "not confirmed: trial 12 is the best of 13 single runs" in said


def test_a_study_without_a_trial_that_is_done_has_no_best():
    for happened in ([], events()[:1]):
        said = lines_of(study_of(definition(), happened))
        assert "no trial is done yet" in said
        assert "confirmed" not in said


def test_a_long_front_is_cut_and_says_so():
    study = study_of(definition(), events())
    done = study.trials["status"] == "done"
    study.trials.loc[done, "objective.val_bpb"] = range(13)
    study.trials.loc[done, "objective.kv_bytes"] = range(13, 0, -1)
    assert "and 5 more" in lines_of(study)


def test_what_is_confirmed_is_said_in_the_words_of_the_comparison(confirmed_study):
    about = confirmed_study.confirmation
    said = lines_of(confirmed_study)
    for trial, contrast in zip(AGAIN["trials"], about.comparison.contrasts, strict=True):
        words = sentence(contrast, about.plan)
        assert f"fresh seeds, experiment heads: trial {trial}: {words}" in said
    assert [one.arm for one in confirmed(confirmed_study)] == ["gqa", HOSTILE]


def test_the_rest_of_the_front_is_not_confirmed(confirmed_study):
    best = front(confirmed_study.trials, confirmed_study.objectives)["number"].tolist()
    assert unconfirmed(confirmed_study) == [n for n in best if n not in AGAIN["trials"]]
    assert "not confirmed: trials 1, 17 are" in lines_of(confirmed_study)


def test_a_confirmation_without_runs_confirms_nothing(tmp_path):
    study = read_study(write_study(tmp_path, confirmed=AGAIN), "kv")
    said = lines_of(study)
    assert "not confirmed: the experiment heads has not been run" in said
    assert len(unconfirmed(study)) == 3
    lost = [(arm, seed) for arm in ("gqa", HOSTILE, "mha") for seed in range(5)]
    write(tmp_path, lost=lost)
    study = read_study(write_study(tmp_path, name="again", confirmed=AGAIN), "again")
    assert len(unconfirmed(study)) == 3


def test_the_summary_has_the_best_and_the_confirmed_with_their_verdicts(confirmed_study):
    table = summary_frame(confirmed_study).set_index("number")
    assert table.index.tolist() == [12, 1, 17, 4]
    assert table["is_best"].tolist() == [True, True, True, False]
    contrast = confirmed_study.confirmation.comparison.contrasts[0]
    row = table.loc[12]
    assert (row["confirmed_as"], row["verdict"]) == (contrast.arm, str(contrast.verdict))
    assert (row["low"], row["high"], row["n"]) == (contrast.low, contrast.high, contrast.n)
    assert pd.isna(table.loc[1, "verdict"])


def test_an_unknown_study_is_named_with_the_nearest(tmp_path):
    with pytest.raises(AblateError, match=r"unknown study 'caches'\. Did you mean 'cache'"):
        read_study(write_study(tmp_path, "cache"), "caches")


def test_a_confirming_experiment_of_other_arms_names_no_trials(tmp_path):
    write(tmp_path)
    about = {"experiment": "heads", "trials": [12]}
    happened = events(confirmed=about)
    study = study_of(definition(), happened, ExperimentStore(tmp_path))
    assert confirmed(study) == []
    about = study.confirmation
    words = sentence(about.comparison.contrasts[0], about.plan)
    assert f"fresh seeds, experiment heads: {words}" in lines_of(study)
