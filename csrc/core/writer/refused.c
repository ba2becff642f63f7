#include "writer/refused.h"

#include "base/clock.h"

ldr_refused *ldr_refused_new(const ldr_entity *e, const ldr_queued *row, const ldr_err *err) {
  ldr_refused *r = ldr_alloc(sizeof *r);
  if (r) *r = (ldr_refused){.e = e, .row = *row, .err = *err, .at = ldr_now_wall()};
  return r;
}

/* When the row was accepted, by the wall clock. */
static int64_t accepted_at(const ldr_queued *row) {
  return ldr_now_wall() - (ldr_now_mono() - row->accepted);
}

void ldr_refused_put(const ldr_refused *r, ldr_buf *out) {
  ldr_record_put(out, r->e, r->row.row, r->row.number, accepted_at(&r->row), &r->err, r->at);
}

void ldr_refused_free(ldr_refused *r) {
  ldr_row_release(r->row.row);
  ldr_free(r);
}

/* The key alone is kept, so that the row can be named. */
static ldr_row *key_of(const ldr_entity *e, const ldr_row *row) {
  ldr_value values[LDR_MAX_FIELDS];
  ldr_row *key;
  ldr_err err;
  for (unsigned i = 0; i < e->nfields; i++) {
    values[i] = ldr_null();
    if (ldr_entity_in_key(e, i)) ldr_row_get(e, row, i, &values[i]);
  }
  return ldr_row_pack(e, values, &key, &err) == LDR_OK ? key : NULL;
}

void ldr_refused_note(ldr_writer *w, const ldr_refused *r) {
  if (w->nrejects == LDR_REJECTS) {
    ldr_row_release(w->rejects[w->first_reject].key);
    w->first_reject = (w->first_reject + 1) % LDR_REJECTS;
    w->nrejects--;
  }
  w->rejects[(w->first_reject + w->nrejects++) % LDR_REJECTS] =
      (ldr_reject){r->e, key_of(r->e, r->row.row), r->err};
}

/* To the file thread, which stores it. Under the lock. */
void ldr_refused_pass_on(ldr_writer *w, ldr_refused *r) {
  if (w->refused)
    w->last_refused->next = r;
  else
    w->refused = r;
  w->last_refused = r;
  pthread_cond_signal(&w->filing);
}

/* Without files: what was refused stays in memory. */
void ldr_refused_keep(ldr_writer *w, ldr_refused *r) {
  ldr_buf record = {0};
  ldr_refused_put(r, &record);
  ldr_letters_keep(&w->letters, &record);
  ldr_buf_free(&record);
  if (r->row.from) ldr_letters_done(&w->letters, r->row.from, r->row.at, true);
  ldr_refused_free(r);
}
