/* What PostgreSQL reports, in larder's words. No server. */
#include "postgres/protocol/errors.h"

#include "base/hash.h"
#include "base/text.h"
#include "support/test.h"

static const ldr_pgfields nothing = {"", "", "", "", "", "", "", "", "", "", ""};

static ldr_err make(const char *sqlstate, const char *message, const char *detail, const char *constraint) {
  ldr_pgfields f = nothing;
  ldr_err err;
  ldr_code code;
  f.sqlstate = sqlstate;
  f.message = message;
  f.detail = detail;
  f.constraint = constraint;
  code = ldr_pgerr_fill(&f, false, &err);
  CHECK_INT(err.code, code);
  CHECK_STR(err.sqlstate, strcmp(sqlstate, "23001") == 0 ? "23503" : sqlstate);
  return err;
}

TEST(states_have_codes) {
  static const struct {
    const char *state;
    ldr_code code;
    bool retryable;
  } cases[] = {
      {"08006", LDR_CONNECTION, false},     {"0A000", LDR_UNSUPPORTED, false},
      {"22003", LDR_INVALID, false},        {"22ZZZ", LDR_INVALID, false},
      {"23001", LDR_FOREIGN_KEY, false},    {"23502", LDR_NOT_NULL, false},
      {"23503", LDR_FOREIGN_KEY, false},    {"23505", LDR_CONFLICT, false},
      {"23514", LDR_CHECK, false},          {"23P01", LDR_CONFLICT, false},
      {"25006", LDR_PERMISSION, false},     {"25P02", LDR_CLOSED, false},
      {"28P01", LDR_PERMISSION, false},     {"40001", LDR_SERIALIZATION, true},
      {"40P01", LDR_DEADLOCK, true},        {"42501", LDR_PERMISSION, false},
      {"42601", LDR_SYNTAX, false},         {"42P01", LDR_SYNTAX, false},
      {"53100", LDR_CAPACITY, false},       {"53300", LDR_CAPACITY, false},
      {"55P03", LDR_LOCK_TIMEOUT, false},   {"57014", LDR_TIMEOUT, false},
      {"57P01", LDR_CONNECTION, false},     {"P0001", LDR_INVALID, false},
      {"P0002", LDR_NOT_FOUND, false},      {"XX000", LDR_INTERNAL, false},
      {"40003", LDR_COMMIT_UNKNOWN, false}, {"22004", LDR_NOT_NULL, false},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    ldr_err err = make(cases[i].state, "it went wrong", "", "");
    CHECK_INT(err.code, cases[i].code);
    CHECK_INT(err.retryable, cases[i].retryable);
  }
  CHECK_INT(make("57014", "canceling statement due to statement timeout", "", "").code, LDR_TIMEOUT);
  CHECK_INT(make("57014", "storniere Anfrage wegen Zeitüberschreitung der Anfrage", "", "").code,
            LDR_TIMEOUT);
  CHECK_INT(make("57014", "canceling statement due to user request", "", "").code, LDR_CANCELED);
}

TEST(states_of_users_are_not_our_bugs) {
  static const char *const users[] = {"45000", "45123", "50001", "ZZ001", "U0001", "A0000"};
  static const char *const servers[] = {"XX001", "F0001", "HV000", "0Z002", "27000"};
  for (size_t i = 0; i < sizeof users / sizeof *users; i++) {
    ldr_err err = make(users[i], "the shop is closed", "", "");
    CHECK_INT(err.code, LDR_INVALID);
    CHECK_STR(err.message, "the shop is closed");
  }
  for (size_t i = 0; i < sizeof servers / sizeof *servers; i++)
    CHECK_INT(make(servers[i], "it went wrong", "", "").code, LDR_INTERNAL);
  CHECK_INT(make("2D000", "invalid transaction termination", "", "").code, LDR_INVALID);
}

TEST(what_is_raised_keeps_its_words) {
  static const char *const states[] = {"23505", "23514", "23503", "23001", "23P01", "23502",
                                       "22023", "22001", "P0001", "45000", "55P03", "25006"};
  for (size_t i = 0; i < sizeof states / sizeof *states; i++) {
    ldr_pgfields f = nothing;
    ldr_err err;
    f.sqlstate = states[i];
    f.message = "the room is booked already";
    f.detail = "Key (room)=(7) is taken.";
    f.constraint = i % 2 ? "rooms_key" : "";
    f.routine = "exec_stmt_raise";
    ldr_pgerr_fill(&f, false, &err);
    CHECK_STR(err.message, "the room is booked already");
    CHECK_STR(err.sqlstate, states[i]);
    CHECK(strstr(err.detail, "7") == NULL);
  }
  /* without a constraint's name the server's words say more than ours */
  CHECK_STR(
      make("23514", "no partition of relation \"t\" found for row", "Partition key … (a) = (1).", "").message,
      "no partition of relation \"t\" found for row");
}

TEST(the_language_of_the_server_does_not_matter) {
  ldr_err err = make("23505", "doppelter Schlüsselwert verletzt Unique-Constraint »u«",
                     "Schlüssel »(tenant, name)=(a, hunter2 (x))« existiert bereits.", "u");
  CHECK_STR(err.message, "duplicate value violates unique constraint \"u\"");
  CHECK_STR(err.detail, "Key (tenant, name) already exists.");
  err = make("23503", "Einfügen oder Aktualisieren in Tabelle »t« verletzt Fremdschlüssel-Constraint »fk«",
             "Schlüssel (a)=(hunter2) ist nicht in Tabelle »p« vorhanden.", "fk");
  CHECK_STR(err.message, "row refers to a missing row: constraint \"fk\"");
  CHECK_STR(err.detail, "Key (a) is not present in table \"p\".");
  err =
      make("23503",
           "une instruction UPDATE ou DELETE sur la table « p » viole la contrainte « fk » de la table « t »",
           "La clé (a)=(hunter2) est toujours référencée à partir de la table « t ».", "fk");
  CHECK_STR(err.message, "row is still referred to: constraint \"fk\"");
  CHECK(strstr(err.detail, "hunter2") == NULL);
  err = make("23503", "words", "Key (a)=(hunter2) words", "fk");
  CHECK_STR(err.message, "row violates a foreign key: constraint \"fk\"");
}

TEST(values_never_pass) {
  static const char *const secret = "hunter2";
  ldr_err err = make("22P02", "invalid input syntax for type integer: \"hunter2\"", "hunter2", "");
  CHECK_STR(err.message, "a text is not a valid value of its type");
  CHECK_STR(err.detail, "");
  err = make("22Q99", "something about \"hunter2\"", "", "");
  CHECK(strstr(err.message, secret) == NULL);
  err = make("23505", "duplicate key …", "Key (tenant, lower(name))=(a, hunter2 (x) ) already exists.", "u");
  CHECK_STR(err.detail, "Key (tenant, lower(name)) already exists.");
  err = make("23505", "duplicate key …",
             "Key (replace(a, '\"'::text, ''::text))=(hunter2\")=(x) already exists.", "u");
  CHECK_STR(err.detail, "Key (replace(a, '\"'::text, ''::text)) already exists.");
  err = make("23503", "insert …", "Key (a)=(hunter2) is not present in table \"items\".", "fk");
  CHECK_STR(err.detail, "Key (a) is not present in table \"items\".");
  err = make("23P01", "conflicting …", "Key (a)=(hunter2) conflicts with existing key (a)=(hunter2).", "x");
  CHECK_STR(err.detail, "");
  err = make("23514", "new row …", "Failing row contains (1, hunter2).", "c");
  CHECK_STR(err.detail, "");
  err = make("23505", "duplicate key …", "Key (a)=(cut off hunter2", "u");
  CHECK_STR(err.detail, "");
  err = make("42P01", "relation \"x\" does not exist", "There is one in another schema.", "");
  CHECK_STR(err.detail, "There is one in another schema.");
}

TEST(of_a_key_its_hash_is_kept) {
  static const struct {
    const char *state, *detail, *values;
  } cases[] = {{"23505", "Key (tenant_id, email)=(t1, a@b) already exists.", "t1, a@b"},
               {"23505", "Key (a)=(x), (y)=(\"z) already exists.", "x), (y)=(\"z"},
               {"23505", "Schlüssel »(a, b)=(1, f)« existiert bereits.", "1, f"},
               {"23503", "Key (p)=(7) is not present in table \"items\".", "7"},
               {"23505", "", NULL},
               {"23514", "Failing row contains (1, 2).", NULL}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const char *values = cases[i].values;
    ldr_err err = make(cases[i].state, "it went wrong", cases[i].detail, "c");
    CHECK(err.key == (values ? ldr_hash_keyed(values, strlen(values), 0) : 0));
    CHECK_INT(err.row, 0);
  }
}

TEST(constraint_faults_are_said_alike) {
  ldr_pgfields f = nothing;
  ldr_err err = make("23505", "Schlüssel doppelt", "", "items_pkey");
  CHECK_STR(err.message, "duplicate value violates unique constraint \"items_pkey\"");
  err = make("23503", "…", "Key (a)=(1) is not present in table \"t\".", "fk");
  CHECK_STR(err.message, "row refers to a missing row: constraint \"fk\"");
  err = make("23503", "…", "Key (a)=(1) is still referenced from table \"t\".", "fk");
  CHECK_STR(err.message, "row is still referred to: constraint \"fk\"");
  err = make("23503", "update or delete on table \"t\" violates foreign key \"fk\" on table \"u\"", "", "fk");
  CHECK_STR(err.message, "row is still referred to: constraint \"fk\"");
  f.sqlstate = "23503";
  f.message = f.detail = "in a language unknown here";
  f.constraint = "fk";
  f.table = "lines";
  ldr_pgerr_fill(&f, true, &err);
  CHECK_STR(err.message, "row is still referred to: constraint \"fk\"");
  CHECK_STR(err.table, "lines");
  err = make("23514", "…", "", "positive");
  CHECK_STR(err.message, "row violates check constraint \"positive\"");
}

TEST(a_missing_right_is_told_with_its_grant) {
  ldr_pgfields f = nothing;
  ldr_err err;
  f.sqlstate = "42501";
  f.message = "permission denied for table Order lines";
  f.routine = "aclcheck_error";
  ldr_pgerr_fill(&f, false, &err);
  CHECK_STR(err.hint,
            "its owner may: grant select, insert, update, delete on table Order lines to the role that "
            "larder connects as");
  f.message = "permission denied for schema shop";
  ldr_pgerr_fill(&f, false, &err);
  CHECK_STR(err.hint, "its owner may: grant usage on schema shop to the role that larder connects as");
  f.message = "keine Berechtigung für Tabelle x";
  ldr_pgerr_fill(&f, false, &err);
  CHECK_STR(err.hint, "its owner may grant the right to the role that larder connects as");
  f.message = "must be owner of table x";
  ldr_pgerr_fill(&f, false, &err);
  CHECK_STR(err.hint, "");
  f.message = "new row violates row-level security policy";
  f.routine = "ExecWithCheckOptions";
  ldr_pgerr_fill(&f, false, &err);
  CHECK_STR(err.hint, "");
}

TEST(a_shard_is_not_named) {
  ldr_err err = make("23505", "duplicate key value violates unique constraint \"apps_pkey_102060\"", "", "");
  CHECK_STR(err.constraint, "apps_pkey");
  CHECK_STR(err.message, "duplicate value violates unique constraint \"apps_pkey\"");
  err = make("XX000", "duplicate key value violates unique constraint \"apps_pkey_102060\"", "", "");
  CHECK_INT(err.code, LDR_CONFLICT);
  CHECK_STR(err.constraint, "apps_pkey");
  err = make("23514", "new row for relation \"t\" violates check constraint \"size_2\"", "", "");
  CHECK_STR(err.constraint, "size_2");
  err = make("23505", "no name here", "", "");
  CHECK_STR(err.constraint, "");
}

TEST(failed_connections_are_told_in_one_line) {
  ldr_err err;
  CHECK_INT(
      ldr_pgerr_connect("connection to server at \"h\" (10.0.0.1), port 5432 failed: FATAL:  28P01: password "
                        "authentication failed for user \"app\"\nLOCATION:  auth_failed, auth.c:338\n",
                        &err),
      LDR_PERMISSION);
  CHECK_STR(err.message,
            "connection to server at \"h\" (10.0.0.1), port 5432 failed: password authentication "
            "failed for user \"app\"");
  CHECK_STR(err.sqlstate, "28P01");
  CHECK(ldr_pgerr_permanent(&err));
  CHECK_INT(
      ldr_pgerr_connect("connection to server at \"a\" failed: Connection refused\n\tIs the server running?\n"
                        "connection to server at \"b\" failed: SCHWERWIEGEND:  57P03: fährt hoch\n",
                        &err),
      LDR_CONNECTION);
  CHECK_STR(err.message,
            "connection to server at \"a\" failed: Connection refused; connection to server at \"b\" "
            "failed: fährt hoch");
  CHECK_STR(err.sqlstate, "57P03");
  CHECK(!ldr_pgerr_permanent(&err));
  CHECK_INT(ldr_pgerr_connect("… FATAL:  53300: sorry, too many clients already\n", &err), LDR_CAPACITY);
  CHECK_INT(ldr_pgerr_connect("", &err), LDR_CONNECTION);
  CHECK(*err.message);
}

TEST(stale_statements_are_known) {
  ldr_pgfields f = nothing;
  f.sqlstate = "0A000";
  CHECK(!ldr_pgerr_stale(&f));
  f.routine = "RevalidateCachedQuery";
  CHECK(ldr_pgerr_stale(&f));
  f.sqlstate = "26000";
  CHECK(ldr_pgerr_stale(&f));
  CHECK(ldr_pgerr_fatal("57P01") && !ldr_pgerr_fatal("57014") && !ldr_pgerr_fatal("08006"));
}

static ldr_err domain_fault(const char *sqlstate, const char *routine, const char *context) {
  ldr_pgfields f = nothing;
  ldr_err err = {.nested = true, .domain = 7}; /* as an older error left it */
  f.sqlstate = sqlstate;
  f.message = "value for domain price violates check constraint \"not_below\"";
  f.schema = "shop";
  f.datatype = "price";
  f.constraint = "not_below";
  f.routine = routine;
  f.context = context;
  ldr_pgerr_fill(&f, false, &err);
  return err;
}

TEST(what_was_met_within_a_trigger_is_marked) {
  static const char trigger[] = "PL/pgSQL function shop.watch() line 2 at assignment";
  CHECK(!domain_fault("23514", "", "").nested);
  CHECK(!domain_fault("23514", "", "COPY rows, line 2, column price").nested);
  CHECK(domain_fault("23514", "", trigger).nested);
  CHECK(domain_fault("23505", "", "SQL statement \"insert into t values (1)\"\nCOPY rows, line 2").nested);
}

TEST(a_domain_is_known_by_its_whole_name) {
  uint64_t price = ldr_hash64("shop.price", 10, 0);
  CHECK(domain_fault("23514", "", "").domain == price);
  CHECK(domain_fault("23502", "", "").domain == price);
  CHECK(domain_fault("22P02", "", "").domain == 0);
  CHECK(domain_fault("23514", "exec_stmt_raise", "").domain == 0); /* a function's own words */
  CHECK(make("23514", "new row violates", "", "n_check").domain == 0);
}

void test_errors(void);
void test_errors(void) {
  RUN(states_have_codes);
  RUN(states_of_users_are_not_our_bugs);
  RUN(what_is_raised_keeps_its_words);
  RUN(the_language_of_the_server_does_not_matter);
  RUN(values_never_pass);
  RUN(of_a_key_its_hash_is_kept);
  RUN(constraint_faults_are_said_alike);
  RUN(a_missing_right_is_told_with_its_grant);
  RUN(a_shard_is_not_named);
  RUN(failed_connections_are_told_in_one_line);
  RUN(stale_statements_are_known);
  RUN(what_was_met_within_a_trigger_is_marked);
  RUN(a_domain_is_known_by_its_whole_name);
}
