"""Translates the enums of the domain to those of the contract and back, with one table for each enum.

Members are matched by name: `Level.EVENT` is `LEVEL_EVENT`. The contract's `..._UNSPECIFIED` is None.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any, Generic, TypeVar

from google.protobuf.descriptor import EnumDescriptor
from sequela_proto.v1 import sequela_pb2 as pb

from sequela.access.caller import AuthenticationMethod
from sequela.access.roles import AccessRole
from sequela.explain.background_average import Average, BackgroundShape
from sequela.explain.explanation import StopReason
from sequela.explain.options import Estimator, FeatureScope, Level
from sequela.explain.ports import ModelSource, ModelState
from sequela.explain.schema import Dtype, FeatureKind, Link, Role, Transform
from sequela.timeshap.players import PlayerKind
from sequela.timeshap.pruning import Verdict

Member = TypeVar("Member", bound=Enum)

UNSPECIFIED = 0


class EnumTable(Generic[Member]):
    """The members of an enum, and their numbers in the contract.

    Attributes:
        members: The member for each number.
        words: The member for each name, in lower case and without the contract's prefix, as used in parameters.
    """

    def __init__(self, kind: type[Member], contract: EnumDescriptor) -> None:
        """Raises KeyError if the contract lacks a member."""
        # In protobuf, the names of members are unique within a file, so each enum has a prefix.
        prefix = contract.values_by_number[UNSPECIFIED].name.removesuffix("UNSPECIFIED")
        self._numbers = {each: contract.values_by_name[prefix + each.name].number for each in kind}
        self.members: Mapping[int, Member] = {number: each for each, number in self._numbers.items()}
        self.words: Mapping[str, Member] = {each.name.lower(): each for each in kind}

    def number(self, member: Member | None) -> Any:
        """Returns the contract's number. The type is Any because generated code has a separate type for each enum."""
        return UNSPECIFIED if member is None else self._numbers[member]


_CONTRACT = pb.DESCRIPTOR.enum_types_by_name

LEVELS = EnumTable(Level, _CONTRACT["Level"])
FEATURE_SCOPES = EnumTable(FeatureScope, _CONTRACT["FeatureScope"])
ESTIMATORS = EnumTable(Estimator, _CONTRACT["Estimator"])
LINKS = EnumTable(Link, _CONTRACT["Link"])
AVERAGES = EnumTable(Average, _CONTRACT["Average"])
BACKGROUND_SHAPES = EnumTable(BackgroundShape, _CONTRACT["BackgroundShape"])
PLAYER_KINDS = EnumTable(PlayerKind, _CONTRACT["PlayerKind"])
STOP_REASONS = EnumTable(StopReason, _CONTRACT["StopReason"])
VERDICTS = EnumTable(Verdict, _CONTRACT["ToleranceVerdict"])
DTYPES = EnumTable(Dtype, _CONTRACT["DataType"])
ROLES = EnumTable(Role, _CONTRACT["InputRole"])
FEATURE_KINDS = EnumTable(FeatureKind, _CONTRACT["FeatureKind"])
TRANSFORMS = EnumTable(Transform, _CONTRACT["DisplayTransform"])
MODEL_SOURCES = EnumTable(ModelSource, _CONTRACT["ModelSource"])
MODEL_STATES = EnumTable(ModelState, _CONTRACT["ModelState"])
ACCESS_ROLES = EnumTable(AccessRole, _CONTRACT["Role"])
AUTHENTICATION_METHODS = EnumTable(AuthenticationMethod, _CONTRACT["AuthenticationMethod"])

OPTION_TABLES: Mapping[type, EnumTable[Any]] = {
    Level: LEVELS,
    FeatureScope: FEATURE_SCOPES,
    Estimator: ESTIMATORS,
    Link: LINKS,
}
"""The tables of the enums that are used in options."""
