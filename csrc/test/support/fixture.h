/* A small family, "shop", for tests of what works on declarations and operations. */
#ifndef LDR_TEST_FIXTURE_H
#define LDR_TEST_FIXTURE_H

#include "model/op.h"

/* customers(tenant, id, email, status, visits, balance, score, tags, settings, photo, token, ref, created_at,
 *           updated_at, deleted_at), key (tenant, id), unique email while deleted_at is null
 * orders(tenant, id identity, customer, parent, note), key (tenant, id), references to customers and itself
 */
enum {
  C_TENANT,
  C_ID,
  C_EMAIL,
  C_STATUS,
  C_VISITS,
  C_BALANCE,
  C_SCORE,
  C_TAGS,
  C_SETTINGS,
  C_PHOTO,
  C_TOKEN,
  C_REF,
  C_CREATED,
  C_UPDATED,
  C_DELETED,
  C_COUNT
};
enum { O_TENANT, O_ID, O_CUSTOMER, O_PARENT, O_NOTE, O_COUNT };

/* The caller releases it. NULL when memory is short (err says so) and on a fault of the fixture. */
ldr_schema *fixture_schema(ldr_err *err);

/* A full customer: one value a field. */
void fixture_customer(ldr_value row[C_COUNT]);

ldr_value fixture_text(const char *s);
ldr_value fixture_json(const char *s);
ldr_value fixture_numeric(const char *s);
ldr_value fixture_tags(void); /* {one,NULL} as text[] */

/* Well-formed operations on customers to start from. */
extern const uint16_t fixture_out[2];       /* tenant, id */
extern const ldr_order fixture_order[3];    /* created_at desc, tenant, id */
ldr_op fixture_select(const ldr_entity *e); /* fixture_out in fixture_order */
ldr_op fixture_insert(const ldr_entity *e, const ldr_value *values, size_t nrows); /* into fixture_out */
ldr_op fixture_update(const ldr_entity *e, const ldr_set *sets, unsigned n);
ldr_op fixture_aggregate(const ldr_entity *e, const ldr_agg *aggs, unsigned naggs, const ldr_group *groups,
                         unsigned ngroups);

#endif
