/* The file thread: rows from the queues into files and back, marks on what was written, dead letters, what
 * other processes left. All I/O of the writer happens here, and none of it under the lock: a step looks at
 * the queues under the lock, works without it, and tells what came of it under the lock. */
#ifndef LDR_WRITER_REPLAY_H
#define LDR_WRITER_REPLAY_H

#include "writer/refused.h"

bool ldr_replay_start(ldr_writer *w); /* once, if there is a directory; under the lock */

#endif
