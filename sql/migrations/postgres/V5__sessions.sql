-- What sessions need beside their turns: ids that hold no more, and what voice platforms call their chats.

create table revocation (
    session_id text primary key,
    expires_at timestamptz not null,
    revoked_at timestamptz not null,
    revoked_by text not null
);
comment on table revocation is 'Signed session ids that hold no more, though their time is not over.';
comment on column revocation.session_id is 'Pseudonym of the id, as in turn.';
comment on column revocation.expires_at is 'When the id would not hold any more anyway; then the row goes.';
comment on column revocation.revoked_at is 'When it was revoked.';
comment on column revocation.revoked_by is 'A fingerprint of the admin key it was revoked with.';
create index revocation_time on revocation (revoked_at);

create table chat (
    chat_id       text primary key,
    session_id    text not null,
    user_hash     text,
    platform      text not null,
    chat_group_id text,
    started_at    timestamptz,
    ended_at      timestamptz,
    end_reason    text,
    told_at       timestamptz not null
);
comment on table chat is 'Chats as voice platforms know them, by their webhooks, and the sessions they belong to.';
comment on column chat.chat_id is 'The platform''s own name for it.';
comment on column chat.session_id is 'As in turn.';
comment on column chat.user_hash is 'Keyed hash of the user id, for an erasure; null where nobody is known.';
comment on column chat.platform is 'hume or elevenlabs.';
comment on column chat.chat_group_id is 'What the platform counts a resumed chat to.';
comment on column chat.started_at is 'When it began, as the platform says; null where it did not.';
comment on column chat.ended_at is 'When it ended, as the platform says; null while it did not.';
comment on column chat.end_reason is 'Why, in the platform''s word.';
comment on column chat.told_at is 'When it was last told of.';
create index chat_session on chat (session_id);
create index chat_user on chat (user_hash) where user_hash is not null;
create index chat_time on chat (told_at);
