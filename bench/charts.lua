-- The README's chart, from the first table of docs/performance.md: `tools/lua.sh lua5.4 bench/charts.lua` writes it.
-- spec/unit/docs_spec.lua checks that it is current.

local charts = {}

local WORKLOADS = { W1 = "get", W2 = "create", W3 = "transaction", W4 = "list", W5 = "100 gets", W6 = "bulk", W7 = "16 workers" }
-- Peers of the chart in their order, with what they are called and a color.
local PEERS = {
  { "lua-larder", "larder", "#2f6f4f" }, { "lua-luadbi", "luadbi", "#b9a36b" }, { "lua-luasql", "luasql", "#c98f5a" },
  { "py-psycopg2", "psycopg2 (Python)", "#8f9bb3" }, { "py-psycopg", "psycopg 3 (Python)", "#a9b4c7" },
  { "go-pgx4", "pgx (Go)", "#6f8fb0" },
}
local BAR, GAP, LEFT, WIDTH, SCALE = 13, 16, 110, 720, 2 -- SCALE: the ratio at the right edge

local function cells(line)
  local list = {}
  for cell in line:gmatch "|%s*([^|]-)%s*%f[|]" do list[#list + 1] = cell end
  return list
end

--- The ratios of the medians' table: peer → workload → number.
---@param text string
---@return table<string, table<string, number>> ratios
---@return string[] workloads  in the table's order
function charts.read(text)
  local part = assert(text:match "### Medians[^\n]*\n\n(.-)\n\n", "docs/performance.md has no table of medians")
  local ratios, order, heads = {}, {}, nil
  for line in (part .. "\n"):gmatch "(.-)\n" do
    local row = cells(line)
    if not heads then
      heads = row
      for i = 2, #row do order[i - 1] = row[i]:match "^W%d" end
    elseif not row[1]:find "^%-+$" then
      local of = {}
      for i = 2, #row do of[order[i - 1]] = tonumber(row[i]:match "%(([%d%.]+)%)") end
      ratios[row[1]] = of
    end
  end
  return ratios, order
end

local function svg(out, fmt, ...) out[#out + 1] = fmt:format(...) end

local function bar(out, y, peer, ratio)
  local length = math.min(ratio / SCALE, 1) * (WIDTH - LEFT - 150)
  svg(out, '<rect x="%d" y="%d" width="%.1f" height="%d" fill="%s"/>', LEFT, y, length, BAR - 2, peer[3])
  svg(out, '<text x="%.1f" y="%d">%.2f  %s</text>', LEFT + length + 6, y + BAR - 3, ratio, peer[2])
end

--- The chart as SVG.
---@param text string  of docs/performance.md
---@return string
function charts.speed(text)
  local ratios, order = charts.read(text)
  local out, y = {}, 34
  for _, workload in ipairs(order) do
    svg(out, '<text x="8" y="%d" font-weight="bold">%s</text>', y + BAR, WORKLOADS[workload])
    for _, peer in ipairs(PEERS) do
      local ratio = ratios[peer[1]] and ratios[peer[1]][workload]
      if ratio then
        bar(out, y, peer, ratio)
        y = y + BAR
      end
    end
    y = y + GAP
  end
  local one = LEFT + (WIDTH - LEFT - 150) / SCALE
  table.insert(out, 1, ('<line x1="%d" x2="%d" y1="26" y2="%d" stroke="#999" stroke-dasharray="3 3"/>'):format(one, one, y - GAP))
  table.insert(out, 1, '<text x="8" y="16">Rate beside a C program on libpq in the same run (dashed: level with it)</text>')
  return ('<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="11">\n'
    .. '<rect width="100%%" height="100%%" fill="#fff"/>\n%s\n</svg>\n'):format(WIDTH, y, table.concat(out, "\n"))
end

if arg and arg[0] and arg[0]:find "charts%.lua$" then
  local file = assert(io.open "docs/performance.md")
  local text = file:read "*a"
  file:close()
  file = assert(io.open("docs/img/speed.svg", "w"))
  file:write(charts.speed(text))
  file:close()
end

return charts
