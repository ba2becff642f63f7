--- A TOML file with [storage] and [storage.postgres], read by whichever TOML rock is installed.

local errors = require "larder.base.errors"
local env = require "larder.config.env"

-- rock → how it reads a text
local READERS = {
  { "toml", function(rock, text) return (rock.decode or rock.parse)(text) end },
  { "tinytoml", function(rock, text) return rock.parse(text, { load_from_string = true }) end },
}

local function decode(text)
  for _, reader in ipairs(READERS) do
    local there, rock = pcall(require, reader[1])
    if there then return reader[2](rock, text) end
  end
  return nil, "no rock"
end

--- Read the file's [storage] table.
---@param path string
---@return table|nil storage  { type = …, postgres = { host = …, … } }; empty when the file has none
---@return larder.Error? err
return function(path)
  local text, err = env.slurp(path)
  if not text then return nil, err end
  local ok, document, why = pcall(decode, text)
  if ok and why == "no rock" then
    return nil, errors.new { code = "unsupported", message = "reading " .. path .. " needs a TOML rock",
      hint = "luarocks install toml (or tinytoml)" }
  elseif not ok or type(document) ~= "table" then
    return errors.invalid({ [path] = "is not valid TOML" })
  end
  local storage = document.storage or {}
  if type(storage) ~= "table" then return errors.invalid({ storage = "must be a table in " .. path }) end
  return storage
end
