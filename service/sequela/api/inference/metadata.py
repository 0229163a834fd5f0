"""What the Open Inference Protocol says of a model: its tensors by name, element type and shape."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sequela_proto.inference import open_inference_pb2 as oip

from sequela.api.inference.outputs import OUTPUTS
from sequela.explain.limits import Limits
from sequela.explain.ports import Model
from sequela.explain.schema import Dtype, InputSchema, Role
from sequela.names import model_version

PLATFORM = "sequela"
ANY = -1

DATATYPES: Mapping[Dtype, str] = {
    Dtype.FLOAT32: "FP32",
    Dtype.FLOAT64: "FP64",
    Dtype.INT32: "INT32",
    Dtype.INT64: "INT64",
    Dtype.BOOL: "BOOL",
}

Tensor = oip.ModelMetadataResponse.TensorMetadata


def metadata(name: str, model: Model, limits: Limits) -> oip.ModelMetadataResponse:
    """A model under the name it was asked for by. Shapes are those without the parameter `targets`."""
    return oip.ModelMetadataResponse(
        name=name,
        versions=[version(model)],
        platform=PLATFORM,
        inputs=[_input(model, item) for item in model.info.schema.inputs if item.role is not Role.STATE],
        outputs=_outputs(model, limits),
    )


def version(model: Model) -> str:
    """`v` of `models/m/versions/v`."""
    return model_version(model.info.name)


def _input(model: Model, item: InputSchema) -> Tensor:
    """Events may be as many as they are, unless the length is fixed and nothing says where to pad."""
    length = ANY if model.info.schema.padding else model.info.fixed_length or ANY
    columns = item.shape or (item.width,)
    shapes: Mapping[Role, tuple[int, ...]] = {
        Role.EVENTS: (ANY, length, *columns),
        Role.STATIC: (ANY, *columns),
        Role.MASK: (ANY, length),
        Role.LENGTH: (ANY,),
    }
    return Tensor(name=item.name, datatype=DATATYPES[item.dtype], shape=shapes[item.role])


def _outputs(model: Model, limits: Limits) -> Iterator[Tensor]:
    sizes = {
        "events": ANY,
        "features": len(model.info.schema.features),
        "targets": min(len(model.info.schema.targets), limits.max_targets),
    }
    for name, output in OUTPUTS.items():
        shape = (ANY, *(sizes[axis] for axis in output.axes))
        yield Tensor(name=name, datatype=output.datatype, shape=shape)
