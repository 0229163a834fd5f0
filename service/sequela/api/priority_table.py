"""Translates the priority of a request between the contract and the API, which alone knows of it."""

from __future__ import annotations

from sequela_proto.v1 import sequela_pb2 as pb

from sequela.api.admission.priority import Priority
from sequela.contract.enums import EnumTable

PRIORITIES = EnumTable(Priority, pb.DESCRIPTOR.enum_types_by_name["Priority"])
