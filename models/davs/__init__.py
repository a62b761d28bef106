"""DAVS (arXiv 1807.07860): its network, what that finds in faces, and the adversaries that its losses train against it."""

from models.davs.classifiers import CodesWords, IdentityWords, Modality, PersonClassifier, SpeechPeople, WordClassifier
from models.davs.discriminator import PatchDiscriminator
from models.davs.identity import Identity
from models.davs.network import FACE_SIZES, STAGES, Davs

__all__ = [
    "FACE_SIZES",
    "STAGES",
    "CodesWords",
    "Davs",
    "Identity",
    "IdentityWords",
    "Modality",
    "PatchDiscriminator",
    "PersonClassifier",
    "SpeechPeople",
    "WordClassifier",
]
