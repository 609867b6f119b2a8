"""A labeller's files: in a folder, in the hub's cache, and from a hub that says no."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from core.autolabel import fetch_weights
from core.autolabel.choice import Choice, parse_choice
from core.autolabel.fetch_weights import fetch
from core.autolabel.labellers.pretrained import require_transformers
from core.autolabel.weights import find_weights, require_files
from core.common.errors import Cancelled, WeightsMissing
from core.common.progress import Progress, never, nothing
from core.processes.child_process import python_environment
from core.processes.installation import how_to_install
from core.training.launch import pretrained_weights

pytest.importorskip("huggingface_hub", reason="the label extra is not installed")
from huggingface_hub import constants

SAM3, OWL = parse_choice("sam3"), parse_choice("owlv2")
PROXIES = [
    case(f"{kind}_proxy") for kind in ("http", "https", "all", "no") for case in (str, str.upper)
]
FILES = {
    "config.json": b'{"model_type": "owlv2"}',
    "model.safetensors": b"w" * 3_000_000,
    "processor_config.json": b"{}",
    "tokenizer.json": b"{}",
    "pytorch_model.bin": b"another form of the same",
}


def folder_of(parent: Path, *without: str, kind: str = "owlv2") -> Path:
    folder = parent / "weights"
    folder.mkdir()
    for name in FILES.keys() - set(without):
        (folder / name).write_bytes(b"{}")
    if "config.json" not in without:
        (folder / "config.json").write_text(json.dumps({"model_type": kind}))
    return folder


def test_a_whole_folder_is_taken(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    assert find_weights(OWL, folder) == folder
    require_files(folder, OWL)


@pytest.mark.parametrize(
    ("without", "named"),
    [
        (("config.json",), "lacks config.json,"),
        (("model.safetensors", "pytorch_model.bin"), "lacks model.safetensors or model.safetens"),
        (("tokenizer.json", "processor_config.json"), "preprocessor_config.json, tokenizer.json"),
    ],
)
def test_what_a_folder_lacks_is_named(tmp_path: Path, without: tuple[str, ...], named: str) -> None:
    folder = folder_of(tmp_path, *without)
    with pytest.raises(WeightsMissing, match="which OWLv2 needs") as caught:
        find_weights(OWL, folder)
    assert named in caught.value.message
    assert "huggingface.co/google/owlv2-base-patch16-ensemble" in caught.value.hint
    (folder / "sam3.pt").touch()
    with pytest.raises(WeightsMissing) as caught:
        find_weights(SAM3, folder)
    assert "Meta's own format" in caught.value.hint


def test_weights_in_parts(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "model.safetensors", "pytorch_model.bin")
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": "one.safetensors", "b": "../two"}}))
    with pytest.raises(WeightsMissing, match=r"lacks \.\./two, one\.safetensors,"):
        find_weights(OWL, folder)
    (folder / "one.safetensors").touch()
    (folder / "two").touch()
    assert find_weights(OWL, folder) == folder
    index.write_text("[")
    with pytest.raises(WeightsMissing, match="lacks a whole model"):
        find_weights(OWL, folder)


def test_folders_of_something_else(tmp_path: Path) -> None:
    with pytest.raises(WeightsMissing, match="is not there"):
        find_weights(OWL, tmp_path / "nowhere")
    file = tmp_path / "sam3.pt"
    file.touch()
    with pytest.raises(WeightsMissing, match="is a file, not a folder"):
        find_weights(SAM3, file)
    folder = folder_of(tmp_path, kind="sam3_video")
    assert find_weights(SAM3, folder) == folder, "it holds the model for pictures too"
    with pytest.raises(WeightsMissing, match="of the kind 'sam3_video', not OWLv2"):
        find_weights(OWL, folder)
    (folder / "config.json").write_text("[]")
    with pytest.raises(WeightsMissing, match="of the kind 'None'"):
        find_weights(SAM3, folder)


class Hub:
    """A hub on loopback that has one repository of OWLv2, and answers others with `status`."""

    def __init__(self) -> None:
        self.status, self.code = 404, "RepoNotFound"
        self.asked: list[str] = []
        hub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                hub.asked.append(f"{self.command} {self.path}")
                path = self.path.partition("?")[0].removesuffix("/")
                if OWL.target not in path or hub.status != 200:
                    return self.answer(hub.status, b"{}", {"X-Error-Code": hub.code})
                name = path.rpartition("/")[2]
                if name in FILES and "/resolve/" in path:
                    there = {"ETag": f'"{name}"', "X-Repo-Commit": "c" * 40}
                    return self.answer(200, FILES[name], there)
                tree = [
                    {"type": "file", "path": name, "size": len(data), "oid": name}
                    for name, data in FILES.items()
                ]
                siblings = [{"rfilename": name} for name in FILES]
                about = {"id": OWL.target, "sha": "c" * 40, "siblings": siblings, "tags": []}
                return self.answer(200, json.dumps(tree if "/tree/" in path else about).encode())

            do_HEAD = do_GET  # noqa: N815

            def answer(self, status: int, data: bytes, more: dict[str, str] | None = None) -> None:
                self.send_response(status)
                for name, value in (more or {}).items():
                    self.send_header(name, value)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(data)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
    made = Hub()
    monkeypatch.setattr(constants, "ENDPOINT", made.url)
    template = f"{made.url}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
    for name in ("HF_TOKEN", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.mark.parametrize(
    ("status", "code", "choice", "said", "way_out"),
    [
        (401, "GatedRepo", SAM3, "nobody is logged in here", "then log in with hf auth login"),
        (403, "GatedRepo", SAM3, "may not have the weights of SAM 3", "OWLv2 and Grounding DINO"),
        (404, "RepoNotFound", Choice("owlv2", "nobody/none"), "no repository 'nobody/none'", "Che"),
        (404, "EntryNotFound", Choice("owlv2", "some/data"), "'some/data' has no config.json", "T"),
        (403, "", OWL, r"does not accept the login of this machine \(403\)", "hf auth logout"),
    ],
)
def test_a_hub_that_says_no(
    hub: Hub, status: int, code: str, choice: Choice, said: str, way_out: str
) -> None:
    hub.status, hub.code = status, code
    with pytest.raises(WeightsMissing, match=said) as caught:
        fetch(choice, nothing, never)
    assert way_out in caught.value.hint
    assert len(hub.asked) <= 3, "it is not asked again and again"


def test_what_is_fetched_is_found_in_the_cache_from_then_on(hub: Hub, tmp_path: Path) -> None:
    hub.status = 200
    assert find_weights(OWL) is None
    seen: list[Progress] = []
    folder = fetch(OWL, seen.append, never)
    assert (folder / "model.safetensors").stat().st_size == 3_000_000
    assert not (folder / "pytorch_model.bin").exists(), "one form is enough"
    assert (seen[-1].done, seen[-1].total) == (3, 3)
    asked = len(hub.asked)
    assert find_weights(OWL) == folder
    assert find_weights(SAM3) is None
    assert len(hub.asked) == asked, "looking needs no network"
    (folder / "tokenizer.json").unlink()
    assert find_weights(OWL) is None


def test_a_download_can_be_stopped(hub: Hub) -> None:
    hub.status = 200
    with pytest.raises(Cancelled):
        fetch(OWL, nothing, lambda: True)


def test_without_a_network_it_is_said_at_once(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # nobody listens there
        monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{closed.getsockname()[1]}")
        with pytest.raises(
            WeightsMissing, match=r"SAM 3 cannot be fetched: 127\.0\.0\.1 cannot be"
        ) as caught:
            fetch(SAM3, nothing, never)
        assert "--weights" in caught.value.hint
        # A proxy that is not there is no way to the hub either.
        monkeypatch.setattr(constants, "ENDPOINT", "https://hub.invalid")
        monkeypatch.setenv("HTTPS_PROXY", f"http://me:secret@127.0.0.1:{closed.getsockname()[1]}")
        with pytest.raises(WeightsMissing, match=r"127\.0\.0\.1 cannot be reached") as caught:
            fetch(SAM3, nothing, never)
        assert "secret" not in caught.value.message
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(WeightsMissing, match="HF_HUB_OFFLINE says to stay offline"):
        fetch(SAM3, nothing, never)
    assert hub.asked == []


def test_published_weights_without_a_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RF_HOME", str(tmp_path))
    monkeypatch.setattr(pretrained_weights, "_reachable", lambda: False)
    for name in pretrained_weights._PROXIES:
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(WeightsMissing, match=r"nano .* cannot be reached") as caught:
        fetch(Choice("coco", "nano"), nothing, never)
    assert caught.value.hint.startswith("Copy rf-detr-nano.pth from a machine that has a network")
    assert str(tmp_path) in caught.value.hint
    (tmp_path / "rf-detr-nano.pth").touch()
    monkeypatch.setattr(pretrained_weights, "fetch", lambda *_: None)
    assert fetch(Choice("coco", "nano"), nothing, never) == tmp_path / "rf-detr-nano.pth"


def test_fetching_is_a_job(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    hub.status, hub.code = 401, "GatedRepo"
    with pytest.raises(WeightsMissing, match="nobody is logged in here"):
        fetch_weights.fetch_in_child(SAM3, nothing, never)


def test_packages_that_are_missing_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "importlib.util.find_spec", lambda name: None if name == "transformers" else object()
    )
    with pytest.raises(
        WeightsMissing, match="not installed here: transformers is missing"
    ) as caught:
        require_transformers()
    assert how_to_install("batman-tui[label,train]") in caught.value.hint


def test_what_is_looked_at_before_a_pass_loads_nothing_heavy() -> None:
    code = (
        "import sys, core.autolabel.job, core.autolabel.snap.service, core.autolabel.__main__\n"
        "print(*{'torch', 'transformers', 'rfdetr', 'huggingface_hub'} & sys.modules.keys())"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=python_environment(), text=True, capture_output=True)
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr


@pytest.mark.parametrize(
    ("endpoint", "proxies", "hop"),
    [
        ("https://huggingface.co", {}, ("huggingface.co", 443)),
        ("http://mirror:8080/hf", {}, ("mirror", 8080)),
        ("https://huggingface.co", {"https_proxy": "http://proxy:3128"}, ("proxy", 3128)),
        ("https://huggingface.co", {"all_proxy": "socks5h://proxy"}, ("proxy", 1080)),
        ("https://huggingface.co", {"https_proxy": "proxy:3128"}, ("proxy", 3128)),
        ("https://huggingface.co", {"http_proxy": "http://proxy:3128"}, ("huggingface.co", 443)),
        (
            "https://huggingface.co",
            {"https_proxy": "http://proxy:3128", "no_proxy": "huggingface.co"},
            ("huggingface.co", 443),
        ),
    ],
)
def test_who_is_asked_for_a_connection_first(
    monkeypatch: pytest.MonkeyPatch,
    endpoint: str,
    proxies: dict[str, str],
    hop: tuple[str, int],
) -> None:
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
    for name, value in proxies.items():
        monkeypatch.setenv(name, value)
    assert fetch_weights._first_hop(endpoint) == hop
