-- Random numbers that are the same on every Lua: Lehmer's generator, exact in a double.

local rng = { state = 1 }

function rng.seed(n) rng.state = n % 2147483646 + 1 end

--- 1 to n.
function rng.int(n)
  rng.state = rng.state * 48271 % 2147483647
  return rng.state % n + 1
end

function rng.chance(percent) return rng.int(100) <= percent end
function rng.pick(list) return list[rng.int(#list)] end

return rng
