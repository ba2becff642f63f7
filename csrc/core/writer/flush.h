/* Rows from the queues to the engine: which store is next, its statement, and what follows from the answer.
 */
#ifndef LDR_WRITER_FLUSH_H
#define LDR_WRITER_FLUSH_H

#include "writer/state.h"

/* Another thread, unless one is idle or there are enough; false: there is none. Under the lock. */
bool ldr_flush_start(ldr_writer *w);
void ldr_flush_directly(ldr_writer *w); /* without threads: everything that can be written now */
/* Was every row before this number written or refused, and what earlier processes left? Under the lock. */
bool ldr_flush_passed(const ldr_writer *w, uint64_t position);

#endif
