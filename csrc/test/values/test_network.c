#include "values/network.h"

#include "support/test.h"

/* s is read as what is written as `want`; NULL: it is refused. */
static void check_inet(const char *s, bool cidr, const char *want) {
  char value[LDR_INET_MAX], text[LDR_NETWORK_TEXT];
  size_t n = ldr_inet_parse(s, strlen(s), cidr, value);
  if (n == 0) {
    CHECK_STR(want, NULL);
    return;
  }
  CHECK(ldr_inet_ok(value, n, cidr));
  text[ldr_inet_format(value, text)] = '\0';
  CHECK_STR(text, want);
}

TEST(addresses) {
  check_inet("10.1.2.3", false, "10.1.2.3");
  check_inet("10.1.2.3/32", false, "10.1.2.3");
  check_inet("10.1.2.3/0", false, "10.1.2.3/0");
  check_inet("255.255.255.255/31", false, "255.255.255.255/31");
  check_inet("::", false, "::");
  check_inet("::1/128", false, "::1");
  check_inet("1:2:3:4:5:6:7:8", false, "1:2:3:4:5:6:7:8");
  check_inet("1:2:3:4:5:6:7::", false, "1:2:3:4:5:6:7:0");
  check_inet("::2:3:4:5:6:7:8", false, "0:2:3:4:5:6:7:8");
  check_inet("FE80:0:0:0:0:0:0:1/64", false, "fe80::1/64");
  check_inet("1:0:0:2:0:0:0:3", false, "1:0:0:2::3");
  check_inet("1:0:0:2:0:0:3:4", false, "1::2:0:0:3:4");
  check_inet("::1.2.3.4", false, "::1.2.3.4");
  check_inet("::ffff:0102:0304", false, "::ffff:1.2.3.4");
  check_inet("::0:0.0.0.2", false, "::2");
  check_inet("1:2:3:4:5:6:1.2.3.4", false, "1:2:3:4:5:6:102:304");
  check_inet("1::1.2.3.4", false, "1::102:304");
}

TEST(networks) {
  check_inet("10.0.0.0/8", true, "10.0.0.0/8");
  check_inet("10.0.0.1", true, "10.0.0.1/32");
  check_inet("::/0", true, "::/0");
  check_inet("2001:db8::/32", true, "2001:db8::/32");
  check_inet("10.0.0.1/8", true, NULL);
  check_inet("10.0.0.0/6", true, NULL);
  check_inet("2001:db8::1/127", true, NULL);
}

TEST(refuses_what_is_no_address) {
  static const char *const bad[] = {"",
                                    "1",
                                    "1.2.3",
                                    "1.2.3.4.5",
                                    "1.2.3.256",
                                    "01.2.3.4",
                                    "1.2.3.4/",
                                    "1.2.3.4/33",
                                    "1.2.3.4/08",
                                    "1.2.3.4 ",
                                    " 1.2.3.4",
                                    "a.b.c.d",
                                    ":",
                                    ":::",
                                    "1:",
                                    ":1",
                                    "::1::",
                                    "1:::2",
                                    "1:2:3:4:5:6:7",
                                    "1:2:3:4:5:6:7:8:9",
                                    "1:2:3:4:5:6:7:8::",
                                    "::12345",
                                    "::g",
                                    "::1/129",
                                    "::1%lo",
                                    "::1.2.3",
                                    "::1.2.3.4:5",
                                    "1:2:3:4:5:6:7:1.2.3.4",
                                    "1:2:3:4:5:6::1.2.3.4",
                                    "1.2.3.4::"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) check_inet(bad[i], false, NULL);
}

static int order(const char *a, const char *b) {
  char x[LDR_INET_MAX], y[LDR_INET_MAX];
  CHECK(ldr_inet_parse(a, strlen(a), false, x) && ldr_inet_parse(b, strlen(b), false, y));
  CHECK_INT(ldr_inet_cmp(x, y), -ldr_inet_cmp(y, x));
  return ldr_inet_cmp(x, y);
}

TEST(order_is_by_network_first) {
  CHECK_INT(order("10.0.0.0/7", "10.0.0.0/8"), -1);
  CHECK_INT(order("10.0.0.0/8", "10.1.2.3/8"), -1);
  CHECK_INT(order("10.1.2.3/8", "10.0.0.0"), -1); /* a network comes before what is in it */
  CHECK_INT(order("11.0.0.0/8", "10.255.255.255"), 1);
  CHECK_INT(order("255.255.255.255", "::"), -1);
  CHECK_INT(order("10.1.2.3/32", "10.1.2.3"), 0);
}

static bool contains(const char *a, const char *b) {
  char x[LDR_INET_MAX], y[LDR_INET_MAX];
  CHECK(ldr_inet_parse(a, strlen(a), false, x) && ldr_inet_parse(b, strlen(b), false, y));
  return ldr_inet_contains(x, y);
}

TEST(networks_contain_their_parts) {
  CHECK(contains("10.0.0.0/8", "10.1.2.3"));
  CHECK(contains("10.9.9.9/8", "10.1.0.0/16"));
  CHECK(contains("10.1.2.3", "10.1.2.3"));
  CHECK(contains("0.0.0.0/0", "255.0.0.0/1"));
  CHECK(!contains("10.0.0.0/9", "10.128.0.0"));
  CHECK(!contains("10.1.0.0/16", "10.0.0.0/8"));
  CHECK(!contains("0.0.0.0/0", "::1"));
}

static void check_mac(const char *s, size_t size, const char *want) {
  char value[LDR_MACADDR8], text[LDR_NETWORK_TEXT];
  if (!ldr_macaddr_parse(s, strlen(s), size, value)) {
    CHECK_STR(want, NULL);
    return;
  }
  text[ldr_macaddr_format(value, size, text)] = '\0';
  CHECK_STR(text, want);
}

TEST(mac_addresses) {
  static const char *const spelt[] = {"08:00:2b:01:02:03", "08-00-2B-01-02-03", "08002b:010203",
                                      "08002b-010203",     "0800.2b01.0203",    "0800-2b01-0203",
                                      "08002b010203"};
  static const char *const bad[] = {"",
                                    "08",
                                    "08:00:2b:01:02",
                                    "08:00:2b:01:02:",
                                    ":08:00:2b:01:02:03",
                                    "08:00-2b:01:02:03",
                                    "08:00:2b:01:02:03:04",
                                    "08:00:2b:01:0203",
                                    "8:0:2b:1:2:3",
                                    "08002b.010203",
                                    "08:00:2b:01:02:0g",
                                    "08002b0102030405060708090a",
                                    "0:80:02:b0:10:20:3"};
  for (size_t i = 0; i < sizeof spelt / sizeof *spelt; i++) {
    check_mac(spelt[i], LDR_MACADDR, "08:00:2b:01:02:03");
    check_mac(spelt[i], LDR_MACADDR8, "08:00:2b:ff:fe:01:02:03");
  }
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    check_mac(bad[i], LDR_MACADDR, NULL);
    check_mac(bad[i], LDR_MACADDR8, NULL);
  }
  check_mac("08:00:2b:01:02:03:04:05", LDR_MACADDR, NULL);
  check_mac("08:00:2b:01:02:03:04:05", LDR_MACADDR8, "08:00:2b:01:02:03:04:05");
}

void test_network(void);

void test_network(void) {
  RUN(addresses);
  RUN(networks);
  RUN(refuses_what_is_no_address);
  RUN(order_is_by_network_first);
  RUN(networks_contain_their_parts);
  RUN(mac_addresses);
}
