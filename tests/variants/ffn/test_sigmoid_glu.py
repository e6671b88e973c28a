"""The plain sigmoid gate: its numbers, and the label that says what it is."""

import pytest
import torch

from harness.core.slots import FFN


@pytest.mark.row("R0-15")
@pytest.mark.parametrize(("x", "y"), [(2.0, 1.761594), (-1.0, -0.268941)])
@torch.no_grad()
def test_with_unit_matrices_it_is_a_sigmoid_times_its_input(build, apply, x, y):
    ffn = build("sigmoid_glu", 4, 4)
    for parameter in ffn.parameters():
        parameter.copy_(torch.eye(4))
    torch.testing.assert_close(apply(ffn, torch.full((1, 1, 4), x)), torch.full((1, 1, 4), y))


@pytest.mark.row("R0-15")
def test_it_is_labelled_as_what_a_document_wrote_for_swiglu():
    assert "documentation" in FFN["sigmoid_glu"].fault and "SwiGLU" in FFN["sigmoid_glu"].fault
    assert not FFN["swiglu"].fault
