"""A file is read as plain data, its errors point at the line, and what could harm is refused."""

import time
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import ConfigError, Problem
from harness.experiments.files.yaml_reader import RefusedError, read_text
from harness.experiments.files.yaml_source import SourceError, read_yaml

EXPERIMENT = """\
name: attention
base:
  train:
    budgt: 1M
    batch_size: 8
  variant:
    attention: {name: gqa, n_kv_heads: 2}
arms:
  gqa: {}
  mqa:
    variant: {attention: mqa}
seeds: [1, 2]
"""


@pytest.fixture
def write(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def _write(content, name="x.yaml"):
        path = type(tmp_path)(name)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return _write


@pytest.fixture
def source(write):
    return read_yaml(write(EXPERIMENT))


@pytest.fixture
def refused(write):
    """Return what the user is told when a file with this content is read."""

    def _refused(content):
        with pytest.raises(SourceError) as caught:
            read_yaml(write(content))
        return str(caught.value)

    return _refused


def types_in(value):
    if isinstance(value, dict):
        return {dict} | types_in(list(value)) | types_in(list(value.values()))
    if isinstance(value, list):
        return {list}.union(*map(types_in, value))
    return {type(value)}


SCALARS = {
    "3e-3": 0.003, "1e3": 1000.0, "1_000": 1000, "017": 17, "0o17": 15, "0x1f": 31, "-0": 0,
    "off": "off", "no": "no", "on": "on", "true": True, "True": True, "False": False,
    "~": None, "null": None,
    "1M": "1M", "1%": "1%", "2024-01-01": "2024-01-01", "1:30": "1:30", "'5'": "5", "+_": "+_",
    '"é"': "é", "|\n  a\n  b\n": "a\nb\n", "[1, {b: 2.5}]": [1, {"b": 2.5}],
}  # fmt: skip


@pytest.mark.parametrize("written", SCALARS)
def test_scalars_mean_what_yaml_1_2_says_and_are_plain_python(write, written):
    read = read_yaml(write(f"a: {written}")).data["a"]
    assert read == SCALARS[written]
    assert type(read) is type(SCALARS[written])
    assert types_in(read) <= {dict, list, str, int, float, bool, type(None)}


def test_on_is_a_key_like_any_other(write):
    assert read_yaml(write("on: 1")).data == {"on": 1}


def test_quotes_make_a_key_of_anything(write):
    assert read_yaml(write("'<<': 1\n'1': 2")).data == {"<<": 1, "1": 2}


def test_a_byte_order_mark_and_windows_newlines_change_nothing(write):
    source = read_yaml(write(b"\xef\xbb\xbfa: 1\r\nb: 2\r\n"))
    assert source.data == {"a": 1, "b": 2}
    assert source.line(("b",)) == 2


def test_every_key_and_item_has_its_line(source):
    assert source.line(("base", "train", "batch_size")) == 5
    assert source.line(("base", "variant", "attention", "n_kv_heads")) == 7
    assert source.line(("seeds", 1)) == 12


def test_a_missing_key_has_the_line_of_its_nearest_ancestor(source):
    assert source.line(("base", "train", "optimizer", "lr")) == 3
    assert source.line(("nowhere",)) is None


@pytest.mark.parametrize(
    ("path", "line", "written"),
    [
        (("arms", "mqa", "variant", "attention"), 11, ("arms", "mqa", "variant", "attention")),
        (("arms", "mqa", "train", "budgt"), 4, ("base", "train", "budgt")),
        (("arms", "gqa", "variant", "attention"), 7, ("base", "variant", "attention")),
        (("arms", "gqa"), 9, ("arms", "gqa")),
        (("arms", "mqa", "nowhere"), 10, ("arms", "mqa", "nowhere")),
    ],
)
def test_an_inherited_value_is_located_where_it_was_written(source, path, line, written):
    place = source.locate(path)
    assert (place.line, place.path) == (line, written)


def test_other_roots_than_base_can_be_inherited_from(write):
    source = read_yaml(write("factors:\n  norm:\n    layer:\n      variant: {norm: layr}\n"))
    roots = [("base",), ("factors", "norm", "layer")]
    assert source.locate(("arms", "norm=layer", "variant", "norm"), roots).line == 4


def test_a_problem_is_shown_with_its_line_and_a_caret(source):
    error = source.error(ConfigError.at(("base", "train", "budgt"), "unknown key 'budgt'."))
    assert str(error) == (
        "x.yaml:4:5  base.train.budgt: unknown key 'budgt'.\n"
        "    4 |     budgt: 1M\n"
        "      |     ^^^^^"
    )


def test_an_inherited_problem_is_told_once_and_names_its_arms(source):
    rest = ("train", "budgt")
    error = ConfigError(
        *(Problem(("arms", arm, *rest), "unknown key") for arm in ("gqa", "mqa")),
        Problem(("seeds",), "must be a count"),
        Problem(("seeds",), "must be a count"),
    )
    assert str(source.error(error)) == (
        "x.yaml:4:5  base.train.budgt: unknown key (in arms gqa, mqa)\n"
        "    4 |     budgt: 1M\n"
        "      |     ^^^^^\n"
        "x.yaml:12:1  seeds: must be a count\n"
        "   12 | seeds: [1, 2]\n"
        "      | ^^^^^"
    )


def test_two_missing_keys_under_one_parent_are_two_problems(source):
    missing = "this key is required"
    error = ConfigError(*(Problem(("base", "data", key), missing) for key in ("a", "b")))
    assert str(source.error(error)).count(missing) == 2


def test_a_problem_without_a_place_names_the_file(source):
    error = source.error(ConfigError.at(("baseline",), "this key is required"))
    assert str(error) == "x.yaml  baseline: this key is required"


def test_a_long_line_is_shown_around_the_key_and_without_control_characters(write):
    source = read_yaml(write("a: {" + "b: 1,\t" * 1 + "x: '" + "y" * 500 + "', key: 1}"))
    shown, caret = str(source.error(ConfigError.at(("a", "key"), "wrong"))).splitlines()[1:]
    assert len(shown) < 120
    assert shown[caret.index("^") : caret.rindex("^") + 1] == "key"
    assert "\t" not in str(source.error(ConfigError.at(("a",), "wrong")))


REFUSED = {
    "a duplicate key": ("a: 1\nb:\n  c: 1\n  c: 2", ":4:3  duplicate key 'c'", "on line 3"),
    "a tab": ("a:\n\tb: 1", ":2:1  a tab"),
    "a syntax error": ("a: 1\n b: 2", ":2:3  mapping values are not allowed here"),
    "an open bracket": ("a: [1,\n", ":2:1  "),
    "two documents": ("a: 1\n---\nb: 1", ":2:1  a second document"),
    "a list": ("- 1", "must be a mapping of keys to values, but got [1]"),
    "a text": ("hello", "but got 'hello'"),
    "null": ("~", "but got None"),
    "nothing": ("", ":1:1  nothing is written here"),
    "a comment": ("# later\n", "nothing is written here"),
    "a python tag": ("a: !!python/object:os.system x", ":1:4  the tag ", "is not allowed"),
    "a tag on a mapping": ("a: !foo {b: 1}", "the tag !foo is not allowed"),
    "a standard tag": ("a: !!str 1", "the tag "),
    "a tagged key": ("!!str a: 1", "a key must be plain text"),
    "a YAML 1.1 directive": ("%YAML 1.1\n---\non: 1", "only YAML 1.2"),
    "a number as key": ("1: x", ":1:1  a key must be text, but got 1"),
    "null as key": ("a: {~: 1}", ":1:5  a key must be text"),
    "a list as key": ("? [a]\n: 1", "a key must be plain text"),
    "an alias as key": ("a: &x b\n*x : 1", "a key must be plain text"),
    "a merge key": ("a: &x {b: 1}\nc:\n  <<: *x", ":3:3  merge keys (<<)"),
    "NaN": ("a: .nan", ":1:4  must be a finite number, but got .nan"),
    "infinity": ("a: [-.inf]", "must be a finite number"),
    "an overflow": ("a: 1e999", "must be a finite number, but got 1e999"),
    "many digits": ("a: " + "9" * 251, "a number of more than 250 digits"),
    "digits beyond Python's limit": ("a: " + "9" * 5000, "a number of more than 250 digits"),
    "many hexadecimal digits": ("a: 0x" + "f" * 5000, "a number of more than 250 digits"),
    "half a surrogate pair": (r'a: "\ud800"', "half a surrogate pair"),
    "an escaped NUL": (r'a: "\0"', "text with a NUL"),
    "a control character": ("a: 1\nb: \x1b[31m", ":2:4  the character U+001B is not allowed"),
    "an impossible character": (r'a: "\UFFFFFFFF"', ":1:1  not valid YAML"),
    "no character at all": (r'a: "\U00110000"', ":1:1  not valid YAML"),
    "an unknown alias": ("a: *x", "the alias *x names no anchor"),
    "a recursive alias": ("a: &x [*x]", "the alias *x names no anchor"),
    "an anchor twice": ("a: &x 1\nb: &x 2", "the anchor &x is defined twice"),
    "UTF-16": ("a: 1".encode("utf-16"), "must be UTF-8 text, but byte 0 is not"),
    "latin-1": (b"a: 1\nb: \xe9", "must be UTF-8 text, but byte 8 is not"),
    "NUL bytes": (b"a: \x00", "the character U+0000"),
    "33 levels": ("a: " + "[" * 32 + "]" * 32, "nested too deeply"),
    "over 1 MiB": ("#" * (2**20 + 1), "must not be larger than 1 MiB"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_it_refuses(refused, name):
    content, *expected = REFUSED[name]
    said = refused(content)
    assert said.startswith("x.yaml")
    assert [part for part in expected if part not in said] == []


def test_a_syntax_error_shows_the_line(refused):
    assert refused("a: 1\na: 2") == (
        "x.yaml:2:1  duplicate key 'a'; it is first written on line 1\n    2 | a: 2\n      | ^"
    )


def test_control_characters_never_reach_the_terminal(refused):
    assert "\x1b" not in refused("a: 1\nb: \x1b[31m")


def test_the_limits_themselves_are_allowed(write):
    nested = "a: " + "[" * 31 + "]" * 31
    aliases = "b: &x {c: 1}\nd: [" + "*x," * 100 + "]"
    number = "e: " + "9" * 250
    data = read_yaml(write(f"{nested}\n{aliases}\n{number}")).data
    assert len(data["d"]) == 100
    float(data["e"])


def test_aliases_are_copies(write):
    data = read_yaml(write("a: &x {b: [1]}\nc: *x")).data
    data["a"]["b"].append(2)
    assert data["c"] == {"b": [1]}


def test_more_aliases_than_allowed_are_refused(refused):
    assert "more than 100 aliases" in refused("a: &x 1\nb: [" + "*x," * 101 + "]")


def test_aliases_cannot_nest_deeper_than_brackets_can(refused):
    rows = "\n".join(f"k{i}: &k{i} [{f'*k{i - 1}' if i else 1}]" for i in range(40))
    assert "nested too deeply" in refused(rows)


def bomb():
    rows = "\n".join(f"k{i}: &k{i} [{', '.join([f'*k{i - 1}'] * 9)}]" for i in range(1, 10))
    return f"k0: &k0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]\n{rows}"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (bomb(), "the aliases expand to more than 10000 values"),
        ("a: " + "[" * 10**5, "nested too deeply"),
        ("a: " + "{a: " * 10**5, "nested too deeply"),
        ("- " * 10**5, "nested too deeply"),
    ],
    ids=["aliases", "brackets", "braces", "dashes"],
)
def test_a_bomb_is_refused_fast_and_in_little_memory(content, said):
    began = time.process_time()
    with pytest.raises(RefusedError, match=said):
        read_text(content)
    assert time.process_time() - began < 1.0  # 0.05 s for the aliases on a quiet machine
    tracemalloc.start()
    with pytest.raises(RefusedError):
        read_text(content)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 16 * 2**20


def test_a_missing_file_suggests_its_neighbour(write):
    path = write("a: 1", name="attention.yaml")
    with pytest.raises(SourceError) as caught:
        read_yaml(path.with_name("atention.yaml"))
    assert str(caught.value) == "atention.yaml  no such file. Did you mean 'attention.yaml'?"
    with pytest.raises(SourceError, match=r"no such file\.$"):
        read_yaml(path.with_name("zzz.yaml"))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (".", "must be a YAML file, but is a folder"),
        ("/dev/zero", "must be a regular file"),
        ("x\0.yaml", "cannot be read"),
        ("n" * 5000, "cannot be read"),
    ],
)
def test_what_is_no_file_is_refused(write, name, said):
    with pytest.raises(SourceError, match=said):
        read_yaml(type(write("a: 1"))(name))


SNIPPETS = ["a", "b: ", "- ", "[", "]", "{", "}", ",", "\n", "  ", "&x ", "*x", "!!t ", "|", "'"]
SNIPPETS += ['"', "%", "---\n", "...\n", "#", "? ", ": ", "\t", "1e5", "\\", "0x_", "\x85", "<<"]


@given(st.lists(st.sampled_from(SNIPPETS), max_size=30).map("".join) | st.text(max_size=40))
def test_any_text_is_read_as_plain_data_or_refused(text):
    try:
        data, marks = read_text(text)
    except RefusedError as error:
        assert error.mark.line >= 1
        return
    assert types_in(data) <= {dict, list, str, int, float, bool, type(None)}
    assert all(mark.column >= 1 and mark.line <= text.count("\n") + 9 for mark in marks.values())
