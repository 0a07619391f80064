-- The chats of one session, newest first.
-- Parameters: session, limit (rows). Row: the columns of chat but user_hash and session_id.
select chat_id, platform, chat_group_id, started_at, ended_at, end_reason, told_at
from chat where session_id = :session
order by told_at desc, chat_id limit :limit
