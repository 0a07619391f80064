-- The same tables as in PostgreSQL: ids that hold no more, and what voice platforms call their chats.

create table revocation (
    session_id text primary key,
    expires_at integer not null,
    revoked_at integer not null,
    revoked_by text    not null
) strict;
create index revocation_time on revocation (revoked_at);

create table chat (
    chat_id       text primary key,
    session_id    text    not null,
    user_hash     text,
    platform      text    not null,
    chat_group_id text,
    started_at    integer,
    ended_at      integer,
    end_reason    text,
    told_at       integer not null
) strict;
create index chat_session on chat (session_id);
create index chat_user on chat (user_hash) where user_hash is not null;
create index chat_time on chat (told_at);
