/* Any bytes as what the server prints of a value, of every type and as an array. */
#include "fuzz.h"
#include "values/codec.h"
#include "values/textform.h"
#include "values/typecheck.h"

/* Texts, numerics and JSON are taken as the server prints them; a label is looked up by who knows the enum.
 */
static bool is_trusted(ldr_ftype type) {
  ldr_type t = ldr_ftype_get(type)->type;
  return t == LDR_T_TEXT || t == LDR_T_CHAR || t == LDR_T_NUMERIC || t == LDR_T_JSON || t == LDR_T_ENUM;
}

/* The text that is made of a value is read as that value, and made of it once more is the same. */
static void check_stable(ldr_ftype type, bool array, const ldr_value *v) {
  ldr_buf once = {0}, twice = {0}, scratch = {0};
  ldr_value again;
  ldr_codec_text(v, &once);
  if (!once.broken) {
    promise(ldr_textform_decode(type, array, once.n ? once.p : "", once.n, &scratch, &again));
    promise(is_trusted(type) || ldr_value_cmp(v, &again) == 0);
    ldr_codec_text(&again, &twice);
    promise(once.n == twice.n && (once.n == 0 || memcmp(once.p, twice.p, once.n) == 0));
  }
  ldr_buf_free(&once);
  ldr_buf_free(&twice);
  ldr_buf_free(&scratch);
}

/* What was read is a value of the type, so that it can be sent as one. */
static void check(ldr_ftype type, bool array, const char *p, size_t n) {
  ldr_buf scratch = {0};
  ldr_value v;
  ldr_err err = {0};
  if (ldr_textform_decode(type, array, p, n, &scratch, &v) && !scratch.broken) {
    promise(is_trusted(type) || ldr_typecheck("v", type, array, &v, &err) == LDR_OK);
    check_stable(type, array, &v);
  }
  ldr_buf_free(&scratch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  const ldr_entity *e = every_type();
  size_t before = ldr_mem_live();
  if (n == 0) return 0;
  for (unsigned i = 0; i < e->nfields; i++)
    check(e->fields[i].type, data[0] & 1, (const char *)data + 1, n - 1);
  promise(ldr_mem_live() == before);
  return 0;
}
