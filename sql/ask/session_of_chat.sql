-- The session that a platform's chat belongs to.
-- Parameter: chat. Row: session_id.
select session_id from chat where chat_id = :chat
