/* A key as a caller sent it: what parses formats to the same text. Few inputs have the right check, so keys
 * are also made from the input. Rings and stored hashes only must not crash. */
#include <stdlib.h>
#include <string.h>

#include "ldr_apikey.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok) {
  if (!ok) abort();
}

static void parse(const char *s, size_t n) {
  char text[LDR_APIKEY_TEXT];
  ldr_apikey k;
  if (!ldr_apikey_parse(s, n, &k)) return;
  check(ldr_apikey_format(&k, text) == n);
  check(memcmp(text, s, n) == 0);
}

/* The parts of a key straight from the input: what is formatted, parses. */
static void made(const uint8_t *data, size_t size) {
  char text[LDR_APIKEY_TEXT];
  ldr_apikey k, back;
  size_t n;
  if (size < sizeof k.secret) return;
  ldr_apikey_make("live", &k);
  memcpy(k.secret, data, sizeof k.secret);
  n = ldr_apikey_format(&k, text);
  check(ldr_apikey_parse(text, n, &back));
  check(memcmp(&k, &back, sizeof k) == 0);
}

static void verify(const char *stored) {
  static const ldr_apikey k = {.environment = "live", .id = "00000000000000000000"};
  static const ldr_peppers p = {.n = 1, .ring = {{.number = 1, .nkey = 16}}};
  bool stale;
  (void)ldr_apikey_verify(&k, stored, &p, &stale);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static bool ready;
  ldr_peppers p;
  ldr_err err;
  char *text;
  if (!ready) check(ldr_secret_init(&err) == LDR_OK);
  ready = true;
  parse((const char *)data, size);
  made(data, size);
  (void)!ldr_peppers_parse((const char *)data, size, &p, &err);
  text = ldr_strndup((const char *)data, size);
  check(text != NULL);
  verify(text);
  ldr_free(text);
  return 0;
}
