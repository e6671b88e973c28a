"""What every component must do, whoever wrote it: each contract is a function of a subject.

The suite runs them over the whole registry. For components of your own:

    python tests/core/contracts.py my_components/

A subject is a component inside an otherwise tiny and lively model: large weights and norm weights
away from 1, because the usual start (0.02, ones, zero outputs) hides mistakes.
"""

import dataclasses
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import torch
from pydantic.fields import FieldInfo
from torch import Tensor

from harness.core import cross_entropy
from harness.core.cache import CacheFull
from harness.core.catalogue import section
from harness.core.causality import find_leak, lively
from harness.core.cost import count_flops, measure_cost
from harness.core.model import LanguageModel
from harness.core.slots import PRECISION, SLOTS
from harness.core.spec import BASELINE, VariantSpec
from harness.errors import AblateError, ConfigError

VOCAB_SIZE, LENGTH = 61, 13
TINY: dict[str, Any] = {
    "d_model": 32,
    "n_layers": 2,
    "n_heads": 4,
    "head_dim": 8,
    "d_ff": 48,
    "vocab_size": VOCAB_SIZE,
    "max_seq_len": 32,
    "position": {"name": "rope", "theta": 10_000.0},
    "init": {"std": 0.3},
}
Contract = Callable[["Subject"], None]


@dataclass(frozen=True)
class Subject:
    """A component with its options, and the partners it needs in other slots."""

    slot: str
    name: str  # of a component, or an alias
    options: Mapping[str, Any] = field(default_factory=dict)
    partners: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        chosen = [*self.options.items(), *self.partners.items()]
        return f"{self.slot}-{self.name}" + "".join(f"-{key}={value}" for key, value in chosen)

    def spec(self, **changes: Any) -> VariantSpec:
        filled = {self.slot: {"name": self.name, **self.options}}
        return VariantSpec.read({**TINY, **self.partners, **filled, **changes})

    def model(self, **changes: Any) -> LanguageModel:
        return lively(LanguageModel(self.spec(**changes)))


def subjects() -> list[Subject]:
    """Every registered component and alias, and each component with one option changed.

    A switch is thrown, a choice takes each of its values, and any other option those that it lists
    itself, where it is declared: `Annotated[int, Field(ge=1, examples=[2])]`. A required option
    takes the first of them.
    """
    found = []
    for slot, registry in SLOTS.items():
        for name in [*registry, *registry.aliases()]:
            subject = Subject(slot, name, _required(slot, name))
            found += [with_partners(s) for s in [subject, *_changed(subject)]]
    return found


def with_partners(subject: Subject) -> Subject:
    """Exchange one component of another slot if the subject cannot stand among Qwen3's."""
    names = [(slot, name) for slot in SLOTS if slot != subject.slot for name in SLOTS[slot]]
    for partners in [{}, *({slot: name} for slot, name in names)]:
        candidate = dataclasses.replace(subject, partners=partners)
        try:
            LanguageModel(candidate.spec())
        except ConfigError as error:
            last = error
        else:
            return candidate
    raise last


def _required(slot: str, name: str) -> dict[str, Any]:
    registry = SLOTS[slot]
    if name in registry.aliases():  # it fixes them
        return {}
    fields = registry.schema(name).model_fields
    return {o: (about.examples or [None])[0] for o, about in fields.items() if about.is_required()}


def _changed(subject: Subject) -> list[Subject]:
    registry = SLOTS[subject.slot]
    if subject.name in registry.aliases():
        return []
    return [
        dataclasses.replace(subject, options={**subject.options, option: value})
        for option, about in registry.schema(subject.name).model_fields.items()
        for value in _values(about)
        if value != subject.options.get(option, about.default)
    ]


def _values(about: FieldInfo) -> list[Any]:
    """Return the values of an option that are worth trying."""
    if about.annotation is bool:
        return [True, False]
    if get_origin(about.annotation) is Literal:
        return list(get_args(about.annotation))
    return about.examples or []


def tokens(n_rows: int = 2, length: int = LENGTH, seed: int = 3) -> Tensor:
    return torch.randint(
        VOCAB_SIZE, (n_rows, length), generator=torch.Generator().manual_seed(seed)
    )


@torch.no_grad()
def logits(model: LanguageModel, batch: Tensor, **arguments: Any) -> Tensor:
    return model(batch, **arguments)


def distance(a: Tensor, b: Tensor) -> float:
    """Return the largest difference, relative to the largest value."""
    a, b = a.detach(), b.detach()
    assert a.shape == b.shape, f"{tuple(a.shape)} is not {tuple(b.shape)}"
    assert a.isfinite().all() and b.isfinite().all(), "not finite"
    return float((a - b).abs().max() / b.abs().max())


def embedded(model: LanguageModel, batch: Tensor) -> tuple[Tensor, Tensor]:
    """Return what the embedding gave, as a leaf of the graph, and the logits."""
    leaves: list[Tensor] = []

    def cut(_module: Any, _inputs: Any, out: Tensor) -> Tensor:
        leaves.append(out.detach().requires_grad_())
        return leaves[-1]

    with model.embedding.register_forward_hook(cut):
        out = model(batch)
    return leaves[0], out


# Shape, time and batch


def keeps_shape(subject: Subject) -> None:
    model = subject.model()
    assert logits(model, tokens()).shape == (2, LENGTH, VOCAB_SIZE)
    assert logits(model, tokens(1, 1)).shape == (1, 1, VOCAB_SIZE)
    hidden, _ = model.hidden(tokens())
    assert hidden.shape == (2, LENGTH, 32) and hidden.dtype == torch.float32


def never_looks_ahead(subject: Subject) -> None:
    model, batch = subject.model(), tokens()
    leak = find_leak(model, batch, (1, 6, LENGTH - 1), edited=1e-6)
    assert leak is None, str(leak)
    before = logits(model, batch)
    for t in (1, 6, LENGTH - 1):
        edited = batch.clone()
        edited[:, t:] = (edited[:, t:] + 7) % VOCAB_SIZE
        moved = (logits(model, edited) - before).abs().amax(dim=(0, 2))[t:]
        assert moved.min() > 1e-4, f"edited tokens leave their own output at {t} as it was"
        shorter = logits(model, batch[:, :t])
        assert distance(shorter, before[:, :t]) <= 1e-5, "length changes the past"


def past_has_no_gradient_from_the_future(subject: Subject) -> None:
    leaf, out = embedded(subject.model(), tokens())
    for t in (1, 6, LENGTH - 1):
        (grad,) = torch.autograd.grad(out[:, :t].square().sum(), leaf, retain_graph=True)
        assert not grad[:, t:].any(), f"outputs before {t} depend on tokens from {t} on"
        assert grad[:, t - 1].any(), "outputs do not depend on their own token"


def treats_rows_alone(subject: Subject) -> None:
    model, batch = subject.model(), tokens(3)
    together = logits(model, batch)
    for row in range(3):
        assert distance(logits(model, batch[row : row + 1]), together[row : row + 1]) <= 1e-5
    leaf, out = embedded(model, batch)
    (grad,) = torch.autograd.grad(out[1].square().sum(), leaf)
    assert not grad[[0, 2]].any(), "a row depends on another row"


def keeps_documents_apart(subject: Subject) -> None:
    model, batch = subject.model(), tokens()
    documents = torch.tensor([[0] * 5 + [1] * 8, [0] * 9 + [1] * 4])
    edited = batch.clone()
    edited[0, :5], edited[1, :9] = (batch[0, :5] + 3) % VOCAB_SIZE, (batch[1, :9] + 3) % VOCAB_SIZE
    padded = torch.ones_like(batch, dtype=torch.bool)
    padded[:, [0, 5, 9]] = False  # documents begin with padding
    for valid in (None, padded):
        given = {"documents": documents, "valid": valid}
        before, after = (logits(model, b, **given) for b in (batch, edited))
        first, second = ((documents == i) & (padded | (valid is None)) for i in (0, 1))
        assert distance(after[second], before[second]) <= 1e-6
        assert distance(after[first], before[first]) > 1e-3


def documents_are_runs(subject: Subject) -> None:
    """The same id after another one is another document."""
    model, batch = subject.model(), tokens()
    apart, again = (torch.tensor([[0] * 4 + [1] * 4 + [last] * 5] * 2) for last in (2, 0))
    assert torch.equal(logits(model, batch, documents=again), logits(model, batch, documents=apart))


def padding_changes_nothing(subject: Subject) -> None:
    model, batch = subject.model(), tokens()
    lengths = (9, LENGTH)
    for side in ("left", "right"):
        padded, valid = torch.zeros_like(batch), torch.zeros_like(batch, dtype=torch.bool)
        for row, n in enumerate(lengths):
            place = slice(LENGTH - n, LENGTH) if side == "left" else slice(0, n)
            padded[row, place], valid[row, place] = batch[row, :n], True
        out = logits(model, padded, valid=valid)
        for row, n in enumerate(lengths):
            alone = logits(model, batch[row : row + 1, :n])[0]
            assert distance(out[row, valid[row]], alone) <= 1e-5, f"{side} padding is seen"


# Parameters


def learns_every_parameter(subject: Subject) -> None:
    model = subject.model(tie_embeddings=False)
    model.loss(tokens(), tokens(seed=4)).backward()
    grads = {name: p.grad for name, p in model.named_parameters()}
    dead = [n for n, g in grads.items() if g is None or not g.any() or not g.isfinite().all()]
    assert dead == [], f"no gradient reaches {dead}"


def survives_saving(subject: Subject) -> None:
    model = subject.model()
    copy = LanguageModel(subject.spec()).eval()
    copy.load_state_dict({k: v.clone() for k, v in model.state_dict().items()}, strict=True)
    assert torch.equal(logits(copy, tokens()), logits(model, tokens()))


def starts_as_its_seed_says(subject: Subject) -> None:
    def start(seed: int, elsewhere: int, **changes: Any) -> dict[str, Tensor]:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(elsewhere)
            model = LanguageModel(subject.spec(**changes)).initialize(seed)
        return dict(model.named_parameters())

    this, again, other = start(7, 1), start(7, 2), start(8, 1)
    for name, parameter in this.items():
        assert torch.equal(parameter, again[name]), f"{name} depends on torch's global generator"
        if parameter.ndim >= 2:
            assert not torch.equal(parameter, other[name]), f"{name} does not depend on the seed"
    wide = start(7, 3, d_ff=56)
    assert wide.keys() == this.keys()
    for name, parameter in this.items():
        common = tuple(map(slice, parameter.shape))
        assert torch.equal(wide[name][common], parameter), f"{name} depends on the width d_ff"


def costs_what_the_meta_device_says(subject: Subject) -> None:
    model = subject.model()
    cost = measure_cost(subject.spec(), LENGTH)
    forward, both = count_flops(model, 1, LENGTH)
    caches = model.new_caches(1, LENGTH, torch.bfloat16)
    assert cost.params == sum(p.numel() for p in model.parameters())
    assert cost.forward_flops_per_token * LENGTH == forward
    assert cost.train_flops_per_token * LENGTH == both > 2 * forward
    assert cost.cache_bytes == sum(b.nbytes for cache in caches for b in cache.buffers.values())


def says_what_it_is(subject: Subject) -> None:
    registry = SLOTS[subject.slot]
    name = registry.aliases().get(subject.name, subject.name)
    text = inspect.getdoc(registry[name]) or ""
    assert section(text, "Source:"), "the docstring has no `Source:`"
    about = f"\n{text}\n".partition("\nOptions:\n")[2].partition("\n\n")[0]
    options = registry.schema(name).model_fields
    missing = [o for o in options if f"\n    {o}:" not in f"\n{about}"]
    assert missing == [], f"`Options:` of the docstring does not explain {missing}"


def trains_in_bf16(subject: Subject) -> None:
    model, batch = subject.model(), tokens()
    full = model.loss(batch, tokens(seed=4))
    with PRECISION["bf16"]().autocast(torch.device("cpu")):
        loss = model.loss(batch, tokens(seed=4))
    loss.backward()
    assert distance(loss, full) < 0.05
    assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())


# Caches: what is generated must be what was trained


def cached_equals_uncached(subject: Subject) -> None:
    model, batch = subject.model(), tokens()
    whole = logits(model, batch)
    for chunks in ([1] * LENGTH, [5, 1, 7], [LENGTH]):
        caches = model.new_caches(2, LENGTH)
        parts = [logits(model, part, caches=caches) for part in batch.split(chunks, dim=1)]
        assert distance(torch.cat(parts, dim=1), whole) <= 1e-5, f"in chunks of {chunks}"
        assert all(cache.lengths.tolist() == [LENGTH, LENGTH] for cache in caches)


def cached_rows_may_differ_in_length(subject: Subject) -> None:
    """Prompts of 3, 7 and 5 tokens padded on the right, then 4 tokens each, then 2 or none."""
    model, batch = subject.model(), tokens(3)
    prompts, caches = [3, 7, 5], model.new_caches(3, LENGTH)
    valid = torch.arange(7)[None] < torch.tensor(prompts)[:, None]
    padded = torch.where(valid, batch[:, :7], 0)
    prefilled = logits(model, padded, valid=valid, caches=caches)
    seen = [list(out[keep]) for out, keep in zip(prefilled, valid, strict=True)]
    for _ in range(4):
        step = torch.stack([batch[row, len(s)] for row, s in enumerate(seen)])[:, None]
        for s, out in zip(seen, logits(model, step, caches=caches)[:, 0], strict=True):
            s.append(out)
    idle = torch.tensor([[True, True], [False, False], [True, False]])
    step = torch.stack([batch[row, len(s) : len(s) + 2] for row, s in enumerate(seen)])
    out = logits(model, step, valid=idle, caches=caches)
    for row, s in enumerate(seen):
        s += list(out[row, idle[row]])
        assert distance(torch.stack(s), logits(model, batch[row : row + 1, : len(s)])[0]) <= 1e-5
    assert caches[0].lengths.tolist() == [9, 11, 10]


def caches_are_strangers(subject: Subject) -> None:
    """Two caches used in turn, and the model used without one in between."""
    model, batches = subject.model(), (tokens(), tokens(seed=5))
    caches = [model.new_caches(2, LENGTH) for _ in batches]
    parts: list[list[Tensor]] = [[], []]
    for start in range(0, LENGTH, 4):
        for i, batch in enumerate(batches):
            parts[i].append(logits(model, batch[:, start : start + 4], caches=caches[i]))
            logits(model, batch)
    for batch, part in zip(batches, parts, strict=True):
        assert distance(torch.cat(part, dim=1), logits(model, batch)) <= 1e-5


def reset_rows_start_afresh(subject: Subject) -> None:
    model, batch, other = subject.model(), tokens(), tokens(seed=5)
    caches = model.new_caches(2, LENGTH)
    logits(model, batch[:, :6], caches=caches)
    for cache in caches:
        cache.reset([1])
    mixed = torch.stack([batch[0, 6:12], other[1, :6]])
    out = logits(model, mixed, caches=caches)
    assert distance(out[:1], logits(model, batch)[:1, 6:12]) <= 1e-5
    assert distance(out[1:], logits(model, other)[1:, :6]) <= 1e-5
    for cache in caches:
        cache.reset()
    assert distance(logits(model, other, caches=caches), logits(model, other)) <= 1e-5


def inserted_rows_go_on(subject: Subject) -> None:
    """A row prefilled on its own joins a batch whose other row is further along."""
    model, batch, others = subject.model(), tokens(), tokens(seed=5)
    caches, prefilled = model.new_caches(2, LENGTH), model.new_caches(2, LENGTH)
    logits(model, batch[:, :3], caches=caches)
    logits(model, others[:, :8], caches=prefilled)
    for cache, source in zip(caches, prefilled, strict=True):
        cache.insert(1, source, 0)
        cache.insert(1, source, 1)
    other = others[1:]
    assert caches[0].lengths.tolist() == [3, 8]
    out = logits(model, torch.stack([batch[0, 3:8], other[0, 8:]]), caches=caches)
    assert distance(out[:1], logits(model, batch)[:1, 3:8]) <= 1e-5
    assert distance(out[1:], logits(model, other)[:, 8:]) <= 1e-5


def cropped_caches_forget(subject: Subject) -> None:
    """Crop to what is wanted, or say that it cannot be done."""
    model, batch, other = subject.model(), tokens(), tokens(seed=5)
    caches = model.new_caches(2, LENGTH)
    logits(model, batch[:, :10], caches=caches)
    for cache in caches:
        cache.crop(torch.tensor([10, 12]))
        assert cache.lengths.tolist() == [10, 10], "cropping lengthens"
    try:
        for cache in caches:
            cache.crop(torch.tensor([7, 4]))
    except AblateError:
        return
    out = logits(model, torch.stack([other[0, 7:12], other[1, 4:9]]), caches=caches)
    edited = batch.clone()
    edited[0, 7:], edited[1, 4:] = other[0, 7:], other[1, 4:]
    whole = logits(model, edited)
    assert distance(out[:1], whole[:1, 7:12]) <= 1e-5
    assert distance(out[1:], whole[1:, 4:9]) <= 1e-5


def full_caches_say_so(subject: Subject) -> None:
    """More tokens than room: an error for the user that leaves the cache as it was.

    Padding needs no room.
    """
    model, batch = subject.model(), tokens()
    caches = model.new_caches(2, 8)
    logits(model, batch[:, :6], caches=caches)
    try:
        out = logits(model, batch[:, 6:9], caches=caches)
    except CacheFull as error:
        assert "8 tokens" in str(error)
        out = logits(model, batch[:, 6:8], caches=caches)
    n = out.shape[1]
    assert distance(out, logits(model, batch)[:, 6 : 6 + n]) <= 1e-5
    padded, valid = model.new_caches(2, 8), torch.tensor([[True, True, False]] * 2)
    logits(model, batch[:, :6], caches=padded)
    out = logits(model, batch[:, 6:9], caches=padded, valid=valid)
    assert distance(out[:, :2], logits(model, batch)[:, 6:8]) <= 1e-5


# Slots with a contract of their own


def transforms_each_position_alone(subject: Subject) -> None:
    """A feed-forward component and a norm know nothing of order."""
    model, x = subject.model(), torch.randn(2, 9, 32, generator=torch.Generator().manual_seed(6))
    batch = tokens(length=9)
    seen: list[Tensor] = []
    model.blocks[0].register_forward_hook(lambda module, inputs, out: seen.append(inputs[1]))
    logits(model, batch)
    order = torch.tensor([4, 2, 8, 0, 1, 7, 5, 3, 6])
    parts = [m for m in model.modules() if isinstance(m, SLOTS[subject.slot].contract)]
    nested = [inner for part in parts for inner in part.modules() if inner is not part]
    parts = [part for part in parts if not any(part is inner for inner in nested)]
    assert parts
    for part in parts:
        takes = (seen[0],) if subject.slot == "ffn" else ()
        wide = x if subject.slot == "ffn" else x[..., : _width(part)]
        with torch.no_grad():
            assert distance(part(wide[:, order], *takes), part(wide, *takes)[:, order]) <= 1e-6


def _width(norm: torch.nn.Module) -> int:
    return next(norm.parameters()).shape[-1] if list(norm.parameters()) else 32


def objective_ignores_what_it_is_told_to(subject: Subject) -> None:
    model, batch, targets = subject.model(), tokens(), tokens(seed=4)
    cut = targets.clone()
    cut[:, 9:] = cross_entropy.IGNORE
    assert distance(model.loss(batch, cut), model.loss(batch[:, :9], targets[:, :9])) <= 1e-5
    hidden, context = model.hidden(batch)
    leaf = hidden.detach().requires_grad_()
    model.objective(leaf, cut, model.head, context).backward()
    assert leaf.grad is not None and not leaf.grad[:, 9:].any() and leaf.grad[:, :9].any()
    nothing = model.loss(batch, torch.full_like(targets, cross_entropy.IGNORE))
    assert nothing.isfinite() and nothing == 0


def objective_gradients_are_true(subject: Subject) -> None:
    """Against differences of the loss itself, along random directions."""
    model, targets = subject.model(tie_embeddings=False), tokens(seed=4)
    hidden, context = model.hidden(tokens())
    generator = torch.Generator().manual_seed(8)
    for leaf in (hidden.detach().requires_grad_(), model.head.weight):
        given = hidden.detach() if leaf is model.head.weight else leaf
        (grad,) = torch.autograd.grad(model.objective(given, targets, model.head, context), leaf)
        way = torch.randn(leaf.shape, generator=generator) + grad / grad.std()
        step, ends = 0.01, []
        for sign in (1, -1):
            with torch.no_grad():
                leaf += sign * step * way
                ends.append(model.objective(given, targets, model.head, context).double())
                leaf -= sign * step * way
        slope = float(ends[0] - ends[1]) / (2 * step)
        expected = float((grad * way).sum())
        assert abs(slope - expected) <= 0.02 * abs(expected), f"{slope} is not {expected}"


def precision_keeps_the_function(subject: Subject) -> None:
    """Training gives finite gradients and leaves plain weights; inference stays near fp32."""
    component = PRECISION[subject.name](**subject.options)
    model, batch = subject.model(), tokens()
    names, whole = list(model.state_dict()), logits(model, batch)
    full = model.loss(batch, tokens(seed=4))
    component.prepare_training(model)
    with component.autocast(torch.device("cpu")):
        loss = model.loss(batch, tokens(seed=4))
    loss.backward()
    assert distance(loss, full) < 0.1
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
    component.finish_training(model)
    assert list(model.state_dict()) == names, "training leaves weights of other names"
    assert model.head.weight is model.embedding.weight, "training unties the head"
    assert torch.equal(logits(model, batch), whole), "training leaves another function"
    component.prepare_inference(model)
    out = logits(model, batch)
    assert distance(out.float(), whole) < 0.1
    stored = model.state_dict()
    assert stored.keys() >= {n for n in names if "norm" in n}, "norms are stored as something else"
    other = LanguageModel(subject.spec()).eval()
    component.prepare_inference(other)
    other.load_state_dict({name: tensor.clone() for name, tensor in stored.items()})
    assert torch.equal(logits(other, batch), out), "the stored weights make another function"
    with torch.device("meta"):
        priced = LanguageModel(subject.spec())
        component.prepare_inference(priced)
    shapes = {name: (t.shape, t.dtype) for name, t in priced.state_dict().items()}
    assert shapes == {name: (t.shape, t.dtype) for name, t in stored.items()}, "priced differently"


EVERY: tuple[Contract, ...] = (
    keeps_shape,
    never_looks_ahead,
    past_has_no_gradient_from_the_future,
    treats_rows_alone,
    keeps_documents_apart,
    documents_are_runs,
    padding_changes_nothing,
    learns_every_parameter,
    survives_saving,
    starts_as_its_seed_says,
    costs_what_the_meta_device_says,
    says_what_it_is,
    trains_in_bf16,
    cached_equals_uncached,
    cached_rows_may_differ_in_length,
    caches_are_strangers,
    reset_rows_start_afresh,
    inserted_rows_go_on,
    cropped_caches_forget,
    full_caches_say_so,
)
OF_SLOT: dict[str, tuple[Contract, ...]] = {
    "ffn": (transforms_each_position_alone,),
    "norm": (transforms_each_position_alone,),
    "objective": (objective_ignores_what_it_is_told_to, objective_gradients_are_true),
    "precision": (precision_keeps_the_function,),
}


def contracts_of(subject: Subject) -> tuple[Contract, ...]:
    if subject.slot == "precision":  # no part of the model: the model's contracts say nothing of it
        return (*OF_SLOT["precision"], says_what_it_is)
    return (*EVERY, *OF_SLOT.get(subject.slot, ()))


def broken_contracts(subject: Subject) -> dict[str, str]:
    """Return the names of the contracts that a subject breaks, with what was found."""
    broken = {}
    for contract in contracts_of(subject):
        try:
            contract(subject)
        except Exception as error:
            broken[contract.__name__] = f"{type(error).__name__}: {error}"
    return broken


def in_folder(folder: Path) -> Iterator[Subject]:
    """Yield the subjects whose component is a file of this folder."""
    for subject in subjects():
        registry = SLOTS[subject.slot]
        name = registry.aliases().get(subject.name, subject.name)
        file = inspect.getsourcefile(registry[name])
        if file and folder.resolve() in Path(file).resolve().parents:
            yield subject


def main(folder: Path) -> int:
    """Hold the components of a folder to their contracts; print and count what breaks."""
    from harness.core.registry import use_folder

    torch.set_num_threads(1)
    use_folder(folder)
    n_broken = 0
    for subject in in_folder(folder):
        broken = broken_contracts(subject)
        n_broken += len(broken)
        print(f"{subject}: {'keeps every contract' if not broken else ''}")  # noqa: T201
        for name, why in broken.items():
            print(f"  {name}: {why}")  # noqa: T201
    for slot, registry in SLOTS.items():
        for name, why in registry.broken.items():
            n_broken += 1
            print(f"{slot}-{name}: {why}")  # noqa: T201
    return min(n_broken, 1)


assert BASELINE.keys() == SLOTS.keys(), "a new slot needs a baseline"

if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
