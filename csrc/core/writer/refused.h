/* Refused rows on their way to the dead letters. */
#ifndef LDR_WRITER_REFUSED_H
#define LDR_WRITER_REFUSED_H

#include "writer/state.h"

ldr_refused *ldr_refused_new(const ldr_entity *e, const ldr_queued *row,
                             const ldr_err *err);         /* the row's owner */
void ldr_refused_put(const ldr_refused *r, ldr_buf *out); /* its record */
void ldr_refused_free(ldr_refused *r);                    /* with its row */
/* Queued for the file thread, and kept for those who ask what was refused. Under the lock. */
void ldr_refused_pass_on(ldr_writer *w, ldr_refused *r);
void ldr_refused_note(ldr_writer *w, const ldr_refused *r);
void ldr_refused_keep(ldr_writer *w, ldr_refused *r); /* without files: in memory. Frees r */

#endif
