"""The classes of a classifier that was converted with ZipMap: they name the targets."""

from __future__ import annotations

from dataclasses import dataclass, replace

from onnx import ModelProto

from sequela.adapters.model_io.outputs import OutputLayout
from sequela.adapters.onnx.output_values import class_labels
from sequela.explain.result.explanation import ExplanationWarning


@dataclass(frozen=True, slots=True)
class ClassLabels:
    """Of an output's columns; none where its values are not a map by class. `output`: its name."""

    output: str
    names: tuple[str, ...]

    @classmethod
    def of(cls, model: ModelProto, output: str) -> ClassLabels:
        """Those of an output of the model as its file has it."""
        return cls(output, class_labels(model).get(output, ()))

    def named(self, layout: OutputLayout) -> OutputLayout:
        """The layout with these names, where they fit it."""
        fits = len(set(self.names)) == layout.count and all(self.names)
        return replace(layout, names=self.names) if fits else layout

    @property
    def warnings(self) -> tuple[ExplanationWarning, ...]:
        """That the probabilities were read from behind the maps."""
        if not self.names:
            return ()
        text = (
            f"Output {self.output!r} is a list of maps (ZipMap): the probabilities behind it are explained, "
        )
        text += "its targets are named after the classes. Convert with zipmap=False to have them as an array."
        return (ExplanationWarning("ZIPMAP_READ_AS_ARRAY", text),)
