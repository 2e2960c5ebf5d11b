"""The templates: escaped, strict, and part of the package."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from jinja2 import UndefinedError

import segmodels.leaderboard
from segmodels.leaderboard.templating import environment, render_part

PACKAGE = Path(segmodels.leaderboard.__file__).parent
TEMPLATES = PACKAGE / "templates"


def test_text_is_escaped_and_a_part_is_not_escaped_twice() -> None:
    template = environment().from_string("<b title='{{ text }}'>{{ text }}</b>{{ part }}")
    part = render_part("interval.svg", **dict.fromkeys(NAMES, 1), status="<i>", label="'", edge=())
    made = template.render(text="<i>'\"&", part=part)
    assert made.startswith("<b title='&lt;i&gt;&#39;&#34;&amp;'>&lt;i&gt;&#39;&#34;&amp;</b><svg ")
    assert 'class="interval &lt;i&gt;" role="img" aria-label="&#39;"' in made


NAMES = ("width", "height", "pad", "middle", "low", "dot", "high", "claimed")


def test_what_is_missing_or_unknown_never_reaches_a_page() -> None:
    with pytest.raises(UndefinedError, match="nothing"):
        environment().from_string("{{ nothing }}").render()
    with pytest.raises(UndefinedError, match="nothing"):
        environment().from_string("{{ row.nothing }}").render(row="")
    with pytest.raises(TypeError, match="None where a text must stand"):
        environment().from_string("{{ number }}").render(number=None)


def test_only_our_own_files_enter_the_page_unescaped() -> None:
    found = {
        (path.name, name)
        for path in TEMPLATES.iterdir()
        for name in re.findall(r"{{-? *([^{}]*\|\s*safe[^{}]*?) *-?}}", path.read_text())
    }
    allowed = ("style", "data", "library", "script")
    pages = {("page.html.j2", f"{name}|safe") for name in allowed}
    others = {(f"{page}.html.j2", "style|safe") for page in ("robustness_page", "changes")}
    assert found == pages | others
    assert not [path for path in TEMPLATES.iterdir() if "autoescape" in path.read_text()]


def test_html_is_written_by_templates_alone() -> None:
    """A tag in a string of the code would be one that nothing escapes."""
    tags = re.compile(r"</?(?:a|b|br|code|dd|div|dl|dt|li|p|section|small|span|svg|td|tr|ul)[ >]")
    sources = [path for path in PACKAGE.rglob("*.py") if path.parent.name != "exports"]
    assert len(sources) > 20
    assert not [path for path in sources if tags.search(path.read_text())]
    marked = [path.name for path in PACKAGE.rglob("*.py") if "Markup(" in path.read_text()]
    assert marked == ["templating.py"]


def test_every_template_can_be_read() -> None:
    names = environment().list_templates()
    assert {path.name for path in TEMPLATES.iterdir()} == set(names)
    for name in names:
        environment().get_template(name)
