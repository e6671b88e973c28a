"""SVG elements: text is escaped by the writer, numbers are short, nothing is fetched."""

from pathlib import Path
from xml.etree import ElementTree

WIDTH = 480
PER_LETTER = 7.2
"""About the width of a letter, in the same units: nothing here can measure text."""
STYLE = Path(__file__).with_name("chart.css").read_text()

Element = ElementTree.Element
Attribute = str | float | None


def element(tag: str, *children: Element, text: str = "", **attributes: Attribute) -> Element:
    """Make an element; `class_` and `stroke_width` stand for `class` and `stroke-width`."""
    written = {
        name.rstrip("_").replace("_", "-"): value if isinstance(value, str) else short(value)
        for name, value in attributes.items()
        if value is not None
    }
    made = Element(tag, written)
    made.text = _printable(text) or None
    made.extend(children)
    return made


def words(text: str, x: float, y: float, class_: str = "", *, anchor: str = "start") -> Element:
    """Write a line of text."""
    return element("text", text=text, x=x, y=y, class_=class_ or None, text_anchor=anchor)


def dot(x: float, y: float, class_: str, tip: str) -> Element:
    """Draw a dot that says what it is when pointed at."""
    return element("circle", element("title", text=tip), cx=x, cy=y, r=3, class_=f"dot {class_}")


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> Element:
    """Draw a straight line."""
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


def path(points: list[tuple[float, float]], class_: str, *, closed: bool = False) -> Element:
    """Draw a line through points, or the area within them."""
    joined = "L".join(f"{short(x)},{short(y)}" for x, y in points)
    return element("path", d=f"M{joined}{'Z' if closed else ''}", class_=class_)


def drawing(height: float, title: str, *children: Element) -> str:
    """Return a whole drawing, with the name that a screen reader says."""
    root = element(
        "svg",
        element("title", text=title),
        *children,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {WIDTH} {short(height)}",
        role="img",
        class_="chart",
    )
    ElementTree.indent(root, " ")
    return ElementTree.tostring(root, encoding="unicode")


def standalone(svg: str) -> str:
    """Return a drawing as a file of its own, which brings its style along."""
    head, _, rest = svg.partition(">")
    return f"{head}>\n<style>{STYLE}</style>{rest}\n"


def short(number: float) -> str:
    """Write a coordinate to a tenth of a unit."""
    written = f"{number:.1f}".removesuffix(".0")
    return "0" if written == "-0" else written


def _printable(text: str) -> str:
    """Leave out what XML cannot hold."""
    return "".join(c for c in text if c.isprintable() or c == "\n")
