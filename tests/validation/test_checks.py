from harness.validation.cache_bytes import check_cache_bytes
from harness.validation.finding import Outcome
from harness.validation.leaks import check_leaks


def test_caches_shrink_with_their_heads():
    found = check_cache_bytes()
    assert (found.outcome, found.found) == (Outcome.AS_EXPECTED, "8, 4, 2")


def test_a_planted_leak_is_found_where_it_is():
    found = check_leaks()
    assert found.outcome is Outcome.AS_EXPECTED
    assert "blocks.1.ffn (ffn) looks ahead" in found.found
    assert found.found.endswith("without it nothing")
