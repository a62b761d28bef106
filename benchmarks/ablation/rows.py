"""The rows of the ablation: what each lays over its config (docs/methods.md, section 9; inferred)."""

from dataclasses import dataclass

CONDITIONAL = "losses.adversarial={weight: 0.07, discriminator: conditional}"
TEMPORAL = "losses.temporal_lip={weight: 0.10, similarity: motion, mode: tolerant}"
BY_RUN = "losses.temporal_lip={weight: 0.10, unit: run, mode: uniform}"
GATE = "model.audio_gate=true"
SPATIAL = "losses.spatial_texture={weight: 0.05}"
INPUT = "model.spatial_input=true"
NO_MOTION = "no motion"


@dataclass(frozen=True)
class Row:
    """One row: its name in the table, the overrides of its training, and what it is compared with."""

    key: str
    name: str
    overrides: tuple[str, ...]
    against: str = "wav2lip"


ROWS = (
    Row("wav2lip", "Wav2Lip (L1 + expert)", ()),
    Row("conditional", "+ conditional discriminator", (CONDITIONAL,)),
    Row("tc_loss", "+ TC loss", (TEMPORAL,)),
    Row("tc_gate", "+ TC loss, audio gate", (TEMPORAL, GATE)),
    Row("tc_run", "+ TC loss, the run as the unit", (BY_RUN,)),
    Row("sc_loss", "+ SC loss", (SPATIAL,)),
    Row("sc_input", "+ SC loss, SC input", (SPATIAL, INPUT)),
    Row("all", "all", (CONDITIONAL, TEMPORAL, GATE, SPATIAL, INPUT)),
    Row("tc_shuffled", "control: TC loss, gate, shuffled phonemes", (TEMPORAL, GATE, "data.phonemes=shuffled"), "tc_gate"),
    Row("tc_run_shuffled", "control: the run as the unit, shuffled phonemes", (BY_RUN, "data.phonemes=shuffled"), "tc_run"),
    Row("sc_grid", "control: SC loss, regular grid", ("losses.spatial_texture={weight: 0.05, modules: grid}",), "sc_loss"),
)
BY_KEY = {row.key: row for row in ROWS}
