/* events(id text, n int8): a store whose declaration changes. */
#ifndef LDR_TEST_EVENTS_H
#define LDR_TEST_EVENTS_H

#include "model/row.h"

typedef struct events {
  ldr_schema *schema;
  ldr_entity *e;
} events;

/* second NULL: n int8. */
ldr_code events_declare(const char *family, const char *store, const ldr_field *second, events *out,
                        ldr_err *err);
events events_of(const char *family, const ldr_field *second); /* the same, checked; store "events" */
ldr_row *event_row(const ldr_entity *e, int n);                /* id e0001, n 1 */

#endif
