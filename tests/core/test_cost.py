import pytest
import torch

from harness.core.cost import count_flops, measure_cost, training_bytes
from harness.core.flops import FlopCounter, UncountedOperation
from harness.core.model import LanguageModel
from harness.core.slots import ATTENTION, BLOCK, FFN
from harness.core.spec import VariantSpec

WRITTEN = {
    "d_model": 40, "n_layers": 3, "n_heads": 6, "head_dim": 8, "d_ff": 56, "vocab_size": 83,
    "max_seq_len": 64,
}  # fmt: skip
D, L, H, C, F, V, K = 40, 3, 6, 8, 56, 83, 3
FFN_FLOPS = 2 * 3 * D * F  # of a token, forward, in one layer


def read(**changes):
    return VariantSpec.read({**WRITTEN, **changes})


@pytest.mark.parametrize("seq_len", [1, 17, 64])
@pytest.mark.parametrize(("ffn", "n_matrices"), [("swiglu", 3), ("gelu", 2), ("relu_squared", 2)])
@pytest.mark.parametrize(("attention", "n_kv_heads"), [("gqa", 3), ("mqa", 1), ("mha", 6)])
def test_flops_are_six_a_weight_and_twelve_l_h_c_t(attention, n_kv_heads, ffn, n_matrices, seq_len):
    layer = 2 * D * H * C + 2 * D * n_kv_heads * C + n_matrices * D * F
    weights = L * layer + D * V  # those that multiply: the head counts, the lookup does not
    cost = measure_cost(read(attention=attention, ffn=ffn), seq_len)
    assert cost.forward_flops_per_token == 2 * weights + 4 * L * H * C * seq_len
    assert cost.train_flops_per_token == 6 * weights + 12 * L * H * C * seq_len
    assert cost.cache_bytes_per_token == 2 * 2 * L * n_kv_heads * C
    assert cost.cache_bytes == seq_len * cost.cache_bytes_per_token


@pytest.mark.parametrize("tied", [True, False])
def test_a_tied_matrix_is_counted_once_and_the_vocabulary_apart(tied):
    layer = 2 * D * H * C + 2 * D * K * C + 3 * D * F + 2 * C + 2 * D
    cost = measure_cost(read(tie_embeddings=tied), 16)
    assert cost.params_non_embedding == L * layer + D
    assert cost.params == cost.params_non_embedding + V * D * (1 if tied else 2)


def test_the_cache_is_priced_in_its_own_type():
    half, full = (measure_cost(read(), 16, dtype) for dtype in (torch.bfloat16, torch.float32))
    assert (half.cache_dtype, full.cache_dtype) == ("bfloat16", "float32")
    assert full.cache_bytes == 2 * half.cache_bytes


def test_nothing_is_allocated_while_a_variant_is_priced():
    enormous = read(d_model=8192, n_heads=64, head_dim=128, d_ff=32_768, vocab_size=151_936)
    assert measure_cost(enormous, 16).params > 2 * 10**9


def test_a_matrix_product_without_a_formula_is_an_error_and_not_a_zero(monkeypatch):
    def forward(self, x, context):
        return x + torch.cdist(x, x).sum(-1, keepdim=True)

    monkeypatch.setattr(FFN["swiglu"], "forward", forward)
    with pytest.raises(UncountedOperation, match="cdist"):
        measure_cost(read(), 16)


@pytest.mark.parametrize(
    ("multiply", "flops"),
    [
        (lambda a, b: a @ b, 2 * 4 * 5 * 6),
        (lambda a, b: torch.einsum("ij,jk->ik", a, b), 2 * 4 * 5 * 6),
        (lambda a, b: a @ b[:, 0], 2 * 4 * 5),
        (lambda a, b: a[0] @ b[:, 0], 2 * 5),
        (lambda a, b: torch.zeros(4, 6).addmm_(a, b), 2 * 4 * 5 * 6),
        (lambda a, b: a[None].expand(3, 4, 5) @ b[None].expand(3, 5, 6), 3 * 2 * 4 * 5 * 6),
        (lambda a, b: a.sum() * b.sum(), 0),
    ],
    ids=["mm", "einsum", "mv", "dot", "addmm_", "bmm", "none"],
)
def test_a_multiply_add_is_two_flops(multiply, flops):
    with FlopCounter() as counter:
        multiply(torch.ones(4, 5), torch.ones(5, 6))
    assert counter.get_total_flops() == flops


def state(monkeypatch, component, flops):
    monkeypatch.setattr(component, "flops", lambda self, n, t: flops(n * t))


def test_stated_flops_replace_the_counted_ones_in_both_directions(monkeypatch):
    counted = measure_cost(read(), 16)
    state(monkeypatch, FFN["swiglu"], lambda tokens: 1000 * tokens)
    stated = measure_cost(read(), 16)
    saved = L * (FFN_FLOPS - 1000)
    assert counted.forward_flops_per_token - stated.forward_flops_per_token == saved
    assert counted.train_flops_per_token - stated.train_flops_per_token == 3 * saved


def test_stating_what_would_be_counted_changes_nothing(monkeypatch):
    counted = measure_cost(read(), 16)
    state(monkeypatch, FFN["swiglu"], lambda tokens: FFN_FLOPS * tokens)
    attention = 2 * (2 * D * H * C + 2 * D * K * C) + 4 * H * C * 16
    state(monkeypatch, ATTENTION["gqa"], lambda tokens: attention * tokens)
    assert measure_cost(read(), 16) == counted


def test_of_nested_statements_the_outer_one_holds(monkeypatch):
    state(monkeypatch, BLOCK["pre_norm"], lambda tokens: 5000 * tokens)
    state(monkeypatch, FFN["swiglu"], lambda tokens: 1000 * tokens)
    cost = measure_cost(read(), 16)
    assert cost.forward_flops_per_token == 5000 * L + 2 * D * V


def test_batch_and_device_do_not_change_the_count():
    model = LanguageModel(read())
    one, three = count_flops(model, 1, 16), count_flops(model, 3, 16)
    assert three == (3 * one[0], 3 * one[1])
    assert all(p.grad is None for p in model.parameters())


def test_training_bytes_are_state_and_activations():
    spec = read(d_model=64, n_heads=8, d_ff=192, vocab_size=512)
    state_bytes = 16 * measure_cost(spec, 64).params
    activations = [training_bytes(spec, n, 64) - state_bytes for n in (1, 2, 4)]
    assert activations[2] - activations[1] == pytest.approx(
        2 * (activations[1] - activations[0]), rel=0.1
    )
    # by hand, numbers a token and layer that backward needs: the norms' and projections' inputs,
    # queries, keys, values, their norms and rotations, the mix, and five of width d_ff
    by_hand = 4 * 4 * 64 * 3 * (5 * 192 + 20 * 64)
    assert by_hand / 3 < activations[2] < 3 * by_hand
