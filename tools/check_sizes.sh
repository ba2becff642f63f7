#!/bin/sh
# check_sizes.sh file.c …: no file over 600 lines, no function over 60 (in the tree's own format, where a function
# begins and ends in the first column).
exec awk '
  FNR == 1 { if (NR > 1) file_end(); file = FILENAME; start = 0 }
  function fault(line, text) { print "check-sizes: " file ":" line ": " text; bad = 1 }
  function file_end() { if (lines > 600) fault(lines, "the file has " lines " lines") }
  { lines = FNR }
  /^[A-Za-z].*[({,]$|^[A-Za-z].*\) \{$/ && !start { start = FNR; name = $0 }
  /^}/ {
    if (start && FNR - start + 1 > 60 && name ~ /\(/) fault(start, "a function of " FNR - start + 1 " lines")
    start = 0
  }
  /^[^ \t].*;$/ { start = 0 }
  END { file_end(); exit bad }' "$@"
