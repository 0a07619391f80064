-- Forgets people, before their sessions go: what platforms called their chats.
delete from chat where chat_id in (
    select c.chat_id from erasure e
    join chat c on c.user_hash = e.user_hash and c.told_at <= e.erased_at
    union all
    -- A platform does not always know whose session it was.
    select c.chat_id from erasure e
    join session s on s.user_hash = e.user_hash and s.last_turn_at <= e.erased_at
    join chat c on c.session_id = s.session_id and c.told_at <= e.erased_at
)
