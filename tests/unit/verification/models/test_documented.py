"""The manifest of ``docs/models.md`` is one: it is read, installed and opened, with files that are as it says."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

from tests.support import tiny_pack
from verification.faces.quality import LIMITS
from verification.models.install import Options, install
from verification.models.onnx_format import Node, Tensor, model_bytes
from verification.models.pack import Task
from verification.models.settings import SETTINGS
from verification.models.store import ModelStore

PAGE = (Path(__file__).resolve().parents[4] / "docs" / "models.md").read_text(encoding="utf-8")


def documented() -> dict[str, Any]:
    [text] = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    return tomllib.loads(text)


def onnx(model: dict[str, Any]) -> bytes:
    """Of no use, but with these inputs and outputs."""
    inputs = [Tensor(name, "float32", tuple(shape)) for name, shape in model["inputs"].items()]
    outputs = [Tensor(name, "float32", tuple(shape)) for name, shape in model["outputs"].items()]
    nodes = [Node("Identity", (inputs[0].name,), output.name) for output in outputs]
    return model_bytes(model["task"], nodes, {}, inputs, outputs)


def test_the_manifest_of_the_page_is_installed_and_opened(tmp_path: Path) -> None:
    tree = documented()
    files: dict[str, bytes] = {}
    for model in tree["model"]:
        files[model["file"]] = onnx(model)
        model |= {"sha256": tiny_pack.sha256(files[model["file"]]), "bytes": len(files[model["file"]])}
    cited = tree["thresholds"]["comparison"]["evaluation"]
    ran = [{"library": "", "settings": {}, **model} for model in tree["model"]]
    report = {"pack": {"models": ran}, "n": cited["n"], "operating_points": tree["thresholds"]["comparison"]["points"]}
    files[cited["report"]] = json.dumps(report).encode()
    cited["sha256"] = tiny_pack.sha256(files[cited["report"]])
    folder = tiny_pack.write(tmp_path / "own", tree, files)
    store = ModelStore(tmp_path / "models")
    install(store, tree["name"], Options(origin=str(folder)))
    opened = store.verify(tree["name"])
    assert set(opened.pack.models) == {Task.DETECTOR, Task.RECOGNISER, Task.PAD}
    assert opened.pack.thresholds.quality == {"eye_distance_min": 60}


def test_the_page_names_every_limit_every_kind_and_every_setting() -> None:
    named = set(re.findall(r"`(\w+)`", PAGE))
    assert set(LIMITS) - named == set()
    assert set(SETTINGS) - named == set()
    fixed = {"multiple", "padding"}
    assert {key for kind in SETTINGS.values() for key in kind.__struct_fields__} - named - fixed == set()
