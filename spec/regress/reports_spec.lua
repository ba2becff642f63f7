-- Every fault that trials of larder once found, and the test that holds its right answer. The trials were: public bug reports of
-- comparable libraries, both engines against each other (twin), a first use by a stranger (first_use.lua), and poolers, clusters and
-- other majors (scale). A row is: its number, what was wrong, and specs with the titles of their tests. What is decided not to change stands in
-- docs/differences.md: there `differs` names the row of its table.

local STRICT, TWIN, VALUES = "spec/contract/strict_spec.lua", "spec/contract/twin_spec.lua", "spec/pg/values_spec.lua"
local WORDS, DRIFT, STALE = "spec/pg/words_spec.lua", "spec/pg/drift_spec.lua", "spec/pg/stale_spec.lua"
local BOTH, POSTGRES, MISUSE = "spec/regress/both_spec.lua", "spec/regress/postgres_spec.lua", "spec/unit/misuse_spec.lua"
local CONFIG, WAYS = "spec/unit/config_spec.lua", "spec/pg/migrate_ways_spec.lua"
local POOLER, SESSION, RANDOM = "spec/pg/pooler_spec.lua", "spec/pg/session_spec.lua", "spec/contract/random_spec.lua"
local RAW, ASYNC, TX = "spec/pg/raw_spec.lua", "spec/pg/async_spec.lua", "spec/contract/tx_spec.lua"
local COLLATION, LOOP = "spec/pg/collation_spec.lua", "spec/pg/loop_spec.lua"

local REPORTS = {
  ["public reports"] = {
    { "1", "a condition that reads as empty means every row", STRICT, "refuses conditions that turn out empty or odd in " },
    { "1", "rows, lists and JSON behind metatables are lost", STRICT, "refuses rows, changes and lists that hide what they hold",
      "refuses JSON and arrays that hide what they hold, by the field" },
    { "2", "a decimal comma after os.setlocale", "spec/unit/decimal_spec.lua", "and everything else do not depend on the locale" },
    { "3", "a raw statement keeps an old description", STALE, "gives its new type at once, %s, %s",
      "gives its new type in pipelines, %s, %s",
      "gives its new type in transactions, or fails to be retried, %s, %s", "takes parameters of the new type, ",
      "is not read by what another connection knew of it" },
    { "3", "parameters keep the type that a column had", STALE, "once it has changed the table itself, ",
      "seconds after another has changed it", "under another view's search_path" },
    { "4", "a column of another type than declared", DRIFT, "names %s where %s is declared, and writes nothing" },
    { "5", "migrate needs CREATE though nothing is pending", WAYS, "needs no rights when nothing is pending" },
    { "6", "connect_timeout has no effect", CONFIG, "connect_timeout counts in every form" },
    { "7", "a silent host in front uses up the time of the others", "csrc/test/postgres/protocol/test_hosts.c",
      "silent_hosts_are_passed_over", "driven_callers_get_past_a_silent_host" },
    { "8", "state of a session reaches the next caller", SESSION, "does not reach the next caller: ", "ends with the transaction: " },
    { "9", "an advisory lock stays with the connection", SESSION, "is undone when the statement fails after it locked" },
    { "10", "a migration file changes the session of the next", WAYS, "keeps what one file sets from the next" },
    { "11", "one unreadable JSON value hides a page, or a write that was done", "spec/pg/unreadable_spec.lua",
      "says so where it cannot be read, and the rest of the page is there", "does not make a write that was done an error",
      "leaves the other statements of a pipeline their answers" },
    { "12", "VACUUM fails when a deallocate travels with it", RAW, "runs what takes no transaction, however many statements were evicted" },
    { "13", "times beside a column without decoder, and the last years", VALUES, "are the same with a neighbour of another type: " },
    { "14", "real operands are not rounded in memory", TWIN, "finds a real by the number it was written with" },
    { "14", "the type of a value depends on its neighbour", VALUES, "are the same with a neighbour of another type: " },
    { "15", "no list for arrays of other types", VALUES, "take lists for arrays of any type" },
    { "16", "a call that cannot yield raises, and is done all the same", LOOP,
      "FT-l24 a call that cannot wait where it is made is refused, and nothing was sent" },
    { "16", "the same kills a worker of nginx", "spec/nginx/scope_spec.lua",
      "FT-l24 is told where a call cannot wait, and nothing was sent" },
    { "17-A", "one refused row stops the writer for all stores", ASYNC, "FT-w16 a store without a table pauses alone, and says so at once",
      "FT-w17 a locked row holds up no other store", "FT-w18 what row-level security refuses is a dead letter; missing rights are not" },
    { "17-B", "bytes of other types declared as text", DRIFT, "names %s where %s is declared, and writes nothing" },
    { "17-C", "an enum declared as text", POSTGRES, "when a column is an enum and declared text: drift, which names both types" },
    { "18", "check is silent about generated columns", POSTGRES, "when a column is generated: check names it, before an insert fails" },
    { "19-A", "a condition behind a hole is dropped", STRICT, "takes larder.all {} alone for every row" },
    { "19-B", "lists with a hole lose rows", STRICT, "refuses rows, changes and lists that hide what they hold" },
    { "19-B", "the same in a transfer", BOTH, "when a filter in an aggregate or a transfer is misspelt" },
    { "19-C", "misspelt options and stores are ignored", MISUSE, "of %s:%s raises at the caller's line",
      "of larder.%s raises at the caller's line" },
    { "19-C", "the same in methods of the built-in families", "spec/unit/misuse_families_spec.lua", "in %s:%s is told, and does nothing" },
    { "20", "cursors evict the statements in use", POSTGRES,
      "when cursors are opened by the hundred: the statements in use stay prepared" },
    { "21", "JSON numbers change silently", BOTH,
      "when a row that was read is written back: JSON numbers beyond a double and 64 bits",
      "when a JSON number is too large for a double: it is read, compared and written back, and is no infinity" },
    { "22", "a connection string is not valid, and nothing says why", CONFIG, "faults are invalid and name the field",
      "a URI keeps what is libpq's and gives the pool what is the pool's" },
    { "23", "codes and words depend on the server's language", "spec/pg/language_spec.lua",
      "has the same codes, words and details in every language" },
    { "24", "nil without an error where a trigger takes the row", WORDS,
      "say that a trigger took the row: create and upsert never answer nil without an error" },
    { "24", "the same for changes, and for rows written later", POSTGRES,
      "when a trigger takes a change: that it was not stored, and not that there is no row",
      "when a trigger takes a row that is written later: it is refused, and no duplicate",
      "when a policy lets a row be written and not read: it is written later like any other" },
    { "24", "triggers, rules and constraints that speak late", "spec/pg/triggers_spec.lua",
      "of a bulk with another content than its source undo all of it", "that fail at commit are the answer" },
    { "25", "COMMIT in a migration file", POSTGRES, "when a file commits: refused before anything runs, also inside of DO" },
    { "26", "partitions have names of their own", WORDS, "name a partition's unique as it is declared",
      "say that no partition takes the row" },
    { "26", "the same for references and bulk loads", POSTGRES,
      "when a partitioned table is referred to, or met by many rows at once: the declared names" },
    { "26-B", "the words of RAISE are thrown away", WORDS, "are kept when a function raises them, whatever its SQLSTATE" },
    { "27", "a key longer than an index takes", BOTH, "when a key is longer than an index takes", differs = "2,700 bytes" },
    { "28", "two columns with one name", VALUES, "are refused where two columns have one name" },
    { "29", "a coroutine inside a transaction is outside of it", BOTH, "when a coroutine works inside a transaction that resumes it" },
    { "29", "and what it joins", TX, "are joined by the coroutines that theirs resumes",
      "are not joined by coroutines that theirs does not wait for" },
    { "30", "a loop that is left early keeps its connection", RAW,
      "gives the connection of a loop that was left early back by close, or when the pool is full",
      "is a cursor among the holders that a full pool names" },
    { "31", "a server that only reads", POSTGRES,
      "when a session of the server only reads for a while: permission, which may be tried again" },
    { "32", "tables of key columns alone", BOTH, "when a bulk of key columns alone meets rows that are there" },
    { "33", "a file in capitals is left out, a carriage return is lost", POSTGRES,
      "when a file's name ends in capitals: it is named, and not left out",
        "when a text in a file holds a carriage return: it is stored" },
    { "a", "times as PostgreSQL prints them are refused", BOTH, "for every time that PostgreSQL prints or commonly accepts" },
    { "b", "each sorts what is left for every page", "spec/pg/each_spec.lua",
      "sorts once: it holds one connection, where an index has the order none" },
    { "b", "no index serves pages of plain texts", COLLATION, "uses the indexes for pages and ranges in ",
      "goes through all rows without a sort, in a collation of its own", "is named by check where indexes cannot serve, with what to do" },
  },
  twin = {
    { "1", "reals as operands", TWIN, "finds a real by the number it was written with",
      "applies a partial unique whose condition is a real" },
    { "2", "JSON too deep to be read again", TWIN, "reads back what append and merge made, however deep" },
    { "3", "contains on json[]", TWIN, "refuses contains on json[] before an engine is asked" },
    { "4", "append of an excluded null", TWIN, "appends a proposed null to a null array: an empty one" },
    { "5, 6", "averages at the edges of a double", TWIN, "averages what is beyond a double by an error, and floats without overflow" },
    { "7", "time buckets before the first day", TWIN, "refuses a time bucket that begins before time does" },
    { "8", "negative zeros, equal numbers", TWIN, "keeps the sign of a zero sum, and of equal numbers the last",
      differs = "`min` or `max`" },
    { "9", "a sum that overflows in a group cut off", RANDOM, "leave memory and PostgreSQL without a difference (seed %d)",
      differs = "a sum beyond int8" },
    { "10", "lock = share", TWIN, "shares rows that are locked by share" },
    { "11", "a child holds its parent", TWIN,
      "holds a parent while its child is not yet committed, against all but changes of other fields" },
    { "12", "several rows deleted at once", RANDOM, "leave memory and PostgreSQL without a difference (seed %d)",
      differs = "several rows deleted" },
    { "13", "one row twice in an upsert", TWIN, "calls a row that one upsert would change twice invalid" },
    { "14", "a target that is every unique", TWIN, "needs one unique for an update on conflict" },
    { "15", "get and exists without a key", TWIN, "raises where get and exists have no key, at the caller's line" },
    { "16", "long values in keys", BOTH, "when a key is longer than an index takes", differs = "2,700 bytes" },
    { "17", "a field called larder_n", TWIN, "takes larder_n for a name like any other" },
    { "18", "65,535 values", TWIN, "has one limit for the number of conditions" },
    { "19", "words of read-only and locks", TWIN, "says in the same words that a transaction only reads" },
    { "20", "a pattern that ends in an escape", TWIN, "refuses a pattern that ends in the middle of an escape, whatever rows there are" },
    { "both", "get_many misses other spellings", "spec/contract/get_many_spec.lua", "finds a row by every spelling of a key of type " },
    { "both", "increment passes min and max", TWIN, "holds declared limits through increment" },
    { "both", "raw errors of Lua", BOTH, "when options are wrong in ways that were once raw errors of Lua" },
    { "both", "a lack of memory is told as a bad value", "spec/unit/binding_oom_spec.lua", "" },
  },
  scale = {
    { "A1", "PgBouncer is found without effect", POOLER, "is found, and names no statement" },
    { "A2", "statements of other clients", POOLER, "never fails by a statement of another client" },
    { "A4", "migrations through a pooler", "spec/pg/migrate_faults_spec.lua",
      "FT-31 migrations are refused behind a transaction pooler, with what to do" },
    { "A4", "no URL for migrations", CONFIG,
      "migrations go where LARDER_MIGRATIONS_URL says, or POSTGRES_URL_NON_POOLING beside DATABASE_URL" },
    { "A5", "settings reach others through a pooler", POOLER, "leaves nothing of a statement's session to others" },
    { "A5", "close leaves statements running behind a pooler", POOLER, "ends what is under way when the database is closed" },
    { "C", "counts that Citus gets wrong", "csrc/test/postgres/statement/test_sqlwrite.c", "skipped_rows_are_counted_by_what_comes_back" },
    { "C", "names of shards in errors", "csrc/test/postgres/protocol/test_errors.c", "" },
    { "E", "23001 of PostgreSQL 18", BOTH, "when a restricted row is deleted, by code, constraint and words" },
  },
}

for name, rows in pairs(require "spec.regress.first_use") do REPORTS[name] = rows end

local function slurp(path)
  local file = assert(io.open(path, "rb"), path .. " is named here and is not there")
  local text = file:read "*a"
  file:close()
  return text
end

describe("every fault that a trial found", function()
  local differences = slurp "docs/differences.md"
  for trial, rows in pairs(REPORTS) do
    for _, row in ipairs(rows) do
      it(("has its test: %s %s, %s"):format(trial, row[1], row[2]), function()
        assert.is_truthy(row[4] or row.docs or row.differs, "it has none")
        local text = row[3] and slurp(row[3])
        for i = 4, #row do
          assert.is_truthy(text:find(row[i], 1, true), row[3] .. " has no test called " .. row[i])
        end
        if row.differs then assert.is_truthy(differences:find(row.differs, 1, true), "docs/differences.md: " .. row.differs) end
        if row.docs then assert.is_truthy(slurp(row.docs[1]):find(row.docs[2], 1, true), row.docs[1] .. " does not say " .. row.docs[2]) end
      end)
    end
    if rows.count then
      it("is listed: " .. trial, function()
        local there = {}
        for _, row in ipairs(rows) do there[row[1]] = true end
        for i = 1, rows.count do assert.is_true(there[tostring(i)] == true, trial .. " has no row " .. i) end
      end)
    end
  end
end)
