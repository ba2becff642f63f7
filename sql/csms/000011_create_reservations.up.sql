-- Reservations of connectors.
create table csms.reservations (
  charge_station_id  text              not null,
  reservation_id     integer           not null,
  connector_id       integer           not null,
  id_tag             text collate "C"  not null,
  parent_id_tag      text collate "C",
  expiry_date        timestamptz       not null,
  status             text collate "C"  not null default 'Accepted',
  created_at         timestamptz       not null default now(),
  updated_at         timestamptz       not null default now(),
  constraint reservations_pkey primary key (charge_station_id, reservation_id),
  constraint reservations_charge_station_id_length check (char_length(charge_station_id) between 1 and 48),
  constraint reservations_connector_id_range check (connector_id >= 0),
  constraint reservations_id_tag_length check (char_length(id_tag) between 1 and 36),
  constraint reservations_parent_id_tag_length check (char_length(parent_id_tag) <= 36),
  constraint reservations_status_check
    check (status in ('Accepted', 'Faulted', 'Occupied', 'Rejected', 'Unavailable', 'Cancelled', 'Expired'))
);

create unique index reservations_active_key on csms.reservations (charge_station_id, connector_id) where status = 'Accepted';
create index reservations_created_idx on csms.reservations (charge_station_id, created_at, reservation_id);
create index reservations_expiry_idx on csms.reservations (expiry_date) where status = 'Accepted';

comment on table csms.reservations is 'Reservations: one that is Accepted a connector';
