"""Films of people who walk about, drawn from a seed: data for pose networks that anybody may use.

    python tests/tools/drawn_people.py FILE.zip [--frames N] [--seed S]

Writes images and COCO's person_keypoints JSON, with 17 keypoints each. A film has eight frames, one to three people of sizes,
colours and gaits of their own before things that are no people; limbs swing as they walk.
"""

from __future__ import annotations

import argparse
import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

SIDE, A_FILM = 224, 8
NAMES = (
    "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow", "right_elbow",
    "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle",
)  # fmt: skip
Colour = tuple[int, int, int]


class Drawn(NamedTuple):
    image: Image.Image
    people: list[np.ndarray]
    """(17, 2) each, in pixels; all keypoints lie within the image."""


class Walker(NamedTuple):
    left: float
    foot: float
    tall: float
    speed: float
    phase: float
    arm: float
    shirt: Colour
    trousers: Colour
    skin: Colour

    @staticmethod
    def drawn(draw: np.random.Generator) -> Walker:
        tall = draw.uniform(90, 180)
        colours = [tuple(int(each) for each in draw.integers(20, 235, 3)) for _ in range(2)]
        light = draw.uniform(0.45, 1.0)
        skin = tuple(int(each * light) for each in (240, 200, 170))
        return Walker(
            draw.uniform(0.25, 0.75) * SIDE,
            draw.uniform(max(tall + 6, 0.7 * SIDE), SIDE - 4),
            tall,
            draw.choice([-1, 1]) * draw.uniform(2, 5),
            draw.uniform(0, 2 * np.pi),
            draw.uniform(0.2, 1.6),
            *colours,
            skin,
        )  # type: ignore[arg-type]

    def points(self, moment: int) -> np.ndarray:
        """Where the keypoints are in a frame."""
        part = self.tall / 8  # a head's height
        middle = self.left + self.speed * moment
        swing = 0.5 * np.sin(self.phase + moment * 0.7)
        hip, shoulder = self.foot - 4 * part, self.foot - 6.6 * part
        wide, narrow = 0.85 * part, 0.55 * part
        found = np.zeros((17, 2))
        head = self.foot - 7.4 * part
        turn = np.sign(self.speed) * 0.15 * part
        found[0] = middle + turn, head + 0.1 * part
        found[1:3] = [[middle + turn + 0.2 * part, head - 0.1 * part], [middle + turn - 0.2 * part, head - 0.1 * part]]
        found[3:5] = [[middle + 0.42 * part, head], [middle - 0.42 * part, head]]
        for side, way in ((0, 1), (1, -1)):
            top = np.array([middle + way * wide, shoulder])
            bend = way * self.arm * 0.5 - way * swing * 0.6
            elbow = top + 1.5 * part * np.array([np.sin(bend) + way * 0.1, np.cos(bend)])
            lower = bend + way * 0.3
            found[[5 + side, 7 + side, 9 + side]] = [top, elbow, elbow + 1.4 * part * np.array([np.sin(lower), np.cos(lower)])]
            joint = np.array([middle + way * narrow, hip])
            stride = way * swing
            knee = joint + 1.95 * part * np.array([np.sin(stride), np.cos(stride)])
            ankle = knee + 1.9 * part * np.array([np.sin(stride * 0.5), np.cos(stride * 0.5)])
            found[[11 + side, 13 + side, 15 + side]] = [joint, knee, ankle]
        return found

    def put(self, pen: ImageDraw.ImageDraw, points: np.ndarray) -> None:
        """Draw it: the far limbs first, then legs, body, near arm, head."""
        part = self.tall / 8

        def limb(places: list[int], colour: Colour, thick: float) -> None:
            line = [tuple(points[place]) for place in places]
            pen.line(line, fill=colour, width=max(round(thick * part), 2), joint="curve")
            for x, y in line:
                half = thick * part / 2
                pen.ellipse((x - half, y - half, x + half, y + half), fill=colour)

        limb([6, 8, 10], self.skin, 0.42)
        for leg in ([12, 14, 16], [11, 13, 15]):
            limb(leg, self.trousers, 0.6)
        pen.polygon([tuple(points[place]) for place in (5, 6, 12, 11)], fill=self.shirt)
        limb([5, 6, 12, 11, 5], self.shirt, 0.5)
        limb([5, 7, 9], self.skin, 0.42)
        limb([6, 8], self.shirt, 0.5)
        limb([5, 7], self.shirt, 0.5)
        x, y = (points[3] + points[4]) / 2
        pen.line((x, y, x, y + part), fill=self.skin, width=max(round(0.4 * part), 2))
        pen.ellipse((x - 0.45 * part, y - 0.6 * part, x + 0.45 * part, y + 0.55 * part), fill=self.skin)
        for eye in (1, 2):
            a, b = points[eye]
            pen.ellipse((a - 1, b - 1, a + 1, b + 1), fill=(20, 20, 20))


def background(draw: np.random.Generator) -> Image.Image:
    """A slope of colours, and things of straight edges."""
    corners = draw.uniform(30, 225, (2, 2, 3)).astype(np.uint8)
    image = Image.fromarray(corners).resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    pen = ImageDraw.Draw(image)
    for _ in range(int(draw.integers(3, 9))):
        colour = tuple(int(each) for each in draw.integers(20, 235, 3))
        x, y, wide, high = draw.uniform(0, SIDE, 4) * np.array([1, 1, 0.4, 0.6])
        if draw.random() < 0.6:
            pen.rectangle((x, y, x + wide, y + high), fill=colour)
        else:
            pen.line((x, y, x + wide, y + high), fill=colour, width=int(draw.integers(2, 9)))
    return image


def films(frames: int, seed: int) -> Iterator[Drawn]:
    """So many frames, the same ones for the same seed."""
    draw = np.random.default_rng(seed)
    for at in range(0, frames, A_FILM):
        behind = background(draw)
        walkers = sorted((Walker.drawn(draw) for _ in range(int(draw.integers(1, 4)))), key=lambda each: each.foot)
        for moment in range(min(A_FILM, frames - at)):
            image = behind.copy()
            pen, people = ImageDraw.Draw(image), []
            for walker in walkers:
                points = walker.points(moment)
                if points.min() > 2 and points.max() < SIDE - 2:
                    walker.put(pen, points)
                    people.append(points)
            noisy = np.asarray(image.filter(ImageFilter.GaussianBlur(draw.uniform(0, 1))), np.float32)
            noisy = noisy + draw.normal(0, draw.uniform(1, 9), noisy.shape)
            yield Drawn(Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8)), people)


def packed(path: Path, frames: int, seed: int) -> None:
    """A zip of JPEGs and annotations, the same bytes for the same seed and library."""
    images, notes = [], []
    with zipfile.ZipFile(path, "w") as archive:

        def put(name: str, data: bytes) -> None:
            archive.writestr(zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0)), data)

        for number, drawn in enumerate(films(frames, seed)):
            kept = io.BytesIO()
            drawn.image.save(kept, "JPEG", quality=80)
            put(f"images/{number:04}.jpg", kept.getvalue())
            images.append({"id": number, "file_name": f"{number:04}.jpg", "width": SIDE, "height": SIDE})
            for points in drawn.people:
                low, high = points.min(0), points.max(0)
                wide = high - low
                notes.append(
                    {
                        "id": len(notes) + 1,
                        "image_id": number,
                        "category_id": 1,
                        "iscrowd": 0,
                        "bbox": [round(float(each), 1) for each in (*low, *wide)],
                        "area": round(float(wide.prod()) * 0.6, 1),
                        "num_keypoints": 17,
                        "keypoints": [value for x, y in points for value in (round(float(x), 1), round(float(y), 1), 2)],
                    }
                )
        category = {"id": 1, "name": "person", "keypoints": list(NAMES)}
        put(
            "annotations/person_keypoints.json",
            json.dumps({"images": images, "annotations": notes, "categories": [category]}).encode(),
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--frames", type=int, default=96)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    packed(asked.out, asked.frames, asked.seed)
