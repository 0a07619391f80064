-- Summaries of a time.
-- Parameters: grain (hours), since, until. Row: the columns of summary.
select * from summary where grain = :grain and start_at >= :since and start_at < :until
