/* The limit: the workloads in C on libpq, as near to the wire as a client gets, decoding nothing.
 *
 *   limit PROGRAM WORKLOAD SECONDS ROWS TAG      PROGRAM: limit, or alt for the same work by other means
 *
 * prints "units seconds cpu_seconds peak_kib" (bench/README.md). The server is BENCH_URL. */
#define _POSIX_C_SOURCE 200809L
#include <arpa/inet.h>
#include <libpq-fe.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"

#define USERS   100000
#define TENANTS 10
#define BATCH   100
#define THREADS 8
#define SLICE   200 /* rows that are made at once */
#define COLUMNS 9
#define CHUNK   65536
#define META    "{\"role\":\"editor\",\"tags\":[\"a\",\"b\"],\"logins\":12,\"prefs\":{\"theme\":\"dark\"}}"

#define COLUMN_LIST "tenant_id, id, username, email, status, full_name, metadata, created_at, updated_at"
#define GET         "select " COLUMN_LIST ", deleted_at from bench.users where tenant_id = $1 and id = $2"
#define INSERT                            \
  "insert into bench.users (" COLUMN_LIST \
  ") values ($1, $2, $3, $4, $5, $6, $7, now(), now()) returning created_at"
#define UPDATE "update bench.users set full_name = $3, updated_at = now() where tenant_id = $1 and id = $2"
#define LIST \
  "select " COLUMN_LIST ", deleted_at from bench.users where tenant_id = $1 order by id limit 10000"
#define GET_MANY                                            \
  "select " COLUMN_LIST                                     \
  ", deleted_at from bench.users where (tenant_id, id) in " \
  "(select * from unnest($1::text[], $2::text[]))"

struct job {
  double seconds;  /* how long a timed workload runs */
  long rows;       /* how many rows the bulk load has */
  const char *tag; /* makes the keys of created rows new */
};

struct user {
  char tenant[16], id[48], email[64];
};

struct work {
  PGconn *db;
  uint32_t seed;
  const struct job *job;
  long made;
  struct user *ready; /* rows for the next steps; NULL: the workload makes none */
};

/* ---- keys: every program draws the same ones ---- */

static long draw(uint32_t *seed) {
  *seed = (uint32_t)((uint64_t)*seed * 16807 % 2147483647);
  return (long)(*seed % USERS);
}

static void existing(struct work *w, struct user *u) {
  long k = draw(&w->seed);
  snprintf(u->tenant, sizeof u->tenant, "tenant-%ld", k % TENANTS);
  snprintf(u->id, sizeof u->id, "user-%06ld", k);
}

static void fresh(struct user *u, const char *tag, long n) {
  snprintf(u->tenant, sizeof u->tenant, "tenant-%ld", n % TENANTS);
  snprintf(u->id, sizeof u->id, "new-%.20s-%ld", tag, n);
  snprintf(u->email, sizeof u->email, "%s@example.com", u->id);
}

static void make_rows(struct work *w) {
  long first = w->made - w->made % SLICE + SLICE;
  for (long i = 0; w->ready && i < SLICE; i++) fresh(&w->ready[i], w->job->tag, first + i);
  w->made = first;
}

static const struct user *next_row(struct work *w) { return &w->ready[w->made++ % SLICE]; }

/* ---- talking ---- */

static PGconn *connect_db(void) {
  static const struct {
    const char *name, *sql;
  } statements[] = {
      {"get", GET}, {"insert", INSERT}, {"update", UPDATE}, {"list", LIST}, {"get_many", GET_MANY}};
  PGconn *db = PQconnectdb(getenv("BENCH_URL"));
  if (PQstatus(db) != CONNECTION_OK) die("connect", db);
  for (size_t i = 0; i < sizeof statements / sizeof *statements; i++) {
    PGresult *r = PQprepare(db, statements[i].name, statements[i].sql, 0, NULL);
    if (PQresultStatus(r) != PGRES_COMMAND_OK) die(statements[i].name, db);
    PQclear(r);
  }
  return db;
}

static long run(PGconn *db, const char *name, int n, const char *const *values) {
  return consume(db, PQexecPrepared(db, name, n, values, NULL, NULL, 1));
}

static void command(PGconn *db, const char *sql) { consume(db, PQexec(db, sql)); }

static void send_prepared(PGconn *db, const char *name, int n, const char *const *values) {
  if (!PQsendQueryPrepared(db, name, n, values, NULL, NULL, 1)) die("send", db);
}

static void send_command(PGconn *db, const char *sql) {
  if (!PQsendQueryParams(db, sql, 0, NULL, NULL, NULL, NULL, 1)) die("send", db);
}

/* Reads the results of n pipelined statements and their sync. */
static void collect(PGconn *db, int n) {
  PGresult *r;
  for (int i = 0; i < n; i++) {
    while ((r = PQgetResult(db)) != NULL) consume(db, r);
  }
  r = PQgetResult(db);
  if (PQresultStatus(r) != PGRES_PIPELINE_SYNC) die("sync", db);
  PQclear(r);
}

static void user_values(const struct user *u, const char *values[7]) {
  values[0] = u->tenant;
  values[1] = values[2] = u->id;
  values[3] = u->email;
  values[4] = "active";
  values[5] = "User Number";
  values[6] = META;
}

/* ---- one step of each workload; returns its units ---- */

static long get(struct work *w) {
  struct user u;
  const char *key[] = {u.tenant, u.id};
  existing(w, &u);
  return run(w->db, "get", 2, key);
}

static long create(struct work *w) {
  const char *values[7];
  user_values(next_row(w), values);
  return run(w->db, "insert", 7, values);
}

static long transaction(struct work *w) {
  const struct user *u = next_row(w);
  const char *values[7], *change[] = {u->tenant, u->id, "Renamed"};
  user_values(u, values);
  command(w->db, "begin");
  run(w->db, "insert", 7, values);
  run(w->db, "update", 3, change);
  run(w->db, "get", 2, change);
  command(w->db, "commit");
  return 1;
}

static long list(struct work *w) {
  struct user u;
  const char *key[] = {u.tenant};
  existing(w, &u);
  return run(w->db, "list", 1, key);
}

static long batch(struct work *w) {
  if (!PQenterPipelineMode(w->db)) die("pipeline", w->db);
  for (int i = 0; i < BATCH; i++) {
    struct user u;
    const char *key[] = {u.tenant, u.id};
    existing(w, &u);
    send_prepared(w->db, "get", 2, key);
  }
  if (!PQpipelineSync(w->db)) die("sync", w->db);
  collect(w->db, BATCH);
  PQexitPipelineMode(w->db);
  return BATCH;
}

/* ---- the same by other means ---- */

static long get_spinning(struct work *w) {
  struct user u;
  const char *key[] = {u.tenant, u.id};
  PGresult *r;
  existing(w, &u);
  send_prepared(w->db, "get", 2, key);
  for (;;) {
    if (!PQconsumeInput(w->db)) die("read", w->db);
    if (!PQisBusy(w->db)) break;
  }
  while ((r = PQgetResult(w->db)) != NULL) consume(w->db, r);
  return 1;
}

static long transaction_pipelined(struct work *w) {
  const struct user *u = next_row(w);
  const char *values[7], *change[] = {u->tenant, u->id, "Renamed"};
  user_values(u, values);
  if (!PQenterPipelineMode(w->db)) die("pipeline", w->db);
  send_command(w->db, "begin");
  send_prepared(w->db, "insert", 7, values);
  send_prepared(w->db, "update", 3, change);
  send_prepared(w->db, "get", 2, change);
  send_command(w->db, "commit");
  if (!PQpipelineSync(w->db)) die("sync", w->db);
  collect(w->db, 5);
  PQexitPipelineMode(w->db);
  return 1;
}

static long batch_by_arrays(struct work *w) {
  char tenants[BATCH * 16 + 2] = "{", ids[BATCH * 48 + 2] = "{";
  const char *values[] = {tenants, ids};
  size_t at = 1, bt = 1;
  for (int i = 0; i < BATCH; i++) {
    struct user u;
    existing(w, &u);
    at += (size_t)snprintf(tenants + at, sizeof tenants - at, "%s,", u.tenant);
    bt += (size_t)snprintf(ids + bt, sizeof ids - bt, "%s,", u.id);
  }
  tenants[at - 1] = ids[bt - 1] = '}';
  return run(w->db, "get_many", 2, values);
}

/* ---- bulk: binary COPY of bytes made before the clock starts ---- */

static size_t put16(char *to, int v) {
  uint16_t n = htons((uint16_t)v);
  memcpy(to, &n, sizeof n);
  return sizeof n;
}

static size_t put_cell(char *to, const char *prefix, size_t prefix_len, const void *bytes, size_t len) {
  uint32_t n = htonl((uint32_t)(prefix_len + len));
  memcpy(to, &n, sizeof n);
  memcpy(to + sizeof n, prefix, prefix_len);
  memcpy(to + sizeof n + prefix_len, bytes, len);
  return sizeof n + prefix_len + len;
}

static size_t put_text(char *to, const char *text) { return put_cell(to, "", 0, text, strlen(text)); }

static size_t put_row(char *to, long n) {
  static const unsigned char stamp[8] = {0, 2, 0xe8, 0x5c, 0x6d, 0x9a, 0, 0};
  struct user u;
  size_t at = put16(to, COLUMNS);
  fresh(&u, "bulk", n);
  at += put_text(to + at, u.tenant);
  at += put_text(to + at, u.id);
  at += put_text(to + at, u.id);
  at += put_text(to + at, u.email);
  at += put_text(to + at, "active");
  at += put_text(to + at, "User Number");
  at += put_cell(to + at, "\1", 1, META, strlen(META));
  at += put_cell(to + at, "", 0, stamp, sizeof stamp);
  return at + put_cell(to + at, "", 0, stamp, sizeof stamp);
}

static char *copy_bytes(long rows, size_t *len) {
  /* the signature, no flags, no extension; the literal ends with the last zero byte */
  static const char head[] = "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0";
  char *bytes = malloc((size_t)rows * 512 + 64);
  size_t at = sizeof head;
  if (bytes == NULL) die("out of memory", NULL);
  memcpy(bytes, head, sizeof head);
  for (long n = 0; n < rows; n++) at += put_row(bytes + at, n);
  *len = at + put16(bytes + at, -1);
  return bytes;
}

static void copy_in(PGconn *db, const char *bytes, size_t len) {
  PGresult *r = PQexec(db, "copy bench.bulk (" COLUMN_LIST ") from stdin (format binary)");
  if (PQresultStatus(r) != PGRES_COPY_IN) die("copy", db);
  PQclear(r);
  for (size_t at = 0; at < len; at += CHUNK) {
    size_t n = len - at < CHUNK ? len - at : CHUNK;
    if (PQputCopyData(db, bytes + at, (int)n) != 1) die("copy", db);
  }
  if (PQputCopyEnd(db, NULL) != 1) die("copy", db);
  while ((r = PQgetResult(db)) != NULL) consume(db, r);
}

/* ---- running ---- */

typedef long step(struct work *w);

struct result {
  long units;
  double seconds, cpu;
};

/* Rows are made before every slice of steps, while the clock stands. */
static struct result timed(step *one, struct work *w) {
  struct result out = {0, 0, 0};
  make_rows(w);
  one(w); /* the first one meets cold caches */
  do {
    double start, passed = 0, cpu_start;
    make_rows(w);
    cpu_start = cpu();
    start = now();
    for (int i = 0; i < SLICE && out.seconds + passed < w->job->seconds; i++) {
      out.units += one(w);
      passed = now() - start;
    }
    out.seconds += passed;
    out.cpu += cpu() - cpu_start;
  } while (out.seconds < w->job->seconds);
  return out;
}

static struct result alone(step *one, const struct job *job) {
  static struct user ready[SLICE];
  struct work w = {.db = connect_db(), .seed = 42, .job = job, .ready = ready};
  struct result out = timed(one, &w);
  PQfinish(w.db);
  return out;
}

static struct result bulk(const struct job *job) {
  struct result out = {job->rows, 0, 0};
  size_t len;
  char *bytes = copy_bytes(job->rows, &len);
  PGconn *db = connect_db();
  double start = now(), cpu_start = cpu();
  copy_in(db, bytes, len);
  out.seconds = now() - start;
  out.cpu = cpu() - cpu_start;
  PQfinish(db);
  free(bytes);
  return out;
}

struct worker {
  struct work work;
  struct result result;
};

static void *worker_main(void *ud) {
  struct worker *w = ud;
  w->result = timed(get, &w->work);
  return NULL;
}

static struct result concurrent(const struct job *job) {
  struct worker workers[THREADS];
  pthread_t threads[THREADS];
  struct result out = {0, 0, 0};
  double start, cpu_start;
  for (int i = 0; i < THREADS; i++) {
    workers[i].work = (struct work){.db = connect_db(), .seed = (uint32_t)(i + 1), .job = job};
  }
  start = now();
  cpu_start = cpu();
  for (int i = 0; i < THREADS; i++) {
    if (pthread_create(&threads[i], NULL, worker_main, &workers[i]) != 0) die("thread", NULL);
  }
  for (int i = 0; i < THREADS; i++) {
    pthread_join(threads[i], NULL);
    out.units += workers[i].result.units;
  }
  out.seconds = now() - start;
  out.cpu = cpu() - cpu_start;
  for (int i = 0; i < THREADS; i++) PQfinish(workers[i].work.db);
  return out;
}

static const struct workload {
  const char *program, *name;
  step *one;
  struct result (*whole)(const struct job *);
} workloads[] = {
    {"limit", "W1", get, NULL},
    {"limit", "W2", create, NULL},
    {"limit", "W3", transaction, NULL},
    {"limit", "W4", list, NULL},
    {"limit", "W5", batch, NULL},
    {"limit", "W6", NULL, bulk},
    {"limit", "W7", NULL, concurrent},
    {"alt", "W1", get_spinning, NULL},
    {"alt", "W3", transaction_pipelined, NULL},
    {"alt", "W5", batch_by_arrays, NULL},
};

int main(int argc, char **argv) {
  struct job job;
  if (argc != 6) die("usage: limit limit|alt WORKLOAD SECONDS ROWS TAG", NULL);
  job = (struct job){atof(argv[3]), atol(argv[4]), argv[5]};
  for (size_t i = 0; i < sizeof workloads / sizeof *workloads; i++) {
    const struct workload *w = &workloads[i];
    struct result r;
    struct rusage usage;
    if (strcmp(w->program, argv[1]) != 0 || strcmp(w->name, argv[2]) != 0) continue;
    r = w->one ? alone(w->one, &job) : w->whole(&job);
    getrusage(RUSAGE_SELF, &usage);
    printf("%ld %.6f %.6f %ld\n", r.units, r.seconds, r.cpu, usage.ru_maxrss);
    return EXIT_SUCCESS;
  }
  printf("skip\n");
  return EXIT_SUCCESS;
}
