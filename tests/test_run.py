"""What `./run` decides and says, without installing anything."""

from __future__ import annotations

import ast
import base64
import errno
import importlib.machinery
import importlib.util
import stat
import sys
from pathlib import Path
from types import ModuleType

import pytest

RUN = Path(__file__).resolve().parent.parent / "run"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """`run` as a module, over an empty copy of the project."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    loader = importlib.machinery.SourceFileLoader("run", str(RUN))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("run", loader))
    loader.exec_module(module)
    (tmp_path / "requirements.txt").write_text("django==5.2.19\n")
    (tmp_path / ".venv").mkdir()
    for name, value in {"ROOT": tmp_path, "VENV": tmp_path / ".venv"}.items():
        monkeypatch.setattr(module, name, value)
    monkeypatch.chdir(tmp_path)  # main() goes to its own folder; the fixture brings us back
    for name in ("DATA_DIR", "SECRET_KEY", "FIELD_KEYS"):
        monkeypatch.delenv(name, raising=False)
    return module


def test_an_old_python_is_told_in_one_sentence_which_is_needed(run: ModuleType) -> None:
    assert run.too_old((3, 9, 2)).startswith("smsapp needs Python 3.11 or newer and this is 3.9:")
    assert "`python3.11 run`" in run.too_old((3, 9, 2))


@pytest.mark.parametrize("version", [(3, 11, 0), (3, 13, 1), (4, 0, 0)])
def test_a_new_python_will_do(run: ModuleType, version: tuple[int, ...]) -> None:
    assert run.too_old(version) is None


def test_an_old_python_can_read_the_file_as_far_as_that_sentence() -> None:
    tree = ast.parse(RUN.read_text(), feature_version=(3, 7))

    newer = (ast.JoinedStr, ast.NamedExpr, ast.AnnAssign, ast.Match)
    assert not [node.lineno for node in ast.walk(tree) if isinstance(node, newer)]
    assert "__future__" not in RUN.read_text()


def test_secrets_are_made_for_us_alone(run: ModuleType) -> None:
    data = run.data_folder()
    run.make_secrets(data)

    assert stat.S_IMODE(data.stat().st_mode) == 0o700
    assert stat.S_IMODE((data / "secrets").stat().st_mode) == 0o700
    files = sorted((data / "secrets").iterdir())
    assert [file.name for file in files] == ["field_keys", "secret_key"]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert len(base64.urlsafe_b64decode(files[0].read_text().strip())) == 32


def test_secrets_that_exist_are_never_replaced(run: ModuleType) -> None:
    data = run.data_folder()
    run.make_secrets(data)
    first = (data / "secrets" / "field_keys").read_text()

    run.make_secrets(data)

    assert (data / "secrets" / "field_keys").read_text() == first


def test_a_secret_of_the_environment_is_not_generated(
    run: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_KEY", "mine")
    data = run.data_folder()

    run.make_secrets(data)

    assert not (data / "secrets" / "secret_key").exists()
    assert (data / "secrets" / "field_keys").exists()


@pytest.mark.parametrize(
    "line", ["DATA_DIR=data", 'export DATA_DIR="data"', " DATA_DIR = 'data' "], ids=repr
)
def test_the_data_folder_can_be_named_in_dotenv(run: ModuleType, line: str) -> None:
    (run.ROOT / ".env").write_text(f"# where things are\n{line}\n")

    assert run.data_folder() == run.ROOT / "data"


def test_the_environment_wins_over_dotenv(
    run: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (run.ROOT / ".env").write_text("DATA_DIR=ignored\n")
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "elsewhere"))

    assert run.data_folder() == tmp_path / "elsewhere"


def test_requirements_count_as_installed_until_one_of_them_changes(run: ModuleType) -> None:
    assert not run.is_installed("requirements.txt")

    run.stamp_of("requirements.txt").write_text(run.digest_of("requirements.txt"))
    assert run.is_installed("requirements.txt")

    (run.ROOT / "requirements.txt").write_text("django==5.2.20\n")
    assert not run.is_installed("requirements.txt")


def test_another_python_installs_again(run: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    run.stamp_of("requirements.txt").write_text(run.digest_of("requirements.txt"))

    monkeypatch.setattr(sys, "version", "3.99.0")

    assert not run.is_installed("requirements.txt")


@pytest.mark.parametrize(
    ("number", "says"),
    [
        pytest.param(errno.EROFS, "/srv/x is on a disk that is mounted read-only", id="read-only"),
        pytest.param(errno.EACCES, "may not write to /srv/x: make it yours (`", id="not ours"),
        pytest.param(errno.ENOSPC, "disk of /srv/x is full: free some space (`df", id="full disk"),
        pytest.param(errno.EIO, "smsapp cannot use /srv/x: Input/output error.", id="broken"),
    ],
)
def test_trouble_with_files_is_one_sentence(run: ModuleType, number: int, says: str) -> None:
    words = "Input/output error"

    assert says in run.sentence_for(OSError(number, words, "/srv/x"))


def test_a_folder_that_cannot_be_made_is_said_not_traced(
    run: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "file" / "data"))
    monkeypatch.setattr(run, "set_up", lambda requirements: None)

    with pytest.raises(SystemExit, match=r"smsapp cannot use .*/file/data: Not a directory\."):
        run.main([])


def test_a_full_disk_is_said_before_anything_breaks(
    run: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "LEAST_SPACE", 1 << 62)
    monkeypatch.setattr(run, "set_up", lambda requirements: None)

    with pytest.raises(SystemExit, match=r"The disk of .*/var is full: free some space"):
        run.main([])


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        pytest.param("OSError: No space left on device", "The disk is full", id="full disk"),
        pytest.param("THESE PACKAGES DO NOT MATCH THE HASHES", "A package differs", id="hash"),
        pytest.param("Could not find a version", "could not be fetched", id="no network"),
    ],
)
def test_a_failed_installation_is_explained(run: ModuleType, said: str, sentence: str) -> None:
    assert sentence in run.why_not_installed(said)


def test_without_the_venv_module_the_command_that_brings_it_is_named(
    run: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run.importlib.util, "find_spec", lambda name: None)

    with pytest.raises(run.CannotStart, match="apt install python3-venv"):
        run.make_venv()


def test_a_word_that_is_no_command_is_refused(run: ModuleType) -> None:
    with pytest.raises(SystemExit, match=r"There is no `\./run tset`"):
        run.main(["tset"])
