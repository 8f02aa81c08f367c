"""From `submit()`'s arguments to the specification on the wire. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from itertools import pairwise
from typing import Any

from pydantic import ValidationError

from potluck.arguments import checked, plain, shown
from potluck.errors import BadArgument
from potluck.protocol.study import Objective, Pipeline, Split, StudySpec
from potluck.space import parameters

RUNG_FACTOR = 3
"""Each rung trains three times as long as the one before, as in successive halving."""

MOST_PROBLEMS = 3
MOST_RUNGS = 64
"""More of them fall together, whatever the epochs."""

DEFAULT_EPOCHS = 10
DEFAULT_FRACTION = 0.2


@dataclass(frozen=True)
class StudyOptions:
    """What a submitter says about a study, apart from the model and the data.

    `search` maps parameters to values, lists or ranges. `epochs` are those of a whole trial;
    `rungs` a number of rungs, or their epoch counts. `folds` and `validation` (a fraction) exclude
    each other; without either, 0.2 of the rows validate. `fit_first_layer` lets the model's first
    layer start anew where the rows have another width than it takes. `None` leaves the matter to
    the coordinator, which infers it and shows it in the study's plan.
    """

    search: Mapping[str, object] = field(default_factory=dict)
    trials: int = 12
    epochs: int | None = None
    rungs: int | Sequence[int] = 1
    folds: int | None = None
    validation: float | None = None
    test: float = DEFAULT_FRACTION
    stratify: bool = True
    split_seed: int = 0
    duplicates: str | None = None
    target: str | None = None
    features: Sequence[str] | None = None
    task: str | None = None
    scaling: str | None = None
    loss: str | None = None
    loss_options: Mapping[str, object] = field(default_factory=dict)
    class_weight: str | Mapping[str, float] | None = None
    sample_weight: str | None = None
    metric: str | None = None
    direction: str | None = None
    init: str | None = None
    fit_first_layer: bool = False
    sampler: str = "random"
    repeats: int = 1
    seed: int = 0
    name: str | None = None
    description: str = ""
    visibility: str = "public"
    donors: str = "everyone"
    group: str | None = None
    rows_are_public: bool = True


def rung_epochs(rungs: int | Sequence[int], epochs: int | None) -> list[int]:
    """Give the epoch counts at which trials are scored, ascending, the last one the study's.

    A number of rungs spreads them by a factor of three: 3 rungs of 18 epochs are [2, 6, 18]. Equal
    counts fall together, so that few epochs have fewer rungs.
    """
    rungs = checked({"rungs": rungs, "epochs": epochs})["rungs"]
    if isinstance(rungs, int):
        total = DEFAULT_EPOCHS if epochs is None else epochs
        counts = (round(total / RUNG_FACTOR**back) for back in range(min(rungs, MOST_RUNGS)))
        return sorted({max(1, count) for count in counts})
    listed = [int(str(plain(count))) for count in rungs]
    if not listed or any(a >= b for a, b in pairwise(listed)):
        raise BadArgument(
            f"rungs must be ascending epoch counts such as [2, 6, 18], got {shown(rungs)}."
        )
    if epochs is not None and listed[-1] != epochs:
        raise BadArgument(
            f"The last rung is the study's epochs: rungs end with {listed[-1]}, epochs is {epochs}."
        )
    return listed


def study_spec(
    options: StudyOptions, *, model_id: str, dataset_id: str, default_name: str
) -> StudySpec:
    """Write the specification. Raises `BadArgument` for what cannot be written down."""
    given = {each.name: getattr(options, each.name) for each in fields(StudyOptions)}
    options = StudyOptions(**checked(given))
    if options.folds is not None and options.validation is not None:
        raise BadArgument(
            f"folds={options.folds} and validation={options.validation} exclude each other: "
            "give one of them."
        )
    validation = options.validation
    if options.folds is None and validation is None:
        validation = DEFAULT_FRACTION
    # Through plain data, so that pydantic judges the Literals as it would on the wire.
    written: dict[str, Any] = {
        "name": (options.name or default_name)[:120],
        "description": options.description,
        "model_id": model_id,
        "dataset_id": dataset_id,
        "loss": options.loss,
        "loss_options": dict(options.loss_options),
        "class_weight": _by_label(options.class_weight),
        "parameters": parameters(options.search),
        "sampler": options.sampler,
        "trials": options.trials,
        "repeats": options.repeats,
        "rungs": rung_epochs(options.rungs, options.epochs),
        "init": options.init,
        "seed": options.seed,
        "visibility": options.visibility,
        "donors": options.donors,
        "group_id": options.group,
        "rows_are_public": options.rows_are_public,
    }
    try:
        split = Split.model_validate(
            {
                "validation": validation,
                "test": options.test,
                "folds": options.folds,
                "stratify": options.stratify,
                "seed": options.split_seed,
                "duplicates": options.duplicates,
            }
        )
        pipeline = Pipeline.model_validate(
            {
                "target": options.target,
                "features": None if options.features is None else list(options.features),
                "task": options.task,
                "scaling": options.scaling,
                "sample_weight": options.sample_weight,
                "split": split,
            }
        )
        objective = Objective.model_validate(
            {"metric": options.metric, "direction": options.direction}
        )
        return StudySpec.model_validate({**written, "pipeline": pipeline, "objective": objective})
    except ValidationError as error:
        raise BadArgument(_in_words(error)) from None


def _by_label(weights: str | Mapping[str, float] | None) -> str | dict[str, float] | None:
    """Name classes by label: Keras's users write class numbers as numbers."""
    if weights is None or isinstance(weights, str):
        return weights
    found: dict[str, float] = {}
    for given, weight in weights.items():
        label = str(plain(given))
        if label in found:
            raise BadArgument(f"class_weight names the label {shown(label)} twice.")
        found[label] = float(str(plain(weight)))
    return found


def require_consent(options: StudyOptions) -> None:
    """Refuse early to submit rows to everyone that may not reach everyone, and half a group."""
    checked(
        {
            "rows_are_public": options.rows_are_public,
            "donors": options.donors,
            "group": options.group,
        }
    )
    if options.donors == "group" and options.group is None:
        raise BadArgument("donors='group' says by group=... which one: its name, or its id.")
    if options.donors != "group" and options.group is not None:
        raise BadArgument(
            f"group={shown(options.group)} goes with donors='group', and donors is "
            f"{shown(options.donors)}."
        )
    if options.donors == "everyone" and not options.rows_are_public:
        raise BadArgument(
            "rows_are_public=False: with donors='everyone', encoded training rows reach every "
            "donor's browser. Let only your own donors train the study (donors='mine') or those of "
            "a group (donors='group'), or leave names and identifiers out of the features."
        )


def _in_words(error: ValidationError) -> str:
    lines = []
    for problem in error.errors(include_url=False)[:MOST_PROBLEMS]:
        place = ".".join(str(part) for part in problem["loc"]) or "the arguments"
        lines.append(f"{place}: {problem['msg']}, got {shown(problem['input'])}.")
    return "\n".join(lines)
