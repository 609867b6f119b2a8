"""`batman labels tracks`: objects of a video and what may be wrong with them."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from cli.answers.printing import say_json
from cli.common import add_placed_project, add_project, open_project
from cli.exits import Exit
from cli.numbers import number, whole
from cli.output import say, say_change, say_pairs, say_table
from cli.parser import Subcommands
from cli.progress import Stages
from core.common.errors import BatmanError
from core.common.text import clean, did_you_mean, plural
from core.data.labels.least_score import SHOWN
from core.data.labels.tracks import edit
from core.data.labels.tracks.interpolate import interpolate_track
from core.data.labels.tracks.problems import find_problems
from core.data.labels.tracks.view import (
    Track,
    VideoPicture,
    list_tracks,
    list_videos,
    track_boxes,
    track_row,
    video_pictures,
)
from core.inference.link_tracks import OVERLAP, UNSEEN, LinkOptions, link_in_child

if TYPE_CHECKING:
    from core.data.store import Project


def add(commands: Subcommands) -> None:
    """Add the sub-command to `batman labels`."""
    parser = commands.group("tracks", "objects of a video: list, link, split, merge, draw")
    under = Subcommands(parser)

    listed = under.add("list", "list videos and their tracks", _list)
    shown = under.add("show", "show the boxes of a track", _show)
    problems = under.add("problems", "jumps, gaps and changes of class, the worst first", _problems)
    problems.add_argument("--approved", action="store_true", help="in approved tracks as well")
    problems.add_argument(
        "--limit", type=whole(1), default=50, metavar="N", help="at most N (default: %(default)s)"
    )
    for command in (listed, problems):
        command.add_argument("--video", metavar="NAME", help="of this video only")

    link = under.add("link", "link a video's labels and open suggestions into tracks", _link)
    link.add_argument("video", metavar="VIDEO", help="its name, as the list has it")
    link.add_argument(
        "--least",
        type=number(0, 1),
        default=SHOWN,
        metavar="SCORE",
        help="suggestions from this score on (default: %(default)s)",
    )
    link.add_argument(
        "--unseen",
        type=whole(1, 1000),
        default=UNSEEN,
        metavar="N",
        help="pictures that an object may be out of sight (default: %(default)s)",
    )
    link.add_argument(
        "--overlap",
        type=number(0, 1, above=True),
        default=OVERLAP,
        metavar="IOU",
        help="least overlap of one object's boxes (default: %(default)s)",
    )

    split = under.add(
        "split", "make a track's boxes from a picture on a track of their own", _split
    )
    merge = under.add("merge", "put the boxes of another track on a track", _merge)
    class_ = under.add("class", "give a whole track a class", _class)
    approve = under.add("approve", "say that a track is right", _approve)
    remove = under.add("remove", "remove a track with its labels", _remove)
    draw = under.add("interpolate", "draw a track's boxes between its keyframes", _interpolate)
    for command in (shown, split, merge, class_, approve, remove, draw):
        command.add_argument("track", type=whole(1), metavar="TRACK", help="its number")
    split.add_argument(
        "picture", metavar="PICTURE", help="name of a picture, or its place in the video, from 1"
    )
    merge.add_argument("other", type=whole(1), metavar="OTHER", help="the track that goes")
    class_.add_argument("name", metavar="CLASS", help="a class of the project")
    approve.add_argument("--accept", action="store_true", help="accept its open suggestions too")
    approve.add_argument("--not", dest="no", action="store_true", help="it is to be looked at")
    for flag, dest in (("--from", "first"), ("--to", "last")):
        draw.add_argument(
            flag,
            dest=dest,
            metavar="PICTURE",
            help="keyframe to begin or end at (default: all are taken)",
        )
    for command in (listed, problems):
        add_placed_project(command)
    for command in (
        shown, link, split, merge, class_, approve, remove, draw,
    ):  # fmt: skip
        add_project(command)


def _list(args: argparse.Namespace) -> int:
    with open_project(args) as project:
        tracks = list_tracks(project, args.video)
        videos = [v for v in list_videos(project) if args.video in (None, v.name)]
    if args.json:
        say_json(
            {
                "videos": [vars(video) for video in videos],
                "tracks": [_plain(track) for track in tracks],
            }
        )
        return Exit.OK
    if not videos:
        say("The project has no video; frames of one come in with batman import video.")
        return Exit.OK
    say_table(
        ["video", "pictures", "reviewed", "seconds", "tracks", "approved"],
        [
            (
                clean(v.name),
                f"{v.pictures:,}",
                f"{v.reviewed:,}",
                "" if v.seconds is None else f"{v.seconds:.1f}",
                v.tracks,
                v.approved,
            )
            for v in videos
        ],
        right=("pictures", "reviewed", "seconds", "tracks", "approved"),
    )
    if tracks:
        say()
        say_table(
            ["track", "class", "video", "from", "to", "labels", "open", "by", "approved"],
            [
                (
                    track.id,
                    clean(track.class_name),
                    clean(track.video),
                    clean(track.first.name),
                    clean(track.last.name),
                    track.labels,
                    track.suggestions or "",
                    _by(track),
                    "yes" if track.approved else "",
                )
                for track in tracks
            ],
            right=("track", "labels", "open"),
        )
    return Exit.OK


def _by(track: Track) -> str:
    """Return who made a track's boxes: models by their names, people, what is drawn between."""
    words = {"person": "a person", "import": "import", "interpolation": "drawn between"}
    return ", ".join([*map(clean, track.models), *(words[s] for s in track.sources if s in words)])


def _plain(track: Track) -> dict[str, Any]:
    return {
        **vars(track),
        "first": vars(track.first),
        "last": vars(track.last),
        "sources": dict(track.sources),
    }


def _show(args: argparse.Namespace) -> int:
    with open_project(args) as project:
        row, boxes = track_row(project, args.track), track_boxes(project, args.track)
        names = dict(project.db.execute("SELECT id, name FROM classes").fetchall())
    if args.json:
        say_json([{**vars(box), "picture": vars(box.picture)} for box in boxes])
        return Exit.OK
    say_pairs([("track", args.track), ("video", row["grp"]), ("approved", "yes" * row["approved"])])
    say_table(
        ["picture", "seconds", "x", "y", "width", "height", "class", "by", "keyframe"],
        [
            (
                clean(box.picture.name),
                "" if box.picture.time is None else f"{box.picture.time:.2f}",
                *(f"{side:.1f}" for side in box.box),
                clean(names.get(box.class_id, "")),
                f"open, {box.score:.2f}" if box.suggested else box.source,
                "yes" if box.key and not box.suggested else "",
            )
            for box in boxes
        ],
        right=("seconds", "x", "y", "width", "height"),
    )
    return Exit.OK


def _problems(args: argparse.Namespace) -> int:
    with open_project(args) as project:
        found = find_problems(project, args.video, approved=args.approved)
    some = found[: args.limit]
    if args.json:
        say_json([{**vars(p), "picture": vars(p.picture)} for p in some])
        return Exit.OK
    if not found:
        say("Nothing looks wrong.")
        return Exit.OK
    say_table(
        ["severity", "what", "track", "video", "picture", "says"],
        [
            (f"{p.severity:.2f}", p.what, p.track_id, clean(p.video), clean(p.picture.name), p.says)
            for p in some
        ],
        right=("severity", "track"),
    )
    if len(found) > len(some):
        say(f"{plural(len(found) - len(some), 'more problem')}: see them with --limit.", "dim")
    return Exit.OK


def _link(args: argparse.Namespace) -> int:
    with open_project(args) as project:
        video_pictures(project, args.video)
        options = LinkOptions(project.path, args.video, args.least, args.unseen, args.overlap)
        with Stages() as show:
            made = link_in_child(options, lambda at: show(at.stage, at.done, at.total))
        entry = None if made is None else project.entry(made)
        done = say_change(entry)
    if entry is not None and entry.detail["without"]:
        say(
            "What is far apart on two pictures is met at a smaller --overlap, or with frames that"
            " lie closer together."
        )
    return done


def _split(args: argparse.Namespace) -> int:
    with open_project(args) as project:
        at = _picture(project, args.track, args.picture)
        return say_change(edit.split_track(project, args.track, at.id))


def _merge(args: argparse.Namespace) -> int:
    with open_project(args) as project:
        return say_change(edit.merge_tracks(project, args.track, args.other))


def _class(args: argparse.Namespace) -> int:
    with open_project(args) as project:
        ids = {name: n for n, name in project.db.execute("SELECT id, name FROM classes")}
        if args.name not in ids:
            guess = did_you_mean(args.name, ids)
            raise BatmanError(
                f"There is no class '{clean(args.name)}'{'; ' + guess if guess else '.'}",
                "See them with batman classes list.",
            )
        return say_change(edit.reclass_track(project, args.track, ids[args.name]))


def _approve(args: argparse.Namespace) -> int:
    with open_project(args) as project:
        return say_change(edit.approve_track(project, args.track, not args.no, accept=args.accept))


def _remove(args: argparse.Namespace) -> int:
    with open_project(args) as project:
        return say_change(edit.remove_track(project, args.track))


def _interpolate(args: argparse.Namespace) -> int:
    with open_project(args) as project:
        ends = [
            None if name is None else _picture(project, args.track, name).id
            for name in (args.first, args.last)
        ]
        return say_change(interpolate_track(project, args.track, *ends))


def _picture(project: Project, track_id: int, word: str) -> VideoPicture:
    """Return a picture of a track's video by its name, or by its place there, counted from 1."""
    pictures = video_pictures(project, track_row(project, track_id)["grp"])
    named = [picture for picture in pictures if word in (picture.name, _stem(picture.name))]
    if len(named) == 1:
        return named[0]
    if not named and word.isdecimal() and 1 <= int(word) <= len(pictures):
        return pictures[int(word) - 1]
    guess = did_you_mean(word, [picture.name for picture in pictures])
    raise BatmanError(
        f"The video of track {track_id} has {'several pictures' if named else 'no picture'}"
        f" '{clean(word)}'{'; ' + guess if guess else '.'}",
        f"Give a picture's name, or its place in the video: 1 to {len(pictures)}.",
    )


def _stem(name: str) -> str:
    return name.rpartition(".")[0]
