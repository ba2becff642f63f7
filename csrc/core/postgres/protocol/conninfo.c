#define _GNU_SOURCE
#include "postgres/protocol/conninfo.h"

#include <string.h>

/* What larder adds unless the caller gives it. Keepalives find a dead peer while an answer is awaited,
 * tcp_user_timeout while data is unacknowledged; neither does the other's work. */
static const struct {
  const char *keyword, *value;
} defaults[] = {{"fallback_application_name", "larder"},
                {"keepalives_idle", "30"},
                {"keepalives_interval", "10"},
                {"keepalives_count", "3"},
                {"tcp_user_timeout", "30000"}};

static bool add_setting(ldr_conninfo *i, const char *keyword, const char *value) {
  i->keywords[i->n] = ldr_strndup(keyword, strlen(keyword));
  i->values[i->n] = ldr_strndup(value, strlen(value));
  i->n++;
  return i->keywords[i->n - 1] && i->values[i->n - 1];
}

static const char *given(const char *const *keywords, const char *const *values, const char *name) {
  for (size_t i = 0; keywords[i]; i++)
    if (strcmp(keywords[i], name) == 0) return values[i];
  return NULL;
}

/* user:p@ss@host is read as password "p" and host "ss@host", which a message would then quote. */
static ldr_code check_host(const char *host, ldr_err *err) {
  const char *at = host ? strchr(host, '@') : NULL;
  for (; at; at = strchr(at + 1, '@'))
    if (at != host && at[-1] != ',') /* else an abstract unix socket */
      return ldr_fail(err, LDR_INVALID, "the host holds an '@': in a URI, write %%40 for '@' in a password");
  return LDR_OK;
}

ldr_code ldr_conninfo_new(const char *const *keywords, const char *const *values, ldr_conninfo **out,
                          ldr_err *err) {
  size_t n = 0, room;
  ldr_conninfo *i;
  ldr_code code = check_host(given(keywords, values, "host"), err);
  if (code) return code;
  while (keywords[n]) n++;
  room = n + sizeof defaults / sizeof *defaults + 2;
  i = ldr_alloc(sizeof *i);
  if (i == NULL) return ldr_fail_nomem(err);
  i->keywords = ldr_alloc_array(room, sizeof(char *));
  i->values = ldr_alloc_array(room, sizeof(char *));
  if (i->keywords == NULL || i->values == NULL) goto nomem;
  for (size_t k = 0; k < n; k++)
    if (values[k] && strcmp(keywords[k], "client_encoding") != 0 && !add_setting(i, keywords[k], values[k]))
      goto nomem;
  for (size_t k = 0; k < sizeof defaults / sizeof *defaults; k++)
    if (given(keywords, values, defaults[k].keyword) == NULL &&
        !add_setting(i, defaults[k].keyword, defaults[k].value))
      goto nomem;
  if (!add_setting(i, "client_encoding", "UTF8")) goto nomem;
  *out = i;
  return LDR_OK;
nomem:
  ldr_conninfo_free(i);
  return ldr_fail_nomem(err);
}

void ldr_conninfo_free(ldr_conninfo *i) {
  if (i == NULL) return;
  for (size_t k = 0; k < i->n; k++) {
    if (i->values[k]) explicit_bzero(i->values[k], strlen(i->values[k]));
    ldr_free(i->keywords[k]);
    ldr_free(i->values[k]);
  }
  ldr_free(i->keywords);
  ldr_free(i->values);
  ldr_free(i);
}

const char **ldr_conninfo_merge(const ldr_conninfo *i, const char *const more[][2]) {
  const size_t n = i->n + LDR_CONNINFO_MORE;
  const char **keywords = ldr_alloc_array(2 * (n + 1), sizeof *keywords);
  const char **values = keywords ? keywords + n + 1 : NULL;
  for (size_t k = 0; keywords && k < n; k++) {
    keywords[k] = k < i->n ? i->keywords[k] : more[k - i->n][0];
    values[k] = k < i->n ? i->values[k] : more[k - i->n][1];
  }
  return keywords;
}
