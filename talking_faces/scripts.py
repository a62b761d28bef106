"""The scripts as functions: the same arguments as on the command line, and InputError in place of an exit.

A program that calls them keeps its own start behind `if __name__ == "__main__":`, because prepare.py and train.py start further
processes, which import that program.
"""


def run_prepare(*arguments):
    """Prepare a corpus, as prepare.py does: `run_prepare("--corpus", "folder", "--root", "videos", "--out", "prepared/mine")`.

    Args:
        arguments: str or path, as on the command line.

    Returns:
        int: the exit code: 0, or 1 where something failed that is told in the output.

    Raises:
        InputError: arguments or input that cannot be used.
    """
    from prepare import main

    return _called(main, arguments)


def run_train(*arguments):
    """Train, as train.py does: `run_train(CONFIGS / "demo_l1.yaml", "data.corpus=prepared/mine")`; see `run_prepare`.

    "configs/demo_l1.yaml" stands for `CONFIGS / "demo_l1.yaml"` where the current folder has no such file.
    """
    from train import main

    return _called(main, arguments)


def run_evaluate(*arguments):
    """Measure and write tables, as evaluate.py does: `run_evaluate("--generated", "a", "--real", "b")`; see `run_prepare`."""
    from evaluate import main

    return _called(main, arguments)


def _called(main, arguments):
    return main([str(argument) for argument in arguments]) or 0
