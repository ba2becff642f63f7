-- A family with relations of every kind: lists, one row, rows referred to, over two fields, without a constraint.

local larder = require "larder"

local function id(name) return { name = name or "id", type = "text", default = not name and { "cuid" } or nil, max_len = 30 } end
local CREATED = { name = "created_at", type = "timestamptz", stamp = "insert", immutable = true }
local DELETED = { name = "deleted_at", type = "timestamptz", null = true }

return {
  name = "blog",
  entities = {
    {
      name = "users", table = "blog.users",
      fields = {
        id(), { name = "email", type = "text" }, { name = "name", type = "text", null = true }, CREATED,
        { name = "updated_at", type = "timestamptz", stamp = "update" }, DELETED,
      },
      key = { name = "users_pkey", "id" },
      uniques = { { name = "users_email_key", "email", where = { deleted_at = larder.null } } },
      soft_delete = "deleted_at", order = "email",
    },
    {
      name = "profiles", table = "blog.profiles",
      fields = { id "user_id", { name = "bio", type = "text" } },
      key = { name = "profiles_pkey", "user_id" },
      references = {
        { name = "profiles_user_fkey", fields = { "user_id" }, to = "users", as = "user", one = "profile", on_delete = "cascade" },
      },
    },
    {
      name = "posts", table = "blog.posts",
      fields = {
        id(), id "author_id", { name = "title", type = "text", min_len = 1, max_len = 60 },
        { name = "published", type = "bool", default = false }, { name = "likes", type = "int4", default = 0 },
        { name = "score", type = "numeric", null = true },
        { name = "metadata", type = "jsonb", default = {} }, CREATED, DELETED,
      },
      key = { name = "posts_pkey", "id" },
      references = {
        { name = "posts_author_fkey", fields = { "author_id" }, to = "users", as = "author", many = "posts" },
      },
      indexes = { { "author_id" } },
      soft_delete = "deleted_at", order = "-created_at",
    },
    {
      name = "comments", table = "blog.comments",
      fields = {
        { name = "id", type = "int8", default = { "identity" } }, id "post_id",
        { name = "user_id", type = "text", null = true }, { name = "body", type = "text" },
      },
      key = { name = "comments_pkey", "id" },
      references = {
        { name = "comments_post_fkey", fields = { "post_id" }, to = "posts", as = "post", many = "comments", on_delete = "cascade" },
        { name = "comments_user_fkey", fields = { "user_id" }, to = "users", as = "user", on_delete = "set_null" },
      },
    },
    {
      name = "roles", table = "blog.roles",
      fields = { id(), id "user_id", { name = "name", type = "text" } },
      key = { name = "roles_pkey", "id" },
      uniques = { { name = "roles_name_key", "name" } },
      references = { { name = "roles_user_fkey", fields = { "user_id" }, to = "users", as = "user", many = "roles" } },
      order = "name",
    },
    {
      name = "drafts", table = "blog.drafts",
      fields = {
        id(), { name = "body", type = "text", null = true }, { name = "settings", type = "jsonb", null = true },
        { name = "version", type = "int4", stamp = "version" }, DELETED,
      },
      key = { name = "drafts_pkey", "id" },
      soft_delete = "deleted_at",
    },
    {
      name = "visits", table = "blog.visits",
      fields = { { name = "id", type = "int8", default = { "identity" } }, id "user_id", { name = "page", type = "text" } },
      key = { name = "visits_pkey", "id" },
      indexes = { { "user_id" } },
      relations = { { fields = { "user_id" }, to = "users", as = "user", many = "visits" } },
    },
    {
      name = "teams", table = "blog.teams",
      fields = { id "org_id", id "id", { name = "name", type = "text" } },
      key = { name = "teams_pkey", "org_id", "id" },
      tenant = "org_id", scope = { "org_id" },
    },
    {
      name = "members", table = "blog.members",
      fields = {
        id "org_id", id "team_id", id "name", { name = "rank", type = "int4", default = 0 },
        { name = "boss_team_id", type = "text", null = true },
      },
      key = { name = "members_pkey", "org_id", "team_id", "name" },
      references = {
        {
          name = "members_team_fkey", fields = { "org_id", "team_id" }, to = "teams", as = "team", many = "members",
          on_delete = "cascade",
        },
        {
          name = "members_boss_fkey", fields = { "org_id", "boss_team_id" }, to = "teams", as = "boss_team",
          on_delete = "cascade",
        },
      },
      tenant = "org_id",
    },
  },
}
