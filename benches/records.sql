-- Made-up turns {from} to {until} of {turns}, {step_ms} ms apart back from now, with an attempt each, and
-- their sessions, forty turns each. Values follow the row's number, so that every load is the same.
with made as (
    select n, now() - n * interval '{step_ms} milliseconds' as at
    from generate_series(cast({from} as bigint), cast({until} as bigint)) n
), named as (
    select n, at,
        cast(overlay(overlay(lpad(to_hex(cast(extract(epoch from at) * 1000 as bigint)), 12, '0')
            || '7000' || '8000' || lpad(to_hex(n), 12, '0') placing '-' from 9 for 0) placing '-' from 14 for 0)
            as uuid) as turn_id,
        (array['master', 'career', 'skills', 'leadership', 'network'])[1 + n % 5] as coach,
        case when n % 20011 = 0 then 'rare/model'
             else (array['openai/gpt-6-luna', 'anthropic/claude-sonnet-5', 'anthropic/claude-haiku-5.5',
                         'openai/gpt-6.1-terra', 'anthropic/claude-opus-5'])[1 + n % 7 % 5] end as model,
        (array['free', 'premium', 'enterprise'])[1 + n % 3] as tier,
        case when n % 997 = 0 then 'failed' when n % 9 = 0 then 'interrupted' else 'complete' end as outcome,
        200 + n * 7919 % 4400 as first_ms,
        500 + n * 104729 % 1500 as prompt,
        20 + n * 1299709 % 200 as completion
    from made
), attempts as (
    insert into attempt
    select turn_id, 0, 'first', model, 'Anthropic', 'gen-' || n, 200,
           case when outcome = 'failed' then 'first_token_timeout' end, 0.2, 20, first_ms, first_ms + 1500,
           prompt, completion, prompt + 5 * completion, 'reported', outcome = 'interrupted', at
    from named
), sessions as (
    insert into session as s
    select 'session-' || n / 40, 'user-' || n / 400, min(at), max(at), count(*), 0, sum(first_ms + 1500),
           sum(prompt), sum(completion), sum(prompt + 5 * completion), 0
    from named group by 1, 2
    on conflict (session_id) do update set turns = s.turns + excluded.turns
)
insert into turn (
    turn_id, session_id, user_hash, profile, identity, coach, coach_reason, tier, planned_model,
    served_model, provider, generation_id, outcome, auth_ms, plan_ms, upstream_headers_ms,
    first_token_ms, first_speakable_ms, total_ms, overhead_ms, memory_outcome, prompt_tokens,
    completion_tokens, cached_tokens, reasoning_tokens, cost_microusd, cost_source, attempts, trace_id,
    created_at
)
select turn_id, 'session-' || n / 40, 'user-' || n / 400, 'hume', 'signed', coach, 'keyword:promotion',
       tier, model, model, 'Anthropic', 'gen-' || n, outcome, 0.01, 0.5, 20, first_ms, first_ms,
       first_ms + 1500, 0.7, 'hit', prompt, completion, 0, 0, prompt + 5 * completion, 'reported', 1,
       md5(cast(n as text)), at
from named
