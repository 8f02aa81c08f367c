"""The table of parity cases, by family: one archive of oracles each."""

from __future__ import annotations

from tests.parity.case import Case
from tests.parity.cases import (
    basics,
    convolution,
    merging,
    normalization,
    pooling,
    recurrent,
    structures,
)

FAMILIES: dict[str, tuple[Case, ...]] = {
    "basics": basics.CASES,
    "convolution": convolution.CASES,
    "pooling": pooling.CASES,
    "normalization": normalization.CASES,
    "recurrent": recurrent.CASES,
    "merging": merging.CASES,
    "structures": structures.CASES,
}
FAMILY_OF = {case.name: family for family, cases in FAMILIES.items() for case in cases}
CASES: dict[str, Case] = {case.name: case for cases in FAMILIES.values() for case in cases}
assert len(CASES) == sum(map(len, FAMILIES.values())), "two cases of one name"
