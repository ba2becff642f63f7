#include "crypto/apikey.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"

static const char digits62[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
static const char digits32[] = "0123456789abcdefghjkmnpqrstvwxyz";
static const char prefix[] = "lk_";

enum { PREFIX = sizeof prefix - 1, SECRET = 43, CHECK = 6, DIGEST = 32, DIGEST_TEXT = 43, MIN_PEPPER = 16 };

/* ---- base 62 ---- */

static int digit62(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'Z') return c - 'A' + 10;
  if (c >= 'a' && c <= 'z') return c - 'a' + 36;
  return -1;
}

/* 32 bytes as one big-endian number, in SECRET digits: divided by 62 digit by digit, from the last. */
static void secret_to_text(const unsigned char secret[32], char out[SECRET]) {
  unsigned char rest[32];
  memcpy(rest, secret, sizeof rest);
  for (int i = SECRET - 1; i >= 0; i--) {
    unsigned remainder = 0;
    for (int k = 0; k < 32; k++) {
      remainder = remainder << 8 | rest[k];
      rest[k] = (unsigned char)(remainder / 62);
      remainder %= 62;
    }
    out[i] = digits62[remainder];
  }
  ldr_wipe(rest, sizeof rest);
}

/* false: no digits, or more than 32 bytes hold. */
static bool secret_from_text(const char *s, unsigned char out[32]) {
  memset(out, 0, 32);
  for (int i = 0; i < SECRET; i++) {
    int digit = digit62(s[i]);
    unsigned carry = (unsigned)digit;
    if (digit < 0) return false;
    for (int k = 31; k >= 0; k--) {
      carry += out[k] * 62u;
      out[k] = (unsigned char)carry;
      carry >>= 8;
    }
    if (carry) return false;
  }
  return true;
}

/* ---- check ---- */

static uint32_t crc32(const char *s, size_t n) {
  uint32_t crc = UINT32_MAX;
  for (size_t i = 0; i < n; i++) {
    crc ^= (unsigned char)s[i];
    for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? UINT32_C(0xEDB88320) : 0);
  }
  return ~crc;
}

static void check_text(const char *s, size_t n, char out[CHECK]) {
  uint32_t crc = crc32(s, n);
  for (int i = CHECK - 1; i >= 0; i--, crc /= 62) out[i] = digits62[crc % 62];
}

/* ---- make, format, parse ---- */

void ldr_apikey_make(const char *environment, ldr_apikey *out) {
  unsigned char random[LDR_APIKEY_ID];
  memset(out, 0, sizeof *out);
  snprintf(out->environment, sizeof out->environment, "%s", environment);
  ldr_random(random, sizeof random);
  for (int i = 0; i < LDR_APIKEY_ID; i++) out->id[i] = digits32[random[i] & 31];
  ldr_random(out->secret, sizeof out->secret);
}

size_t ldr_apikey_format(const ldr_apikey *k, char out[LDR_APIKEY_TEXT]) {
  size_t n = (size_t)snprintf(out, LDR_APIKEY_TEXT, "%s%s_%s_", prefix, k->environment, k->id);
  secret_to_text(k->secret, out + n);
  n += SECRET;
  check_text(out, n, out + n);
  n += CHECK;
  out[n] = '\0';
  return n;
}

/* Length of the run of characters at s that are all of the set. */
static size_t span(const char *s, size_t n, const char *set) {
  size_t i = 0;
  while (i < n && s[i] != '\0' && strchr(set, s[i])) i++;
  return i;
}

bool ldr_apikey_parse(const char *s, size_t n, ldr_apikey *out) {
  const size_t tail = 1 + LDR_APIKEY_ID + 1 + SECRET + CHECK; /* behind the environment */
  ldr_apikey k = {0};
  char check[CHECK];
  const char *id, *secret;
  size_t environment;
  bool ok;
  if (n <= PREFIX + tail || n >= PREFIX + tail + sizeof k.environment) return false;
  environment = n - PREFIX - tail;
  id = s + PREFIX + environment + 1;
  secret = id + LDR_APIKEY_ID + 1;
  if (memcmp(s, prefix, PREFIX) != 0 || id[-1] != '_' || secret[-1] != '_') return false;
  if (span(s + PREFIX, environment, "0123456789abcdefghijklmnopqrstuvwxyz") != environment) return false;
  if (span(id, LDR_APIKEY_ID, digits32) != LDR_APIKEY_ID) return false;
  check_text(s, n - CHECK, check);
  if (memcmp(check, secret + SECRET, CHECK) != 0) return false;
  memcpy(k.environment, s + PREFIX, environment);
  memcpy(k.id, id, LDR_APIKEY_ID);
  ok = secret_from_text(secret, k.secret);
  if (ok) *out = k;
  ldr_wipe(&k, sizeof k);
  return ok;
}

/* ---- peppers ---- */

static bool is_hex(const char *s, size_t n) {
  return n % 2 == 0 && span(s, n, "0123456789abcdefABCDEF") == n;
}

static ldr_code bad_pepper(ldr_err *err, unsigned position, const char *why) {
  return ldr_fail(err, LDR_INVALID, "pepper %u: %s", position, why);
}

/* "123:" in front of the key: moves *s behind the colon. 0: there is no such number. */
static unsigned take_number(const char **s, size_t *n) {
  size_t digits = span(*s, *n, "0123456789");
  unsigned number = 0;
  if (digits == 0 || digits > 5 || digits == *n || (*s)[digits] != ':') return 0;
  for (size_t i = 0; i < digits; i++) number = number * 10 + (unsigned)((*s)[i] - '0');
  *s += digits + 1;
  *n -= digits + 1;
  return number <= 65535 ? number : 0;
}

static bool has_number(const ldr_peppers *p, unsigned number) {
  for (unsigned i = 0; i < p->n; i++)
    if (p->ring[i].number == number) return true;
  return false;
}

/* The key's bytes at out (64), their number in *nout. */
static ldr_code decode_key(const char *s, size_t n, unsigned char *out, size_t *nout, unsigned position,
                           ldr_err *err) {
  ldr_buf b = {0};
  bool ok;
  if (n > 128) return bad_pepper(err, position, "a key has 16 to 64 bytes");
  if (!ldr_buf_reserve(&b, 128)) return ldr_fail_nomem(err); /* at once: growing would leave copies behind */
  if (is_hex(s, n)) {
    ok = ldr_hex_decode((unsigned char *)b.p, s, n);
    b.n = n / 2;
  } else {
    ok = ldr_base64url_decode(&b, s, n);
  }
  ok = ok && b.n >= MIN_PEPPER && b.n <= 64;
  if (ok) {
    memcpy(out, b.p, b.n);
    *nout = b.n;
  }
  ldr_wipe(b.p, b.cap);
  ldr_buf_free(&b);
  return ok ? LDR_OK : bad_pepper(err, position, "a key is 16 to 64 bytes of hex or base64url");
}

static ldr_code add_pepper(const char *s, size_t n, ldr_peppers *p, ldr_err *err) {
  unsigned number;
  ldr_code code;
  if (p->n == LDR_MAX_PEPPERS) return bad_pepper(err, p->n + 1, "there are too many");
  number = take_number(&s, &n);
  if (number == 0) return bad_pepper(err, p->n + 1, "a number from 1 to 65535 and a colon come first");
  if (has_number(p, number)) return bad_pepper(err, p->n + 1, "its number is taken");
  code = decode_key(s, n, p->ring[p->n].key, &p->ring[p->n].nkey, p->n + 1, err);
  if (code == LDR_OK) p->ring[p->n++].number = number;
  return code;
}

ldr_code ldr_peppers_parse(const char *s, size_t n, ldr_peppers *out, ldr_err *err) {
  ldr_peppers p = {0};
  ldr_code code = LDR_OK;
  const char *end = s + n;
  while (n && code == LDR_OK) {
    const char *comma = memchr(s, ',', (size_t)(end - s));
    const char *stop = comma ? comma : end;
    code = add_pepper(s, (size_t)(stop - s), &p, err);
    if (comma == NULL) break;
    s = comma + 1;
  }
  if (code == LDR_OK) *out = p;
  ldr_wipe(&p, sizeof p);
  return code;
}

/* ---- what is stored ---- */

/* The digest of id and secret under one pepper (ring position; p->n or beyond: none), as text. */
static void digest_text(const ldr_apikey *k, const ldr_peppers *p, unsigned position, char out[DIGEST_TEXT]) {
  unsigned char plain[LDR_APIKEY_ID + sizeof k->secret], digest[DIGEST];
  char room[2 * DIGEST];
  ldr_buf text = {.p = room, .cap = sizeof room}; /* holds the whole text, so it never grows */
  bool keyed = p && position < p->n;
  memcpy(plain, k->id, LDR_APIKEY_ID);
  memcpy(plain + LDR_APIKEY_ID, k->secret, sizeof k->secret);
  ldr_blake2b(digest, sizeof digest, plain, sizeof plain, keyed ? p->ring[position].key : NULL,
              keyed ? p->ring[position].nkey : 0);
  ldr_base64url_add(&text, digest, sizeof digest);
  memcpy(out, room, DIGEST_TEXT);
  ldr_wipe(plain, sizeof plain);
}

static unsigned newest(const ldr_peppers *p) { return p && p->n ? p->ring[0].number : 0; }

void ldr_apikey_hash(const ldr_apikey *k, const ldr_peppers *p, char out[LDR_APIKEY_HASH]) {
  char digest[DIGEST_TEXT];
  digest_text(k, p, 0, digest);
  snprintf(out, LDR_APIKEY_HASH, "b2$%u$%.*s", newest(p), DIGEST_TEXT, digest);
}

/* The ring position of a pepper number; beyond the ring for 0. false: a pepper we do not have. */
static bool find_pepper(const ldr_peppers *p, unsigned number, unsigned *position) {
  unsigned n = p ? p->n : 0;
  *position = 0;
  while (*position < n && p->ring[*position].number != number) ++*position;
  return *position < n || number == 0;
}

/* Splits "b2$<number>$<digest>". */
static bool read_stored(const char *s, unsigned *number, const char **digest) {
  size_t n;
  if (strncmp(s, "b2$", 3) != 0) return false;
  s += 3;
  n = span(s, 6, "0123456789");
  if (n == 0 || n > 5 || s[n] != '$' || strlen(s + n + 1) != DIGEST_TEXT) return false;
  *number = 0;
  for (size_t i = 0; i < n; i++) *number = *number * 10 + (unsigned)(s[i] - '0');
  *digest = s + n + 1;
  return true;
}

bool ldr_apikey_verify(const ldr_apikey *k, const char *stored, const ldr_peppers *p, bool *stale) {
  static const char nothing[DIGEST_TEXT + 1] = "-------------------------------------------";
  const char *want = nothing; /* no digest: its last character has bits that 32 bytes do not */
  char have[DIGEST_TEXT];
  unsigned number = 0, position = 0;
  bool known, same;
  known = stored && read_stored(stored, &number, &want) && find_pepper(p, number, &position);
  digest_text(k, p, known ? position : 0, have);
  same = ldr_same(have, known ? want : nothing, DIGEST_TEXT);
  *stale = known && same && number != newest(p);
  return known && same;
}
