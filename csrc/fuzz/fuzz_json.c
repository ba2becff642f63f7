/* Any bytes: what the reader accepts is written again, read back the same, and obeys the laws of jsonb. */
#include "fuzz.h"
#include "values/json.h"

/* Writes the tokens of a text; numbers that are not int64 keep their spelling. false: not JSON. */
static bool rewrite(const char *text, size_t n, ldr_buf *out) {
  ldr_buf scratch = {0};
  ldr_json_reader r;
  ldr_json_event event, last = LDR_JSON_ARRAY;
  ldr_json_read(&r, text, n, &scratch);
  while ((event = ldr_json_next(&r)) > LDR_JSON_END) {
    bool closes = event == LDR_JSON_ARRAY_END || event == LDR_JSON_OBJECT_END;
    if (last != LDR_JSON_ARRAY && last != LDR_JSON_OBJECT && last != LDR_JSON_KEY && !closes)
      ldr_buf_chr(out, ',');
    last = event;
    switch (event) {
      case LDR_JSON_NULL: ldr_buf_str(out, "null"); break;
      case LDR_JSON_TRUE: ldr_buf_str(out, "true"); break;
      case LDR_JSON_FALSE: ldr_buf_str(out, "false"); break;
      case LDR_JSON_INT: ldr_json_add_int(out, r.i); break;
      case LDR_JSON_FLOAT: ldr_buf_add(out, r.s, r.n); break;
      case LDR_JSON_KEY:
      case LDR_JSON_STRING: ldr_json_add_string(out, r.s, r.n); break;
      case LDR_JSON_ARRAY: ldr_buf_chr(out, '['); break;
      case LDR_JSON_ARRAY_END: ldr_buf_chr(out, ']'); break;
      case LDR_JSON_OBJECT: ldr_buf_chr(out, '{'); break;
      default: ldr_buf_chr(out, '}'); break;
    }
    if (event == LDR_JSON_KEY) ldr_buf_chr(out, ':');
  }
  ldr_buf_free(&scratch);
  return event == LDR_JSON_END;
}

static bool same_bytes(const ldr_buf *a, const ldr_buf *b) {
  return a->n == b->n && memcmp(a->p, b->p, a->n) == 0;
}

/* The canonical form is a fixed point, equal to what it was made of, and holds it. */
static void check_laws(const char *text, size_t n, const ldr_buf *canonical) {
  ldr_buf again = {0};
  ldr_err err;
  uint64_t a, b;
  bool yes = false;
  promise(ldr_json_canonical(canonical->p, canonical->n, &again, &err) == LDR_OK);
  promise(same_bytes(canonical, &again));
  promise(ldr_json_equal(text, n, canonical->p, canonical->n, &yes, &err) == LDR_OK && yes);
  promise(ldr_json_contains(text, n, canonical->p, canonical->n, &yes, &err) == LDR_OK && yes);
  promise(ldr_json_hash(text, n, 1, &a, &err) == LDR_OK);
  promise(ldr_json_hash(canonical->p, canonical->n, 1, &b, &err) == LDR_OK && a == b);
  promise(ldr_json_has_key(text, n, "a", 1, &yes, &err) == LDR_OK);
  ldr_buf_reset(&again);
  promise(ldr_json_concat(text, n, canonical->p, canonical->n, &again, &err) == LDR_OK);
  if (*canonical->p == '{') promise(same_bytes(canonical, &again)); /* merged with itself */
  ldr_buf_free(&again);
}

/* Reads on with a guess, if there is one; keeps it for the next time where the string stood without escapes.
 */
static ldr_json_event guessed_next(ldr_json_reader *r, const ldr_buf *last, ldr_buf *scratch) {
  r->guessed = false;
  r->guess = last->p;
  r->guess_n = last->n;
  r->scratch = scratch;
  return ldr_json_next(r);
}

/* A string that stood in the text before is read as the same when it is guessed, and nothing else is. */
static void check_guesses(const char *text, size_t n) {
  ldr_buf a = {0}, b = {0}, last = {0};
  ldr_json_reader plain, guessing;
  ldr_json_event event;
  ldr_json_read(&plain, text, n, &a);
  ldr_json_read(&guessing, text, n, &b);
  do {
    event = ldr_json_next(&plain);
    promise(guessed_next(&guessing, &last, &b) == event && plain.p == guessing.p);
    if (event != LDR_JSON_KEY && event != LDR_JSON_STRING) continue;
    promise(plain.n == guessing.n && (plain.n == 0 || memcmp(plain.s, guessing.s, plain.n) == 0));
    promise(!guessing.guessed || (plain.n == last.n && plain.s != a.p));
    if (plain.s == a.p) continue;
    ldr_buf_reset(&last);
    ldr_buf_add(&last, plain.s, plain.n);
  } while (event > LDR_JSON_END);
  ldr_buf_free(&a);
  ldr_buf_free(&b);
  ldr_buf_free(&last);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  const char *text = (const char *)data;
  ldr_buf first = {0}, second = {0}, a = {0}, b = {0};
  ldr_err err;
  check_guesses(text, n);
  if (!rewrite(text, n, &first)) {
    promise(ldr_json_canonical(text, n, &a, &err) == LDR_INVALID && a.n == 0);
  } else {
    promise(rewrite(first.p, first.n, &second));
    promise(same_bytes(&first, &second));
    if (ldr_json_canonical(text, n, &a, &err) == LDR_OK) { /* else a number is beyond numeric */
      promise(ldr_json_canonical(first.p, first.n, &b, &err) == LDR_OK);
      promise(same_bytes(&a, &b));
      check_laws(text, n, &a);
    }
  }
  ldr_buf_free(&first);
  ldr_buf_free(&second);
  ldr_buf_free(&a);
  ldr_buf_free(&b);
  promise(ldr_mem_live() == 0);
  return 0;
}
