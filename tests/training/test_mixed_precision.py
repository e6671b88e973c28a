"""Training in bfloat16 is what it says, where it says so, and learns what fp32 does."""

import pytest
import torch

N_STEPS = 30


def trained(lab, precision):
    """Return the held-out loss, and whether products of the forward pass were in bf16."""
    model, seen = lab.new_model(precision=precision, init={"std": 0.1}), set()
    projection = model.blocks[0].attention.q_proj

    def look(_module, _inputs, output):
        if model.training:
            seen.add((torch.is_autocast_enabled("cpu"), output.dtype))

    projection.register_forward_hook(look)
    *_, last = lab.train(lab.config({"steps": N_STEPS}), model)
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    return last.evaluation.val_loss, seen


@pytest.mark.row("R4-21")
def test_bf16_is_on_where_it_is_asked_for_and_learns_the_same(lab):
    plain, without = trained(lab, "fp32")
    mixed, within = trained(lab, "bf16")
    assert without == {(False, torch.float32)}
    assert within == {(True, torch.bfloat16)}
    assert 0 < abs(mixed - plain) <= 0.05
