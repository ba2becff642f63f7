#include "crypto/apikey.h"

#include "support/test.h"

static const char alphabet[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
static ldr_err err;

/* A key whose every part is known, and the text of it. The digits were computed by another program. */
static const ldr_apikey known = {.environment = "live",
                                 .id = "4f9w2m1x7k3c8d6r5t0a",
                                 .secret = {0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15,
                                            16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31}};
static const char known_text[] =
    "lk_live_4f9w2m1x7k3c8d6r5t0a_003aUlTJC7tjlCTQj2uNU3MFagCXG9LRKRcwGkBIDlf3lJEHx";

/* Parses a copy in a block of its own size, so that a sanitizer sees any step beyond it. */
static bool parses(const char *s, size_t n, ldr_apikey *out) {
  char *p = ldr_alloc(n);
  bool ok;
  CHECK(p != NULL);
  if (p == NULL) return false;
  memcpy(p, s, n);
  ok = ldr_apikey_parse(p, n, out);
  ldr_free(p);
  return ok;
}

/* ---- text ---- */

TEST(a_known_key_has_its_text) {
  char text[LDR_APIKEY_TEXT];
  ldr_apikey back;
  CHECK_INT(ldr_apikey_format(&known, text), strlen(known_text));
  CHECK_STR(text, known_text);
  CHECK(parses(text, strlen(text), &back));
  CHECK(memcmp(&back, &known, sizeof back) == 0);
}

TEST(made_keys_come_back) {
  const char *const environments[] = {"live", "test", "x", "abcdefghijklmn9"};
  for (size_t i = 0; i < sizeof environments / sizeof *environments; i++) {
    char text[LDR_APIKEY_TEXT];
    ldr_apikey k, back;
    size_t n;
    ldr_apikey_make(environments[i], &k);
    n = ldr_apikey_format(&k, text);
    CHECK_INT(n, strlen(text));
    CHECK_INT(n, 3 + strlen(environments[i]) + 1 + 20 + 1 + 43 + 6);
    CHECK(parses(text, n, &back));
    CHECK(memcmp(&k, &back, sizeof k) == 0);
  }
}

TEST(made_keys_differ) {
  ldr_apikey a, b;
  ldr_apikey_make("live", &a);
  ldr_apikey_make("live", &b);
  CHECK(strcmp(a.id, b.id) != 0);
  CHECK(memcmp(a.secret, b.secret, sizeof a.secret) != 0);
}

TEST(the_ends_of_the_secret_come_back) {
  char text[LDR_APIKEY_TEXT];
  ldr_apikey k = known, back;
  memset(k.secret, 0, sizeof k.secret);
  CHECK(parses(text, ldr_apikey_format(&k, text), &back));
  CHECK(memcmp(&k, &back, sizeof k) == 0);
  CHECK(strstr(text, "_0000000000000000000000000000000000000000000") != NULL);
  memset(k.secret, 255, sizeof k.secret);
  CHECK(parses(text, ldr_apikey_format(&k, text), &back));
  CHECK(memcmp(&k, &back, sizeof k) == 0);
}

/* ---- typos ---- */

TEST(every_wrong_character_is_refused) {
  char text[sizeof known_text];
  ldr_apikey k = {.id = "as it was"};
  memcpy(text, known_text, sizeof text);
  for (size_t i = 0; text[i]; i++) {
    for (const char *c = alphabet; *c; c++) {
      if (*c == known_text[i]) continue;
      text[i] = *c;
      CHECK(!parses(text, strlen(text), &k));
    }
    text[i] = '\0';
    CHECK(!parses(text, sizeof text - 1, &k));
    text[i] = known_text[i];
  }
  CHECK_STR(k.id, "as it was");
}

TEST(swapped_neighbours_are_refused) {
  char text[sizeof known_text];
  ldr_apikey k;
  for (size_t i = 0; i + 2 < sizeof text; i++) {
    memcpy(text, known_text, sizeof text);
    text[i] = known_text[i + 1];
    text[i + 1] = known_text[i];
    if (text[i] != text[i + 1]) CHECK(!parses(text, strlen(text), &k));
  }
}

TEST(lengths_are_checked) {
  char text[sizeof known_text + 40] = "lk_abcdefghijklmnop_";
  ldr_apikey k;
  for (size_t n = 0; n < sizeof known_text - 1; n++) CHECK(!parses(known_text, n, &k));
  CHECK(!parses(known_text, sizeof known_text, &k)); /* with the zero */
  strcat(text, known_text + 8);                      /* an environment of 16 characters */
  CHECK(!parses(text, strlen(text), &k));
  for (size_t n = sizeof text; n-- > 0;) CHECK(!parses(text, n, &k));
}

/* The check is right: only the rest can refuse them. */
TEST(wrong_shapes_are_refused) {
  static const char *const wrong[] = {
      "lk_live_4f9w2m1x7k3c8d6r5t0a_yhjskwdA6OZ1AL1YmHWZWm8LLG7HjnuCA2j5rOw8Xp23rVAjz", /* a secret of 2^256:
                                                                                           one too many */
      "lk_live_4f9w2m1x7k3c8d6r5t0a_zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz2OndDk", /* and the most that
                                                                                           the digits can say
                                                                                         */
      "lk_live_4f9w2m1x7k3c8d6r5t0a_003aUlTJC7tjlCTQj2uNU3MFagCXG9LRKRcwGkBIDl-0oSw1h", /* no digit */
      "lk_live-4f9w2m1x7k3c8d6r5t0a_003aUlTJC7tjlCTQj2uNU3MFagCXG9LRKRcwGkBIDlf4DZWaM", /* separators */
      "lk_live_4f9w2m1x7k3c8d6r5t0a-003aUlTJC7tjlCTQj2uNU3MFagCXG9LRKRcwGkBIDlf2ocr6l",
      "LK_live_4f9w2m1x7k3c8d6r5t0a_003aUlTJC7tjlCTQj2uNU3MFagCXG9LRKRcwGkBIDlf2eEVBB", /* prefix */
      "lk__4f9w2m1x7k3c8d6r5t0a_003aUlTJC7tjlCTQj2uNU3MFagCXG9LRKRcwGkBIDlf4GkGUM",     /* environments */
      "lk_Live_4f9w2m1x7k3c8d6r5t0a_003aUlTJC7tjlCTQj2uNU3MFagCXG9LRKRcwGkBIDlf3LoVob",
      "lk_abcdefghijklmnop_4f9w2m1x7k3c8d6r5t0a_003aUlTJC7tjlCTQj2uNU3MFagCXG9LRKRcwGkBIDlf0TngGm",
      "lk_live_4f9w2m1x7k3c8d6r5t0l_003aUlTJC7tjlCTQj2uNU3MFagCXG9LRKRcwGkBIDlf2fWJaz", /* ids */
      "lk_live_4f9w2m1x7k3c8d6r5t0A_003aUlTJC7tjlCTQj2uNU3MFagCXG9LRKRcwGkBIDlf3UkEib",
  };
  const char *largest = "lk_live_4f9w2m1x7k3c8d6r5t0a_yhjskwdA6OZ1AL1YmHWZWm8LLG7HjnuCA2j5rOw8Xp11OGAjB";
  ldr_apikey k;
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) CHECK(!parses(wrong[i], strlen(wrong[i]), &k));
  CHECK(parses(largest, strlen(largest), &k));
}

/* ---- peppers ---- */

#define HEX_16 "000102030405060708090a0b0c0d0e0f"
#define HEX_64 HEX_16 HEX_16 HEX_16 HEX_16

static ldr_code peppers_of(const char *s, ldr_peppers *p) { return ldr_peppers_parse(s, strlen(s), p, &err); }

TEST(rings_are_read) {
  ldr_peppers p;
  CHECK_INT(peppers_of("", &p), LDR_OK);
  CHECK_INT(p.n, 0);
  CHECK_INT(peppers_of("65535:" HEX_64 ",1:AAECAwQFBgcICQoLDA0ODxAREhM", &p), LDR_OK);
  CHECK_INT(p.n, 2);
  CHECK_INT(p.ring[0].number, 65535);
  CHECK_INT(p.ring[0].nkey, 64);
  CHECK_INT(p.ring[1].number, 1);
  CHECK_INT(p.ring[1].nkey, 20);
  for (unsigned i = 0; i < 20; i++) CHECK_INT(p.ring[1].key[i], i);
}

static void check_bad(int line, const char *s) {
  ldr_peppers p = {.n = 7};
  test_check_int(peppers_of(s, &p), LDR_INVALID, __FILE__, line, s);
  test_check(strstr(err.message, "0102") == NULL, __FILE__, line, "quotes nothing");
  test_check_int(p.n, 7, __FILE__, line, "out is untouched");
}

#define BAD(s) check_bad(__LINE__, s)

TEST(bad_rings_are_refused) {
  BAD("1");
  BAD("1:");
  BAD(":" HEX_16);
  BAD(HEX_16);
  BAD("0:" HEX_16);
  BAD("65536:" HEX_16);
  BAD("123456:" HEX_16);
  BAD("-1:" HEX_16);
  BAD(" 1:" HEX_16);
  BAD("1:000102030405060708090a0b0c0d0e"); /* 15 bytes */
  BAD("1:" HEX_64 "00");
  BAD("1:not base64url!not base64url!");
  BAD("1:" HEX_16 ",");
  BAD(",1:" HEX_16);
  BAD("1:" HEX_16 ",1:" HEX_16);
  BAD("1:" HEX_16 ",2:" HEX_16 ",3:" HEX_16 ",4:" HEX_16 ",5:" HEX_16 ",6:" HEX_16 ",7:" HEX_16 ",8:" HEX_16
      ",9:" HEX_16 ",10:" HEX_16 ",11:" HEX_16 ",12:" HEX_16 ",13:" HEX_16 ",14:" HEX_16 ",15:" HEX_16
      ",16:" HEX_16 ",17:" HEX_16);
}

/* ---- what is stored ---- */

TEST(a_key_has_a_known_hash) {
  char plain[LDR_APIKEY_HASH], keyed[LDR_APIKEY_HASH];
  ldr_peppers p;
  CHECK_INT(peppers_of("3:" HEX_16, &p), LDR_OK);
  ldr_apikey_hash(&known, NULL, plain);
  CHECK_STR(plain, "b2$0$a6B70wCFd_70wf-VnjEDqKXAtEbuxjgatom0vYX0TZ0");
  ldr_apikey_hash(&known, &p, keyed);
  CHECK_STR(keyed, "b2$3$vG1c1C1OJGwXFZ3NeSEknrPO5XmxosyoCfCTdNE_KXk");
}

static bool verify(const ldr_apikey *k, const char *stored, const char *ring, bool *stale) {
  ldr_peppers p;
  CHECK_INT(peppers_of(ring, &p), LDR_OK);
  return ldr_apikey_verify(k, stored, &p, stale);
}

TEST(keys_verify) {
  char stored[LDR_APIKEY_HASH];
  bool stale = true;
  ldr_apikey other = known;
  ldr_apikey_hash(&known, NULL, stored);
  CHECK(ldr_apikey_verify(&known, stored, NULL, &stale));
  CHECK(!stale);
  other.secret[31] ^= 1;
  CHECK(!ldr_apikey_verify(&other, stored, NULL, &stale));
  other = known;
  other.id[0] = '5'; /* the same secret under another id */
  CHECK(!ldr_apikey_verify(&other, stored, NULL, &stale));
}

#define OLD "1:" HEX_16
#define NEW "2:ffffffffffffffffffffffffffffffff"

TEST(peppers_rotate) {
  char plain[LDR_APIKEY_HASH], old[LDR_APIKEY_HASH];
  ldr_peppers p;
  bool stale = false;
  ldr_apikey_hash(&known, NULL, plain);
  CHECK_INT(peppers_of(OLD, &p), LDR_OK);
  ldr_apikey_hash(&known, &p, old);
  CHECK(strncmp(old, "b2$1$", 5) == 0);
  CHECK(verify(&known, old, OLD, &stale) && !stale);
  CHECK(verify(&known, old, NEW "," OLD, &stale) && stale); /* older: verifies, wants a new hash */
  CHECK(verify(&known, plain, NEW "," OLD, &stale) && stale);
  CHECK(!verify(&known, old, NEW, &stale) && !stale); /* its pepper is gone */
  CHECK(!verify(&known, old, "", &stale));
  old[3] = '2'; /* another number, the same digest */
  CHECK(!verify(&known, old, NEW "," OLD, &stale) && !stale);
}

TEST(unknown_ids_and_broken_hashes_are_refused) {
  static const char *const broken[] = {"",
                                       "b2",
                                       "b2$0$",
                                       "b2$$",
                                       "b1$0$-------------------------------------------",
                                       "b2$0$-------------------------------------------",
                                       "b2$99999$-------------------------------------------",
                                       "b2$123456$-------------------------------------------",
                                       "nonsense"};
  bool stale = true;
  CHECK(!verify(&known, NULL, OLD, &stale));
  CHECK(!stale);
  for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) CHECK(!verify(&known, broken[i], OLD, &stale));
}

TEST(every_change_of_a_hash_is_refused) {
  char stored[LDR_APIKEY_HASH];
  bool stale;
  ldr_apikey_hash(&known, NULL, stored);
  for (size_t i = 0; stored[i]; i++) {
    stored[i] = (char)(stored[i] ^ 1);
    CHECK(!ldr_apikey_verify(&known, stored, NULL, &stale));
    stored[i] = (char)(stored[i] ^ 1);
  }
  CHECK(ldr_apikey_verify(&known, stored, NULL, &stale));
}

static bool reads_a_ring(void) {
  ldr_peppers p;
  ldr_code code = peppers_of("1:" HEX_16 ",2:AAECAwQFBgcICQoLDA0ODxAREhM", &p);
  if (code != LDR_OK) CHECK_INT(code, LDR_CAPACITY);
  return code == LDR_OK;
}

TEST(memory_runs_out) { test_oom("reads_a_ring", reads_a_ring); }

void test_apikey(void);
void test_apikey(void) {
  CHECK_INT(ldr_secret_init(&err), LDR_OK);
  RUN(a_known_key_has_its_text);
  RUN(made_keys_come_back);
  RUN(made_keys_differ);
  RUN(the_ends_of_the_secret_come_back);
  RUN(every_wrong_character_is_refused);
  RUN(swapped_neighbours_are_refused);
  RUN(lengths_are_checked);
  RUN(wrong_shapes_are_refused);
  RUN(rings_are_read);
  RUN(bad_rings_are_refused);
  RUN(a_key_has_a_known_hash);
  RUN(keys_verify);
  RUN(peppers_rotate);
  RUN(unknown_ids_and_broken_hashes_are_refused);
  RUN(every_change_of_a_hash_is_refused);
  RUN(memory_runs_out);
}
