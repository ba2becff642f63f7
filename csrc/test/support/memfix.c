#include "support/memfix.h"

#include "support/test.h"
#include "values/codec.h"

/* ---- the schema ---- */

static const ldr_field team_fields[T_COUNT] = {
    [T_ID] = {.name = "id", .type = LDR_F_TEXT}, [T_NAME] = {.name = "name", .type = LDR_F_TEXT}};
static const ldr_field user_fields[U_COUNT] = {
    [U_TEAM] = {.name = "team", .type = LDR_F_TEXT},
    [U_ID] = {.name = "id", .type = LDR_F_INT8, .def = LDR_DEF_IDENTITY},
    [U_EMAIL] = {.name = "email", .type = LDR_F_TEXT, .null = true},
    [U_SCORE] = {.name = "score", .type = LDR_F_INT4, .null = true},
    [U_BALANCE] = {.name = "balance", .type = LDR_F_NUMERIC, .precision = 8, .scale = 2, .null = true},
    [U_RATIO] = {.name = "ratio", .type = LDR_F_FLOAT8, .null = true},
    [U_SEEN] = {.name = "seen", .type = LDR_F_TIMESTAMPTZ, .null = true},
    [U_DATA] = {.name = "data", .type = LDR_F_JSONB, .null = true},
    [U_TAGS] = {.name = "tags", .type = LDR_F_TEXT, .array = true, .null = true},
    [U_GONE] = {.name = "gone", .type = LDR_F_TIMESTAMPTZ, .null = true},
};
static const ldr_field post_fields[P_COUNT] = {
    [P_ID] = {.name = "id", .type = LDR_F_INT8, .def = LDR_DEF_IDENTITY},
    [P_TEAM] = {.name = "team", .type = LDR_F_TEXT},
    [P_AUTHOR] = {.name = "author", .type = LDR_F_INT8, .null = true},
    [P_EDITOR] = {.name = "editor", .type = LDR_F_INT8, .null = true},
    [P_PARENT] = {.name = "parent", .type = LDR_F_INT8, .null = true},
    [P_TITLE] = {.name = "title", .type = LDR_F_TEXT, .null = true},
};
static const ldr_field badge_fields[B_COUNT] = {
    [B_ID] = {.name = "id", .type = LDR_F_TEXT},
    [B_TEAM] = {.name = "team", .type = LDR_F_TEXT},
    [B_HOLDER] = {.name = "holder", .type = LDR_F_INT8, .null = true},
    [B_SLOT] = {.name = "slot", .type = LDR_F_INT4, .null = true}};

typedef const char *const names[];

static ldr_code add(ldr_schema *s, const char *name, const ldr_field *f, unsigned nfields,
                    const char *constraint, const char *const *key, unsigned nkey, ldr_entity **out,
                    ldr_err *err) {
  ldr_entity *e = NULL;
  ldr_code code = ldr_schema_add(s, name, name, &e, err);
  for (unsigned i = 0; i < nfields && code == LDR_OK; i++) code = ldr_entity_add_field(s, e, &f[i], err);
  if (code == LDR_OK) code = ldr_entity_set_key(s, e, constraint, key, nkey, err);
  *out = e;
  return code;
}

static ldr_code add_teams_and_users(ldr_schema *s, ldr_err *err) {
  ldr_entity *e;
  ldr_code code = add(s, "teams", team_fields, T_COUNT, "teams_pkey", (names){"id"}, 1, &e, err);
  if (code == LDR_OK) code = ldr_entity_add_unique(s, e, "teams_name_key", (names){"name"}, 1, err);
  if (code == LDR_OK)
    code = add(s, "users", user_fields, U_COUNT, "users_pkey", (names){"team", "id"}, 2, &e, err);
  if (code == LDR_OK) code = ldr_entity_add_unique(s, e, "users_email_key", (names){"team", "email"}, 2, err);
  if (code == LDR_OK) code = ldr_entity_unique_when(s, e, "gone", NULL, err);
  if (code == LDR_OK)
    code =
        ldr_entity_add_ref(s, e, "users_team_fkey", (names){"team"}, 1, "teams", LDR_CASCADE, NULL, 0, err);
  if (code == LDR_OK) code = ldr_entity_add_index(s, e, (names){"team", "-score"}, 2, err);
  return code;
}

static ldr_code add_posts_and_badges(ldr_schema *s, ldr_err *err) {
  ldr_entity *e;
  ldr_code code = add(s, "posts", post_fields, P_COUNT, "posts_pkey", (names){"id"}, 1, &e, err);
  if (code == LDR_OK)
    code = ldr_entity_add_ref(s, e, "posts_author_fkey", (names){"team", "author"}, 2, "users", LDR_CASCADE,
                              NULL, 0, err);
  if (code == LDR_OK)
    code = ldr_entity_add_ref(s, e, "posts_editor_fkey", (names){"team", "editor"}, 2, "users", LDR_SET_NULL,
                              (names){"editor"}, 1, err);
  if (code == LDR_OK)
    code = ldr_entity_add_ref(s, e, "posts_parent_fkey", (names){"parent"}, 1, "posts", LDR_CASCADE, NULL, 0,
                              err);
  if (code == LDR_OK)
    code = add(s, "badges", badge_fields, B_COUNT, "badges_pkey", (names){"id"}, 1, &e, err);
  if (code == LDR_OK) code = ldr_entity_add_unique(s, e, "badges_slot_key", (names){"slot"}, 1, err);
  if (code == LDR_OK)
    code = ldr_entity_add_ref(s, e, "badges_holder_fkey", (names){"team", "holder"}, 2, "users", LDR_RESTRICT,
                              NULL, 0, err);
  return code;
}

bool world_open(world *w) {
  ldr_code code;
  memset(w, 0, sizeof *w);
  code = ldr_schema_new("org", &w->schema, &w->err);
  if (code == LDR_OK) code = add_teams_and_users(w->schema, &w->err);
  if (code == LDR_OK) code = add_posts_and_badges(w->schema, &w->err);
  if (code == LDR_OK) code = ldr_schema_finish(w->schema, &w->err);
  if (code == LDR_OK) code = ldr_memdb_open(&w->db, &w->err);
  if (code != LDR_OK) {
    CHECK(code == LDR_CAPACITY);
    return false;
  }
  for (int i = 0; i < TABLES; i++) w->e[i] = w->schema->entities[i];
  return true;
}

static void drop_result(world *w) {
  ldr_rows_free(w->res.rows);
  w->res.rows = NULL;
}

void world_close(world *w) {
  drop_result(w);
  ldr_buf_free(&w->text);
  if (w->db) w->db->ops->close(w->db);
  ldr_schema_release(w->schema);
}

void world_start(world *w) {
  CHECK(world_open(w));
  CHECK(insert(w, NULL, TEAMS, ROW(TEXT("a"), TEXT("Alpha"))) == LDR_OK);
  CHECK(insert(w, NULL, TEAMS, ROW(TEXT("b"), TEXT("Beta"))) == LDR_OK);
}

void world_add_users(world *w) {
  for (int i = 1; i <= 10; i++) {
    char email[8];
    int n = snprintf(email, sizeof email, "u%d", i);
    CHECK(insert(w, NULL, USERS, ROW(TEXT("a"), NUL, ldr_text(email, (size_t)n), i % 5 ? INT(i % 4) : NUL)) ==
          LDR_OK);
  }
}

void world_check(const world *w, ldr_code code, ldr_code want, const char *state, const char *constraint) {
  CHECK_INT(code, want);
  CHECK_STR(w->err.sqlstate, state);
  CHECK_STR(w->err.constraint, constraint);
}

/* ---- operations ---- */

ldr_code run(world *w, ldr_tx *tx, const ldr_op *op) {
  static const ldr_call call = {.deadline = INT64_MAX, .block = true};
  ldr_code code;
  drop_result(w);
  w->err.code = LDR_OK;
  code = w->db->ops->run(w->db, tx, op, &call, &w->res, NULL, &w->err);
  CHECK(code == LDR_OK || w->err.code == code);
  if (code == LDR_OK) w->affected = w->res.affected;
  return code;
}

static unsigned name_columns(const ldr_entity *e, unsigned ncols, const ldr_value *first, uint16_t *cols) {
  unsigned n = 0;
  for (unsigned i = 0; i < ncols; i++) {
    if (e->fields[i].def == LDR_DEF_IDENTITY && first[i].type == LDR_T_NULL) continue;
    cols[n++] = (uint16_t)i;
  }
  return n;
}

/* The operation for rows of ncols values each; identity columns that the first row leaves null are not named.
 */
static void make_insert(world *w, table t, unsigned ncols, const ldr_value *values, size_t n, ldr_op *op,
                        uint16_t *cols, ldr_value *room) {
  ldr_op_init(op, LDR_OP_INSERT, w->e[t]);
  op->ncols = name_columns(w->e[t], ncols, values, cols);
  op->cols = cols;
  op->nrows = n / ncols;
  op->values = room;
  for (size_t r = 0; r < op->nrows; r++)
    for (unsigned i = 0; i < op->ncols; i++) room[r * op->ncols + i] = values[r * ncols + cols[i]];
}

ldr_code insert_rows(world *w, ldr_tx *tx, table t, unsigned ncols, const ldr_value *values, size_t n) {
  uint16_t cols[U_COUNT];
  ldr_value room[64];
  ldr_op op;
  CHECK(n <= 64);
  make_insert(w, t, ncols, values, n, &op, cols, room);
  return run(w, tx, &op);
}

ldr_code insert(world *w, ldr_tx *tx, table t, const ldr_value *values, size_t n) {
  return insert_rows(w, tx, t, (unsigned)n, values, n);
}

ldr_code upsert(world *w, ldr_tx *tx, table t, int target, const ldr_set *sets, unsigned nsets,
                const ldr_value *values, size_t n) {
  uint16_t cols[U_COUNT];
  ldr_value room[64];
  ldr_op op;
  make_insert(w, t, (unsigned)n, values, n, &op, cols, room);
  op.on_conflict = nsets ? LDR_CONFLICT_UPDATE : LDR_CONFLICT_SKIP;
  op.target = target;
  op.sets = sets;
  op.nsets = nsets;
  return run(w, tx, &op);
}

ldr_code update(world *w, ldr_tx *tx, table t, const ldr_pred *where, uint16_t field, ldr_value v) {
  const ldr_set set = {.field = field, .kind = LDR_SET_VALUE, .value = v};
  ldr_op op;
  ldr_op_init(&op, LDR_OP_UPDATE, w->e[t]);
  op.where = where;
  op.sets = &set;
  op.nsets = 1;
  return run(w, tx, &op);
}

ldr_code delete (world *w, ldr_tx *tx, table t, const ldr_pred *where) {
  ldr_op op;
  ldr_op_init(&op, LDR_OP_DELETE, w->e[t]);
  op.where = where;
  return run(w, tx, &op);
}

int64_t count(world *w, ldr_tx *tx, table t, const ldr_pred *where) {
  ldr_op op;
  ldr_op_init(&op, LDR_OP_COUNT, w->e[t]);
  op.where = where;
  return run(w, tx, &op) == LDR_OK ? w->affected : -1;
}

/* ---- reading ---- */

static void show_value(ldr_buf *out, const ldr_value *v) {
  char time[LDR_TIME_TEXT];
  switch (v->type) {
    case LDR_T_NULL: ldr_buf_chr(out, '-'); return;
    case LDR_T_BOOL: ldr_buf_str(out, v->u.b ? "t" : "f"); return;
    case LDR_T_INT: ldr_buf_fmt(out, "%lld", (long long)v->u.i); return;
    case LDR_T_TIME:
      ldr_time_format(v->u.i, time);
      ldr_buf_str(out, time);
      return;
    case LDR_T_FLOAT: ldr_buf_fmt(out, "%.17g", v->u.f); return;
    case LDR_T_ARRAY: ldr_codec_text(v, out); return;
    default: ldr_buf_add(out, v->u.p, v->n);
  }
}

const char *show_result(world *w) {
  ldr_rows *rows = w->res.rows;
  ldr_buf_reset(&w->text);
  for (size_t r = 0; rows && r < rows->nrows; r++)
    for (unsigned c = 0; c < rows->ncols; c++) {
      ldr_value v;
      CHECK(ldr_rows_cell(rows, r, c, &v, &w->err) == LDR_OK);
      if (r || c) ldr_buf_chr(&w->text, c ? '|' : ' ');
      show_value(&w->text, &v);
    }
  return ldr_buf_cstr(&w->text);
}

const char *show(world *w, ldr_tx *tx, table t, const ldr_pred *where, const uint16_t *fields, unsigned n) {
  ldr_order order[LDR_MAX_KEY] = {{.kind = LDR_BY_FIELD}};
  ldr_op op;
  ldr_op_init(&op, LDR_OP_SELECT, w->e[t]);
  op.where = where;
  op.out = fields;
  op.nout = n;
  for (unsigned i = 0; i < w->e[t]->key.n; i++) order[i] = (ldr_order){.field = w->e[t]->key.field[i]};
  op.order = order;
  op.norder = w->e[t]->key.n;
  if (run(w, tx, &op) != LDR_OK) return w->err.code == LDR_CAPACITY ? NULL : w->err.message;
  return show_result(w);
}

/* ---- transactions ---- */

ldr_tx *begin_with(world *w, ldr_isolation isolation, bool read_only) {
  const ldr_txopts opts = {.isolation = isolation, .read_only = read_only};
  ldr_tx *tx = NULL;
  ldr_code code = w->db->ops->begin(w->db, &opts, &tx, &w->err);
  CHECK(code == LDR_OK || code == LDR_CAPACITY);
  return tx;
}

ldr_tx *begin(world *w) { return begin_with(w, LDR_ISO_DEFAULT, false); }

ldr_code commit(world *w, ldr_tx *tx) {
  static const ldr_call call = {.deadline = INT64_MAX, .block = true};
  return w->db->ops->commit(tx, &call, NULL, &w->err);
}

void rollback(world *w, ldr_tx *tx) {
  static const ldr_call call = {.deadline = INT64_MAX, .block = true};
  CHECK(w->db->ops->rollback(tx, &call, NULL, &w->err) == LDR_OK);
}
