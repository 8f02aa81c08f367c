"""One unit's training, step by step, compiled by JAX.

Between two steps the whole state can be taken out (`state`), and training that is opened from it
goes on bit for bit on the same machine: every step is the same program.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from math import prod
from typing import Any, Protocol

import numpy as np

from potluck.protocol.optimizers import AnyOptimizer
from potluck.protocol.schedules import Plateau
from potluck.protocol.study import LossName, LossOptions
from potluck_coordinator.scoring.programs import Programs
from potluck_coordinator.training.checkpoint import BadTensors, State, read_checkpoint, read_tensors
from potluck_coordinator.training.draws import Draws, Shape, drawing
from potluck_coordinator.training.losses import row_losses, weighted
from potluck_coordinator.training.network import Network, open_network
from potluck_coordinator.training.optimizers import (
    PlateauState,
    Step,
    after_epoch,
    initial_of,
    kind_of,
    rate_at,
    step_of,
)
from potluck_coordinator.training.randomness import epoch_order, normals

KEPT = 8
"""Compiled networks that are kept: a study's units share few topologies."""


class Recipe(Protocol):
    """The part of a unit that decides what its weights become."""

    @property
    def rows(self) -> int: ...
    @property
    def batch_size(self) -> int: ...
    @property
    def steps_per_epoch(self) -> int: ...
    @property
    def optimizer(self) -> AnyOptimizer: ...
    @property
    def loss(self) -> LossName: ...
    @property
    def loss_options(self) -> LossOptions: ...
    @property
    def from_logits(self) -> bool: ...
    @property
    def seed(self) -> int: ...


@dataclass
class Compiled:
    """A network and its training step; weights, slots and numbers are the step's arguments."""

    network: Network
    optimizer: Step
    step: Any
    wanted: dict[int, dict[str, Shape]] = field(default_factory=dict)
    """Normal numbers that a batch of so many rows takes."""


_kept: Programs[tuple[object, ...], Compiled] = Programs(KEPT)


def compiled_for(topology: bytes, recipe: Recipe, *, exact: bool = True) -> Compiled:
    """Build a training step, or take the one that this process has kept.

    Args:
        topology: The network.
        recipe: How it is trained.
        exact: Refuse what draws other random numbers here than elsewhere.

    Raises:
        Unsupported: It would not be trained exactly here, or not at all.
    """
    name = hashlib.sha256(topology).digest()
    of_rows = partial(row_losses, recipe.loss, recipe.loss_options, recipe.from_logits)

    def build() -> Compiled:
        import jax

        network = open_network(topology, exact=exact)
        optimizer = step_of(recipe.optimizer)
        return Compiled(network, optimizer, jax.jit(partial(_step, network, optimizer, of_rows)))

    return _kept.get((name, exact, kind_of(recipe.optimizer), of_rows.args), build)


def _step(
    network: Network, optimizer: Step, of_rows: Callable[[Any, Any], Any], state: Any, batch: Any
) -> Any:
    import jax
    import jax.numpy as jnp

    trained, fixed, slots, sums = state
    taken = {name: jnp.take(batch[name], batch["rows"], axis=0) for name in "xyw" if name in batch}

    def loss_of(values: Any) -> Any:
        outputs, moved, penalties = network.model.stateless_call(
            values, fixed, taken["x"], training=True, return_losses=True
        )
        outputs = outputs[0] if isinstance(outputs, list | tuple) else outputs
        rows = weighted(of_rows(taken["y"], outputs), taken.get("w"))
        return jnp.mean(rows) + sum(penalties), (jnp.sum(rows), moved)

    with drawing(Draws(batch["seed"], batch["step"], batch["normals"])):
        (_, (total, moved)), gradients = jax.value_and_grad(loss_of, has_aux=True)(trained)
    made, kept = optimizer.apply(jnp, trained, gradients, slots, batch["factors"])
    weights = [
        value if variable.constraint is None else variable.constraint(value)
        for variable, value in zip(network.model.trainable_variables, made, strict=True)
    ]
    here = jnp.stack([total, jnp.float32(batch["rows"].shape[0])])
    # An epoch's sums stay readable until the next one starts.
    sums = jnp.where(batch["first"], here, sums + here)
    return weights, moved, kept, sums


class Training:
    """A unit under way. Raises Unsupported where it cannot be trained exactly, else BadTensors.

    `exact`: with False a layer may draw other random numbers than elsewhere.
    """

    def __init__(
        self,
        recipe: Recipe,
        topology: bytes,
        checkpoint: bytes,
        tensors: bytes,
        *,
        exact: bool = True,
    ) -> None:
        import jax.numpy as jnp

        self._recipe = recipe
        self._compiled = compiled_for(topology, recipe, exact=exact)
        data, _ = read_tensors(tensors)
        if any(name not in data or data[name].shape[:1] != (recipe.rows,) for name in "xy"):
            raise BadTensors(f"x and y should have {recipe.rows} rows each")
        if "w" in data and data["w"].shape != (recipe.rows,):
            raise BadTensors(f"w should be {recipe.rows} weights")
        start = read_checkpoint(checkpoint)
        network = self._compiled.network
        _check_weights(network, start)
        fixed = network.model.non_trainable_variables
        slots = [
            [
                jnp.asarray(_slot(start, recipe.optimizer, slot, name, network.shapes[name]))
                for slot in self._compiled.optimizer.slots
            ]
            for name in network.trained
        ]
        self._state: Any = (
            [jnp.asarray(start.weights[name]) for name in network.trained],
            [
                variable.value if name is None else jnp.asarray(start.weights[name])
                for name, variable in zip(network.fixed, fixed, strict=True)
            ],
            slots,
            jnp.asarray([start.loss_sum, start.loss_rows], jnp.float32),
        )
        self._kept = {name: start.weights[name] for name in network.kept}
        self._data = {name: jnp.asarray(data[name]) for name in "xyw" if name in data}
        self._iteration = start.iteration
        self._plateau = None if start.plateau is None else PlateauState.read(start.plateau)
        self._decided = start.step
        self._order: tuple[int, Any] = (-1, None)
        self.step = start.step
        """Steps finished, counted over the whole trial."""

    @property
    def epoch(self) -> int:
        """Whole epochs finished, counted over the whole trial."""
        return self.step // self._recipe.steps_per_epoch

    def advance(self) -> None:
        """Train on the next batch. The work is only handed over; `loss` waits for it."""
        recipe, epoch = self._recipe, self.epoch
        self._decide()
        if self._order[0] != epoch:
            self._order = (epoch, epoch_order(recipe.seed, epoch, recipe.rows))
        place = self.step % recipe.steps_per_epoch
        rows = self._order[1][place * recipe.batch_size : (place + 1) * recipe.batch_size]
        rate = rate_at(recipe.optimizer, recipe.steps_per_epoch, self._iteration, self._plateau)
        self._iteration += 1
        factors = self._compiled.optimizer.factors(recipe.optimizer, self._iteration, rate)
        batch: dict[str, Any] = {
            **self._data,
            "rows": rows,
            "seed": np.uint32(recipe.seed),
            "step": np.uint32(self.step),
            "factors": _float32(factors),
            "first": np.bool_(place == 0),
            "normals": None,
        }
        if self._compiled.network.draws_normals:
            batch["normals"] = {
                purpose: normals(recipe.seed, purpose, self.step, prod(shape)).reshape(shape)
                for purpose, shape in self._wanted(len(rows)).items()
            }
        self._state = self._compiled.step(self._state, batch)
        self.step += 1

    def loss(self) -> float:
        """Wait for all steps so far; give the mean row loss of the epoch in hand, or just ended."""
        total, rows = np.asarray(self._state[3])
        return float(total / rows) if rows else 0.0

    def _decide(self) -> None:
        """Let a plateau schedule see the epoch that has just ended, once."""
        schedule = self._recipe.optimizer.schedule
        ended = self.step > self._decided and self.step % self._recipe.steps_per_epoch == 0
        if isinstance(schedule, Plateau) and ended:
            rate = self._recipe.optimizer.learning_rate
            self._plateau = after_epoch(schedule, rate, self._plateau, self.loss())
            self._decided = self.step

    def state(self) -> State:
        """Read the whole state back."""
        self._decide()
        trained, fixed, slots, sums = self._state
        network, optimizer = self._compiled.network, self._compiled.optimizer
        weights = dict(zip(network.trained, map(np.asarray, trained), strict=True))
        weights |= {
            name: np.asarray(value)
            for name, value in zip(network.fixed, fixed, strict=True)
            if name is not None
        } | self._kept
        total, rows = np.asarray(sums)
        return State(
            weights=weights,
            slots={
                slot: {
                    name: np.asarray(own[index])
                    for name, own in zip(network.trained, slots, strict=True)
                }
                for index, slot in enumerate(optimizer.slots)
            },
            iteration=self._iteration,
            loss_sum=float(total),
            loss_rows=float(rows),
            plateau=None if self._plateau is None else self._plateau.numbers(),
            epoch=self.epoch,
            step=self.step,
        )

    def _wanted(self, rows: int) -> dict[str, Shape]:
        """Find out which normal numbers a batch takes, by an abstract forward pass."""
        found = self._compiled.wanted.get(rows)
        if found is not None:
            return found
        import jax

        model = self._compiled.network.model
        draws = Draws(np.uint32(0), np.uint32(0))

        def forward(trained: Any, fixed: Any, x: Any) -> Any:
            return model.stateless_call(trained, fixed, x[:rows], training=True)[0]

        with drawing(draws):
            jax.eval_shape(forward, self._state[0], self._state[1], self._data["x"])
        self._compiled.wanted[rows] = draws.wanted
        return draws.wanted


def _slot(
    start: State, optimizer: AnyOptimizer, slot: str, name: str, shape: tuple[int, ...]
) -> Any:
    saved = start.slots.get(slot, {}).get(name)
    return np.full(shape, initial_of(optimizer, slot), np.float32) if saved is None else saved


def _float32(factors: dict[str, Any]) -> dict[str, Any]:
    own = tuple(np.float32(factor) for factor in factors["own"])
    return {name: np.float32(factor) for name, factor in factors.items() if name != "own"} | {
        "own": own
    }


def _check_weights(network: Network, start: State) -> None:
    missing = sorted(set(network.shapes) - set(start.weights))
    unknown = sorted(set(start.weights) - set(network.shapes))
    if missing or unknown:
        raise BadTensors(f"weights missing: {missing}; unknown: {unknown}")
    for name, shape in network.shapes.items():
        if start.weights[name].shape != shape:
            raise BadTensors(f"{name} has shape {start.weights[name].shape} instead of {shape}")
