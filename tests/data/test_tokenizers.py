import numpy as np
import pytest
import tokenizers

from harness.data.tokenizers import TOKENIZER
from harness.errors import AblateError, ConfigError

TRAINING = ["the cat sat on the mat; the cat ate the rat.\n" * 20, "Straße, naïve, 東京 😀\r\n"]
NASTY = [
    "",
    " ",
    "\n\n\t \r\n",
    "the cat<|endoftext|>the mat",
    "never seen: ZQX 12345 ±∮ 東京 👩‍👩‍👧 e\u0301",
    "\x00\x01\x7f\ufeff\uffff\U0010ffff",
    *TRAINING,
]


OF_TEXT = ["byte", "bpe", "file"]


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tokenizer")
    learned = TOKENIZER["bpe"](vocab_size=300)
    learned.train(TRAINING)
    learned.save(folder)
    return folder / "tokenizer.json"


@pytest.fixture(params=OF_TEXT)
def spec(request, file):
    options = {"path": str(file)} if request.param == "file" else {}
    return TOKENIZER.resolve({"name": request.param, **options})


@pytest.fixture
def tokenizer(spec):
    tokenizer = TOKENIZER.build(spec)
    tokenizer.train(TRAINING)
    return tokenizer


def test_every_tokenizer_of_text_is_tested_here():
    assert set(OF_TEXT) == {name for name in TOKENIZER if TOKENIZER[name].of_text}


@pytest.mark.row("R4-17")
def test_decoding_returns_the_text(tokenizer):
    for text, ids in zip(NASTY, tokenizer.encode(NASTY), strict=True):
        assert tokenizer.decode(ids) == text


def test_ids_are_below_vocab_size_and_no_text_is_a_separator(tokenizer):
    ids = [i for text in tokenizer.encode(NASTY) for i in text]
    assert 0 <= min(ids) <= max(ids) < tokenizer.vocab_size
    assert 0 <= tokenizer.separator < tokenizer.vocab_size
    assert tokenizer.separator not in ids


def test_separators_are_not_decoded(tokenizer):
    [ids] = tokenizer.encode(["a cat"])
    stored = np.array([tokenizer.separator, *ids, tokenizer.separator], np.uint16)
    assert tokenizer.decode(stored) == "a cat"


def test_a_broken_character_is_marked(tokenizer):
    [ids] = tokenizer.encode(["∮"])
    assert set(tokenizer.decode(ids[:-1])) == {"\ufffd"}


def test_a_loaded_tokenizer_is_the_saved_one(tokenizer, spec, tmp_path):
    tokenizer.save(tmp_path)
    loaded = type(tokenizer).load(tmp_path, **spec.options)
    assert loaded.encode(NASTY) == tokenizer.encode(NASTY)
    assert (loaded.vocab_size, loaded.separator) == (tokenizer.vocab_size, tokenizer.separator)


def test_the_library_tokenizers_reads_the_same_code(tokenizer):
    code = tokenizers.Tokenizer.from_str(tokenizer.to_json())
    separator = code.id_to_token(tokenizer.separator)
    assert code.token_to_id("<|endoftext|>") == tokenizer.separator
    code.encode_special_tokens = True  # text never means a separator
    for text, ids in zip(NASTY, tokenizer.encode(NASTY), strict=True):
        assert code.encode(text).ids == ids
        assert code.decode([*ids, tokenizer.separator]) == text
    assert code.get_added_tokens_decoder()[tokenizer.separator].content == separator


def test_training_again_gives_the_same_code(tokenizer, spec):
    again = TOKENIZER.build(spec)
    again.train(iter(TRAINING))
    assert again.encode(NASTY) == tokenizer.encode(NASTY)


def test_vocab_size_is_known_before_training():
    assert TOKENIZER.build(TOKENIZER.resolve("byte")).vocab_size == 257
    assert TOKENIZER.build(TOKENIZER.resolve({"name": "bpe", "vocab_size": 300})).vocab_size == 300


def test_bpe_keeps_its_declared_size_when_the_text_has_fewer_merges():
    tokenizer = TOKENIZER["bpe"](vocab_size=4096)
    tokenizer.train(["aaa"])
    assert tokenizer.vocab_size == 4096


def test_bpe_merges_what_is_frequent():
    tokenizer = TOKENIZER["bpe"](vocab_size=300)
    tokenizer.train(TRAINING)
    assert len(tokenizer.encode([" the"])[0]) == 1
    assert len(tokenizer.encode([" xyz"])[0]) == 4


def test_bpe_stays_within_its_declared_size():
    tokenizer = TOKENIZER["bpe"](vocab_size=260)
    tokenizer.train(TRAINING)
    assert max(tokenizer.encode(TRAINING)[0]) == 259


@pytest.mark.parametrize("size", [256, 0, 2**21, "1024"])
def test_bpe_refuses_an_impossible_size(size):
    with pytest.raises(ConfigError, match=f"vocab_size: .*but got {size!r}"):
        TOKENIZER.resolve({"name": "bpe", "vocab_size": size})


def test_bpe_does_not_memorise_what_it_saw_once():
    tokenizer = TOKENIZER["bpe"]()
    tokenizer.train([" zq zq", " once"])
    assert [len(ids) for ids in tokenizer.encode([" zq", " once"])] == [1, 5]


def test_ids_are_written_as_numbers():
    ids = TOKENIZER["ids"](vocab_size=100, separator=3)
    assert ids.encode(["17 4  9", "", "99\n0"]) == [[17, 4, 9], [], [99, 0]]
    assert ids.decode(np.array([3, 17, 4, 3])) == "17 4"
    assert not ids.of_text


@pytest.mark.parametrize("word", ["100", "-1", "x", "1.0", "²"])
def test_a_word_that_is_no_id_is_named(word):
    with pytest.raises(AblateError, match=f"ids below 100 .* but got {word!r}"):
        TOKENIZER["ids"](vocab_size=100).encode([f"1 {word} 3"])


def test_the_library_tokenizers_reads_ids_too():
    ids = TOKENIZER["ids"](vocab_size=12)
    code = tokenizers.Tokenizer.from_str(ids.to_json())
    assert code.encode("11 4 9").ids == [11, 4, 9]
    assert code.decode([11, 4, 9, 0]) == "11 4 9"
    assert code.get_vocab_size() == 12


def test_a_separator_is_an_id():
    with pytest.raises(ConfigError, match=r"separator must be below vocab_size \(4\), got 4"):
        TOKENIZER.build(TOKENIZER.resolve({"name": "ids", "vocab_size": 4, "separator": 4}))
