--- Exit codes of the command line tool, documented in docs/cli/README.md.
return {
  OK = 0,
  FAILED = 1,  -- it was tried and went wrong
  MISUSE = 2,  -- it was not tried: the command line, the project file or a setting is wrong
  DRIFT = 3,   -- the database is not what the declarations or files say
  PENDING = 4, -- `migrate status --exit-code`: something is to be applied
  LOCKED = 5,  -- another process holds the migration lock
}
