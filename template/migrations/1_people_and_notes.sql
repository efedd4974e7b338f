create table person (
    id bigint generated always as identity primary key,
    name text not null unique,
    password_hash text not null
);

create table note (
    id bigint generated always as identity primary key,
    person bigint not null references person on delete cascade,
    text text not null
);

create index note_of_person on note (person, id);
