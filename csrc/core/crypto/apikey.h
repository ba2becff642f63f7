/* API keys: lk_<environment>_<id>_<secret><check>.
 *   lk_live_4f9w2m1x7k3c8d6r5t0a_0Qm…43 characters of base62 (32 random bytes)…Zk8uP1
 * id: 20 characters of lower-case base32 (100 random bits, alphabet 0-9 a-z without i l o u); check: 6 base62
 * characters, CRC-32 of everything before it. A typo is refused without the database. */
#ifndef LDR_CRYPTO_APIKEY_H
#define LDR_CRYPTO_APIKEY_H

#include "crypto/secret.h"

enum { LDR_APIKEY_TEXT = 96, LDR_APIKEY_ID = 20, LDR_APIKEY_HASH = 96, LDR_MAX_PEPPERS = 16 };

typedef struct ldr_apikey {
  char environment[16]; /* "live", "test": 1 to 15 lower-case letters or digits */
  char id[LDR_APIKEY_ID + 1];
  unsigned char secret[32];
} ldr_apikey;

/* The pepper ring: keys for the stored hash, newest first. Parsed from "2:<hex or base64url>,1:…"; numbers 1
 * to 65535. */
typedef struct ldr_peppers {
  unsigned n;
  struct {
    unsigned number;
    unsigned char key[64];
    size_t nkey;
  } ring[LDR_MAX_PEPPERS];
} ldr_peppers;
ldr_code ldr_peppers_parse(const char *s, size_t n, ldr_peppers *out,
                           ldr_err *err) LDR_MUSTCHECK; /* the error never quotes the text */

void ldr_apikey_make(const char *environment, ldr_apikey *out);
size_t ldr_apikey_format(const ldr_apikey *k, char out[LDR_APIKEY_TEXT]); /* length; caller wipes */
/* false: malformed (wrong shape, alphabet, check). Never touches a database. */
bool ldr_apikey_parse(const char *s, size_t n, ldr_apikey *out);

/* What is stored: "b2$<pepper number or 0>$<base64url of 32 bytes>" = BLAKE2b-256 keyed with the newest
 * pepper, over id and secret. */
void ldr_apikey_hash(const ldr_apikey *k, const ldr_peppers *p, char out[LDR_APIKEY_HASH]);
/* Constant time. stored NULL (unknown id): does the same work and answers false. *stale: made with an older
 * pepper. */
bool ldr_apikey_verify(const ldr_apikey *k, const char *stored, const ldr_peppers *p, bool *stale);

#endif
