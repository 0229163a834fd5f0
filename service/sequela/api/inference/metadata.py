"""The metadata of a model in the Open Inference Protocol: the names, datatypes and shapes of its tensors."""

from __future__ import annotations

from collections.abc import Mapping

from sequela.api.inference.outputs import OUTPUTS
from sequela.explain.limits import Limits
from sequela.explain.ports import ModelInfo
from sequela.explain.schema import InputSchema, Role
from sequela.names import model_version
from sequela.oip.datatypes import schema_datatype
from sequela.oip.metadata import FREE_AXIS, ModelMetadata, TensorMetadata

PLATFORM = "sequela"


def model_metadata(name: str, model: ModelInfo, limits: Limits) -> ModelMetadata:
    """Returns the metadata of a model under the requested name, with the shapes for requests without `targets`."""
    return ModelMetadata(
        name=name,
        versions=(model_version(model.name),),
        platform=PLATFORM,
        inputs=tuple(_input(model, item) for item in model.schema.inputs if item.role is not Role.STATE),
        outputs=_outputs(model, limits),
    )


def _input(model: ModelInfo, item: InputSchema) -> TensorMetadata:
    """Returns an input. Its event axis is free, unless the length is fixed and the padding side is unknown."""
    length = FREE_AXIS if model.schema.padding else model.fixed_length or FREE_AXIS
    columns = item.shape or (item.width,)
    shapes: Mapping[Role, tuple[int, ...]] = {
        Role.EVENTS: (FREE_AXIS, length, *columns),
        Role.STATIC: (FREE_AXIS, *columns),
        Role.MASK: (FREE_AXIS, length),
        Role.LENGTH: (FREE_AXIS,),
    }
    return TensorMetadata(item.name, schema_datatype(item.dtype).name, shapes[item.role])


def _outputs(model: ModelInfo, limits: Limits) -> tuple[TensorMetadata, ...]:
    sizes = {
        "events": FREE_AXIS,
        "features": len(model.schema.features),
        # Without the parameter `targets`, no more than these are explained.
        "targets": min(len(model.schema.targets), limits.max_targets),
    }
    return tuple(
        TensorMetadata(name, output.datatype, (FREE_AXIS, *(sizes[axis] for axis in output.axes)))
        for name, output in OUTPUTS.items()
    )
