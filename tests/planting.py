"""Plant faults in a copy of the source, one at a time, and see that tests catch each."""

import os
import shutil
import sys
import tempfile
import traceback
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
FOLDERS = ("harness", "variants", "tests", "docs", "experiments", "results/experiments")


@dataclass(frozen=True)
class Mutation:
    """Texts of one file that are replaced, and the tests that have to notice."""

    name: str
    file: str
    patches: tuple[tuple[str, str], ...]
    tests: tuple[str, ...]


def plant(mutations: list[Mutation], check_source: bool) -> int:
    """Run every mutation; print each verdict and the count; return 1 if one survives.

    Args:
        mutations: What to plant.
        check_source: Whether the tests must first pass without any mutation.
    """
    import pytest  # noqa: F401 - imported before the copies are: children then start at once
    import torch
    from transformers import Qwen3Config, Qwen3ForCausalLM  # noqa: F401

    torch.set_num_threads(1)
    failing = _failing_as_it_is(mutations) if check_source else []
    survivors = [f"unchanged source: {test}" for test in failing]
    for mutation in mutations:
        with tempfile.TemporaryDirectory() as folder:
            copy = _copy(Path(folder))
            _apply(mutation, copy)
            caught = _fails(copy, mutation.tests)
        print(f"{'caught' if caught else 'SURVIVED':9} {mutation.name}", flush=True)  # noqa: T201
        survivors += [] if caught else [mutation.name]
    n_caught = len(mutations) - len([s for s in survivors if not s.startswith("unchanged")])
    print(f"{n_caught} caught / {len(mutations)} planted", *survivors, sep="\n  survivor: ")  # noqa: T201
    return 1 if survivors else 0


def _failing_as_it_is(mutations: list[Mutation]) -> list[str]:
    """Return the tests that fail without any mutation: they would prove nothing."""
    every = sorted({test for mutation in mutations for test in mutation.tests})
    with tempfile.TemporaryDirectory() as folder:
        copy = _copy(Path(folder))
        if not _fails(copy, tuple(every)):
            return []
        return [test for test in every if _fails(copy, (test,))]


def _copy(folder: Path) -> Path:
    for name in FOLDERS:
        shutil.copytree(
            REPOSITORY / name, folder / name, ignore=shutil.ignore_patterns("__pycache__")
        )
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(REPOSITORY / name, folder)
    return folder


def _apply(mutation: Mutation, copy: Path) -> None:
    path = copy / mutation.file
    source = path.read_text()
    for old, new in mutation.patches:
        if source.count(old) != 1:
            raise ValueError(
                f"{mutation.name}: {old!r} is {source.count(old)} times in {path.name}"
            )
        source = source.replace(old, new)
    if path.suffix == ".py":
        compile(source, path.name, "exec")
    path.write_text(source)


def _fails(copy: Path, tests: tuple[str, ...]) -> bool:
    """Run tests of the copy in a child process; 0 is all passed and 1 is a failed test."""
    child = os.fork()
    if child == 0:
        try:
            code = _run_here(copy, tests)
        except BaseException:
            traceback.print_exc()
            code = 99
        finally:  # never unwind into the parent's work
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code not in (0, 1):
        tail = (copy / "output").read_text()[-3000:]
        raise RuntimeError(f"the tests could not run (exit code {code}):\n{tail}")
    return code == 1


def _run_here(copy: Path, tests: tuple[str, ...]) -> int:
    import pytest

    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # some are imported already
    os.chdir(copy)
    kept = (p for p in sys.path if not p.startswith(str(REPOSITORY)) or "site-packages" in p)
    sys.path[:] = [str(copy), *kept]  # a virtual environment may lie inside the repository
    with (copy / "output").open("w") as output:
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
    code = pytest.main([*tests, "-x", "-q", "-p", "no:cacheprovider", "--rootdir", str(copy)])
    import harness

    assert str(copy) in str(harness.__file__), harness.__file__
    return int(code)
