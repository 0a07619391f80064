-- Keeps settled turns and adds those that were new to their sessions. A turn that is kept already is
-- left as it is: delivery may repeat, the effect may not.
-- Parameter: $1, a JSON array of turns as src/turn/record.rs writes them, `attempts` a number.
with incoming as (
    select i.*, to_timestamp(i.created_ms / 1000.0) as at
    from (
        select *, created_at as created_ms
        from jsonb_to_recordset(cast($1 as jsonb)) as t (
            turn_id uuid, session_id text, user_hash text, profile text, identity text, coach text,
            coach_reason text, tier text, complexity double precision, experiment text, variant text,
            planned_model text, served_model text, provider text, generation_id text, outcome text,
            auth_ms double precision, memory_ms double precision, plan_ms double precision,
            upstream_headers_ms double precision, first_token_ms double precision,
            first_speakable_ms double precision, total_ms double precision,
            overhead_ms double precision, memory_outcome text, prompt_tokens bigint,
            completion_tokens bigint, cached_tokens bigint, reasoning_tokens bigint,
            cost_microusd bigint, cost_source text, attempts integer, hedged boolean,
            continued boolean, lead_in boolean, model_reason text, ceiling_microusd bigint,
            trace_id text, created_at bigint
        )
    ) i
), kept as (
    insert into turn (
        turn_id, session_id, user_hash, profile, identity, coach, coach_reason, tier, complexity,
        experiment, variant, planned_model, served_model, provider, generation_id, outcome, auth_ms,
        memory_ms, plan_ms, upstream_headers_ms, first_token_ms, first_speakable_ms, total_ms,
        overhead_ms, memory_outcome, prompt_tokens, completion_tokens, cached_tokens,
        reasoning_tokens, cost_microusd, cost_source, attempts, hedged, continued, lead_in,
        model_reason, ceiling_microusd, committed, satisfaction, trace_id, created_at
    )
    select
        i.turn_id,
        -- A person who asked to be forgotten while this row was on its way stays forgotten.
        case when e.user_hash is null then i.session_id else 'erased' end,
        case when e.user_hash is null then i.user_hash end,
        i.profile, i.identity, i.coach, i.coach_reason, i.tier, i.complexity, i.experiment, i.variant,
        i.planned_model, i.served_model, i.provider, i.generation_id, i.outcome, i.auth_ms,
        i.memory_ms, i.plan_ms, i.upstream_headers_ms, i.first_token_ms, i.first_speakable_ms,
        i.total_ms, i.overhead_ms, i.memory_outcome, i.prompt_tokens, i.completion_tokens,
        i.cached_tokens, i.reasoning_tokens, i.cost_microusd, i.cost_source, i.attempts,
        i.hedged, i.continued, i.lead_in, i.model_reason, i.ceiling_microusd,
        case when i.experiment is not null then c.turn_id is not null end,
        case when e.user_hash is null then f.satisfaction end,
        case when e.user_hash is null then i.trace_id else '' end, i.at
    from incoming i
    left join erasure e on e.user_hash = i.user_hash and i.at <= e.erased_at
    left join feedback f on f.turn_id = i.turn_id
    left join committed_turn c on c.turn_id = i.turn_id
    order by i.turn_id
    on conflict (turn_id) do nothing
    returning session_id, user_hash, outcome, total_ms, prompt_tokens, completion_tokens,
              cost_microusd, created_at
)
insert into session as s (
    session_id, user_hash, first_turn_at, last_turn_at, turns, failed_turns, total_ms, prompt_tokens,
    completion_tokens, cost_microusd, unknown_costs
)
select session_id, max(user_hash), min(created_at), max(created_at), count(*),
       count(*) filter (where outcome in ('failed', 'shed')), sum(total_ms),
       coalesce(sum(prompt_tokens), 0), coalesce(sum(completion_tokens), 0),
       coalesce(sum(cost_microusd), 0), count(*) filter (where cost_microusd is null)
from kept
where session_id <> 'erased'
group by session_id
-- Everybody takes the rows in one order, so that two machines cannot wait for each other.
order by session_id
on conflict (session_id) do update set
    user_hash = coalesce(excluded.user_hash, s.user_hash),
    first_turn_at = least(s.first_turn_at, excluded.first_turn_at),
    last_turn_at = greatest(s.last_turn_at, excluded.last_turn_at),
    turns = s.turns + excluded.turns,
    failed_turns = s.failed_turns + excluded.failed_turns,
    total_ms = s.total_ms + excluded.total_ms,
    prompt_tokens = s.prompt_tokens + excluded.prompt_tokens,
    completion_tokens = s.completion_tokens + excluded.completion_tokens,
    cost_microusd = s.cost_microusd + excluded.cost_microusd,
    unknown_costs = s.unknown_costs + excluded.unknown_costs
