"""The table of trials says of each what its events say, and has the same types at any time."""

import pandas as pd
import pytest
from optuna.distributions import CategoricalDistribution, distribution_to_json
from studies import BOUND, RUNGS, definition, events, suggested

from harness.analysis.study.trials import rung_values, segments, trials_table


@pytest.fixture
def table():
    return trials_table(definition(), events()).set_index("number")


def test_every_trial_has_one_row_whatever_became_of_it(table):
    assert table.index.tolist() == list(range(24))
    expected = {"done": 13, "pruned": 3, "infeasible": 5}
    expected |= {"duplicate": 1, "diverged": 1, "failed": 1}
    assert table["status"].value_counts().to_dict() == expected


def test_what_was_suggested_is_there_and_a_branch_not_taken_is_empty(table):
    for number in (0, 2, 3):
        params = suggested(number)
        assert table.loc[number, "params.attention"] == params["attention"]
        assert table.loc[number, "params.lr"] == params["lr"]
        assert pd.isna(table.loc[number, "params.n_kv_heads"]) == ("n_kv_heads" not in params)


def test_types_are_those_of_the_space_before_anything_happened():
    whole, none = (trials_table(definition(), found) for found in (events(), []))
    assert none.empty
    assert dict(none.dtypes) == {name: whole[name].dtype for name in none}
    kinds = {"attention": "str", "n_kv_heads": "Int64", "d_ff": "Int64", "lr": "float64"}
    for name, kind in kinds.items():
        assert whole[f"params.{name}"].dtype == kind


@pytest.mark.parametrize(
    ("choices", "kind", "written"),
    [
        ([1, 2], "Int64", 1),
        ([0.5, 2], "float64", 0.5),
        ([True, False], "boolean", True),
        ([None, 4], "str", "null"),
        (["a", 4], "str", "a"),
        ([4, "a"], "str", "4"),
    ],
)
def test_choices_have_the_type_that_they_share(choices, kind, written):
    space = {"x": {"path": "variant.x", "distribution": "", "when": None}}
    space["x"]["distribution"] = distribution_to_json(CategoricalDistribution(choices))
    asked = {"seq": 0, "trial": 0, "event": "asked", "at": "2026-01-01T00:00:00+00:00"}
    table = trials_table(definition(space=space), [{**asked, "params": {"x": choices[0]}}])
    assert table["params.x"].dtype == kind
    assert table.loc[0, "params.x"] == written


def test_only_a_trial_that_was_trained_to_its_end_has_a_value(table):
    has_value = table["objective.val_bpb"].notna()
    assert set(table[has_value]["status"]) == {"done"}
    pruned = table[table["status"] == "pruned"]
    assert pruned["objective.val_bpb@0.5"].notna().all()
    assert pruned["objective.val_bpb@1"].isna().all()
    assert pruned["rung"].tolist() == [RUNGS[1]] * 3


def test_an_infeasible_trial_tells_how_far_it_is_above_the_bound(table):
    infeasible = table[table["status"] == "infeasible"]
    above = infeasible["cost.kv_bytes"] - BOUND
    assert infeasible["violation.kv_bytes"].tolist() == above.tolist()
    assert infeasible["cause"].str.contains("above").all()
    assert infeasible["attempts"].tolist() == [0] * len(infeasible)


def test_a_trial_whose_worker_died_is_counted_once_and_remembers_it(table):
    lost = table.loc[7]
    assert (lost["status"], lost["lost"], lost["attempts"], lost["worker"]) == ("done", 1, 2, "w1")
    assert table.drop(index=7)["lost"].sum() == 0


def test_a_duplicate_names_the_trial_that_it_repeats(table):
    assert table.loc[9, "same_as"] == 2
    assert table.loc[9, "params.lr"] == table.loc[2, "params.lr"]


@pytest.mark.parametrize(
    ("until", "status"), [("asked", "queued"), ("started", "running"), ("lost", "interrupted")]
)
def test_a_trial_that_has_not_ended_says_where_it_is(until, status):
    happened = events()
    last = next(i for i, e in enumerate(happened) if (e["trial"], e["event"]) == (7, until))
    table = trials_table(definition(), happened[: last + 1]).set_index("number")
    assert table.loc[7, "status"] == status
    assert pd.isna(table.loc[7, "ended_as"])


def test_trials_are_counted_in_the_order_in_which_they_ended():
    happened = events()
    late = [e for e in happened if e["trial"] == 0]  # the first one ends last
    table = trials_table(
        definition(), [late[0], *(e for e in happened if e not in late), *late[1:]]
    )
    assert table["ended_as"].tolist() == [23, *range(23)]


def test_events_of_later_versions_and_of_the_study_change_no_trial(table):
    happened = events(confirmed={"experiment": "x", "trials": [1]})
    happened.append({"seq": 999, "trial": 1, "event": "admired", "at": "2026-01-01T00:00:00+00:00"})
    again = trials_table(definition(), happened).set_index("number")
    pd.testing.assert_frame_equal(again, table)


def test_a_trial_taken_up_again_was_worked_at_twice():
    found = segments(events())
    ours = found[found["number"] == 7]
    assert ours["worker"].tolist() == ["w0", "w1"]
    assert (ours["start"] < ours["end"]).all()
    assert ours["end"].iloc[0] < ours["start"].iloc[1]
    assert not found["number"].isin([3, 9]).any()  # infeasible, and a duplicate


def changed(trial, event, **more):
    return [
        {**one, **more} if (one["trial"], one["event"]) == (trial, event) else one
        for one in events()
    ]


def test_an_evaluation_just_after_a_rung_is_at_that_rung():
    late = [
        {**e, "fraction": e["fraction"] + 0.004} if e["event"] == "rung" else e for e in events()
    ]
    table = trials_table(definition(), late).set_index("number")
    columns = [f"objective.val_bpb@{fraction:g}" for fraction in RUNGS]
    expected = trials_table(definition(), events()).set_index("number")
    pd.testing.assert_frame_equal(table[columns], expected[columns])


def test_the_last_rung_is_the_end_also_without_an_event_of_its_own():
    happened = [e for e in events() if e["event"] != "rung" or e["fraction"] < 1]
    table = trials_table(definition(), happened)
    assert table["objective.val_bpb@1"].equals(table["objective.val_bpb"])


def test_a_trial_that_waits_at_a_rung_is_queued():
    happened = changed(12, "rung", pauses=True)
    last = next(e for e in happened if (e["trial"], e["event"]) == (12, "rung"))
    table = trials_table(definition(), happened[: last["seq"] + 1]).set_index("number")
    assert table.loc[12, "status"] == "queued"


def test_a_duplicate_of_a_pruned_trial_has_no_value():
    values = {"val_bpb": 1.0, "kv_bytes": 1.0}
    as_done, as_pruned = (
        trials_table(definition(), changed(9, "ended", values=values, pruned=pruned))
        for pruned in (False, True)
    )
    assert as_done.loc[9, "objective.val_bpb"] == 1.0
    assert pd.isna(as_pruned.loc[9, "objective.val_bpb"])


def test_a_run_that_the_store_had_before_costs_nothing():
    table = trials_table(definition(), changed(12, "ended", reused=True))
    assert table.loc[12, ["seconds", "flops"]].tolist() == [0, 0]
    assert table.loc[12, "status"] == "done"


def test_a_trial_stopped_together_with_the_study_has_lost_no_worker():
    table = trials_table(definition(), changed(7, "lost", worker=None))
    assert table.loc[7, "lost"] == 0


def test_values_on_the_way_are_in_order_and_end_at_one():
    found = rung_values(definition(), events())
    assert found[found["number"] == 12]["fraction"].tolist() == RUNGS
    assert found[found["number"] == 11]["fraction"].tolist() == RUNGS[:2]
    assert found["objective.val_bpb"].notna().all()
    assert rung_values(definition(), []).empty
