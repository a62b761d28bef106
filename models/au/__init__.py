"""Speech action units (arXiv 2110.09951, arXiv 2204.12756): units from sound and from faces, and a face drawn from both."""

from models.au.autoencoder import FaceAutoencoder
from models.au.classifier import UnitClassifier
from models.au.diffusion import ActionUnitsDiffusion
from models.au.discriminator import FaceDiscriminator
from models.au.faces import Identity
from models.au.network import FACE_SIZES, STAGES, ActionUnits
from models.au.sound import AudioToUnits

__all__ = [
    "FACE_SIZES",
    "STAGES",
    "ActionUnits",
    "ActionUnitsDiffusion",
    "AudioToUnits",
    "FaceAutoencoder",
    "FaceDiscriminator",
    "Identity",
    "UnitClassifier",
]
