"""PC-AVS (arXiv 2104.11116): its network, with CRA and STAC (inferred), and the discriminator of its faces."""

from models.motion.discriminator import TwoScaleDiscriminator
from models.motion.identity import Identity
from models.motion.network import FACE_SIZES, PcAvs
from models.motion.stages import STAGES

__all__ = ["FACE_SIZES", "STAGES", "Identity", "PcAvs", "TwoScaleDiscriminator"]
