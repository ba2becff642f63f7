#include "postgres/pool/identity.h"

#include <string.h>

/* The timeline that is written to; the control file may still name the one before a promotion. */
static const char *const questions[] = {
    "select system_identifier::text || ':' || case when pg_is_in_recovery() then 'standby' else "
    "substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) end from pg_control_system()",
    "select 'started ' || extract(epoch from pg_postmaster_start_time())::text"};

const char *ldr_identity_question(unsigned attempt) {
  return attempt < sizeof questions / sizeof *questions ? questions[attempt] : NULL;
}

bool ldr_identity_read(const ldr_pgres *res, char out[LDR_IDENTITY_SIZE]) {
  size_t n = 0;
  const char *p = res && ldr_pgres_rows(res) ? ldr_pgres_cell(res, 0, 0, &n) : NULL;
  if (p == NULL || n == 0 || n >= LDR_IDENTITY_SIZE) return false;
  memcpy(out, p, n);
  out[n] = '\0';
  return true;
}

bool ldr_identity_proves(const ldr_identity *i, int64_t begun, const char *now) {
  return *i->text && begun >= i->since && strcmp(i->text, now) == 0;
}
