/* The memory engine: compact rows, hash and ordered indexes, the constraints of the declaration,
 * transactions.
 *
 * One row has at most one uncommitted version, which only its transaction sees; everybody else sees the last
 * committed one. A writer that meets another transaction's uncommitted version gets LDR_LOCK_TIMEOUT (55P03),
 * since waiting inside one thread could never end. Read committed by default; a repeatable read or
 * serializable transaction fails with LDR_SERIALIZATION (40001) when anything else committed since its first
 * statement: stricter than PostgreSQL, never weaker. */
#ifndef LDR_MEMORY_DB_H
#define LDR_MEMORY_DB_H

#include "engine/engine.h"

ldr_code ldr_memdb_open(ldr_engine **out, ldr_err *err) LDR_MUSTCHECK;
/* Tables come into being with the first operation on an entity; the engine retains the entity's schema. */
typedef struct ldr_memdb_stats {
  size_t tables, rows, row_bytes, transactions;
} ldr_memdb_stats;
void ldr_memdb_stats_get(const ldr_engine *e, ldr_memdb_stats *out);
/* The committed row with this key, borrowed until the next call on the engine; NULL: there is none. */
ldr_row *ldr_memdb_find(const ldr_engine *e, const ldr_entity *ent, const ldr_value *key);
/* The hot path without an operation: one row by key, committed or of tx. LDR_NOT_FOUND when there is none.
 * *out is retained for the caller. */
ldr_code ldr_memdb_get(ldr_engine *e, ldr_tx *tx, const ldr_entity *ent, const ldr_value *key, ldr_row **out,
                       ldr_err *err) LDR_MUSTCHECK;

#endif
