"""Rows of teeth as layers of a frontal view: shapes and shading without colour, from tables of anatomy."""

import numpy as np

MILLIMETRES = 63.0  # of an eye distance (mean distance of the pupils of adults)
DENSITY = 6  # texture pixels a millimetre
FINE = 3  # sub-samples of a texture pixel, along each axis, with which edges are drawn
HALF_WIDTH = 28  # millimetres of a texture on both sides of the midline

# Widths and heights of the crowns in millimetres, from the midline outwards: central and lateral incisor, canine, two
# premolars, first molar. Means of adults (Wheeler's Dental Anatomy, rounded).
UPPER = {"width": (8.6, 6.6, 7.6, 7.0, 6.8, 10.0), "height": (10.4, 9.0, 10.0, 8.4, 7.4, 6.8), "arch": (27.0, 36.0)}
LOWER = {"width": (5.3, 5.8, 6.9, 7.0, 7.0, 11.0), "height": (9.0, 9.4, 10.4, 8.6, 7.8, 7.0), "arch": (24.5, 31.0)}
UPPER_EDGE = (0.0, -0.7, -0.1, -0.9, -1.4, -1.8)  # where the edge of a crown ends, millimetres below the line of the edges
LOWER_EDGE = (0.0, 0.1, -0.2, 0.5, 0.9, 1.2)
MARGIN = 4  # millimetres of a texture beyond the line of the edges
GUM = 6  # millimetres of gum beyond the crowns


def arch_angles(widths, half_width, depth):
    """Angles (teeth + 1,) on the ellipse (half_width sin, depth cos) at which teeth of these widths meet, from the midline."""
    angle = np.linspace(0, np.pi / 2, 2000)
    step = np.hypot(half_width * np.cos(angle), depth * np.sin(angle)) * (angle[1] - angle[0])
    length = np.concatenate([[0.0], np.cumsum(step)[:-1]])
    return np.interp(np.concatenate([[0.0], np.cumsum(widths)]), length, angle)


def row_of_teeth(table, edges, seed, uneven=1.0):
    """A row of teeth as the upper row hangs, seen from the front.

    Args:
        table: UPPER or LOWER. edges: where each crown ends. seed: int, of the small unevenness that every row has.
        uneven: float, how uneven.

    Returns:
        (H, W, 4) float32: relative luminance of enamel, share of gum, share of dark (between teeth), coverage. Row 0 lies
        deepest in the gum; the line of the edges is MARGIN millimetres above the last row.
    """
    rng = np.random.default_rng(seed)
    above = max(table["height"]) + GUM
    density = DENSITY * FINE
    x = (np.arange(2 * HALF_WIDTH * density) + 0.5) / density - HALF_WIDTH
    y = (np.arange((above + MARGIN) * density) + 0.5)[:, None] / density - above  # 0 at the line of the edges, down
    light, cover, line = (np.zeros((len(y), len(x)), np.float32) for _ in range(3))
    gum_line = np.full(len(x), -above, np.float32)
    half, depth = table["arch"]
    places = half * np.sin(arch_angles(table["width"], half, depth))
    for side in (-1, 1):
        for number in range(len(table["width"]) - 1, -1, -1):
            inner, outer = places[number], places[number + 1]
            end = edges[number] + rng.normal(0, 0.18) * uneven
            top = edges[number] - table["height"][number] + rng.normal(0, 0.3) * uneven
            lean = rng.normal(0, 0.02) * uneven
            _tooth(light, cover, line, gum_line, side * x, y, inner, outer, end, top, lean, number)
    gum = (y <= gum_line + 1e-6) & (gum_line > -above)
    gum_share = np.clip(gum * (1 - cover), 0, 1)
    fields = np.stack([light, gum_share, line, np.clip(cover + gum_share, 0, 1)], -1)
    height, width = len(y) // FINE, len(x) // FINE
    return fields[: height * FINE, : width * FINE].reshape(height, FINE, width, FINE, 4).mean((1, 3)).astype(np.float32)


def _tooth(light, cover, line, gum_line, x, y, inner, outer, end, top, lean, number):
    """Draw one tooth into the fields; x (W,) counts from the midline towards its side, y (H, 1) down from the line of edges."""
    middle, half = (inner + outer) / 2, (outer - inner) / 2
    columns = np.flatnonzero((x > inner - 0.6) & (x < outer + 0.6))
    if not len(columns):
        return
    part = slice(columns.min(), columns.max() + 1)
    across = (x[part] - middle) / half
    up = np.clip((end - y) / (end - top), -0.5, 1.5)  # 0 at the edge, 1 at the gum
    neck = 1 - 0.16 * np.clip(up - 0.35, 0, 1) ** 1.5
    u = (across - lean * (up - 0.4)) / neck
    distance = np.abs(u)
    # Towards the midline a corner is sharp, on the far side it is round; a canine ends in a point.
    round_off = np.where(u > 0, 1.7, 0.8) * (half / 4.3)
    edge = end - round_off * np.clip(distance, 0, 1) ** 5
    if number == 2:
        edge = edge - 1.1 * np.clip(distance, 0, 1) ** 1.4
    if number >= 3:
        edge = edge - 0.8 * np.clip(distance, 0, 1) ** 2
    gum = top + 2.4 * np.clip(distance, 0, 1) ** 2.4
    inside = (distance < 0.985) & (y < edge) & (y > gum)
    shade = 1.0 - 0.20 * np.clip(distance, 0, 1) ** 3.2  # convex enamel turns away at its sides
    shade = shade * (1.0 - 0.10 * np.clip((edge - y) / -1.2 + 1, 0, 1))  # the edge lets light through
    shade = shade * (1.0 - 0.16 * np.clip((up - 0.55) / 0.45, 0, 1))  # towards the neck
    shade = shade + 0.05 * np.exp(-(((u + 0.25) / 0.3) ** 2) - ((up - 0.45) / 0.25) ** 2)  # wet
    light[:, part] = np.where(inside, shade, light[:, part])
    cover[:, part] = np.where(inside, 1.0, cover[:, part])
    between = (distance >= 0.985) & (distance < 1.05) & (y < end - round_off) & (y > gum)
    line[:, part] = np.where(between, 1.0, np.where(inside, 0.0, line[:, part]))
    within = np.abs(across) < 1.02
    scallop = top + 2.4 * np.clip(np.abs(across), 0, 1) ** 2.4
    gum_line[part] = np.where(within, np.maximum(gum_line[part], scallop), gum_line[part])
