"""How good the averaged weights are on clips that training never sees: held-out sentences, and held-out speakers."""

import torch

from losses.criterion import as_pair
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
        losses.criterion.Criterion); in the first process also dict of name -> (N, 3, S, S) float32
        numpy in [0, 1], faces to look at, else None.
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
                total, parts = run.criterion(outputs, batch, all_terms=True)
            for name, value in {"total": total, **parts}.items():
                sums[name] = sums.get(name, 0.0) + as_pair(value)
            if pictures is None and engine.first and "face" in outputs:
                pictures = _pictures(outputs, batch)
        gathered = engine.gather({name: value.tolist() for name, value in sums.items()})
        for name in next(found for found in gathered if found):
            whole, number = (sum(column) for column in zip(*(found[name] for found in gathered if found), strict=True))
            metrics[f"{split}/{name}"] = whole / number if number else 0.0
        if 0 < len(run.criterion.steady) < len(run.criterion.terms):
            values = {name: metrics[f"{split}/{name}"] for name in run.criterion.steady}
            metrics[f"{split}/steady"] = run.criterion.steady_total(values)
    run.criterion.train()
    return metrics, pictures


def _pictures(outputs, batch):
    """Middle frames: what the model was shown, what it made, what is real."""
    middle = outputs["face"].shape[1] // 2
    found = {"reference": batch.get("reference_face"), "generated": outputs["face"], "real": batch.get("face")}
    return {name: faces[:SHOWN, middle].float().cpu().numpy() for name, faces in found.items() if faces is not None}
