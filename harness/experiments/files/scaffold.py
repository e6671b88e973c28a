"""Start an experiment or a component from a file that already works."""

import re
from pathlib import Path

from harness.core.slots import SLOTS
from harness.errors import AblateError, unknown

NAME = re.compile(r"[a-z][a-z0-9_]*")

EXPERIMENT = """\
name: {name}
question: Does multi-query attention cost quality at equal training compute?
base:
  variant: {{preset: tiny}}
  data: {{corpus: sotu, tokenizer: {{name: bpe, vocab_size: 1024}}}}
  train: {{budget: {{tokens: 1M}}}}
arms:
  gqa: {{}}
  mqa: {{variant: {{attention: mqa}}}}
baseline: gqa
contrasts: {{primary: mqa - gqa}}
seeds: 5
match: {{train_flops: 1%, by: d_ff}}
"""


def new_experiment(name: str, folder: Path) -> Path:
    """Write a small experiment that runs as it is, to be edited.

    Raises:
        AblateError: the name is none, or the file is there.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        raise AblateError(
            f"an experiment is named with letters, digits, '.', '_', '-', not {name!r}"
        )
    return _write(folder / f"{name}.yaml", EXPERIMENT.format(name=name))


def new_component(slot_and_name: str, folder: Path) -> Path:
    """Copy the slot's baseline component under a new name, to be changed.

    Raises:
        AblateError: no such slot, a name that is none or taken, or the file is there.
    """
    slot, _, name = slot_and_name.partition("/")
    if slot not in SLOTS:
        raise AblateError(unknown("slot", slot, SLOTS))
    if not NAME.fullmatch(name):
        raise AblateError(f"a component is named in snake_case, as `{slot}/my_idea`, not {name!r}")
    registry = SLOTS[slot]
    if name in registry or name in registry.aliases():
        raise AblateError(f"{slot} {name!r} exists already")
    return _write(folder / slot / f"{name}.py", _template(slot, name))


def _template(slot: str, name: str) -> str:
    from harness.core.spec import BASELINE

    baseline = SLOTS[slot][BASELINE[slot]]
    import inspect

    source = Path(inspect.getsourcefile(baseline) or "").read_text()
    class_name = "".join(part.capitalize() for part in name.split("_"))
    source = re.sub(r'register\(\s*"\w+"', f'register("{name}"', source, count=1)
    source = re.sub(r",\s*aliases=\{.*?\n    \},\n", ",", source, flags=re.DOTALL)
    if "Default(" not in source:  # an alias's; the import would be left over
        source = source.replace("from harness.core.registry import Default\n", "")
    return source.replace(baseline.__name__, class_name)


def _write(path: Path, content: str) -> Path:
    if path.exists():
        raise AblateError(f"{path} exists already; it is left as it is")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path
