"""The doctor: right about a sound installation, and unharmed by a broken one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from steering import doctor

ROOT = Path(doctor.__file__).resolve().parents[1]


def test_this_installation_works(tmp_path: Path) -> None:
    found = doctor.checks(tmp_path)
    assert [check for check in found if not check.ok] == []
    assert {"Python", "glib", "procgen", "torch", "encoder", "write access"} <= {check.name for check in found}
    assert list(tmp_path.iterdir()) == []
    assert doctor.report(found).endswith("everything works")


def test_libraries_that_abort_or_lie_are_reported_and_the_rest_still_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "procgen.py").write_text("import os\nos.abort()\n")
    (tmp_path / "torch.py").write_text("raise OSError('libcudart.so: cannot open shared object file')\n")
    (tmp_path / "av.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    found = {check.name: check for check in doctor.checks(tmp_path)}
    assert not found["procgen"].ok and "signal 6" in found["procgen"].detail
    assert "procgen==0.10.7" in found["procgen"].remedy
    assert not found["torch"].ok and "libcudart" in found["torch"].detail
    assert not found["encoder"].ok and found["encoder"].remedy
    assert found["Python"].ok and found["glib"].ok and found["write access"].ok
    text = doctor.report(list(found.values()))
    assert text.count("MISSING") == text.count("to mend: ") == 3
    assert text.endswith(f"3 of {len(found)} parts need mending")


def test_chatter_while_procgen_loads_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cffi.py").write_text(
        "import sys\nprint('a notice', file=sys.stderr)\n"
        f"sys.path.remove({str(tmp_path)!r})\ndel sys.modules['cffi']\nimport cffi\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    found = {check.name: check for check in doctor._procgen()}
    assert found["procgen"].ok
    assert not found["gym's notice"].ok and found["gym's notice"].detail == "a notice"


def test_nothing_installed_at_all(tmp_path: Path) -> None:
    """With the standard library alone the doctor still answers, part by part."""
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); from steering import doctor; import json; "
        "print(json.dumps({check.name: [check.ok, check.remedy] for check in doctor.checks()}))"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    found = json.loads(done.stdout)
    missing = {name: remedy for name, (ok, remedy) in found.items() if not ok}
    assert set(missing) == {"libraries", "procgen", "torch", "encoder"}
    assert all(missing.values())


@pytest.mark.parametrize("directory", ["/proc", "no/such/folder"])
def test_a_folder_that_cannot_be_written_to(directory: str) -> None:
    check = doctor._writable(Path(directory))
    assert not check.ok and directory in check.detail and check.remedy
