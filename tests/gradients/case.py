"""What one audited case is: a few of TF.js's own layers with options, on inputs of given shapes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

Shape = tuple[int, ...]
LayerSpec = tuple[str, dict[str, Any]]
Values = Literal["apart", "uniform", "whole"]


@dataclass(frozen=True)
class Case:
    """Layers one behind the other; the first takes all inputs. Shapes have the batch first."""

    name: str
    family: str
    layers: tuple[LayerSpec, ...]
    inputs: tuple[Shape, ...]
    training: bool = False
    values: Values = "uniform"
    low: float = -1.0
    high: float = 1.0
    zero_steps: bool = False
    """Whether some steps of each row are zeros, for a mask to hide."""
    loss: str | None = None
    truth: str | None = None
    """What the loss compares with: shares, positive, bits, signs or labels."""
    optimizer: str | None = None
    rate: float = 0.0
    written: bool = False
    """Whether no kernel can mend the first layer: the converter then writes one of ours instead."""

    def job(self, *, stock: bool) -> dict[str, Any]:
        """Give what the page needs to know, for TF.js as it comes or with ours installed."""
        left_out = {"name", "family", "layers", "written"}
        told = {k: v for k, v in asdict(self).items() if k not in left_out}
        told["zeroSteps"] = told.pop("zero_steps")
        return told | {"topology": self._topology(stock) if self.layers else None}

    def _topology(self, stock: bool) -> dict[str, Any]:
        """Give TF.js's configuration of a model: inputs, then the layers."""
        dtype = "int32" if self.values == "whole" else "float32"
        layers: list[dict[str, Any]] = [
            {
                "class_name": "InputLayer",
                "name": f"input_{i}",
                "config": {
                    "name": f"input_{i}",
                    "batch_input_shape": list(shape),
                    "dtype": dtype,
                },
                "inbound_nodes": [],
            }
            for i, shape in enumerate(self.inputs)
        ]
        starts = [layer["name"] for layer in layers]
        before = starts
        for index, (class_name, config) in enumerate(self.layers):
            name = f"layer{index + 1 if index else ''}"
            ours = self.written and index == 0 and not stock
            layers.append(
                {
                    "class_name": f"Potluck{class_name}" if ours else class_name,
                    "name": name,
                    "config": {**config, "name": name},
                    "inbound_nodes": [[[source, 0, 0, {}] for source in before]],
                }
            )
            before = [name]
        return {
            "name": "model",
            "layers": layers,
            "input_layers": [[name, 0, 0] for name in starts],
            "output_layers": [[before[0], 0, 0]],
        }


def words(options: dict[str, Any]) -> str:
    """Say options in a line; initializers are not worth one."""
    return ", ".join(
        f"{key}={value['class_name'] if isinstance(value, dict) else value}"
        for key, value in options.items()
        if "initializer" not in key and key != "name"
    )


def case(
    family: str,
    class_name: str,
    shape: Shape | Sequence[Shape],
    /,
    *,
    about: str = "",
    before: Sequence[LayerSpec] = (),
    after: Sequence[LayerSpec] = (),
    case_options: dict[str, Any] | None = None,
    **config: Any,
) -> Case:
    """Make a case of one layer, maybe with others before and behind it."""
    shapes = tuple(shape) if isinstance(shape[0], tuple) else (shape,)
    said = about or words(config)
    name = f"{class_name}: {said}" if said else class_name
    layers = (*before, (class_name, config), *after)
    return Case(name, family, layers, shapes, **(case_options or {}))  # type: ignore[arg-type]
