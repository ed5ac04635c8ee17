"""docs/settings.md from the settings themselves: python docs/make_settings.py"""

from pathlib import Path

from jovium.electrons.settings import ElectronSettings
from jovium.elf.settings import ElfSettings
from jovium.free_energy.settings import FreeEnergySettings, MeasurementSettings
from jovium.protons.settings import ProtonSettings
from jovium.training.settings import settings_table

KINDS = {
    "jovium free-energy train": FreeEnergySettings,
    "jovium free-energy measure": MeasurementSettings,
    "jovium protons train": ProtonSettings,
    "jovium electrons train": ElectronSettings,
    "jovium elf train": ElfSettings,
}

HEAD = """# Settings

Made by `python docs/make_settings.py`. Every row is one field of a dataclass: the option of the command, the key of a
YAML file (`--config run.yaml`, with underscores in place of hyphens), and a keyword in Python. Options win over files,
later files over earlier ones; `--print-config` prints all of them. `docs/which_knob.md` goes from a symptom to the
setting.
"""


def settings_page() -> str:
    """The whole page."""
    return HEAD + "".join(f"\n## {command}\n\n{settings_table(kind)}" for command, kind in KINDS.items())


if __name__ == "__main__":
    (Path(__file__).parent / "settings.md").write_text(settings_page())
