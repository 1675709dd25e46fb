#!/usr/bin/env python3
"""Looks for phrases of scripts/phrases.txt in text files.

    scripts/words.py [FILE...]    these files, or all that git tracks, by their paths in the repository

Prints each place with what to say instead; the exit code is 1 if there is one.
"""

import fnmatch
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
LIST = "scripts/phrases.txt"
TEXTS = {".md", ".rs", ".c", ".h", ".cpp", ".sh", ".py", ".toml", ".in", ""}
# Written by programs, no prose, or about the phrases themselves.
LEFT_OUT = ["bench/results/*", "tests/misuse/table.md", "tests/fuzz/corpus/*", "LICENSE*", LIST, "*/words.*"]
# Where the two words are plain English: "left alone", "leaves nothing behind".
IDIOMS = re.compile(r"\b(leav\w+|left|let|lets|stand\w*) (\S+ ){0,4}?(alone|behind)\b", re.IGNORECASE)


class Section:
    """Phrases, and the files that need not do without them yet."""

    def __init__(self, left_out):
        self.left_out = left_out
        self.phrases = []

    def holds_for(self, name):
        return not any(fnmatch.fnmatch(name, pattern) for pattern in self.left_out)


def read_sections():
    sections = []
    for line in (ROOT / LIST).read_text().splitlines():
        if line.startswith("["):
            _, _, patterns = line.strip("[]").partition(": ")
            sections.append(Section(patterns.split()))
        elif line and not line.startswith("#"):
            phrase, better = re.split(r"\t+", line)
            sections[-1].phrases.append((re.compile(rf"\b(?:{phrase})\b", re.IGNORECASE), better))
    return sections


def prose(text):
    """The lines of a Markdown text without its code."""
    is_fenced, is_code, was_blank = False, False, True
    for line in text.splitlines():
        if line.lstrip().startswith("```"):
            is_fenced = not is_fenced
            line = ""
        is_code = line.startswith("    ") and (was_blank or is_code)
        was_blank = not line.strip()
        yield "" if is_fenced or is_code else re.sub(r"`[^`]*`", "`", line)


def places(name, text, sections):
    phrases = [phrase for section in sections if section.holds_for(name) for phrase in section.phrases]
    for number, line in enumerate(prose(text) if name.endswith(".md") else text.splitlines(), 1):
        line = IDIOMS.sub("", line)
        for expression, better in phrases:
            for match in expression.finditer(line):
                yield f"{name}:{number}: “{match.group()}”: {better}"


def tracked_files():
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    for name in listed.stdout.splitlines():
        is_text = pathlib.Path(name).suffix in TEXTS
        if is_text and not any(fnmatch.fnmatch(name, pattern) for pattern in LEFT_OUT):
            yield name


def main():
    sections, count = read_sections(), 0
    for name in sys.argv[1:] or tracked_files():
        if (ROOT / name).is_file():
            for place in places(name, (ROOT / name).read_text(), sections):
                print(place)
                count += 1
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main())
