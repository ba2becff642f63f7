-- luv, the same in all spec files; false when there is none for this Lua.
--
-- busted forgets a file's modules when the file is over. A luv that is loaded again would bring a loop of its own and
-- free the first one, with the handles that are still in it: the process would crash.

local kept = debug.getregistry()

if kept.spec_luv == nil then
  local found, uv = pcall(require, "luv")
  kept.spec_luv = found and uv
end
if kept.spec_luv then package.loaded.luv = kept.spec_luv end
return kept.spec_luv
