"""What the README and the docs show works as written."""

import re
import sys
from pathlib import Path

import pytest

from jovium.cli.main import parser

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def test_python_examples_of_the_readme_run(capsys, monkeypatch):
    """One after the other, as written but for what takes minutes: a cheap cutoff, two steps of a smaller training."""
    monkeypatch.chdir(ROOT)
    text = "\n".join(re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.S))
    small = "steps=2, proton_walkers=16, flow_channels=1, features=4, mc_steps=2, report_every=2"
    for long, short in (
        ("jv.KohnShamSettings()", "jv.KohnShamSettings(cutoff=30.0, k_spacing=0.5)"),
        ("steps=60, wavefunction_warmup=20, proton_walkers=64, flow_batch_size=64", f"{small}, flow_batch_size=16"),
        ("run.train(80)", "run.train(4, report_every=2)"),
        ("run.measure()", "run.measure(16, 2)"),
    ):
        assert long in text
        text = text.replace(long, short)
    exec(text, {})
    lines = capsys.readouterr().out.splitlines()
    interval = next(line for line in lines if re.match(r"0\.\d+ \(0\.", line))
    phi, low, high = map(float, re.findall(r"[0-9.]+", interval))
    assert low < phi < high
    assert any(re.fullmatch(r"0\.6\d+", line) for line in lines)  # phi of Cs-IV from first principles
    assert any(line.startswith("F_Ha_per_atom") for line in lines)


def test_every_command_line_of_the_docs_parses():
    for path in PAGES:
        for line in re.findall(r"^(?:`?)jovium ([^#`\n>]+)", path.read_text().replace("\\\n", " "), flags=re.M):
            arguments = line.split("...")[0].split()
            if arguments and not arguments[0].startswith("-") and "..." not in line:
                parser().parse_args(arguments)


def test_the_page_of_settings_is_made_from_the_settings(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "docs")
    from make_settings import settings_page

    assert (ROOT / "docs" / "settings.md").read_text() == settings_page(), "run: python docs/make_settings.py"


def test_the_page_of_troubleshooting_is_made_from_the_messages(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "docs")
    from make_troubleshooting import troubleshooting_page

    page = (ROOT / "docs" / "troubleshooting.md").read_text()
    assert page == troubleshooting_page(), "run: python docs/make_troubleshooting.py"
    of_the_source = {"...", "self", "str", "do", "get", "tolist", "splitlines", "strip", "encode", "replace", "written"}
    assert not of_the_source & {*re.findall(r"<([^<>]+)>", page)}
    assert not re.findall(r"<\d+>", page)


def test_every_message_has_a_heading_and_its_three_parts(monkeypatch, tmp_path):
    """Fields by their names, parts that were given a name before, constants of the module."""
    monkeypatch.syspath_prepend(ROOT / "docs")
    import make_troubleshooting

    monkeypatch.setattr(make_troubleshooting, "SOURCE", tmp_path)
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "one.py").write_text(
        'DO = "give another"\ndef f(n_bad, path):\n    got, other = f"{path}: {n_bad} | {len(path):.2f}", ""\n'
        '    warnings.append(f"a place beyond {path}")\n    raise InputError(got, "two" + " parts", DO)\n'
    )
    page = make_troubleshooting.troubleshooting_page()
    assert "| `<path>: <n bad> \\| <path>` | `two parts` | `give another` |" in page
    assert "| `a place beyond <path>` |" in page
    (tmp_path / "elsewhere.py").write_text('raise InputError("a", "b", "c")')
    with pytest.raises(AssertionError, match="a heading for elsewhere"):
        make_troubleshooting.troubleshooting_page()


def test_the_front_door_is_complete_and_light():
    """Every name is there with a docstring, and importing jovium imports none of them."""
    import subprocess

    import jovium

    for name in jovium.__all__:
        assert (getattr(jovium, name).__doc__ or "").strip(), name
    with pytest.raises(AttributeError, match="free_energy"):
        jovium.no_such_name  # noqa: B018
    heavy = "import sys, jovium; print([m for m in ('jax', 'numpy', 'ase', 'matplotlib') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", heavy], capture_output=True, text=True).stdout.strip() == "[]"


def test_free_energy_is_a_function_whatever_was_imported():
    import jovium
    from jovium.free_energy import settings

    assert callable(jovium.free_energy)
    assert settings.FreeEnergySettings is jovium.FreeEnergySettings
