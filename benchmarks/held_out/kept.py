"""What is made once, as long as it was wanted lately."""

KEPT = 64


def once(kept, key, make):
    """What `make` gives, made once as long as it is among the last KEPT.

    Args:
        kept: dict that is used for nothing else; key: of what is made; make: function without arguments.
    """
    if key not in kept:
        if len(kept) >= KEPT:
            kept.pop(next(iter(kept)))
        kept[key] = make()
    return kept[key]
