#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Which acceptance cases are cited by a test: check-cases.py SOURCE-ROOT [--count]

Fails when a family that test/cases calls complete has a case that neither a test nor docs/NOT-TO-COPY.md cites. With
--count it prints a line per family: cited in tests, in the document, missing."""
import pathlib
import re
import sys

ROOT = pathlib.Path(sys.argv[1])  # lint gives the build directory as a second argument
TESTS = sorted([*ROOT.glob("test/**/*.py"), *ROOT.glob("test/**/*.sh"), *ROOT.glob("src/**/test-*.c"),
                *ROOT.glob("test/demo/*"), *ROOT.glob("test/vm/*")])


def numbers(text):
    """ "03, 05..07/09" -> {3, 5, 6, 7, 9} """
    found = set()
    for first, last in re.findall(r"(\d+)(?:\s*(?:\.\.\.?|…|–|-|\bto\b)\s*(?:[A-Z]+-?)?(\d+))?", text):
        found |= set(range(int(first), int(last or first) + 1))
    return found


def cited(text, family):
    """The numbers of a family that a text cites."""
    more = r"(?:\s*(?:,|/|\.\.\.?|…|–|-|\band\b|\bto\b)\s*(?:{0})?\d+)*"
    if family == "ROW":
        start, prefix = r"(?:\b[Rr]ows?[ -]?|\bCase\()(\d+{more})", ""
    elif len(family) == 1:
        start, prefix = rf"\b{family}-?(\d+{{more}})\b", rf"{family}-?"
    else:
        start, prefix = rf"\b{family}-(\d+{{more}})", rf"{family}-"
    found = set()
    for match in re.findall(start.replace("{more}", more.format(prefix)), text):
        found |= numbers(re.sub(prefix, "", match) if prefix else match)
    return found


def main():
    """Read the families, count, and say what is missing."""
    tests = "\n".join(p.read_text(errors="replace") for p in TESTS if p.is_file())
    refused = (ROOT / "docs/NOT-TO-COPY.md").read_text()
    bad = 0
    for line in (ROOT / "test/cases").read_text().splitlines():
        words = line.split("#")[0].split()
        if not words:
            continue
        family, wanted = words[0], set(range(int(words[1]), int(words[2]) + 1))
        in_tests = cited(tests, family) & wanted
        in_text = (cited(refused, family) & wanted) - in_tests
        missing = sorted(wanted - in_tests - in_text)
        if "--count" in sys.argv:
            print(f"{family:6} {len(in_tests):3} in tests, {len(in_text):2} not to copy, {len(missing):3} missing"
                  + (": " + " ".join(map(str, missing)) if missing else ""))
        if missing and "complete" in words:
            print(f"test/cases: {family} is not complete: no test cites {', '.join(map(str, missing))}")
            bad += 1
    return 1 if bad else 0


sys.exit(main())
