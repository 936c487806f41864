"""What is found on a claim: an estimate, a verdict and its grounds."""

from dataclasses import dataclass

from prune_utils.analysis.noise.estimates import Estimate, Verdict


@dataclass(frozen=True)
class Finding:
    """An estimate in `unit` and a verdict; `why` states the evidence, or what is missing.

    `limit`: what the estimate is tested against. `tested`: every estimate that the verdict rests on, with its limit; by
    default this one.
    """

    verdict: Verdict
    why: str
    estimate: Estimate | None = None
    unit: str = "points"
    limit: float | None = None
    tested: tuple[tuple[Estimate, float], ...] = ()

    def undecided(self) -> list[tuple[Estimate, float]]:
        """The estimates behind the verdict that are still open."""
        alone = [] if self.limit is None or self.estimate is None else [(self.estimate, self.limit)]
        return [(one, limit) for one, limit in self.tested or alone if one.at_most(limit) is Verdict.UNDECIDED]


def unmeasured(what: str) -> Finding:
    """The finding for a claim whose cells are missing."""
    return Finding(Verdict.UNDECIDED, f"not measured: {what}")
