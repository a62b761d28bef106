"""Names, weighs and sums the losses of a method."""

import inspect

import torch
from torch import nn

from common.errors import InputError
from common.schema import REQUIRED, Number, Section, Text
from common.suggest import refuse_unknown
from losses.adversarial import AdversarialLoss
from losses.au.codebook import Codebook
from losses.au.identity import IdentityUpper
from losses.au.motion import FaceMotion
from losses.au.noise import NoiseError
from losses.au.perceptual import PerceptualUnits, PerceptualVgg
from losses.au.units import ActionUnitBce, ActionUnitDice
from losses.davs.association import Association
from losses.davs.classification import PersonClassification, WordClassification
from losses.davs.drawn import DrawnL1, DrawnStill
from losses.davs.drawn_adversarial import DrawnAdversarial
from losses.davs.drawn_motion import DrawnMotion
from losses.davs.heatmaps import LandmarkHeatmaps
from losses.davs.identity_constancy import IdentityConstancy
from losses.davs.identity_contrast import IdentityContrast
from losses.davs.identity_words import IdentityWordsLoss
from losses.davs.modality import ModalityLoss
from losses.davs.speech_people import SpeechPeopleLoss
from losses.landmarks import LandmarkDistance
from losses.lip_patches import LipDistance, LipPatchLoss
from losses.lip_sync import SyncContrast, SyncLandmarks, SyncMovement
from losses.lips import LipCoefficients, LipOpening, LipSpread, LipVelocity
from losses.motion.alignment import ViewAlignment
from losses.motion.crossed import CrossedCycle, CrossedMoments
from losses.motion.mouth_match import MouthMatch
from losses.motion.perceptual import DrawnVgg
from losses.motion.portrait_moves import PortraitMoves
from losses.motion.pose_blind import PoseBlind, PoseReading
from losses.motion.speech_contrast import SpeechContrast
from losses.motion.two_scale import TwoScale
from losses.reconstruction import L1Loss, LaplacianLoss
from losses.spatial import SpatialTextureLoss
from losses.sync import SyncChoice, SyncClassification, SyncLoss
from losses.temporal import TemporalLipLoss, TemporalMotionLoss
from losses.term import Precise, Setting, raised
from models.precision import outside_autocast

LOSSES = {
    "l1": L1Loss,
    "laplacian": LaplacianLoss,
    "sync": SyncLoss,
    "adversarial": AdversarialLoss,
    "sync_classification": SyncClassification,
    "sync_choice": SyncChoice,
    "landmark_distance": LandmarkDistance,
    "temporal_lip": TemporalLipLoss,
    "sync_contrast": SyncContrast,
    "sync_landmarks": SyncLandmarks,
    "sync_movement": SyncMovement,
    "temporal_motion": TemporalMotionLoss,
    "lip_coefficients": LipCoefficients,
    "lip_opening": LipOpening,
    "lip_velocity": LipVelocity,
    "lip_spread": LipSpread,
    "spatial_texture": SpatialTextureLoss,
    "lip_distance": LipDistance,
    "lip_patches": LipPatchLoss,
    "drawn_l1": DrawnL1,
    "drawn_still": DrawnStill,
    "drawn_motion": DrawnMotion,
    "association": Association,
    "word_classification": WordClassification,
    "person_classification": PersonClassification,
    "identity_contrast": IdentityContrast,
    "identity_constancy": IdentityConstancy,
    "landmark_heatmaps": LandmarkHeatmaps,
    "identity_words": IdentityWordsLoss,
    "speech_people": SpeechPeopleLoss,
    "modality": ModalityLoss,
    "drawn_adversarial": DrawnAdversarial,
    "action_unit_bce": ActionUnitBce,
    "action_unit_dice": ActionUnitDice,
    "identity_upper": IdentityUpper,
    "face_motion": FaceMotion,
    "perceptual_units": PerceptualUnits,
    "perceptual_vgg": PerceptualVgg,
    "codebook": Codebook,
    "noise_error": NoiseError,
    "speech_contrast": SpeechContrast,
    "mouth_match": MouthMatch,
    "portrait_moves": PortraitMoves,
    "pose_blind": PoseBlind,
    "pose_reading": PoseReading,
    "two_scale": TwoScale,
    "drawn_vgg": DrawnVgg,
    "crossed_cycle": CrossedCycle,
    "crossed_moments": CrossedMoments,
    "view_alignment": ViewAlignment,
}
_OWN_KEYS = ("loss", "of", "weight", "enable_when", "optim")
REST = "rest"  # the weight that makes the weights of the terms that are switched on sum to 1
_WEIGHT = Number(REQUIRED, 0, 10**6, others=(REST,))
_GATE = Section({"metric": Text(REQUIRED), "below": Number(REQUIRED, -(10**6), 10**6)})


class Criterion(nn.Module):
    """Weighted sum of named terms (`losses.term.Term`), in float32 and outside autocast.

    A term with `enable_when: {metric: val/sync, below: 0.75}` counts only once that validation metric has fallen below the
    limit, and from then on; its value is measured in validation from the start.

    A weight may be "rest": what the other terms that are switched on leave of 1 (Wav2Lip's weight of L1, arXiv 2008.10010
    eq. 6).

    Args:
        terms: dict of name -> term.
        weights: dict of name -> float, or "rest" for one of them.
        gates: dict of name -> (metric, limit), for terms with `enable_when`.
        views: dict of name -> output of the network that the term looks at in place of its usual one.

    Raises:
        InputError: no term is switched on from the start with a weight above 0, so that nothing could be learned.
    """

    def __init__(self, terms, weights, gates=None, views=None):
        super().__init__()
        self.terms = nn.ModuleDict(terms)
        self.weights, self.gates, self.views = dict(weights), dict(gates or {}), dict(views or {})
        self.open = {name: name not in self.gates for name in self.terms}
        if not any(self.open.values()):
            raise InputError("losses: every loss waits for its enable_when, so nothing would be learned; switch one on")
        if not any(self.weights[name] for name, counts in self.open.items() if counts):
            found = ", ".join(f"losses.{name}.weight" for name, counts in self.open.items() if counts)
            raise InputError(f"{found}: is 0, so nothing would be learned; give a loss that counts from the start a "
                             "weight above 0")  # fmt: skip

    @property
    def needs(self):
        """Fields that the terms need, sorted."""
        return tuple(sorted({name for term in self.terms.values() for name in term.needs}))

    @property
    def steady(self):
        """Names of the terms whose value means the same during the whole run: they have no adversary and no memory."""
        return [name for name, term in self.terms.items() if not term.adversaries() and not hasattr(term, "memory")]

    def reads(self, name):
        """Outputs of the network that a term looks at."""
        first, *others = self.terms[name].reads
        return (self.views.get(name, first), *others)

    def set_precision(self, dtype):
        """Networks inside the terms run in `dtype` (torch.float16, torch.bfloat16), or in float32 (None)."""
        for module in self.modules():
            if isinstance(module, Precise):
                module.precision = dtype

    def forward(self, outputs, batch, *, all_terms=False):
        """Total and parts.

        Args:
            outputs: dict of what the model gave, in any precision.
            batch: dict of fields.
            all_terms: compute also terms that are still switched off; they do not enter the total.

        Returns:
            float32 scalar tensor; dict of name -> detached tensor: () the value of a term, or (2,) a sum and its count: of a
            figure "term/figure", and of a term that may count nothing (`Term.count`).
        """
        total, parts = None, {}
        with outside_autocast(next(iter(outputs.values())).device):
            outputs = {name: raised(value) for name, value in outputs.items()}
            for name, term in self.terms.items():
                if self.open[name] or all_terms:
                    value, figures = self._value(name, term, outputs, batch)
                    parts[name] = counted(value, term.count(self.seen_by(name, outputs), batch))
                    for figure, pair in figures.items():
                        parts[f"{name}/{figure}"] = torch.stack([one.detach().float() for one in pair])
                    if self.open[name]:
                        total = self.weight(name) * value + (0.0 if total is None else total)
        return total, parts

    def seen_by(self, name, outputs):
        """Outputs as a term, and its adversaries, look at them: the one that `of` names under the usual name."""
        if name not in self.views:
            return outputs
        return {**outputs, self.terms[name].reads[0]: outputs[self.views[name]]}

    def _value(self, name, term, outputs, batch):
        """(value, figures) of a term."""
        found = term(self.seen_by(name, outputs), batch)
        return found if isinstance(found, tuple) else (found, {})

    def totals(self, values):
        """Weighted sums of the terms that are switched on.

        Args:
            values: dict of name -> value of a term; terms that counted nothing are left out, and then of the sums, too.

        Returns:
            dict of "total", of all terms, and, where not all of them are steady, "steady", of the steady ones; what would sum
            nothing is not there.
        """
        names, steady = [name for name in self.terms if self.open[name] and name in values], self.steady
        kinds = {"total": names}
        if 0 < len(steady) < len(self.terms):
            kinds["steady"] = [name for name in names if name in steady]
        return {kind: sum(self.weight(name) * values[name] for name in some) for kind, some in kinds.items() if some}

    def weight(self, name):
        """Present weight of a term that is switched on."""
        if self.weights[name] != REST:
            return self.weights[name]
        return 1.0 - sum(self.weights[other] for other in self.terms if other != name and self.open[other])

    def adversaries(self):
        """dict of name -> module that learns against the model: "term", or "term/adversary" where a term has several."""
        found = [(name, own, module) for name, term in self.terms.items() for own, module in term.adversaries().items()]
        return {f"{name}/{own}" if own else name: module for name, own, module in found}

    def memory(self):
        """dict of name -> state dict of the terms that have a memory."""
        return {name: term.memory.state_dict() for name, term in self.terms.items() if hasattr(term, "memory")}

    def remember(self, memory):
        """Put back what `memory` gave."""
        for name, state in memory.items():
            self.terms[name].memory.load_state_dict(state)

    def facts(self):
        """dict of name -> what a checkpoint tells of the term."""
        return {name: term.facts() for name, term in self.terms.items() if hasattr(term, "facts")}

    def update_gates(self, metrics):
        """Switch on the terms whose metric has fallen below its limit; returns the names of those switched on now."""
        opened = []
        for name, (metric, limit) in self.gates.items():
            if not self.open[name] and metrics.get(metric, float("inf")) < limit:
                self.open[name] = True
                opened.append(name)
        return opened


def counted(value, count):
    """A value that is a mean over `count` rows, detached: (2,) float32, its sum and its count; () where `count` is None."""
    value = value.detach()
    return value if count is None else torch.stack([value.float() * count, count.to(value.device, torch.float32)])


def as_pair(value):
    """A part of a Criterion, () or (2,) -> (2,) float32: its sum and its count, which add up over batches and processes."""
    return value.detach().float() if value.dim() else torch.stack([value.detach().float(), torch.ones_like(value.float())])


def build_criterion(config, setting=None):
    """Criterion from the `losses` section of a config.

    Args:
        config: dict of name -> {"loss": key of LOSSES (the name, where it is left out), "weight": w, "of": output of the
            network, "enable_when": {...}, "optim": settings of its adversaries (read by training.setup), other arguments of
            the loss}.
        setting: losses.term.Setting; None for losses that need nothing else.

    Raises:
        InputError: unknown loss or key, missing or negative weight, or what a loss refuses.
    """
    if not isinstance(config, dict) or not config:
        raise InputError("losses: name at least one loss, such as  l1: {weight: 1.0}")
    terms, weights, gates, views = {}, {}, {}, {}
    for name, options in config.items():
        if not isinstance(name, str) or not name.isidentifier() or hasattr(nn.ModuleDict(), name):
            raise InputError(f"losses.{name}: cannot be the name of a loss; choose another, of letters, digits and _")
        kind = _kind(name, options)
        weights[name] = _weight(name, options)
        if (gate := options.get("enable_when")) is not None:
            gate = _GATE.check(gate, f"losses.{name}.enable_when")
            gates[name] = (gate["metric"], gate["below"])
        if "of" in options:
            views[name] = _view(name, kind, options["of"])
        arguments = {key: value for key, value in options.items() if key not in _OWN_KEYS}
        terms[name] = _build(name, kind, arguments, setting or Setting())
        if "optim" in options and not terms[name].adversaries():
            raise InputError(f"losses.{name}.optim: sets the optimiser of a loss's adversaries, and this loss has none")
    _check_rest(weights)
    return Criterion(terms, weights, gates, views)


def _kind(name, options):
    """Class of a term."""
    kind = options.get("loss", name) if isinstance(options, dict) else name
    refuse_unknown([kind], LOSSES, "loss" if kind == name else f"losses.{name}.loss")
    return LOSSES[kind]


def _view(name, kind, of):
    if not isinstance(of, str) or len(kind.reads) != 1:
        raise InputError(f"losses.{name}.of: must be the name of an output, for a loss that looks at a single one")
    return of


def _weight(name, options):
    """The weight that a config gives to a loss: a float, or REST."""
    weight = options.get("weight") if isinstance(options, dict) else None
    return _WEIGHT.check(weight, f"losses.{name}.weight")


def _check_rest(weights):
    rests = [name for name, weight in weights.items() if weight == REST]
    others = sum(weight for weight in weights.values() if weight != REST)
    if len(rests) > 1:
        raise InputError(f"losses: only one weight can be the rest, not those of {' and '.join(rests)}")
    if rests and others >= 1:
        raise InputError(f"losses.{rests[0]}.weight: the other weights sum to {others:g} and leave nothing of 1")


def _build(name, kind, arguments, setting):
    """The term, built of the options of a config."""
    known = [key for key in inspect.signature(kind).parameters if key not in kind.made]
    refuse_unknown(arguments, known, f"key of losses.{name}")
    for key in [key for key in arguments if key in kind.ranges]:
        arguments[key] = kind.ranges[key].check(arguments[key], f"losses.{name}.{key}")
    usual = next(one for one, other in LOSSES.items() if other is kind)
    try:
        return kind(**kind.prepare(arguments, setting, name))
    except InputError as error:  # classes know their usual name alone
        raise InputError(str(error).replace(f"losses.{usual}", f"losses.{name}")) from error
    except (TypeError, ValueError) as error:
        raise InputError(f"losses.{name}: {error}") from error
