"""Parameters as Prefect's form shows them: names to choose from, numbers with bounds.

Prefect makes the form of a deployment from the types of a flow's parameters, and refuses what does
not fit them before a run is made. Names are those of the project when the flow was deployed; what
was added since is known to the flow itself, which takes any name and says what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Annotated, Any, TypeVar, get_type_hints

from pydantic import Field

from segmodels.errors import SegmodelsError

Function = TypeVar("Function", bound=Callable[..., Any])

#: Stages at a time, tries: whole numbers that are not below this.
AT_LEAST_ONE = Annotated[int, Field(ge=1)]
NOT_NEGATIVE = Annotated[int, Field(ge=0)]
HOURS = Annotated[float, Field(gt=0)]
#: Where networks run, as PyTorch names it.
DEVICE = Annotated[str, Field(pattern=r"^(cpu|mps|cuda(:\d+)?)$")]


def one_of(names: Callable[[], Iterable[str]]) -> Any:
    """The type of a name that the form offers from a list; any text where there is no list."""
    try:
        known = list(dict.fromkeys(names()))
    except (SegmodelsError, OSError):  # outside a project, or in one that is broken: runs will say
        known = []
    return Annotated[str, Field(json_schema_extra={"enum": [*known]})] if known else str


def several_of(names: Callable[[], Iterable[str]]) -> Any:
    """The type of some names of a list."""
    return list[one_of(names)]  # type: ignore[misc]  # made when the flow is loaded


def typed(function: Function, **types: Any) -> Function:
    """The same function with some parameters of another type, as objects and not as words.

    A runner that loads a file by its path resolves no annotation that is a word.
    """
    function.__annotations__ = {**get_type_hints(function), **types}
    return function


def runs() -> Iterable[str]:
    """Names of all runs."""
    from segmodels.runs.run import run_names

    return run_names()


def trainings() -> Iterable[str]:
    """Names of runs that train their weights."""
    from segmodels.runs.run import load_runs

    return [name for name, run in load_runs().items() if run.recipe]


def suites() -> Iterable[str]:
    """Names of all suites of runs."""
    from segmodels.runs.suite import suite_names

    return suite_names()


def stress_suites() -> Iterable[str]:
    """Names of all robustness suites."""
    from segmodels.core.settings import project_root
    from segmodels.core.yaml_entries import read_yaml

    return dict(read_yaml(project_root() / "params" / "robustness.yaml"))


def claims() -> Iterable[str]:
    """Ids of all claims and statements."""
    from segmodels.claims import load_claims, load_statements

    return [*load_claims(), *load_statements()]
