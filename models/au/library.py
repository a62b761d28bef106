"""The library diffusers, which the latent-diffusion renderer alone needs: it is imported when such a network is built."""

from contextlib import contextmanager

from common.errors import InputError


@contextmanager
def needing_diffusers():
    """Context of an import of diffusers.

    Raises:
        InputError: it is not there, or does not import beside the other packages.
    """
    try:
        yield
    except (ImportError, RuntimeError, AttributeError) as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise InputError(f"the diffusion renderer needs diffusers ({reason}); install diffusers (pip install diffusers), or "
                         "use configs/au_fusion.yaml, which needs none") from error  # fmt: skip
