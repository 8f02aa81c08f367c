"""Whose class an entry of a file means: Keras's own, or another's that may have the same name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_HOMES = frozenset({"keras", "tf_keras", "tensorflow", "keras_core", "builtins"})
_OF_KERAS_2 = ("is_legacy_optimizer", "jit_compile")
_REGISTERED = "Custom>"


def is_custom(entry: Mapping[str, Any]) -> bool:
    """Tell a class of the submitter's from Keras's own, where the file says it.

    Keras 3 writes of its own classes the module, and of others their module and the name they are
    registered under; the module is null where the class stands in a script or a notebook. A `.h5`
    says nothing of either.
    """
    module, registered = entry.get("module"), entry.get("registered_name")
    if isinstance(module, str) and module:
        return module.partition(".")[0] not in _HOMES
    return registered is not None


def optimizer_class(entry: Mapping[str, Any]) -> str:
    """Give an optimizer's class as the file names it.

    TensorFlow 2.11 to 2.15 write "Custom>Adam" for Keras's own Adam. In files of Keras 3 such a
    name is a class of the submitter's, which keeps it; Keras 3 has none of that version's options.
    """
    name, config = str(entry.get("class_name")), entry.get("config")
    if isinstance(config, dict) and any(option in config for option in _OF_KERAS_2):
        return name.removeprefix(_REGISTERED)
    return name
