-- Lua's own assert. In a spec `assert` is luassert's, which wraps the error it raises; a function that the library calls
-- needs the error as it is.
return assert
