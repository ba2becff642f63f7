/* What an SQL text may do besides reading and writing rows, told from its words alone.
 *
 * A text can call functions of the user, and what those do no text tells. So a call counts as a change of the
 * session unless the name is that of a function of PostgreSQL known to change nothing (harmless.c). What
 * cannot be seen at all: functions behind operators, casts, views, triggers, rules, policies and defaults. */
#ifndef LDR_SQLTEXT_EFFECTS_H
#define LDR_SQLTEXT_EFFECTS_H

#include <stddef.h>

enum {
  /* begins, ends or marks a place in a transaction: begin, commit, savepoint, prepare transaction … */
  LDR_EFFECT_TRANSACTION = 1,
  /* PostgreSQL takes it only outside of a transaction block: vacuum, create index concurrently … */
  LDR_EFFECT_OUTSIDE = 2,
  /* may leave something in the session: a setting, role, temporary table, prepared statement, cursor with
   * hold, channel, advisory lock; also DO, CALL and functions that are not known */
  LDR_EFFECT_SESSION = 4,
  /* is no select, insert, update, delete, merge, values or table */
  LDR_EFFECT_UTILITY = 8,
  /* may leave prepared statements in the session, besides: prepare, do, call. With LDR_EFFECT_SESSION */
  LDR_EFFECT_PREPARES = 16,
  /* is not known to do nothing but read: running it twice is not the same as running it once */
  LDR_EFFECT_WRITES = 32,
  /* ends the transaction, wholly: commit, rollback but not to a savepoint, prepare transaction */
  LDR_EFFECT_ENDS = 64
};

/* What any of the statements of a text may do; 0 for an empty one. A text that is not closed may do anything.
 * Pure; one pass over the text. */
unsigned ldr_sqltext_effects(const char *text, size_t n);

#endif
