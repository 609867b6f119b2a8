"""Random edits from four sides at once while the server is killed again and again.

Two HTTP clients, the functions that the app calls, and the command line edit one project. No edit
that was acknowledged is lost, none is done twice, and undo back to the start equals the start.
BATMAN_LABEL_EDITS and BATMAN_LABEL_KILLS make it longer (1000 and 50 take some minutes).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import sqlite3
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from page_data import add_pictures
from serving import ROOT, Served, Start, end

from core.common.errors import ProjectLocked
from core.common.workspace import Workspace
from core.data.labels.edit import EditConflict, edit
from core.data.labels.ops import parse_ops
from core.data.labels.view import picture_labels
from core.data.store import Project

EDITS = int(os.environ.get("BATMAN_LABEL_EDITS", "60"))
KILLS = int(os.environ.get("BATMAN_LABEL_KILLS", "3"))
PICTURES = 6
TABLES = ("annotations", "images", "labels", "classes", "suggestions", "tracks", "imports")


@dataclass
class World:
    """The project, the server of the moment, and what was acknowledged to whom."""

    project: Path
    served: Served | None = None
    left: int = EDITS * 2 // 3
    tabs: int = 0
    keys: list[str] = field(default_factory=list)
    answers: dict[str, Any] = field(default_factory=dict)
    conflicts: int = 0
    repeated: int = 0

    def take(self) -> bool:
        """Whether there is an edit left for a tab to do; it is the caller's."""
        self.left -= 1
        return self.left >= 0


def chosen(chance: random.Random, boxes: list[dict[str, Any]]) -> dict[str, Any]:
    """One edit of a picture with these boxes, as JSON."""
    box = [chance.randint(0, 150), chance.randint(0, 60), chance.randint(5, 40), 20]
    what = chance.random()
    if not boxes or what < 0.5:
        return {"op": "add", "class": chance.choice((1, 2)), "box": box}
    one = chance.choice(boxes)
    was = {"box": one["box"], "class": one["class"]}
    if what < 0.8:
        return {"op": "set", "id": one["id"], "was": was, "box": box}
    if what < 0.9:
        return {"op": "set", "id": one["id"], "was": was, "class": 3 - one["class"]}
    return {"op": "delete", "id": one["id"], "was": was}


def boxes_of(project: Project, image: int) -> list[dict[str, Any]]:
    return [
        {"id": box.id, "box": list(box.box), "class": box.class_id}
        for box in picture_labels(project, image).boxes
    ]


async def browser(world: World, seed: int) -> None:
    """A tab: asks until it is answered, with the same key after every lost answer."""
    chance = random.Random(seed)
    number = 0
    while world.take():
        number += 1
        image, key = chance.randint(1, PICTURES), f"tab-{seed}-{number}"
        ops: list[Any] | None = None
        tries = 0
        while True:
            served = world.served
            if served is None:
                await asyncio.sleep(0.01)
                continue
            try:
                jar = aiohttp.CookieJar(unsafe=True)
                async with aiohttp.ClientSession(cookie_jar=jar) as session:
                    async with session.get(served.link, allow_redirects=False):
                        pass
                    address = f"{served.address}/label/api/p/night-watch/images/{image}"
                    if ops is None:
                        async with session.get(address) as answer:
                            ops = [chosen(chance, (await answer.json())["boxes"])]
                    tries += 1
                    body = {"key": key, "ops": ops}
                    async with session.post(f"{address}/ops", json=body) as answer:
                        status, told = answer.status, await answer.json()
            except (aiohttp.ClientError, OSError, TimeoutError):
                await asyncio.sleep(0.01)
                continue
            if status == 423:
                await asyncio.sleep(0.05)
                continue
            assert status in (200, 409), told
            if status == 409:
                world.conflicts += 1
            else:
                world.keys.append(key)
                world.answers[key] = (ops, told["history"], told["ids"])
                world.repeated += tries > 1
            world.tabs += 1
            break


def app(world: World, seed: int) -> None:
    """The app: a third of all edits, through the functions that it calls, in step with the tabs."""
    chance = random.Random(seed)
    for number in range(EDITS - EDITS * 2 // 3):
        while world.tabs < number * 2 and world.left > 0:
            time.sleep(0.005)
        image, key = chance.randint(1, PICTURES), f"app-{number}"
        with Project.open(world.project) as project:
            while True:
                op = chosen(chance, boxes_of(project, image))
                try:
                    done = edit(project, image, parse_ops([op]), key)
                except EditConflict:
                    world.conflicts += 1
                    continue
                except ProjectLocked:
                    continue
                break
        world.keys.append(key)
        world.answers[key] = ([op], done.history_id, list(done.ids))


async def command_line(world: World) -> None:
    """The command line: renames a class to and fro."""
    names = ["dog", "hound"]
    for _ in range(max(2, EDITS // 40)):
        command = [
            sys.executable, "-P", "-m", "cli.main", "classes", "rename", "--project",
            str(world.project), "--old-name", names[0], "--new-name", names[1],
        ]  # fmt: skip
        done = await asyncio.to_thread(
            subprocess.run, command, cwd=ROOT, capture_output=True, text=True, check=False
        )
        if done.returncode == 0:
            names.reverse()
            world.answers[f"cli-{len(world.answers)}"] = None
        else:
            assert "being changed" in done.stderr, done.stderr


async def killer(world: World, start: Start, editors: list[asyncio.Task[None]]) -> int:
    """Kill the server (SIGKILL) after every so many acknowledged edits, and start it again."""
    kills = 0
    chance = random.Random(3)
    while not all(editor.done() for editor in editors):
        if world.served is None:
            world.served = await asyncio.to_thread(start)
        due = (kills + 1) * (EDITS * 2 // 3) // (KILLS + 1)
        if kills < KILLS and world.tabs >= due:
            # At any moment of an edit, not only between two.
            await asyncio.sleep(chance.random() * 0.05)
            served, world.served = world.served, None
            served.process.kill()
            await asyncio.to_thread(served.process.wait)
            kills += 1
            continue
        await asyncio.sleep(0.01)
    return kills


def content(project: Path) -> dict[str, list[tuple[Any, ...]]]:
    with contextlib.closing(sqlite3.connect(project / "project.db")) as db:
        return {table: sorted(db.execute(f"SELECT * FROM {table}"), key=repr) for table in TABLES}


async def test_nothing_is_lost_or_doubled_and_all_is_undone(
    workspace: Workspace, start: Start
) -> None:
    path = workspace.project_path("night-watch")
    with Project.open(path) as project:
        add_pictures(project, PICTURES)
        first = project.newest()
    assert first is not None
    before = content(path)
    world = World(path)
    editors = [
        asyncio.create_task(browser(world, 1)),
        asyncio.create_task(browser(world, 2)),
        asyncio.create_task(asyncio.to_thread(app, world, 3)),
        asyncio.create_task(command_line(world)),
    ]
    async with asyncio.timeout(60 + EDITS * 2):
        kills = await killer(world, start, editors)
        await asyncio.gather(*editors)
    assert kills == KILLS
    assert len(world.keys) == len(set(world.keys))

    with contextlib.closing(sqlite3.connect(path / "project.db")) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        done = dict(db.execute("SELECT key, history_id FROM edit_keys"))
        history = [
            row[0] for row in db.execute("SELECT id FROM history WHERE kind = 'labels.edit'")
        ]
        made = {row[0] for row in db.execute("SELECT id FROM annotations")}
    # Every acknowledged edit is there, once, under the number that was said.
    acknowledged = {key: told for key, told in world.answers.items() if told is not None}
    for key, (ops, number, ids) in acknowledged.items():
        assert done[key] == (number or 0), key
        assert ops[0]["op"] != "add" or ids[0] in made, key
    numbers = [number for _, number, _ in acknowledged.values() if number]
    assert len(numbers) == len(set(numbers))
    # Whatever was done was acknowledged in the end: the keys are those, and so is the history.
    assert set(done) == set(acknowledged)
    assert sorted(history) == sorted(numbers)
    adds = [ids[0] for ops, _, ids in acknowledged.values() if ops[0]["op"] == "add"]
    assert len(adds) == len(set(adds)) == len(made)

    with Project.open(path) as project:
        count = 0
        while (newest := project.newest()) is not None and newest.id != first.id:
            assert project.undo(newest.id) is not None
            count += 1
    after = content(path)
    # What was drawn and taken back is gone, and labels' counts are as they were.
    assert after == before
    print(
        f"{len(acknowledged)} edits acknowledged, {world.conflicts} conflicts, {world.repeated}"
        f" repeated after a lost answer, {kills} kills, {count} changes undone"
    )
    if world.served is not None:
        end(world.served)
