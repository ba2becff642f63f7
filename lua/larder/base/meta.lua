---@meta larder.meta
-- Annotations only, for lua-language-server; never required.

--- Types of the built-in families, so that `db:stores "auth"` completes and checks.

---@class larder.Error
---@field code "not_found"|"invalid"|"conflict"|"foreign_key"|"check"|"not_null"|"serialization"|"deadlock"|"lock_timeout"|"timeout"|"canceled"|"pool_timeout"|"connection"|"commit_unknown"|"permission"|"capacity"|"unsupported"|"unauthorized"|"closed"|"dirty"|"locked"|"drift"|"syntax"|"internal"
---@field message string
---@field sqlstate? string
---@field constraint? string
---@field table? string
---@field column? string
---@field fields? table<string, string>  field → what is wrong with it
---@field detail? string
---@field hint? string
---@field store? string
---@field op? string
---@field file? string         of a migration
---@field line? integer        in the file or statement, from 1
---@field place? integer       the character in that line, from 1
---@field reason? string      unauthorized: malformed, unknown, revoked, expired; migrations: edited, missing, …
---@field retryable boolean   repeating the whole transaction may succeed

--- `larder.null`.
---@alias larder.Null lightuserdata

--- A range as it is written; it is read as a text. A bound that is missing has no end.
---@class larder.Range
---@field lower? string|number|larder.Decimal|larder.Null
---@field upper? string|number|larder.Decimal|larder.Null
---@field bounds? "[)"|"[]"|"()"|"(]"  "[)" when it is missing

---@class larder.Operators
---@field eq? any
---@field ne? any
---@field is_null? boolean
---@field in? any[]
---@field not_in? any[]
---@field contains? any  of JSON, arrays and ranges; a range also contains one value
---@field overlaps? any  of arrays and ranges
---@field has_key? string

---@class larder.NumberOperators: larder.Operators
---@field eq? number
---@field ne? number
---@field lt? number
---@field lte? number
---@field gt? number
---@field gte? number

---@class larder.TextOperators: larder.Operators
---@field lt? string|number|larder.Decimal
---@field lte? string|number|larder.Decimal
---@field gt? string|number|larder.Decimal
---@field gte? string|number|larder.Decimal
---@field like? string
---@field ilike? string

---@class larder.Db
---@field stores fun(self: larder.Db, family: "auth"): larder.auth.Stores

---@class larder.auth.Stores
---@field tenants larder.auth.Tenants
---@field apps larder.auth.Apps
---@field branches larder.auth.Branches
---@field users larder.auth.Users
---@field user_apps larder.auth.UserApps
---@field app_keys larder.auth.AppKeys

---@class larder.auth.Tenant
---@field id string
---@field name string
---@field domain? string
---@field db_dsn string
---@field db_schema string
---@field status? "active"|"suspended"|"deleted"
---@field config? table
---@field settings? table
---@field metadata? table
---@field created_at? string
---@field updated_at? string
---@field deleted_at? string

---@class larder.auth.Tenants: larder.Store
---@field create fun(self, row: larder.auth.Tenant): larder.auth.Tenant|nil, larder.Error?
---@field get fun(self, id: string, opts?: larder.ReadOptions): larder.auth.Tenant|nil, larder.Error?
---@field get_by_name fun(self, name: string): larder.auth.Tenant|nil, larder.Error?
---@field list fun(self, opts?: larder.ListOptions): larder.auth.Tenant[]|nil, larder.ListAnswer
---@field update fun(self, row: larder.auth.Tenant, opts?: larder.UpdateOptions): larder.auth.Tenant|nil, larder.Error?
---@field patch fun(self, id: string, changes: table): larder.auth.Tenant|nil, larder.Error?
---@field delete fun(self, id: string): true|nil, integer|larder.Error
---@field soft_delete fun(self, id: string): true|nil, integer|larder.Error
---@field exists fun(self, id: string): boolean|nil, larder.Error?

---@class larder.auth.App
---@field tenant_id string
---@field id string
---@field name string
---@field type? "web"|"mobile"|"api"|"desktop"|"service"
---@field status? "active"|"disabled"
---@field config? table
---@field metadata? table
---@field created_at? string
---@field updated_at? string

---@class larder.auth.Apps: larder.Store
---@field create fun(self, row: larder.auth.App): larder.auth.App|nil, larder.Error?
---@field get fun(self, tenant_id: string, id: string): larder.auth.App|nil, larder.Error?
---@field get_by_name fun(self, tenant_id: string, name: string): larder.auth.App|nil, larder.Error?
---@field list fun(self, tenant_id: string, opts?: larder.ListOptions): larder.auth.App[]|nil, larder.ListAnswer
---@field list_by_type fun(self, tenant_id: string, type: string, opts?: larder.ListOptions): larder.auth.App[]|nil, larder.ListAnswer
---@field update fun(self, row: larder.auth.App, opts?: larder.UpdateOptions): larder.auth.App|nil, larder.Error?
---@field patch fun(self, tenant_id: string, id: string, changes: table): larder.auth.App|nil, larder.Error?
---@field delete fun(self, tenant_id: string, id: string): true|nil, integer|larder.Error
---@field exists fun(self, tenant_id: string, id: string): boolean|nil, larder.Error?

---@class larder.auth.Branch
---@field tenant_id string
---@field app_id string
---@field id string
---@field code string
---@field name string
---@field type? "headquarters"|"regional"|"store"|"warehouse"|"franchise"|"office"|"other"
---@field status? "active"|"disabled"
---@field address? { street?: string, city?: string, state?: string, country?: string, postal_code?: string, latitude?: number, longitude?: number }
---@field contact? { phone?: string, email?: string, fax?: string }
---@field settings? table
---@field metadata? table
---@field created_at? string
---@field updated_at? string

---@class larder.auth.Branches: larder.Store
---@field create fun(self, row: larder.auth.Branch): larder.auth.Branch|nil, larder.Error?
---@field get fun(self, tenant_id: string, app_id: string, id: string): larder.auth.Branch|nil, larder.Error?
---@field get_by_code fun(self, tenant_id: string, app_id: string, code: string): larder.auth.Branch|nil, larder.Error?
---@field list fun(self, tenant_id: string, app_id: string, opts?: larder.ListOptions): larder.auth.Branch[]|nil, larder.ListAnswer
---@field list_by_type fun(self, tenant_id: string, app_id: string, type: string, opts?: larder.ListOptions): larder.auth.Branch[]|nil, larder.ListAnswer
---@field update fun(self, row: larder.auth.Branch, opts?: larder.UpdateOptions): larder.auth.Branch|nil, larder.Error?
---@field patch fun(self, tenant_id: string, app_id: string, id: string, changes: table): larder.auth.Branch|nil, larder.Error?
---@field delete fun(self, tenant_id: string, app_id: string, id: string): true|nil, integer|larder.Error
---@field exists fun(self, tenant_id: string, app_id: string, id: string): boolean|nil, larder.Error?
---@field full_address fun(self, row: larder.auth.Branch): string

---@class larder.auth.User
---@field tenant_id string
---@field id string
---@field username string
---@field email string
---@field full_name? string
---@field status? "active"|"suspended"|"deleted"
---@field metadata? table
---@field created_at? string
---@field updated_at? string
---@field deleted_at? string

---@class larder.auth.Users: larder.Store
---@field create fun(self, row: larder.auth.User): larder.auth.User|nil, larder.Error?
---@field get fun(self, tenant_id: string, id: string, opts?: larder.ReadOptions): larder.auth.User|nil, larder.Error?
---@field get_by_username fun(self, tenant_id: string, username: string): larder.auth.User|nil, larder.Error?
---@field get_by_email fun(self, tenant_id: string, email: string): larder.auth.User|nil, larder.Error?
---@field list fun(self, tenant_id: string, opts?: larder.ListOptions): larder.auth.User[]|nil, larder.ListAnswer
---@field list_by_app fun(self, tenant_id: string, app_id: string, opts?: larder.ListOptions): larder.auth.User[]|nil, larder.ListAnswer
---@field update fun(self, row: larder.auth.User, opts?: larder.UpdateOptions): larder.auth.User|nil, larder.Error?
---@field patch fun(self, tenant_id: string, id: string, changes: table): larder.auth.User|nil, larder.Error?
---@field delete fun(self, tenant_id: string, id: string): true|nil, integer|larder.Error
---@field soft_delete fun(self, tenant_id: string, id: string): true|nil, integer|larder.Error
---@field exists fun(self, tenant_id: string, id: string): boolean|nil, larder.Error?
---@field set_password fun(self, tenant_id: string, id: string, password: string): true|nil, larder.Error?
---@field check_password fun(self, tenant_id: string, id: string, password: string): boolean|nil, larder.Error?
---@field remove_password fun(self, tenant_id: string, id: string): true|nil, larder.Error?

---@class larder.auth.Grant
---@field tenant_id string
---@field app_id string
---@field user_id string
---@field status "active"|"revoked"
---@field granted_at string
---@field revoked_at? string

---@class larder.auth.UserApps: larder.Store
---@field grant fun(self, tenant_id: string, app_id: string, user_id: string): larder.auth.Grant|nil, larder.Error?
---@field revoke fun(self, tenant_id: string, app_id: string, user_id: string): true|nil, integer|larder.Error
---@field has_access fun(self, tenant_id: string, app_id: string, user_id: string): boolean|nil, larder.Error?
---@field list_user_apps fun(self, tenant_id: string, user_id: string, opts?: larder.ListOptions): string[]|nil, larder.ListAnswer
---@field list_app_users fun(self, tenant_id: string, app_id: string, opts?: larder.ListOptions): string[]|nil, larder.ListAnswer

---@class larder.auth.AppKey
---@field tenant_id string
---@field id string
---@field app_id string
---@field key_id string
---@field prefix string
---@field key_type? string
---@field environment? "live"|"test"
---@field user_id? string
---@field name string
---@field scopes? string[]
---@field metadata? table
---@field created_at? string
---@field expires_at? string
---@field last_used? string
---@field revoked? boolean
---@field revoked_at? string

---@class larder.auth.AppKeys: larder.Store
---@field create fun(self, row: larder.auth.AppKey|{ secret_hash: string }): larder.auth.AppKey|nil, larder.Error?
---@field get fun(self, id: string): larder.auth.AppKey|nil, larder.Error?
---@field get_by_key_id fun(self, tenant_id: string, app_id: string, key_id: string): larder.auth.AppKey|nil, larder.Error?
---@field list_by_app fun(self, tenant_id: string, app_id: string, opts?: larder.ListOptions): larder.auth.AppKey[]|nil, larder.ListAnswer
---@field list_by_tenant fun(self, tenant_id: string, opts?: larder.ListOptions): larder.auth.AppKey[]|nil, larder.ListAnswer
