#include "crypto/secret.h"

#include <sodium.h>
#include <stdatomic.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"

/* What the header promises about sizes, checked against the library that is linked. */
_Static_assert(crypto_pwhash_STRBYTES <= 128, "a password hash fits 128 bytes");
_Static_assert(crypto_secretbox_KEYBYTES == 32, "a sealing key has 32 bytes");
_Static_assert(crypto_generichash_BYTES_MIN <= 16 && crypto_generichash_BYTES_MAX == 64, "16 to 64 bytes");
_Static_assert(crypto_generichash_KEYBYTES_MIN <= 16 && crypto_generichash_KEYBYTES_MAX == 64, "the same");

ldr_code ldr_secret_init(ldr_err *err) {
  if (sodium_init() < 0) return ldr_fail(err, LDR_INTERNAL, "no source of random numbers");
  return LDR_OK;
}

void ldr_random(void *p, size_t n) { randombytes_buf(p, n); }
void ldr_wipe(void *p, size_t n) { sodium_memzero(p, n); }
bool ldr_same(const void *a, const void *b, size_t n) { return sodium_memcmp(a, b, n) == 0; }

void ldr_blake2b(void *out, size_t nout, const void *p, size_t n, const void *key, size_t nkey) {
  (void)crypto_generichash(out, nout, p, n, nkey ? key : NULL, nkey); /* fails only for sizes out of range */
}

/* ---- identifiers ---- */

static _Atomic uint64_t next_id; /* of tests; 0: ids are made by chance */

void ldr_ids_from(uint64_t first) { atomic_store(&next_id, first); }

/* The number of the next id; 0: by chance. */
static uint64_t counted(void) {
  uint64_t n = atomic_load(&next_id);
  while (n != 0 && !atomic_compare_exchange_weak(&next_id, &n, n + 1)) {}
  return n;
}

void ldr_uuid4(unsigned char out[16]) {
  uint64_t n = counted();
  if (n == 0) {
    ldr_random(out, 16);
  } else {
    memset(out, 0, 16);
    for (int i = 15; i > 8; i--, n >>= 8) out[i] = (unsigned char)n;
  }
  out[6] = (unsigned char)((out[6] & 0x0f) | 0x40); /* version 4 */
  out[8] = (unsigned char)((out[8] & 0x3f) | 0x80); /* the variant of RFC 4122 */
}

/* c, 8 characters of milliseconds, 16 of chance (82 bits). The milliseconds overflow in 2059; the order of
 * older ones is all that suffers. */
void ldr_cuid(char out[26]) {
  static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyz";
  uint64_t n = counted(), ms = n ? 0 : (uint64_t)ldr_now_wall() / 1000;
  bool chance = n == 0;
  out[0] = 'c';
  for (int i = 8; i >= 1; i--, ms /= 36) out[i] = digits[ms % 36];
  for (int i = 24; i >= 9; i--, n /= 36) out[i] = digits[chance ? randombytes_uniform(36) : n % 36];
  out[25] = '\0';
}

/* ---- passwords ---- */

static unsigned long long ops_or_default(unsigned long long ops) {
  return ops ? ops : crypto_pwhash_OPSLIMIT_INTERACTIVE;
}

static size_t mem_or_default(size_t mem) { return mem ? mem : crypto_pwhash_MEMLIMIT_INTERACTIVE; }

static bool sane(unsigned long long ops, size_t mem) {
  return ops >= crypto_pwhash_argon2id_OPSLIMIT_MIN && ops <= crypto_pwhash_argon2id_OPSLIMIT_MAX &&
         mem >= crypto_pwhash_argon2id_MEMLIMIT_MIN && mem <= crypto_pwhash_argon2id_MEMLIMIT_MAX;
}

ldr_code ldr_password_hash(const char *password, size_t n, unsigned long long ops, size_t mem, char out[128],
                           ldr_err *err) {
  char text[crypto_pwhash_STRBYTES];
  ops = ops_or_default(ops);
  mem = mem_or_default(mem);
  if (!sane(ops, mem)) return ldr_fail(err, LDR_INVALID, "password hash: limits out of range");
  if (n > crypto_pwhash_argon2id_PASSWD_MAX) return ldr_fail(err, LDR_INVALID, "password is too long");
  if (crypto_pwhash_str_alg(text, password, n, ops, mem, crypto_pwhash_ALG_ARGON2ID13) != 0)
    return ldr_fail_nomem(err);
  memcpy(out, text, sizeof text);
  return LDR_OK;
}

bool ldr_password_check(const char *hash, const char *password, size_t n) {
  return crypto_pwhash_str_verify(hash, password, n) == 0;
}

bool ldr_password_stale(const char *hash, unsigned long long ops, size_t mem) {
  return crypto_pwhash_str_needs_rehash(hash, ops_or_default(ops), mem_or_default(mem)) != 0;
}

/* ---- sealing ---- */

static const char seal_prefix[] = "sealed:v1:";
enum {
  PREFIX = sizeof seal_prefix - 1,
  NONCE = crypto_secretbox_NONCEBYTES,
  MAC = crypto_secretbox_MACBYTES
};

ldr_code ldr_seal(const unsigned char key[32], const char *s, size_t n, ldr_buf *out, ldr_err *err) {
  ldr_buf box = {0}; /* nonce | authenticator | text */
  size_t size = NONCE + MAC + n;
  unsigned char *p;
  if (n > UINT32_MAX) return ldr_fail(err, LDR_INVALID, "the text to seal is too long");
  if (!ldr_buf_reserve(out, PREFIX + size / 3 * 4 + 4) || !ldr_buf_reserve(&box, size))
    return ldr_fail_nomem(err);
  p = (unsigned char *)box.p;
  ldr_random(p, NONCE);
  (void)crypto_secretbox_easy(p + NONCE, (const unsigned char *)s, n, p, key); /* fails only for huge n */
  ldr_buf_str(out, seal_prefix);
  ldr_base64url_add(out, p, size);
  ldr_buf_free(&box);
  return LDR_OK;
}

static ldr_code cannot_open(ldr_err *err) {
  return ldr_fail(err, LDR_UNAUTHORIZED, "the sealed text was changed, or the key is another one");
}

/* Appends the text in box to out; out is as before when that fails. */
static ldr_code open_box(const unsigned char key[32], const ldr_buf *box, ldr_buf *out, ldr_err *err) {
  const unsigned char *p = (const unsigned char *)box->p;
  size_t n;
  if (box->n < NONCE + MAC) return cannot_open(err);
  n = box->n - NONCE - MAC;
  if (!ldr_buf_reserve(out, n + 1)) return ldr_fail_nomem(err); /* one more: a place to write even for "" */
  if (crypto_secretbox_open_easy((unsigned char *)out->p + out->n, p + NONCE, box->n - NONCE, p, key) != 0)
    return cannot_open(err);
  out->n += n;
  return LDR_OK;
}

ldr_code ldr_unseal(const unsigned char key[32], const char *s, size_t n, ldr_buf *out, ldr_err *err) {
  ldr_buf box = {0};
  ldr_code code;
  if (n < PREFIX || memcmp(s, seal_prefix, PREFIX) != 0)
    return ldr_fail(err, LDR_UNAUTHORIZED, "this is no sealed text");
  if (!ldr_base64url_decode(&box, s + PREFIX, n - PREFIX))
    code = cannot_open(err);
  else
    code = box.broken ? ldr_fail_nomem(err) : open_box(key, &box, out, err);
  ldr_buf_free(&box);
  return code;
}
