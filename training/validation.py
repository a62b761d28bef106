"""How good the averaged weights are on clips that training never sees: held-out sentences, and held-out speakers."""

import torch

from training.setup import batches

SHOWN = 8  # faces in the picture grid of a validation


@torch.no_grad()
def validate(run):
    """Means over the fixed validation windows; each process takes its share of them.

    Args:
        run: training.run.Run.

    Returns:
        {"val/total": ..., "val/l1": ..., "unseen/total": ...}; in the first process also dict of name -> (N, 3, S, S) float32
        numpy in [0, 1], faces to look at, else None.
    """
    metrics, pictures = {}, None
    if not run.validation:
        return metrics, pictures
    run.averaged_model.load_state_dict(run.average.values)
    run.criterion.eval()
    train, engine = run.config["train"], run.engine
    for split, data in run.validation.items():
        names, sums, count = (), 0.0, 0
        mine = range(engine.rank, train["validate_batches"], engine.size)
        for batch in batches(data, train["batch_size"], mine, 0, run.device):
            batch = run.move(batch)
            with engine.autocast():
                outputs = run.interface.predict(run.averaged_model, batch)
                total, parts = run.criterion(outputs, batch, all_terms=True)
            names = ("total", *parts)
            sums = sums + torch.stack([total.float(), *(value.float() for value in parts.values())])
            count += 1
            if pictures is None and engine.first and "face" in outputs:
                pictures = _pictures(outputs, batch)
        gathered = engine.gather((names, sums.tolist() if count else [], count))
        names = next(names for names, _, _ in gathered if names)
        counted = sum(count for _, _, count in gathered)
        for index, name in enumerate(names):
            metrics[f"{split}/{name}"] = sum(sums[index] for _, sums, count in gathered if count) / counted
    run.criterion.train()
    return metrics, pictures


def _pictures(outputs, batch):
    """Middle frames: what the model was shown, what it made, what is real."""
    middle = batch["face"].shape[1] // 2
    found = {"reference": batch.get("reference_face"), "generated": outputs["face"], "real": batch["face"]}
    return {name: faces[:SHOWN, middle].float().cpu().numpy() for name, faces in found.items() if faces is not None}
