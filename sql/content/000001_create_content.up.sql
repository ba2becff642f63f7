-- Users, their posts and their roles.
create schema content;

comment on schema content is 'Users, posts and roles';

create table content.users (
  id          text collate "C"         not null,
  email       text collate "C"         not null,
  name        text collate "C",
  created_at  timestamptz              not null default now(),
  updated_at  timestamptz              not null default now(),
  deleted_at  timestamptz,
  constraint users_pkey primary key (id),
  constraint users_id_length check (char_length(id) between 1 and 30),
  constraint users_email_length check (char_length(email) between 1 and 255),
  constraint users_name_length check (char_length(name) <= 255)
);

-- The e-mail of a deleted user may be used again.
create unique index unique_user_email on content.users (email) where deleted_at is null;
create index users_created_idx on content.users (created_at desc, id);

comment on column content.users.deleted_at is 'Set when the user is deleted: reads leave the row out';

create table content.posts (
  id             text collate "C"         not null,
  author_id      text collate "C"         not null,
  title          text collate "C"         not null,
  content        text collate "C",
  published      boolean                  not null default false,
  metadata       jsonb                    not null default '{}',
  created_at     timestamptz              not null default now(),
  updated_at     timestamptz              not null default now(),
  deleted_at     timestamptz,
  -- the beginning of a long text is enough, and a vector has a largest size
  search_vector  tsvector                 not null generated always as (
    setweight(to_tsvector('english'::regconfig, title), 'A') ||
    setweight(to_tsvector('english'::regconfig, left(coalesce(content, ''), 200000)), 'B')
  ) stored,
  constraint posts_pkey primary key (id),
  constraint posts_author_fkey foreign key (author_id)
    references content.users (id)
    on delete restrict,
  constraint posts_id_length check (char_length(id) between 1 and 30),
  constraint posts_author_id_length check (char_length(author_id) between 1 and 30),
  constraint posts_title_length check (char_length(title) between 1 and 255)
);

create index posts_created_idx on content.posts (created_at desc, id);
create index posts_author_idx on content.posts (author_id, created_at desc, id);
create index posts_published_idx on content.posts (published, created_at desc, id);
create index posts_metadata_idx on content.posts using gin (metadata jsonb_path_ops);
create index posts_search_idx on content.posts using gin (search_vector);

comment on column content.posts.search_vector is 'Title (weight A) and content (weight B) in English';

create table content.roles (
  id           text collate "C"         not null,
  user_id      text collate "C"         not null,
  name         text collate "C"         not null,
  description  text collate "C",
  created_at   timestamptz              not null default now(),
  constraint roles_pkey primary key (id),
  constraint unique_role_name_per_user unique (user_id, name),
  constraint roles_user_fkey foreign key (user_id)
    references content.users (id)
    on delete restrict,
  constraint roles_id_length check (char_length(id) between 1 and 30),
  constraint roles_user_id_length check (char_length(user_id) between 1 and 30),
  constraint roles_name_length check (char_length(name) between 1 and 50)
);

create index roles_created_idx on content.roles (created_at desc, id);
