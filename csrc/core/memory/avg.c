#include "memory/avg.h"

#include <math.h>
#include <stdio.h>

#include "values/decimal.h"
#include "values/json.h"

static bool is_zero(const ldr_buf *text) {
  for (size_t i = 0; i < text->n; i++)
    if (text->p[i] >= '1' && text->p[i] <= '9') return false;
  return true;
}

ldr_avg_end ldr_avg(const char *sum, size_t n, int64_t count, double *out) {
  char by[24];
  size_t digits = (size_t)snprintf(by, sizeof by, "%lld", (long long)count);
  ldr_buf quotient = {0};
  ldr_avg_end end = LDR_AVG_OK;
  ldr_decimal_end done = ldr_decimal_div(sum, n, by, digits, -1, &quotient);
  if (done == LDR_DECIMAL_INFINITE) { /* NaN, Infinity: the average is what the sum is */
    if (!ldr_json_read_double(sum, n, out)) end = LDR_AVG_RANGE;
  } else if (quotient.broken) {
    end = LDR_AVG_NOMEM;
  } else if (done != LDR_DECIMAL_OK || !ldr_json_read_double(quotient.p, quotient.n, out) || isinf(*out) ||
             (*out == 0 && !is_zero(&quotient))) {
    end = LDR_AVG_RANGE;
  }
  ldr_buf_free(&quotient);
  return end;
}
