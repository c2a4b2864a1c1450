"""Makes tests/fixtures/fastchat_vectors.json: conversations as FastChat, which Vicuna was trained and is served with, lays them out.

    python3 tests/support/vectors/fastchat_vectors.py FastChat/fastchat/conversation.py COMMIT > tests/fixtures/fastchat_vectors.json

The first argument is that file of github.com/lm-sys/FastChat (Apache-2.0), of which nothing is kept here; it is run, and what it makes of these
conversations is written down. A prompt is without the token that begins a text, which FastChat leaves to the tokenizer. Vicuna's layout keeps white
space around a message; the others are given none, as ours takes it off.
"""
import importlib.util
import json
import sys

spec = importlib.util.spec_from_file_location("conversation", sys.argv[1])
fastchat = importlib.util.module_from_spec(spec)
spec.loader.exec_module(fastchat)

SYSTEM = "Answer in one sentence."
PLAIN = ["Why is the sky blue?", "Light is scattered.", "And at night?", "It is dark.", "Why?", "Ünïcode 😀\nand lines."]
ODD = ["  What is 2 + 2?\n", "It is 4. ", "And {{ 3 }} + 'three'?", "\n6, or \"six\": USER: no"]
# Ours, FastChat's, whether it keeps white space, whether it has a place for a system prompt.
LAYOUTS = [
    ("vicuna", "vicuna_v1.1", True, True),
    ("llama2", "llama-2", False, True),
    ("llama3", "llama-3", False, True),
    ("gemma", "gemma", False, False),
]


def main():
    cases = []
    for own, name, keeps, has_system in LAYOUTS:
        for said in [PLAIN, ODD] if keeps else [PLAIN]:
            for system in [None, SYSTEM] if has_system else [None]:
                for turns in range(1, len(said) + 1):
                    asks = turns % 2 == 1
                    # Behind an answer the others go on with what begins the next question.
                    if not asks and own != "vicuna":
                        continue
                    conversation = fastchat.get_conv_template(name)
                    if system is not None:
                        conversation.set_system_message(system)
                    for i, text in enumerate(said[:turns]):
                        conversation.append_message(conversation.roles[i % 2], text)
                    if asks:
                        conversation.append_message(conversation.roles[1], None)
                    messages = [{"role": "system", "content": system}] if system is not None else []
                    messages += [
                        {"role": ["user", "assistant"][i % 2], "content": text} for i, text in enumerate(said[:turns])
                    ]
                    cases.append(
                        {"template": own, "messages": messages, "answer": asks, "prompt": conversation.get_prompt()}
                    )
    stops = {
        own: {"stop": it.stop_str, "end": it.sep2}
        for own, it in ((own, fastchat.get_conv_template(name)) for own, name, *_ in LAYOUTS)
    }
    source = f"github.com/lm-sys/FastChat {sys.argv[2]}, fastchat/conversation.py, run by fastchat_vectors.py"
    json.dump({"source": source, "stops": stops, "cases": cases}, sys.stdout, ensure_ascii=False, indent=1)
    print()


main()
