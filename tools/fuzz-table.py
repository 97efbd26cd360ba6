#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Take what a fuzz campaign has done so far over into bench/fuzz.md.

usage: fuzz-table.py LOGS...

Each LOGS/SUMMARY (tools/fuzz-campaign.sh) has lines of target, executions, seconds, date, result, revision. A row takes the
place of the target's others, unless one of them counts more executions."""
import pathlib
import sys

TABLE = pathlib.Path(__file__).resolve().parent.parent / "bench/fuzz.md"


def rows_of(logs):
    """(target, executions, row) of each target that ran."""
    for line in pathlib.Path(logs, "SUMMARY").read_text(encoding="utf-8").splitlines():
        target, executions, seconds, date, result, revision = (line.split("\t") + [""])[:6]
        speed = int(executions) // max(int(seconds), 1)
        result = result.replace("running, clean so far", "clean (stopped before its end)")
        if "FAILED" not in result:
            yield target, int(executions), f"| {target} | {executions} | {seconds} | {speed} | {date} | {revision} | {result} |"


def count_of(row):
    """The executions that a row of the table tells."""
    return int(row.split("|")[2])


def main():
    lines = TABLE.read_text(encoding="utf-8").splitlines()
    table = [n for n, line in enumerate(lines) if line.startswith("| fuzz-")]
    rows = [lines[n] for n in table]
    for logs in sys.argv[1:]:
        for target, executions, row in rows_of(logs):
            others = [r for r in rows if r.split("|")[1].strip() == target]
            if executions and all(executions >= count_of(r) for r in others):
                rows = [r for r in rows if r not in others] + [row]
    rows.sort(key=lambda r: (-min(count_of(r), 10_000_000), r))
    TABLE.write_text("\n".join(lines[:table[0]] + rows + lines[table[-1] + 1:]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
