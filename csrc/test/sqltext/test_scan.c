#include "sqltext/scan.h"

#include "support/test.h"

/* The kinds of a text's tokens, a letter each: w word, q quoted name, s string, d dollar, n number, p
 * parameter, o operator, c comment, b command, ! open, and symbols as they are. */
static const char *kinds_of(const char *text, size_t n, bool backslashes) {
  static const char letters[] = "?wqsdnpo?cb!";
  static char out[256];
  ldr_scanner s;
  ldr_token t;
  size_t used = 0;
  ldr_scan_init(&s, text, n);
  s.backslashes = backslashes;
  while (ldr_scan_next(&s, &t) != LDR_TOKEN_END && used < sizeof out - 1)
    out[used++] = t.kind == LDR_TOKEN_SYMBOL ? text[t.at] : letters[t.kind];
  out[used] = '\0';
  return out;
}

#define KINDS(text) kinds_of(text, sizeof text - 1, false)

TEST(words_numbers_operators_and_parameters) {
  CHECK_STR(KINDS(""), "");
  CHECK_STR(KINDS(" \t\r\n\f\v"), "");
  CHECK_STR(KINDS("select a.b_1, c$2 from t where x>=$1 and y <> -1.5e-3;"), "ww.w,wwwwwopwwoon;");
  CHECK_STR(KINDS("1..10 .5 0x1F 1_000 5e3"), "n.nnnnn");
  CHECK_STR(KINDS("a[1:2]::int $ 1"), "w[n:n]::w$n");
  CHECK_STR(KINDS("n\xC3\xA4me \xE6\x97\xA5"), "ww");
  CHECK_STR(KINDS("a$b$c$b$"), "w"); /* a dollar inside a name begins no string */
}

TEST(strings_of_every_spelling) {
  CHECK_STR(KINDS("'a' 'it''s' '' ''''"), "ssss");
  CHECK_STR(KINDS("E'a\\'b' e'\\\\' 'a\\' ||'b'"), "sssos");
  CHECK_STR(KINDS("B'01' x'fF' N'n' U&'\\0061' U&\"a\" \"a\"\"b\""), "ssssqq");
  CHECK_STR(KINDS("e 'a' u & 'a'"), "wswos");
  CHECK_STR(kinds_of("'a\\'b'", 6, true), "s");
  CHECK_STR(kinds_of("'a\\'c'", 6, false), "sw!");
}

TEST(a_string_goes_on_behind_a_line_end) {
  CHECK_STR(KINDS("'a'\n'b'"), "s");
  CHECK_STR(KINDS("'a' -- more\r\n  'b';"), "s;");
  CHECK_STR(KINDS("'a' 'b'"), "ss");
  CHECK_STR(KINDS("E'a'\n'b\\'c'"), "s"); /* and keeps its way of escaping */
  CHECK_STR(KINDS("'a'\n/* no */'b'"), "scs");
}

TEST(dollar_quotes_end_with_their_own_tag) {
  CHECK_STR(KINDS("$$a;'b$$"), "d");
  CHECK_STR(KINDS("$q$ $$ $Q$ $q$"), "d");
  CHECK_STR(KINDS("$1$2 $1a$"), "pppw");
  CHECK_STR(KINDS("$a$ x $a"), "!");
  CHECK_STR(KINDS("$\xC3\xA9$ x $\xC3\xA9$"), "d");
}

TEST(comments_nest_and_end_operators) {
  CHECK_STR(KINDS("a -- b ; '\nc"), "wcw");
  CHECK_STR(KINDS("/* a /* b */ c */ d"), "cw");
  CHECK_STR(KINDS("1+/*x*/2*--y\n3"), "nocnocn");
  CHECK_STR(KINDS("/* a /* b */"), "!");
  CHECK_STR(KINDS("--"), "c");
}

TEST(psql_commands_take_the_line) {
  CHECK_STR(KINDS("\\connect x 'y\nselect 1"), "bwn");
  CHECK_STR(KINDS("select 1 \\gset\r\n"), "wnb");
}

TEST(what_is_open_is_named_and_ends_the_text) {
  static const char *const texts[] = {"'a", "E'a\\'", "\"a", "$$a", "/*", "select 'a' 'b"};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    ldr_scanner s;
    ldr_token t;
    ldr_scan_init(&s, texts[i], strlen(texts[i]));
    while (ldr_scan_next(&s, &t) != LDR_TOKEN_OPEN && t.kind != LDR_TOKEN_END) continue;
    CHECK_INT(t.kind, LDR_TOKEN_OPEN);
    CHECK(s.fault != NULL && strstr(s.fault, "is not closed") != NULL);
    CHECK_INT(ldr_scan_next(&s, &t), LDR_TOKEN_END);
    CHECK_INT(ldr_scan_next(&s, &t), LDR_TOKEN_END);
  }
}

TEST(places_count_bytes_lines_and_characters) {
  static const char text[] = "a\r\n  \xC3\xA9\xC3\xA9 'x\ry' b\n\n/*\n*/ c";
  static const struct {
    unsigned at, n, line, column;
  } want[] = {{0, 1, 1, 1}, {5, 4, 2, 3}, {10, 5, 2, 6}, {16, 1, 3, 4}, {19, 5, 5, 1}, {25, 1, 6, 4}};
  ldr_scanner s;
  ldr_token t;
  ldr_scan_init(&s, text, sizeof text - 1);
  for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
    ldr_scan_next(&s, &t);
    CHECK_INT(t.at, want[i].at);
    CHECK_INT(t.n, want[i].n);
    CHECK_INT(t.line, want[i].line);
    CHECK_INT(t.column, want[i].column);
  }
  CHECK_INT(ldr_scan_next(&s, &t), LDR_TOKEN_END);
}

TEST(words_are_compared_in_any_case) {
  ldr_scanner s;
  ldr_token t;
  ldr_scan_init(&s, "BeGin \"begin\" (", 15);
  ldr_scan_next(&s, &t);
  CHECK(ldr_token_is(&s, &t, "begin") && !ldr_token_is(&s, &t, "begi") && !ldr_token_is(&s, &t, "begins"));
  CHECK(ldr_token_among(&s, &t, "start begin") && ldr_token_among(&s, &t, "begin start"));
  CHECK(!ldr_token_among(&s, &t, "start beg in") && !ldr_token_among(&s, &t, ""));
  ldr_scan_next(&s, &t);
  CHECK(!ldr_token_is(&s, &t, "begin") && !ldr_token_is(&s, &t, "\"begin\""));
  ldr_scan_next(&s, &t);
  CHECK(ldr_token_symbol(&s, &t, '(') && !ldr_token_symbol(&s, &t, ')'));
}

TEST(a_zero_byte_is_a_symbol) {
  ldr_scanner s;
  ldr_token t;
  ldr_scan_init(&s, "a\0b", 3);
  CHECK_INT(ldr_scan_next(&s, &t), LDR_TOKEN_WORD);
  CHECK_INT(ldr_scan_next(&s, &t), LDR_TOKEN_SYMBOL);
  CHECK_INT(ldr_scan_next(&s, &t), LDR_TOKEN_WORD);
}

void test_scan(void);
void test_scan(void) {
  RUN(words_numbers_operators_and_parameters);
  RUN(strings_of_every_spelling);
  RUN(a_string_goes_on_behind_a_line_end);
  RUN(dollar_quotes_end_with_their_own_tag);
  RUN(comments_nest_and_end_operators);
  RUN(psql_commands_take_the_line);
  RUN(what_is_open_is_named_and_ends_the_text);
  RUN(places_count_bytes_lines_and_characters);
  RUN(words_are_compared_in_any_case);
  RUN(a_zero_byte_is_a_symbol);
}
