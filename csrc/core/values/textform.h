/* PostgreSQL's text output → values: for results that travel as text because a column of them has a type
 * without a binary decoder. The same value comes out whichever way it travelled. Read under datestyle ISO,
 * bytea_output hex and the time zone UTC. */
#ifndef LDR_VALUES_TEXTFORM_H
#define LDR_VALUES_TEXTFORM_H

#include "values/value.h"

/* A non-null field. Elements of an array whose type has no decoder are texts. Views into p, or into scratch,
 * which is appended to, as ldr_codec_decode gives them. false: malformed, or scratch is broken. */
bool ldr_textform_decode(ldr_ftype t, bool array, const char *p, size_t n, ldr_buf *scratch, ldr_value *out);
/* Is it the type of an array whose literal is made with commas, and whose elements are read as texts? */
bool ldr_textform_is_array(uint32_t oid);

#endif
