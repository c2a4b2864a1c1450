"""Makes tests/fixtures/gptq_quantize.json: GPTQ as the paper states it (arXiv 2210.17323, algorithm 1), column by column with
the inverse Hessian's Cholesky factor in f64, on random inputs that go together.

Run: python3 tests/support/vectors/gptq_vectors.py > tests/fixtures/gptq_quantize.json
"""

import base64
import json

import numpy as np


def f16(x):
    return float(np.float16(np.clip(x, -65504, 65504)))


def codes_of(values, scale, second, case):
    """Codes and what they stand for, of values in f64."""
    largest = 2 ** case["bits"] - 1
    inverse = 0.0 if scale == 0 else 1 / scale
    shift = {"none": case["center"], "zero": second, "min": -second * inverse}[case["second"]]
    codes = np.clip(np.floor(values * inverse + shift + 0.5), 0, largest)
    if case["second"] == "min":
        return codes, scale * codes + second
    return codes, scale * (codes - (case["center"] if case["second"] == "none" else second))


def fit(values, case):
    """The scale that reaches the range: of symmetric codes the better of two, else with a zero point or a minimum."""
    values = values.astype(np.float32).astype(np.float64)
    low, high = values.min(), values.max()
    largest = 2 ** case["bits"] - 1
    if case["second"] == "none":
        extreme = low if -low > high else high
        found = [(f16(extreme / -case["center"]), 0), (f16(abs(extreme) / (largest - case["center"])), 0)]
        error = [((values - codes_of(values, s, z, case)[1]) ** 2).sum() for s, z in found]
        return found[1] if error[1] < error[0] else found[0]
    if case["second"] == "zero":
        low, high = min(0, low), max(0, high)
        scale = (high - low) / largest
        return f16(scale), float(np.clip(np.floor(-low / scale + 0.5), 0, largest))
    return f16((high - low) / largest), f16(low)


def gptq(weights, moments, case):
    w = weights.astype(np.float64).copy()
    h = moments.astype(np.float64).copy()
    rows, columns = w.shape
    group = case["group"] or columns
    dead = np.flatnonzero(h.diagonal() == 0)
    mean = h.diagonal().mean()
    h[dead, dead] = mean
    h[np.arange(columns), np.arange(columns)] += case["damping"] * mean
    order = np.arange(columns)
    groups = [np.arange(g, min(columns, g + group)) for g in range(0, columns, group)]
    if case["actOrder"]:
        # Groups by their largest input, a partial one last; columns within their group.
        power = moments.diagonal()
        groups = [g[np.argsort(-power[g], kind="stable")] for g in groups]
        groups.sort(key=lambda g: (len(g) < group, -power[g[0]]))
        order = np.concatenate(groups)
    w, h = w[:, order], h[order][:, order]
    upper = np.linalg.cholesky(np.linalg.inv(h)).T
    codes = np.zeros((rows, columns), np.uint8)
    scales = np.zeros((rows, len(groups), 2))
    for r in range(rows):
        for i in range(columns):
            g = order[i] // group
            if i % group == 0:
                scales[r, g] = fit(w[r, i : i + group], case)
            code, value = codes_of(w[r, i : i + 1], *scales[r, g], case)
            codes[r, order[i]] = code[0]
            w[r, i:] -= (w[r, i] - value[0]) / upper[i, i] * upper[i, i:]
    return codes, scales


def base(array):
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()


LAYOUTS = {
    "int4_g32": (4, 8, "none", 32),
    "int3_g64": (3, 4, "none", 64),
    "int2z_g32": (2, 0, "zero", 32),
    "int4z_g128": (4, 0, "zero", 128),
    "int8_row": (8, 128, "none", 0),
    "Q4_0": (4, 8, "none", 32),
    "Q4_1": (4, 0, "min", 32),
    "Q5_1": (5, 0, "min", 32),
}


def main():
    rng = np.random.default_rng(7)
    rows, columns, tokens = 5, 160, 70
    # Small integers, so that their moments are the same numbers wherever they are computed; fewer tokens than columns.
    mixed = rng.normal(size=(tokens, 24)) @ rng.normal(size=(24, columns)) * 3 + rng.normal(size=(tokens, columns)) * 4
    mixed *= np.exp(rng.normal(size=columns))
    inputs = np.clip(np.round(mixed), -127, 127).astype(np.int8)
    inputs[:, 77] = 0
    x = inputs.astype(np.float64)
    moments = (x.T @ x / tokens).astype(np.float32)
    weights = rng.normal(size=(rows, columns)).astype(np.float32)
    cases = []
    for name, (bits, center, second, group) in LAYOUTS.items():
        for act_order in (False, True):
            case = {
                "format": name,
                "actOrder": act_order,
                "damping": 0.1 if bits == 3 else 0.01,
            }
            full = {**case, "bits": bits, "center": center, "second": second, "group": group}
            codes, scales = gptq(weights, moments, full)
            cases.append(
                {
                    **case,
                    "codes": base(codes),
                    "scales": base(scales[:, :, 0].astype(np.float32)),
                    "seconds": base(scales[:, :, 1].astype(np.float32)),
                }
            )
    print(
        json.dumps(
            {
                "made": "tests/support/vectors/gptq_vectors.py, with numpy "
                + np.__version__
                + ": GPTQ by the inverse Hessian's Cholesky factor. Little endian bytes; inputs are int8, tokens x columns.",
                "rows": rows,
                "columns": columns,
                "tokens": tokens,
                "inputs": base(inputs),
                "weights": base(weights),
                "cases": cases,
            },
            indent=1,
        )
    )


main()
