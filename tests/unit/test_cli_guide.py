"""Every command of the user's guide is taken by our parsers as it stands there."""

from __future__ import annotations

import argparse
import importlib
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from cli.parser import BatmanParser
from core.training.config.command_line import equivalent_command, option_flag, option_names
from core.training.config.options import TrainingConfig, parse_config


def commands(guide: str) -> list[list[str]]:
    """Return the commands of the guide's shell blocks as words; a comment is left out."""
    found = []
    for block in re.findall(r"```bash\n(.*?)```", guide, re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            if words:
                found.append(words)
    return found


def parse(module: str, words: list[str]) -> argparse.Namespace:
    parser = BatmanParser(prog=f"python -m cli.{module}")
    importlib.import_module(f"cli.{module}").add_arguments(parser)
    return parser.parse_args(words)


def test_every_command_of_the_guide_parses(guide: str) -> None:
    seen: dict[str, int] = {}
    for words in commands(guide):
        if words[:2] == ["python", "-m"]:
            module = words[2].removeprefix("cli.")
            parse(module, words[3:])
        elif words[0].startswith("--"):
            # A part of a command, shown by itself.
            module = "train"
            parse(module, words)
        else:
            continue
        seen[module] = seen.get(module, 0) + 1
    # As many as the guide has: none was overlooked.
    assert seen == {"importer": 3, "classes": 3, "train": 14, "inference": 2}


def test_the_guides_script_starts_a_command_that_is_there() -> None:
    script = Path(__file__).parents[2] / "submit_train.sh"
    done = subprocess.run([script, "--help"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Usage: ./submit_train.sh ")


def test_the_guides_training_commands_are_good_settings(guide: str) -> None:
    configs = []
    for words in commands(guide):
        if words[:3] != ["python", "-m", "cli.train"] or "--export" in words:
            continue
        args = parse("train", words[3:])
        given = {name: getattr(args, name) for name in option_names()}
        configs.append(parse_config({k: v for k, v in given.items() if v is not None}))
    first = configs[0]
    assert (first.model, first.epochs, first.batch_size, first.image_size) == ("base", 50, 8, 640)
    assert (first.lr, first.patience) == (1e-4, 10)
    assert str(first.output_dir) == "runs/my_training_run"
    assert any(config.filter_classes == ["rare_class"] for config in configs)
    assert any(config.effective_batch == 16 for config in configs)
    assert any(str(config.resume).endswith("checkpoint_epoch_25.pth") for config in configs)
    # All that the guide leaves out in its shortest command.
    assert configs[-1] == TrainingConfig(project=configs[-1].project)


def test_the_guides_class_names_arrive_as_they_are(guide: str) -> None:
    (merge,) = [words[3:] for words in commands(guide) if words[2:4] == ["cli.classes", "merge"]]
    args = parse("classes", merge)
    assert (args.source, args.target) == (["crane-hook", "crane_hook", "hook"], "crane_hook")
    (rename,) = [words[3:] for words in commands(guide) if words[2:4] == ["cli.classes", "rename"]]
    args = parse("classes", rename)
    assert (args.old_name, args.new_name) == ("crane-boom", "crane_boom")


def test_roboflows_workspace_is_not_ours(guide: str) -> None:
    (words,) = [words[3:] for words in commands(guide) if words[3:4] == ["roboflow"]]
    args = parse("importer", words)
    assert args.create
    assert "your-workspace" in vars(args).values()
    assert getattr(args, "workspace_dir", None) is None


@pytest.mark.parametrize(
    "config",
    [
        TrainingConfig(),
        TrainingConfig(model="tiny", project=Path("p q"), ema=True, from_scratch=True),
        TrainingConfig(
            batch_size="auto",
            workers=0,
            filter_classes=["a b", "c'd"],
            splits=(0.8, 0.2, 0),
            multi_scale=False,
            lr=3e-5,
            eval_batch_size=3,
            resume=Path("runs/x"),
            precision="bf16",
        ),
    ],
)
def test_the_shown_command_gives_the_same_settings(config: TrainingConfig) -> None:
    """The form shows this command, and people paste it."""
    args = parse("train", equivalent_command(config)[2:])
    given = {name: getattr(args, name) for name in option_names()}
    again = parse_config({name: value for name, value in given.items() if value is not None})
    assert again.model_dump() == config.model_dump()


def test_every_setting_is_an_option_with_its_default() -> None:
    parser = BatmanParser()
    importlib.import_module("cli.train").add_arguments(parser)
    text = " ".join(parser.format_help().split())
    for name in option_names():
        assert re.search(rf" {option_flag(name)}[ ,]", text), name
        assert name in vars(parser.parse_args([]))
    assert "(default: 70/15/15)" in text
    assert "(default: 0.0001)" in text
