"""Claims: published numbers and statements, with everything needed to check them.

`params/claims/<paper>.yaml` holds what one paper prints, or what others print about its model.
Adding a claim is adding one entry; `segmodels claims validate` says whether it is a good one.
"""

from segmodels.claims.claim import COUNTED, PERCENT, SCORES, UNITS, Claim, Metric
from segmodels.claims.reading import load_claim, load_claims, load_statements
from segmodels.claims.statement import CostPart, EvidencePart, Part, Statement

__all__ = [
    "COUNTED",
    "PERCENT",
    "SCORES",
    "UNITS",
    "Claim",
    "CostPart",
    "EvidencePart",
    "Metric",
    "Part",
    "Statement",
    "load_claim",
    "load_claims",
    "load_statements",
]
