"""Find components by name: one `Registry` for each slot, and for everything else chosen by name.

A component is a class in a file of its own name. Its constructor splits in two at the `*`:

    def __init__(self, dims, layer_idx, *, window: int = 128): ...
                       from the model      from YAML

Positional parameters are fixed by the slot and passed by the model. Keyword-only parameters are the
component's options: their names, types and defaults are the schema that YAML is checked against.

Nothing is listed anywhere. The component `gqa` of the slot `attention` is the file
`attention/gqa.py` in one of the roots: this project's own package, packages that announce
themselves under the entry-point group `ablate.components`, and folders named with `use_folder`.
"""

import importlib
import importlib.metadata
import importlib.util
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, create_model

from harness.errors import ConfigError, unknown
from harness.schema import parse

T = TypeVar("T")
Options = Mapping[str, Any]
Alias = Callable[[Any], Options]  # dims -> the options that the alias fixes, or gives a `Default`

ENTRY_POINTS = "ablate.components"
_folders: list[Path] = []


@dataclass(frozen=True)
class ComponentSpec:
    """A component as data: its canonical name and all of its options."""

    name: str
    options: Options = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Write it as YAML does: the name beside the options."""
        return {"name": self.name, **self.options}


@dataclass(frozen=True)
class Default:
    """What an option is under an alias unless it is chosen there."""

    value: Any


def use_folder(folder: Path) -> None:
    """Let `folder/<slot>/<name>.py` provide components, beside what is installed.

    Raises:
        ConfigError: there is no such folder.
    """
    folder = folder.expanduser().resolve()
    if not folder.is_dir():
        raise ConfigError.at(("components",), f"there is no folder {folder}")
    if folder not in _folders:
        _folders.append(folder)


class Registry(Generic[T]):
    """The components that can fill one slot, by name."""

    def __init__(self, slot: str, contract: type[T], package: str) -> None:
        self.slot = slot
        self.contract = contract
        self.package = package
        self.broken: dict[str, str] = {}  # files that could not be imported, with the reason
        self._components: dict[str, type[T]] = {}
        self._schemas: dict[str, type[BaseModel]] = {}
        self._aliases: dict[str, tuple[str, Alias]] = {}

    def register(
        self, name: str, aliases: Mapping[str, Alias] | None = None
    ) -> Callable[[type[T]], type[T]]:
        """Class decorator that makes a component available as `name`, and as its aliases."""

        def add(component: type[T]) -> type[T]:
            if not issubclass(component, self.contract):
                raise TypeError(f"{component.__name__} must inherit {self.contract.__name__}")
            for taken in {name, *(aliases or {})} & {*self._components, *self._aliases}:
                raise ValueError(f"{self.slot} {taken!r} is registered twice")
            self._components[name] = component
            self._aliases |= {alias: (name, fixed) for alias, fixed in (aliases or {}).items()}
            return component

        return add

    def __getitem__(self, name: str) -> type[T]:
        if name not in self._components:
            for module in self._modules():
                if module.name == name:
                    self._load(module)
        if name in self.broken:
            raise ConfigError.at((), f"{self.slot} {name!r} cannot be used: {self.broken[name]}")
        if name not in self._components:
            raise ConfigError.at((), unknown(self.slot, name, [*self, *self.aliases()]))
        return self._components[name]

    def __iter__(self) -> Iterator[str]:
        for module in self._modules():
            if module.name not in self._components:
                self._load(module)
        return iter(sorted(self._components))

    def __contains__(self, name: object) -> bool:
        return name in list(self)

    def aliases(self) -> dict[str, str]:
        """Return every alias with the canonical name it stands for."""
        list(self)
        return {alias: name for alias, (name, _) in sorted(self._aliases.items())}

    def schema(self, name: str) -> type[BaseModel]:
        """Return the pydantic model of a component's options."""
        component = self[name]
        if name not in self._schemas:
            self._schemas[name] = _options_of(component)
        return self._schemas[name]

    def resolve(self, value: object, dims: Any = None) -> ComponentSpec:
        """Turn `gqa` or `{name: gqa, n_kv_heads: 2}` into a complete, canonical component.

        Raises:
            ConfigError: no such component, or an option that it does not have or accept.
        """
        if isinstance(value, ComponentSpec):
            value = value.to_dict()
        given = {"name": value} if isinstance(value, str) else value
        if not isinstance(given, Mapping) or not isinstance(given.get("name"), str):
            expected = "must be a name or a mapping with `name`"
            raise ConfigError.at((), f"{expected}, but got {value!r}")
        name, options = given["name"], {k: v for k, v in given.items() if k != "name"}
        if name not in self._components and name in self.aliases():
            alias, (name, said) = name, self._aliases[name]
            for key, value in said(dims).items():
                if isinstance(value, Default):
                    options.setdefault(key, value.value)
                elif options.setdefault(key, value) != value:
                    fixes = f"{alias!r} is {name!r} with {key} fixed to {value!r}"
                    raise ConfigError.at((key,), f"{fixes}; write {name!r} to choose it")
        component = self[name]
        complete = parse(self.schema(name), options).model_dump()
        if fill := getattr(component, "complete", None):
            complete = fill(complete, dims)
        return ComponentSpec(name, complete)

    def non_default(self, spec: ComponentSpec, dims: Any = None) -> dict[str, Any]:
        """Write a component without the options that equal their default."""
        fields = self.schema(spec.name).model_fields
        required = {k: v for k, v in spec.options.items() if fields[k].is_required()}
        defaults = self.resolve({"name": spec.name, **required}, dims).options
        return {
            "name": spec.name,
            **{k: v for k, v in spec.options.items() if k in required or v != defaults[k]},
        }

    def build(self, spec: ComponentSpec, *args: Any) -> T:
        """Construct the component with the slot's positional arguments.

        Raises:
            ConfigError: the component refuses its dims or options.
        """
        try:
            return self[spec.name](*args, **spec.options)
        except ValueError as error:
            raise ConfigError.at((), f"{self.slot} {spec.name!r}: {error}") from error

    def _modules(self) -> Iterator["_Module"]:
        """Every file that may hold a component of this slot, wherever it lives."""
        builtin = importlib.import_module(self.package)
        yield from (_Module(f, f"{self.package}.{f.stem}") for f in _files(builtin.__path__[0]))
        for entry in importlib.metadata.entry_points(group=ENTRY_POINTS):
            spec = importlib.util.find_spec(entry.value)
            for location in (spec and spec.submodule_search_locations) or []:
                for file in _files(Path(location) / self.slot):
                    yield _Module(file, f"{entry.value}.{self.slot}.{file.stem}")
        for folder in _folders:
            yield from (_Module(f, None) for f in _files(folder / self.slot))

    def _load(self, module: "_Module") -> None:
        try:
            module.load()
        except Exception as error:  # reported by name, so that one bad file breaks only itself
            self.broken[module.name] = f"{module.file}: {type(error).__name__}: {error}"
            return
        self.broken.pop(module.name, None)
        if module.name not in self._components:
            here = {n for n, c in self._components.items() if c.__module__ == module.import_name}
            added = ", ".join(sorted(here)) or "nothing"
            problem = f"a file registers one component of its own name, but this one: {added}"
            self.broken[module.name] = f"{module.file}: {problem}"


@dataclass(frozen=True)
class _Module:
    """A file that holds a component; `dotted` is its import name, if it is in a package."""

    file: Path
    dotted: str | None

    @property
    def name(self) -> str:
        return self.file.stem

    @property
    def import_name(self) -> str:
        return self.dotted or f"ablate_components_{abs(hash(self.file)):x}"

    def load(self) -> None:
        if self.dotted:
            importlib.import_module(self.dotted)
            return
        dotted = self.import_name
        if dotted in sys.modules:
            return
        spec = importlib.util.spec_from_file_location(dotted, self.file)
        assert spec and spec.loader
        module: ModuleType = importlib.util.module_from_spec(spec)
        sys.modules[dotted] = module
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[dotted]
            raise


def _files(folder: str | Path) -> list[Path]:
    return sorted(f for f in Path(folder).glob("*.py") if not f.stem.startswith("_"))


def _options_of(component: type) -> type[BaseModel]:
    parameters = inspect.signature(component, eval_str=True).parameters.values()
    options: dict[str, Any] = {
        p.name: (p.annotation, ... if p.default is p.empty else p.default)
        for p in parameters
        if p.kind is p.KEYWORD_ONLY
    }
    config = ConfigDict(extra="forbid", frozen=True, strict=True)
    return create_model(f"{component.__name__}Options", __config__=config, **options)
