"""The audit's table: every layer class of TF.js 4.22 that has gradients, with the options that matter."""

from __future__ import annotations

from tests.gradients.case import Case
from tests.gradients.cases import basics, convolution, images, pooling, recurrent, training

CASES: dict[str, Case] = {}
for _module in (basics, convolution, pooling, images, recurrent, training):
    for _case in _module.CASES:
        if _case.name in CASES:
            raise AssertionError(f"two cases are called {_case.name}")
        CASES[_case.name] = _case
