-- Chats that nobody told of since, some of them.
-- Parameters: before, limit (rows).
delete from chat where chat_id in (
    select chat_id from chat where told_at < :before order by told_at limit :limit
)
