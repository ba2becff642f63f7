/* One message of COPY TO, read into a row of every type; a row that was read can be written again. */
#include "fuzz.h"
#include "ldr_copybin.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  const ldr_entity *e = every_type();
  size_t live = ldr_mem_live();
  ldr_buf scratch = {0}, out = {0};
  ldr_value values[LDR_F_UNKNOWN];
  ldr_row *row;
  ldr_err err;
  if (ldr_copybin_read(e, (const char *)data, n, &scratch, values) == LDR_COPY_ROW &&
      ldr_row_pack(e, values, &row, &err) == LDR_OK) {
    ldr_copybin_row(e, row, &out);
    ldr_buf_reset(&scratch);
    promise(ldr_copybin_read(e, out.p, out.n, &scratch, values) == LDR_COPY_ROW);
    ldr_row_release(row);
  }
  ldr_buf_free(&scratch);
  ldr_buf_free(&out);
  promise(ldr_mem_live() == live);
  return 0;
}
