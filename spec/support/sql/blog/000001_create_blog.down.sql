drop schema blog cascade;
