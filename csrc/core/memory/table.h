/* One table in memory: rows as slots, their versions, and the indexes over versions.
 *
 *   index entry ──► version ──► slot            slot.committed ─► what everybody sees   (NULL: nothing)
 *                     │ data ─► ldr_row         slot.pending   ─► what its owner sees   (data NULL: deleted)
 *                     └ prev ─► the owner's older pending version, for savepoints
 *
 * A reader finds entries, not rows: an entry counts when it leads to the version of its slot that the reader
 * sees. A version whose columns of an index equal those of the version before it has no entry of its own
 * there: it is covered by the older one's. So an update touches only the indexes whose columns it changes. A
 * slot with an owner and nothing pending is locked; any number of transactions may share it beside. Who holds
 * what, and undoing it, is memory/undo.h's. */
#ifndef LDR_MEMORY_TABLE_H
#define LDR_MEMORY_TABLE_H

#include "base/hash.h"
#include "base/slab.h"
#include "base/sorted.h"
#include "model/row.h"

typedef struct ldr_memslot ldr_memslot;

typedef struct ldr_memver {
  ldr_memslot *slot;
  ldr_row *data; /* counted; NULL: the row is deleted. Only versions with data stand in the indexes */
  struct ldr_memver *prev;
  uint32_t log;            /* pending: its place in the owner's log */
  uint32_t covered : 30;   /* bit i: covered in index i (the hash indexes, then the ordered ones) */
  uint32_t was_locked : 1; /* pending, the first: its slot was locked by the owner before */
  uint32_t moves_key : 1;  /* pending: the owner holds the slot by LDR_HOLD_UPDATE and not by a mere change */
} ldr_memver;

/* How a transaction holds a row, weakest first: PostgreSQL's four row locks. A change holds it against
 * everything but KEY_SHARE, which is a reference's hand on the row that it refers to. */
typedef enum ldr_memhold {
  LDR_HOLD_KEY_SHARE,
  LDR_HOLD_SHARE,
  LDR_HOLD_CHANGE,
  LDR_HOLD_UPDATE /* FOR UPDATE, a deletion, a change of a unique's fields */
} ldr_memhold;

typedef struct ldr_memshare { /* one transaction's share of a slot */
  const void *tx;
  struct ldr_memshare *next;
  ldr_memhold hold; /* KEY_SHARE or SHARE */
} ldr_memshare;

struct ldr_memslot {
  ldr_memver *committed, *pending;
  const void *owner;    /* the transaction with an uncommitted version or a lock; NULL: none */
  ldr_memshare *shares; /* a transaction may have one of each kind */
  ldr_memslot *prev, *next;
};

enum { LDR_MEMINDEX_COLS = 2 * LDR_MAX_KEY };

typedef struct ldr_memindex { /* ordered; its columns always end with the whole key */
  const ldr_entity *e;
  ldr_sorted s;
  unsigned n;
  uint16_t field[LDR_MEMINDEX_COLS];
  bool desc[LDR_MEMINDEX_COLS];
} ldr_memindex;

typedef struct ldr_memhash { /* of the key or a unique; rows with a null (where nulls are not equal), or
                                outside its condition, are not in it */
  const ldr_unique *u;
  ldr_hash h;
  uint32_t code; /* of the row probed last … */
  bool member;   /* … and whether it belongs here */
} ldr_memhash;

typedef struct ldr_memtab {
  const ldr_entity *e;
  struct ldr_memtab **family; /* the tables of the schema by entity id, this one among them */
  unsigned nhash, nindex;
  ldr_memhash *hash;   /* the key, then the uniques */
  ldr_memindex *index; /* declared ones, the key's, and those that references need */
  unsigned *ref_index; /* the index that begins with the fields of each reference, in some order */
  int64_t *identity;   /* last number given out, one a field */
  ldr_memslot *first, *last;
  ldr_slab slots, versions, shares;
  const ldr_row *probed;
  size_t rows, row_bytes; /* committed */
} ldr_memtab;

ldr_code ldr_memtab_new(const ldr_entity *e, ldr_memtab **family, ldr_memtab **out,
                        ldr_err *err) LDR_MUSTCHECK;
void ldr_memtab_free(ldr_memtab *t); /* NULL is fine */

/* The version of a slot that tx (NULL: nobody in particular) sees; NULL: none. */
static inline ldr_memver *ldr_memslot_visible(const ldr_memslot *s, const void *tx) {
  ldr_memver *v = s->pending && s->owner == tx ? s->pending : s->committed;
  return v && v->data ? v : NULL;
}
/* Has another transaction an uncommitted version or a lock of its own? */
static inline bool ldr_memslot_held(const ldr_memslot *s, const void *tx) {
  return s->owner && s->owner != tx;
}
/* Does another transaction's hold keep tx from this one? */
bool ldr_memslot_blocked(const ldr_memslot *s, const void *tx, ldr_memhold hold);

/* The version that tx sees through an entry of hash index i, or of ordered index i; NULL: it does not count
 * for tx. */
ldr_memver *ldr_memtab_by_hash(const ldr_memtab *t, unsigned i, ldr_memver *entry, const void *tx);
ldr_memver *ldr_memtab_by_index(const ldr_memtab *t, unsigned i, ldr_memver *entry, const void *tx);

/* The visible version whose fields of unique i (0: the key) equal the values, one a field of it; NULL: none.
 */
ldr_memver *ldr_memtab_find(const ldr_memtab *t, unsigned i, const ldr_value *values, const void *tx);

uint32_t ldr_memtab_key_code(const ldr_memtab *t, const ldr_row *row); /* equal keys have equal codes */
/* Compute where a row belongs in the hash indexes; clash and link speak of the row probed last. */
void ldr_memtab_probe(ldr_memtab *t, const ldr_row *row);
typedef enum ldr_memclash { LDR_MEM_FREE, LDR_MEM_TAKEN, LDR_MEM_HELD } ldr_memclash;
/* May tx store the probed row beside what unique i has, `own` apart? TAKEN: *by has an equal row; HELD: that
 * depends on another open transaction. */
ldr_memclash ldr_memtab_clash(const ldr_memtab *t, unsigned i, const ldr_memslot *own, const void *tx,
                              ldr_memslot **by);
/* May tx refer to the row with this key? FREE: there is none, TAKEN: yes, *slot. */
ldr_memclash ldr_memtab_parent(const ldr_memtab *t, const ldr_value *key, const void *tx, ldr_memslot **slot);

/* Building blocks; nothing here checks a constraint. NULL, false: out of memory, nothing changed. */
ldr_memslot *ldr_memtab_add_slot(ldr_memtab *t);
void ldr_memtab_drop_slot(ldr_memtab *t, ldr_memslot *s);
/* A new version of s, behind its newest, in the indexes; the row (NULL: none) was probed last. It goes over.
 * log: see above; it grows from version to version of a slot, since it orders them in the indexes. */
ldr_memver *ldr_memtab_add_version(ldr_memtab *t, ldr_memslot *s, ldr_row *row, size_t log);
void ldr_memtab_drop_version(ldr_memtab *t, ldr_memver *v); /* a slot's newest, or its only one */
/* v becomes what the version right before it is: `older` takes over its row and entries, v is gone. */
void ldr_memtab_merge(ldr_memtab *t, ldr_memver *older, ldr_memver *v);
bool ldr_memtab_reserve(ldr_memtab *t, size_t more); /* for a bulk load */

/* A place in an ordered index: rows whose first n columns equal the values; nulls are values here. */
typedef struct ldr_membound {
  const ldr_value *v;
  unsigned n;
  const ldr_memver *exact; /* of them, this one version; NULL: all */
} ldr_membound;
ldr_sorted_pos ldr_memindex_seek(const ldr_memindex *ix, const ldr_membound *b, bool past);

#endif
