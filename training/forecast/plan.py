"""What a config alone says of its run, before anything is built: steps, windows, clips."""

from pathlib import Path

from training.config import starts_of


def plan(config):
    """Lines on a run, the first of them at once.

    Args:
        config: from training.config.load_config.

    Raises:
        InputError: the corpus, or the checkpoint of a run of this name, cannot be read.
    """
    from common.terminal import span
    from datasets.prepared import PreparedCorpus
    from training.storage.state import load_state

    train, data = config["train"], config["data"]
    windows = f"windows of {data['window']} frames"
    if data["window"] == "phoneme":
        windows = f"windows of whole phoneme runs, up to {data['longest']} frames"
    summed = f", of {train['accumulate']} batches each" if train["accumulate"] > 1 else ""
    yield f"{config['name']}: {train['steps']} steps{summed}; a batch is {train['batch_size']} {windows}"
    checkpoint = Path(train["runs"]) / config["name"] / "checkpoint.pt"
    if checkpoint.is_file():
        step = load_state(checkpoint).get("step")
        yield f"a run of this name goes on from {checkpoint} at step {step}; a dry run measures with new weights"
    for start in [] if checkpoint.is_file() else starts_of(train):
        parts = f", for {', '.join(start['parts'])}" if start["parts"] else ""
        yield f"weights to begin from: {start['checkpoint']}{parts}"
    if data["corpus"]:
        corpus = PreparedCorpus.open_folder(data["corpus"])
        counts = {name: len(corpus.split(name)) for name in ("train", "val", "unseen", "test")}
        told = ", ".join(f"{count} {name}" for name, count in counts.items() if count) or "none"
        yield f"corpus {data['corpus']}: {told} clips, {span(sum(row.seconds for row in corpus.rows))}"
