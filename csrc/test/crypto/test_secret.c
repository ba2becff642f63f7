#include "crypto/secret.h"

#include "base/text.h"
#include "support/test.h"

static ldr_err err;

static void check_hex(int line, const void *p, size_t n, const char *want) {
  ldr_buf hex = {0};
  ldr_hex_add(&hex, p, n);
  test_check_str(ldr_buf_cstr(&hex), want, __FILE__, line, "digest");
  ldr_buf_free(&hex);
}

/* RFC 7693, appendix A, and the first two of the reference implementation's keyed vectors. */
TEST(blake2b_gives_the_published_digests) {
  unsigned char out[64], key[64];
  for (unsigned i = 0; i < sizeof key; i++) key[i] = (unsigned char)i;
  ldr_blake2b(out, 64, "abc", 3, NULL, 0);
  check_hex(__LINE__, out, 64,
            "ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d1"
            "7d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923");
  ldr_blake2b(out, 64, "", 0, key, 64);
  check_hex(__LINE__, out, 64,
            "10ebb67700b1868efb4417987acf4690ae9d972fb7a590c2f02871799aaa4786"
            "b5e996e8f0f4eb981fc214b005f42d2ff4233499391653df7aefcbc13fc51568");
  ldr_blake2b(out, 64, "\0", 1, key, 64);
  check_hex(__LINE__, out, 64,
            "961f6dd1e4dd30f63901690c512e78e4b45e4742ed197c3c5e45c549fd25f2e4"
            "187b0bc9fe30492b16b0d0bc4ef9b0f34c7003fac09a5ef1532e69430234cebd");
}

TEST(random_bytes_differ) {
  unsigned char a[32] = {0}, b[32] = {0};
  ldr_random(a, sizeof a);
  ldr_random(b, sizeof b);
  CHECK(!ldr_same(a, b, sizeof a));
  memcpy(b, a, sizeof b);
  CHECK(ldr_same(a, b, sizeof a));
  b[31] ^= 1;
  CHECK(!ldr_same(a, b, sizeof a));
  ldr_wipe(a, sizeof a);
  for (size_t i = 0; i < sizeof a; i++) CHECK_INT(a[i], 0);
}

TEST(uuids_are_version_4) {
  unsigned char a[16], b[16];
  for (int i = 0; i < 100; i++) {
    ldr_uuid4(a);
    CHECK_INT(a[6] >> 4, 4);
    CHECK_INT(a[8] >> 6, 2);
  }
  ldr_uuid4(b);
  CHECK(memcmp(a, b, sizeof a) != 0);
}

TEST(cuids_have_their_shape) {
  char a[26], b[26];
  ldr_cuid(a);
  ldr_cuid(b);
  CHECK_INT(strlen(a), 25);
  CHECK_INT(strspn(a, "0123456789abcdefghijklmnopqrstuvwxyz"), 25);
  CHECK_INT(a[0], 'c');
  CHECK(memcmp(a, b, 9) <= 0); /* the time in front */
  CHECK(strcmp(a, b) != 0);
}

TEST(ids_can_be_counted_for_tests) {
  unsigned char a[16];
  char text[37], c[26];
  ldr_ids_from(255);
  ldr_uuid4(a);
  ldr_uuid_format(a, text);
  CHECK_STR(text, "00000000-0000-4000-8000-0000000000ff");
  ldr_cuid(c);
  CHECK_STR(c, "c000000000000000000000074"); /* 256 to the base of 36 */
  ldr_ids_from(0);
  ldr_cuid(c);
  CHECK(strncmp(c, "c00000000", 9) != 0);
}

/* ---- passwords: with the least that Argon2id takes, the tests are not about its strength ---- */

enum { OPS = 1, MEM = 8192 };

TEST(passwords_hash_as_argon2id) {
  char a[128], b[128];
  CHECK_INT(ldr_password_hash("secret", 6, OPS, MEM, a, &err), LDR_OK);
  CHECK_INT(ldr_password_hash("secret", 6, OPS, MEM, b, &err), LDR_OK);
  CHECK(strncmp(a, "$argon2id$v=19$m=8,t=1,p=1$", 27) == 0);
  CHECK(strcmp(a, b) != 0); /* a salt each */
  CHECK(ldr_password_check(a, "secret", 6));
  CHECK(!ldr_password_check(a, "secreT", 6));
  CHECK(!ldr_password_check(a, "secret", 5));
  CHECK(!ldr_password_check("", "secret", 6));
  CHECK(!ldr_password_check("$argon2id$v=19$m=8,t=1,p=1$", "secret", 6));
}

TEST(a_zero_byte_belongs_to_the_password) {
  char hash[128];
  CHECK_INT(ldr_password_hash("a\0b", 3, OPS, MEM, hash, &err), LDR_OK);
  CHECK(ldr_password_check(hash, "a\0b", 3));
  CHECK(!ldr_password_check(hash, "a\0c", 3));
}

TEST(hashes_of_other_limits_are_stale) {
  char hash[128];
  CHECK_INT(ldr_password_hash("secret", 6, OPS, MEM, hash, &err), LDR_OK);
  CHECK(!ldr_password_stale(hash, OPS, MEM));
  CHECK(ldr_password_stale(hash, OPS + 1, MEM));
  CHECK(ldr_password_stale(hash, OPS, 2 * MEM));
  CHECK(ldr_password_stale(hash, 0, 0));
  CHECK(ldr_password_stale("nonsense", OPS, MEM));
}

TEST(default_limits_are_interactive) {
  char hash[128];
  CHECK_INT(ldr_password_hash("secret", 6, 0, 0, hash, &err), LDR_OK);
  CHECK(strncmp(hash, "$argon2id$v=19$m=65536,t=2,p=1$", 31) == 0);
  CHECK(ldr_password_check(hash, "secret", 6));
  CHECK(!ldr_password_stale(hash, 0, 0));
}

TEST(senseless_limits_are_refused) {
  char hash[128] = "as it was";
  CHECK_INT(ldr_password_hash("secret", 6, OPS, MEM - 1, hash, &err), LDR_INVALID);
  CHECK(strstr(err.message, "secret") == NULL);
  CHECK_INT(ldr_password_hash("secret", 6, OPS, SIZE_MAX, hash, &err), LDR_INVALID);
  CHECK_INT(ldr_password_hash("secret", 6, ~0ULL, MEM, hash, &err), LDR_INVALID);
  CHECK_STR(hash, "as it was");
}

/* ---- sealing ---- */

static const unsigned char key[32] = "0123456789abcdef0123456789abcde";

static void check_unsealed(const char *sealed, size_t n, const char *want) {
  ldr_buf out = {0};
  ldr_buf_str(&out, "before ");
  CHECK_INT(ldr_unseal(key, sealed, n, &out, &err), LDR_OK);
  CHECK_STR(ldr_buf_cstr(&out), want);
  ldr_buf_free(&out);
}

TEST(sealed_texts_open) {
  ldr_buf a = {0}, b = {0}, empty = {0};
  CHECK_INT(ldr_seal(key, "host=db", 7, &a, &err), LDR_OK);
  CHECK_INT(ldr_seal(key, "host=db", 7, &b, &err), LDR_OK);
  CHECK_INT(ldr_seal(key, "", 0, &empty, &err), LDR_OK);
  CHECK(a.n > 10 && memcmp(a.p, "sealed:v1:", 10) == 0);
  CHECK(a.n == b.n && memcmp(a.p, b.p, a.n) != 0); /* a nonce each */
  check_unsealed(a.p, a.n, "before host=db");
  check_unsealed(empty.p, empty.n, "before ");
  ldr_buf_free(&a);
  ldr_buf_free(&b);
  ldr_buf_free(&empty);
}

static void check_refused(int line, const unsigned char k[32], const char *s, size_t n) {
  ldr_buf out = {0};
  test_check_int(ldr_unseal(k, s, n, &out, &err), LDR_UNAUTHORIZED, __FILE__, line, "unseal");
  test_check(strstr(err.message, "host") == NULL, __FILE__, line, "says nothing");
  test_check_int((long long)out.n, 0, __FILE__, line, "out.n");
  ldr_buf_free(&out);
}

TEST(wrong_keys_and_changed_texts_are_refused) {
  unsigned char other[32];
  ldr_buf s = {0};
  memcpy(other, key, sizeof other);
  other[31] ^= 1;
  CHECK_INT(ldr_seal(key, "host=db", 7, &s, &err), LDR_OK);
  check_refused(__LINE__, other, s.p, s.n);
  for (size_t i = 0; i < s.n; i++) {
    check_refused(__LINE__, key, s.p, i); /* cut */
    s.p[i] = (char)(s.p[i] ^ 1);
    check_refused(__LINE__, key, s.p, s.n);
    s.p[i] = (char)(s.p[i] ^ 1);
  }
  check_refused(__LINE__, key, "host=db", 7);
  ldr_buf_free(&s);
}

static bool seal_and_open(void) {
  ldr_buf sealed = {0}, out = {0};
  ldr_code code = ldr_seal(key, "host=db", 7, &sealed, &err);
  if (code == LDR_OK) code = ldr_unseal(key, sealed.p, sealed.n, &out, &err);
  if (code != LDR_OK) CHECK_INT(code, LDR_CAPACITY);
  ldr_buf_free(&sealed);
  ldr_buf_free(&out);
  return code == LDR_OK;
}

TEST(memory_runs_out) { test_oom("seal_and_open", seal_and_open); }

void test_secret(void);
void test_secret(void) {
  CHECK_INT(ldr_secret_init(&err), LDR_OK);
  CHECK_INT(ldr_secret_init(&err), LDR_OK);
  RUN(blake2b_gives_the_published_digests);
  RUN(random_bytes_differ);
  RUN(uuids_are_version_4);
  RUN(cuids_have_their_shape);
  RUN(ids_can_be_counted_for_tests);
  RUN(passwords_hash_as_argon2id);
  RUN(a_zero_byte_belongs_to_the_password);
  RUN(hashes_of_other_limits_are_stale);
  RUN(default_limits_are_interactive);
  RUN(senseless_limits_are_refused);
  RUN(sealed_texts_open);
  RUN(wrong_keys_and_changed_texts_are_refused);
  RUN(memory_runs_out);
}
