"""python.py psycopg2|psycopg WORKLOAD SECONDS ROWS TAG: prints what bench/peer.lua prints."""
import importlib
import io
import json
import os
import resource
import sys
import threading
import time

USERS, TENANTS, BATCH, WORKERS, CONNECTIONS = 100000, 10, 100, 16, 8
SLICE = 200  # rows that are made at once
STAMP = "2025-12-07T14:40:26.865664Z"
WRITTEN = "tenant_id, id, username, email, status, full_name, metadata"
COLUMNS = WRITTEN + ", created_at, updated_at, deleted_at"
GET = f"select {COLUMNS} from bench.users where tenant_id = %s and id = %s"
INSERT = f"insert into bench.users ({WRITTEN}) values (%s, %s, %s, %s, %s, %s, %s) returning created_at"
UPDATE = "update bench.users set full_name = 'Renamed', updated_at = now() where tenant_id = %s and id = %s"
LIST = f"select {COLUMNS} from bench.users where tenant_id = %s order by id limit 10000"
COPY = f"copy bench.bulk ({WRITTEN}, created_at, updated_at) from stdin"

module_name, workload, seconds, rows, tag = sys.argv[1], sys.argv[2], float(sys.argv[3]), int(sys.argv[4]), sys.argv[5]
driver = importlib.import_module(module_name)


class Keys:
    """Every program draws the same ones."""

    def __init__(self, seed=42):
        self.seed = seed

    def draw(self):
        self.seed = self.seed * 16807 % 2147483647
        k = self.seed % USERS
        return f"tenant-{k % TENANTS}", f"user-{k:06d}"


def fresh(name, n):
    user = f"new-{name}-{n}"
    return {
        "tenant_id": f"tenant-{n % TENANTS}", "id": user, "username": user, "email": user + "@example.com",
        "status": "active", "full_name": "User Number",
        "metadata": {"role": "editor", "tags": ["a", "b"], "logins": 12, "prefs": {"theme": "dark"}},
    }


def values(user):
    return [user[f] for f in ("tenant_id", "id", "username", "email", "status", "full_name")] + [
        json.dumps(user["metadata"])]


def connect():
    db = driver.connect(os.environ["BENCH_URL"])
    db.autocommit = True
    return db


def rows_of(cursor):
    names = [c.name for c in cursor.description]
    return [dict(zip(names, row)) for row in cursor.fetchall()]


def query(cursor, sql, args):
    cursor.execute(sql, args)
    return rows_of(cursor)


def transaction(cursor, user):
    cursor.execute("begin")
    query(cursor, INSERT, values(user))
    cursor.execute(UPDATE, (user["tenant_id"], user["id"]))
    query(cursor, GET, (user["tenant_id"], user["id"]))
    cursor.execute("commit")


def batch(db, cursor, keys):
    if not hasattr(db, "pipeline"):
        for key in keys:
            query(cursor, GET, key)
        return
    with db.pipeline():
        cursors = [db.execute(GET, key) for key in keys]
    for one in cursors:
        rows_of(one)


def bulk(db, users):
    with db.cursor() as cursor:
        if hasattr(cursor, "copy"):
            with cursor.copy(COPY) as copy:
                for u in users:
                    copy.write_row(values(u) + [u["created_at"], u["updated_at"]])
        else:
            text = io.StringIO()
            for u in users:
                line = values(u) + [u["created_at"], u["updated_at"]]
                text.write("\t".join(line) + "\n")
            text.seek(0)
            cursor.copy_expert(COPY, text)


def report(units, took, cpu):
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"{units} {took:.6f} {cpu:.6f} {peak}")


def timed(step, prepare):
    """Rows are made before every SLICE of steps, while the clock stands."""
    prepare()
    step()
    units, took, cpu = 0, 0.0, 0.0
    while took < seconds:
        prepare()
        used, start = time.process_time(), time.monotonic()
        for _ in range(SLICE):
            units += step()
            passed = time.monotonic() - start
            if took + passed >= seconds:
                break
        took, cpu = took + passed, cpu + time.process_time() - used
    return units, took, cpu


def concurrent():
    free, lock, counts = [connect() for _ in range(CONNECTIONS)], threading.Semaphore(CONNECTIONS), [0] * WORKERS
    end = time.monotonic() + seconds

    def work(i):
        keys = Keys(i + 1)
        while time.monotonic() < end:
            with lock:
                db = free.pop()
                with db.cursor() as cursor:
                    query(cursor, GET, keys.draw())
                free.append(db)
            counts[i] += 1

    cpu, start = time.process_time(), time.monotonic()
    threads = [threading.Thread(target=work, args=(i,)) for i in range(WORKERS)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    report(sum(counts), time.monotonic() - start, time.process_time() - cpu)


def load():
    users = [dict(fresh("bulk", n), created_at=STAMP, updated_at=STAMP) for n in range(rows)]
    db = connect()
    cpu, start = time.process_time(), time.monotonic()
    bulk(db, users)
    report(rows, time.monotonic() - start, time.process_time() - cpu)


def main():
    if workload == "W6":
        return load()
    if workload == "W7":
        return concurrent()
    db, keys, made = connect(), Keys(), iter(range(10 ** 9))
    cursor, ready = db.cursor(), []

    def prepare():
        if workload in ("W2", "W3"):
            ready[:] = [fresh(tag, next(made)) for _ in range(SLICE)]

    def many():
        batch(db, cursor, [keys.draw() for _ in range(BATCH)])
        return BATCH

    steps = {
        "W1": lambda: len(query(cursor, GET, keys.draw())),
        "W2": lambda: len(query(cursor, INSERT, values(ready.pop()))),
        "W3": lambda: transaction(cursor, ready.pop()) or 1,
        "W4": lambda: len(query(cursor, LIST, keys.draw()[:1])),
        "W5": many,
    }
    report(*timed(steps[workload], prepare))


main()
