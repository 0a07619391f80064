-- As in PostgreSQL: hours and days of before are summarised anew where there was a council.

delete from summarised
where (grain = 1 and start_at in (select created_at - created_at % 3600000 from attempt where coach is not null))
   or (grain = 24 and start_at in (select created_at - created_at % 86400000 from attempt where coach is not null));
