/* Values ↔ PostgreSQL's binary formats, one row a type in one table. No libpq here. */
#ifndef LDR_VALUES_CODEC_H
#define LDR_VALUES_CODEC_H

#include "values/datetime.h"
#include "values/network.h"
#include "values/value.h"

/* Decode a non-null binary field of the given type. Views into p where the bytes are the value (text, json,
 * bytea, uuid, array); made bytes (numeric, ranges, tsvector, arrays of enums and citext) are appended to
 * scratch, and the view lasts until it grows again. false: malformed, or scratch is broken. */
bool ldr_codec_decode(ldr_ftype t, bool array, const char *p, size_t n, ldr_buf *scratch, ldr_value *out);
/* Is a decoded value of the type made in scratch? When that grows, the bytes lie where they did from its
 * start. */
static inline bool ldr_codec_makes(ldr_ftype t, ldr_type type) {
  return type == LDR_T_NUMERIC || type == LDR_T_RANGE || (type == LDR_T_ARRAY && ldr_ftype_is_users(t));
}
/* The same for one type, found once for many fields. An array's is NULL: it goes through ldr_codec_decode. */
typedef bool ldr_codec_decoder(const char *p, size_t n, ldr_buf *scratch, ldr_value *out);
ldr_codec_decoder *ldr_codec_decoder_of(ldr_ftype t, bool array);
/* Append the binary form of a non-null value to out; no length word. */
void ldr_codec_encode(ldr_ftype t, const ldr_value *v, ldr_buf *out);
/* The same behind a length of four bytes, -1 for null: as COPY and arrays frame what they hold. */
void ldr_codec_encode_framed(ldr_ftype t, const ldr_value *v, ldr_buf *out);
/* A one-dimensional array of n values (stride apart), nulls allowed. With t = LDR_F_TEXT a value that is an
 * array itself becomes its literal. */
void ldr_codec_encode_list(ldr_ftype t, const ldr_value *v, size_t n, size_t stride, ldr_buf *out);
/* An element of an array's literal: "a \"b\"". */
void ldr_codec_quote(ldr_buf *out, const char *s, size_t n);
/* The text of a date, timestamp, time of day or interval; its length. */
size_t ldr_codec_datetime(const ldr_value *v, char out[LDR_DATETIME_TEXT]);
/* The text of an inet, cidr, macaddr or macaddr8; its length. */
size_t ldr_codec_network(const ldr_value *v, char out[LDR_NETWORK_TEXT]);
/* PostgreSQL's text form of a value for a column type we do not know (raw queries). */
void ldr_codec_text(const ldr_value *v, ldr_buf *out);

#endif
