"""An index: one page that links the pages of a folder by their titles."""

import re
from html import escape
from importlib.resources import files
from pathlib import Path

from jovium.base.errors import InputError
from jovium.base.files import write_lines


def write_index(folder: Path) -> int:
    """Write index.html with links to every page.html below a folder; how many. Raises InputError for none."""
    pages = sorted(folder.rglob("page.html"))
    if not pages:
        raise InputError(f"no page.html below {folder}", "a folder with results", "run jovium analyse first")
    links = []
    for page in pages:
        title = re.search(r"<title>(.*?)</title>", page.read_text(encoding="utf-8"), flags=re.S)
        text = title[1].strip() if title else escape(page.parent.name)  # a title is escaped already
        links.append(f'<li><a href="{escape(page.relative_to(folder).as_posix())}">{text}</a></li>')
    style = files("jovium.report").joinpath("web/fluid.css").read_text(encoding="utf-8")
    head = '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>Jovium: results</title>'
    body = f"<style>{style}</style></head><body><h1>Results</h1><ul>{''.join(links)}</ul></body></html>\n"
    write_lines(folder / "index.html", [head, body])
    return len(pages)
