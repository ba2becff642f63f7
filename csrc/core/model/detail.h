/* The detail of an error about a constraint, in the words that PostgreSQL has for it and the names of the
 * declaration: both engines say the same. */
#ifndef LDR_MODEL_DETAIL_H
#define LDR_MODEL_DETAIL_H

#include "base/err.h"
#include "model/entity.h"

/* Key (tenant_id, email) already exists. */
void ldr_detail_duplicate(const ldr_entity *e, const ldr_unique *u, ldr_err *err);
/* Key (customer_id) is not present in table "customers". */
void ldr_detail_missing(const ldr_entity *e, const ldr_ref *r, ldr_err *err);
/* Key (id) is still referenced from table "orders". child: the entity that has r. */
void ldr_detail_referred(const ldr_entity *child, const ldr_ref *r, ldr_err *err);

#endif
