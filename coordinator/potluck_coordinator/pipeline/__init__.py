"""Dataset to tensors and back: pure functions on bytes and arrays, for worker processes."""

from __future__ import annotations

from potluck_coordinator.pipeline.bundled import bundled, bundled_file
from potluck_coordinator.pipeline.dataset import Dataset
from potluck_coordinator.pipeline.decoder import Decoded, decode
from potluck_coordinator.pipeline.encoder import Encoded, encode
from potluck_coordinator.pipeline.facts import LayerFacts, ModelFacts
from potluck_coordinator.pipeline.plan import Plan, plan_study
from potluck_coordinator.pipeline.profile import profile
from potluck_coordinator.pipeline.reader import ReadLimits, read_dataset
from potluck_coordinator.pipeline.sayable import check_columns
from potluck_coordinator.pipeline.split import Fold, Splits, split_rows
from potluck_coordinator.pipeline.tensors import from_safetensors, to_safetensors

__all__ = [
    "Dataset",
    "Decoded",
    "Encoded",
    "Fold",
    "LayerFacts",
    "ModelFacts",
    "Plan",
    "ReadLimits",
    "Splits",
    "bundled",
    "bundled_file",
    "check_columns",
    "decode",
    "encode",
    "from_safetensors",
    "plan_study",
    "profile",
    "read_dataset",
    "split_rows",
    "to_safetensors",
]
