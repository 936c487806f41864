"""Base class and value types of the sections of a params file."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Share = Annotated[float, Field(ge=0, le=1)]
Sparsity = Annotated[float, Field(ge=0, lt=1)]
Dropout = Annotated[float, Field(ge=0, lt=1)]  # at 1 nothing would be left
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]
Length = Annotated[int, Field(ge=8)]  # largest number of tokens in a sequence


class ParamsError(ValueError):
    """Unusable input: params, a parameter of a notebook, or a file. The message is one sentence per fault."""


@dataclass(frozen=True)
class Fact:
    """A fact about an input, shown by the plan and the report; `odd` marks values worth checking."""

    about: str  # key of the input in the params, such as "corpus.files" or "tasks.CoLA"
    what: str  # such as "share of [UNK]"
    value: str  # such as "0.3 %"
    odd: bool = False


class Section(BaseModel):
    # strict: YAML reads 2e-5 as a string, which must be refused, not converted
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)
