"""The edges of the program, where data from outside becomes typed: pydantic, strict and frozen."""

from collections.abc import Mapping
from typing import Any, TypeVar, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError

from harness.errors import ConfigError, Problem, unknown

M = TypeVar("M", bound=BaseModel)

_WORDS = {  # pydantic's types of errors, in the words of YAML
    "dict_type": "a mapping of keys to values",
    "mapping_type": "a mapping of keys to values",
    "model_type": "a mapping of keys to values",
    "list_type": "a list",
    "int_type": "a whole number",
    "float_type": "a number",
    "string_type": "text",
    "bool_type": "true or false",
    "none_required": "null",
}


class Frozen(BaseModel):
    """An immutable record: unknown keys are errors and nothing is coerced (`"2"` is no number)."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, arbitrary_types_allowed=True
    )


def parse(schema: type[M], data: object) -> M:
    """Validate `data` (as read from YAML or JSON) against `schema`.

    Raises:
        ConfigError: all problems at once, each with its path and the nearest known key.
    """
    if data is None:
        data = {}  # `train:` with nothing under it
    if not isinstance(data, Mapping):
        raise ConfigError.at((), f"must be a mapping of keys to values, but got {data!r}")
    try:
        return schema.model_validate(dict(data))
    except ValidationError as error:
        raise ConfigError(*(_problem(e, schema) for e in error.errors())) from None


def _problem(error: Any, schema: type[BaseModel]) -> Problem:
    path = tuple(error["loc"])
    if error["type"] == "extra_forbidden":
        return Problem(path, unknown("key", path[-1], _keys_beside(path, schema)))
    if error["type"] == "missing":
        return Problem(path, "this key is required")
    if cause := error.get("ctx", {}).get("error"):  # our own ValueErrors carry their own words
        return Problem(path, str(cause))
    expected = _WORDS.get(error["type"]) or error["msg"].removeprefix("Input should be ")
    message = f"must be {expected}" if expected[0].islower() else expected
    return Problem(path, f"{message}, but got {error['input']!r}")


def _keys_beside(path: tuple[Any, ...], schema: type[BaseModel]) -> list[str]:
    """The keys that would have been right where an unknown one was found."""
    for key in path[:-1]:
        if isinstance(key, int):  # a place in a list of the schema
            continue
        field = schema.model_fields.get(key)
        annotation = field.annotation if field else None
        if get_origin(annotation) is list:
            (annotation,) = get_args(annotation)
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            return []
        schema = annotation
    return [field.alias or name for name, field in schema.model_fields.items()]
