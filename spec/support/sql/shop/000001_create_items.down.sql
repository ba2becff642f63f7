drop table shop.visits;
drop table shop.items;
drop schema shop;
