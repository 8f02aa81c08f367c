"""Layer classes that are not read: the reason for each, and what to do instead."""

from __future__ import annotations

from difflib import get_close_matches

from potluck_converter.errors import ConversionError, shorten
from potluck_converter.layers import RENAMED, TABLE

CONTAINERS = frozenset({"Sequential", "Functional", "Model"})
OWN = "Potluck"
"""Stands before the names of our own TF.js classes."""
PREPARING = frozenset(
    {
        *("CategoryEncoding", "Discretization", "Hashing", "HashedCrossing", "IntegerLookup"),
        *("StringLookup", "TextVectorization", "MelSpectrogram", "STFTSpectrogram"),
        *("DenseFeatures", "SequenceFeatures"),
    }
)
"""Keras's layers that turn words and other data into numbers."""
_AUGMENTING = frozenset(
    {
        *("RandomCrop", "RandomErasing", "RandomHue", "RandomSaturation", "RandomColorJitter"),
        *("RandomColorDegeneration", "RandomGrayscale", "RandomInvert", "RandomPosterization"),
        *("RandomSharpness", "RandomShear", "RandomPerspective", "RandomElasticTransform"),
        *("RandomGaussianBlur", "RandomHeight", "RandomWidth", "RandAugment", "AugMix", "MixUp"),
        "CutMix",
    }
)
"""Keras's layers that change pictures by chance while training."""
_PICTURES = frozenset(
    {
        *("AutoContrast", "Equalization", "ContrastLimitedAdaptiveHistogramEqualization"),
        *("Solarization", "MaxNumBoundingBoxes", "Pipeline"),
    }
)
"""What Keras does to pictures in the same way each time."""
_CUSTOM = "it is a custom class, whose code is not in the file"
_BUILD = "Build it from Keras's own layers; docs/converter.md lists those that are read."
_INSTEAD = {
    "CuDNNLSTM": "LSTM",
    "CuDNNGRU": "GRU",
    "SyncBatchNormalization": "BatchNormalization",
}
"""Classes of older Keras, by what computes the same."""
_UNREAD = frozenset(
    {
        *(f"Adaptive{kind}Pooling{rank}D" for kind in ("Average", "Max") for rank in (1, 2, 3)),
        *("ConvLSTM1D", "ConvLSTM3D", "LocallyConnected1D", "LocallyConnected2D"),
        *("GroupQueryAttention", "GroupedQueryAttention", "ReversibleEmbedding"),
        *("SpectralNormalization", "RandomFourierFeatures"),
    }
)
"""Keras's own, too, and no more than that is known of them."""
_FOREIGN = frozenset({"TFSMLayer", "FlaxLayer", "JaxLayer", "TorchModuleWrapper"})


def refused_class(name: str, class_name: str) -> ConversionError:
    """Say why a class that is not in the table cannot be used."""
    return _refusal(name, class_name, *_reason(class_name.removeprefix(OWN)))


def custom_class(name: str, class_name: str) -> ConversionError:
    """Say that a class is the submitter's, whatever its name is."""
    own = class_name.rpartition(">")[2]
    if RENAMED.get(own, own) in TABLE:
        reason = f"it is a custom class, not Keras's own {shorten(own, 80)}"
        return _refusal(name, class_name, reason, f"Use keras.layers.{own} in its place.")
    return _refusal(name, class_name, _CUSTOM, _near(own))


def _reason(class_name: str) -> tuple[str, str]:
    if class_name in CONTAINERS:
        return "a model is no layer here", "Build it as one flat model."
    if class_name == "Lambda":
        return (
            "a Lambda layer is program code, which Potluck never runs from an upload",
            "Replace it with a built-in layer.",
        )
    if class_name == "KerasLayer":
        return (
            "a TensorFlow Hub module holds a program of TensorFlow's, which cannot be read",
            "Build the model on one of keras.applications instead.",
        )
    if class_name in _FOREIGN:
        return (
            "it holds a program of another library's, which is never run from an upload",
            _BUILD,
        )
    if class_name in PREPARING:
        return (
            "it prepares data, which a study does before the network",
            "Take it out of the model, and save the model from the next layer on. A study encodes "
            "a table's words and whole numbers itself; text becomes token numbers beforehand.",
        )
    if class_name in _AUGMENTING:
        return (
            "it changes pictures by chance, in a way that Potluck does not read yet",
            "Leave it out of the model, or augment the pictures beforehand.",
        )
    if class_name in _PICTURES:
        return (
            "it prepares pictures, in a way that Potluck does not read yet",
            "Leave it out of the model, and do the same to the pictures beforehand.",
        )
    if class_name in _INSTEAD:
        instead = _INSTEAD[class_name]
        return "newer versions of Keras have it no more", f"Use {instead} in its place."
    if class_name in _UNREAD:
        return "it is a layer of Keras's that Potluck does not read yet", _near(class_name)
    return "it is custom, or not among the layers that Potluck knows", _near(class_name)


def _near(class_name: str) -> str:
    near = get_close_matches(class_name, TABLE, 3)
    return (f"Near it: {', '.join(near)}. " if near else "") + _BUILD


def _refusal(name: str, class_name: str, reason: str, hint: str) -> ConversionError:
    shown = shorten(class_name, 80)
    return ConversionError(
        "model.unsupported_layer",
        f'Potluck cannot use layer "{shorten(name, 80)}" of class {shown}: {reason}.',
        expected="layers that Potluck knows",
        got=shown,
        hint=hint,
        where=name,
    )
