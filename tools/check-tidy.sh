#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# clang-tidy over every C file of the compile database: check-tidy.sh SOURCE-ROOT BUILD-ROOT
# RKT_TIDY_CHANGED=REV looks only at files that differ from REV.
root=$1
build=$2
db=$(mktemp -d) || exit 1
trap 'rm -rf "$db"' EXIT
# gcc's own switches mean nothing to clang.
python3 - "$build/compile_commands.json" "$db/compile_commands.json" <<'PY'
import json, re, sys
seen, out = set(), []
for c in json.load(open(sys.argv[1])):
    if not c['file'].endswith('.c') or c['file'] in seen:
        continue
    seen.add(c['file'])
    c['command'] = re.sub(r' -(W(error=)?(duplicated|logical)\S*|fstack-clash\S*|fstrict-flex\S*|Wformat-signedness|Werror=format-signedness|Wno-\S*unknown\S*|Wimplicit-fallthrough=\S*)', '', c['command'])
    c['command'] = re.sub(r'^\S*ccache ', '', c['command']).replace(' -Werror ', ' ')
    out.append(c)
json.dump(out, open(sys.argv[2], 'w'))
PY
cd "$root" || exit 1
find src generators -name '*.c' ! -name 'test-*' ! -name 'fuzz-*' | sort | {
        if [ -n "$RKT_TIDY_CHANGED" ]; then
                while read -r f; do
                        git diff --quiet "$RKT_TIDY_CHANGED" -- "$f" || echo "$f"
                done
        else
                cat
        fi
} | xargs -r -P "$(nproc)" -n 4 clang-tidy --quiet -p "$db" 2>/dev/null
