#include "model/expr.h"

const char *const ldr_fn_names[] = {
    [LDR_FN_COALESCE] = "coalesce", [LDR_FN_LOWER] = "lower", [LDR_FN_UPPER] = "upper",
    [LDR_FN_LENGTH] = "length",     [LDR_FN_ABS] = "abs",     [LDR_FN_ADD] = "add",
    [LDR_FN_SUB] = "sub",           [LDR_FN_MUL] = "mul",     [LDR_FN_BUCKET] = "bucket",
    [LDR_FN_PART] = "part",
};

const char *const ldr_part_names[] = {
    [LDR_PART_YEAR] = "year", [LDR_PART_MONTH] = "month",   [LDR_PART_DAY] = "day",
    [LDR_PART_HOUR] = "hour", [LDR_PART_MINUTE] = "minute", [LDR_PART_WEEKDAY] = "weekday",
};

/* ---- types ---- */

static bool is_float(ldr_ftype t) { return t == LDR_F_FLOAT4 || t == LDR_F_FLOAT8; }
static bool is_number(ldr_ftype t) { return ldr_type_is_number(ldr_ftype_get(t)->type); }
static bool is_text(ldr_ftype t) { return t == LDR_F_TEXT || t == LDR_F_VARCHAR; }

/* What values of a type are computed as. */
static ldr_ftype widest(ldr_ftype t) {
  if (ldr_ftype_is_int(t)) return LDR_F_INT8;
  if (is_float(t)) return LDR_F_FLOAT8;
  return is_text(t) ? LDR_F_TEXT : t;
}

static bool join(ldr_ftype a, ldr_ftype b, ldr_ftype *out) {
  *out = a == LDR_F_INT8 ? b : a;
  if (a == b) return true;
  return is_number(a) && is_number(b) && (a == LDR_F_INT8 || b == LDR_F_INT8);
}

bool ldr_expr_common(const ldr_expr *const *args, unsigned n, ldr_ftype *out) {
  for (unsigned i = 0; i < n; i++) {
    const ldr_field *f = &args[i]->as;
    ldr_ftype t = widest(f->type);
    /* char pads, json has no equality, an enum's type has a name of its own, and some are the server's alone
     */
    if (f->array || t == LDR_F_CHAR || t == LDR_F_JSON || t == LDR_F_ENUM || ldr_ftype_is_servers(t))
      return false;
    if (i == 0)
      *out = t;
    else if (!join(*out, t, out))
      return false;
  }
  return n > 0;
}

ldr_ftype ldr_expr_arg_type(const ldr_expr *x) {
  ldr_ftype t = LDR_F_TEXT;
  (void)!ldr_expr_common(x->args, x->n, &t);
  return t;
}

static void set_type(ldr_expr *x, ldr_ftype type) {
  x->as.type = type;
  x->as.value_type = ldr_ftype_get(type)->type;
  x->as.null = true;
}

static void take_type(ldr_expr *x, const ldr_field *of) {
  const char *name = x->as.name;
  x->as = *of;
  x->as.null = true;
  if (name) x->as.name = name;
}

/* ---- functions ---- */

static const char *infer_call(ldr_expr *x) {
  static const unsigned char arity[LDR_NFNS] = {[LDR_FN_ADD] = 2, [LDR_FN_SUB] = 2, [LDR_FN_MUL] = 2};
  unsigned wanted = arity[x->fn] ? arity[x->fn] : 1;
  ldr_ftype t;
  if (x->fn == LDR_FN_COALESCE ? x->n < 2 || x->n > LDR_MAX_ARGS : x->n != wanted)
    return "has another number of arguments";
  if (!ldr_expr_common(x->args, x->n, &t)) return "is of types that do not go together";
  switch (x->fn) {
    case LDR_FN_COALESCE: set_type(x, t); return NULL;
    case LDR_FN_LOWER:
    case LDR_FN_UPPER: set_type(x, LDR_F_TEXT); return t == LDR_F_TEXT ? NULL : "is for text";
    case LDR_FN_LENGTH:
      set_type(x, LDR_F_INT8);
      return t == LDR_F_TEXT || t == LDR_F_BYTEA ? NULL : "is for text and bytea";
    case LDR_FN_ABS:
    case LDR_FN_ADD:
    case LDR_FN_SUB:
    case LDR_FN_MUL: set_type(x, t); return is_number(t) ? NULL : "is for numbers";
    case LDR_FN_BUCKET:
      set_type(x, t);
      if (x->bucket == LDR_BUCKET_NONE || (unsigned)x->bucket > LDR_YEAR) return "has no such bucket";
      return t == LDR_F_TIMESTAMPTZ || t == LDR_F_TIMESTAMP ? NULL : "is for timestamptz and timestamp";
    case LDR_FN_PART:
      set_type(x, LDR_F_INT8);
      if ((unsigned)x->part >= LDR_NPARTS) return "has no such part";
      return t == LDR_F_TIMESTAMPTZ || t == LDR_F_TIMESTAMP ? NULL : "is for timestamptz and timestamp";
    case LDR_NFNS: break;
  }
  return "is no function";
}

const char *ldr_expr_infer(const ldr_entity *e, ldr_expr *x) {
  switch (x->kind) {
    case LDR_X_FIELD:
      e = ldr_row_source_entity(e, x->source);
      if (x->field >= e->nfields) return "is no field";
      take_type(x, &e->fields[x->field]);
      return NULL;
    case LDR_X_PATH:
    case LDR_X_VALUE: set_type(x, x->as.type); return NULL;
    case LDR_X_CALL: return (unsigned)x->fn < LDR_NFNS ? infer_call(x) : "is no function";
  }
  return "is no expression";
}
