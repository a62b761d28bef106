"""Progress bars on standard error; silent where nobody watches."""

from tqdm import tqdm


def bar(what, total):
    """A tqdm bar with frames a second and the time that is left; it shows itself on a terminal only."""
    return tqdm(desc=what, total=total, unit="frame", disable=None, dynamic_ncols=True, mininterval=0.2, leave=False)
