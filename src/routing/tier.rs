//! From what a session pays for to a list of models.

use crate::coach::Coach;
use crate::turn::Tier;

/// What a turn is worth: picks one of the coach's models.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    CostSaving,
    Balanced,
    High,
}

impl Class {
    /// The class a tier is entitled to before anything is known about the turn.
    #[must_use]
    pub fn of(tier: Tier) -> Self {
        match tier {
            Tier::Free => Self::CostSaving,
            Tier::Premium | Tier::Enterprise => Self::Balanced,
        }
    }

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

/// The models of one turn, and why these.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    pub class: Class,
    /// `tier:free`, `tier:premium`, …, or `override` where the operator forced the first model.
    pub reason: String,
    /// In the order they are tried; never empty, each once.
    pub candidates: Vec<String>,
}

/// The plan of a turn that nothing but its tier decides.
#[must_use]
pub fn plan(coach: &Coach, tier: Tier, fallback_enabled: bool) -> Plan {
    let class = Class::of(tier);
    let reason = match coach.models.forced {
        Some(_) => "override".to_owned(),
        None => format!("tier:{tier}"),
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
                let plan = plan(&coach, *tier, true);
                assert_eq!(plan.reason, "override");
                assert_eq!(plan.candidates[0], forced);
                assert_eq!(plan.candidates[1], "anthropic/claude-haiku-5.5");
            }
        }
    }

    #[test]
    fn the_tier_decides_the_class() {
        let roster = Roster::built_in().unwrap();
        for (tier, class, reason, first) in [
            (
                Tier::Free,
                Class::CostSaving,
                "tier:free",
                "openai/gpt-6-luna",
            ),
            (
                Tier::Premium,
                Class::Balanced,
                "tier:premium",
                "openai/gpt-6.1-terra",
            ),
            (
                Tier::Enterprise,
                Class::Balanced,
                "tier:enterprise",
                "openai/gpt-6.1-terra",
            ),
        ] {
            let plan = plan(roster.master(), tier, false);
            assert_eq!((plan.class, plan.reason.as_str()), (class, reason));
            assert_eq!(plan.candidates, [first]);
        }
    }
}
