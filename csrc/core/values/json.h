/* JSON text without loss (RFC 8259): a pull reader, a writer, and (in values/jsonb.c) the jsonb operations
 * that the memory engine needs. Numbers keep their spelling; the reader says which are exact 64-bit integers.
 */
#ifndef LDR_VALUES_JSON_H
#define LDR_VALUES_JSON_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"

/* Deeper nesting is refused. What is read may be deeper than what is written: `||` puts a level around a
 * value, and other programs write to the same columns. */
#define LDR_JSON_WRITE_DEPTH 512
#define LDR_JSON_DEPTH       1024

typedef enum ldr_json_event {
  LDR_JSON_ERROR, /* bad text; see reader->why */
  LDR_JSON_END,   /* the one top-level value is complete and only white space follows */
  LDR_JSON_NULL,
  LDR_JSON_TRUE,
  LDR_JSON_FALSE,
  LDR_JSON_INT,    /* i; its spelling in s, n */
  LDR_JSON_FLOAT,  /* f, maybe infinite: has a fraction or exponent, or does not fit int64; text in s, n */
  LDR_JSON_STRING, /* s, n: decoded UTF-8 */
  LDR_JSON_KEY,    /* s, n: always followed by its value */
  LDR_JSON_ARRAY,
  LDR_JSON_ARRAY_END,
  LDR_JSON_OBJECT,
  LDR_JSON_OBJECT_END
} ldr_json_event;

typedef struct ldr_json_reader {
  const char *p, *end; /* input, borrowed; p behind an error: where it is */
  const char *s;       /* event's text: points into the input, or into scratch when it had escapes */
  size_t n;
  int64_t i;
  double f;
  const char *why;  /* static text of the fault */
  ldr_buf *scratch; /* borrowed; valid until the next event */
  unsigned depth;
  const char
      *guess;     /* set before ldr_json_next: the next string may be these bytes, which were one without */
  size_t guess_n; /* escapes before; 0: no guess. guessed: it was, and s is the guess's equal */
  bool guessed;
  bool lenient;        /* set after ldr_json_read: U+0000 is a zero byte, a lone surrogate its three bytes */
  unsigned char state; /* private */
  uint64_t in_object[LDR_JSON_DEPTH / 64]; /* private: one bit a level */
} ldr_json_reader;

void ldr_json_read(ldr_json_reader *r, const char *text, size_t n, ldr_buf *scratch);
ldr_json_event ldr_json_next(ldr_json_reader *r); /* refuses invalid UTF-8, and unless lenient U+0000 and lone
                                                     surrogates, as jsonb does */
/* The same for whoever knows where in the structure it stands, and so need not have it found out: what
 * ldr_json_next would say where a value must begin (first of all and after LDR_JSON_KEY), for the next member
 * of an object, for the next element of an array, and behind the whole value. Not after LDR_JSON_ERROR. */
ldr_json_event ldr_json_value(ldr_json_reader *r);
ldr_json_event ldr_json_member(ldr_json_reader *r);  /* LDR_JSON_KEY, LDR_JSON_OBJECT_END or an error */
ldr_json_event ldr_json_element(ldr_json_reader *r); /* a value's, LDR_JSON_ARRAY_END or an error */
ldr_json_event ldr_json_end(ldr_json_reader *r);     /* LDR_JSON_END or an error */

/* Writing: commas and colons are the caller's, these write one token. */
void ldr_json_add_string(ldr_buf *out, const char *s, size_t n); /* s is valid UTF-8 without zero bytes */
bool ldr_json_is_plain(const char *s, size_t n);                 /* ASCII that stands in JSON as it is */
void ldr_json_add_int(ldr_buf *out, int64_t i);
/* Shortest text that reads back to the same double, always with a fraction or exponent so that it stays a
 * float through jsonb: 1.0, 1000000000000000.0, 1e+300. false for NaN and infinities. -0.0 is written 0.0 as
 * jsonb keeps it. */
bool ldr_json_add_float(ldr_buf *out, double f);

/* The double of a number's text, whatever the locale: by JSON's grammar, or NaN, Infinity, -Infinity. */
bool ldr_json_read_double(const char *s, size_t n, double *out);
/* Is the double that a number's text is read as the same number? Else only its text tells it: 1e400, 2^64,
 * twenty digits. s follows JSON's grammar. Out of memory counts as the same. */
bool ldr_json_is_double(const char *s, size_t n, double f);

/* Appends the canonical form of text: what PostgreSQL's jsonb_out prints (keys by length then bytes, last
 * duplicate wins, numbers as numeric, ", " and ": "). LDR_INVALID with the reason when text is not JSON. */
ldr_code ldr_json_canonical(const char *text, size_t n, ldr_buf *out, ldr_err *err) LDR_MUSTCHECK;

/* jsonb semantics on two JSON texts. These return false in *out never silently: LDR_INVALID for bad text,
 * LDR_CAPACITY for memory. */
ldr_code ldr_json_equal(const char *a, size_t na, const char *b, size_t nb, bool *out,
                        ldr_err *err) LDR_MUSTCHECK;
ldr_code ldr_json_contains(const char *a, size_t na, const char *b, size_t nb, bool *out,
                           ldr_err *err) LDR_MUSTCHECK; /* a @> b */
ldr_code ldr_json_has_key(const char *a, size_t na, const char *key, size_t nk, bool *out,
                          ldr_err *err) LDR_MUSTCHECK; /* a ? key */
ldr_code ldr_json_concat(const char *a, size_t na, const char *b, size_t nb, ldr_buf *out,
                         ldr_err *err) LDR_MUSTCHECK; /* a || b, in canonical form */
typedef struct ldr_json_text {
  const char *p;
  size_t n;
} ldr_json_text;

/* a #> path: *kind of what stands there (LDR_JSON_END: nothing; LDR_JSON_INT: any number) and in out, which
 * is appended to, its canonical form; of a string the decoded text, unless as_json. */
ldr_code ldr_json_at(const char *a, size_t na, const ldr_json_text *path, unsigned npath, bool as_json,
                     ldr_json_event *kind, ldr_buf *out, ldr_err *err) LDR_MUSTCHECK;
/* The members of an object one by one, sorted as jsonb does: for each, each(ud, name, value as canonical
 * JSON, is it an object), whose texts live as long as the call. */
ldr_code ldr_json_members(const char *a, size_t na,
                          ldr_code (*each)(void *ud, ldr_json_text name, ldr_json_text value, bool object),
                          void *ud, ldr_err *err) LDR_MUSTCHECK;
/* a with the members of b laid over it; objects down to `deepest` levels below the top are merged likewise,
 * and what is no object in a counts as an empty one. Canonical form. */
ldr_code ldr_json_merge(const char *a, size_t na, const char *b, size_t nb, unsigned deepest, ldr_buf *out,
                        ldr_err *err) LDR_MUSTCHECK;
/* Equal values (ldr_json_equal) hash alike. */
ldr_code ldr_json_hash(const char *text, size_t n, uint64_t seed, uint64_t *out, ldr_err *err) LDR_MUSTCHECK;

#endif
