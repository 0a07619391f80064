//! What the simulated coaches say: short spoken sentences, a question at the end, and the same
//! words for the same messages. All answers of one conversation come from here, whichever fault
//! carries them, so that a cut answer has a continuation that fits.

use serde_json::Value;

/// Answers for each kind of coach; the first row is for every other one.
const ANSWERS: [(&str, [&str; 5]); 5] = [
    (
        "master coach",
        [
            "That sounds like a lot to carry, and I am glad you said it out loud. Let us slow it down for a moment. You do not have to solve all of it today. Pick the part that weighs the most, and we can take it from there. What feels heaviest right now?",
            "I hear some hesitation, and some energy underneath it too. Both are useful. When we name what we want, the next step tends to get smaller and a good deal kinder. So let us try that together. If this went well, what would be different a month from now?",
            "Thank you for telling me that. It takes some courage to look at it so plainly. I notice you already did one thing right, which is not to ignore it. Let us build on that with one small, clear step. What could you do in the next ten minutes?",
            "Good, there is something real in what you said. I would like to stay with it rather than rush to advice. Often the first answer is the polite one, and the second one is true. So take a breath and look again. What do you really want here?",
            "That makes sense, and you are not the only one who feels it. Progress seldom looks like progress while we are in it. Let us look for one piece of evidence that you are moving, even slowly. It counts. What went a little better than it did last week?",
        ],
    ),
    (
        "career coach",
        [
            "A move like that deserves a clear head, so let us put the fear to one side for a minute. Think about the work itself, the people, and what you would learn. Two out of three is often a good reason to go. Which of the three matters most to you now?",
            "I like that you are asking this before you need the answer. Your next role will be won by two or three good stories, told well. Start with one where you changed how something was done. Keep it short and keep the result in it. Which story comes to mind first?",
            "It is fair to want more, and it is fair to ask for it. Bring what you delivered, what it was worth, and one number you would be happy with. Then say it once and stay quiet. The silence does the work. What number would you be happy with?",
            "Feeling stuck is often a sign that you have outgrown the shape of the job, not that you have failed at it. Before you leave it, try to bend it. Ask for one project that scares you slightly. It will tell you a lot. What project would that be?",
            "An interview is a conversation between two people who both have a problem to solve. So prepare two questions that show you understand theirs. That alone will set you apart from most of the others in the room. Let us find them together. What do you think keeps them busy at the moment?",
        ],
    ),
    (
        "skills coach",
        [
            "Great, let us make that learnable. A skill grows fastest when the practice is small, frequent, and a little uncomfortable. Fifteen minutes a day will beat one long Sunday, every time. Choose a piece you can finish and show to someone. What is the smallest thing you could build this week?",
            "You know more than you think, and the gap is narrower than it feels from inside. Let us find its edges. Try to explain the topic to a friend without notes, and mark where you stumble. That is your next lesson. Where do you think you would stumble first?",
            "Do not start with another course, tempting as it is. Start with a problem that annoys you, and learn just enough to fix it. Then look up what you did badly, and do it again. That loop is the whole trick. Which problem annoys you enough to start today?",
            "Practice in front of people feels risky, and that is exactly why it works. Choose someone kind, show them something half finished, and ask for one thing to improve. Only one. Then fix it while it is still warm in your mind. Who could you show your work to this week?",
            "That is a solid goal, and it needs a finish line so you can tell when you got there. Let us say what you will be able to do, not what you will have read. Put a date on it as well. What would you like to be able to do by then?",
        ],
    ),
    (
        "leadership coach",
        [
            "Leading a team through that is hard, and they will watch how you are more than what you say. Start with what you know, then what you do not know, and then when you will tell them more. Keep it plain and kind. What is the one thing they most need to hear?",
            "It sounds as if you are carrying work that belongs to your team. That is generous, and it keeps them small. Hand over one decision this week, a real one, and let them make it their way. Then resist fixing it. Which decision could you let go of first?",
            "That conversation is better early and short than late and perfect. Say what you saw, say what it caused, and then ask how they see it. You may be surprised by the answer, so leave room for it. I can play the other part. How would you open it?",
            "Trust grows in small moments, when someone tells you bad news and you thank them for it. Think of the last time that happened, and how your face looked. It matters more than any offsite. You can repair it too. Who on your team has gone quiet lately?",
            "You cannot give everyone clarity on everything, but you can give them three priorities and the courage to drop the rest. Write them on one page, then read them out loud to someone sceptical. You will hear what is missing. What would you put at the very top of that page?",
        ],
    ),
    (
        "network coach",
        [
            "Reaching out feels awkward mostly because we imagine asking for something. So give first. Send one person a short note about something they did that helped you, and ask for nothing at all. It opens more doors than you would think. Who would be glad to hear from you today?",
            "You do not need a bigger network, you need a slightly warmer one. Choose five people you would like to know better, and make one small gesture to each of them this month. Put it in your calendar like any other work. Who is the first name on that list?",
            "Events get easier when you go with a question instead of a pitch. Ask people what they are trying to figure out this year, and listen for a place where you can help. Two good talks are plenty for one evening. Then you may go home. What question would you be curious to ask?",
            "Asking for a referral is fine when you make it easy to say yes. Write the three sentences they can forward, name the role, and tell them why you thought of them. Then give them a graceful way to say no. Most people like helping. Who knows your work well enough to vouch for you?",
            "Old contacts are seldom as cold as we fear. A simple message works well: I thought of you, this made me smile, how are you these days. No excuse and no apology for the silence is needed. Most people feel the same. Which friend have you lost sight of and still miss?",
        ],
    ),
];

/// How an answer ends that goes on from words the simulator would not have said.
const GOING_ON: &str = " and from there we take one small step at a time. You do not have to get \
    it all right today. Let us stay with what matters most to you. What would help you most right now?";

/// Says something with characters outside ASCII.
pub(super) const EMOJI: &str = "That is wonderful 🎉 and you earned it 👏🏽, step by step. \
    Café or couch 🛋️, take a moment to enjoy it – really. What made the difference 🤔 this time?";

/// What a council's question to its planner has in it, and a plan.
const PLANS: &str = "Who is to be heard?";
const PLAN: &str = "career: what the next step should be\nskills: what it takes to get there";

/// Starts an answer that ignores what was already said.
pub(super) const OTHER_START: &str = "Sure, let me answer that from the beginning. ";

/// What a request asks for, in words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Answer {
    /// Words already spoken, when the request asks to continue them.
    pub(super) spoken: Option<String>,
    /// The words to speak now.
    pub(super) rest: String,
}

/// Answers the messages of a request body.
pub(super) fn answer(body: &Value) -> Answer {
    let messages: Vec<(String, String)> = body
        .get("messages")
        .and_then(Value::as_array)
        .map(|all| all.iter().map(message).collect())
        .unwrap_or_default();
    let Some((last, earlier)) = messages.split_last() else {
        return Answer::default();
    };
    if last.0 == "assistant" && !last.1.trim().is_empty() {
        let whole = reply(&messages, last_user(earlier));
        let rest = after(&whole, last.1.trim()).map_or_else(|| GOING_ON.to_owned(), str::to_owned);
        let spoken = Some(last.1.clone());
        return Answer { spoken, rest };
    }
    if last.1.contains(PLANS) {
        let (spoken, rest) = (None, PLAN.to_owned());
        return Answer { spoken, rest };
    }
    if last.1.to_lowercase().contains("continue")
        && let Some(found) = asked_to_continue(&messages, last, earlier)
    {
        return found;
    }
    let rest = reply(&messages, last_user(&messages));
    Answer { spoken: None, rest }
}

/// Cuts text before every run of white space: what joins up again to the same text.
pub(super) fn tokens(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut start = 0;
    let mut in_word = false;
    for (at, char) in text.char_indices() {
        if char.is_whitespace() && in_word {
            found.push(text.get(start..at).unwrap_or_default());
            start = at;
        }
        in_word = !char.is_whitespace();
    }
    found.extend(text.get(start..).filter(|rest| !rest.is_empty()));
    found
}

/// An instruction to go on, told by a start of the answer that it or the message before it quotes.
fn asked_to_continue(
    messages: &[(String, String)],
    last: &(String, String),
    earlier: &[(String, String)],
) -> Option<Answer> {
    let whole = reply(messages, last_user(earlier));
    let before = earlier.last().filter(|message| message.0 == "assistant");
    let mut end = whole.len();
    for token in tokens(&whole).into_iter().rev() {
        end -= token.len();
        let start = whole.get(..end)?;
        let told = last.1.contains(start) || before.is_some_and(|said| said.1.contains(start));
        if start.split_whitespace().count() >= 2 && told {
            return Some(Answer {
                spoken: Some(start.to_owned()),
                rest: whole.get(end..)?.to_owned(),
            });
        }
    }
    None
}

fn after<'a>(whole: &'a str, spoken: &str) -> Option<&'a str> {
    whole.strip_prefix(spoken).filter(|rest| !rest.is_empty())
}

/// The whole answer to `question` in the setting of `messages`.
fn reply(messages: &[(String, String)], question: &str) -> String {
    let system: String = messages
        .iter()
        .filter(|(role, _)| role == "system" || role == "developer")
        .map(|(_, text)| text.to_lowercase())
        .collect();
    let system = system.replace("networking coach", "network coach");
    let answers = ANSWERS
        .iter()
        .filter_map(|(kind, answers)| Some((system.find(kind)?, answers)))
        .min_by_key(|(at, _)| *at)
        .or_else(|| ANSWERS.first().map(|(_, answers)| (0, answers)))
        .map(|(_, answers)| answers.as_slice())
        .unwrap_or_default();
    let hash = fnv(question);
    let chosen = answers
        .get(usize::try_from(hash % 5).unwrap_or(0))
        .copied()
        .unwrap_or_default();
    match remembered(messages) {
        Some(fact) if hash & 1 == 0 => format!("Last time you mentioned this: {fact}. {chosen}"),
        _ => chosen.to_owned(),
    }
}

/// A fact out of the memory block, without its dates, short enough to be said.
fn remembered(messages: &[(String, String)]) -> Option<String> {
    let (_, block) = messages
        .iter()
        .find(|(_, text)| text.contains("<memory>"))?;
    let (_, memory) = block.split_once("<memory>")?;
    let memory = memory.split("</memory>").next().unwrap_or(memory);
    let fact = memory
        .lines()
        .map(|line| line.trim_start_matches('|').trim())
        .find_map(|line| line.strip_prefix("- "))?;
    let fact = fact.split(" (").next().unwrap_or(fact);
    let fact = fact.split_once(" said: ").map_or(fact, |(_, words)| words);
    let words: Vec<&str> = fact.split_whitespace().take(14).collect();
    let fact = words
        .join(" ")
        .trim_end_matches(['.', ',', '!', '?'])
        .to_owned();
    (!fact.is_empty()).then_some(fact)
}

fn last_user(messages: &[(String, String)]) -> &str {
    messages
        .iter()
        .rev()
        .find(|(role, text)| role == "user" && !text.contains("<memory>"))
        .map_or("", |(_, text)| text.as_str())
}

/// Role and text of a message, whose content is a string or a list of parts.
fn message(value: &Value) -> (String, String) {
    let role = value
        .get("role")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let text = match value.get("content") {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(parts)) => parts
            .iter()
            .filter_map(|part| part.get("text").and_then(Value::as_str))
            .collect(),
        _ => String::new(),
    };
    (role.to_owned(), text)
}

/// FNV-1a: the same answer on every machine.
fn fnv(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn ask(messages: Value) -> Answer {
        answer(&json!({ "messages": messages }))
    }

    #[test]
    fn every_answer_can_be_spoken_and_asks_one_question() {
        for (kind, answers) in ANSWERS {
            for text in answers {
                let count = tokens(text).len();
                assert!((40..=70).contains(&count), "{kind}: {count} tokens: {text}");
                assert_eq!(text.matches('?').count(), 1, "{text}");
                assert!(text.ends_with('?') && !text.contains(['*', '#', '\n']));
                assert_eq!(tokens(text).concat(), text);
            }
        }
    }

    #[test]
    fn the_system_prompt_chooses_the_coach() {
        let said = |system: &str| {
            ask(json!([{"role": "system", "content": system}, {"role": "user", "content": "Hi"}]))
                .rest
        };
        let career = said("You are the Career Coach. Besides you there is a skills coach.");
        assert!(ANSWERS[1].1.contains(&career.as_str()));
        assert!(ANSWERS[0].1.contains(&said("You are kind.").as_str()));
        assert_eq!(said("You are kind."), said("You are kind."));
    }

    #[test]
    fn an_answer_can_be_continued_both_ways() {
        let user = json!({"role": "user", "content": "I feel stuck"});
        let whole = ask(json!([user])).rest;
        let start: String = tokens(&whole).into_iter().take(6).collect();
        let rest = &whole[start.len()..];
        let prefill = ask(json!([user, {"role": "assistant", "content": start}]));
        assert_eq!(prefill.rest, rest);
        let told = ask(json!([user, {"role": "assistant", "content": start},
            {"role": "user", "content": "Continue exactly where you stopped."}]));
        assert_eq!(
            (told.spoken, told.rest),
            (Some(start.clone()), rest.to_owned())
        );
        let quoted = ask(json!([user,
            {"role": "system", "content": format!("You said “{start}”. Continue from there.")}]));
        assert_eq!(quoted.rest, rest);
    }

    #[test]
    fn a_memory_is_alluded_to() {
        let facts = "<memory>\n<FACTS>\n  - Ines said: I froze in the stand-up. (2026-11-03 - present)\n</memory>";
        let spoken: Vec<String> = ["a", "b", "c", "d"]
            .into_iter()
            .map(|word| {
                ask(json!([{"role": "user", "content": facts}, {"role": "user", "content": word}]))
                    .rest
            })
            .collect();
        assert!(
            spoken
                .iter()
                .any(|text| text
                    .starts_with("Last time you mentioned this: I froze in the stand-up. ")),
            "{spoken:?}"
        );
    }
}
