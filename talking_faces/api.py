"""All public names in one place; `talking_faces` hands them on when they are first asked for."""

from common.errors import InputError as InputError
from common.version import __version__ as __version__
from faces.tracking.track import FaceSelection as FaceSelection
from metrics.compare import Comparison as Comparison
from pipeline.drive import Report as Report
from pipeline.options import DriveOptions as DriveOptions
from pipeline.options import FaceOptions as FaceOptions
from pipeline.options import Transform as Transform
from talking_faces.comparing import compare as compare
from talking_faces.folders import CHECKPOINTS as CHECKPOINTS
from talking_faces.folders import CONFIGS as CONFIGS
from talking_faces.scripts import run_evaluate as run_evaluate
from talking_faces.scripts import run_prepare as run_prepare
from talking_faces.scripts import run_train as run_train
from talking_faces.talker import Talker as Talker
