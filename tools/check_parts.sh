#!/bin/sh
# check_parts.sh target log: did every part run that tools/test_parts.txt wants of this target, and was nothing else skipped? Tells
# what is wrong with a busted log (TAP), a line each; exit code 1 when there is any.
exec awk -v target="$1" '
  function concerns(targets,   list, n, i) {
    n = split(targets, list, ",")
    for (i = 1; i <= n; i++) if (list[i] == "*" || list[i] == target) return 1
    return 0
  }
  function words(line) { sub(/^[a-z]+ +[^ ]+ +/, "", line); return line }
  FNR == NR && /^(must|may) / {
    if (concerns($2)) { if ($1 == "must") must[words($0)] = 0; else may[words($0)] = 1 }
    next
  }
  FNR == NR { next }
  /^ok [0-9]+ - # SKIP/ {
    allowed = 0
    for (w in may) if (index($0, w)) allowed = 1
    if (!allowed) { sub(/^ok [0-9]+ - # SKIP +/, ""); print "skipped, and must not be: " $0; bad = 1 }
    next
  }
  /^ok [0-9]+ - / { for (w in must) if (index($0, w)) must[w]++ }
  END {
    for (w in must) if (must[w] == 0) { print "no test passed that is called: " w; bad = 1 }
    exit bad
  }' tools/test_parts.txt "$2"
