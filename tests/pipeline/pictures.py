"""Folders of pictures for tests, and one of every kind that is out of the ordinary."""

from __future__ import annotations

import io
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

SHAPES = {"circle": 14, "cross": 10, "ring": 12, "square": 8, "triangle": 9}


def drawn(shape: str, rng: np.random.Generator) -> np.ndarray:
    """A shape on textured ground, in colour (BGR), of a random size."""
    height, width = rng.integers(36, 80, 2)
    image = cv2.GaussianBlur(rng.integers(40, 180, (height, width, 3), dtype=np.uint8), (0, 0), 2)
    centre = int(width * rng.uniform(0.4, 0.6)), int(height * rng.uniform(0.4, 0.6))
    reach = int(min(height, width) * rng.uniform(0.22, 0.34))
    colour = tuple(int(value) for value in rng.choice([0, 255], 3))
    x, y = centre
    if shape == "circle":
        cv2.circle(image, centre, reach, colour, -1)
    elif shape == "ring":
        cv2.circle(image, centre, reach, colour, 3)
    elif shape == "square":
        cv2.rectangle(image, (x - reach, y - reach), (x + reach, y + reach), colour, -1)
    elif shape == "triangle":
        cv2.fillPoly(
            image, [np.array([[x, y - reach], [x - reach, y + reach], [x + reach, y + reach]])], colour
        )
    else:
        cv2.line(image, (x - reach, y), (x + reach, y), colour, 4)
        cv2.line(image, (x, y - reach), (x, y + reach), colour, 4)
    return image


def make(folder: Path, counts: dict[str, int] = SHAPES, ending: str = ".png", seed: int = 0) -> Path:
    """A folder with so many pictures of each shape."""
    rng = np.random.default_rng(seed)
    for name, count in counts.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            cv2.imwrite(str(folder / name / f"{number:03}{ending}"), drawn(name, rng))
    return folder


def encoded(image: Image.Image, kind: str, **options) -> bytes:
    content = io.BytesIO()
    image.save(content, kind, **options)
    return content.getvalue()


def _turned() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


NOISE = np.random.default_rng(1).integers(0, 256, (40, 60, 3), dtype=np.uint8)
COLOUR = Image.fromarray(cv2.normalize(cv2.GaussianBlur(NOISE, (0, 0), 2), None, 0, 255, cv2.NORM_MINMAX))
GREY = COLOUR.convert("L")
SOUND = {
    "colour.png": encoded(COLOUR, "PNG"),
    "colour.JPG": encoded(COLOUR, "JPEG"),
    "colour.jpeg": encoded(COLOUR, "JPEG", progressive=True),
    "colour.jfif": encoded(COLOUR, "JPEG"),
    "colour.bmp": encoded(COLOUR, "BMP"),
    "colour.webp": encoded(COLOUR, "WEBP", lossless=True),
    "palette.png": encoded(COLOUR.convert("P"), "PNG"),
    "grey.png": encoded(GREY, "PNG"),
    "grey.jpg": encoded(GREY, "JPEG"),
    "bilevel.png": encoded(COLOUR.convert("1"), "PNG"),
    "a png called.jpg": encoded(COLOUR, "PNG"),
    "upright.jpg": encoded(COLOUR, "JPEG", exif=Image.Exif()),
}
DAMAGED = {  # name: content, a part of the reason
    "empty.png": (b"", "it is empty"),
    "text.png": (b"no picture at all\n" * 9, "it is not a picture"),
    "first bytes only.jpg": (encoded(COLOUR, "JPEG")[:2], "it is not a picture"),
    "truncated.png": (encoded(COLOUR, "PNG")[:-400], "truncated or damaged"),
    "truncated.jpg": (encoded(COLOUR, "JPEG")[:-400], "truncated or damaged"),
    "truncated.bmp": (encoded(COLOUR, "BMP")[:-400], "truncated or damaged"),
    "truncated.webp": (encoded(COLOUR, "WEBP")[:-400], "truncated or damaged"),
    "animation.png": (encoded(COLOUR.convert("P"), "GIF"), "its format is GIF"),
    "tiff.jpg": (encoded(COLOUR, "TIFF"), "its format is TIFF"),
}
UNUSUAL = {
    "deep.png": (
        cv2.imencode(".png", np.asarray(COLOUR)[..., ::-1].astype(np.uint16) * 257)[1].tobytes(),
        "16 bits",
    ),
    "deep grey.png": (cv2.imencode(".png", np.asarray(GREY).astype(np.uint16) * 257)[1].tobytes(), "16 bits"),
    "cmyk.jpg": (encoded(COLOUR.convert("CMYK"), "JPEG"), "its colours are CMYK"),
    "alpha.png": (encoded(COLOUR.convert("RGBA"), "PNG"), "an alpha channel"),
    "alpha grey.png": (encoded(COLOUR.convert("LA"), "PNG"), "an alpha channel"),
    "alpha palette.png": (encoded(COLOUR.convert("P"), "PNG", transparency=3), "an alpha channel"),
    "turned.jpg": (encoded(COLOUR, "JPEG", exif=_turned()), "rotated by EXIF"),
    "turned.png": (encoded(COLOUR, "PNG", exif=_turned()), "rotated by EXIF"),
    "moving.webp": (
        encoded(COLOUR, "WEBP", save_all=True, append_images=[GREY.convert("RGB")]),
        "animated, 2 frames",
    ),
    "moving.png": (
        encoded(COLOUR, "PNG", save_all=True, append_images=[GREY.convert("RGB")]),
        "animated, 2 frames",
    ),
}
