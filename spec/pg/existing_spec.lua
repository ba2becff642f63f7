-- Databases that were not made for larder, of the shapes that people meet: pulled, declared, without drift, read and written.

local larder = require "larder"
local check = require "larder.migrate.check"
local pull = require "larder.migrate.pull"

local url = assert(os.getenv "LARDER_TEST_URL", "LARDER_TEST_URL is not set")
local load = rawget(_G, "loadstring") or load

-- A shop that rents films: serial keys, an enum, a domain, timestamps of the server, a view, many to many.
local RENTAL = [==[
create schema rental;
create type rental.rating as enum ('G', 'PG', 'PG-13', 'R', 'NC-17');
create domain rental.year as integer check (value between 1901 and 2155);
create table rental.actor (actor_id serial primary key, first_name varchar(45) not null, last_name varchar(45) not null,
  last_update timestamp not null default now());
create table rental.film (film_id serial primary key, title text not null, release_year rental.year,
  rental_duration smallint not null default 3, rental_rate numeric(4,2) not null default 4.99,
  rating rental.rating default 'G', special_features text[], fulltext tsvector,
  last_update timestamp not null default now());
create index film_title_idx on rental.film (title);
create function rental.search_words() returns trigger language plpgsql as $$ begin
  new.fulltext := to_tsvector('english', coalesce(new.title, '')); return new; end $$;
create trigger film_words before insert or update on rental.film for each row execute function rental.search_words();
create index film_fulltext_idx on rental.film using gist (fulltext);
create table rental.staff (staff_id serial primary key, email citext unique, picture bytea, last_ip inet,
  cost numeric(5,2) not null default 19.99 check (cost >= 0),
  share float8 check (share between 0.5 and 1.5), hired date check (hired >= '1990-01-01'));
create table rental.film_actor (actor_id smallint not null, film_id smallint not null, last_update timestamp not null default now(),
  primary key (actor_id, film_id));
create table rental.customer (customer_id int generated always as identity primary key, email varchar(50),
  active boolean not null default true, create_date date not null default current_date, joined interval);
create table rental.payment (payment_id serial, customer_id int not null references rental.customer, amount numeric(5,2) not null,
  payment_date timestamptz not null, primary key (payment_id, payment_date)) partition by range (payment_date);
create table rental.payment_rest partition of rental.payment default;
create view rental.nice_film as select film_id, title from rental.film where rating = 'G';
create materialized view rental.sales as select customer_id, sum(amount) as total from rental.payment group by customer_id;
create unique index sales_customer on rental.sales (customer_id);
]==]

-- A music store whose names have capitals, as some tools write them.
local MUSIC = [==[
create schema music;
create table music."Artist" ("ArtistId" int not null, "Name" varchar(120), constraint "PK_Artist" primary key ("ArtistId"));
create table music."Album" ("AlbumId" int not null, "Title" varchar(160) not null, "ArtistId" int not null,
  constraint "PK_Album" primary key ("AlbumId"),
  constraint "FK_AlbumArtistId" foreign key ("ArtistId") references music."Artist" ("ArtistId") on delete no action);
create index "IFK_AlbumArtistId" on music."Album" ("ArtistId");
create table music."Invoice" ("InvoiceId" int not null, "InvoiceDate" timestamp not null, "Total" numeric(10,2) not null,
  "Order" int, "BillingState" char(2), constraint "PK_Invoice" primary key ("InvoiceId"));
create table music."InvoiceLine" ("InvoiceLineId" int not null, "InvoiceId" int not null, "UnitPrice" numeric(10,2) not null,
  "Quantity" int not null, "Total" numeric generated always as ("UnitPrice" * "Quantity") stored,
  constraint "PK_InvoiceLine" primary key ("InvoiceLineId"),
  constraint "FK_InvoiceLineInvoiceId" foreign key ("InvoiceId") references music."Invoice" ("InvoiceId"));
]==]

-- What an object mapper for another language makes: texts as keys, camel case, milliseconds, an enum, jsonb.
local MAPPED = [==[
create schema mapped;
create type mapped."Role" as enum ('USER', 'ADMIN');
create table mapped."User" (id text not null, email text not null, role mapped."Role" not null default 'USER',
  "createdAt" timestamp(3) not null default current_timestamp, "updatedAt" timestamp(3) not null, constraint "User_pkey" primary key (id));
create unique index "User_email_key" on mapped."User" (email);
create table mapped."Post" (id bigserial not null, title varchar(255) not null, body jsonb, "authorId" text not null,
  tags text[] default array[]::text[], constraint "Post_pkey" primary key (id),
  constraint "Post_authorId_fkey" foreign key ("authorId") references mapped."User" (id) on delete restrict on update cascade);
]==]

describe("an existing database", function()
  local db

  local function script(sql)
    local session = assert(db._engine:session {})
    if sql:find "citext" then sql = "drop extension if exists citext cascade; create extension citext schema public;" .. sql end
    local ok, err = session:script(sql)
    session:rollback()
    assert(ok, tostring(err))
  end

  -- The stores that pull writes of the schema; and what check has to say of them, but for collations.
  local function stores_of(schema, sql)
    assert(db:query("drop schema if exists " .. schema .. " cascade"))
    script(sql)
    local text = pull.text(assert(pull.read(db, schema)))
    assert(load(text, "=" .. schema))()
    local drift = {}
    for _, fault in ipairs(assert(check(db, schema))) do
      if not fault.message:find "does not order by bytes" then drift[#drift + 1] = fault.message end
    end
    assert.same({}, drift)
    return db:stores(schema), text
  end

  setup(function() db = assert(larder.open(url)) end)
  teardown(function() db:close() end)

  it("of a shop that rents films is read and written", function()
    local s, text = stores_of("rental", RENTAL)
    assert.is_truthy(text:find("nice_film is a view, of which no key is known", 1, true))
    local film = assert(s.film:create { title = "Up", rating = "PG-13", special_features = { "Trailers" }, release_year = 2009 })
    assert.same({ 1, 3, "4.99", "PG-13" }, { film.film_id, film.rental_duration, film.rental_rate, film.rating })
    assert.matches("^%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%d%.%d%d%d%d%d%d$", film.last_update)
    assert(s.film:create { title = "Alien", rating = "R" })
    assert.equal("Up", assert(s.film:list { order = { "rating", "film_id" } })[1].title)
    assert.equal("Alien", assert(s.film:find { rating = { gte = "R" } }).title)
    local actor = assert(s.actor:create { first_name = "Ed", last_name = "Asner" })
    assert(s.film_actor:create { actor_id = actor.actor_id, film_id = film.film_id })
    assert.equal(1, s.film_actor:count { film_id = film.film_id })
    local customer = assert(s.customer:create { email = "a@x", joined = "1 year 3 days" })
    assert.equal("P1Y3D", customer.joined)
    assert.matches("^%d%d%d%d%-%d%d%-%d%d$", customer.create_date)
    assert(s.payment:create { customer_id = customer.customer_id, amount = "2.99", payment_date = "2026-01-02T03:04:05Z" })
    assert.equal("2.99", assert(s.payment:aggregate { aggs = { { "sum", "amount", as = "sum" } } })[1].sum)
    assert.equal("'alien':1", assert(s.film:find { title = "Alien" }).fulltext)
    assert(db:query "refresh materialized view rental.sales")
    assert.equal("2.99", assert(s.sales:get(customer.customer_id)).total)
    local staff = assert(s.staff:create { email = "Jon@x", picture = "\0\255", last_ip = "10.0.0.1", hired = "2026-01-02" })
    assert.same({ "Jon@x", "\0\255", "10.0.0.1", "19.99" }, { staff.email, staff.picture, staff.last_ip, staff.cost })
    assert.equal(staff.staff_id, assert(s.staff:find { email = "JON@X" }).staff_id)
    assert.same({ cost = "must be at least 0.00", share = "must be at most 1.5", hired = "must be at least 1990-01-01" },
      select(2, s.staff:create { cost = "-1", share = 2, hired = "1989-12-31" }).fields)
    local none, err = s.film:create { title = "Old", release_year = 1800 }
    assert.is_nil(none)
    assert.equal("check", err.code)
    film.title = "Up!"
    assert.equal("Up!", assert(s.film:update(film)).title)
  end)

  it("whose identity is generated always takes rows that are loaded with theirs", function()
    local s = stores_of("numbered", [[create schema numbered;
      create table numbered.rows (id bigint generated always as identity constraint rows_pkey primary key, v text)]])
    local memory = assert(larder.open "memory:")
    assert(memory:stores("numbered").rows:create_many { { id = 1, v = "a" }, { id = 2, v = "b" } })
    for _, way in ipairs { "error", "skip", "update" } do
      local report, err = larder.transfer(memory, db, { families = { "numbered" }, verify = true, on_conflict = way })
      assert.is_table(report, tostring(err))
    end
    assert.equal(3, assert(s.rows:create { v = "c" }).id)
    memory:close()
  end)

  it("whose names have capitals is read and written", function()
    local s = stores_of("music", MUSIC)
    assert(s.Artist:create { ArtistId = 1, Name = "AC/DC" })
    assert(s.Album:create_many { { AlbumId = 1, Title = "B", ArtistId = 1 }, { AlbumId = 2, Title = "A", ArtistId = 1 } })
    local albums = assert(s.Album:list { order = { "Title", "AlbumId" }, include = { "Artist" } })
    assert.same({ "A", "AC/DC" }, { albums[1].Title, albums[1].Artist.Name })
    assert(s.Invoice:create { InvoiceId = 1, InvoiceDate = "2026-01-02 10:00", Total = "5.97", Order = 7, BillingState = "N" })
    local line = assert(s.InvoiceLine:create { InvoiceLineId = 1, InvoiceId = 1, UnitPrice = "1.99", Quantity = 3 })
    assert.equal("5.97", line.Total)
    assert.equal(1, s.InvoiceLine:count { Total = { gt = 5 } })
    assert.equal("N ", assert(s.Invoice:find { BillingState = "N", Order = 7, InvoiceDate = { lt = "2026-01-03" } }).BillingState)
    assert.equal("6.99", assert(s.InvoiceLine:upsert { InvoiceLineId = 1, InvoiceId = 1, UnitPrice = "6.99", Quantity = 1 }).Total)
    local none, err = s.Artist:delete(1)
    assert.is_nil(none)
    assert.equal("foreign_key", err.code)
  end)

  it("that another language's mapper made is read and written", function()
    local s = stores_of("mapped", MAPPED)
    local user = assert(s.User:create { id = "u1", email = "a@x", updatedAt = "2026-01-02T03:04:05.6789" })
    assert.same({ "USER", "2026-01-02T03:04:05.679000" }, { user.role, user.updatedAt })
    local post = assert(s.Post:create { title = "T", authorId = "u1", body = { a = { 1 } } })
    assert.same({ 1, { a = { 1 } } }, { post.id, post.body })
    assert.equal("ADMIN", assert(s.User:patch("u1", { role = "ADMIN" })).role)
    assert.equal(1, s.User:count { role = { gt = "USER" } })
    local memory = assert(larder.open "memory:")
    assert(larder.transfer(db, memory, { families = { "mapped" }, verify = true }))
    assert.same(s.User:get "u1", memory:stores("mapped").User:get "u1")
    memory:close()
  end)

  it("that has a domain over citext is read and written", function()
    local s = stores_of("mailed", [==[
      create extension if not exists citext;
      create schema mailed;
      create domain mailed.email as citext check (value like '%@%');
      create table mailed.member (id serial primary key, contact mailed.email, other citext);
    ]==])
    assert(s.member:create { contact = "Ann@example.org", other = "X" })
    assert.equal("Ann@example.org", assert(s.member:find { contact = "ann@EXAMPLE.org" }).contact)
    assert.equal("check", select(2, s.member:create { contact = "no mail" }).code)
  end)

  -- As `public` does by default: PostgreSQL then writes the names of tables without their schema.
  it("whose schema is on the search path keeps its references", function()
    local ordinary = db
    db = assert(larder.open(url .. (url:find("?", 1, true) and "&" or "?") .. "options=-csearch_path%3Dsought"))
    finally(function()
      db:close()
      db = ordinary
    end)
    local s, text = stores_of("sought", [==[
      create schema sought;
      create table sought.country (country_id serial primary key, country varchar(50) not null);
      create table sought."City" (id int primary key, country_id int not null references sought.country on delete cascade);
    ]==])
    assert.is_truthy(text:find('to = "country"', 1, true), text)
    assert(s.country:create { country = "Peru" })
    assert(s.City:create { id = 1, country_id = 1 })
    assert.equal("Peru", assert(s.City:get(1, { include = { country = true } })).country.country)
  end)
end)
