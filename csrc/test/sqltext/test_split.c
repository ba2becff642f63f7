#include "sqltext/split.h"

#include "support/test.h"

/* The statements of a text, each in brackets; at a fault its message. */
static const char *split(const char *text) {
  static char out[1024];
  ldr_splitter p;
  ldr_statement s;
  ldr_err err = {0};
  ldr_code code;
  size_t used = 0;
  ldr_split_init(&p, text, strlen(text));
  while ((code = ldr_split_next(&p, &s, &err)) == LDR_OK)
    used += (size_t)snprintf(out + used, sizeof out - used, "[%.*s]", (int)s.n, text + s.at);
  if (code != LDR_NOT_FOUND) used += (size_t)snprintf(out + used, sizeof out - used, "%s", err.message);
  out[used] = '\0';
  return out;
}

TEST(semicolons_end_statements) {
  CHECK_STR(split(""), "");
  CHECK_STR(split(" ; ;; -- nothing\n /* at all */ "), "");
  CHECK_STR(split("select 1"), "[select 1]");
  CHECK_STR(split("select 1;select 2 ; "), "[select 1][select 2]");
  CHECK_STR(split("-- a ;\nselect ';', \"a;b\" /* ; */, $$;$$, E'\\';' ; b"),
            "[select ';', \"a;b\" /* ; */, $$;$$, E'\\';'][b]");
  CHECK_STR(split("a /* x */ ; -- y\n b -- z"), "[a][b]");
}

TEST(bytes_stay_as_they_are) {
  CHECK_STR(split("select 'a\r\nb';\r\nselect $$c\r\nd$$;\r\n"), "[select 'a\r\nb'][select $$c\r\nd$$]");
}

TEST(a_rule_and_a_body_keep_their_semicolons) {
  CHECK_STR(split("create rule r as on insert to t do also (insert into a values (1); delete from b); c"),
            "[create rule r as on insert to t do also (insert into a values (1); delete from b)][c]");
  CHECK_STR(split("create or replace function f() returns int begin atomic select 1; select case when true "
                  "then 2 end; end; select 3"),
            "[create or replace function f() returns int begin atomic select 1; select case when true then 2 "
            "end; end][select 3]");
  CHECK_STR(split("CREATE PROCEDURE p() BEGIN ATOMIC insert into t select x.end, 1 as case from x; END; d"),
            "[CREATE PROCEDURE p() BEGIN ATOMIC insert into t select x.end, 1 as case from x; END][d]");
  CHECK_STR(split("begin; create table atomic (a int); end; e"),
            "[begin][create table atomic (a int)][end][e]");
}

TEST(faults_name_their_place) {
  CHECK_STR(split("select 1;\n  select 'a"), "[select 1]line 2, column 10: a string is not closed");
  CHECK_STR(split("select $x$"), "line 1, column 8: a dollar-quoted string is not closed");
  CHECK_STR(split("/* a"), "line 1, column 1: a comment is not closed");
  CHECK_STR(split("select 1 \\gset"), "line 1, column 10: a command of psql inside a statement");
}

TEST(standard_conforming_strings_are_followed) {
  CHECK_STR(split("set standard_conforming_strings = off; select 'a\\';'; b"),
            "[set standard_conforming_strings = off][select 'a\\';'][b]");
  CHECK_STR(split("set session standard_conforming_strings to 'off'; select 'a\\';'; b"),
            "[set session standard_conforming_strings to 'off'][select 'a\\';'][b]");
  CHECK_STR(split("set standard_conforming_strings = on; select 'a\\'; b"),
            "[set standard_conforming_strings = on][select 'a\\'][b]");
}

static ldr_statement nth(const char *text, unsigned n) {
  ldr_splitter p;
  ldr_statement s = {0};
  ldr_err err;
  ldr_split_init(&p, text, strlen(text));
  do CHECK_INT(ldr_split_next(&p, &s, &err), LDR_OK);
  while (n--);
  return s;
}

TEST(what_psql_alone_knows_is_named) {
  static const char dump[] =
      "\\restrict abc\nCOPY public.t (a, b) FROM stdin;\n1\tx;y\n2\t'\n\\.\n\nselect 3;";
  ldr_statement s = nth(dump, 0);
  CHECK_INT(s.kind, LDR_STATEMENT_COMMAND);
  CHECK_INT(s.n, strlen("\\restrict abc"));
  s = nth(dump, 1);
  CHECK_INT(s.kind, LDR_STATEMENT_COPY_IN);
  CHECK_INT(s.line, 2);
  CHECK_INT(s.data_n, strlen("1\tx;y\n2\t'\n"));
  CHECK(memcmp(dump + s.data_at, "1\tx;y\n2\t'\n", s.data_n) == 0);
  s = nth(dump, 2);
  CHECK_INT(s.kind, LDR_STATEMENT_SQL);
  CHECK_INT(s.line, 7);
  CHECK_INT(nth("copy t to stdout", 0).kind, LDR_STATEMENT_COPY_OUT);
  CHECK_INT(nth("copy (select 1 from stdin) to '/tmp/x'", 0).kind, LDR_STATEMENT_SQL);
  CHECK_INT(nth("copy t from stdin", 0).kind, LDR_STATEMENT_COPY_IN); /* no data: the text ends */
  CHECK_INT(nth("copy t from stdin;\n1\n2", 0).data_n, 3);            /* not closed: to the end */
  CHECK_INT(nth("copy t from stdin;\r\n1\r\n\\.\r\nselect 1", 1).at, 27);
  CHECK_STR(split("copy t from stdin; select 1"),
            "line 1, column 20: something follows COPY … FROM STDIN on its line");
}

TEST(places_are_those_of_the_first_word) {
  ldr_statement s = nth("/* \xC3\xA9 */ a;\n\n   /* \xC3\xA9 */ b", 1);
  CHECK_INT(s.line, 3);
  CHECK_INT(s.column, 12);
  CHECK_INT(s.n, 1);
}

void test_split(void);
void test_split(void) {
  RUN(semicolons_end_statements);
  RUN(bytes_stay_as_they_are);
  RUN(a_rule_and_a_body_keep_their_semicolons);
  RUN(faults_name_their_place);
  RUN(standard_conforming_strings_are_followed);
  RUN(what_psql_alone_knows_is_named);
  RUN(places_are_those_of_the_first_word);
}
