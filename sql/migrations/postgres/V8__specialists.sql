-- Reports book what a council's specialists came to with them. Hours and days of before are summarised anew
-- where there was a council.

comment on column summary.coach is 'As in turn, or the specialist of a council as in attempt: then the row holds no turn, and what it holds is missing in the turn''s.';
comment on column summary.model is 'The model that answered, else the one planned; of a specialist the one that was asked.';

delete from summarised s
using (select distinct date_trunc('hour', created_at, 'UTC') as hour from attempt where coach is not null) a
where (s.grain = 1 and s.start_at = a.hour)
   or (s.grain = 24 and s.start_at = date_trunc('day', a.hour, 'UTC'));
