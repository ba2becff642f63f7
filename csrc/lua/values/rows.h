/* Result rows → Lua tables. All work on w->result.rows; false: w->err says what was wrong with the bytes. */
#ifndef LDR_LUA_VALUES_ROWS_H
#define LDR_LUA_VALUES_ROWS_H

#include "lua/values/value.h"

/* Pushes a sequence of the first w->keep rows (all when -1). */
bool l_rows_push(lua_State *L, l_work *w);
/* Takes row number i (0 …) off the stack. Not LDR_OK: w->err says why. */
typedef ldr_code l_rows_put(lua_State *L, l_work *w, size_t i, void *ud);
/* Pushes each row in turn for put; false also when that failed. */
bool l_rows_each(lua_State *L, l_work *w, l_rows_put *put, void *ud);
/* Pushes the first row; nil when there is none. */
bool l_rows_push_first(lua_State *L, l_work *w);
/* An l_expect: the one row of a write, all of which the operation gives. */
bool l_rows_expect(lua_State *L, l_work *w);
/* An l_expect: the list of the rows of an insert of several, all of which the operation gives. */
bool l_rows_expect_all(lua_State *L, l_work *w);
/* Pushes one packed row: the fields listed, or (NULL) all of the entity. */
bool l_rows_push_packed(lua_State *L, l_work *w, const ldr_entity *e, const ldr_row *r,
                        const uint16_t *fields, unsigned n);

/* ---- finish functions ---- */
int l_finish_rows(lua_State *L, l_work *w); /* rows, and with w->op->limit from a page: the cursor */
/* Of a task: the task itself, which keeps the rows, and the cursor behind them or nil; then, by task:rows(),
 * the rows. */
int l_finish_page(lua_State *L, l_work *w);
int l_finish_held(lua_State *L, l_work *w);
int l_finish_first(lua_State *L, l_work *w);    /* the first row, or nil and not_found */
int l_finish_exists(lua_State *L, l_work *w);   /* is there a row */
int l_finish_affected(lua_State *L, l_work *w); /* number of rows */
int l_finish_query(lua_State *L, l_work *w);    /* rows, affected and with w->columns their description */

#endif
