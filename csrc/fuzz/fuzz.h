/* What the fuzz targets share. A target is one file; `make fuzz` runs each for a while under ASan and UBSan.
 */
#ifndef LDR_FUZZ_H
#define LDR_FUZZ_H

#include <stdlib.h>
#include <string.h>

#include "model/entity.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

void promise(bool held); /* a broken promise stops the run, as a fault of memory does */

/* A store with one field of each type, c00 the key; made once and kept for the whole run. */
const ldr_entity *every_type(void);

#endif
