"""Weather: each kind has a file of its own, brightness stands with saturation in `colour`."""

from __future__ import annotations

from segmodels.robustness.corruptions.colour import BRIGHTNESS
from segmodels.robustness.corruptions.fog import FOG
from segmodels.robustness.corruptions.frost import FROST
from segmodels.robustness.corruptions.snow import SNOW
from segmodels.robustness.corruptions.spatter import SPATTER

CORRUPTIONS = {
    "snow": SNOW,
    "frost": FROST,
    "fog": FOG,
    "brightness": BRIGHTNESS,
    "spatter": SPATTER,
}
