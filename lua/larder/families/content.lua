--- Family `content`: users, their posts and their roles. Users and posts are marked when they are deleted, roles are
-- gone. `content.declaration { global_role_names = true }` is the same family where a role's name is held once in all.

local posts = require "larder.families.content.posts"
local roles = require "larder.families.content.roles"
local users = require "larder.families.content.users"

local NEWEST_FIRST = { "-created_at", "id" }

local ID = { name = "id", type = "text", min_len = 1, max_len = 30, default = { "cuid" } }
local CREATED = { name = "created_at", type = "timestamptz", stamp = "insert", immutable = true }
local UPDATED = { name = "updated_at", type = "timestamptz", stamp = "update" }
local DELETED = { name = "deleted_at", type = "timestamptz", null = true }

local core = require "larder.core"

local user_store = {
  name = "users",
  table = "content.users",
  fields = {
    ID,
    { name = "email", type = "text", min_len = 1, max_len = 255 },
    { name = "name", type = "text", null = true, max_len = 255 },
    CREATED,
    UPDATED,
    DELETED,
  },
  key = { name = "users_pkey", "id" },
  uniques = { { name = "unique_user_email", "email", where = { deleted_at = core.null } } },
  indexes = { NEWEST_FIRST },
  soft_delete = "deleted_at",
  order = NEWEST_FIRST,
  methods = users,
}

local post_store = {
  name = "posts",
  table = "content.posts",
  fields = {
    ID,
    { name = "author_id", type = "text", min_len = 1, max_len = 30 },
    { name = "title", type = "text", min_len = 1, max_len = 255 },
    { name = "content", type = "text", null = true },
    { name = "published", type = "bool", default = false },
    { name = "metadata", type = "jsonb", default = {} },
    CREATED,
    UPDATED,
    DELETED,
  },
  key = { name = "posts_pkey", "id" },
  references = {
    { name = "posts_author_fkey", fields = { "author_id" }, to = "users", on_delete = "restrict", as = "author", many = "posts" },
  },
  indexes = { NEWEST_FIRST, { "author_id", "-created_at", "id" }, { "published", "-created_at", "id" } },
  soft_delete = "deleted_at",
  order = NEWEST_FIRST,
  filters = { published = "published", author_id = "author_id" },
  search = { vector = "search_vector", config = "english", headline = "content" },
  methods = posts,
}

local function role_store(global)
  local unique = { name = "unique_role_name_per_user", "user_id", "name" }
  if global then unique = { name = "unique_role_name", "name" } end
  return {
    name = "roles",
    table = "content.roles",
    fields = {
      ID,
      { name = "user_id", type = "text", min_len = 1, max_len = 30 },
      { name = "name", type = "text", min_len = 1, max_len = 50 },
      { name = "description", type = "text", null = true },
      CREATED,
    },
    key = { name = "roles_pkey", "id" },
    uniques = { unique },
    references = {
      { name = "roles_user_fkey", fields = { "user_id" }, to = "users", on_delete = "restrict", as = "user", many = "roles" },
    },
    indexes = { NEWEST_FIRST },
    order = NEWEST_FIRST,
    methods = roles,
  }
end

local content = {}

--- The family's declaration, for `larder.declare`.
---@param opts? { name?: string, global_role_names?: boolean }
-- global_role_names: a role's name is held by one user only; the table then needs
-- `alter table content.roles add constraint unique_role_name unique (name)` in place of unique_role_name_per_user
---@return table
function content.declaration(opts)
  return {
    name = opts and opts.name or "content",
    entities = { user_store, post_store, role_store(opts and opts.global_role_names) },
  }
end

local declaration = content.declaration()
content.name, content.entities = declaration.name, declaration.entities
return setmetatable({ name = content.name, entities = content.entities }, { __index = content })
