#!/usr/bin/env python3
"""Records `make demo` in a terminal of 80 columns as docs/demo.cast (asciicast v2): asciinema play docs/demo.cast"""
import fcntl
import json
import os
import pty
import struct
import sys
import termios
import time

COLUMNS, LINES = 80, 34
LONGEST_PAUSE = 1.5  # seconds; what takes longer is shortened


def run(command):
    """Yields (seconds, text) as the command prints; returns nothing."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvpe(command[0], command, dict(os.environ, TERM="xterm-256color"))
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
    while True:
        try:
            piece = os.read(terminal, 65536)
        except OSError:  # the terminal is gone with its program
            break
        if not piece:
            break
        yield time.monotonic(), piece
    if os.waitpid(pid, 0)[1] != 0:
        sys.exit("the demo failed; nothing was recorded")


def main():
    events, before, clock = [], None, 0.0
    rest = b""
    for at, piece in run(["make", "--no-print-directory", "demo"]):
        clock += min(at - before, LONGEST_PAUSE) if before else 0
        before = at
        text = rest + piece
        try:
            shown, rest = text.decode(), b""
        except UnicodeDecodeError as fault:  # a character that is cut in two
            shown, rest = text[: fault.start].decode(), text[fault.start :]
        events.append([round(clock, 3), "o", shown])
    with open("docs/demo.cast", "w") as cast:
        cast.write(json.dumps({"version": 2, "width": COLUMNS, "height": LINES, "title": "larder: make demo"}) + "\n")
        for event in events:
            cast.write(json.dumps(event, ensure_ascii=False) + "\n")


main()
