#!/bin/sh
# tally.sh core|busted LOG: what a log says about its run, as "passed failed skipped"; nothing when it does not end as its
# runner ends: the C tests with their sum, busted (TAP) with a plan of as many tests as were told.
exec awk -v runner="$1" '
  runner == "core" && /^[0-9]+ passed, [0-9]+ failed$/ { sum = $1 " " $3 " 0" }
  runner == "busted" && /^ok [0-9]+ - # SKIP/ { skipped++; next }
  runner == "busted" && /^ok [0-9]+ - / { passed++ }
  runner == "busted" && /^not ok [0-9]+ - / { failed++ }
  runner == "busted" && /^1\.\.[0-9]+$/ && substr($0, 4) == passed + failed + skipped {
    sum = passed + 0 " " failed + 0 " " skipped + 0
  }
  END { if (sum) print sum }' "$2"
