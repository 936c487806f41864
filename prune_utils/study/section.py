"""What every section of a params file is made of: strict values, and an error that says which was wrong."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Share = Annotated[float, Field(ge=0, le=1)]
Sparsity = Annotated[float, Field(ge=0, lt=1)]
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]
Length = Annotated[int, Field(ge=8)]  # tokens of a sequence at most


class ParamsError(ValueError):
    """A params file, or a parameter of a notebook, that cannot be used; its text is one clear sentence a fault."""


class Section(BaseModel):
    # strict, so that the string "2e-5", which YAML makes of a number without a point, is refused and not guessed at
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)
