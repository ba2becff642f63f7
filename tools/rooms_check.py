#!/usr/bin/env python3
"""Which room uses which, and is there a circle?  rooms_check.py MAP DIR [--strict] [--include SRC]

DIR holds object files (*.o: `nm` tells who defines what another one leaves undefined) or Lua sources
(*.lua: their `require`s). MAP has these lines; `#` begins a comment:

  room NAME : ROOM …            a room, and the rooms it may use (its own always)
  FILE ROOM/NEWNAME             a file of today (object without .o, module of Lua) and where it goes
  move SYMBOL FILE              SYMBOL will live in FILE: counted there
  cut FROM TO SYMBOL | why      FROM will not use SYMBOL of TO any more (FROM, TO: files); for Lua: a require

`move` and `cut` are what is left to do. They are taken as done, unless --strict is given, so that the check can be
switched on before the work is finished; a line that is not needed any more is a fault, so the list only shrinks.
--include SRC: the `#include "…"` lines of SRC count, too (types and inline functions leave no symbol).
DIR may be a tree: then a file's name is its path below DIR, or its last part where MAP lists only that. A file that MAP
does not list, but that lies in a folder named like a room, is in that room: after the move MAP needs no list of files.
Exit 1: a circle between rooms, a use that MAP does not allow, a file that MAP does not name, a line without a use."""
import collections, os, re, subprocess, sys


def fail(text):
    sys.exit("rooms-check: " + text)


def read_map(path):
    rooms, where, moves, cuts = {}, {}, {}, {}
    for n, line in enumerate(open(path, encoding="utf-8"), 1):
        line = line.split("#")[0].strip()
        if not line:
            continue
        what, _, why = line.partition("|")
        words = what.split()
        if words[0] == "room":
            if len(words) < 3 or words[2] != ":":
                fail(f"{path}:{n}: room NAME : ROOM …")
            rooms[words[1]] = set(words[3:])
        elif words[0] == "move" and len(words) == 3:
            moves[words[1]] = words[2]
        elif words[0] == "cut" and len(words) == 4:
            cuts[tuple(words[1:])] = why.strip()
        elif len(words) == 2 and "/" in words[1]:
            if words[0] in where:
                fail(f"{path}:{n}: {words[0]} is listed twice")
            where[words[0]] = words[1]
        else:
            fail(f"{path}:{n}: not understood: {line}")
    for file, to in where.items():
        if to.rpartition("/")[0] not in rooms:
            fail(f"{path}: {file}: there is no room {to.rpartition('/')[0]}")
    for room, uses in rooms.items():
        for other in uses - set(rooms):
            fail(f"{path}: {room} may use {other}, which is no room")
    return rooms, where, moves, cuts


def tree(top, end):
    for folder, _, names in os.walk(top):
        for name in sorted(names):
            if name.endswith(end):
                path = os.path.join(folder, name)
                yield path, os.path.relpath(path, top)[: -len(end)]


def short(name, known):
    last = name.rpartition("/")[2]
    return name if name in known or last not in known else last


def settle(names, rooms, where):
    """files that lie in their room already, or in a folder inside it"""
    for name in names:
        room = name.rpartition("/")[0]
        while name not in where and room:
            if room in rooms:
                where[name] = room + "/" + name[len(room) + 1 :].replace("/", ".")
            room = room.rpartition("/")[0]


def by_symbols(top, where):
    """uses of symbols: (from, to, symbol)"""
    defines, needs = {}, collections.defaultdict(set)
    for path, name in tree(top, ".o"):
        name = short(name, where)
        needs[name] = set()
        out = subprocess.run(["nm", path], capture_output=True, text=True, check=True).stdout
        for line in out.splitlines():
            part = line.split()
            if len(part) == 3 and part[1] in "TDBRCVWGS":
                defines[part[2]] = name
            elif len(part) == 2 and part[0] == "U":
                needs[name].add(part[1])
    uses = [(f, defines[s], s) for f in needs for s in needs[f] if s in defines and defines[s] != f]
    return set(needs), uses


def by_require(top, where):
    files, uses = set(), []
    wanted = re.compile(r"""\brequire\s*\(?\s*["']([\w.]+)["']""")
    for path, name in tree(top, ".lua"):
        files.add(name)
        text = re.sub(r"--[^\n]*", "", open(path, encoding="utf-8").read())
        uses += [(name, m) for m in wanted.findall(text)]
    top = os.path.basename(os.path.normpath(top))
    of_module = {".".join([top] + name.split("/")).removesuffix(".init"): name for name in files}
    return files, [(a, of_module[m], m) for a, m in uses if m in of_module and of_module[m] != a]


def by_include(src, where):
    """A tree whose files name each other below its own name ("lua/…") names nothing of its own without it."""
    uses, own = set(), os.path.basename(os.path.normpath(src)) + "/"
    lines = []
    for end in ".c", ".h":
        for path, name in tree(src, end):
            name = short(name, where)
            if name in where:
                found = re.findall(r'^\s*#\s*include\s*"([^"]+)\.h"', open(path, encoding="utf-8").read(), re.M)
                lines += [(name, header) for header in found]
    if any(header.startswith(own) for _, header in lines):
        lines = [(name, header) for name, header in lines if header.startswith(own)]
    for name, header in lines:
        other = short(header.removeprefix(own), where)
        if other in where and other != name:
            uses.add((name, other, header + ".h"))
    return sorted(uses)


def circles(graph):
    """strongly connected parts of more than one room (Tarjan)"""
    index, low, stack, found = {}, {}, [], []

    def visit(v):
        index[v] = low[v] = len(index)
        stack.append(v)
        for w in sorted(graph.get(v, ())):
            if w not in index:
                visit(w)
                low[v] = min(low[v], low[w])
            elif w in stack:
                low[v] = min(low[v], index[w])
        if low[v] == index[v]:
            part = []
            while not part or part[-1] != v:
                part.append(stack.pop())
            if len(part) > 1:
                found.append(sorted(part))

    for v in sorted(graph):
        if v not in index:
            visit(v)
    return found


def main():
    args, strict, src = [], False, None
    words = iter(sys.argv[1:])
    for word in words:
        if word == "--strict":
            strict = True
        elif word == "--include":
            src = next(words, None)
        else:
            args.append(word)
    if len(args) != 2:
        fail("usage: rooms_check.py MAP DIR [--strict] [--include SRC]")
    rooms, where, moves, cuts = read_map(args[0])
    files, uses = by_symbols(args[1], where)
    if not files:
        files, uses = by_require(args[1], where)
    if not files:
        fail(f"{args[1]} holds neither objects nor Lua")
    settle(files | set(moves.values()), rooms, where)
    if src:
        settle((name for end in (".c", ".h") for _, name in tree(src, end)), rooms, where)
        uses += by_include(src, where)
    bad = [f"{f} is in no room" for f in sorted(files - set(where))]
    used_lines = set()
    edges = collections.defaultdict(lambda: collections.defaultdict(set))
    inner = collections.defaultdict(lambda: collections.defaultdict(set))
    for f, to, s in uses:
        if f not in where or to not in where:
            continue
        if s in moves:
            used_lines.add(s)
            to = to if strict else moves[s]
        if (f, to, s) in cuts:
            used_lines.add((f, to, s))
            if not strict:
                continue
        a, b = where[f].rpartition("/")[0], where[to].rpartition("/")[0]
        if a == b:
            inner[a][f].add(to)
        else:
            edges[a][b].add((f, to, s))

    print("rooms, their files, and what they use (number of uses):")
    for room in rooms:
        n = sum(1 for f, to in where.items() if to.rpartition("/")[0] == room and f in files)
        print(f"  {room:22}{n:3}   " + "  ".join(f"{b} {len(u)}" for b, u in sorted(edges[room].items())))
    for a in edges:
        for b in sorted(edges[a]):
            if b not in rooms[a]:
                bad += [f"{a} may not use {b}: {f} → {to}: {s}" for f, to, s in sorted(edges[a][b])]
    for part in circles({a: set(edges[a]) for a in edges}):
        bad.append("circle of rooms: " + " ↔ ".join(part))
    for room in sorted(inner):
        for part in circles(inner[room]):
            bad.append(f"circle of files in {room}: " + " ↔ ".join(part))
    if not strict:
        for s in moves:
            if s in used_lines:
                print(f"  to move: {s} → {moves[s]}")
            else:
                bad.append(f"`move {s}` is done: take the line away")
        for cut, why in cuts.items():
            if cut in used_lines:
                print(f"  to cut:  {cut[0]} → {cut[1]}: {cut[2]}   {why}")
            elif src or not cut[2].endswith(".h"):
                bad.append(f"`cut {' '.join(cut)}` is done: take the line away")
    for text in bad:
        print("rooms-check:", text)
    if not bad:
        print("rooms-check: no circle, every use is allowed")
    return 1 if bad else 0


sys.exit(main())
