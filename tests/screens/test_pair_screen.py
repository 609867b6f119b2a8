"""Pictures that are nearly the same, side by side, from the check on."""

from __future__ import annotations

from pathlib import Path

from harness import FrozenApp, screen_text, settled, until
from picture_data import make_pictures
from PIL import Image

from batman_tui.health.screen import HealthScreen
from batman_tui.pictures.pair_screen import PairScreen
from core.data.store import Project


async def test_copies_are_laid_side_by_side_with_what_differs(tmp_path: Path, opened) -> None:
    path = make_pictures(tmp_path / "gotham/data/projects/site")
    # Image 20 (valid) is image 6 (train), compressed otherwise.
    with Project.open(path) as project:
        names = [project.image_file(f"1/site_{number:03}.png") for number in (6, 20)]
        Image.open(names[0]).quantize(200).save(names[1])
    app = FrozenApp(path.parent.parent.parent)
    async with opened(app, (120, 40)) as pilot:
        app.open_health(path)
        await settled(pilot)
        screen = app.screen
        assert isinstance(screen, HealthScreen)
        await until(pilot, lambda: not screen.running)
        assert screen.check_action("pairs", ()) is None
        assert screen.table.move_to("leakage")
        await settled(pilot)
        await pilot.press("p")
        await until(pilot, lambda: isinstance(app.screen, PairScreen))
        pair = app.screen
        assert pair.pairs == [(6, 20)]
        await until(pilot, lambda: "splits: train and valid" in screen_text(app))
        await until(pilot, lambda: [viewer.seen for viewer in pair._viewers] == [6, 20])
        text = screen_text(app)
        assert "site_006.png train" in text
        assert "site_020.png valid" in text
        assert "safety vest: 1 and 0" in text
        await pilot.press("b")
        assert all(viewer.look.hidden for viewer in pair._viewers)
        await pilot.press("escape")
        assert app.screen is screen
