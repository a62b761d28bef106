"""PC-AVS (arXiv 2104.11116): its network, with CRA and STAC (inferred), and the discriminator that its losses train against it."""

from models.motion.discriminator import TwoScaleDiscriminator
from models.motion.identity import Identity
from models.motion.network import FACE_SIZES, STAGES, PcAvs

__all__ = ["FACE_SIZES", "STAGES", "Identity", "PcAvs", "TwoScaleDiscriminator"]
