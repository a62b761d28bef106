"""How good the averaged weights are on clips that training never sees: held-out sentences, and held-out speakers."""

import torch

from losses.criterion import as_pair
from training.logging.picture_grid import Faces
from training.setup import batches

SHOWN = 8  # faces in the picture grid of a validation


@torch.no_grad()
def validate(run, count=None):
    """Means over the fixed validation windows; each process takes its share of them.

    Args:
        run: training.run.Run.
        count: batches of each split; None takes `train.validate_batches`.

    Returns:
        {"val/total": ..., "val/l1": ..., "unseen/total": ...}, and "val/steady", ... where not all losses are steady (see
        losses.criterion.Criterion); what has counted nothing in a split, such as people who are never seen in training, is
        left out, also of the sums. In the first process also training.logging.picture_grid.Faces to look at, else None.
    """
    metrics, pictures = {}, None
    if not run.validation:
        return metrics, pictures
    run.averaged_model.load_state_dict(run.average.values)
    run.criterion.eval()
    train, engine = run.config["train"], run.engine
    for split, data in run.validation.items():
        sums = {}
        mine = range(engine.rank, count or train["validate_batches"], engine.size)
        for batch in batches(data, train["batch_size"], mine, 0, run.device):
            batch = run.move(batch, data)
            with engine.autocast():
                outputs = run.averaged_model(batch)
                _, parts = run.criterion(outputs, batch, all_terms=True)
            for name, value in parts.items():
                sums[name] = sums.get(name, 0.0) + as_pair(value)
            if pictures is None and engine.first and (rows := run.averaged_model.pictures(outputs, batch)):
                pictures = _faces(rows, batch, data, run.averaged_model.pictured(outputs))
        gathered = engine.gather({name: value.tolist() for name, value in sums.items()})
        values = {}
        for name in next(found for found in gathered if found):
            whole, number = (sum(column) for column in zip(*(found[name] for found in gathered if found), strict=True))
            values |= {name: whole / number} if number else {}
        sums = run.criterion.totals(values)  # of the means: batches may count unlike many rows of a term
        metrics |= {f"{split}/{name}": value for name, value in {**sums, **values}.items()}
    run.criterion.train()
    return metrics, pictures


def _faces(rows, batch, data, pictured):
    """Faces of frame number `pictured` of the windows: what the network was shown, what it made, what is real."""
    rows = {name: faces[:SHOWN].float().cpu().numpy() for name, faces in rows.items()}
    windows = zip(batch["clip"].tolist(), batch["frame"].tolist(), strict=True)
    return Faces(rows, tuple(f"{data.rows[clip].id}, frame {frame + pictured}" for clip, frame in windows))
