-- Lua 5.4 and LuaJIT run the same sources.
std = "min"
max_line_length = 140
max_comment_line_length = false -- annotations cannot be wrapped
max_cyclomatic_complexity = 15

files["spec"] = { std = "min+busted", read_globals = { "jit", "loadstring", math = { fields = { "tointeger" } } } }
files["lua/larder"] = { read_globals = { "ngx", "jit" } }
for _, path in ipairs { "examples/openresty", "spec/nginx/lab", "spec/nginx/loop", "spec/nginx/scope", "bench/nginx" } do
  files[path] = { std = "min+ngx_lua" }
end
