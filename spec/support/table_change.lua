--- Transactions around a change of a table: while it stores rows as they are given, behind the change, and behind the way back.
-- case: { name, statements that change it, the one that undoes that; before = statements that come first and change nothing yet }
---@param case table
---@param first integer  transactions before anything changes
---@param transactions fun(n: integer)  runs n of them
---@param must fun(...: string)  runs statements as somebody else
return function(case, first, transactions, must)
  local unpack = table.unpack or unpack -- luacheck: ignore 113 143
  transactions(first)
  if case.before then must(unpack(case.before)) end
  transactions(2)
  must(unpack(case[2]))
  transactions(3)
  if case[3] then must(case[3]) end
  transactions(3)
end
