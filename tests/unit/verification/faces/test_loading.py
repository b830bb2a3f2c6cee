"""What is loaded are the bytes whose hash was right: nothing is read again by its path."""

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.support import packs, portraits
from verification.errors import HashMismatch
from verification.faces.analyser import Analyser
from verification.models.pack import Model, Pack, Task
from verification.models.store import InstalledPack


@dataclass
class OnlyBytes:
    """Of an installed pack."""

    installed: InstalledPack

    @property
    def pack(self) -> Pack:
        return self.installed.pack

    def read(self, model: Model) -> bytes:
        return self.installed.read(model)


@pytest.mark.parametrize("pack", [packs.base, packs.insightface])
def test_a_pack_without_paths_is_loaded_and_finds_a_face(pack: object) -> None:
    assert callable(pack)
    analyser = Analyser(OnlyBytes(pack()))
    portrait = portraits.portrait()
    face = analyser.one_face(portrait)
    assert analyser.embed(portrait, face).shape in {(128,), (512,)}


@pytest.mark.campaign(11)
@pytest.mark.parametrize("task", [Task.LANDMARKS5, Task.RECOGNISER])
def test_a_file_that_is_changed_after_the_pack_was_opened_is_not_loaded(tmp_path: Path, task: Task) -> None:
    installed = packs.base()
    changed = replace(installed, folder=tmp_path)
    for model in installed.pack.all_models:
        if model.file:
            shutil.copyfile(installed.path(model), tmp_path / model.file)
    Analyser(changed)
    found = installed.pack.model(task)
    assert found is not None
    with (tmp_path / found.file).open("r+b") as file:
        file.seek(found.bytes // 2)
        byte = file.read(1)[0]
        file.seek(found.bytes // 2)
        file.write(bytes([byte ^ 1]))
    with pytest.raises(HashMismatch, match=found.file):
        Analyser(changed)
