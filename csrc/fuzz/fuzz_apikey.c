/* A key as a caller sent it: what parses formats to the same text. Few inputs have the right check, so keys
 * are also made from the input. Rings and stored hashes must be read to their end and no further. */
#include "crypto/apikey.h"
#include "fuzz.h"

static void sent(const char *s, size_t n) {
  char text[LDR_APIKEY_TEXT];
  ldr_apikey k;
  if (!ldr_apikey_parse(s, n, &k)) return;
  promise(ldr_apikey_format(&k, text) == n);
  promise(memcmp(text, s, n) == 0);
}

static void made(const uint8_t *data, size_t n) {
  char text[LDR_APIKEY_TEXT];
  ldr_apikey k, back;
  if (n < sizeof k.secret) return;
  ldr_apikey_make("live", &k);
  memcpy(k.secret, data, sizeof k.secret);
  promise(ldr_apikey_parse(text, ldr_apikey_format(&k, text), &back));
  promise(memcmp(&k, &back, sizeof k) == 0);
}

static void stored(const uint8_t *data, size_t n) {
  static const ldr_apikey k = {.environment = "live", .id = "00000000000000000000"};
  static const ldr_peppers p = {.n = 1, .ring = {{.number = 1, .nkey = 16}}};
  char *text = ldr_strndup((const char *)data, n);
  bool stale;
  promise(text != NULL);
  promise(!ldr_apikey_verify(&k, text, &p, &stale)); /* nobody guesses a hash */
  ldr_free(text);
}

static void ring(const char *s, size_t n) {
  ldr_peppers p;
  ldr_err err;
  if (ldr_peppers_parse(s, n, &p, &err) != LDR_OK) return;
  promise(p.n <= LDR_MAX_PEPPERS);
  for (unsigned i = 0; i < p.n; i++) promise(p.ring[i].nkey >= 16 && p.ring[i].nkey <= 64);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  ldr_err err;
  promise(ldr_secret_init(&err) == LDR_OK);
  sent((const char *)data, n);
  made(data, n);
  stored(data, n);
  ring((const char *)data, n);
  promise(ldr_mem_live() == 0);
  return 0;
}
