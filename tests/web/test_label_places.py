"""The places around the picture: projects, uploads, classes, videos with their tracks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browsers import expect, until
from label_server import LabelServer
from label_tab import HOOK, MAN, PROJECT, Tab, encoded
from PIL import Image

from core.data.images.filter import find_images
from core.data.labels.edit import edit
from core.data.labels.ops import Add
from core.data.labels.passes import list_passes
from core.data.labels.prompts import prompts_of
from core.data.labels.tracks.view import list_tracks, track_boxes
from core.data.store import Project


def place(context: Any, server: LabelServer, name: str) -> Tab:
    tab = Tab(context, server)
    tab.page.goto(f"{server.address}/label/#/{encoded(PROJECT)}/{name}")
    tab.page.wait_for_selector("main > *")
    return tab


def test_a_new_project_leads_to_where_pictures_are_added(context: Any, server: LabelServer) -> None:
    tab = Tab(context, server)
    tab.page.goto(f"{server.address}/label/")
    tab.page.get_by_label("Name", exact=True).fill("night shift")
    tab.page.get_by_role("button", name="Create").click()
    tab.page.wait_for_selector(".drop")
    assert (server.folder / "night shift").is_dir()
    assert tab.said == []


def make_film(file: Path) -> None:
    """Two seconds of a moving bar at 10 frames a second, filled up to three pieces of an upload."""
    av = pytest.importorskip("av", reason="the video extra is not installed")
    with av.open(str(file), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        for at in range(20):
            pixels = np.zeros((120, 160, 3), np.uint8)
            pixels[:, at * 8 : at * 8 + 8] = 200
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())
    size = 10 << 20  # a box `free` may stand anywhere (ISO/IEC 14496-12, 8.1.2)
    with file.open("ab") as end:
        end.write(size.to_bytes(4, "big") + b"free" + bytes(size - 8))


def images(server: LabelServer) -> int:
    with Project.open(server.folder / PROJECT) as project:
        return len(find_images(project))


def test_a_video_goes_on_where_it_stopped_and_gives_frames(
    context: Any, server: LabelServer, tmp_path: Path
) -> None:
    film = tmp_path / "crane.mp4"
    make_film(film)
    tab = place(context, server, "add")
    first: list[str] = []
    begun: list[str] = []

    def stop_after_one(route: Any) -> None:
        begun.append(route.request.headers["content-range"])
        if first:
            route.fulfill(status=503, body="{}")
        else:
            first.append(route.request.url)
            route.continue_()

    tab.page.route("**/videos?*", stop_after_one)
    files = tab.page.locator("input[type=file]")
    files.set_input_files(film)
    until(tab.page, "document.querySelector('[data-upload]')?.dataset.state === 'retrying'")
    tab.page.unroute("**/videos?*")
    tab.page.on("request", lambda request: begun.append(request.headers.get("content-range", "")))
    tab.page.reload()
    files.set_input_files(film)
    until(tab.page, "document.querySelector('[data-upload]')?.dataset.state === 'done'")
    starts = [text.partition("-")[0] for text in begun if text]
    assert starts == ["bytes 0", f"bytes {4 << 20}", f"bytes {4 << 20}", f"bytes {8 << 20}"]
    tab.page.get_by_label("One frame every").fill("0.5")
    tab.page.get_by_role("button", name="Take frames").click()
    tab.told("4 frames")
    assert images(server) == 7
    assert tab.said == []


def test_pictures_are_sent_and_what_is_none_is_told(
    context: Any, server: LabelServer, tmp_path: Path
) -> None:
    good, bad = tmp_path / "new.jpg", tmp_path / "no picture.png"
    Image.new("RGB", (50, 40), (9, 99, 9)).save(good)
    bad.write_bytes(b"<b>text</b>")
    tab = place(context, server, "add")
    tab.page.locator("input[type=file]").set_input_files([good, bad])
    until(tab.page, "document.querySelectorAll('[data-state=done]').length === 1")
    until(tab.page, "document.querySelectorAll('[data-state=failed]').length === 1")
    assert "no picture.png" in tab.page.inner_text("[data-state=failed]")
    assert images(server) == 4
    expect(tab.page.locator("main b")).to_have_count(0)


def test_classes_are_added_renamed_asked_for_and_merged(context: Any, server: LabelServer) -> None:
    tab = place(context, server, "classes")
    tab.page.get_by_label("New class").fill("rope")
    tab.page.get_by_role("button", name="Add", exact=True).click()
    tab.page.get_by_label("Name of rope").fill("cable")
    tab.keys("Enter")
    tab.page.get_by_label("Phrases for cable").fill("steel cable, rope")
    tab.keys("Enter")
    tab.page.get_by_label("Least score of cable").fill("0.35")
    tab.keys("Enter")
    until(
        tab.page, "document.querySelector('[aria-label=\"Least score of cable\"]').value === '0.35'"
    )

    def classes() -> list[str]:
        with Project.open(server.folder / PROJECT) as project:
            return [row[0] for row in project.db.execute("SELECT name FROM classes ORDER BY id")]

    assert classes()[-1] == "cable"
    with Project.open(server.folder / PROJECT) as project:
        kept = prompts_of(project)[3]
        assert (kept.phrases, kept.least) == (("steel cable", "rope"), 0.35)
    tab.page.get_by_label("Mark cable").check()
    hooks = tab.page.locator("tr").filter(has=tab.page.get_by_label("Name of hook"))
    hooks.get_by_role("button", name="Merge into this").click()
    tab.told("Merged 1 class into hook")
    assert "cable" not in classes()
    tab.page.get_by_role("button", name="Take back").click()
    tab.page.get_by_label("Name of cable").wait_for()
    assert tab.said == []


def test_a_long_pass_is_asked_about_before_it_begins(context: Any, server: LabelServer) -> None:
    tab = place(context, server, "labellers")
    sent: list[dict[str, Any]] = []

    def passes(route: Any) -> None:
        sent.append(route.request.post_data_json)
        if not sent[-1]["confirm"]:
            asked = {"error": "It takes about 3.1 hours.", "hint": "?", "confirm": True}
            route.fulfill(status=409, content_type="application/json", body=json.dumps(asked))
        else:
            route.continue_()

    tab.page.route("**/passes", passes)
    until(tab.page, "document.querySelector('form').textContent.includes('3 pictures')")
    tab.page.get_by_label("Model").fill("no-such-run")
    tab.page.get_by_role("button", name="Start").click()
    tab.told("3.1 hours")
    tab.page.locator("[data-confirm]").click()
    tab.told("no-such-run")  # the server's own words on it
    assert [each["confirm"] for each in sent] == [False, True]
    assert sent[1]["with"] == "no-such-run"
    assert sent[1]["images"] == "is:unreviewed"


def test_a_run_that_was_trained_meanwhile_can_label(context: Any, server: LabelServer) -> None:
    tab = place(context, server, "pictures")
    run = server.folder.parent.parent / "runs" / "night-4"
    run.mkdir(parents=True)
    (run / "best.pth").touch()
    tab.page.get_by_role("link", name="Auto-label").click()
    tab.page.locator("datalist option[value=night-4]").wait_for(state="attached")
    (run.parent / "night-5").mkdir()
    (run.parent / "night-5" / "best.pth").touch()
    tab.page.get_by_label("Model", exact=True).focus()
    tab.page.locator("datalist option[value=night-5]").wait_for(state="attached")
    tab.page.get_by_role("button", name="night-5", exact=True).press("Enter")
    expect(tab.page.get_by_label("Model", exact=True)).to_have_value("night-5")
    tab.keys("?").told("take the newest pass back")


def test_a_whole_pass_is_taken_back_by_a_key_or_a_button(context: Any, server: LabelServer) -> None:
    def passes() -> int:
        with Project.open(server.folder / PROJECT) as project:
            return len(list_passes(project))

    tab = place(context, server, "labellers")
    tab.page.locator("[data-withdraw]").wait_for()
    tab.page.get_by_label("Model", exact=True).press("T")
    tab.page.locator("h2").first.click()
    assert passes() == 1, "what one types is no key"
    tab.keys("T").told("Took back: 3 suggestions of night-3")
    tab.page.locator("[data-withdraw]").wait_for(state="detached")
    assert passes() == 0
    tab.keys("u").told("Taken back: Took back")
    tab.page.locator("[data-withdraw]").click()
    tab.page.locator("[data-withdraw]").wait_for(state="detached")
    assert passes() == 0
    assert tab.said == []


def make_video(server: LabelServer) -> None:
    """Put the three pictures in a video, with a track of hooks on the first and the last."""
    with Project.open(server.folder / PROJECT) as project, project.change("test", "v") as change:
        for at, image in enumerate((1, 2, 3)):
            change.update("images", image, {"grp": "crane.mp4", "time": at / 2})
        track = change.insert("tracks", {"grp": "crane.mp4", "class_id": HOOK})
        sides = {"x": 10.0, "y": 20.0, "w": 50.0, "h": 60.0}
        for image, shift in ((1, 0.0), (3, 100.0)):
            row = {**sides, "x": 10.0 + shift, "image_id": image, "label_id": 1, "track": track}
            change.insert("annotations", row)


def tracks(server: LabelServer) -> list[tuple[int, int | None, bool, list[int]]]:
    with Project.open(server.folder / PROJECT) as project:
        return [
            (t.id, t.class_id, t.approved, [b.picture.id for b in track_boxes(project, t.id)])
            for t in list_tracks(project)
        ]


def test_a_track_is_filled_split_merged_classed_and_approved(
    context: Any, server: LabelServer
) -> None:
    make_video(server)
    tab = Tab(context, server, 1)
    canvas = tab.page.locator(".timeline canvas")
    canvas.wait_for()
    until(tab.page, "document.querySelector('.timeline canvas').ariaValueMax === '3'")
    canvas.focus()
    tab.keys("ArrowDown")  # the first track
    tab.page.locator("[data-track=interpolate]").click()
    until(tab.page, "!document.querySelector('.toasts').textContent.includes('…')")
    tab.told("Drew 1 box")
    assert tracks(server) == [(1, HOOK, False, [1, 2, 3])]
    canvas.focus()
    tab.keys("ArrowRight")
    until(tab.page, "batman.state().image === 2 && batman.state().selected")
    assert [60, 20, 50, 60] in tab.boxes, "half way between"
    tab.page.locator("[data-track=split]").click()
    tab.told("are track 2")
    assert tracks(server) == [(1, HOOK, False, [1]), (2, HOOK, False, [2, 3])]
    tab.page.locator("[data-track=merge]").select_option("1")
    tab.told("Merged track 1 into 2")
    [(number, *_)] = tracks(server)
    tab.page.get_by_label("Class of the track").select_option(str(MAN))
    tab.told("is man")
    tab.page.locator("[data-track=approve]").click()
    tab.page.get_by_role("button", name="Approved").wait_for()
    assert tracks(server) == [(number, MAN, True, [1, 2, 3])]
    tab.keys("F6", "F6", "u")
    tab.page.get_by_role("button", name="Approve", exact=True).wait_for()
    assert tab.said == []


def test_boxes_are_linked_into_tracks_and_u_takes_it_back(
    context: Any, server: LabelServer
) -> None:
    make_video(server)
    with Project.open(server.folder / PROJECT) as project:
        for image in (2, 3):
            edit(project, image, [Add(HOOK, (100, 100, 300, 300))])
    tab = place(context, server, "videos")
    tab.page.locator("[data-track=link]").click()
    tab.told("Linked 3 boxes of crane.mp4: 1 new track")
    assert [each[3] for each in tracks(server)] == [[1, 3], [1, 2, 3]]
    tab.page.goto(f"{server.address}/label/#/{encoded(PROJECT)}/label/1")
    until(tab.page, "batman.state().picture")
    tab.keys("u").told("Taken back: Linked 3 boxes")
    assert [each[3] for each in tracks(server)] == [[1, 3]]
    assert tab.said == []


def test_the_list_of_videos_leads_to_their_pictures(context: Any, server: LabelServer) -> None:
    make_video(server)
    tab = place(context, server, "videos")
    assert "crane.mp4" in tab.page.inner_text("table")
    until(tab.page, "document.querySelector('.timeline canvas')?.ariaValueMax === '3'")
    bounds = tab.page.locator(".timeline canvas").bounding_box()
    tab.page.mouse.click(bounds["x"] + bounds["width"] * 0.5, bounds["y"] + 10)
    until(tab.page, "batman.state().image === 2")


def test_what_is_not_there_shows_nothing_of_what_was(context: Any, server: LabelServer) -> None:
    tab = Tab(context, server, 1)
    expect(tab.page.get_by_text("a.jpg")).to_have_count(1)
    expect(tab.page.locator(".boxes h2")).to_have_text("2 labels, 2 suggestions")
    tab.page.goto(f"{server.address}/label/#/{encoded(PROJECT)}/label/99")
    tab.told("There is no picture 99")
    expect(tab.page.get_by_text("a.jpg")).to_have_count(0)
    expect(tab.page.locator("aside.side > *")).to_have_count(0)
    expect(tab.page.locator(".badge")).to_have_count(0)
    tab.page.goto(f"{server.address}/label/#/nowhere/pictures")
    tab.told("There is no project")
    tab.page.get_by_role("link", name="All projects").click()
    tab.page.wait_for_selector(".cards a")
    assert tab.said == []


def test_missing_weights_are_told_in_the_words_of_the_form(
    context: Any, server: LabelServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    tab = place(context, server, "labellers")
    tab.page.get_by_label("Model", exact=True).fill("owlv2")
    tab.page.get_by_role("button", name="Start").click()
    tab.told("are not on this machine")
    said = tab.page.locator(".toast").last.text_content() or ""
    assert "Mark that its weights are fetched" in said
    assert "--" not in said
    assert tab.said == []
