"""Section of a params file on what is trained: sparsities, arms and seeds."""

from typing import Annotated

from pydantic import Field, ValidationInfo, field_validator, model_validator

from prune_utils.study.section import Count, Section, Sparsity

FINE_TUNINGS_APART = 1000  # between the training seeds of the fine-tunings of one pre-trained model


class Grid(Section):
    """Sparsities, arms and seeds of a study."""

    sparsities: Annotated[list[Sparsity], Field(min_length=1)]
    # rows of the table of arms, the study's own among them; must include `dense`, the baseline of every comparison
    arms: list[str]
    seeds: Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1)]  # each with a pre-training of its own
    at: dict[str, list[Sparsity]] = {}  # sparsities at which an arm is run, by its name; default: all
    fine_tunings: Count = 1  # of each pre-trained model, with training seeds of their own

    @field_validator("arms", "seeds")
    @classmethod
    def _each_once(cls, values: list, info: ValidationInfo):
        if again := [value for value in values if values.count(value) > 1]:
            raise ValueError(f"{info.field_name} have {again[0]!r} twice; each may occur once")
        return values

    @model_validator(mode="after")
    def _training_seeds_differ(self):
        if self.fine_tunings > 1 and max(self.seeds) >= FINE_TUNINGS_APART:
            allowed = f"with several fine_tunings, allowed are seeds below {FINE_TUNINGS_APART}"
            raise ValueError(f"seeds are {self.seeds}; {allowed}, since larger ones seed the fine-tunings")
        return self

    @model_validator(mode="after")
    def _at_sparsities_of_the_grid(self):
        for arm, found in self.at.items():
            if not found or set(found) - set(self.sparsities[1:]):
                allowed = f"allowed are sparsities of the grid above 0: {self.sparsities[1:]}"
                raise ValueError(f"at.{arm} is {found}; {allowed}")
        return self

    @field_validator("arms")
    @classmethod
    def _has_dense(cls, arms: list[str]):
        if "dense" not in arms:
            raise ValueError(f"arms are {arms}; they must include 'dense', the baseline of every comparison")
        return arms

    @field_validator("sparsities")
    @classmethod
    def _whole_percents(cls, sparsities: list[float]):
        if sparsities != sorted(set(sparsities)) or sparsities[0] != 0:
            raise ValueError(f"sparsities are {sparsities}; allowed is an increasing list that starts with 0.0")
        odd = [s for s in sparsities if abs(round(100 * s) - 100 * s) > 1e-9]
        if odd:
            raise ValueError(f"sparsities {odd} are not multiples of 0.01; result folders are named by percent")
        return [round(s, 2) for s in sparsities]  # 3 * 0.2 is not quite 0.6, which claims look for
