"""What training does to an image before the network sees it: the papers' pipeline.

Random resize, crop with a limit on its largest category, mirror, photometric distortion,
normalisation, padding: as mmsegmentation 0.14 to 1.2 define them and as Segmenter, DEPICT and
SegFormer were trained. Given the same draws the pixels are the same, bit for bit.
"""

from segmodels.training.augmentation.box import Box
from segmodels.training.augmentation.draws import TRIES, Draws
from segmodels.training.augmentation.photometric import Distortion
from segmodels.training.augmentation.pipeline import Augmentation

__all__ = ["TRIES", "Augmentation", "Box", "Distortion", "Draws"]
