"""A robot that turns to a person and drives up to 0.30 m, seen through a camera and a model: numbers in, seconds out.

Zhang et al. (Model Compression in Low Performance Edge Computing) track a person with a four-wheeled robot: where the absolute
PID output is above 0.1 it turns in place, else it drives, and it ends 0.30 m in front of the person. They give neither plant
nor gains; ours stand here with their reasons. All runs go through one loop, an element of each array a run.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

BEAT_S = 1 / 30
"""The camera's, as theirs."""
TURNS_ABOVE = 0.1
"""|PID output| above which it turns in place; theirs."""
ENDS_AT_M = 0.30
"""Theirs."""
REACHED_M = 0.35
"""Where the stop counts: 0.05 m past their mark, what the robot drives between two real frames."""
TOUCHES_M = 0.15
"""Nearer it has run into the person: half of their mark."""
HALF_VIEW = math.radians(31.1)
"""Half of the horizontal view of an IMX219, the camera of Jetson kits (62.2 degrees); who is outside is not seen."""
TURN_RAD_S = 1.0
"""At a PID output of 1. A small robot turns faster; but at five real frames a second and half a second between two of them it
would swing past the person's whole width."""
DRIVE_M_S = 0.25
"""0.05 m from one real frame to the next, so that it can stop where it should."""
SEARCH_RAD_S = 0.5
"""Towards the side where the person was last seen: the view passes in two seconds."""
HOLDS_S = 0.5
"""A command is held until the next; without one for so long the robot stops, as watchdogs of motor drivers do: it never drives
more than 0.125 m unseen, less than what is left between the mark and the person."""
KP, KI, KD = 0.8, 0.05, 0.02
"""Gains on the person's place in the image, -1 to 1: at KP turning stops within 4 degrees and a held command does not overshoot
(0.8 rad/s x 0.2 s at the border of the view is 9 degrees of 31); KI takes out what is left; KD is small, for it would amplify
each wrong frame."""
_WOUND = 1.0
"""The integral is kept within this (anti-windup)."""
START_M, START_VIEW = (1.5, 2.5), 0.8
"""The person's distance is drawn in these bounds, and the place in the image within this share of the view."""
LONGEST_S = 60.0
"""A run that takes longer never arrives: six times what a perfect one takes."""
RANDOM_M = (0.3, 3.0)
"""Distance that a random output says: anything in a room."""


class Stream(NamedTuple):
    """What the camera and the model give, an array of (cycles, frames) each."""

    took_s: Floats
    """Own processing time of each frame."""
    real: Flags
    """False: its output is random."""
    passes: Flags
    """Whether the filter lets it through to the controller."""


class Deviation(NamedTuple):
    """How a model's outputs are off, an element for each frame that they were compared on."""

    place_factor: Floats
    """What the place in the image is multiplied by; 1: nothing is off."""
    distance_factor: Floats
    """What the distance is multiplied by."""
    shift: Floats
    """What is added to the place in the image, -1 to 1 being its width."""
    lost: Flags
    """The person is not found at all."""


EXACT = Deviation(np.ones(1), np.ones(1), np.zeros(1), np.zeros(1, np.bool_))


def seconds_to_reach(stream: Stream, deviation: Deviation, runs: int, seed: int) -> Floats:
    """For each run the seconds until the robot stands before the person; infinite where it never does.

    Start, order of cycles, random outputs and which deviation meets which frame are drawn by the seed: two models with one seed
    meet the same runs. A frame begins at its beat, or when the one before it is over; what it says is of its beginning, and the
    command changes at its end.
    """
    draw = np.random.default_rng(seed)
    robot = _Robot(draw, runs)
    cycles, frames = stream.took_s.shape
    beats = math.ceil(LONGEST_S / BEAT_S)
    order = draw.integers(0, cycles, (-(-beats // frames), runs))
    free = np.zeros(runs)
    for beat in range(beats):
        cycle, frame = order[beat // frames], beat % frames
        place, distance = draw.uniform(-1, 1, runs), draw.uniform(*RANDOM_M, runs)
        which = (draw.random(runs) * len(deviation.lost)).astype(np.intp)  # drawn alike, however many there are
        begin = np.maximum(beat * BEAT_S, free)
        robot.gives_up(begin)
        robot.until(begin)
        real = stream.real[cycle, frame]
        true_place, true_distance, seen = robot.looks()
        place = np.where(real, np.clip(true_place * deviation.place_factor[which] + deviation.shift[which], -1, 1), place)
        distance = np.where(real, np.maximum(true_distance * deviation.distance_factor[which], 0.0), distance)
        found = ~real | (seen & ~deviation.lost[which])
        free = begin + stream.took_s[cycle, frame]
        robot.until(free)
        robot.gives_up(free)
        robot.hears(place, distance, found, stream.passes[cycle, frame], true_distance)
        if robot.ended.all():
            break
    return robot.reached_s


class _Robot:
    """Robots, one a run; the person stands at the origin."""

    def __init__(self, draw: np.random.Generator, runs: int) -> None:
        self.x = -draw.uniform(*START_M, runs)
        self.y = np.zeros(runs)
        self.heading = draw.uniform(-START_VIEW, START_VIEW, runs) * HALF_VIEW
        self.now = np.zeros(runs)
        self.turning = np.zeros(runs)
        self.driving = np.zeros(runs)
        self.heard = np.zeros(runs)
        self.error = np.zeros(runs)
        self.sum = np.zeros(runs)
        self.side = np.ones(runs)
        self.ended = np.zeros(runs, np.bool_)
        self.reached_s = np.full(runs, np.inf)

    def until(self, then: Floats) -> None:
        """Go on as commanded: a command is either a turn or a drive, so that both are exact."""
        held = np.clip(self.heard + HOLDS_S - self.now, 0.0, np.maximum(then - self.now, 0.0))
        held = np.where(self.ended, 0.0, held)
        self.heading += self.turning * held
        self.x += self.driving * held * np.cos(self.heading)
        self.y += self.driving * held * np.sin(self.heading)
        self.now = np.maximum(self.now, then)
        touched = ~self.ended & (np.hypot(self.x, self.y) < TOUCHES_M)
        self.ended |= touched

    def gives_up(self, then: Floats) -> None:
        """End the runs whose time is up by `then`: frames that take longer than a beat let it pass faster than beats do."""
        self.ended |= then > LONGEST_S

    def looks(self) -> tuple[Floats, Floats, Flags]:
        """The person's place in the image (-1 to 1), distance, and whether the view holds the person."""
        bearing = np.arctan2(-self.y, -self.x) - self.heading
        bearing = (bearing + math.pi) % (2 * math.pi) - math.pi
        place = bearing / HALF_VIEW
        return np.clip(place, -1, 1), np.hypot(self.x, self.y), np.abs(place) <= 1

    def hears(self, place: Floats, distance: Floats, found: Flags, passes: Flags, true_distance: Floats) -> None:
        """The controller, where the filter lets a frame pass."""
        acts = passes & ~self.ended
        tracks, searches = acts & found, acts & ~found
        since = np.maximum(self.now - self.heard, 1e-3)
        total = np.clip(self.sum + place * since, -_WOUND, _WOUND)
        output = KP * place + KI * total + KD * (place - self.error) / since
        output = np.clip(output, -1, 1)
        there = tracks & (distance <= ENDS_AT_M)
        reached = there & (true_distance <= REACHED_M)
        self.reached_s[reached] = self.now[reached]
        self.ended |= reached
        turns = np.abs(output) > TURNS_ABOVE
        self.turning = np.where(tracks, np.where(turns & ~there, output * TURN_RAD_S, 0.0), self.turning)
        self.turning = np.where(searches, self.side * SEARCH_RAD_S, self.turning)
        self.driving = np.where(tracks, np.where(turns | there, 0.0, DRIVE_M_S), np.where(searches, 0.0, self.driving))
        self.side = np.where(tracks & (place != 0), np.sign(place), self.side)
        self.sum = np.where(tracks, total, self.sum)
        self.error = np.where(tracks, place, self.error)
        self.heard = np.where(acts, self.now, self.heard)
