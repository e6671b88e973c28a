"""Stored text stays text."""

from dashboard.text import from_docstring, literal


def test_everything_that_markdown_reads_is_escaped():
    assert literal("*a* <b> $x$ :red[b]") == r"\*a\* \<b\> \$x\$ \:red\[b\]"
    assert literal("a\n\n# b") == r"a \# b"


def test_code_of_a_docstring_stays_code():
    assert from_docstring("`w[i]`, *unscaled* `x`.") == r"`w[i]`\, \*unscaled\* `x`\."


def test_only_an_arxiv_number_becomes_a_link():
    linked = from_docstring("A [x](http://evil), arXiv:2305.13245; B")
    assert linked.count("](https://arxiv.org/abs/2305.13245)") == 1
    assert r"\[x\]\(http\:\/\/evil\)\, [arXiv" in linked
