"""The audit's table: TF.js 4.22's layers that have gradients, with the options that matter."""

from __future__ import annotations

from tests.gradients.cases import basics, convolution, images, pooling, recurrent, training

_MODULES = (basics, convolution, pooling, images, recurrent, training)
_ALL = [case for module in _MODULES for case in module.CASES]
_FAMILIES = list(dict.fromkeys(case.family for case in _ALL))

CASES = {case.name: case for case in sorted(_ALL, key=lambda c: _FAMILIES.index(c.family))}
"""By name, family after family."""
if len(CASES) < len(_ALL):
    raise AssertionError("two cases have one name")
