"""Keras on JAX on the CPU: chosen by the environment, which must be set before the import."""

from __future__ import annotations

import os
from typing import Any

ENVIRONMENT = {
    "KERAS_BACKEND": "jax",
    "JAX_PLATFORMS": "cpu",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    # A worker is one of several: each keeps to about one core.
    "OMP_NUM_THREADS": "1",
    "POLARS_MAX_THREADS": "2",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false",
}


def load_keras() -> Any:
    """Import Keras on JAX. Raises RuntimeError where this process runs it on something else."""
    os.environ.setdefault("KERAS_BACKEND", "jax")
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    import keras

    if keras.config.backend() != "jax":
        raise RuntimeError(f"scoring needs Keras on JAX, not on {keras.config.backend()}")
    return keras
