/* Everything from libsodium, and its only includer. No secret leaves through an error. */
#ifndef LDR_CRYPTO_SECRET_H
#define LDR_CRYPTO_SECRET_H

#include "base/buf.h"
#include "base/err.h"

ldr_code ldr_secret_init(ldr_err *err) LDR_MUSTCHECK; /* sodium_init once; cheap after; thread-safe */
void ldr_random(void *p, size_t n);
void ldr_wipe(void *p, size_t n);                      /* not optimised away */
bool ldr_same(const void *a, const void *b, size_t n); /* constant time */
/* BLAKE2b; keyed when nkey > 0 (16 to 64 bytes). nout 16 to 64. */
void ldr_blake2b(void *out, size_t nout, const void *p, size_t n, const void *key, size_t nkey);

void ldr_uuid4(unsigned char out[16]);
void ldr_cuid(char out[26]); /* 25 characters, 'c' first, time-ordered prefix, zero-terminated */
/* For tests: from now on the ids of this process are `first` and those behind it, in order of their making;
 * 0: by chance again. Ids only: keys, secrets and nonces are always random. Any thread. */
void ldr_ids_from(uint64_t first);

/* Argon2id in PHC text form ($argon2id$v=19$…). ops and mem (bytes) 0 = libsodium's "interactive" limits.
 * Blocks for tens of milliseconds: callers inside an event loop hand it to a worker. */
ldr_code ldr_password_hash(const char *password, size_t n, unsigned long long ops, size_t mem, char out[128],
                           ldr_err *err) LDR_MUSTCHECK;
bool ldr_password_check(const char *hash, const char *password, size_t n);
bool ldr_password_stale(const char *hash, unsigned long long ops, size_t mem); /* made with other limits */

/* Sealing of small texts (connection strings): secretbox, nonce in front, base64url: "sealed:v1:…". */
ldr_code ldr_seal(const unsigned char key[32], const char *s, size_t n, ldr_buf *out,
                  ldr_err *err) LDR_MUSTCHECK;
ldr_code ldr_unseal(const unsigned char key[32], const char *s, size_t n, ldr_buf *out,
                    ldr_err *err) LDR_MUSTCHECK; /* LDR_UNAUTHORIZED: wrong key or changed text */

#endif
