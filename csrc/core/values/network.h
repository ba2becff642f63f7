/* Network addresses: inet, cidr, macaddr and macaddr8, read, written and ordered as PostgreSQL does it. */
#ifndef LDR_VALUES_NETWORK_H
#define LDR_VALUES_NETWORK_H

#include <stdbool.h>
#include <stddef.h>

enum {
  LDR_NETWORK_TEXT = 64, /* bytes that hold any text made here */
  LDR_INET_MAX = 4 + 16, /* bytes of an inet's value */
  LDR_MACADDR = 6,
  LDR_MACADDR8 = 8
};

/* ---- inet, cidr: PostgreSQL's binary form: family, bits, is cidr, length, then 4 or 16 bytes ---- */

/* Is it such a form? A cidr has nothing to the right of its bits. */
bool ldr_inet_ok(const char *p, size_t n, bool cidr);
/* 10.0.0.1, 10.0.0.0/8, ::1, fe80::/10, ::ffff:1.2.3.4; all four numbers of an IPv4 address, without zeros in
 * front. Returns the length, 0: it is no such text. */
size_t ldr_inet_parse(const char *s, size_t n, bool cidr, char out[LDR_INET_MAX]);
/* As PostgreSQL prints it; returns the length. */
size_t ldr_inet_format(const char *p, char out[LDR_NETWORK_TEXT]);
/* IPv4 before IPv6, then by the bits that both have, by their number, by the address. */
int ldr_inet_cmp(const char *a, const char *b);
/* Is b's network a's, or a part of it (a >>= b)? */
bool ldr_inet_contains(const char *a, const char *b);

/* ---- macaddr (size 6), macaddr8 (size 8): the bytes as they stand ---- */

/* Pairs of digits, between all of which stands one of : - or nothing, and 0800.2b01.0203, 08002b:010203. A
 * macaddr8 takes six bytes, too: ff:fe goes into the middle. */
bool ldr_macaddr_parse(const char *s, size_t n, size_t size, char *out);
size_t ldr_macaddr_format(const char *p, size_t size, char out[LDR_NETWORK_TEXT]); /* 08:00:2b:01:02:03 */

#endif
