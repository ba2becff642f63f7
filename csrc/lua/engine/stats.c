/* engine:stats() */
#include "lua/engine/stats.h"
#include "lua/base/int.h"

/* An empty table once the engine is closed. */
int l_engine_stats(lua_State *L) {
  l_engine *eng = l_box_check(L, 1, &l_engine_class);
  ldr_stat all[LDR_MAX_STATS];
  size_t n = eng->e ? eng->ops->stats(eng->e, all) : 0;
  lua_createtable(L, 0, (int)n);
  for (size_t i = 0; i < n; i++) {
    if (all[i].flag)
      lua_pushboolean(L, all[i].value != 0);
    else
      l_int_push(L, (int64_t)all[i].value);
    lua_setfield(L, -2, all[i].name);
  }
  return 1;
}
