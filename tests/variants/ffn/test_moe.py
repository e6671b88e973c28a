"""A mixture of experts, against one that sends every token through every expert."""

import copy

import pytest
import torch
import torch.nn.functional as F

from harness.contracts.subject import Subject, distance, logits, tokens
from harness.core.context import Context
from harness.core.cost import count_flops, measure_cost
from harness.core.counts import count_parameters
from harness.core.dims import Dims
from harness.core.model import LanguageModel
from harness.core.routing import CHOSEN, PROBABILITIES, expert_tokens
from harness.core.slots import FFN
from harness.core.spec import VariantSpec
from harness.errors import ConfigError
from harness.interop.names import pieces

D, F_, E = 32, 48, 8  # what the fixture `build` makes, and the default number of experts
DENSE = [name for name in FFN if name != "moe"]
MIXTURES = {
    "as in Qwen3": {},
    "weights as they are": {"normalize_top_k": False},
    "one expert a token": {"top_k": 1, "normalize_top_k": False},
    "all experts": {"n_experts": 3, "top_k": 3},
    "sigmoid": {"router": "sigmoid"},
    "sigmoid as it is": {"router": "sigmoid", "normalize_top_k": False},
    "shared": {"n_shared": 2, "d_ff": 20},
    "only one expert": {"n_experts": 1, "top_k": 1},
}


def new_context(x, **about):
    return Context(torch.arange(x.shape[1]).expand(x.shape[:2]), **about)


def one_expert(moe, e, width, name="swiglu"):
    """Return expert e as the dense feed-forward that it is."""
    dims = Dims(
        d_model=D, d_ff=width, n_layers=1, n_heads=1, head_dim=8, vocab_size=9, max_seq_len=9
    )
    dense = FFN.build(FFN.resolve(name, dims), dims, 0)
    dense.load_state_dict({key: w[e] for key, w in moe.experts.state_dict().items()})
    return dense


def by_hand(moe, x, *, n_experts=E, top_k=2, normalize_top_k=True, d_ff=F_, expert="swiglu",
            router="softmax", n_shared=0):  # fmt: skip
    """Mix all experts, most of them with a weight of zero."""
    scores = x @ moe.router.weight.T
    scores = scores.softmax(-1) if router == "softmax" else 1 / (1 + (-scores).exp())
    kth = scores.sort(-1, descending=True).values[..., top_k - 1 : top_k]
    weights = torch.where(scores >= kth, scores, 0.0)
    if normalize_top_k:
        weights = weights / weights.sum(-1, keepdim=True)
    dense = [one_expert(moe, e, d_ff, expert) for e in range(n_experts)]
    mixed = sum(weights[..., e, None] * dense[e](x, new_context(x)) for e in range(n_experts))
    return mixed + moe.shared(x, new_context(x)) if n_shared else mixed


@pytest.mark.row("R2-16", "R2-15")
@pytest.mark.parametrize("options", MIXTURES.values(), ids=MIXTURES)
def test_outputs_and_gradients_are_those_of_all_experts_weighted(build, x, options):
    moe = build("moe", **options)
    both = [x.clone().requires_grad_(), x.clone().requires_grad_()]
    ours, theirs = moe(both[0], new_context(x)), by_hand(moe, both[1], **options)
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)
    direction = torch.randn(x.shape, generator=torch.Generator().manual_seed(2))
    routed = [moe.router.weight]
    grads = [
        torch.autograd.grad(out, [given, *routed], direction)
        for out, given in zip((ours, theirs), both, strict=True)
    ]
    for mine, exact in zip(*grads, strict=True):
        torch.testing.assert_close(mine, exact, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("expert", [name for name in DENSE if name != "llama_swiglu"])
def test_any_dense_feed_forward_is_an_expert(build, x, expert):
    dims = Dims(d_model=D, d_ff=F_, n_layers=1, n_heads=1, head_dim=8, vocab_size=9, max_seq_len=9)
    dense = FFN.build(FFN.resolve(expert, dims), dims, 0)
    moe = build("moe", expert=expert)
    stacked = {name: (E, *p.shape) for name, p in dense.named_parameters()}
    assert {name: tuple(p.shape) for name, p in moe.experts.named_parameters()} == stacked
    expected = by_hand(moe, x, expert=expert)
    torch.testing.assert_close(moe(x, new_context(x)), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.row("R2-16")
@pytest.mark.parametrize("normalize", [True, False])
def test_an_only_expert_is_the_dense_feed_forward_to_the_last_bit(build, x, normalize):
    moe = build("moe", n_experts=1, top_k=1, normalize_top_k=normalize)
    dense = one_expert(moe, 0, F_)
    assert torch.equal(moe(x, new_context(x)), dense(x, new_context(x)))


def weights_of_tokens(build, scores, **options):
    """Return the weight of each expert for a token that has these scores.

    Expert e answers one, in channel e.
    """
    n_experts = len(scores)
    sizes = {"d_model": n_experts, "d_ff": 1, "n_experts": n_experts, "expert": "relu"}
    moe = build("moe", **sizes, **options)
    with torch.no_grad():
        moe.router.weight.zero_()[:, 0] = torch.tensor(scores)
        moe.experts.up_proj.weight.zero_()[:, 0, 0] = 1.0
        moe.experts.down_proj.weight.copy_(torch.eye(n_experts)[..., None])
        token = torch.eye(n_experts)[None, :1]
        return moe, moe(token, new_context(token))[0, 0].tolist()


@pytest.mark.row("R2-14", "R2-15")
@pytest.mark.parametrize(
    ("options", "weights"),
    [
        ({}, [0.731059, 0.268941, 0, 0]),
        ({"normalize_top_k": False}, [0.643914, 0.236883, 0, 0]),
        ({"top_k": 4}, [0.643914, 0.236883, 0.087144, 0.032059]),
        ({"router": "sigmoid"}, [0.546449, 0.453551, 0, 0]),
        ({"router": "sigmoid", "normalize_top_k": False}, [0.880797, 0.731059, 0, 0]),
    ],
)
def test_weights_of_a_token_by_its_scores(build, options, weights):
    _, found = weights_of_tokens(build, [2.0, 1.0, 0.0, -1.0], **options)
    assert found == pytest.approx(weights, abs=1e-6)


def test_scores_far_below_zero_are_no_reason_to_divide_by_it(build):
    _, found = weights_of_tokens(build, [-200.0] * 4, router="sigmoid", normalize_top_k=True)
    assert all(0 <= weight <= 1 for weight in found)


@pytest.mark.row("R2-35")
@pytest.mark.parametrize("router", ["softmax", "sigmoid"])
def test_the_bias_has_a_say_in_the_choice_and_none_in_the_weight(build, router):
    moe, _ = weights_of_tokens(build, [2.0, 1.0, 0.0, -1.0], router=router, bias_rate=0.1)
    moe.choice_bias.copy_(torch.tensor([0.0, 0.0, 0.0, 2.0]))
    token = torch.eye(4)[None, :1]
    scores = torch.tensor([2.0, -1.0])
    scores = scores.exp() if router == "softmax" else scores.sigmoid()
    with torch.no_grad():
        found = moe(token, new_context(token))[0, 0]
    first, last = (scores / scores.sum()).tolist()
    assert found.tolist() == pytest.approx([first, 0, 0, last], abs=1e-6)


@pytest.mark.row("R2-13", "R2-19")
def test_there_are_as_many_parameters_as_said(build):
    moe = build("moe", n_experts=6, d_ff=20)
    assert {name: tuple(p.shape) for name, p in moe.named_parameters()} == {
        "router.weight": (6, D),
        "experts.gate_proj.weight": (6, 20, D),
        "experts.up_proj.weight": (6, 20, D),
        "experts.down_proj.weight": (6, D, 20),
    }
    assert not list(moe.buffers())
    shared = build("moe", n_experts=6, d_ff=20, n_shared=3)
    assert shared.shared.gate_proj.weight.shape == (60, D)


@pytest.mark.row("R2-13", "R2-23")
@pytest.mark.parametrize(
    ("ffn", "with_experts"),
    [
        ("swiglu", []),
        ("moe", [0, 1, 2, 3]),
        (["swiglu", "moe"], [1, 3]),  # decoder_sparse_step: 2
        (["swiglu", "swiglu", "swiglu", "moe"], [3]),  # and mlp_only_layers: [1]
    ],
)
def test_layers_with_and_without_experts_by_a_list(ffn, with_experts):
    model = Subject("ffn", "moe").model(ffn=ffn, n_layers=4)
    routed = [i for i, block in enumerate(model.blocks) if hasattr(block.ffn, "router")]
    assert routed == with_experts
    _, context = model.hidden(tokens())
    assert list(context.published(CHOSEN)) == with_experts
    losses = model.losses(tokens(), tokens(seed=4))
    assert (losses.auxiliary > 0) == bool(with_experts)


@pytest.mark.row("R2-22")
@pytest.mark.parametrize(
    ("sizes", "width", "unique", "active"),
    [
        ((48, 2048, 32), 768, 30_532_122_624, 3_353_032_704),
        ((94, 4096, 64), 1536, 235_093_634_560, 22_190_763_520),
    ],
    ids=["30B-A3B", "235B-A22B"],
)
def test_the_released_models_have_as_many_parameters_as_they_say(sizes, width, unique, active):
    n_layers, d_model, n_heads = sizes
    written = {
        "n_layers": n_layers, "d_model": d_model, "n_heads": n_heads, "head_dim": 128,
        "d_ff": 6144, "vocab_size": 151_936, "max_seq_len": 40_960, "tie_embeddings": False,
        "attention": {"name": "gqa", "n_kv_heads": 4},
        "ffn": {"name": "moe", "n_experts": 128, "top_k": 8, "d_ff": width},
    }  # fmt: skip
    with torch.device("meta"):
        counts = count_parameters(LanguageModel(VariantSpec.read(written)))
    assert (counts.unique, counts.active) == (unique, active)


def test_a_token_pays_for_the_experts_that_it_meets_and_for_the_shared_ones():
    seq_len, layers, heads, width = 16, 2, 4, 20
    moe = {"n_experts": 6, "top_k": 3, "n_shared": 2, "d_ff": width}
    cost = measure_cost(Subject("ffn", "moe", moe).spec(), seq_len)
    attention = 2 * D * heads * 8 + 2 * D * 2 * 8
    weights = layers * (attention + 6 * D + (3 + 2) * 3 * D * width) + D * 61
    assert cost.train_flops_per_token == 6 * weights + 12 * layers * heads * 8 * seq_len
    assert cost.params - cost.params_active == layers * (6 - 3) * 3 * D * width


# Against transformers


def reference_block(transformers, normalize):
    modeling = transformers.models.qwen3_moe.modeling_qwen3_moe
    config = transformers.Qwen3MoeConfig(
        hidden_size=D, moe_intermediate_size=F_, num_experts=E, num_experts_per_tok=2,
        norm_topk_prob=normalize,
    )  # fmt: skip
    config._experts_implementation = "eager"
    block = modeling.Qwen3MoeSparseMoeBlock(config)
    generator = torch.Generator().manual_seed(0)
    for parameter in block.parameters():
        torch.nn.init.normal_(parameter, std=0.3, generator=generator)
    return block


def one_by_one(stacked):
    """Write experts as they lie in files: each on its own, gate and up apart."""
    weights = {"model.layers.0.mlp.gate.weight": stacked["model.layers.0.mlp.gate.weight"]}
    for e in range(E):
        expert = f"model.layers.0.mlp.experts.{e}"
        gate, up = stacked["model.layers.0.mlp.experts.gate_up_proj"][e].chunk(2)
        weights[f"{expert}.gate_proj.weight"], weights[f"{expert}.up_proj.weight"] = gate, up
        down = stacked["model.layers.0.mlp.experts.down_proj"][e]
        weights[f"{expert}.down_proj.weight"] = down
    return weights


@pytest.mark.row("R2-15", "R2-16")
@pytest.mark.parametrize("fused", [True, False], ids=["stacked", "one by one"])
@pytest.mark.parametrize("normalize", [True, False])
@torch.no_grad()
def test_it_equals_the_block_of_transformers(build, x, normalize, fused):
    transformers = pytest.importorskip("transformers")
    block = reference_block(transformers, normalize)
    weights = {f"model.layers.0.mlp.{name}": w for name, w in block.state_dict().items()}
    weights = weights if fused else one_by_one(weights)
    moe, read = build("moe", normalize_top_k=normalize), set()
    for name, parameter in moe.named_parameters():
        for piece in pieces(f"blocks.0.ffn.{name}", tuple(parameter.shape), fused):
            parameter[piece.ours] = weights[piece.name][piece.theirs]
            read.add(piece.name)
    assert read == set(weights)
    torch.testing.assert_close(moe(x, new_context(x)), block(x), rtol=1e-5, atol=1e-5)


def reference_model(model, transformers):
    """Return transformers' model with the weights of ours."""
    dims, moe = model.spec.dims, model.spec.ffn[0].options
    config = transformers.Qwen3MoeConfig(
        hidden_size=dims.d_model, num_hidden_layers=dims.n_layers, vocab_size=dims.vocab_size,
        num_attention_heads=dims.n_heads, num_key_value_heads=2, head_dim=dims.head_dim,
        moe_intermediate_size=dims.d_ff, num_experts=moe["n_experts"],
        num_experts_per_tok=moe["top_k"], norm_topk_prob=moe["normalize_top_k"],
        router_aux_loss_coef=moe["balance_loss"], output_router_logits=True,
        tie_word_embeddings=True, rope_parameters={"rope_theta": 1e4, "rope_type": "default"},
    )  # fmt: skip
    reference, state = transformers.Qwen3MoeForCausalLM(config).eval(), model.state_dict()
    theirs = reference.state_dict()
    for name, weight in state.items():
        for piece in pieces(name, tuple(weight.shape), fused=True):
            theirs[piece.name][piece.theirs] = weight[piece.ours]
    return reference


@pytest.mark.row("R2-16", "R2-20")
@pytest.mark.parametrize("padded", [False, True], ids=["whole", "padded"])
@pytest.mark.parametrize("normalize", [True, False])
def test_logits_losses_and_gradients_equal_those_of_transformers(normalize, padded):
    transformers = pytest.importorskip("transformers")
    moe = {"normalize_top_k": normalize, "balance_loss": 0.3}
    model, batch = Subject("ffn", "moe", moe).model(), tokens()
    reference = reference_model(model, transformers)
    valid = torch.ones_like(batch, dtype=torch.bool)
    valid[0, 9:] = not padded
    masked = {"attention_mask": valid.long()} if padded else {}
    targets = tokens(seed=4).where(valid, -100)
    theirs = reference(batch, labels=batch, shift_labels=targets, **masked)
    ours = model.losses(batch, targets, **({"valid": valid} if padded else {}))
    found = logits(model, batch, **({"valid": valid} if padded else {}))
    torch.testing.assert_close(found[valid], theirs.logits[valid], rtol=1e-4, atol=1e-4)
    assert ours.auxiliary.item() / 0.3 == pytest.approx(theirs.aux_loss.item(), rel=1e-6)
    torch.testing.assert_close(ours.total, theirs.loss, rtol=1e-5, atol=1e-5)
    ours.total.backward()
    theirs.loss.backward()
    for block, layer in zip(model.blocks, reference.model.layers, strict=True):
        assert distance(block.ffn.router.weight.grad, layer.mlp.gate.weight.grad) <= 1e-4
        down = layer.mlp.experts.down_proj
        assert distance(block.ffn.experts.down_proj.weight.grad, down.grad) <= 1e-4


# Routing is learned


@pytest.mark.row("R2-18")
@pytest.mark.parametrize("options", [{}, {"top_k": 1, "normalize_top_k": False}])
def test_the_router_learns_through_the_weights(build, x, options):
    moe = build("moe", **options)
    moe(x, new_context(x)).square().sum().backward()
    assert moe.router.weight.grad.norm() > 1e-3


@pytest.mark.row("R2-17")
@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_an_expert_without_tokens_learns_nothing(build, x, device):
    moe = build("moe")
    with torch.no_grad():
        moe.router.weight.zero_()[[2, 5]] = 1.0
    x = x.abs()
    moe, x = moe.to(device), x.to(device)
    context = new_context(x)
    moe(x, context).square().sum().backward()
    assert moe.experts.up_proj.weight.grad.shape == (E, F_, D)
    if device == "cpu":
        assert expert_tokens(context, 0, None).tolist() == [0, 0, 18, 0, 0, 18, 0, 0]
        for weight in moe.experts.parameters():
            idle = weight.grad[[0, 1, 3, 4, 6, 7]]
            assert not idle.any() and weight.grad[2].any() and weight.grad[5].any()


def test_what_the_losses_need_is_published(build, x):
    moe = build("moe", router="sigmoid", top_k=3, z_loss=0.1)
    context = new_context(x)
    moe(x, context)
    probabilities, chosen = context.published(PROBABILITIES)[0], context.published(CHOSEN)[0]
    assert (probabilities.shape, chosen.shape) == ((2, 9, E), (2, 9, 3))
    torch.testing.assert_close(probabilities.sum(-1), torch.ones(2, 9))
    assert (chosen.sort(-1).values.diff(dim=-1) > 0).all()


# Losses


def routed(options=None, n_layers=2, **changes):
    """Return a model and what its routers say when it is run."""
    model = Subject("ffn", "moe", options or {}).model(n_layers=n_layers, **changes)
    scores = []
    for block in model.blocks:
        block.ffn.router.register_forward_hook(lambda _, __, out: scores.append(out.detach()))
    return model, scores


def balance_by_hand(scores, top_k, counted):
    """Equations 4 to 6 of the Switch Transformer, over the counted tokens of some layers."""
    flat = torch.cat([layer[counted] for layer in scores])
    probabilities = flat.softmax(-1)
    chosen = F.one_hot(flat.topk(top_k).indices, flat.shape[-1]).sum(1)
    share = chosen.float().mean(0)
    return flat.shape[-1] * float((share * probabilities.mean(0)).sum())


def some_padding():
    valid = torch.ones(2, 13, dtype=torch.bool)
    valid[0, 9:] = False
    return valid


@pytest.mark.row("R2-20")
@pytest.mark.parametrize("padded", [False, True])
def test_the_balance_loss_is_over_all_layers_together(padded):
    model, scores = routed({"balance_loss": 2.0}, n_layers=3)
    valid = some_padding() if padded else torch.ones(2, 13, dtype=torch.bool)
    about = {"valid": valid} if padded else {}
    losses = model.losses(tokens(), tokens(seed=4), **about)
    expected = balance_by_hand(scores, 2, valid)
    apart = sum(balance_by_hand([layer], 2, valid) for layer in scores) / 3
    assert abs(expected - apart) > 0.01
    assert losses.auxiliary.item() == pytest.approx(2 * expected, rel=1e-6)
    assert losses.total == losses.objective + losses.auxiliary


def test_padding_alone_is_no_load():
    model, _ = routed({"balance_loss": 2.0, "z_loss": 1.0}, n_layers=3)
    nothing = torch.zeros(2, 13, dtype=torch.bool)
    assert model.losses(tokens(), torch.full((2, 13), -100), valid=nothing).auxiliary == 0


def test_layers_with_as_many_experts_are_balanced_together():
    few, many = ({"name": "moe", "n_experts": n, "balance_loss": 1.0} for n in (4, 6))
    model, scores = routed(n_layers=4, ffn=[few, few, many])
    everything = torch.ones(2, 13, dtype=torch.bool)
    losses = model.losses(tokens(), tokens(seed=4))
    of_few = balance_by_hand([scores[0], scores[1], scores[3]], 2, everything)
    expected = of_few + balance_by_hand([scores[2]], 2, everything)
    assert losses.auxiliary.item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.row("R2-20")
def test_equal_loads_cost_k_and_a_collapse_costs_as_much_as_there_are_experts():
    for top_k in (1, 2, 4):
        model, _ = routed({"top_k": top_k, "balance_loss": 1.0})
        with torch.no_grad():
            for block in model.blocks:
                block.ffn.router.weight.zero_()
        assert model.losses(tokens(), tokens()).auxiliary.item() == pytest.approx(top_k, abs=1e-2)
    model, _ = routed({"top_k": 1, "balance_loss": 1.0})
    for block in model.blocks:  # expert 3 wins whatever is asked
        block.ffn.router.register_forward_hook(
            lambda _, __, scores: 100.0 * torch.eye(E)[3] + 0 * scores
        )
    assert model.losses(tokens(), tokens()).auxiliary.item() == pytest.approx(E, abs=1e-3)


@pytest.mark.parametrize("padded", [False, True])
def test_the_z_loss_is_the_mean_square_of_the_normaliser(padded):
    model, scores = routed({"balance_loss": 0.0, "z_loss": 0.5}, n_layers=3)
    valid = some_padding() if padded else torch.ones(2, 13, dtype=torch.bool)
    about = {"valid": valid} if padded else {}
    losses = model.losses(tokens(), tokens(seed=4), **about)
    by_layer = [torch.logsumexp(layer[valid], -1).square().mean() for layer in scores]
    expected = 0.5 * torch.stack(by_layer).mean()
    torch.testing.assert_close(losses.auxiliary, expected, rtol=1e-5, atol=1e-6)


def test_losses_without_weight_are_not_computed():
    model, _ = routed({"balance_loss": 0.0})
    assert model.losses(tokens(), tokens(seed=4)).auxiliary == 0.0


# The bias


def loads(model, batch, valid=None):
    _, context = model.hidden(batch, valid=valid)
    return [expert_tokens(context, i, valid).float() for i in context.published(CHOSEN)]


@pytest.mark.row("R2-35")
def test_a_training_step_moves_the_bias_towards_equal_loads():
    model, _ = routed({"bias_rate": 0.25})
    valid = some_padding()
    valid[1, 2:] = False
    with_padding, without = (
        [load.mean() - load for load in loads(model, tokens(), v)] for v in (None, valid)
    )
    model.train().losses(tokens(), tokens(seed=4), valid=valid)
    for block, all_tokens, error in zip(model.blocks, with_padding, without, strict=True):
        assert not torch.equal(all_tokens.sign(), error.sign())
        assert torch.equal(block.ffn.choice_bias, 0.25 * error.sign())


def test_only_training_moves_the_bias():
    model, _ = routed({"bias_rate": 0.25})
    model.losses(tokens(), tokens(seed=4))
    model.train().hidden(tokens())
    assert not any(block.ffn.choice_bias.any() for block in model.blocks)


def test_the_bias_is_saved_with_the_model():
    model, _ = routed({"bias_rate": 0.25})
    model.train().losses(tokens(), tokens(seed=4))
    other, _ = routed({"bias_rate": 0.25})
    other.load_state_dict(model.state_dict(), strict=True)
    assert torch.equal(logits(other.eval(), tokens()), logits(model.eval(), tokens()))
    fresh, _ = routed({"bias_rate": 0.25})
    assert distance(logits(fresh, tokens()), logits(model, tokens())) > 1e-3


# What surrounds it


def step(model):
    """Return the loss, the gradients and the buffers after a step of training."""
    losses = model.train().losses(tokens(), tokens(seed=4))
    losses.total.backward()
    grads = {name: p.grad for name, p in model.named_parameters()}
    return losses, grads, dict(model.named_buffers())


def assert_same_step(ours, theirs):
    for mine, other in zip(ours[0], theirs[0], strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-5, atol=1e-6)
    for mine, other in zip(ours[1:], theirs[1:], strict=True):
        assert mine.keys() == other.keys() and len(mine) > 0
        assert all(distance(mine[name], other[name]) <= 1e-5 for name in mine)


def test_computing_blocks_twice_changes_nothing():
    """The second time they must choose as they did, although the bias has moved on."""
    options = {"bias_rate": 0.5, "z_loss": 0.1, "balance_loss": 0.1, "n_shared": 1}
    plain = Subject("ffn", "moe", options).model()
    again = copy.deepcopy(plain)
    again.checkpointing = True
    assert_same_step(step(again), step(plain))


def test_the_router_computes_in_full_precision_under_autocast(build, x):
    moe = build("moe")
    exact = new_context(x)
    moe(x, exact)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        context = new_context(x)
        out = moe(x, context)
    assert out.dtype == torch.bfloat16
    assert torch.equal(context.published(PROBABILITIES)[0], exact.published(PROBABILITIES)[0])


@torch.no_grad()
def test_all_in_bfloat16_it_answers_in_bfloat16(build, x):
    moe = build("moe", n_shared=1, bias_rate=0.1).to(torch.bfloat16)
    out = moe(x.bfloat16(), new_context(x))
    assert out.dtype == torch.bfloat16
    assert distance(out.float(), moe.float()(x, new_context(x))) < 0.1


def test_flops_do_not_depend_on_where_tokens_go():
    subject = Subject("ffn", "moe", {"top_k": 3})
    model = subject.model()
    with torch.no_grad():
        for block in model.blocks:
            block.ffn.router.weight.zero_()
    with torch.device("meta"):
        empty = LanguageModel(subject.spec())
    assert count_flops(model, 2, 13) == count_flops(empty, 2, 13)


@pytest.mark.parametrize(
    ("options", "where", "said"),
    [
        ({"top_k": 9}, ("ffn",), r"top_k \(9\) must be at most n_experts \(8\)"),
        ({"expert": "swigul"}, ("ffn", "expert"), "unknown ffn 'swigul'"),
        ({"expert": "llama_swiglu"}, ("ffn",), "'llama_swiglu' chooses its own width"),
        ({"expert": "moe"}, ("ffn",), "an expert must be a dense feed-forward"),
    ],
)
def test_what_makes_no_mixture_is_refused(options, where, said):
    with pytest.raises(ConfigError, match=said) as refused:
        LanguageModel(Subject("ffn", "moe", options).spec())
    assert refused.value.problems[0].path == where


def zipf(step, n_rows=4, length=32, vocab_size=32):
    """Return a batch in which few tokens are frequent, so that few experts do all the work."""
    odds = 1 / torch.arange(1, vocab_size + 1).float() ** 1.5
    generator = torch.Generator().manual_seed(step)
    drawn = torch.multinomial(odds, n_rows * (length + 1), replacement=True, generator=generator)
    drawn = drawn.view(n_rows, length + 1)
    return drawn[:, :-1], drawn[:, 1:]


def trained_load(**options):
    """Train a mixture and return its largest load over the mean."""
    sizes = {"d_model": 16, "n_layers": 1, "n_heads": 2, "d_ff": 16, "vocab_size": 32}
    moe = {"name": "moe", "n_experts": 4, "top_k": 1, "normalize_top_k": False, **options}
    written = {**sizes, "max_seq_len": 64, "init": {"std": 0.3}, "ffn": moe}
    model = LanguageModel(VariantSpec.read(written)).initialize(3).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for i in range(60):
        model.loss(*zipf(i)).backward()
        optimizer.step()
        optimizer.zero_grad()
    (load,) = loads(model.eval(), zipf(1000, n_rows=16)[0])
    return float(load.max() / load.mean())


@pytest.mark.row("R2-20")
def test_training_with_the_balance_loss_or_the_bias_spreads_the_load():
    collapsed = trained_load(balance_loss=0.0)
    assert collapsed > 3
    assert trained_load(balance_loss=0.1) < 0.6 * collapsed
    assert trained_load(balance_loss=0.0, bias_rate=0.02) < 0.6 * collapsed
