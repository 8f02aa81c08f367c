"""Numbers of one step that are the same for every weight, in double precision."""

from __future__ import annotations

from functools import lru_cache

from potluck.protocol.optimizers import Adam, Adamax, AdamW, Ftrl, Nadam


def adam_factors(optimizer: Adam | AdamW, iteration: int, rate: float) -> tuple[float, ...]:
    """Give Adam's rate with its corrections of bias."""
    one, two = optimizer.beta_1, optimizer.beta_2
    corrected = rate * (1 - two**iteration) ** 0.5 / (1 - one**iteration)
    return corrected, 1 - one, 1 - two, optimizer.epsilon


def adamax_factors(optimizer: Adamax, iteration: int, rate: float) -> tuple[float, ...]:
    """Give Adamax's rate with its correction of bias."""
    one = optimizer.beta_1
    return rate / (1 - one**iteration), 1 - one, optimizer.beta_2, optimizer.epsilon


def nadam_factors(optimizer: Nadam, iteration: int, rate: float) -> tuple[float, ...]:
    """Give Nadam's shares of momentum and gradient.

    Keras keeps the product of its momenta (`u_product`); it follows from the iteration.
    """
    one, two = optimizer.beta_1, optimizer.beta_2
    here, there = _nadam_momentum(one, iteration), _nadam_momentum(one, iteration + 1)
    product = _nadam_product(one, iteration)
    of_m = rate * there / (1 - product * there)
    of_g = rate * (1 - here) / (1 - product)
    return of_m, of_g, 1 / (1 - two**iteration), 1 - one, 1 - two, optimizer.epsilon


def _nadam_momentum(beta_1: float, iteration: int) -> float:
    return beta_1 * (1 - 0.5 * 0.96**iteration)


@lru_cache(maxsize=256)
def _nadam_product(beta_1: float, iteration: int) -> float:
    product = 1.0
    for step in range(1, iteration + 1):
        product *= _nadam_momentum(beta_1, step)
        if product == 0.0:
            break  # it stays so
    return product


def ftrl_factors(optimizer: Ftrl, iteration: int, rate: float) -> tuple[float, ...]:
    """Give Ftrl's strengths; `beta` adds to the L2 one by the rate."""
    del iteration
    l2 = optimizer.l2_regularization_strength
    if optimizer.beta:
        l2 += optimizer.beta / (2 * rate) if rate else float("inf")
    return (
        rate,
        -optimizer.learning_rate_power,
        optimizer.l1_regularization_strength,
        2 * l2,
        2 * optimizer.l2_shrinkage_regularization_strength,
    )
