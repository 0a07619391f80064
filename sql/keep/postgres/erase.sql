-- Forgets people: their sessions, captured words and what they thought go; their turns stay, for the
-- books, as nobody's.
-- Parameter: $1, a JSON array of erasures.
with gone as (
    select e.user_hash, e.erased_at from erasure e
    where e.user_hash in (
        select n.user_hash from jsonb_to_recordset(cast($1 as jsonb)) as n (user_hash text)
    )
), theirs as (
    select t.turn_id, t.session_id from turn t join gone g using (user_hash) where t.created_at <= g.erased_at
), feedbacks as (
    delete from feedback where turn_id in (select turn_id from theirs)
), captures as (
    delete from capture c using gone g where c.user_hash = g.user_hash
), sessions as (
    delete from session s using gone g where s.user_hash = g.user_hash
       or s.session_id in (select session_id from theirs)
)
update turn t set session_id = 'erased', user_hash = null, trace_id = '', satisfaction = null
from theirs
where t.turn_id = theirs.turn_id
