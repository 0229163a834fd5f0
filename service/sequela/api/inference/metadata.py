"""What the Open Inference Protocol says of a model: its tensors by name, datatype and shape."""

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
    """A model under the name that was asked for. Shapes are those of requests without the parameter `targets`."""
    return ModelMetadata(
        name=name,
        versions=(model_version(model.name),),
        platform=PLATFORM,
        inputs=tuple(_input(model, item) for item in model.schema.inputs if item.role is not Role.STATE),
        outputs=_outputs(model, limits),
    )


def _input(model: ModelInfo, item: InputSchema) -> TensorMetadata:
    """The axis of events is free, unless the length is fixed and the schema does not say where to pad."""
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
        "targets": min(len(model.schema.targets), limits.max_targets),
    }
    return tuple(
        TensorMetadata(name, output.datatype, (FREE_AXIS, *(sizes[axis] for axis in output.axes)))
        for name, output in OUTPUTS.items()
    )
