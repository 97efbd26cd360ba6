#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Scripts by shellcheck, spelling by codespell, one SPDX line in every file, nothing of a developer's machine.
cd "$1" || exit 1
failed=0
git ls-files >/dev/null 2>&1 && list='git ls-files' || list='find . -name .git -prune -o -type f -print'
$list | while read -r f; do
        [ -f "$f" ] || continue
        head -c 100 "$f" | grep -qE '^#! ?/(bin|usr/bin/env) ?(ba)?sh' && echo "$f"
done | xargs -r shellcheck || failed=1
codespell -q 3 --skip='./.git,./test/corpus,./LICENSES,./test/golden' -L 'ture,iamge,netwrok,crypted,fo,nd,te,ans,ro,sie,hist,ue,clen,inout,stoping,pullin,fpr,ths,bu,cas,mis,tha,wth,aci,pullrequest' . || failed=1
for f in $($list | grep -vE '^(\./)?(LICENSES/|test/corpus/|test/golden/|test/data/|.*\.(md|in|asc|json)$|\.gitignore)'); do
        [ -f "$f" ] || continue
        head -n 3 "$f" | grep -q 'SPDX-License-Identifier: LGPL-2.1-or-later' || { echo "$f: no SPDX line"; failed=1; }
done
if $list | grep -vE '(check-text.sh)$' | xargs grep -nE '(^|[^a-z.])/(work|farm)/' 2>/dev/null | grep -v '^LICENSES'; then
        echo 'a path of a developer machine stands in the tree'
        failed=1
fi
exit $failed
