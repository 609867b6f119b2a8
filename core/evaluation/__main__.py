"""`python -m core.evaluation`: evaluate in a process of its own, for the application.

With `--json-progress` standard output has one JSON object a line: `{"event": "progress", "stage",
"done", "total"}` as it goes, then `{"event": "finished", "folder", "map50_95", "map50"}` or
`{"event": "failed", "message", "hint", "full"}`. The exit code is 0, 1 for an expected error, 130
for a cancellation by SIGTERM or SIGINT.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

from core.common.errors import Cancelled
from core.common.progress import Progress
from core.common.text import clean
from core.evaluation.evaluate import EvaluationOptions, evaluate
from core.evaluation.result import evaluation_folder
from core.processes.child_failure import told_failure
from core.processes.child_process import begin_process, listen_for_stop


def main(argv: list[str] | None = None) -> int:
    """Evaluate as the arguments say and return the exit code."""
    begin_process()
    parser = argparse.ArgumentParser(prog="python -m core.evaluation", description=__doc__)
    parser.add_argument("--run", "--checkpoint", dest="target", required=True)
    parser.add_argument("--split", default="valid")
    parser.add_argument("--dataset", type=Path)
    parser.add_argument("--output", type=Path)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--batch-size", type=int)
    parser.add_argument("--worst", type=int, default=24)
    parser.add_argument("--json-progress", action="store_true")
    arguments = parser.parse_args(argv)
    # Libraries print on standard output, which here is for our lines only.
    out = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)
    stopped = listen_for_stop()

    def say(event: str, **values: Any) -> None:
        if arguments.json_progress:
            out.write(json.dumps({"event": event, **values}) + "\n")

    def report(step: Progress) -> None:
        say("progress", stage=step.stage, done=step.done, total=step.total)

    options = EvaluationOptions(
        target=arguments.target,
        split=arguments.split,
        dataset=arguments.dataset,
        output=arguments.output,
        device=arguments.device,
        batch_size=arguments.batch_size,
        worst=arguments.worst,
    )
    try:
        result = evaluate(options, report, stopped)
    except Exception as error:
        told = told_failure(error, *filter(None, [arguments.output]))
        say("failed", **told)
        if not arguments.json_progress:
            sys.stderr.write(f"{clean(told['message'])}\n{clean(told['hint'])}\n")
        return 130 if isinstance(error, Cancelled) else 1
    folder = arguments.output or evaluation_folder(Path(result.checkpoint).parent, result.split)
    say("finished", folder=str(folder), map50_95=result.map50_95, map50=result.map50)
    if not arguments.json_progress:
        said = f"mAP50-95 {result.map50_95}, mAP50 {result.map50}: {clean(str(folder))}"
        out.write(said + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
