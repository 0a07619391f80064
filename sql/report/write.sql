-- Writes one row of a summary.
-- Parameters: the columns of summary; start and grain for where it begins and how many hours it covers.
insert into summary (
    grain, start_at, coach, model, tier, experiment, variant, turns, failed, interrupted,
    prompt_tokens, completion_tokens, cost_microusd, cost_squares, estimated_microusd,
    unknown_costs, satisfaction_sum, satisfaction_squares, satisfied, response_sum_ms,
    first_token_sum_ms, responses, first_tokens
) values (
    :grain, :start, :coach, :model, :tier, :experiment, :variant, :turns, :failed, :interrupted,
    :prompt_tokens, :completion_tokens, :cost_microusd, :cost_squares, :estimated_microusd,
    :unknown_costs, :satisfaction_sum, :satisfaction_squares, :satisfied, :response_sum_ms,
    :first_token_sum_ms, :responses, :first_tokens
)
