//! From what a turn is worth to a list of models.

use crate::coach::Coach;
use crate::turn::Tier;

use super::complexity::DEMANDING;

/// What a turn is worth: picks one of the coach's models.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    CostSaving,
    Balanced,
    High,
}

impl Class {
    /// The spelling used in records and on the dashboard.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CostSaving => "cost_saving",
            Self::Balanced => "balanced",
            Self::High => "high",
        }
    }
}

/// What decides besides the coach.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Worth {
    pub tier: Tier,
    /// How demanding the turn is, 0 to 1.
    pub complexity: f64,
    /// Less than five dollars of the day's budget are left.
    pub is_budget_low: bool,
}

impl Worth {
    /// The class of model, and why: the first of these that holds.
    fn class(&self) -> (Class, String) {
        if self.is_budget_low {
            return (Class::CostSaving, "budget:low".to_owned());
        }
        let tier = format!("tier:{}", self.tier);
        match self.tier {
            Tier::Free => (Class::CostSaving, tier),
            _ if self.complexity > DEMANDING => {
                (Class::High, format!("complexity:{:.2}", self.complexity))
            }
            Tier::Premium | Tier::Enterprise => (Class::Balanced, tier),
        }
    }
}

/// The models of one turn, and why these.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    pub class: Class,
    /// `override` where the operator forced the first model, else `budget:low`, `tier:premium`,
    /// `complexity:0.86`, ….
    pub reason: String,
    /// In the order they are tried; never empty, each once.
    pub candidates: Vec<String>,
}

/// The plan of a turn.
#[must_use]
pub fn plan(coach: &Coach, worth: Worth, fallback_enabled: bool) -> Plan {
    let (class, reason) = worth.class();
    let reason = match coach.models.forced {
        Some(_) => "override".to_owned(),
        None => reason,
    };
    Plan {
        class,
        reason,
        candidates: candidates(coach, class, fallback_enabled)
            .into_iter()
            .map(str::to_owned)
            .collect(),
    }
}

/// The models to try, in order, each once: the forced one or the class's own, the fallback, the
/// cost-saving one, the balanced one. Without fallback exactly the first.
#[must_use]
pub fn candidates(coach: &Coach, class: Class, fallback_enabled: bool) -> Vec<&str> {
    let models = &coach.models;
    let own = match class {
        Class::CostSaving => &models.cost_saving,
        Class::Balanced => &models.balanced,
        Class::High => &models.high,
    };
    let first = models.forced.as_ref().unwrap_or(own);
    let mut list = vec![first.as_str()];
    if fallback_enabled {
        for model in [&models.fallback, &models.cost_saving, &models.balanced] {
            if !list.contains(&model.as_str()) {
                list.push(model);
            }
        }
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coach::Roster;

    #[test]
    fn each_class_has_its_order_and_no_model_comes_twice() {
        let roster = Roster::built_in().unwrap();
        let mut table = String::new();
        for coach in roster.iter() {
            for class in [Class::CostSaving, Class::Balanced, Class::High] {
                let list = candidates(coach, class, true).join(", ");
                table += &format!("{} {}: {list}\n", coach.id, class.as_str());
                assert_eq!(candidates(coach, class, false).len(), 1);
            }
        }
        insta::assert_snapshot!(table, @r"
        master cost_saving: openai/gpt-6-luna, anthropic/claude-haiku-5.5, openai/gpt-6.1-terra
        master balanced: openai/gpt-6.1-terra, anthropic/claude-haiku-5.5, openai/gpt-6-luna
        master high: anthropic/claude-sonnet-5, anthropic/claude-haiku-5.5, openai/gpt-6-luna, openai/gpt-6.1-terra
        career cost_saving: anthropic/claude-haiku-5.5, openai/gpt-6.1-terra, anthropic/claude-sonnet-5
        career balanced: anthropic/claude-sonnet-5, openai/gpt-6.1-terra, anthropic/claude-haiku-5.5
        career high: anthropic/claude-opus-5, openai/gpt-6.1-terra, anthropic/claude-haiku-5.5, anthropic/claude-sonnet-5
        skills cost_saving: openai/gpt-6-luna, anthropic/claude-haiku-5.5, openai/gpt-6.1-terra
        skills balanced: openai/gpt-6.1-terra, anthropic/claude-haiku-5.5, openai/gpt-6-luna
        skills high: anthropic/claude-sonnet-5, anthropic/claude-haiku-5.5, openai/gpt-6-luna, openai/gpt-6.1-terra
        leadership cost_saving: openai/gpt-6-luna, anthropic/claude-haiku-5.5, google/gemini-3.1-flash-lite
        leadership balanced: google/gemini-3.1-flash-lite, anthropic/claude-haiku-5.5, openai/gpt-6-luna
        leadership high: anthropic/claude-sonnet-5, anthropic/claude-haiku-5.5, openai/gpt-6-luna, google/gemini-3.1-flash-lite
        network cost_saving: anthropic/claude-haiku-5.5, openai/gpt-6-luna, anthropic/claude-sonnet-5
        network balanced: anthropic/claude-sonnet-5, openai/gpt-6-luna, anthropic/claude-haiku-5.5
        network high: anthropic/claude-opus-5, openai/gpt-6-luna, anthropic/claude-haiku-5.5, anthropic/claude-sonnet-5
        ");
    }

    #[test]
    fn a_forced_model_goes_first_in_every_tier_and_the_rest_stand() {
        let mut coach = Roster::built_in().unwrap().master().clone();
        for forced in ["local/llama", "openai/gpt-6-luna"] {
            coach.models.forced = Some(forced.to_owned());
            for tier in Tier::ALL {
                let worth = Worth {
                    tier: *tier,
                    complexity: 0.9,
                    is_budget_low: true,
                };
                let plan = plan(&coach, worth, true);
                assert_eq!(plan.reason, "override");
                assert_eq!(plan.candidates[0], forced);
                assert_eq!(plan.candidates[1], "anthropic/claude-haiku-5.5");
            }
        }
    }

    #[test]
    fn budget_tier_and_demand_decide_the_class() {
        use Class::{Balanced, CostSaving, High};
        use Tier::{Enterprise, Free, Premium};
        let roster = Roster::built_in().unwrap();
        let (luna, terra, sonnet) = (
            "openai/gpt-6-luna",
            "openai/gpt-6.1-terra",
            "anthropic/claude-sonnet-5",
        );
        for (tier, complexity, is_budget_low, class, reason, first) in [
            (Free, 0.0, false, CostSaving, "tier:free", luna),
            (Free, 1.0, false, CostSaving, "tier:free", luna),
            (Free, 1.0, true, CostSaving, "budget:low", luna),
            (Premium, 0.0, false, Balanced, "tier:premium", terra),
            (Premium, 0.8, false, Balanced, "tier:premium", terra),
            (Premium, 0.81, false, High, "complexity:0.81", sonnet),
            (Premium, 0.86, true, CostSaving, "budget:low", luna),
            (Enterprise, 0.3, false, Balanced, "tier:enterprise", terra),
            (Enterprise, 0.955, false, High, "complexity:0.95", sonnet),
            (Enterprise, 0.955, true, CostSaving, "budget:low", luna),
        ] {
            let worth = Worth {
                tier,
                complexity,
                is_budget_low,
            };
            let plan = plan(roster.master(), worth, false);
            assert_eq!((plan.class, plan.reason.as_str()), (class, reason));
            assert_eq!(plan.candidates, [first]);
        }
    }
}
