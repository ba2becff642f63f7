#include "base/text.h"
#include "model/validate.h"
#include "support/fixture.h"
#include "support/test.h"

enum { NOW = 1234567 };

static ldr_err err;
static ldr_schema *schema;
static const ldr_entity *customers, *orders;
static ldr_arena arena;

static void setup(void) {
  schema = fixture_schema(&err);
  customers = schema->entities[0];
  orders = schema->entities[1];
  err.code = LDR_OK;
}

static void teardown(void) {
  ldr_arena_free(&arena);
  ldr_schema_release(schema);
}

/* What is said against a value in a field of the customers; NULL: nothing. */
static const char *said(unsigned field, ldr_value v) {
  err.code = LDR_OK;
  if (ldr_check_value(&customers->fields[field], &v, &arena, &err) == LDR_OK) return NULL;
  CHECK_INT(err.code, LDR_INVALID);
  CHECK_INT(err.nfields, 1);
  CHECK_STR(err.fields, customers->fields[field].name);
  return err.fields + strlen(err.fields) + 1;
}

TEST(null_and_type) {
  setup();
  CHECK_STR(said(C_EMAIL, ldr_null()), "is required");
  CHECK_STR(said(C_TAGS, ldr_null()), NULL);
  CHECK_STR(said(C_EMAIL, ldr_int(1)), "must be of type text");
  CHECK_STR(said(C_VISITS, ldr_float(1)), "must be of type integer");
  CHECK_STR(said(C_CREATED, ldr_int(1)), "must be of type timestamp with time zone");
  CHECK_STR(said(C_TAGS, fixture_text("one")), "must be of type text[]");
  CHECK_STR(said(C_EMAIL, fixture_tags()), "must be of type text");
  teardown();
}

TEST(texts) {
  setup();
  CHECK_STR(said(C_EMAIL, ldr_text("a\0b", 3)), "contains a zero byte");
  CHECK_STR(said(C_EMAIL, fixture_text("ab\xff")), "is not valid UTF-8 (byte 3)");
  CHECK_STR(said(C_EMAIL, fixture_text("ab\xc3")), "is not valid UTF-8 (byte 3)");
  CHECK_STR(said(C_EMAIL, fixture_text("")), "must not be empty");
  CHECK_STR(said(C_EMAIL, fixture_text("ab")), "is shorter than 3 characters");
  CHECK_STR(said(C_EMAIL, fixture_text("abc")), NULL);
  CHECK_STR(said(C_EMAIL, fixture_text("1234567890")), NULL);
  CHECK_STR(said(C_EMAIL, fixture_text("12345678901")), "is longer than 10 characters");
  CHECK_STR(said(C_EMAIL, fixture_text("éééééééééé")), NULL); /* characters, not bytes */
  CHECK_STR(said(C_TOKEN, fixture_text("")), NULL);
  CHECK_STR(said(C_PHOTO, ldr_bytes_of(LDR_T_BYTES, "\0\xff\0\1", 4)), NULL);
  CHECK_STR(said(C_PHOTO, ldr_bytes_of(LDR_T_BYTES, "12345", 5)), "is longer than 4 bytes");
  teardown();
}

TEST(enums) {
  static const char *many[40];
  const ldr_field f = {.name = "f", .type = LDR_F_TEXT, .enums = many, .nenums = 40};
  ldr_value v = fixture_text("no");
  setup();
  CHECK_STR(said(C_STATUS, fixture_text("blocked")), NULL);
  CHECK_STR(said(C_STATUS, fixture_text("block")), "must be one of active, blocked");
  CHECK_STR(said(C_STATUS, fixture_text("blocked ")), "must be one of active, blocked");
  for (size_t n = 1; n < 200; n++) { /* the list ends at every place of the message's room */
    char text[200] = "";
    memset(text, 'a', n);
    for (int i = 0; i < 40; i++) many[i] = text;
    err.code = LDR_OK;
    CHECK_INT(ldr_check_value(&f, &v, &arena, &err), LDR_INVALID);
    CHECK(strcmp(err.message + strlen(err.message) - strlen("…"), "…") == 0 || n < 2);
    CHECK(ldr_utf8_check(err.message, strlen(err.message)) == strlen(err.message));
  }
  teardown();
}

TEST(numbers) {
  setup();
  CHECK_STR(said(C_VISITS, ldr_int(0)), NULL);
  CHECK_STR(said(C_VISITS, ldr_int(1000)), NULL);
  CHECK_STR(said(C_VISITS, ldr_int(-1)), "must be at least 0");
  CHECK_STR(said(C_VISITS, ldr_int(1001)), "must be at most 1000");
  CHECK_STR(said(C_VISITS, ldr_int(INT64_C(1) << 31)), "is out of range for integer");
  CHECK_STR(said(C_VISITS, ldr_int(INT64_MIN)), "is out of range for integer");
  CHECK_STR(said(C_SCORE, ldr_float(1e39)), "is out of range for real");
  CHECK_STR(said(C_SCORE, ldr_float(-3e38)), NULL);
  CHECK_STR(said(C_BALANCE, fixture_numeric("1000000.00")), "does not fit numeric(8,2)");
  CHECK_STR(said(C_BALANCE, fixture_numeric("999999.994")), NULL);
  CHECK_STR(said(C_BALANCE, fixture_numeric("999999.995")), "does not fit numeric(8,2)");
  CHECK_STR(said(C_BALANCE, fixture_numeric("01")), "is not a number in normal form");
  CHECK_STR(said(C_BALANCE, fixture_numeric("")), "is not a number in normal form");
  teardown();
}

TEST(values_become_what_the_column_keeps) {
  ldr_value n = fixture_numeric("1.005"), f = ldr_float(0.1);
  setup();
  CHECK_INT(ldr_check_value(&customers->fields[C_BALANCE], &n, &arena, &err), LDR_OK);
  CHECK(n.n == 4 && memcmp(n.u.p, "1.01", 4) == 0);
  CHECK_INT(ldr_check_value(&customers->fields[C_SCORE], &f, &arena, &err), LDR_OK);
  CHECK(f.u.f == (double)0.1f);
  teardown();
}

TEST(structured_values) {
  static const char torn[] = "\0\0\0\1\0\0\0\0\0\0\0\31\0\0\0\1\0\0\0\1\0\0\0\4one";
  static const char zero[] = "\0\0\0\1\0\0\0\0\0\0\0\31\0\0\0\1\0\0\0\1\0\0\0\3o\0e";
  static const char ints[] = "\0\0\0\1\0\0\0\0\0\0\0\27\0\0\0\1\0\0\0\1\0\0\0\4\0\0\0\1";
  setup();
  CHECK_STR(said(C_SETTINGS, fixture_json(" {\"a\": [1]} ")), NULL);
  CHECK(strncmp(said(C_SETTINGS, fixture_json("{\"a\":")), "is not valid JSON", 17) == 0);
  CHECK(strncmp(said(C_SETTINGS, fixture_json("\"\\u0000\"")), "is not valid JSON", 17) == 0);
  CHECK_STR(said(C_REF, ldr_bytes_of(LDR_T_UUID, "0123456789abcdef", 15)), "is not a uuid");
  CHECK_STR(said(C_TAGS, fixture_tags()), NULL);
  CHECK_STR(said(C_TAGS, ldr_bytes_of(LDR_T_ARRAY, "junk", 4)), "is not a well-formed array");
  CHECK_STR(said(C_TAGS, ldr_bytes_of(LDR_T_ARRAY, torn, sizeof torn - 1)), "is not a well-formed array");
  CHECK_STR(said(C_TAGS, ldr_bytes_of(LDR_T_ARRAY, zero, sizeof zero - 1)), "contains a zero byte");
  CHECK_STR(said(C_TAGS, ldr_bytes_of(LDR_T_ARRAY, ints, sizeof ints - 1)), "must be an array of text");
  CHECK_STR(said(C_CREATED, ldr_time(INT64_MIN)), NULL);
  CHECK_STR(said(C_CREATED, ldr_time(INT64_MAX)), NULL);
  CHECK_STR(said(C_CREATED, ldr_time(INT64_C(-211813488000000000))), NULL);
  CHECK_STR(said(C_CREATED, ldr_time(INT64_C(-211813488000000001))),
            "is out of range for timestamp with time zone");
  teardown();
}

TEST(array_elements_are_checked) {
  static const struct {
    ldr_ftype type;
    const char *bytes;
    int32_t n;
    bool good;
  } t[] = {
      {LDR_F_BOOL, "\1", 1, true},
      {LDR_F_BOOL, "\1\1", 2, false},
      {LDR_F_INT8, "12345678", 8, true},
      {LDR_F_INT8, "1234", 4, false},
      {LDR_F_UUID, "short", 5, false},
      {LDR_F_JSONB, "\1{}", 3, true},
      {LDR_F_JSONB, "{}", 2, false},
      {LDR_F_JSONB, "\1{", 2, false},
      {LDR_F_JSON, "[]", 2, true},
      {LDR_F_JSON, "", 0, false},
      {LDR_F_NUMERIC, "\0\0\0\0\0\0\0\0", 8, true},
      {LDR_F_NUMERIC, "\0", 1, false},
      {LDR_F_BYTEA, "\0\xff", 2, true},
      {LDR_F_TEXT, "\xff", 1, false},
  };
  const int32_t one = 1;
  for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
    const ldr_field f = {.name = "f", .type = t[i].type, .array = true};
    ldr_buf b = {0};
    ldr_value v;
    ldr_array_begin(&b, t[i].type, 1, &one, false);
    ldr_buf_be32(&b, (uint32_t)t[i].n);
    ldr_buf_add(&b, t[i].bytes, (size_t)t[i].n);
    v = ldr_bytes_of(LDR_T_ARRAY, b.p, b.n);
    CHECK_INT(ldr_check_value(&f, &v, &arena, &err), t[i].good ? LDR_OK : LDR_INVALID);
    ldr_buf_free(&b);
  }
}

/* ---- rows ---- */

TEST(row_is_completed) {
  ldr_value row[C_COUNT];
  bool given[C_COUNT] = {false};
  setup();
  fixture_customer(row);
  given[C_TENANT] = given[C_ID] = given[C_EMAIL] = true;
  CHECK_INT(ldr_check_row(customers, row, given, NOW, &arena, &err), LDR_OK);
  for (unsigned i = 0; i < C_COUNT; i++) CHECK(given[i]);
  CHECK(row[C_STATUS].n == 6 && memcmp(row[C_STATUS].u.p, "active", 6) == 0);
  CHECK(row[C_VISITS].type == LDR_T_INT && row[C_VISITS].u.i == 0);
  CHECK_INT(row[C_BALANCE].type, LDR_T_NULL);
  CHECK(row[C_REF].type == LDR_T_UUID && row[C_REF].n == 16);
  CHECK((row[C_REF].u.p[6] & 0xF0) == 0x40);
  CHECK(row[C_CREATED].type == LDR_T_TIME && row[C_CREATED].u.i == ldr_time_of_unix(NOW));
  CHECK(row[C_UPDATED].type == LDR_T_TIME && row[C_UPDATED].u.i == ldr_time_of_unix(NOW));
  CHECK_INT(row[C_DELETED].type, LDR_T_NULL);
  teardown();
}

TEST(given_values_stand) {
  ldr_value row[C_COUNT], want[C_COUNT];
  bool given[C_COUNT];
  setup();
  fixture_customer(row);
  fixture_customer(want);
  memset(given, true, sizeof given);
  CHECK_INT(ldr_check_row(customers, row, given, NOW, &arena, &err), LDR_OK);
  CHECK_INT(row[C_CREATED].u.i, want[C_CREATED].u.i);
  CHECK_INT(row[C_UPDATED].u.i, want[C_UPDATED].u.i);
  CHECK(row[C_REF].u.p == want[C_REF].u.p);
  CHECK_INT(row[C_TOKEN].type, LDR_T_NULL);
  teardown();
}

TEST(identity_is_left_to_the_engine) {
  ldr_value row[O_COUNT] = {ldr_text("t", 1), ldr_int(3), ldr_null(), ldr_null(), ldr_null()};
  bool given[O_COUNT] = {true, true, true, true, true};
  setup();
  CHECK_INT(ldr_check_row(orders, row, given, NOW, &arena, &err), LDR_OK);
  CHECK(given[O_ID] && row[O_ID].u.i == 3);
  given[O_ID] = false;
  CHECK_INT(ldr_check_row(orders, row, given, NOW, &arena, &err), LDR_OK);
  CHECK(!given[O_ID]);
  CHECK_INT(row[O_ID].type, LDR_T_NULL);
  given[O_ID] = true; /* a null that was named is no wish for a number */
  CHECK_INT(ldr_check_row(orders, row, given, NOW, &arena, &err), LDR_INVALID);
  CHECK_STR(err.message, "id is required");
  teardown();
}

TEST(row_names_all_its_faults_and_no_value) {
  ldr_value row[C_COUNT];
  bool given[C_COUNT];
  setup();
  fixture_customer(row);
  memset(given, true, sizeof given);
  given[C_ID] = false;
  row[C_EMAIL] = fixture_text("secret-secret");
  row[C_STATUS] = fixture_text("sleepy");
  row[C_CREATED] = ldr_null();
  err.code = LDR_INVALID; /* as an older failure left it */
  err.nfields = 3;
  CHECK_INT(ldr_check_row(customers, row, given, NOW, &arena, &err), LDR_INVALID);
  CHECK_STR(err.message, "id is required");
  CHECK_STR(err.column, "id");
  CHECK_INT(err.nfields, 4);
  CHECK(memcmp(err.fields, "id\0is required\0email\0is longer than 10 characters\0status\0must be one of",
               70) == 0);
  for (size_t i = 0; i + 6 <= err.fields_len; i++)
    CHECK(memcmp(err.fields + i, "secret", 6) != 0 && memcmp(err.fields + i, "sleepy", 6) != 0);
  teardown();
}

TEST(text_defaults) {
  static const char *const id[] = {"u"};
  const ldr_field u = {.name = "u", .type = LDR_F_TEXT, .max_len = 36, .def = LDR_DEF_UUID};
  const ldr_field c = {.name = "c", .type = LDR_F_TEXT, .max_len = 25, .def = LDR_DEF_CUID};
  ldr_value row[2];
  bool given[2] = {false, false};
  ldr_schema *s = NULL;
  ldr_entity *e = NULL;
  CHECK_INT(ldr_schema_new("s", &s, &err), LDR_OK);
  CHECK_INT(ldr_schema_add(s, "e", "e", &e, &err), LDR_OK);
  CHECK_INT(ldr_entity_add_field(s, e, &u, &err), LDR_OK);
  CHECK_INT(ldr_entity_add_field(s, e, &c, &err), LDR_OK);
  CHECK_INT(ldr_entity_set_key(s, e, "e_pkey", id, 1, &err), LDR_OK);
  CHECK_INT(ldr_check_row(e, row, given, NOW, &arena, &err), LDR_OK);
  CHECK(row[0].type == LDR_T_TEXT && row[0].n == 36 && row[0].u.p[8] == '-');
  CHECK(row[1].type == LDR_T_TEXT && row[1].n == 25 && row[1].u.p[0] == 'c');
  ldr_arena_free(&arena);
  ldr_schema_release(s);
}

/* ---- sets ---- */

static ldr_set value_set(unsigned field, ldr_set_kind kind, ldr_value v) {
  return (ldr_set){.field = (uint16_t)field, .kind = kind, .value = v};
}

static ldr_code check_one(ldr_set *s, const ldr_entity *e) {
  ldr_set sets[1 + C_COUNT];
  unsigned n = 1;
  ldr_code code;
  sets[0] = *s;
  code = ldr_check_sets(e, sets, &n, NOW, &arena, &err);
  *s = sets[0];
  return code;
}

/* What is said against one set of the customers; NULL: nothing. */
static const char *said_set(unsigned field, ldr_set_kind kind, ldr_value v) {
  ldr_set s = value_set(field, kind, v);
  if (check_one(&s, customers) == LDR_OK) return NULL;
  CHECK_INT(err.code, LDR_INVALID);
  return err.fields + strlen(err.fields) + 1;
}

TEST(sets_fit_their_fields) {
  setup();
  CHECK_STR(said_set(C_ID, LDR_SET_VALUE, fixture_text("x")), "cannot be changed");
  CHECK_STR(said_set(C_REF, LDR_SET_DEFAULT, ldr_null()), "cannot be changed");
  CHECK_STR(said_set(C_EMAIL, LDR_SET_VALUE, fixture_text("x")), "is shorter than 3 characters");
  CHECK_STR(said_set(C_EMAIL, LDR_SET_VALUE, ldr_null()), "is required");
  CHECK_STR(said_set(C_EMAIL, LDR_SET_INCREMENT, ldr_int(1)), "cannot be incremented: it is no number");
  CHECK_STR(said_set(C_CREATED, LDR_SET_INCREMENT, ldr_time(1)), "cannot be incremented: it is no number");
  CHECK_STR(said_set(C_VISITS, LDR_SET_INCREMENT, ldr_int(-5)), NULL); /* a difference has no min */
  CHECK_STR(said_set(C_VISITS, LDR_SET_INCREMENT, ldr_float(1)), "must be of type integer");
  CHECK_STR(said_set(C_VISITS, LDR_SET_INCREMENT, ldr_null()), "needs a value to combine with");
  CHECK_STR(said_set(C_BALANCE, LDR_SET_INCREMENT, fixture_numeric("0.001")), NULL);
  CHECK_STR(said_set(C_SCORE, LDR_SET_INCREMENT, ldr_float(1)), NULL);
  CHECK_STR(said_set(C_EMAIL, LDR_SET_APPEND, fixture_text("x")),
            "cannot be appended to: it is neither jsonb nor an array");
  CHECK_STR(said_set(C_SETTINGS, LDR_SET_APPEND, fixture_json("1")), NULL);
  CHECK_STR(said_set(C_TAGS, LDR_SET_APPEND, fixture_tags()), NULL);
  CHECK_STR(said_set(C_TAGS, LDR_SET_MERGE, fixture_tags()), "cannot be merged into: it is not jsonb");
  CHECK_STR(said_set(C_SETTINGS, LDR_SET_MERGE, fixture_json(" {}")), NULL);
  CHECK_STR(said_set(C_SETTINGS, LDR_SET_MERGE, fixture_json("[]")), "must be a JSON object to merge");
  CHECK_STR(said_set(C_SETTINGS, LDR_SET_GREATEST, fixture_json("1")),
            "has no order to take the greatest by");
  CHECK_STR(said_set(C_CREATED, LDR_SET_GREATEST, ldr_time(1)), NULL);
  CHECK_STR(said_set(C_VISITS, LDR_SET_GREATEST, ldr_int(1001)), "must be at most 1000");
  CHECK_STR(said_set(C_EMAIL, LDR_SET_COALESCE, ldr_null()), NULL);
  CHECK_STR(said_set(C_EMAIL, LDR_SET_COALESCE, fixture_text("")), "must not be empty");
  CHECK_STR(said_set(C_EMAIL, (ldr_set_kind)99, ldr_null()), "has no such kind of set");
  teardown();
}

TEST(defaults_become_values) {
  ldr_set s;
  setup();
  s = value_set(C_STATUS, LDR_SET_DEFAULT, ldr_null());
  CHECK_INT(check_one(&s, customers), LDR_OK);
  CHECK(s.kind == LDR_SET_VALUE && s.value.n == 6);
  s = value_set(C_CREATED, LDR_SET_DEFAULT, ldr_null());
  CHECK_INT(check_one(&s, customers), LDR_OK);
  CHECK(s.kind == LDR_SET_VALUE && s.value.u.i == ldr_time_of_unix(NOW));
  s = value_set(C_EMAIL, LDR_SET_DEFAULT, ldr_null());
  CHECK_INT(check_one(&s, customers), LDR_INVALID);
  CHECK_STR(err.message, "email is required");
  s = value_set(C_TAGS, LDR_SET_DEFAULT, fixture_tags());
  CHECK_INT(check_one(&s, customers), LDR_OK);
  CHECK_INT(s.value.type, LDR_T_NULL);
  teardown();
}

TEST(stamps_are_set) {
  ldr_set sets[1 + C_COUNT];
  unsigned n = 1;
  setup();
  sets[0] = value_set(C_EMAIL, LDR_SET_VALUE, fixture_text("a@b"));
  CHECK_INT(ldr_check_sets(customers, sets, &n, NOW, &arena, &err), LDR_OK);
  CHECK_INT(n, 2);
  CHECK(sets[1].field == C_UPDATED && sets[1].kind == LDR_SET_VALUE && !sets[1].excluded);
  CHECK(sets[1].value.type == LDR_T_TIME && sets[1].value.u.i == ldr_time_of_unix(NOW));
  n = 1;
  sets[0] = value_set(C_UPDATED, LDR_SET_VALUE, ldr_time(5));
  CHECK_INT(ldr_check_sets(customers, sets, &n, NOW, &arena, &err), LDR_OK);
  CHECK_INT(n, 1);
  CHECK_INT(sets[0].value.u.i, 5);
  teardown();
}

TEST(sets_name_all_their_faults) {
  ldr_set sets[3 + C_COUNT];
  unsigned n = 3;
  setup();
  sets[0] = value_set(C_ID, LDR_SET_VALUE, fixture_text("x"));
  sets[1] = value_set(C_VISITS, LDR_SET_VALUE, ldr_int(1));
  sets[2] = value_set(C_VISITS, LDR_SET_VALUE, ldr_int(2));
  CHECK_INT(ldr_check_sets(customers, sets, &n, NOW, &arena, &err), LDR_INVALID);
  CHECK_INT(n, 3);
  CHECK_INT(err.nfields, 2);
  CHECK(memcmp(err.fields, "id\0cannot be changed\0visits\0is set twice", 41) == 0);
  teardown();
}

TEST(excluded_has_no_value_to_check) {
  ldr_set s = {.field = C_EMAIL, .kind = LDR_SET_VALUE, .excluded = true};
  ldr_set append = {.field = C_SETTINGS, .kind = LDR_SET_APPEND, .excluded = true};
  ldr_set key = {.field = C_ID, .kind = LDR_SET_VALUE, .excluded = true};
  setup();
  CHECK_INT(check_one(&s, customers), LDR_OK);
  CHECK_INT(check_one(&append, customers), LDR_OK);
  CHECK_INT(check_one(&key, customers), LDR_INVALID);
  teardown();
}

/* ---- memory runs out ---- */

static bool complete_and_release(void) {
  ldr_arena a = {0};
  ldr_value row[C_COUNT];
  bool given[C_COUNT];
  ldr_set sets[2 + C_COUNT];
  unsigned n = 2;
  ldr_code code;
  fixture_customer(row);
  memset(given, true, sizeof given);
  given[C_REF] = false;
  sets[0] = value_set(C_BALANCE, LDR_SET_VALUE, fixture_numeric("1.005"));
  sets[1] = value_set(C_SETTINGS, LDR_SET_MERGE, fixture_json("{\"\\n\":\"\\n\"}"));
  code = ldr_check_row(customers, row, given, NOW, &a, &err);
  if (code == LDR_OK) code = ldr_check_sets(customers, sets, &n, NOW, &a, &err);
  if (code != LDR_OK) CHECK_INT(code, LDR_CAPACITY);
  ldr_arena_free(&a);
  return code == LDR_OK;
}

TEST(memory_runs_out) {
  setup();
  test_oom("complete_and_release", complete_and_release);
  teardown();
}

void test_validate(void);
void test_validate(void) {
  RUN(null_and_type);
  RUN(texts);
  RUN(enums);
  RUN(numbers);
  RUN(values_become_what_the_column_keeps);
  RUN(structured_values);
  RUN(array_elements_are_checked);
  RUN(row_is_completed);
  RUN(given_values_stand);
  RUN(identity_is_left_to_the_engine);
  RUN(row_names_all_its_faults_and_no_value);
  RUN(text_defaults);
  RUN(sets_fit_their_fields);
  RUN(defaults_become_values);
  RUN(stamps_are_set);
  RUN(sets_name_all_their_faults);
  RUN(excluded_has_no_value_to_check);
  RUN(memory_runs_out);
}
