"""The templates: all HTML and SVG of the leaderboard stands in them.

Anybody may write a claim, so everything that enters a template is escaped.
"""

from __future__ import annotations

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from segmodels.leaderboard import links, policy, words
from segmodels.leaderboard.parts import OUTCOMES, summary
from segmodels.leaderboard.pieces import file_link, link, prose
from segmodels.leaderboard.todo import tells_everything, todo_items
from segmodels.verdicts.verdict import STATUSES

#: Functions that a template can call as filters.
_FILTERS = (
    *(words.below_status, words.bounds, words.digits, words.evidence_name, words.level),
    *(
        words.meaning,
        words.metric,
        words.number,
        words.paper,
        words.percent,
        words.side,
        words.signed,
        words.tone,
    ),
    *(file_link, link, prose, summary, tells_everything, todo_items),
)
_CONSTANTS = {
    "BESIDE": policy.BESIDE,
    "GENERATOR": words.GENERATOR,
    "OUTCOMES": OUTCOMES,
    "STATUSES": STATUSES,
    "UP": links.UP,
}


@cache
def environment() -> Environment:
    """Templates of `templates/`: everything is escaped, and a name that is missing is an error.

    So is a value that is None: no page says `None`.
    """
    made = Environment(
        loader=PackageLoader("segmodels.leaderboard"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,
        finalize=_known,
    )
    made.filters.update({function.__name__: function for function in _FILTERS})
    made.globals = dict(_CONSTANTS)
    made.tests["file"] = links.is_file
    return made


def render(template: str, /, **values: object) -> str:
    """A template filled in, as a file.

    Args:
        template: file in `templates/` without `.j2`.
        values: what enters it; text is escaped.
    """
    return environment().get_template(f"{template}.j2").render(values)


def render_part(template: str, /, **values: object) -> Markup:
    """A template filled in, which another template takes as it is."""
    return Markup(render(template, **values))


def _known(value: object) -> object:
    if value is None:
        raise TypeError("a template was given None where a text must stand")
    return value
