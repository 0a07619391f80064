-- Writes one row of a summary of calls.
-- Parameters: start, grain (hours), model and the sums.
insert into summary_call (
    grain, start_at, model, calls, errors, cancelled, cost_microusd, unknown_costs
) values (
    :grain, :start, :model, :calls, :errors, :cancelled_calls, :cost_microusd, :unknown_costs
)
