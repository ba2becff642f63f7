#include "model/entity.h"

#include <stdlib.h>

#include "model/names.h"
#include "support/fixture.h"
#include "support/test.h"

static ldr_err err;

/* ---- what a good declaration becomes ---- */

TEST(declaration_is_kept) {
  ldr_schema *s = fixture_schema(&err);
  const ldr_entity *c = ldr_schema_find(s, "customers"), *o = ldr_schema_find(s, "orders");
  CHECK_STR(s->name, "shop");
  CHECK_INT(s->nentities, 2);
  CHECK_STR(c->table, "\"shop\".\"customers\"");
  CHECK_STR(c->relname, "customers");
  CHECK_STR(o->table, "\"orders\"");
  CHECK_STR(o->relname, "orders");
  CHECK(c->schema == s);
  CHECK_INT(c->id, 0);
  CHECK_INT(o->id, 1);
  CHECK_INT(c->nfields, C_COUNT);
  CHECK_STR(c->fields[C_STATUS].enums[1], "blocked");
  CHECK_INT(c->fields[C_CREATED].def, LDR_DEF_NOW);
  CHECK_INT(c->tenant, C_TENANT);
  CHECK_INT(c->soft_delete, C_DELETED);
  CHECK_INT(o->tenant, -1);
  CHECK_INT(o->soft_delete, -1);
  CHECK(ldr_schema_find(s, "none") == NULL);
  ldr_schema_release(s);
}

TEST(parts_resolve_to_numbers) {
  ldr_schema *s = fixture_schema(&err);
  const ldr_entity *c = ldr_schema_find(s, "customers"), *o = ldr_schema_find(s, "orders");
  CHECK_INT(c->key.n, 2);
  CHECK_INT(c->key.field[1], C_ID);
  CHECK(c->fields[C_ID].immutable);
  CHECK(!c->fields[C_EMAIL].immutable);
  CHECK_STR(c->uniques[0].name, "customers_email_key");
  CHECK_INT(c->uniques[0].nwhen, 1);
  CHECK_INT(c->uniques[0].when[0].field, C_DELETED);
  CHECK(c->uniques[0].when[0].is_null);
  CHECK_INT(c->indexes[0].field[1], C_CREATED);
  CHECK(c->indexes[0].desc[1] && !c->indexes[0].desc[0]);
  CHECK(o->refs[0].target == c);
  CHECK_INT(o->refs[0].target_field[1], C_ID);
  CHECK_INT(o->refs[0].set_null[0], O_CUSTOMER);
  CHECK_INT(c->nchildren, 1);
  CHECK(c->children[0].entity == o && c->children[0].ref == 0);
  CHECK_INT(o->nchildren, 1);
  CHECK(o->children[0].entity == o && o->children[0].ref == 1);
  ldr_schema_release(s);
}

TEST(finish_again_changes_nothing) {
  ldr_schema *s = fixture_schema(&err);
  CHECK_INT(ldr_schema_finish(s, &err), LDR_OK);
  CHECK_INT(ldr_schema_find(s, "customers")->nchildren, 1);
  ldr_schema_release(s);
}

TEST(fields_are_found_by_name) {
  ldr_schema *s = fixture_schema(&err);
  const ldr_entity *c = ldr_schema_find(s, "customers");
  CHECK_INT(ldr_entity_field(c, "email", 5), C_EMAIL);
  CHECK_INT(ldr_entity_field(c, "email", 4), -1);
  CHECK_INT(ldr_entity_field(c, "emails", 6), -1);
  CHECK_INT(ldr_entity_field(c, "", 0), -1);
  CHECK(ldr_entity_in_key(c, C_ID));
  CHECK(!ldr_entity_in_key(c, C_EMAIL));
  CHECK_INT(c->fields[C_TAGS].value_type, LDR_T_ARRAY);
  CHECK_INT(c->fields[C_BALANCE].value_type, LDR_T_NUMERIC);
  ldr_schema_release(s);
}

TEST(texts_are_copied) {
  char name[] = "mine", field[] = "id", status[] = "on";
  const char *enums[] = {status}, *fields[] = {field};
  ldr_field f = {.name = field, .type = LDR_F_TEXT, .enums = enums, .nenums = 1, .def = LDR_DEF_VALUE};
  ldr_schema *s = NULL;
  ldr_entity *e = NULL;
  f.def_value = ldr_text(status, 2);
  CHECK_INT(ldr_schema_new(name, &s, &err), LDR_OK);
  CHECK_INT(ldr_schema_add(s, name, name, &e, &err), LDR_OK);
  CHECK_INT(ldr_entity_add_field(s, e, &f, &err), LDR_OK);
  CHECK_INT(ldr_entity_set_key(s, e, name, fields, 1, &err), LDR_OK);
  memset(name, 'x', 4);
  memset(field, 'x', 2);
  memset(status, 'x', 2);
  CHECK_STR(s->name, "mine");
  CHECK_STR(e->name, "mine");
  CHECK_STR(e->key.name, "mine");
  CHECK_STR(e->fields[0].name, "id");
  CHECK_STR(e->fields[0].enums[0], "on");
  CHECK(memcmp(e->fields[0].def_value.u.p, "on", 2) == 0);
  ldr_schema_release(s);
}

TEST(schema_is_counted) {
  ldr_schema *s = fixture_schema(&err);
  CHECK(ldr_schema_retain(s) == s);
  ldr_schema_release(s);
  CHECK_STR(s->name, "shop"); /* still there: a sanitizer would tell */
  ldr_schema_release(s);
  ldr_schema_release(NULL);
}

/* ---- names ---- */

TEST(names) {
  char longest[65];
  memset(longest, 'a', sizeof longest);
  CHECK(ldr_name_ok("a", 1));
  CHECK(ldr_name_ok("_A9z", 4));
  CHECK(ldr_name_ok(longest, 63));
  CHECK(!ldr_name_ok(longest, 64));
  CHECK(!ldr_name_ok("", 0));
  CHECK(!ldr_name_ok("9a", 2));
  CHECK(!ldr_name_ok("a-b", 3));
  CHECK(!ldr_name_ok("a\"b", 3));
  CHECK(!ldr_name_ok("a\0b", 3));
  CHECK(!ldr_name_ok("\xc3\xa9", 2));
}

static const char *quoted(const char *name) {
  static char out[LDR_QUOTED_MAX + 1];
  out[ldr_sql_quote(out, name, strlen(name))] = '\0';
  return out;
}

TEST(names_of_sql) {
  char *exact; /* of the heap, so that a sanitizer sees a byte too much */
  char longest[64];
  memset(longest, '"', sizeof longest);
  CHECK(ldr_sql_name_ok("Unit Price", 10));
  CHECK(
      ldr_sql_name_ok("gr\xc3\xb6\xc3\x9f"
                      "e",
                      7));
  CHECK(ldr_sql_name_ok(longest, 63));
  CHECK(!ldr_sql_name_ok(longest, 64));
  CHECK(!ldr_sql_name_ok("", 0));
  CHECK(!ldr_sql_name_ok("\xc3", 1));
  CHECK_STR(quoted("a"), "\"a\"");
  CHECK_STR(quoted("\"; drop table x; --"), "\"\"\"; drop table x; --\"");
  exact = malloc(LDR_QUOTED_MAX);
  CHECK_INT(ldr_sql_quote(exact, longest, 63), LDR_QUOTED_MAX);
  for (size_t i = 0; i < LDR_QUOTED_MAX; i++) CHECK(exact[i] == '"');
  free(exact);
}

TEST(paths) {
  static const char *const none[] = {"",       ".",   "a.",     ".a",       "a.b.c",         "a b",
                                     "a\"b\"", "\"a", "\"a\"x", "\"\"",     "\"\".a",        "\xc3\xa9",
                                     "1a",     "a-b", "a .b",   "\"\xc3\"", "a;drop table b"};
  char text[LDR_PATH_MAX], full[140];
  ldr_path p;
  for (size_t i = 0; i < sizeof none / sizeof *none; i++) CHECK(!ldr_path_read(none[i], &p));
  CHECK(!ldr_path_read(NULL, &p));
  CHECK(ldr_path_read("public.\"Order Details\"", &p));
  CHECK_STR(p.schema, "public");
  CHECK_STR(p.name, "Order Details");
  ldr_path_quote(&p, text);
  CHECK_STR(text, "\"public\".\"Order Details\"");
  CHECK(ldr_path_read(text, &p));
  ldr_path_write(&p, text);
  CHECK_STR(text, "public.\"Order Details\"");
  CHECK(ldr_path_read("\"a.b\"\"c\"", &p));
  CHECK_STR(p.schema, "");
  CHECK_STR(p.name, "a.b\"c");
  memset(full, '"', sizeof full);
  full[128] = '\0';
  CHECK(ldr_path_read(full, &p)); /* 63 quotes */
  ldr_path_quote(&p, text);
  CHECK_STR(text, full);
  full[128] = '"';
  full[130] = '\0';
  CHECK(!ldr_path_read(full, &p)); /* 64 of them */
}

/* ---- faults: every one is `invalid` and names the place ---- */

typedef struct scratch {
  ldr_schema *s;
  ldr_entity *first, *e;
} scratch;

/* first(id text, key id) and a second store e(id int8, at timestamptz, doc jsonb) without a key. */
static scratch open_scratch(void) {
  static const char *const id[] = {"id"};
  static const ldr_field fields[] = {
      {.name = "id", .type = LDR_F_INT8},   {.name = "maybe", .type = LDR_F_TEXT, .null = true},
      {.name = "sure", .type = LDR_F_TEXT}, {.name = "at", .type = LDR_F_TIMESTAMPTZ, .stamp_update = true},
      {.name = "doc", .type = LDR_F_JSONB},
  };
  static const ldr_field text_id = {.name = "id", .type = LDR_F_TEXT};
  scratch x = {0};
  CHECK_INT(ldr_schema_new("fam", &x.s, &err), LDR_OK);
  CHECK_INT(ldr_schema_add(x.s, "first", "fam.first", &x.first, &err), LDR_OK);
  CHECK_INT(ldr_entity_add_field(x.s, x.first, &text_id, &err), LDR_OK);
  CHECK_INT(ldr_entity_set_key(x.s, x.first, "first_pkey", id, 1, &err), LDR_OK);
  CHECK_INT(ldr_schema_add(x.s, "second", "fam.second", &x.e, &err), LDR_OK);
  for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
    CHECK_INT(ldr_entity_add_field(x.s, x.e, &fields[i], &err), LDR_OK);
  return x;
}

#define REFUSED(call, text)         \
  do {                              \
    CHECK_INT((call), LDR_INVALID); \
    CHECK_STR(err.message, text);   \
  } while (0)

TEST(faulty_names) {
  scratch x = open_scratch();
  ldr_schema *s = NULL;
  ldr_entity *e = NULL;
  CHECK_INT(ldr_schema_new("a b", &s, &err), LDR_INVALID);
  CHECK(s == NULL);
  CHECK_INT(ldr_schema_add(x.s, "9x", "t", &e, &err), LDR_INVALID);
  CHECK_INT(ldr_schema_add(x.s, "x", "a.b.c", &e, &err), LDR_INVALID);
  CHECK_INT(ldr_schema_add(x.s, "x", "a.", &e, &err), LDR_INVALID);
  CHECK_INT(ldr_schema_add(x.s, "x", ".b", &e, &err), LDR_INVALID);
  CHECK_INT(ldr_schema_add(x.s, "x", "a\"b", &e, &err), LDR_INVALID);
  CHECK_INT(ldr_schema_add(x.s, "x", "", &e, &err), LDR_INVALID);
  REFUSED(ldr_schema_add(x.s, "first", "t", &e, &err), "fam.first: is declared twice");
  REFUSED(ldr_schema_add(x.s, "third", "fam.first", &e, &err),
          "fam.third: table \"fam\".\"first\" belongs to store first");
  CHECK(e == NULL);
  CHECK_INT(x.s->nentities, 2);
  ldr_schema_release(x.s);
}

static const char *const repeated[] = {"a", "b", "a"}, *const one[] = {"a"}, *const binary[] = {"\xff"};
static const ldr_field bad_fields[] = {
    {.name = "", .type = LDR_F_TEXT},
    {.name = "a b", .type = LDR_F_TEXT},
    {.name = "id", .type = LDR_F_TEXT},
    {.name = "f", .type = LDR_F_UNKNOWN},
    {.name = "f", .type = (ldr_ftype)99},
    {.name = "f", .type = LDR_F_TEXT, .min = {.type = LDR_T_TEXT, .n = 1, .u.p = "a"}},
    {.name = "f", .type = LDR_F_INT4, .array = true, .max = {.type = LDR_T_INT}},
    {.name = "f",
     .type = LDR_F_INT4,
     .min = {.type = LDR_T_INT, .u.i = 2},
     .max = {.type = LDR_T_INT, .u.i = 1}},
    {.name = "f", .type = LDR_F_INT4, .max_len = 2},
    {.name = "f", .type = LDR_F_TEXT, .array = true, .max_len = 2},
    {.name = "f", .type = LDR_F_TEXT, .min_len = 3, .max_len = 2},
    {.name = "f", .type = LDR_F_TEXT, .precision = 3},
    {.name = "f", .type = LDR_F_NUMERIC, .precision = 3, .scale = 4},
    {.name = "f", .type = LDR_F_NUMERIC, .scale = 4},
    {.name = "f", .type = LDR_F_NUMERIC, .precision = 1001},
    {.name = "f", .type = LDR_F_INT4, .enums = one, .nenums = 1},
    {.name = "f", .type = LDR_F_TEXT, .enums = repeated, .nenums = 3},
    {.name = "f", .type = LDR_F_TEXT, .enums = binary, .nenums = 1},
    {.name = "f", .type = LDR_F_TEXT, .stamp_insert = true},
    {.name = "f", .type = LDR_F_TEXT, .stamp_update = true},
    {.name = "f", .type = LDR_F_TIMESTAMPTZ, .stamp_update = true, .immutable = true},
    {.name = "f", .type = LDR_F_TIMESTAMPTZ, .stamp_insert = true, .def = LDR_DEF_VALUE},
    {.name = "f", .type = LDR_F_TEXT, .def = LDR_DEF_NOW},
    {.name = "f", .type = LDR_F_INT8, .def = LDR_DEF_UUID},
    {.name = "f", .type = LDR_F_TEXT, .max_len = 35, .def = LDR_DEF_UUID},
    {.name = "f", .type = LDR_F_TEXT, .max_len = 24, .def = LDR_DEF_CUID},
    {.name = "f", .type = LDR_F_UUID, .def = LDR_DEF_CUID},
    {.name = "f", .type = LDR_F_FLOAT8, .def = LDR_DEF_IDENTITY},
    {.name = "f", .type = LDR_F_INT8, .array = true, .def = LDR_DEF_IDENTITY},
    {.name = "f", .type = LDR_F_INT8, .def = (ldr_default)99},
    {.name = "f", .type = LDR_F_INT8, .def = LDR_DEF_VALUE},
    {.name = "f", .type = LDR_F_INT8, .def = LDR_DEF_VALUE, .def_value = {.type = LDR_T_FLOAT}},
    {.name = "f", .type = LDR_F_INT2, .def = LDR_DEF_VALUE, .def_value = {.type = LDR_T_INT, .u.i = 40000}},
    {.name = "f",
     .type = LDR_F_INT2,
     .min = {.type = LDR_T_INT, .u.i = 1},
     .def = LDR_DEF_VALUE,
     .def_value = {.type = LDR_T_INT}},
    {.name = "f",
     .type = LDR_F_TEXT,
     .enums = one,
     .nenums = 1,
     .def = LDR_DEF_VALUE,
     .def_value = {.type = LDR_T_TEXT, .n = 1, .u.p = "b"}},
};

TEST(faulty_fields) {
  scratch x = open_scratch();
  for (size_t i = 0; i < sizeof bad_fields / sizeof *bad_fields; i++) {
    ldr_code code = ldr_entity_add_field(x.s, x.e, &bad_fields[i], &err);
    if (code != LDR_INVALID || strncmp(err.message, "fam.second: field ", 18) != 0)
      printf("    declaration %zu: %s\n", i, code == LDR_OK ? "taken" : err.message);
    CHECK_INT(code, LDR_INVALID);
    CHECK(strncmp(err.message, "fam.second: field ", 18) == 0);
  }
  CHECK_INT(x.e->nfields, 5);
  REFUSED(ldr_entity_add_field(x.s, x.e, &bad_fields[2], &err),
          "fam.second: field \"id\": is declared twice");
  REFUSED(ldr_entity_add_field(x.s, x.e, &bad_fields[31], &err),
          "fam.second: field \"f\": default must be of type bigint");
  ldr_schema_release(x.s);
}

TEST(too_many_fields) {
  scratch x = open_scratch();
  char name[16];
  ldr_field f = {.name = name, .type = LDR_F_BOOL};
  while (x.e->nfields < LDR_MAX_FIELDS) {
    snprintf(name, sizeof name, "f%u", x.e->nfields);
    CHECK_INT(ldr_entity_add_field(x.s, x.e, &f, &err), LDR_OK);
  }
  f.name = "last";
  CHECK_INT(ldr_entity_add_field(x.s, x.e, &f, &err), LDR_INVALID);
  CHECK_STR(x.e->fields[255].name, "f255");
  CHECK_STR(x.e->fields[0].name, "id");
  ldr_schema_release(x.s);
}

TEST(faulty_keys) {
  static const char *const none[] = {"nope"}, *const twice[] = {"id", "id"}, *const maybe[] = {"maybe"},
                           *const at[] = {"at"}, *const doc[] = {"doc"}, *const id[] = {"id"};
  scratch x = open_scratch();
  REFUSED(ldr_entity_set_key(x.s, x.e, "k", none, 1, &err),
          "fam.second: key \"k\": there is no field \"nope\"");
  REFUSED(ldr_entity_set_key(x.s, x.e, "k", twice, 2, &err), "fam.second: key \"k\": names field id twice");
  REFUSED(ldr_entity_set_key(x.s, x.e, "k", id, 0, &err), "fam.second: key \"k\": has 1 to 8 fields");
  REFUSED(ldr_entity_set_key(x.s, x.e, "k", maybe, 1, &err),
          "fam.second: key \"k\": field maybe may be null");
  CHECK_INT(ldr_entity_set_key(x.s, x.e, "k", at, 1, &err), LDR_INVALID);
  CHECK_INT(ldr_entity_set_key(x.s, x.e, "k", doc, 1, &err), LDR_INVALID);
  CHECK_INT(ldr_entity_set_key(x.s, x.e, "k\xff", id, 1, &err), LDR_INVALID);
  CHECK_INT(ldr_entity_set_key(x.s, x.e, NULL, id, 1, &err), LDR_INVALID);
  CHECK_INT(x.e->key.n, 0);
  CHECK(!x.e->fields[0].immutable);
  REFUSED(ldr_schema_finish(x.s, &err), "fam.second: has no key");
  CHECK_INT(ldr_entity_set_key(x.s, x.e, "k", id, 1, &err), LDR_OK);
  CHECK_INT(ldr_entity_set_key(x.s, x.e, "k2", id, 1, &err), LDR_INVALID);
  REFUSED(ldr_entity_add_unique(x.s, x.e, "k", id, 1, &err),
          "fam.second: unique \"k\": the name is taken by another constraint");
  CHECK_INT(ldr_schema_finish(x.s, &err), LDR_OK);
  ldr_schema_release(x.s);
}

TEST(faulty_uniques_and_indexes) {
  static const char *const sure[] = {"sure"}, *const doc[] = {"-doc"}, *const none[] = {"-nope"},
                           *const nine[] = {"id", "id", "id", "id", "id", "id", "id", "id", "id"};
  ldr_value number = ldr_int(1), text = ldr_text("x", 1), null = ldr_null();
  scratch x = open_scratch();
  CHECK_INT(ldr_entity_unique_when(x.s, x.e, "maybe", NULL, &err), LDR_INVALID);
  CHECK_INT(ldr_entity_add_unique(x.s, x.e, "u", sure, 1, &err), LDR_OK);
  CHECK_INT(ldr_entity_unique_when(x.s, x.e, "nope", NULL, &err), LDR_INVALID);
  CHECK_INT(ldr_entity_unique_when(x.s, x.e, "doc", NULL, &err), LDR_INVALID);
  CHECK_INT(ldr_entity_unique_when(x.s, x.e, "maybe", &null, &err), LDR_INVALID);
  REFUSED(ldr_entity_unique_when(x.s, x.e, "maybe", &number, &err),
          "fam.second: field \"maybe\": condition must be of type text");
  CHECK_INT(ldr_entity_unique_when(x.s, x.e, "maybe", &text, &err), LDR_OK);
  CHECK_INT(ldr_entity_unique_when(x.s, x.e, "sure", NULL, &err), LDR_OK);
  CHECK_INT(ldr_entity_unique_when(x.s, x.e, "id", NULL, &err), LDR_INVALID);
  CHECK_INT(x.e->uniques[0].nwhen, 2);
  CHECK(x.e->uniques[0].when[0].value.u.p != text.u.p);
  CHECK_INT(ldr_entity_add_index(x.s, x.e, doc, 1, &err), LDR_INVALID);
  CHECK_INT(ldr_entity_add_index(x.s, x.e, none, 1, &err), LDR_INVALID);
  CHECK_INT(ldr_entity_add_index(x.s, x.e, nine, 9, &err), LDR_INVALID);
  CHECK_INT(ldr_entity_add_index(x.s, x.e, nine, 0, &err), LDR_INVALID);
  CHECK_INT(x.e->nindexes, 0);
  ldr_schema_release(x.s);
}

static ldr_code ref(scratch *x, const char *field, const char *target, ldr_action action,
                    const char *const *null, unsigned nnull) {
  const char *const fields[] = {field};
  return ldr_entity_add_ref(x->s, x->e, "r", fields, 1, target, action, null, nnull, &err);
}

TEST(faulty_references) {
  static const char *const id[] = {"id"}, *const both[] = {"maybe", "sure"}, *const sure[] = {"sure"},
                           *const maybe[] = {"maybe"};
  scratch x = open_scratch();
  ldr_entity *late = NULL;
  CHECK_INT(ldr_entity_set_key(x.s, x.e, "k", id, 1, &err), LDR_OK);
  CHECK_INT(ldr_schema_add(x.s, "late", "late", &late, &err), LDR_OK);
  REFUSED(ref(&x, "maybe", "late", LDR_CASCADE, NULL, 0),
          "fam.second: reference \"r\": store \"late\" is not declared before this one");
  CHECK_INT(ref(&x, "maybe", "nowhere", LDR_CASCADE, NULL, 0), LDR_INVALID);
  CHECK_INT(ref(&x, "nope", "first", LDR_CASCADE, NULL, 0), LDR_INVALID);
  CHECK_INT(ref(&x, "maybe", "first", (ldr_action)9, NULL, 0), LDR_INVALID);
  CHECK_INT(ref(&x, "sure", "first", LDR_SET_NULL, NULL, 0), LDR_INVALID);
  CHECK_INT(ref(&x, "maybe", "first", LDR_CASCADE, maybe, 1), LDR_INVALID);
  REFUSED(ref(&x, "maybe", "first", LDR_SET_NULL, sure, 1),
          "fam.second: reference \"r\": field sure is not part of it");
  CHECK_INT(x.e->nrefs, 0);
  CHECK_INT(ref(&x, "maybe", "first", LDR_SET_NULL, NULL, 0), LDR_OK);
  CHECK_INT(ref(&x, "maybe", "first", LDR_SET_NULL, NULL, 0), LDR_INVALID); /* the name again */
  CHECK_INT(ldr_entity_add_ref(x.s, x.e, "r2", both, 2, "first", LDR_CASCADE, NULL, 0, &err), LDR_OK);
  CHECK_INT(ldr_entity_add_field(x.s, late, &x.e->fields[0], &err), LDR_OK);
  CHECK_INT(ldr_entity_set_key(x.s, late, "l", id, 1, &err), LDR_OK);
  REFUSED(ldr_schema_finish(x.s, &err), "fam.second: reference \"r2\": has 2 fields, the key of first has 1");
  ldr_schema_release(x.s);
}

TEST(references_fit_in_type) {
  static const char *const id[] = {"id"};
  scratch x = open_scratch();
  CHECK_INT(ldr_entity_set_key(x.s, x.e, "k", id, 1, &err), LDR_OK);
  CHECK_INT(ref(&x, "id", "first", LDR_RESTRICT, NULL, 0), LDR_OK);
  REFUSED(ldr_schema_finish(x.s, &err), "fam.second: reference \"r\": field id is int8, id of first is text");
  ldr_schema_release(x.s);
}

TEST(faulty_roles) {
  scratch x = open_scratch();
  CHECK_INT(ldr_entity_set_tenant(x.e, "nope", &err), LDR_INVALID);
  CHECK_INT(ldr_entity_set_tenant(x.e, "maybe", &err), LDR_INVALID);
  CHECK_INT(ldr_entity_set_tenant(x.e, "at", &err), LDR_INVALID);
  CHECK_INT(x.e->tenant, -1);
  CHECK_INT(ldr_entity_set_tenant(x.e, "sure", &err), LDR_OK);
  CHECK_INT(ldr_entity_set_soft_delete(x.e, "nope", &err), LDR_INVALID);
  CHECK_INT(ldr_entity_set_soft_delete(x.e, "maybe", &err), LDR_INVALID);
  CHECK_INT(ldr_entity_set_soft_delete(x.e, "at", &err), LDR_INVALID); /* it may not be null */
  CHECK_INT(x.e->soft_delete, -1);
  ldr_schema_release(x.s);
}

static bool build_and_release(void) {
  ldr_schema *s = fixture_schema(&err);
  if (s == NULL) CHECK_INT(err.code, LDR_CAPACITY);
  ldr_schema_release(s);
  return s != NULL;
}

TEST(memory_runs_out) { test_oom("fixture_schema", build_and_release); }

void test_entity(void);
void test_entity(void) {
  RUN(declaration_is_kept);
  RUN(parts_resolve_to_numbers);
  RUN(finish_again_changes_nothing);
  RUN(fields_are_found_by_name);
  RUN(texts_are_copied);
  RUN(schema_is_counted);
  RUN(names);
  RUN(names_of_sql);
  RUN(paths);
  RUN(faulty_names);
  RUN(faulty_fields);
  RUN(too_many_fields);
  RUN(faulty_keys);
  RUN(faulty_uniques_and_indexes);
  RUN(faulty_references);
  RUN(references_fit_in_type);
  RUN(faulty_roles);
  RUN(memory_runs_out);
}
