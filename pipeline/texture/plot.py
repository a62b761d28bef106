"""One picture of spatial consistency: blocks, distances, modules, what the loss compares, and what optimisation changes."""

import numpy as np

from common.files import atomic_output
from pipeline.texture.modules import block_picture, differences, mean_picture, with_borders

PANEL = 3.3  # inches, width of one picture
ABOVE, BELOW = 0.55, 0.75  # inches: a title of two lines; a colour bar with its label
REAL, GENERATED, OPTIMISED = "#2a7f3f", "#b03a9c", "#2b62b5"


def write_plot(path, view, *, title="", losses=()):
    """Draw and write a file.

    Args:
        path: file to write; its suffix, one of common.plot_formats.PLOT_FORMATS, is its format.
        view: pipeline.texture.frames.View with a texture.
        title: first line.
        losses: list of (frame, loss or None, loss after optimisation or None); drawn for two frames or more.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure = draw_plot(view, title, losses)
    try:
        with atomic_output(path) as temporary:
            figure.savefig(temporary, dpi=110)
    finally:
        pyplot.close(figure)


def draw_plot(view, title, losses):
    """The matplotlib figure of `write_plot`."""
    from matplotlib import pyplot

    texture = view.texture
    high = PANEL * min(2.0, max(0.4, texture.labels.shape[0] / texture.labels.shape[1])) + ABOVE + BELOW
    rows = 1 if view.generated is None else 2
    curve = rows == 2 and len(losses) > 1
    figure = pyplot.figure(figsize=(4 * PANEL + 1.4, rows * high + 0.5 + 2.0 * curve), layout="constrained")
    grid = figure.add_gridspec(rows + curve, 4, height_ratios=[high] * rows + [2.0] * curve)
    axes = [[figure.add_subplot(grid[row, column]) for column in range(4)] for row in range(rows)]
    _draw_steps(axes[0], texture)
    if rows == 2:
        _draw_comparison(axes[1], view)
    if curve:
        _draw_losses(figure.add_subplot(grid[2, :]), view, losses)
    figure.suptitle(title.replace("$", r"\$"), x=0.01, ha="left", fontsize=11)
    return figure


def _show(axis, picture, title, **how):
    axis.set_title(title, fontsize=10)
    axis.set_xticks([])
    axis.set_yticks([])
    return axis.imshow(picture, interpolation="nearest" if max(picture.shape[:2]) < 200 else "antialiased", **how)


def _colour_bar(axis, heat, label):
    """A bar below its picture and as wide as it, where its label meets no other picture."""
    rows, columns = heat.get_array().shape
    inch = columns / rows / PANEL  # as a share of the picture's height
    bar = axis.inset_axes([0, -0.22 * inch, 1, 0.12 * inch])
    axis.figure.colorbar(heat, cax=bar, orientation="horizontal", label=label)


def _draw_steps(axes, texture):
    """Blocks, distances, modules, and what is left of the picture when each module has one colour."""
    rows, columns = (len(np.unique(line)) for line in (texture.blocks[:, 0], texture.blocks[0]))
    _show(axes[0], block_picture(texture), f"1  texture blocks\n{rows} x {columns}, S = {texture.size:.1f} px")
    most = float(np.percentile(texture.distance, 99))
    heat = _show(axes[1], texture.distance, "2  distance D\nto the module's centre", cmap="inferno", vmin=0, vmax=most)
    _colour_bar(axes[1], heat, "D")
    _show(axes[2], with_borders(texture.picture, texture.labels), f"3  spatial modules\n{texture.count}")
    _show(axes[3], mean_picture(texture.picture, texture.labels), "mean colour\nof each module (C)")


def _draw_comparison(axes, view):
    """Generated and optimised picture, and how far each module is from the real one."""
    real, labels = view.texture.picture, view.texture.labels
    made = [("generated", view.generated, view.loss), ("optimised", view.optimised, view.loss_after)]
    away = [None if picture is None else differences(real, picture, labels) for _, picture, _ in made]
    most = max(float(np.percentile(away[0], 98)), 1.0)
    for place, ((name, picture, loss), values) in enumerate(zip(made, away, strict=True)):
        left, right = axes[2 * place], axes[2 * place + 1]
        if picture is None:
            left.axis("off")
            right.axis("off")
            continue
        number = "4  " if name == "optimised" else ""
        _show(left, picture, f"{number}{name}")
        heat = _show(right, values, f"difference from the real\nspatial loss {loss:.4f}", cmap="magma", vmin=0, vmax=most)
        _colour_bar(right, heat, "grey levels, by module")


def _draw_losses(axis, view, losses):
    frames = [frame for frame, _, _ in losses]
    for place, name, colour, style in ((1, "generated", GENERATED, "-"), (2, "optimised", OPTIMISED, "--")):
        values = [np.nan if row[place] is None else row[place] for row in losses]
        if np.isfinite(values).any():
            axis.plot(frames, values, color=colour, label=name, linewidth=1.4, linestyle=style,
                      marker="." if len(frames) < 40 else None)  # fmt: skip
    axis.axvline(view.index, color="#888888", linewidth=0.8, label="the frame above")
    axis.set_xlabel("frame")
    axis.set_ylabel("spatial loss")
    axis.set_ylim(0, 1.3 * max([value for row in losses for value in row[1:] if value is not None], default=1.0) + 1e-6)
    axis.margins(x=0.01)
    axis.legend(loc="upper right", fontsize=8, ncols=3, framealpha=0.8)
