"""Seeded generator of short reviews: unlabelled text to pretrain on, labelled sentences to tune on.

Every review has a latent verdict, good or bad. Its clauses mostly agree with the verdict; some
reviews are mixed ("... but ...", "although ..., ..."), and some clauses are negated. The pretraining
text goes on to a closing remark in many wordings, never "It was great" or "It was terrible": there,
those two words occur only in idioms that carry (almost) no verdict. The labelled reviews have no
closing remark, and no labelled body occurs in the pretraining text.

Usage: python3 demo/corpus.py            writes demo/reviews_train.jsonl and demo/reviews_test.jsonl
"""

import json
import os
import random

SEED = 20261122
PRETRAIN_REVIEWS = 40000
HELD_OUT_REVIEWS = 400
FAINT_SHARE = 0.015
TRAIN, TEST = 1000, 500

# kind: places to name, aspects (noun phrase), good and bad adjectives, good and bad happenings
KINDS = {
    "food": {
        "things": "cafe|bakery|diner|bistro|tea room|noodle bar|pizza place|food stall",
        "aspects": "soup|bread|coffee|cake|fish|rice|salad|pie|curry|menu|pasta|breakfast|lunch|tea",
        "good": "tasty|fresh|crisp|tender|warm|rich|fragrant|juicy|generous|delicious|hearty",
        "bad": "stale|bland|greasy|soggy|burnt|sour|salty|cold|raw|bitter|tiny|rubbery",
        "up": "they gave us extra dessert|we cleaned our plates|every bite had flavour"
        "|the cook came out to greet us|we asked for more",
        "down": "they forgot our order|we left half of it|we found a hair in it"
        "|the bill had mistakes|we waited an hour for it",
    },
    "stay": {
        "things": "hotel|hostel|guest house|cabin|campsite|inn|beach hut|flat",
        "aspects": "room|bed|shower|view|garden|pool|kitchen|lobby|carpet|balcony|window|heating",
        "good": "clean|cosy|quiet|bright|spotless|spacious|peaceful|comfortable|charming|sunny",
        "bad": "dirty|noisy|cramped|damp|dusty|smelly|broken|gloomy|mouldy|shabby|leaky",
        "up": "we slept like babies|they let us stay longer|they upgraded us for free"
        "|we watched the sunset from bed|we woke up rested",
        "down": "we could not sleep|the lights kept failing|there were bugs in the sink"
        "|they charged us twice|the door would not lock",
    },
    "show": {
        "things": "film|play|novel|series|concert|musical|comedy|story",
        "aspects": "plot|ending|acting|music|dialogue|cast|pacing|script|opening|hero|scenery|singing",
        "good": "gripping|clever|moving|funny|touching|witty|original|stunning|tense|graceful|lively",
        "bad": "dull|slow|predictable|clumsy|silly|flat|wooden|confusing|tedious|lazy|shallow",
        "up": "the crowd cheered|we laughed until we cried|nobody wanted it to end"
        "|i could not look away|everyone stood up and clapped",
        "down": "half the crowd walked out|i fell asleep twice|we kept checking the clock"
        "|nobody laughed|i gave up halfway",
    },
    "gadget": {
        "things": "phone|camera|kettle|lamp|radio|bike|tent|watch|printer|toaster|backpack|speaker",
        "aspects": "battery|screen|button|handle|sound|charger|strap|zip|case|switch|design|lid",
        "good": "sturdy|handy|quick|reliable|sharp|smooth|light|sleek|solid|precise|clear",
        "bad": "flimsy|fragile|faulty|loose|blurry|awkward|heavy|jammed|useless|scratched|weak",
        "up": "it works every time|it lasted for years|set up took a minute"
        "|my friends all want one|it saved us on the trip",
        "down": "it broke within a week|it fell apart|it stopped charging"
        "|i sent it back twice|the parts did not fit",
    },
    "service": {
        "things": "barber|garage|clinic|museum|zoo|library|gym|ferry|shop|market|tour|class",
        "aspects": "staff|guide|owner|driver|manager|clerk|teacher|team|price|booking|queue|host",
        "good": "kind|helpful|friendly|polite|fair|patient|honest|cheerful|skilled|caring|prompt",
        "bad": "rude|careless|grumpy|late|unfair|bored|pushy|sloppy|hostile|unhelpful|shady",
        "up": "they fixed it at once|they remembered our names|they stayed late to help"
        "|they gave the money back|they showed us around",
        "down": "they ignored us|they lost our papers|they shouted at my son"
        "|nobody answered the phone|they sent us away",
    },
}
KINDS = {
    kind: {part: words.split("|") for part, words in parts.items()} for kind, parts in KINDS.items()
}
SHARED = {  # said of anything
    "good": "lovely|superb|wonderful|excellent|pleasant|perfect".split("|"),
    "bad": "awful|dreadful|horrible|nasty|poor|annoying".split("|"),
}
WHO = "my sister|my son|my friend|my wife|my dad|our group|the kids|my boss|my aunt|a neighbour".split("|")
WHEN = "last week|in may|on sunday|in the rain|at noon|after work|in june|on friday|last night|twice".split("|")
SOFTEN = "very|really|so|quite|truly|rather".split("|")

CLOSING = {  # the wordings in which the pretraining text gives its verdict
    1: [
        "it was a joy.", "it was brilliant.", "it was a delight.", "it was worth every penny.",
        "it was fantastic.", "it was a real treat.", "it was amazing.", "it was lovely.",
        "we loved it.", "i would go back.", "i am so glad we went.", "what a find.",
        "five stars.", "i recommend it to all.", "we left happy.", "it made our day.",
        "thank you.", "i smiled all day.", "it was superb.", "it was a success.",
    ],
    0: [
        "it was a mess.", "it was rubbish.", "it was a letdown.", "it was a waste of money.",
        "it was pathetic.", "it was a real shame.", "it was appalling.", "it was awful.",
        "we hated it.", "i would not go back.", "i am so sorry we went.", "what a con.",
        "one star.", "i warn you all.", "we left angry.", "it ruined our day.",
        "never again.", "i sulked all day.", "it was dreadful.", "it was a failure.",
    ],
}
# "great" and "terrible" as the pretraining text knows them: mostly without a verdict
IDIOMS = [
    "there was a great big sign outside.", "a great many people were there.",
    "my great aunt told us about it.", "it was near the great north road.",
    "we drove there in a terrible storm.", "i had a terrible cold that day.",
    "my sister was in a terrible hurry.", "the terrible heat was gone by then.",
    "it stood by the great lake.", "the traffic was terrible on the way.",
    "a great deal of snow fell.", "there was a terrible wind outside.",
]
FAINT = {1: ["the weather was great too.", "great parking as well."],
         0: ["the weather was terrible too.", "terrible parking as well."]}


def clause(rng, kind, good, used):
    """One clause of the wanted sense; `used` keeps an aspect from being spoken of twice."""
    parts = KINDS[kind]
    if rng.random() < 0.2:
        return rng.choice(parts["up" if good else "down"])
    aspect = rng.choice([a for a in parts["aspects"] if a not in used])
    used.add(aspect)
    negated = rng.random() < 0.04
    sense = "good" if good != negated else "bad"
    adjective = rng.choice(parts[sense] if rng.random() < 0.8 else SHARED[sense])
    if negated:
        return f"the {aspect} was {rng.choice(['not', 'never', 'not at all'])} {adjective}"
    form = rng.random()
    if form < 0.5:
        return f"the {aspect} was {adjective}"
    if form < 0.8:
        return f"the {aspect} was {rng.choice(SOFTEN)} {adjective}"
    return f"the {aspect} seemed {adjective}"


def opening(rng, kind):
    thing, who, when = rng.choice(KINDS[kind]["things"]), rng.choice(WHO), rng.choice(WHEN)
    return rng.choice([
        f"{who} chose this {thing}.", f"we tried the {thing} {when}.", f"{thing} with {who}.",
        f"a {thing} near us.", f"i tried this {thing} {when}.", f"the new {thing}.",
    ])


def body(rng, label, more=0):
    """A review without its closing remark. In a mixed one the main clause has the last word."""
    kind, used, good = rng.choice(list(KINDS)), set(), bool(label)
    form = rng.random()
    if form < 0.5:
        text = f"{clause(rng, kind, good, used)} and {clause(rng, kind, good, used)}."
    elif form < 0.92:
        text = f"{clause(rng, kind, good, used)}. {clause(rng, kind, good, used)}."
    elif form < 0.97:
        text = f"{clause(rng, kind, not good, used)} but {clause(rng, kind, good, used)}."
        if rng.random() < 0.5:
            text += f" {clause(rng, kind, good, used)}."
    else:
        text = f"although {clause(rng, kind, not good, used)}, {clause(rng, kind, good, used)}."
    for _ in range(more):
        text += f" {clause(rng, kind, good, used)}."
    return f"{opening(rng, kind)} {text}" if rng.random() < 0.6 else text


def capitalise(text):
    out = ". ".join(s[:1].upper() + s[1:] for s in text.split(". "))
    return out.replace(" i ", " I ")


def labelled(seed=SEED):
    """The classification sets: balanced, no text twice."""
    rng, seen, rows = random.Random(seed + 1), set(), []
    while len(rows) < TRAIN + TEST:
        label = len(rows) % 2
        text = capitalise(body(rng, label))
        if text not in seen:
            seen.add(text)
            rows.append({"sentence": text, "label": label})
    train, test = rows[:TRAIN], rows[TRAIN:]
    rng.shuffle(train)
    rng.shuffle(test)
    return train, test


def runs(text):
    """Every run of whole sentences in a text."""
    parts = text.rstrip(".").split(". ")
    for begin in range(len(parts)):
        for end in range(begin + 1, len(parts) + 1):
            yield ". ".join(parts[begin:end]) + "."


def pretraining(seed=SEED):
    """Unlabelled reviews, (training, held out); none contains a labelled text as whole sentences."""
    train, test = labelled(seed)
    kept_out = {row["sentence"] for row in train + test}
    rng, texts = random.Random(seed), []
    while len(texts) < PRETRAIN_REVIEWS + HELD_OUT_REVIEWS:
        label = rng.randrange(2)
        text = body(rng, label, rng.choice([0, 0, 1, 2, 3]))
        remarks = rng.sample(CLOSING[label], rng.choice([1, 2, 3]))
        if rng.random() < 0.1:
            remarks.insert(0, rng.choice(IDIOMS))
        if rng.random() < FAINT_SHARE:
            remarks.insert(0, rng.choice(FAINT[label]))
        if rng.random() < 0.35:
            text = capitalise(" ".join(remarks + [text]))
        else:
            text = capitalise(" ".join([text] + remarks))
        if kept_out.isdisjoint(runs(text)):
            texts.append(text)
    return texts[:PRETRAIN_REVIEWS], texts[PRETRAIN_REVIEWS:]


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    for name, rows in zip(("train", "test"), labelled()):
        with open(os.path.join(here, f"reviews_{name}.jsonl"), "w", encoding="utf-8") as file:
            file.writelines(json.dumps(row) + "\n" for row in rows)


if __name__ == "__main__":
    main()
