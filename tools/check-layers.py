#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Refuses includes that look up a layer or sideways, include cycles, exit() and loud logging below the mains."""
import pathlib
import re
import sys

ROOT = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else '.').resolve()
LAYERS = {'basic': 0, 'podfile': 1, 'manifest': 1, 'store': 1, 'net': 1, 'config': 1, 'oci': 2, 'image': 3, 'pod': 4,
          'run': 5, 'verbs': 6, 'helper': 6, 'generators': 6}
INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"', re.M)
EXIT = re.compile(r'(?<![\w_])exit\s*\(')
LOUD = re.compile(r'(?<![\w_])log_(error|warning|info)(_errno)?\s*\(')
failures = []
graph = {}

for path in sorted(list((ROOT / 'src').rglob('*.[ch]')) + list((ROOT / 'generators').rglob('*.[ch]'))):
    text = path.read_text()
    rel = str(path.relative_to(ROOT))
    layer = rel.removeprefix('src/').split('/')[0]
    name = f'{layer}/{path.name}'
    graph[name] = []
    is_test = path.name.startswith(('test-', 'fuzz-'))
    for inc in INCLUDE.findall(text):
        if inc == 'config.h':
            continue
        if '/' not in inc or inc.split('/')[0] not in LAYERS:
            failures.append(f'{rel}: include "{inc}" does not name its folder')
            continue
        other = inc.split('/')[0]
        graph[name].append(inc)
        if other != layer and LAYERS[other] >= LAYERS[layer]:
            failures.append(f'{rel}: layer {layer} includes "{inc}" of a layer that is not below it')
    if LAYERS[layer] < 6 and not is_test:
        if EXIT.search(re.sub(r'/\*.*?\*/|"(\\.|[^"\\])*"', '', text, flags=re.S)):
            failures.append(f'{rel}: exit() below the mains')
        if layer != 'basic' and LOUD.search(text):
            failures.append(f'{rel}: logs above debug below the mains')


def visit(node, trail):
    if node in trail:
        failures.append('include cycle: ' + ' -> '.join(trail[trail.index(node):] + [node]))
        return
    if node in done:
        return
    for inc in graph.get(node, []):
        visit(inc, trail + [node])
    done.add(node)


done = set()
for n in graph:
    visit(n, [])
for f in failures:
    print(f)
sys.exit(1 if failures else 0)
