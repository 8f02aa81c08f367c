"""Which loss suits which task and model, what it can be told, and how its outputs are read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from potluck.protocol.study import LossName, LossOptions, StudySpec, Task
from potluck_coordinator.core.errors import BadStudy

Shape = Literal["two", "several", "amount"]
"""What an output stands for: one number for two classes, one for each class, or an amount."""
Reading = Literal["probabilities", "logits", "margins", "amounts"]
Option = float | bool
BALANCE: Mapping[str, Option] = {"gamma": 2.0, "alpha": 0.25, "label_smoothing": 0.0}
NEVER_NEGATIVE = ("exponential", "hard_sigmoid", "relu", "relu6", "sigmoid", "softplus")


@dataclass(frozen=True)
class Kind:
    """What a loss asks of a model: last activations with their reading, and its options."""

    shapes: tuple[Shape, ...]
    activations: Mapping[str, Reading]
    options: Mapping[str, Option] = field(default_factory=dict)
    own_units: bool = False
    """The target is left in its own units: standardized amounts would mean nothing to it."""


_SHARES: Mapping[str, Reading] = {"softmax": "probabilities"}
_CHANCE: Mapping[str, Reading] = {"sigmoid": "probabilities"}
_SHARES_OR_LOGITS: Mapping[str, Reading] = {**_SHARES, "linear": "logits"}
_CHANCE_OR_LOGIT: Mapping[str, Reading] = {**_CHANCE, "linear": "logits"}
_MARGIN: Mapping[str, Reading] = {"linear": "margins", "tanh": "margins"}
_MARGINS: Mapping[str, Reading] = {**_MARGIN, **_SHARES}
_ANY: Mapping[str, Reading] = {}
_SMOOTHING: Mapping[str, Option] = {"label_smoothing": 0.0}

KINDS: Mapping[LossName, Kind] = {
    "sparse_categorical_crossentropy": Kind(("several",), _SHARES_OR_LOGITS),
    "categorical_crossentropy": Kind(("several",), _SHARES_OR_LOGITS, _SMOOTHING),
    "categorical_focal_crossentropy": Kind(("several",), _SHARES_OR_LOGITS, BALANCE),
    "categorical_hinge": Kind(("several",), _MARGINS),
    "kl_divergence": Kind(("several",), _SHARES),
    "cosine_similarity": Kind(("several",), _MARGINS),
    "binary_crossentropy": Kind(("two",), _CHANCE_OR_LOGIT, _SMOOTHING),
    "binary_focal_crossentropy": Kind(
        ("two",), _CHANCE_OR_LOGIT, {**BALANCE, "apply_class_balancing": False}
    ),
    "hinge": Kind(("two",), _MARGIN),
    "squared_hinge": Kind(("two",), _MARGIN),
    "dice": Kind(("two", "several"), {**_CHANCE, **_SHARES}),
    "tversky": Kind(("two", "several"), {**_CHANCE, **_SHARES}, {"alpha": 0.5, "beta": 0.5}),
    "mean_squared_error": Kind(("amount",), _ANY),
    "mean_absolute_error": Kind(("amount",), _ANY),
    "mean_absolute_percentage_error": Kind(("amount",), _ANY, own_units=True),
    "mean_squared_logarithmic_error": Kind(("amount",), _ANY, own_units=True),
    "huber": Kind(("amount",), _ANY, {"delta": 1.0}),
    "log_cosh": Kind(("amount",), _ANY),
    "poisson": Kind(("amount",), dict.fromkeys(NEVER_NEGATIVE, "amounts"), own_units=True),
}
DEFAULTS: Mapping[Shape, LossName] = {
    "two": "binary_crossentropy",
    "several": "sparse_categorical_crossentropy",
    "amount": "mean_squared_error",
}


@dataclass(frozen=True)
class Loss:
    """A loss with every option settled. `reading`: what the model's outputs then are."""

    name: LossName
    options: Mapping[str, Option]
    reading: Reading
    own_units: bool


def task_of(name: LossName) -> Task:
    """Say what a loss is for."""
    return "regression" if KINDS[name].shapes == ("amount",) else "classification"


def shape_of(task: Task, outputs: int) -> Shape:
    """Say what the outputs stand for."""
    if task == "regression":
        return "amount"
    return "two" if outputs == 1 else "several"


def suited_losses(shape: Shape, activation: str) -> tuple[LossName, ...]:
    """List the losses that a study could ask for."""
    names: tuple[LossName, ...] = get_args(LossName)
    return tuple(name for name in names if _suits(KINDS[name], shape, activation))


def settle_loss(spec: StudySpec, task: Task, outputs: int, activation: str) -> Loss:
    """Settle loss and options. Raises BadStudy `pipeline.loss_unsuited`, `.loss_option`.

    Smoothed class labels are no class numbers: with `label_smoothing`, Keras's categorical
    cross-entropy stands for the sparse one, which is the same without.
    """
    shape = shape_of(task, outputs)
    asked = spec.loss or DEFAULTS[shape]
    name = asked
    if name == "sparse_categorical_crossentropy" and spec.loss_options.label_smoothing:
        name = "categorical_crossentropy"
    if not _suits(KINDS[name], shape, activation):
        raise BadStudy(
            "pipeline.loss_unsuited",
            f"This loss does not suit {task} with {outputs} output"
            f"{'s' if outputs != 1 else ''} and the last activation {activation}.",
            expected=" or ".join(suited_losses(shape, activation)) or "another last activation",
            got=asked,
            hint=_hint(KINDS[name], shape),
            where="loss",
        )
    kind = KINDS[name]
    reading = kind.activations.get(activation, "amounts")
    return Loss(name, _options(name, kind, spec.loss_options), reading, kind.own_units)


def _suits(kind: Kind, shape: Shape, activation: str) -> bool:
    if shape not in kind.shapes:
        return False
    # One softmax output is always 1, several sigmoids are no shares of one whole.
    if activation == {"two": "softmax", "several": "sigmoid"}.get(shape):
        return False
    return not kind.activations or activation in kind.activations


def _hint(kind: Kind, shape: Shape) -> str:
    if shape in kind.shapes:
        suited = [a for a in kind.activations if _suits(kind, shape, a)]
        return f"End the model with {' or '.join(suited)}, or choose another loss."
    return ""


def _options(name: LossName, kind: Kind, asked: LossOptions) -> dict[str, Option]:
    given = asked.model_dump(exclude_none=True)
    foreign = [option for option in given if option not in kind.options]
    # Smoothing by nothing is what every loss does.
    if [o for o in foreign if not (o == "label_smoothing" and given[o] == 0)]:
        raise BadStudy(
            "pipeline.loss_option",
            f"The loss {name} cannot be told this.",
            expected=", ".join(kind.options) or "no options",
            got=", ".join(foreign),
            hint="Choose a loss that takes it, or leave it out.",
            where=f"loss_options.{foreign[0]}",
        )
    return {**kind.options, **{o: v for o, v in given.items() if o not in foreign}}
