-- Keeps what a platform told of a chat, beside what it told before. Its end may come before its beginning.
-- Parameter: ?1, the chat as JSON.
insert into chat as c (
    chat_id, session_id, user_hash, platform, chat_group_id, started_at, ended_at, end_reason, told_at
)
select
    ?1 ->> 'chat_id', ?1 ->> 'session_id', ?1 ->> 'user_hash', ?1 ->> 'platform', ?1 ->> 'chat_group_id',
    ?1 ->> 'started_at', ?1 ->> 'ended_at', ?1 ->> 'end_reason', ?1 ->> 'told_at'
where true
on conflict (chat_id) do update set
    session_id = excluded.session_id,
    user_hash = coalesce(excluded.user_hash, c.user_hash),
    chat_group_id = coalesce(excluded.chat_group_id, c.chat_group_id),
    started_at = coalesce(excluded.started_at, c.started_at),
    ended_at = coalesce(excluded.ended_at, c.ended_at),
    end_reason = coalesce(excluded.end_reason, c.end_reason),
    told_at = max(c.told_at, excluded.told_at)
where c.platform = excluded.platform
