"""Byte-level BPE in the GPT-2 manner: training, encoding, and the two ways it is written down."""

import re
from collections import Counter

END = "<|endoftext|>"
# GPT-2's pre-tokenizer for ASCII text (the corpus has no other); same cuts as ByteLevel's regex
PIECES = re.compile(r"'s|'t|'re|'ve|'m|'ll|'d| ?[A-Za-z]+| ?[0-9]+| ?[^\sA-Za-z0-9]+|\s+(?!\S)|\s+")


def byte_letters():
    """GPT-2's printable letter for each byte."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters = {b: chr(b) for b in plain}
    for n, b in enumerate(b for b in range(256) if b not in letters):
        letters[b] = chr(256 + n)
    return letters


LETTERS = byte_letters()


def pieces(text):
    return ["".join(LETTERS[b] for b in p.encode()) for p in PIECES.findall(text)]


def merge_pair(symbols, pair):
    out, i = [], 0
    while i < len(symbols):
        if i + 1 < len(symbols) and (symbols[i], symbols[i + 1]) == pair:
            out.append(symbols[i] + symbols[i + 1])
            i += 2
        else:
            out.append(symbols[i])
            i += 1
    return out


class Tokenizer:
    def __init__(self, merges):
        self.merges = merges
        self.rank = {pair: n for n, pair in enumerate(merges)}
        self.tokens = [END, *(LETTERS[b] for b in range(256)), *(a + b for a, b in merges)]
        self.ids = {token: n for n, token in enumerate(self.tokens)}
        self.known = {}

    def encode(self, text):
        out = []
        for piece in pieces(text):
            if piece not in self.known:
                symbols = list(piece)
                while len(symbols) > 1:
                    pair = min(zip(symbols, symbols[1:]), key=lambda p: self.rank.get(p, 1 << 30))
                    if pair not in self.rank:
                        break
                    symbols = merge_pair(symbols, pair)
                self.known[piece] = [self.ids[s] for s in symbols]
            out += self.known[piece]
        return out

    def to_json(self):
        """The contents of a Hugging Face tokenizer.json; ids are those of `tokens`."""
        byte_level = {"type": "ByteLevel", "trim_offsets": True, "use_regex": True}
        begin = {"SpecialToken": {"id": END, "type_id": 0}}
        first, second = ({"Sequence": {"id": s, "type_id": n}} for n, s in enumerate("AB"))
        return {
            "version": "1.0",
            "truncation": None,
            "padding": None,
            "added_tokens": [{
                "id": 0, "content": END, "single_word": False, "lstrip": False, "rstrip": False,
                "normalized": False, "special": True,
            }],
            "normalizer": None,
            "pre_tokenizer": {**byte_level, "add_prefix_space": False},
            "post_processor": {
                "type": "TemplateProcessing", "single": [begin, first],
                "pair": [begin, first, second],
                "special_tokens": {END: {"id": END, "ids": [0], "tokens": [END]}},
            },
            "decoder": {**byte_level, "add_prefix_space": True},
            "model": {
                "type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": "",
                "end_of_word_suffix": "", "fuse_unk": False, "byte_fallback": False,
                "ignore_merges": False, "vocab": self.ids,
                "merges": [f"{a} {b}" for a, b in self.merges],
            },
        }


def train(texts, vocab_size):
    """Merges the most frequent pair until the vocabulary is full; ties go to the smaller pair."""
    words = [(list(p), n) for p, n in Counter(p for t in texts for p in pieces(t)).items()]
    merges = []
    while 257 + len(merges) < vocab_size:
        counts = Counter()
        for symbols, n in words:
            for pair in zip(symbols, symbols[1:]):
                counts[pair] += n
        best = min(counts, key=lambda p: (-counts[p], p))
        merges.append(best)
        words = [(merge_pair(s, best), n) for s, n in words]
    return Tokenizer(merges)
