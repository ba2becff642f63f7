#include "postgres/statement/copyformat.h"

#include "base/text.h"
#include "support/fixture.h"
#include "support/test.h"
#include "values/codec.h"

enum { HEADER = 19 };

static ldr_schema *schema;
static ldr_entity *customers, *orders;
static ldr_err err;

static void check_hex(int line, const ldr_buf *b, const char *want) {
  ldr_buf hex = {0};
  ldr_hex_add(&hex, b->p, b->n);
  test_check_str(ldr_buf_cstr(&hex), want, __FILE__, line, "bytes");
  ldr_buf_free(&hex);
}

/* ---- writing ---- */

TEST(frames_are_postgresqls) {
  const ldr_value values[O_COUNT] = {
      [O_TENANT] = fixture_text("acme"), [O_ID] = ldr_int(7), [O_CUSTOMER] = fixture_text("")};
  ldr_row *r = NULL;
  ldr_buf out = {0};
  CHECK_INT(ldr_row_pack(orders, values, &r, &err), LDR_OK);
  ldr_copybin_header(&out);
  check_hex(__LINE__, &out, "5047434f50590aff0d0a000000000000000000");
  ldr_buf_reset(&out);
  ldr_copybin_row(orders, NULL, r, &out);
  check_hex(__LINE__, &out, "00050000000461636d6500000008000000000000000700000000ffffffffffffffff");
  ldr_buf_reset(&out);
  ldr_copybin_trailer(&out);
  check_hex(__LINE__, &out, "ffff");
  ldr_buf_free(&out);
  ldr_row_release(r);
}

/* ---- reading ---- */

/* One message and what comes of it. */
typedef struct message {
  char *p; /* in a block of its own size, so that a sanitizer sees any step beyond it */
  ldr_copybin_what what;
  ldr_buf scratch;
  ldr_value values[LDR_MAX_FIELDS];
} message;

static void message_open(message *m, const ldr_entity *e, const void *p, size_t n) {
  m->p = ldr_alloc(n);
  m->scratch = (ldr_buf){0};
  CHECK(m->p != NULL);
  if (m->p == NULL) return;
  memcpy(m->p, p, n);
  m->what = ldr_copybin_read(e, m->p, n, &m->scratch, m->values);
}

static void message_close(message *m) {
  ldr_free(m->p);
  ldr_buf_free(&m->scratch);
}

static ldr_copybin_what what_is(const ldr_entity *e, const void *p, size_t n) {
  message m;
  message_open(&m, e, p, n);
  message_close(&m);
  return m.what;
}

static ldr_row *customer_row(void) {
  ldr_value values[C_COUNT];
  ldr_row *r = NULL;
  fixture_customer(values);
  CHECK_INT(ldr_row_pack(customers, values, &r, &err), LDR_OK);
  return r;
}

static void check_customer(const ldr_value *got) {
  ldr_value want[C_COUNT];
  fixture_customer(want);
  for (int i = 0; i < C_COUNT; i++) {
    CHECK_INT(got[i].type, want[i].type);
    CHECK(got[i].type != want[i].type || ldr_value_cmp(&got[i], &want[i]) == 0);
  }
}

TEST(a_row_comes_back) {
  ldr_row *r = customer_row();
  ldr_buf out = {0};
  message m;
  ldr_copybin_row(customers, NULL, r, &out);
  message_open(&m, customers, out.p, out.n);
  CHECK_INT(m.what, LDR_COPY_ROW);
  check_customer(m.values);
  message_close(&m);
  ldr_buf_free(&out);
  ldr_row_release(r);
}

TEST(a_header_may_stand_in_front) {
  ldr_row *r = customer_row();
  ldr_buf out = {0};
  message m;
  ldr_copybin_header(&out);
  CHECK_INT(out.n, HEADER);
  CHECK_INT(what_is(customers, out.p, out.n), LDR_COPY_HEADER);
  ldr_copybin_row(customers, NULL, r, &out);
  message_open(&m, customers, out.p, out.n);
  CHECK_INT(m.what, LDR_COPY_ROW);
  check_customer(m.values);
  message_close(&m);
  out.n = HEADER;
  ldr_copybin_trailer(&out);
  CHECK_INT(what_is(customers, out.p, out.n), LDR_COPY_END);
  CHECK_INT(what_is(customers, out.p + HEADER, out.n - HEADER), LDR_COPY_END);
  ldr_buf_free(&out);
  ldr_row_release(r);
}

TEST(headers_are_checked) {
  CHECK_INT(what_is(orders, "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\2xy", 21), LDR_COPY_HEADER); /* an extension */
  CHECK_INT(what_is(orders, "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\3xy", 21), LDR_COPY_BAD);    /* cut short */
  CHECK_INT(what_is(orders, "PGCOPY\n\377\r\n\0\0\0\0\0\377\377\377\377", 19), LDR_COPY_BAD);
  CHECK_INT(what_is(orders, "PGCOPY\n\377\r\n\0\0\1\0\0\0\0\0\0", 19), LDR_COPY_BAD); /* rows with oids */
  CHECK_INT(what_is(orders, "PGCOPY\n\377\r\n\0\0\0\0\1\0\0\0\0", 19), LDR_COPY_HEADER);
}

TEST(every_truncation_is_refused) {
  ldr_row *r = customer_row();
  ldr_buf out = {0};
  ldr_copybin_header(&out);
  ldr_copybin_row(customers, NULL, r, &out);
  for (size_t n = 0; n < out.n; n++)
    CHECK_INT(what_is(customers, out.p, n), n == HEADER ? LDR_COPY_HEADER : LDR_COPY_BAD);
  ldr_buf_chr(&out, 0); /* nor is anything left over */
  CHECK_INT(what_is(customers, out.p, out.n), LDR_COPY_BAD);
  ldr_buf_free(&out);
  ldr_row_release(r);
}

TEST(nonsense_is_refused) {
  CHECK_INT(what_is(orders, "", 0), LDR_COPY_BAD);
  CHECK_INT(what_is(orders, "\0\4", 2), LDR_COPY_BAD);                    /* another number of fields */
  CHECK_INT(what_is(orders, "\377\377x", 3), LDR_COPY_BAD);               /* bytes behind the end */
  CHECK_INT(what_is(orders, "\0\5\377\377\377\376", 6), LDR_COPY_BAD);    /* a length of -2 */
  CHECK_INT(what_is(orders, "\0\5\177\377\377\377abc", 9), LDR_COPY_BAD); /* more than there is */
}

/* ---- several numerics: scratch moves while it grows ---- */

enum { NUMERICS = 12 };

static ldr_code ledger_of(ldr_schema **s, ldr_entity **e) {
  static const char *const key[] = {"id"};
  ldr_field f = {.name = "id", .type = LDR_F_INT8};
  ldr_code code = ldr_schema_new("ledger", s, &err);
  if (code == LDR_OK) code = ldr_schema_add(*s, "ledger", "ledger", e, &err);
  if (code == LDR_OK) code = ldr_entity_add_field(*s, *e, &f, &err);
  for (int i = 0; i < NUMERICS && code == LDR_OK; i++) {
    char name[16];
    snprintf(name, sizeof name, "n%d", i);
    f = (ldr_field){.name = name, .type = LDR_F_NUMERIC, .null = true};
    code = ldr_entity_add_field(*s, *e, &f, &err);
  }
  if (code == LDR_OK) code = ldr_entity_set_key(*s, *e, "ledger_pkey", key, 1, &err);
  return code == LDR_OK ? ldr_schema_finish(*s, &err) : code;
}

static void fill_ledger(ldr_value *row) {
  row[0] = ldr_int(1);
  for (int i = 1; i <= NUMERICS; i++) row[i] = fixture_numeric("123456789012345678901234567890.5");
  row[4] = ldr_null();
  row[7] = fixture_numeric("0");
}

static bool ledger_and_back(void) {
  ldr_value want[NUMERICS + 1], got[NUMERICS + 1];
  ldr_buf out = {0}, scratch = {0};
  ldr_schema *s = NULL;
  ldr_entity *e = NULL;
  ldr_row *r = NULL;
  bool ok = ledger_of(&s, &e) == LDR_OK;
  fill_ledger(want);
  ok = ok && ldr_row_pack(e, want, &r, &err) == LDR_OK;
  if (ok) ldr_copybin_row(e, NULL, r, &out);
  ok = ok && !out.broken && ldr_copybin_read(e, out.p, out.n, &scratch, got) == LDR_COPY_ROW;
  for (int i = 0; ok && i <= NUMERICS; i++)
    CHECK(got[i].type == want[i].type && ldr_value_cmp(&got[i], &want[i]) == 0);
  ldr_buf_free(&out);
  ldr_buf_free(&scratch);
  ldr_row_release(r);
  ldr_schema_release(s);
  return ok;
}

/* An enum array behind a numeric: both are made in scratch, and the array names the server's own type. */
static ldr_entity *moods_of(ldr_schema **s) {
  static const char *const key[] = {"n"}, *const labels[] = {"sad", "ok"};
  ldr_field n = {.name = "n", .type = LDR_F_NUMERIC};
  ldr_field moods = {
      .name = "moods", .type = LDR_F_ENUM, .array = true, .enums = labels, .nenums = 2, .sql_type = "mood"};
  ldr_entity *e = NULL;
  CHECK(ldr_schema_new("shop", s, &err) == LDR_OK);
  CHECK(ldr_schema_add(*s, "moods", "moods", &e, &err) == LDR_OK);
  CHECK(ldr_entity_add_field(*s, e, &n, &err) == LDR_OK);
  CHECK(ldr_entity_add_field(*s, e, &moods, &err) == LDR_OK);
  CHECK(ldr_entity_set_key(*s, e, "moods_pkey", key, 1, &err) == LDR_OK);
  CHECK(ldr_schema_finish(*s, &err) == LDR_OK);
  return e;
}

TEST(arrays_of_enums_name_the_type_of_their_database) {
  enum { MOOD = 20001 };
  ldr_live_columns *live = ldr_alloc(sizeof *live + 2 * sizeof *live->fields);
  ldr_value want[2], got[2], label = ldr_text("ok", 2);
  ldr_buf list = {0}, out = {0}, scratch = {0};
  ldr_schema *s = NULL;
  ldr_entity *e = moods_of(&s);
  ldr_row *r = NULL;
  CHECK(live != NULL);
  live->fields[1].element = MOOD;
  ldr_codec_encode_list(LDR_F_ENUM, &label, 1, 1, &list);
  want[0] = fixture_numeric("1.50");
  want[1] = ldr_bytes_of(LDR_T_ARRAY, list.p, list.n);
  CHECK(ldr_row_pack(e, want, &r, &err) == LDR_OK);
  ldr_copybin_row(e, live, r, &out);
  CHECK(ldr_be32(out.p + out.n - list.n + 8) == MOOD);
  CHECK(ldr_copybin_read(e, out.p, out.n, &scratch, got) == LDR_COPY_ROW);
  CHECK(ldr_value_cmp(&got[0], &want[0]) == 0 && ldr_value_cmp(&got[1], &want[1]) == 0);
  CHECK(got[1].n == list.n && memcmp(got[1].u.p, list.p, list.n) == 0);
  memcpy(out.p + out.n - 2, "no", 2); /* a label of the server's that the declaration has not */
  CHECK(ldr_copybin_read(e, out.p, out.n, &scratch, got) == LDR_COPY_LABEL);
  ldr_buf_free(&list);
  ldr_buf_free(&out);
  ldr_buf_free(&scratch);
  ldr_row_release(r);
  ldr_schema_release(s);
  ldr_free(live);
}

TEST(numerics_survive_a_growing_scratch) { CHECK(ledger_and_back()); }
TEST(memory_runs_out) { test_oom("ledger_and_back", ledger_and_back); }

void test_copyformat(void);
void test_copyformat(void) {
  schema = fixture_schema(&err);
  CHECK(schema != NULL);
  if (schema == NULL) return;
  customers = ldr_schema_find(schema, "customers");
  orders = ldr_schema_find(schema, "orders");
  RUN(frames_are_postgresqls);
  RUN(a_row_comes_back);
  RUN(a_header_may_stand_in_front);
  RUN(headers_are_checked);
  RUN(every_truncation_is_refused);
  RUN(nonsense_is_refused);
  RUN(numerics_survive_a_growing_scratch);
  RUN(arrays_of_enums_name_the_type_of_their_database);
  RUN(memory_runs_out);
  ldr_schema_release(schema);
}
