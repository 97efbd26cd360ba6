#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every exported function has a docstring that names each parameter; files and functions stay within their limits."""
import pathlib
import re
import sys

ROOT = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else '.').resolve()
PROTO = re.compile(r'^(?!static|typedef|#|DEFINE|extern)[a-z_][\w\s\*]*?\b(\w+)\(([^;{}]*)\)\s*(?:_\w+_(?:\([^)]*\))?\s*)*;', re.M)
FUNC_MAX, FILE_MAX = 100, 1000
failures = []


def parameters(text):
    """Names of the parameters in a prototype's list."""
    depth, part, parts = 0, '', []
    for c in text:
        depth += c in '([' 
        depth -= c in ')]'
        if c == ',' and depth == 0:
            parts.append(part)
            part = ''
        else:
            part += c
    parts.append(part)
    names = []
    for p in parts:
        p = p.strip()
        if p in ('void', '', '...'):
            continue
        m = re.search(r'\(\*\s*(?:const\s+)?(\w+)\)', p) or re.search(r'(\w+)\s*(?:\[[^\]]*\])*$', p)
        if m:
            names.append(m.group(1))
    return names


for header in sorted((ROOT / 'src').rglob('*.h')):
    text = re.sub(r'/\*.*?\*/', '', header.read_text(), flags=re.S)
    text = re.sub(r'\b_printf_\([^)]*\)', '', text)
    sources = '\n'.join(p.read_text() for p in header.parent.glob('*.c')) + header.read_text()
    for m in PROTO.finditer(text):
        name = m.group(1)
        doc = re.search(r'/\*\*\n \* ' + re.escape(name) + r'\(\) - .*?\*/', sources, re.S)
        if not doc:
            failures.append(f'{header.relative_to(ROOT)}: {name}() has no docstring')
            continue
        for p in parameters(m.group(2)):
            if not re.search(r'@' + re.escape(p) + r'\b', doc.group(0)):
                failures.append(f'{header.relative_to(ROOT)}: {name}(): parameter {p} is not described')

for source in sorted(list((ROOT / 'src').rglob('*.[ch]')) + list((ROOT / 'generators').glob('*.c'))):
    lines = source.read_text().split('\n')
    rel = source.relative_to(ROOT)
    if 'SPDX-License-Identifier: LGPL-2.1-or-later' not in lines[0]:
        failures.append(f'{rel}: no SPDX line')
    if len(lines) > FILE_MAX:
        failures.append(f'{rel}: {len(lines)} lines, more than {FILE_MAX}')
    start = None
    for i, line in enumerate(lines):
        if line and not line[0].isspace() and line.endswith('{') and '(' in line + ''.join(lines[max(0, i - 3):i]) \
                and not line.startswith(('struct', 'typedef', 'enum', 'static const')):
            start = i
        elif line.startswith('}') and start is not None:
            if i - start > FUNC_MAX:
                failures.append(f'{rel}:{start + 1}: function of {i - start} lines, more than {FUNC_MAX}')
            start = None
for f in failures:
    print(f)
sys.exit(1 if failures else 0)
