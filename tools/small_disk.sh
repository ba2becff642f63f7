#!/usr/bin/env bash
# small_disk.sh mount DIR: a file system of 8 MiB on DIR (which is made), for the server's user; exit code 3 where mounts
#   are forbidden.  small_disk.sh grow DIR: 64 MiB.  small_disk.sh unmount DIR: takes it away.
set -eu
case ${1:-} in
  mount)
    mkdir -p "$2"
    mount -t tmpfs -o size=8m larder_test "$2" 2>/dev/null || { rmdir "$2"; exit 3; }
    chown postgres "$2"
    chmod 700 "$2"
    ;;
  grow) mount -o remount,size=64m "$2" ;;
  unmount) umount -l "$2" && rmdir "$2" ;;
  *) echo "usage: $0 mount|grow|unmount DIR" >&2; exit 2 ;;
esac
