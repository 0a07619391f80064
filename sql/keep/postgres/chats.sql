-- Keeps what platforms told of chats, beside what they told before. An end may come before its beginning.
-- Parameter: $1, a JSON array of chats.
insert into chat as c (
    chat_id, session_id, user_hash, platform, chat_group_id, started_at, ended_at, end_reason, told_at
)
select
    n.chat_id, max(n.session_id), max(n.user_hash), n.platform, max(n.chat_group_id),
    to_timestamp(max(n.started_at) / 1000.0), to_timestamp(max(n.ended_at) / 1000.0),
    max(n.end_reason), to_timestamp(max(n.told_at) / 1000.0)
from (
    -- Two platforms that have one name for a chat: the first one's it stays.
    select r.*, first_value(r.platform) over (partition by r.chat_id order by r.told_at) as first
    from jsonb_to_recordset(cast($1 as jsonb)) as r (
        chat_id text, session_id text, user_hash text, platform text, chat_group_id text,
        started_at bigint, ended_at bigint, end_reason text, told_at bigint
    )
) as n
where n.platform = n.first
group by n.chat_id, n.platform
order by n.chat_id
on conflict (chat_id) do update set
    session_id = excluded.session_id,
    user_hash = coalesce(excluded.user_hash, c.user_hash),
    chat_group_id = coalesce(excluded.chat_group_id, c.chat_group_id),
    started_at = coalesce(excluded.started_at, c.started_at),
    ended_at = coalesce(excluded.ended_at, c.ended_at),
    end_reason = coalesce(excluded.end_reason, c.end_reason),
    told_at = greatest(c.told_at, excluded.told_at)
where c.platform = excluded.platform
