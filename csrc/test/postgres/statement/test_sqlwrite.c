/* Golden statements: inserts, updates and deletes. */
#include "support/sqlfix.h"

/* ---- insert ---- */

TEST(inserts_of_one_row) {
  ldr_op op = op_of(LDR_OP_INSERT);
  COLS(&op, TENANT, ID, TAGS, NICK);
  op.values = VALUES(txt("acme"), txt("u1"), two_tags(), ldr_null());
  op.nrows = 1;
  GOLD(&op,
       "insert into \"shop\".\"users\" as t (\"tenant_id\", \"id\", \"tags\", \"nick\")"
       " values ($1, $2, $3, $4)",
       "text=acme, text=u1, text[]={\"a\",\"b\"}, text=null");
  OUT(&op, ID, SEQ);
  op.on_conflict = LDR_CONFLICT_SKIP;
  GOLD(
      &op,
      "insert into \"shop\".\"users\" as t (\"tenant_id\", \"id\", \"tags\", \"nick\")"
      " values ($1, $2, $3, $4) on conflict (\"tenant_id\", \"id\") do nothing returning t.\"id\", t.\"seq\"",
      "text=acme, text=u1, text[]={\"a\",\"b\"}, text=null");
}

TEST(inserts_of_many_rows) {
  ldr_op op = op_of(LDR_OP_INSERT);
  COLS(&op, TENANT, ID, AGE);
  op.values = VALUES(txt("acme"), txt("u1"), ldr_int(1), txt("acme"), txt("u2"), ldr_null());
  op.nrows = 2;
  OUT(&op, ID);
  GOLD(
      &op,
      "insert into \"shop\".\"users\" as t (\"tenant_id\", \"id\", \"age\") select r.\"tenant_id\", r.\"id\","
      " r.\"age\" from unnest($1::text[], $2::text[], $3::integer[]) as r (\"tenant_id\", \"id\", \"age\")"
      " returning t.\"id\"",
      "text[]={acme,acme}, text[]={u1,u2}, int4[]={1,null}");
  COLS(&op, ID, TAGS);
  op.values = VALUES(txt("u1"), two_tags(), txt("u2"), ldr_null());
  op.nout = 0;
  GOLD(&op,
       "insert into \"shop\".\"users\" as t (\"id\", \"tags\") select r.\"id\", r.\"tags\"::text[]"
       " from unnest($1::text[], $2::text[]) as r (\"id\", \"tags\")",
       "text[]={u1,u2}, text[]={{\"a\",\"b\"},null}");
}

TEST(insert_of_an_identity) {
  ldr_op op = op_of(LDR_OP_INSERT);
  COLS(&op, ID, SEQ);
  op.values = VALUES(txt("u1"), ldr_int(9));
  op.nrows = 1;
  GOLD(&op, "insert into \"shop\".\"users\" as t (\"id\", \"seq\") overriding system value values ($1, $2)",
       "text=u1, int8=9");
}

/* Citus says of an INSERT … SELECT how many rows it was given, not how many are new. */
TEST(skipped_rows_are_counted_by_what_comes_back) {
  ldr_op op = op_of(LDR_OP_INSERT);
  COLS(&op, TENANT, ID);
  op.values = VALUES(txt("acme"), txt("u1"), txt("acme"), txt("u2"));
  op.nrows = 2;
  op.on_conflict = LDR_CONFLICT_SKIP;
  op.target = LDR_TARGET_ANY;
  GOLD(&op,
       "with w as (insert into \"shop\".\"users\" as t (\"tenant_id\", \"id\") select r.\"tenant_id\", "
       "r.\"id\""
       " from unnest($1::text[], $2::text[]) as r (\"tenant_id\", \"id\") on conflict do nothing returning 1)"
       " select count(*) from w",
       "text[]={acme,acme}, text[]={u1,u2}");
  CHECK(ldr_sqlgen_counts(&op));
  OUT(&op, ID);
  CHECK(!ldr_sqlgen_counts(&op));
}

TEST(conflict_targets) {
  ldr_op op = op_of(LDR_OP_INSERT);
  COLS(&op, ID);
  op.values = VALUES(txt("u1"));
  op.nrows = 1;
  op.on_conflict = LDR_CONFLICT_SKIP;
  op.target = 0;
  GOLD(&op,
       "insert into \"shop\".\"users\" as t (\"id\") values ($1)"
       " on conflict (\"tenant_id\", \"email\") where \"deleted_at\" is null do nothing",
       "text=u1");
  op.target = 1;
  GOLD(&op,
       "insert into \"shop\".\"users\" as t (\"id\") values ($1)"
       " on conflict (\"tenant_id\", \"token\") where \"nick\" = E'it''s \\\\ odd' and \"active\" = 't'"
       " do nothing",
       "text=u1");
}

TEST(upserts) {
  ldr_op op = op_of(LDR_OP_INSERT);
  COLS(&op, TENANT, ID, AGE, DOC, NICK, TAGS);
  op.values = VALUES(txt("acme"), txt("u1"), ldr_int(1), json("[1]"), txt("x"), two_tags());
  op.nrows = 1;
  op.on_conflict = LDR_CONFLICT_UPDATE;
  SETS(&op, {.field = EMAIL, .excluded = true},
       {.field = AGE, .kind = LDR_SET_INCREMENT, .value = ldr_int(1)},
       {.field = DOC, .kind = LDR_SET_APPEND, .excluded = true},
       {.field = TAGS, .kind = LDR_SET_APPEND, .excluded = true}, {.field = SCORE, .kind = LDR_SET_DEFAULT},
       {.field = NICK, .kind = LDR_SET_COALESCE, .excluded = true},
       {.field = SEEN, .kind = LDR_SET_GREATEST, .value = ldr_time(ldr_time_of_unix(0))});
  OUT(&op, AGE);
  GOLD(&op,
       "insert into \"shop\".\"users\" as t (\"tenant_id\", \"id\", \"age\", \"doc\", \"nick\", \"tags\")"
       " values ($1, $2, $3, $4, $5, $6) on conflict (\"tenant_id\", \"id\") do update set"
       " \"email\" = excluded.\"email\", \"age\" = coalesce(t.\"age\", 0) + $7,"
       " \"doc\" = coalesce(t.\"doc\", '[]'::jsonb) || excluded.\"doc\","
       " \"tags\" = coalesce(t.\"tags\", '{}') || excluded.\"tags\", \"score\" = default,"
       " \"nick\" = coalesce(t.\"nick\", excluded.\"nick\"), \"seen_at\" = greatest(t.\"seen_at\", $8)"
       " returning t.\"age\"",
       "text=acme, text=u1, int4=1, jsonb=[1], text=x, text[]={\"a\",\"b\"}, int4=1,"
       " timestamptz=1970-01-01T00:00:00.000000Z");
}

/* An upsert of key fields alone, and an update without changes: the rows are found and returned as they are.
 */
TEST(nothing_to_set) {
  ldr_op op = op_of(LDR_OP_INSERT);
  COLS(&op, TENANT, ID);
  op.values = VALUES(txt("acme"), txt("u1"));
  op.nrows = 1;
  op.on_conflict = LDR_CONFLICT_UPDATE;
  OUT(&op, AGE);
  GOLD(&op,
       "insert into \"shop\".\"users\" as t (\"tenant_id\", \"id\") values ($1, $2)"
       " on conflict (\"tenant_id\", \"id\") do update set \"id\" = t.\"id\" returning t.\"age\"",
       "text=acme, text=u1");
}

/* ---- update, delete, count ---- */

TEST(deep_merges) {
  const ldr_value doc = json("{\"a\": {\"b\": {\"c\": 1}, \"x\": 2}, \"y\": {}}");
  ldr_op op = op_of(LDR_OP_UPDATE);
  ldr_set set = {.field = DOC, .kind = LDR_SET_MERGE, .value = doc, .deeper = 1};
  ldr_arena arena = {0};
  ldr_err err = {0};
  CHECK(ldr_merge_read(&doc, 1, &arena, &set.levels, &err) == LDR_OK);
  op.sets = &set;
  op.nsets = 1;
  GOLD(
      &op,
      "update \"shop\".\"users\" as t set \"doc\" = case jsonb_typeof(t.\"doc\") when 'object' then t.\"doc\""
      " else '{}'::jsonb end || $1 || jsonb_set('{}'::jsonb, $2, case jsonb_typeof(t.\"doc\" #> $3) when "
      "'object'"
      " then t.\"doc\" #> $3 else '{}'::jsonb end || $4) || jsonb_set('{}'::jsonb, $5,"
      " case jsonb_typeof(t.\"doc\" #> $6) when 'object' then t.\"doc\" #> $6 else '{}'::jsonb end || $7)",
      "jsonb={}, text[]={y}, text[]={y}, jsonb={}, text[]={a}, text[]={a}, jsonb={\"b\": {\"c\": 1}, \"x\": "
      "2}");
  ldr_arena_free(&arena);
}

TEST(updates) {
  ldr_op op = op_of(LDR_OP_UPDATE);
  SETS(&op, {.field = NICK, .value = ldr_null()},
       {.field = AMOUNT, .kind = LDR_SET_INCREMENT, .value = num("0.5")},
       {.field = DOC, .kind = LDR_SET_MERGE, .value = json("{}")},
       {.field = TAGS, .kind = LDR_SET_APPEND, .value = two_tags()},
       {.field = EMAIL, .kind = LDR_SET_GREATEST, .value = txt("m")},
       {.field = SCORE, .kind = LDR_SET_INCREMENT, .value = ldr_float(0.5)});
  op.where = PRED(LDR_P_EQ, ID, txt("u1"));
  OUT(&op, ID, NICK);
  GOLD(&op,
       "update \"shop\".\"users\" as t set \"nick\" = $1, \"amount\" = coalesce(t.\"amount\", 0) + $2,"
       " \"doc\" = coalesce(t.\"doc\", '{}'::jsonb) || $3, \"tags\" = coalesce(t.\"tags\", '{}') || $4,"
       " \"email\" = greatest(t.\"email\" collate \"C\", $5), \"score\" = coalesce(t.\"score\", 0) + $6"
       " where t.\"id\" = $7 returning t.\"id\", t.\"nick\"",
       "text=null, numeric=0.5, jsonb={}, text[]={\"a\",\"b\"}, text=m, float4=0.5, text=u1");
}

TEST(deletes_and_counts) {
  ldr_op op = op_of(LDR_OP_DELETE);
  GOLD(&op, "delete from \"shop\".\"users\" as t", "");
  op.where = PRED(LDR_P_EQ, ID, txt("u1"));
  OUT(&op, SEQ);
  GOLD(&op, "delete from \"shop\".\"users\" as t where t.\"id\" = $1 returning t.\"seq\"", "text=u1");
  op = op_of(LDR_OP_COUNT);
  op.where = PRED(LDR_P_EQ, ID, txt("u1"));
  GOLD(&op, "select count(*) from \"shop\".\"users\" as t where t.\"id\" = $1", "text=u1");
}

TEST(writes_that_tell_when_they_were_analyzed) {
  ldr_op insert = op_of(LDR_OP_INSERT), update = op_of(LDR_OP_UPDATE);
  COLS(&insert, TENANT, ID, AGE);
  insert.nrows = 1;
  insert.values = VALUES(txt("acme"), txt("u1"), ldr_int(7));
  GIVEN(&insert, false, 0,
        "insert into \"shop\".\"users\" as t (\"tenant_id\", \"id\", \"age\") values ($1, $2, $3)"
        " returning 'now'::timestamptz",
        "text=acme, text=u1, int4=7");
  update.where = PRED(LDR_P_EQ, ID, txt("u1"));
  SETS(&update, {.field = AGE, .value = ldr_int(7)});
  OUT(&update, SEQ);
  GIVEN(&update, true, 3,
        "update \"shop\".\"users\" as t set \"age\" = $1 where t.\"id\" = $2"
        " and coalesce($3 = 'now'::timestamptz, t.\"tenant_id\" is not null)"
        " returning t.\"seq\", 'now'::timestamptz, pg_current_xact_id_if_assigned()",
        "int4=7, text=u1, timestamptz=null");
  insert.on_conflict = LDR_CONFLICT_UPDATE;
  SETS(&insert, {.field = AGE, .excluded = true}, {.field = NICK, .value = txt("n")});
  GIVEN(&insert, false, 5,
        "insert into \"shop\".\"users\" as t (\"tenant_id\", \"id\", \"age\") select $1, $2, $3"
        " where coalesce($5 = 'now'::timestamptz, true) on conflict (\"tenant_id\", \"id\") do update"
        " set \"age\" = excluded.\"age\", \"nick\" = $4 returning 'now'::timestamptz",
        "text=acme, text=u1, int4=7, text=n, timestamptz=null");
}

void test_sqlwrite(void);
void test_sqlwrite(void) {
  if (sql_open()) {
    RUN(inserts_of_one_row);
    RUN(inserts_of_many_rows);
    RUN(insert_of_an_identity);
    RUN(skipped_rows_are_counted_by_what_comes_back);
    RUN(conflict_targets);
    RUN(upserts);
    RUN(nothing_to_set);
    RUN(deep_merges);
    RUN(updates);
    RUN(deletes_and_counts);
    RUN(writes_that_tell_when_they_were_analyzed);
  }
  sql_close();
}
