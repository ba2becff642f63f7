/* What a descriptor is watched for. */
#ifndef LDR_BASE_IO_H
#define LDR_BASE_IO_H

enum { LDR_READ = 1, LDR_WRITE = 2 };

#endif
