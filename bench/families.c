/* The families' workloads in C on libpq, with SQL written by hand, decoding nothing.
 *
 *   families WORKLOAD SECONDS        WORKLOAD: F1 to F6
 *
 * prints "units seconds cpu_seconds peak_kib" (bench/README.md). The server is BENCH_URL; its rows are made
 * by families.lua. */
#define _POSIX_C_SOURCE 200809L
#include <pthread.h>
#include <stdint.h>
#include <string.h>

#include "client.h"

#define THREADS 16
#define USERS   20000
#define BATCH   1000

#define APPLICABLE                                                                                           \
  "select org_id, id, app_id, user_id, policy_type, config, priority, enabled, created_at, updated_at "      \
  "from controlplane.policies where org_id = $1 and enabled and ((user_id = $3 and (app_id is null or "      \
  "app_id = $2)) or (user_id is null and (app_id = $2 or app_id is null))) order by case when user_id = $3 " \
  "then 0 when app_id = $2 then 1 else 2 end, priority desc, created_at desc, id"
#define AUDIT                                                                                         \
  "select org_id, \"timestamp\", id, app_id, user_id, action, resource_type, resource_id, details, "  \
  "ip_address, user_agent, request_id, model, provider, tokens_used, cost, latency_ms, status_code, " \
  "error_message from controlplane.audit_logs where org_id = $1 and \"timestamp\" >= $2 and "         \
  "\"timestamp\" <= $3 order by \"timestamp\" desc, id limit 51"
#define SOME_USERS                                                                                          \
  "select id, email, name, created_at, updated_at, deleted_at from content.users where deleted_at is null " \
  "and id >= $1 order by id limit 1000"
#define POSTS                                                                                           \
  "select id, author_id, title, content, published, metadata, created_at, updated_at, deleted_at from " \
  "content.posts where author_id = any($1) and deleted_at is null order by author_id, created_at desc, id"
#define ROLES                                                                                              \
  "select id, user_id, name, description, created_at from content.roles where user_id = any($1) order by " \
  "user_id, created_at desc, id"
#define SEARCH                                                                                              \
  "select t.id, t.author_id, t.title, t.content, t.published, t.metadata, t.created_at, t.updated_at, "     \
  "t.deleted_at, ts_rank(t.search_vector, q) as rank, u.name from content.posts t join content.users u on " \
  "u.id = t.author_id, websearch_to_tsquery('english', $1) q where t.search_vector @@ q and t.published "   \
  "and t.deleted_at is null order by rank desc, t.id limit 20"
#define SETTINGS                                                                                  \
  "select charge_station_id, settings, created_at, updated_at from csms.charge_station_settings " \
  "where charge_station_id > $1 order by charge_station_id limit 50"
#define METER                                                                                             \
  "insert into csms.meter_values (charge_station_id, evse_id, transaction_id, measured_at, meter_value) " \
  "values ($1, 1, 'tx1', $2, $3)"
#define VALUE                                                                                    \
  "{\"timestamp\":\"2026-03-01T12:00:00Z\",\"sampled_values\":[{\"value\":1234.5,\"measurand\":" \
  "\"Energy.Active.Import.Register\",\"context\":\"Sample.Periodic\"}]}"

struct work {
  PGconn *db;
  uint32_t seed;
  double seconds;
  long units;
};

static long draw(struct work *w, long n) {
  w->seed = (uint32_t)((uint64_t)w->seed * 16807 % 2147483647);
  return (long)(w->seed % (uint32_t)n);
}

static void prepare(PGconn *db, const char *name, const char *sql) {
  PGresult *r = PQprepare(db, name, sql, 0, NULL);
  if (PQresultStatus(r) != PGRES_COMMAND_OK) die(sql, db);
  PQclear(r);
}

static PGconn *connect_db(const char *sql) {
  PGconn *db = PQconnectdb(getenv("BENCH_URL"));
  if (PQstatus(db) != CONNECTION_OK) die("connect", db);
  prepare(db, "s", sql);
  return db;
}

static long run(struct work *w, int n, const char *const *values) {
  return consume(w->db, PQexecPrepared(w->db, "s", n, values, NULL, NULL, 1));
}

static void uuid(char out[40], long n) { snprintf(out, 40, "00000000-0000-4000-8000-%012ld", n); }

/* ---- one step of each workload; returns its units ---- */

static long applicable(struct work *w) {
  char org[40], app[40], user[40];
  const char *values[] = {org, app, user};
  long o = draw(w, 100);
  uuid(org, o);
  uuid(app, 1000000 + o * 100 + draw(w, 50));
  uuid(user, 2000000 + o * 100 + draw(w, 100));
  run(w, 3, values);
  return 1;
}

static long audit(struct work *w) {
  char org[40], from[40], to[40];
  const char *values[] = {org, from, to};
  long day = draw(w, 27), month = draw(w, 12);
  uuid(org, draw(w, 100));
  snprintf(from, sizeof from, "2026-%02ld-%02ldT00:00:00Z", month + 1, day + 1);
  snprintf(to, sizeof to, "2026-%02ld-%02ldT00:00:00Z", month + 1, day + 2);
  run(w, 3, values);
  return 1;
}

/* Users, then the posts and the roles of all of them, in one snapshot. */
static long include(struct work *w) {
  static char ids[BATCH * 16 + 2];
  char from[16];
  const char *first[] = {from}, *all[] = {ids};
  size_t n = 1;
  PGresult *users;
  snprintf(from, sizeof from, "user-%05ld", draw(w, USERS - BATCH));
  consume(w->db, PQexec(w->db, "begin isolation level repeatable read, read only"));
  users = PQexecPrepared(w->db, "s", 1, first, NULL, NULL, 1);
  ids[0] = '{';
  for (int i = 0; i < PQntuples(users); i++)
    n += (size_t)snprintf(ids + n, sizeof ids - n, "%s,", PQgetvalue(users, i, 0));
  ids[n - 1] = '}';
  consume(w->db, users);
  consume(w->db, PQexecPrepared(w->db, "posts", 1, all, NULL, NULL, 1));
  consume(w->db, PQexecPrepared(w->db, "roles", 1, all, NULL, NULL, 1));
  consume(w->db, PQexec(w->db, "commit"));
  return BATCH;
}

static long search(struct work *w) {
  char text[32];
  const char *values[] = {text};
  snprintf(text, sizeof text, "w%ld w%ld", draw(w, 300), draw(w, 300));
  run(w, 1, values);
  return 1;
}

static long settings(struct work *w) {
  char previous[16];
  const char *values[] = {previous};
  snprintf(previous, sizeof previous, "cs%05ld", draw(w, 9900));
  run(w, 1, values);
  return 1;
}

static long meter(struct work *w) {
  char station[16];
  const char *values[] = {station, "2026-03-01T12:00:00Z", VALUE};
  snprintf(station, sizeof station, "cs%05ld", draw(w, 10000));
  run(w, 3, values);
  return 1;
}

/* ---- running ---- */

static const struct workload {
  const char *name, *sql;
  long (*one)(struct work *);
  int threads;
} workloads[] = {{"F1", APPLICABLE, applicable, 1}, {"F2", AUDIT, audit, 1},
                 {"F3", SOME_USERS, include, 1},    {"F4", SEARCH, search, 1},
                 {"F5", SETTINGS, settings, 1},     {"F6", METER, meter, THREADS}};

static const struct workload *chosen;

static void *timed(void *ud) {
  struct work *w = ud;
  double start = now();
  do w->units += chosen->one(w);
  while (now() - start < w->seconds);
  return NULL;
}

static void measure(double seconds) {
  struct work work[THREADS];
  pthread_t threads[THREADS];
  struct rusage usage;
  double start, cpu_start;
  long units = 0;
  for (int i = 0; i < chosen->threads; i++) {
    work[i] = (struct work){.db = connect_db(chosen->sql), .seed = (uint32_t)(i + 42), .seconds = seconds};
    if (chosen->one == include) prepare(work[i].db, "posts", POSTS);
    if (chosen->one == include) prepare(work[i].db, "roles", ROLES);
    chosen->one(&work[i]); /* the first one meets cold caches */
  }
  start = now();
  cpu_start = cpu();
  for (int i = 0; i < chosen->threads; i++)
    if (pthread_create(&threads[i], NULL, timed, &work[i]) != 0) die("thread", NULL);
  for (int i = 0; i < chosen->threads; i++) {
    pthread_join(threads[i], NULL);
    units += work[i].units;
  }
  getrusage(RUSAGE_SELF, &usage);
  printf("%ld %.6f %.6f %ld\n", units, now() - start, cpu() - cpu_start, usage.ru_maxrss);
  for (int i = 0; i < chosen->threads; i++) PQfinish(work[i].db);
}

int main(int argc, char **argv) {
  if (argc != 3) die("usage: families WORKLOAD SECONDS", NULL);
  for (size_t i = 0; i < sizeof workloads / sizeof *workloads; i++)
    if (strcmp(workloads[i].name, argv[1]) == 0) chosen = &workloads[i];
  if (chosen == NULL) die("no such workload", NULL);
  measure(atof(argv[2]));
  return EXIT_SUCCESS;
}
