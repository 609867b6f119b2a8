"""Keys stay out of texts and out of the list of processes."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.common.text import clean
from core.privacy.find_secrets import found_secrets, passwords_of
from core.privacy.secrets import learn, redact, redact_forms, redact_json, redact_tree, refresh
from core.training.config.options import TrainingConfig
from core.training.run.events import EventWriter, Failed, Warning_, read_events
from core.training.run.notes import write_note

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("key abc/def is wrong", "key … is wrong"),
        ("at /x?api_key=abc%2Fdef&y=1", "at /x?api_key=…&y=1"),
        ("https://h/f.zip?key=other&z=2", "https://h/f.zip?key=…&z=2"),
        ("X-Amz-Signature=0f0f&X-Amz-Expires=9 end", "X-Amz-Signature=…&X-Amz-Expires=… end"),
        ("GoogleAccessId=me&Signature=zz", "GoogleAccessId=me&Signature=…"),
        ("nothing to hide", "nothing to hide"),
    ],
)
def test_secrets_and_parameters_that_hold_one_are_masked(text: str, expected: str) -> None:
    assert redact(text, ["abc/def", ""]) == expected


@pytest.fixture(autouse=True)
def looks_anew(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Secrets of one test are not those of another."""
    monkeypatch.setenv("HOME", str(tmp_path))
    refresh()
    yield
    refresh()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("http://user:password@host:5000/x", "http://…@host:5000/x"),
        ("postgresql+psycopg2://u:p@ss@db/m", "postgresql+psycopg2://…@db/m"),
        ("redis://:pa/ss#1@host:1/0", "redis://…@host:1/0"),
        ("https://ghp_token@github.com/a/b.git", "https://…@github.com/a/b.git"),
        ("ssh://git:pw@host/a", "ssh://…@host/a"),
        ("git+ssh://git@host/a", "git+ssh://git@host/a"),
        ("git@github.com:a/b.git", "git@github.com:a/b.git"),
        ("https://host:8080/path/@scope/name", "https://host:8080/path/@scope/name"),
        ("nothing at '/here/https:/u:p@host/w'", "nothing at '/here/https:/…@host/w'"),
        ("u=http%3A%2F%2Fuser%3Apass%40host%2Fx", "u=http%3A%2F%2F…@host%2Fx"),
        ("Authorization: Bearer abc.def-1", "Authorization: …"),
        ("{'authorization': 'Basic dTpw', 'a': 1}", "{'authorization': '…', 'a': 1}"),
        ('{"X-Api-Key": "k1", "b": 2}', '{"X-Api-Key": "…", "b": 2}'),
        ("got Bearer abcdef12345 back", "got Bearer … back"),
        ("the bearer of news", "the bearer of news"),
        ("batman import roboflow --api-key k1 --version 2",
         "batman import roboflow --api-key … --version 2"),
        ("export WANDB_API_KEY='a b' X=1", "export WANDB_API_KEY='…' X=1"),
        ("export BATMAN_TOKEN=0123456789abcdef", "export BATMAN_TOKEN=0123456789abcdef"),
        ("AccountName=me;AccountKey=abc==;End=1", "AccountName=me;AccountKey=…;End=1"),
        ("hf_abcdefghijklmnopqrst", "…"),
        ("eyJhbGciOiJI.eyJzdWIiOiIx.c2ln next", "… next"),
        ("-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY-----",
         "-----BEGIN RSA PRIVATE KEY-----…"),
        ("--wandb --mlflow sort_key=name step=12 loss=0.5",
         "--wandb --mlflow sort_key=name step=12 loss=0.5"),
        ("mAP50-95 0.5 @ 640, a@b.org", "mAP50-95 0.5 @ 640, a@b.org"),
    ],
)  # fmt: skip
def test_what_has_the_form_of_a_secret_is_hidden(text: str, expected: str) -> None:
    assert redact(text) == expected
    assert redact(expected) == expected
    assert redact_forms(text) == expected


def test_values_of_the_environment_are_hidden_in_every_notation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    value = 'pä/ss "wörd"+1'
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", value)
    refresh()
    for text in (
        value, "p%C3%A4%2Fss%20%22w%C3%B6rd%22%2B1", "p%c3%a4/ss+%22w%c3%b6rd%22%2b1",
        json.dumps(value), json.dumps(value, ensure_ascii=False), repr(value),
    ):  # fmt: skip
        told = redact(f"see {text} there")
        assert "…" in told, text
        assert "ss" not in told, text
    assert clean(f"name {value}") == "name …"


def test_where_secrets_are_kept(tmp_path: Path) -> None:
    env = {
        "MLFLOW_TRACKING_URI": "http://ada:p%40ss-word@host:1",
        "https_proxy": "ada:proxy-pw@p:3128",
        "GIT_REMOTE": "https://tok3n-of-git@host/x", "WANDB_API_KEY": "wandb7",
        "AZURE_STORAGE_CONNECTION_STRING": "AccountName=me;AccountKey=azure-key==;X=1",
        "MY_TOKEN": "own-token-1",
        # Too short, a plain word, a path, our own, or no name of a secret.
        "KEY": "1", "A_PASSWORD": "short1", "B_PASSWORD": "hedgehog", "SSH_KEY": "/home/a/key1",
        "BATMAN_TOKEN": "abcdef0123456789", "TOKENIZERS_PARALLELISM": "false1234",
        "MLFLOW_TRACKING_USERNAME": "admin", "KEYBOARD": "layout-12345",
    }  # fmt: skip
    files = {
        ".netrc": "machine a login b password netrc-pw-1\n",
        ".cache/huggingface/token": "hugging-1\n",
        ".aws/credentials": "[d]\naws_secret_access_key = aws-secret-1\nregion = eu-central-1\n",
        ".config/pip/pip.conf": "[global]\nindex-url = https://u:pip-pw-1@host/simple\n",
        ".config/roboflow/config.json": '{"workspaces": {"w": {"apiKey": "robo-1", "name": "ws"}}}',
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert found_secrets(env, tmp_path) == {
        "p%40ss-word", "p@ss-word", "proxy-pw", "tok3n-of-git", "wandb7", "azure-key==",
        "own-token-1", "netrc-pw-1", "hugging-1", "aws-secret-1", "pip-pw-1", "robo-1",
    }  # fmt: skip
    assert passwords_of("ssh://git@host/x") == set()
    assert passwords_of("http://host:80/a@b") == set()


def test_what_cannot_be_read_or_is_no_file_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / ".netrc").mkdir()
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "credentials").write_bytes(b"\xff\xfe secret = \x80" * 10)
    (tmp_path / ".config" / "roboflow").mkdir(parents=True)
    (tmp_path / ".config" / "roboflow" / "config.json").write_text("[" * 5000)
    found_secrets({"HF_TOKEN_PATH": "/proc/self/mem"}, tmp_path)
    found_secrets({}, tmp_path / "nobody")


def test_numbers_and_names_of_json_stay_what_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_TOKEN", "12345678")
    refresh()
    text = json.dumps({"12345678": 12345678, "said": "it is 12345678", "more": [1.5, None, True]})
    told = json.loads(redact_json(text))
    assert told == {"12345678": 12345678, "said": "it is …", "more": [1.5, None, True]}
    assert redact_json('{"a": 1}') == '{"a": 1}'
    assert redact_tree({"a": ("x", 1)}) == {"a": ["x", 1]}


def test_files_of_a_run_hold_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", 'http://ada:pa"ss-w0rd@127.0.0.1:9')
    learn("told-by-argument")
    refresh()
    text = 'no answer from http://ada:pa"ss-w0rd@127.0.0.1:9, pa"ss-w0rd, told-by-argument'
    writer = EventWriter(tmp_path / "events.jsonl")
    writer.write(Warning_(code="no-mlflow", message=text))
    writer.write(Failed(kind="error", message=text, hint=text, traceback=f"line\n{text}\n"))
    writer.close()
    events, _ = read_events((tmp_path / "events.jsonl").read_bytes())
    assert [event.message for event in events] == ["no answer from http://…@127.0.0.1:9, …, …"] * 2
    (tmp_path / "run").mkdir()
    write_note(tmp_path / "run", text)
    config = TrainingConfig(
        model="tiny", notes=[text], pretrained=Path("https://ada:other@host/w.pth")
    )
    config.save(tmp_path / "run" / "training_config.json")
    for path in tmp_path.rglob("*.json*"):
        assert "w0rd" not in path.read_text(), path
        assert "told-by" not in path.read_text(), path
        assert "other" not in path.read_text(), path


def test_names_that_training_needs_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A variable may hold by chance what a folder is called."""
    monkeypatch.setenv("DEPLOY_KEY", "production-7")
    refresh()
    config = TrainingConfig(model="tiny", pretrained=Path("/data/production-7/w.pth"))
    config.save(tmp_path / "c.json")
    assert TrainingConfig.load(tmp_path / "c.json").pretrained == config.pretrained


def test_it_costs_next_to_nothing() -> None:
    """Each line that is shown passes here, and a line may be long and mean nothing."""
    lines = ["cells-base-1", "epoch 1/9  step 12/400  loss 1.25", "x" * 200] * 3000
    began = time.process_time()
    for line in lines:
        redact(line)
    assert time.process_time() - began < 1.0
    for long in (
        "a-" * 30_000,
        "a." * 30_000 + "@://",
        "a:/b:" * 10_000 + "@",
        "x-" * 30_000 + ":",
    ):
        began = time.process_time()
        redact(long + "token")
        assert time.process_time() - began < 2.0, long[:10]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc")
def test_an_argument_is_hidden_wherever_it_stands() -> None:
    code = (
        "import sys; from core.privacy.secrets import hide_argument; hide_argument('sécret');"
        "print(open('/proc/self/cmdline', 'rb').read()); print(sys.argv)"
    )
    words = [sys.executable, "-c", code.replace("'sécret'", "sys.argv[2]")]
    done = subprocess.run(
        [*words, "--key", "sécret", "--also=sécret", "rest"],
        cwd=ROOT, capture_output=True, text=True, check=True, encoding="utf-8",
    )  # fmt: skip
    assert "sécret" not in done.stdout
    assert repr("sécret".encode())[2:-1] not in done.stdout
    assert "rest" in done.stdout
    assert "--also=" in done.stdout
