"""The class names of a classifier that was converted with ZipMap: they name the targets."""

from __future__ import annotations

from dataclasses import dataclass, replace

from onnx import ModelProto

from sequela.adapters.model_io.outputs import OutputLayout
from sequela.adapters.onnx.output_values import class_labels
from sequela.explain.explanation import ExplanationWarning


@dataclass(frozen=True, slots=True)
class ClassLabels:
    """The classes that an output's columns stand for.

    Attributes:
        output: The output's name.
        names: One for each column; empty if the output is not a list of maps by class.
    """

    output: str
    names: tuple[str, ...]

    @classmethod
    def of(cls, model: ModelProto, output: str) -> ClassLabels:
        """Reads the class names from the model as its file has it, before ZipMap is removed."""
        return cls(output, class_labels(model).get(output, ()))

    def name_columns(self, layout: OutputLayout) -> OutputLayout:
        """Returns the layout with these names, if there is a different one for each column."""
        # Targets are chosen by name, so names that repeat or are empty are of no use.
        fits = len(set(self.names)) == layout.count and all(self.names)
        return replace(layout, names=self.names) if fits else layout

    @property
    def warnings(self) -> tuple[ExplanationWarning, ...]:
        """A warning that the tensor in front of ZipMap is explained, if there is one."""
        if not self.names:
            return ()
        text = f"Output {self.output!r} is a list of maps (ZipMap). The array of probabilities that they are made "
        text += "of is explained, and its targets are named after the classes. To have the array itself as output, "
        text += "convert the model with zipmap=False."
        return (ExplanationWarning("ZIPMAP_READ_AS_ARRAY", text),)
