/* Forks. What holds threads, sockets or locks belongs to the process that made it: it keeps the number that
 * ldr_forks() gave then, and under another number it finds itself in a child, where only memory came along.
 */
#ifndef LDR_ASYNC_FORK_H
#define LDR_ASYNC_FORK_H

unsigned ldr_forks(void); /* grows by one in every forked child; cheap, thread-safe */

#endif
