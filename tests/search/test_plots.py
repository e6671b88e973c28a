"""Optuna's plots are of our trials: the same numbers, values and front, or a clear refusal."""

import optuna
import plotly.graph_objects as go
import pytest
from studies import RUNGS, definition, events, loss, optuna_study, suggested

from harness.analysis.study.front import finished, front
from harness.analysis.study.read import study_of
from harness.errors import AblateError
from harness.search.importances import LEAST_TRIALS, importances
from harness.search.plots import MOST_PAIRED, PLOTS, TooLittle, plot
from harness.search.shown import shown_study

ONE, TWO = ("val_bpb",), ("val_bpb", "kv_bytes")
OF_SEVERAL = {"front", "hypervolume"}


def study(keys=TWO, until=None, **more):
    return study_of(definition(objectives=keys, **more), events(keys)[:until])


@pytest.mark.parametrize("kind", PLOTS)
@pytest.mark.parametrize("keys", [ONE, TWO], ids=["one", "two"])
def test_every_plot_is_drawn_where_there_is_enough(kind, keys):
    if keys == ONE and kind in OF_SEVERAL:
        with pytest.raises(TooLittle, match="objectives"):
            plot(kind, study(keys))
        return
    for key in keys:
        figure = plot(kind, study(keys), key)
        assert isinstance(figure, go.Figure)
        assert figure.data


@pytest.mark.parametrize("kind", PLOTS)
def test_a_study_without_trials_is_refused_in_words(kind):
    with pytest.raises(TooLittle) as refused:
        plot(kind, study(until=0))
    assert str(refused.value).startswith(PLOTS[kind].title)


def test_importances_need_trials_and_differences():
    few = next(i for i in range(200) if len(done(study(until=i))) == LEAST_TRIALS - 1)
    with pytest.raises(TooLittle, match=f"{LEAST_TRIALS - 1} of at least {LEAST_TRIALS}"):
        plot("importances", study(until=few))
    same = study()
    same.trials.loc[done(same).index, "objective.kv_bytes"] = 1.0
    with pytest.raises(TooLittle, match="kv_bytes is the same in every trial"):
        plot("importances", same, "kv_bytes")
    assert "kv_bytes" not in importances(same)


@pytest.mark.parametrize("kind", ["contour", "rank"])
def test_pairs_need_two_parameters_that_vary(kind):
    with pytest.raises(TooLittle, match="Pairs of parameters: it takes two"):
        plot(kind, study(), params=["lr"])


def test_without_rungs_there_are_no_intermediate_values():
    with pytest.raises(TooLittle, match="neither rungs nor a pruner"):
        plot("rungs", study(rungs=None))
    assert len(plot("rungs", study(ONE, rungs=None, pruner={"name": "median"})).data) == 16


def test_more_objectives_than_can_be_drawn_make_no_front():
    keys = [f"o{i}" for i in range(4)]
    many = study(ONE)
    for key in keys:
        many.trials[f"objective.{key}"] = many.trials["objective.val_bpb"]
    asked = {**many.definition, "objectives": [{"key": k, "direction": "minimize"} for k in keys]}
    with pytest.raises(TooLittle, match="of 2 or 3 objectives, but this study has 4"):
        plot("front", type(many)(asked, many.events, many.trials))


def test_unknown_names_are_told_with_the_nearest():
    with pytest.raises(AblateError, match=r"unknown plot 'slices'\. Did you mean 'slice'"):
        plot("slices", study())
    with pytest.raises(AblateError, match=r"unknown objective 'val_bpp'\. Did you mean 'val_bpb'"):
        plot("slice", study(), "val_bpp")
    with pytest.raises(AblateError, match=r"unknown parameter 'd_f'\. Did you mean 'd_ff'"):
        plot("slice", study(), params=["d_f"])


def done(some):
    return finished(some.trials, some.objectives)


def test_what_optuna_sees_has_our_numbers_values_and_ends():
    ours = study()
    theirs = shown_study(ours, ours.objectives)
    assert [trial.number for trial in theirs.trials] == list(range(24))
    status = [trial.user_attrs["status"] for trial in theirs.trials]
    assert status == ours.trials["status"].tolist()
    complete = {t.number: t.values for t in theirs.trials if t.state.name == "COMPLETE"}
    assert sorted(complete) == done(ours)["number"].tolist()
    assert complete[12] == [loss(suggested(12)), 18_000.0]
    assert sum(trial.state.name == "PRUNED" for trial in theirs.trials) == 3
    best = front(ours.trials, ours.objectives)["number"].tolist()
    assert sorted(best) == sorted(trial.number for trial in theirs.best_trials)


def test_trials_that_have_not_ended_are_shown_as_they_are():
    happened = [(e["trial"], e["event"]) for e in events()]
    for event, state in (("asked", "WAITING"), ("started", "RUNNING"), ("lost", "RUNNING")):
        until = max(i for i, one in enumerate(happened) if one == (7, event))
        theirs = shown_study(study(until=until + 1), study().objectives)
        assert theirs.trials[-1].state.name == state


def test_importances_are_those_of_optuna():
    theirs = optuna.importance.get_param_importances(
        optuna_study(definition(objectives=ONE), events(ONE))
    )
    assert importances(study(ONE)) == {"val_bpb": theirs}
    assert importances(study())["val_bpb"] == theirs
    assert sum(theirs.values()) == pytest.approx(1)


def test_the_importances_of_what_is_maximised_are_of_reaching_high_values():
    mirrored = study(ONE)
    mirrored.trials["objective.val_bpb"] *= -1
    turned = {"objectives": [{"key": "val_bpb", "direction": "maximize"}]}
    higher = type(mirrored)(mirrored.definition | turned, mirrored.events, mirrored.trials)
    assert importances(higher)["val_bpb"] == pytest.approx(importances(study(ONE))["val_bpb"])


def test_the_history_has_the_losses_and_their_minimum():
    figure = plot("history", study(), "val_bpb")
    trials = done(study())
    assert list(figure.data[0].x) == trials["number"].tolist()
    assert list(figure.data[0].y) == trials["objective.val_bpb"].tolist()
    assert figure.layout.yaxis.title.text == "val_bpb"


def test_pairs_are_of_the_most_important_parameters_unless_others_are_asked_for():
    def paired(figure):
        axes = figure.layout.to_plotly_json()
        return {
            axes[name]["title"]["text"]
            for name in axes
            if name.startswith("xaxis") and "text" in axes[name].get("title", {})
        }

    assert len(paired(plot("contour", study()))) == MOST_PAIRED
    assert paired(plot("contour", study(), params=["lr", "d_ff"])) == {"d_ff"}


def test_intermediate_values_are_those_at_the_rungs():
    figure = plot("rungs", study())
    lines = {line.name: line for line in figure.data}
    assert list(lines["Trial12"].x) == RUNGS
    assert list(lines["Trial12"].y) == [loss(suggested(12), fraction) for fraction in RUNGS]
    assert list(lines["Trial11"].x) == RUNGS[:2]  # pruned before its end
    assert "Trial5" not in lines


def test_the_timeline_says_what_optuna_has_no_word_for():
    figure = plot("timeline", study())
    texts = [text for bars in figure.data for text in bars.text]
    assert any("infeasible" in text for text in texts)
    assert any("diverged" in text for text in texts)
