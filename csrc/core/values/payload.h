/* The bytes of a value in cursors and in files of the writer: network order, the same on every machine. What
 * is around them says the type and, where it varies, the length. */
#ifndef LDR_VALUES_PAYLOAD_H
#define LDR_VALUES_PAYLOAD_H

#include "values/value.h"

size_t ldr_payload_size(ldr_type t); /* 0: it varies, or (null) there are none */
void ldr_payload_put(const ldr_value *v, ldr_buf *out);
/* A value of type t, which is not null; it borrows p. false: no value of t has these bytes. */
bool ldr_payload_read(ldr_type t, const char *p, size_t n, ldr_value *out) LDR_MUSTCHECK;

#endif
