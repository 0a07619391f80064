//! What is heard, case by case; ` | ` stands for the phrase of repair.

use super::Asked::{self, Instruction, Prefill};

/// Said, how the other model was asked, the continuation, and all that is heard.
pub(super) const CASES: &[(&str, Asked, &str, &str)] = &[
    // It goes on where the other stopped.
    ("Let us slow", Prefill, " it down.", "Let us slow it down."),
    (
        "Let us slow",
        Instruction,
        " it down.",
        "Let us slow it down.",
    ),
    (
        "Let us slow",
        Instruction,
        "it down.",
        "Let us slow it down.",
    ),
    (
        "Let us slow ",
        Instruction,
        "it down.",
        "Let us slow it down.",
    ),
    ("Let us slow ", Prefill, " it down.", "Let us slow it down."),
    (
        "Let us slow",
        Instruction,
        "  it down.",
        "Let us slow it down.",
    ),
    ("a promo", Prefill, "tion matters", "a promotion matters"),
    ("it don", Prefill, "'t matter", "it don't matter"),
    ("it", Instruction, "’s fine", "it’s fine"),
    ("about 3.", Prefill, "5 percent", "about 3.5 percent"),
    ("a half", Prefill, "-finished one", "a half-finished one"),
    // The space between.
    (
        "what matters",
        Instruction,
        ", and why",
        "what matters, and why",
    ),
    (
        "what matters",
        Instruction,
        " , and why",
        "what matters, and why",
    ),
    (
        "what matters,",
        Instruction,
        "and why",
        "what matters, and why",
    ),
    (
        "what matters",
        Prefill,
        ". Then rest.",
        "what matters. Then rest.",
    ),
    (
        "what matters",
        Instruction,
        ". Then rest.",
        "what matters. Then rest.",
    ),
    ("in (", Instruction, "say) May", "in (say) May"),
    (
        "they call it",
        Instruction,
        "\"flow\" now",
        "they call it \"flow\" now",
    ),
    (
        "they call \"flow",
        Instruction,
        "\" now",
        "they call \"flow\" now",
    ),
    (
        "One thing —",
        Instruction,
        "this one",
        "One thing — this one",
    ),
    ("Then", Prefill, "I would rest", "Then I would rest"),
    ("Then", Instruction, "I'd rest", "Then I'd rest"),
    (
        "That helps.",
        Instruction,
        "Pick one.",
        "That helps. Pick one.",
    ),
    ("That helps.", Prefill, "Pick one.", "That helps. Pick one."),
    (
        "He said “go.”",
        Prefill,
        " Did you?",
        "He said “go.” Did you?",
    ),
    ("", Instruction, "Pick one.", "Pick one."),
    ("  ", Instruction, " Pick one.", "  Pick one."),
    // It repeats the end.
    (
        "a lot to carry",
        Instruction,
        "to carry, and I",
        "a lot to carry, and I",
    ),
    (
        "a lot to carry,",
        Instruction,
        "to carry, and I",
        "a lot to carry, and I",
    ),
    (
        "a lot to carry,",
        Instruction,
        "to carry and I",
        "a lot to carry, and I",
    ),
    (
        "A lot to carry",
        Prefill,
        "A LOT TO CARRY and",
        "A lot to carry and",
    ),
    ("so it is the", Instruction, "the part", "so it is the part"),
    ("so it is the", Prefill, " the part", "so it is the part"),
    ("a b a b", Instruction, "a b c", "a b a b c"),
    ("a b a b", Instruction, "a b a b c", "a b a b c"),
    (
        "now – really –",
        Instruction,
        "really – yes",
        "now – really – yes",
    ),
    (
        "well done 🎉",
        Instruction,
        "done 🎉 and on",
        "well done 🎉 and on",
    ),
    (
        "You don’t know",
        Instruction,
        "don't know yet",
        "You don’t know yet",
    ),
    (
        "Is it? Yes.",
        Instruction,
        "Yes. It is.",
        "Is it? Yes. It is.",
    ),
    (
        "Is it? Yes.",
        Instruction,
        "Yes it is.",
        "Is it? Yes. Yes it is.",
    ),
    ("to carry", Instruction, "to carry", "to carry"),
    ("to carry", Instruction, "to carry.", "to carry."),
    // It finishes a word that was cut.
    (
        "the pro",
        Instruction,
        "the promotion matters",
        "the promotion matters",
    ),
    (
        "my co-",
        Instruction,
        "my co-worker asks",
        "my co-worker asks",
    ),
    ("it don", Instruction, "it don’t help", "it don’t help"),
    // It starts over.
    (
        "It counts. Pick the part",
        Prefill,
        "It counts. Pick the part that weighs.",
        "It counts. Pick the part that weighs.",
    ),
    (
        "It counts. Pick the part",
        Instruction,
        "Pick the part that weighs.",
        "It counts. Pick the part that weighs.",
    ),
    // It finds the seam late.
    (
        "what matters to you",
        Instruction,
        "Sure! Here it goes on: … matters to you most now.",
        "what matters to you most now.",
    ),
    (
        "Let us look for one pie",
        Instruction,
        "Of course. Let us look for one piece of it.",
        "Let us look for one piece of it.",
    ),
    // It does not fit.
    (
        "Let us look",
        Instruction,
        "Sorry about that. Tell me more.",
        "Let us look | Sorry about that. Tell me more.",
    ),
    (
        "Let us look",
        Prefill,
        "Sorry. Tell me.",
        "Let us look | Sorry. Tell me.",
    ),
    (
        "Let us look",
        Prefill,
        " Maria up.",
        "Let us look Maria up.",
    ),
    (
        "Pick the part that weighs",
        Instruction,
        "Pick the part that hurts you. Now rest.",
        "Pick the part that weighs | Now rest.",
    ),
    (
        "Only one. Pick the part that weighs",
        Instruction,
        "Pick the part that hurts.",
        "Only one. Pick the part that weighs",
    ),
    (
        "Let us not rush the small clear step",
        Instruction,
        "let us not rush the small and plain. Rest.",
        "Let us not rush the small clear step | Rest.",
    ),
    // A word or two are found where a sentence begins with them.
    (
        "That",
        Instruction,
        "Sure, let me answer that again. That sounds hard.",
        "That sounds hard.",
    ),
    ("I hear", Prefill, "Sorry. I hear you.", "I hear you."),
    (
        "Let us",
        Prefill,
        "Sorry. We let us down.",
        "Let us | Sorry. We let us down.",
    ),
    (
        "Let us look",
        Prefill,
        "\n\nSorry. Tell me.",
        "Let us look | Sorry. Tell me.",
    ),
    // A coincidence is no overlap.
    (
        "the work and then",
        Instruction,
        "the people too",
        "the work and then the people too",
    ),
    (
        "the work and then",
        Prefill,
        " the work waits",
        "the work and then the work waits",
    ),
    (
        "It is fair to want more, and",
        Prefill,
        " it is fair to ask for it.",
        "It is fair to want more, and it is fair to ask for it.",
    ),
    // A new sentence is one that was not said.
    (
        "That is a lot. Both are useful.",
        Instruction,
        "Sure, once more. That is a lot. Both are useful. Go on.",
        "That is a lot. Both are useful. Sure, once more. Go on.",
    ),
    (
        "That is a lot to carry. It counts.",
        Instruction,
        "Sure, once more. That is a lot to carry. It counts. Go on.",
        "That is a lot to carry. It counts. Sure, once more. Go on.",
    ),
    (
        "That is a lot to carry, and then",
        Instruction,
        "Sorry, my line broke away for a moment there, I am back now. That is a lot to carry. Go on.",
        "That is a lot to carry, and then | Sorry, my line broke away for a moment there, I am back now. Go on.",
    ),
    // Nothing came.
    ("Let us", Instruction, "", "Let us"),
    ("Let us", Instruction, "  ", "Let us"),
    ("Let us", Prefill, "…", "Let us…"),
];
