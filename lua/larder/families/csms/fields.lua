--- Fields that several stores of the family declare.

local fields = {}

local STATION_LEN = 48 -- characters of a charge station's identity in OCPP

local function with(field, more)
  for k, v in pairs(more or {}) do field[k] = v end
  return field
end

--- The charge station a row belongs to: the column that distributes every table which has it.
fields.STATION = { name = "charge_station_id", type = "text", min_len = 1, max_len = STATION_LEN }

fields.CREATED = { name = "created_at", type = "timestamptz", stamp = "insert", immutable = true }
fields.UPDATED = { name = "updated_at", type = "timestamptz", stamp = "update" }

--- When a pending record may be sent; null: at once.
fields.SEND_AFTER = { name = "send_after", type = "timestamptz", null = true }

--- A text that is not empty.
function fields.text(name, max_len, more)
  return with({ name = name, type = "text", min_len = 1, max_len = max_len }, more)
end

--- A text that may be missing.
function fields.maybe_text(name, max_len)
  return { name = name, type = "text", null = true, max_len = max_len }
end

--- One of some words; required.
function fields.word(name, words)
  return { name = name, type = "text", enum = words }
end

--- One of some words, or none.
function fields.maybe_word(name, words)
  return { name = name, type = "text", null = true, enum = words }
end

--- One of some words, `words[1]` by default.
function fields.status(name, words)
  return { name = name, type = "text", enum = words, default = words[1] }
end

function fields.int(name, more)
  return with({ name = name, type = "int4" }, more)
end

--- An id that a charge station gives: not negative.
function fields.id(name, more)
  return with({ name = name, type = "int4", min = 0 }, more)
end

function fields.maybe_int(name)
  return { name = name, type = "int4", null = true }
end

function fields.time(name)
  return { name = name, type = "timestamptz" }
end

function fields.maybe_time(name)
  return { name = name, type = "timestamptz", null = true }
end

function fields.flag(name, default)
  return { name = name, type = "bool", default = default }
end

function fields.json(name, more)
  return with({ name = name, type = "jsonb" }, more)
end

return fields
