"""Draws digits.npz: 8 x 8 grey-scale digits, made by this program alone (NumPy only, the same on every run).

Each digit is a few polylines. A sample bends, turns, slants, shifts and stretches them, thickens them into a 32 x 32 bitmap,
and counts the ink of each 4 x 4 block: the way in which scanned digits are usually reduced to 8 x 8.
"""

import numpy as np

SIZES = {"train": 1280, "val": 256, "test": 256}


def arc(cx, cy, rx, ry, start, end, count=14):
    """Points of an ellipse, angles in turns from the right, clockwise because y points down."""
    angles = 2 * np.pi * np.linspace(start, end, count)
    return np.stack([cx + rx * np.cos(angles), cy + ry * np.sin(angles)], axis=1)


def line(*points):
    return np.array(points, dtype=float)


# Each digit in one or more hands, in the box [-1, 1] x [-1, 1].
GLYPHS = {
    0: [[arc(0, 0, 0.6, 0.9, 0, 1, 24)], [arc(0, 0, 0.45, 0.9, 0, 1, 24)]],
    1: [[line((0, -0.9), (0, 0.9))], [line((-0.4, -0.5), (0.05, -0.9), (0.05, 0.9))],
        [line((-0.35, -0.5), (0.05, -0.9), (0.05, 0.9)), line((-0.4, 0.9), (0.45, 0.9))]],
    2: [[np.vstack([arc(0, -0.4, 0.55, 0.5, 0.5, 1.08), line((-0.6, 0.9), (0.65, 0.9))])]],
    3: [[np.vstack([arc(-0.05, -0.45, 0.5, 0.45, 0.6, 1.2), arc(-0.05, 0.42, 0.58, 0.48, 0.78, 1.42)])],
        [np.vstack([line((-0.5, -0.9), (0.5, -0.9), (0.0, -0.15)), arc(-0.05, 0.4, 0.58, 0.5, 0.78, 1.42)])]],
    4: [[line((0.2, -0.9), (-0.6, 0.3), (0.65, 0.3)), line((0.25, -0.3), (0.25, 0.9))],
        [line((-0.45, -0.9), (-0.5, 0.05), (0.55, 0.05)), line((0.4, -0.9), (0.35, 0.9))]],
    5: [[np.vstack([line((0.55, -0.9), (-0.45, -0.9), (-0.5, -0.1)), arc(-0.05, 0.35, 0.58, 0.55, 0.65, 1.4)])]],
    6: [[np.vstack([line((0.4, -0.9), (-0.25, -0.35)), arc(0, 0.4, 0.52, 0.5, 0.55, 1.55, 20)])]],
    7: [[line((-0.55, -0.9), (0.55, -0.9), (-0.15, 0.9))],
        [line((-0.55, -0.9), (0.55, -0.9), (-0.1, 0.9)), line((-0.35, 0.05), (0.5, 0.05))]],
    8: [[arc(0, -0.45, 0.42, 0.43, 0, 1, 18), arc(0, 0.45, 0.52, 0.46, 0, 1, 18)]],
    9: [[np.vstack([arc(0, -0.4, 0.5, 0.48, 0.02, 1.0, 20), line((0.42, 0.1), (0.3, 0.9))])],
        [np.vstack([arc(0, -0.4, 0.5, 0.48, 0.02, 1.0, 20), arc(-0.05, 0.35, 0.55, 0.55, 0.0, 0.35)])]],
}


def ink(strokes, thickness):
    """A 32 x 32 bitmap: pixels whose distance to a segment is below the thickness."""
    centres = (np.arange(32) + 0.5) / 16 - 1
    pixels = np.stack(np.meshgrid(centres, centres), axis=-1).reshape(-1, 1, 2)
    nearest = np.full(1024, np.inf)
    for stroke in strokes:
        a, d = stroke[:-1], np.diff(stroke, axis=0)
        along = np.clip(((pixels - a) * d).sum(-1) / np.maximum((d * d).sum(-1), 1e-12), 0, 1)
        distance = np.linalg.norm(pixels - a - along[..., None] * d, axis=-1).min(axis=1)
        nearest = np.minimum(nearest, distance)
    return (nearest < thickness).reshape(32, 32)


def sample(rng, digit):
    hands = GLYPHS[digit]
    angle, slant = rng.normal(0, 0.13), rng.normal(0.08, 0.18)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    shape = turn @ np.array([[1, -slant], [0, 1]]) @ np.diag(rng.normal([0.72, 0.8], [0.1, 0.06]))
    shift = rng.normal(0, 0.07, 2)
    phases, bend = rng.uniform(0, 2 * np.pi, 2), rng.normal(0, 0.08, 2)
    strokes = []
    for stroke in hands[rng.integers(len(hands))]:
        wave = bend * np.sin(2.2 * stroke[:, ::-1] + phases)
        strokes.append((stroke + wave + rng.normal(0, 0.02, stroke.shape)) @ shape.T + shift)
    bitmap = ink(strokes, rng.uniform(0.09, 0.17))
    return bitmap.reshape(8, 4, 8, 4).sum(axis=(1, 3)).reshape(64)


def main():
    rng = np.random.default_rng(1)
    arrays = {}
    for part, rows in SIZES.items():
        labels = rng.permutation(np.arange(rows) % 10)
        counts = np.stack([sample(rng, int(label)) for label in labels])
        arrays[f"x_{part}"] = (counts / 16).astype("float32")
        arrays[f"y_{part}"] = labels.astype("int8")
    np.savez_compressed("digits.npz", **arrays)


if __name__ == "__main__":
    main()
