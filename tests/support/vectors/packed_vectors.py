"""Makes tests/fixtures/packed.json: what the formats' own code decodes the tests' own packed tensors to.

The code is not part of this repository: FOLDER holds clones of the repositories of SOURCES, as OWNER+NAME/repo, bare or not, of which
the definitions that are named here are read and run.

Run: deno run -A tests/support/vectors/packed_vectors.ts > packed.json
     python3 tests/support/vectors/packed_vectors.py FOLDER packed.json > tests/fixtures/packed.json
with numpy and torch (made with Debian's python3-torch).
"""

import ast
import base64
import collections.abc
import functools
import hashlib
import json
import math
import os
import subprocess
import sys
import types
import typing
import zlib
from enum import Enum

import numpy as np
import torch

FOLDER = sys.argv[1]
LARGE = 65536

SOURCES = {
    "AutoGPTQ": "AutoGPTQ/AutoGPTQ",
    "GPTQModel": "ModelCloud/GPTQModel",
    "AutoAWQ": "casper-hansen/AutoAWQ",
    "hqq": "mobiusml/hqq",
    "bitsandbytes": "bitsandbytes-foundation/bitsandbytes",
    "AQLM": "Vahe1994/AQLM",
    "compressed-tensors": "neuralmagic/compressed-tensors",
    "torchao": "pytorch/ao",
}


def git(source, *arguments):
    folder = os.path.join(FOLDER, SOURCES[source].replace("/", "+"), "repo")
    return subprocess.run(["git", "-C", folder, *arguments], check=True, capture_output=True, text=True).stdout


class LongIndices:
    """torch, but for int32, which older ones cannot index by."""

    int32 = torch.int64

    def __init__(self, **more):
        self.__dict__.update(more)

    def __getattr__(self, name):
        return getattr(torch, name)


def namesake(node):
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        return node.name
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
        return node.targets[0].id
    return None


def definitions(source, path, names, of=None, **given):
    """Runs the definitions of `names`, those of class `of` or of the module, and returns what they are in."""
    body = ast.parse(git(source, "show", f"HEAD:{path}")).body
    if of:
        body = next(node for node in body if namesake(node) == of).body
    wanted = [node for node in body if namesake(node) in names]
    missing = set(names) - {namesake(node) for node in wanted}
    assert not missing, f"{source} {path} has no {missing}"
    space = {**vars(typing), "torch": torch, "nn": torch.nn, "F": torch.nn.functional, "math": math, "np": np}
    space |= {"functools": functools, "os": os, "json": json, **given}
    future = ast.ImportFrom("__future__", [ast.alias("annotations")], 0)
    module = ast.fix_missing_locations(ast.Module([future, *wanted], []))
    exec(compile(module, f"{source}/{path}", "exec"), space)
    return space


def layer(methods, base=torch.nn.Module, **fields):
    """A module with these methods and fields, made without its own constructor."""
    made = type("Layer", (base,), methods)()
    for name, value in fields.items():
        setattr(made, name, value)
    return made


def gptq_v1(tensors, settings, rows, columns):
    path = "auto_gptq/nn_modules/qlinear/qlinear_cuda.py"
    given = {"_autogptq_cuda_available": False, "autogptq_cuda_256": None, "autogptq_cuda_64": None}
    linear = definitions("AutoGPTQ", path, ["QuantLinear"], **given)["QuantLinear"]
    module = linear(settings["bits"], settings["group_size"], columns, rows, False, weight_dtype=torch.float32)
    # Fewer rows than 32 leave no room in the module's own; matmul has no f16 on a CPU.
    for name, tensor in tensors.items():
        setattr(module, name, tensor.float() if name == "scales" else tensor)
    return module(torch.eye(columns)).t()


class Unlogged:
    info = types.SimpleNamespace(once=lambda message: None)


def gptq_model(tensors, settings, rows, columns):
    """Files of both versions, v1 converted as on loading; f16 throughout."""
    bits = settings["bits"]
    path = "gptqmodel/nn_modules/qlinear/__init__.py"
    shifts = ["_torch_shift_factor", "_torch_right_shift", "_torch_left_shift"]
    helpers = definitions("GPTQModel", path, shifts, t=torch)
    methods = ["_wf_device", "_init_wf_unsqueeze_buffers", "dequantize_weight", "_dequantize_from_codes"]
    own = definitions("GPTQModel", path, methods, of="PackableQuantLinear", t=torch, **{s: helpers[s] for s in shifts})
    module = layer(
        {name: own[name] for name in methods} | {"qzero_format": lambda self, format: None},
        bits=bits,
        pack_dtype=torch.int32,
        maxq=2**bits - 1,
        planar=False,
        enable_wf_unsqueeze=True,
        pack_dtype_bits=32,
        pack_factor=32 // bits,
        dequant_dtype=torch.int16 if bits == 8 else torch.int8,
    )
    for name, tensor in tensors.items():
        module.register_buffer(name, tensor.clone())
    if settings["checkpoint_format"] == "gptq":
        fields = ["unpack_cols", "pack_cols", "_require_int32_words_for_3bit", "_unpack_cols_3bit", "_pack_cols_3bit"]
        fields += ["_shift_gptq_qzeros", "_correct_gptq_v1_qzeros", "_revert_gptq_v1_qzeros_correction"]
        shifted = definitions("GPTQModel", "gptqmodel/utils/model_dequant.py", fields, PLANAR_BITS=())
        there, back = "convert_gptq_v1_to_v2_format_module", "convert_gptq_v2_to_v1_format_module"
        converts = definitions(
            "GPTQModel",
            "gptqmodel/utils/model.py",
            [there, back],
            BaseQuantLinear=torch.nn.Module,
            log=Unlogged,
            **{name: shifted[name] for name in fields},
        )
        converts[there](module, bits, torch.int32)
        zeros = module.qzeros.clone()
        # What it writes of these zero points is what was packed.
        converts[back](module, module)
        assert module.qzeros.equal(tensors["qzeros"])
        module.qzeros.copy_(zeros)
    return module.dequantize_weight().t()


def awq(tensors, settings, rows, columns):
    names = ["AWQ_REVERSE_ORDER", "unpack_awq", "reverse_awq_order", "dequantize_gemm"]
    own = definitions("AutoAWQ", "awq/utils/packing_utils.py", names, torch=LongIndices())
    group = settings["group_size"]
    planes = [tensors[name] for name in ("qweight", "qzeros", "scales")]
    return own["dequantize_gemm"](*planes, 4, columns if group == -1 else group).t()


def hqq(tensors, settings, rows, columns):
    given = {"uint8": torch.uint8, "int32": torch.int32, "float16": torch.float16, "Tensor": torch.Tensor}
    packing = definitions("hqq", "hqq/core/bitpack.py", ["BitPack"], **given)["BitPack"]
    decoded = definitions("hqq", "hqq/core/utils.py", ["decode_safetensor_type"])["decode_safetensor_type"]
    own = definitions(
        "hqq",
        "hqq/core/quantize.py",
        ["_META_TYPE", "Quantizer"],
        BitPack=packing,
        optimize_weights_proximal=None,
        **given,
    )
    quantizer, kinds = own["Quantizer"], own["_META_TYPE"]
    meta = {k: decoded(v, kinds[k]) for k, v in tensors.items() if k in kinds}
    meta["unpack_view_dtype"] = quantizer.unpack_view_dtype[meta["packing"]]
    meta["compute_dtype"] = torch.float32
    for name in ("scale", "zero"):
        meta[name] = meta[name].float()
    return quantizer.dequantize(tensors["W_q"], meta)


def bitsandbytes(tensors, settings, rows, columns):
    kernels = {}

    def register_kernel(name, backend):
        return lambda kernel: kernels.setdefault(name, kernel)

    def op(name):
        return types.SimpleNamespace(default=lambda *arguments: kernels[f"bitsandbytes::{name}"](*arguments))

    ops = types.SimpleNamespace(bitsandbytes=types.SimpleNamespace())
    for name in ("dequantize_4bit", "dequantize_blockwise"):
        setattr(ops.bitsandbytes, name, op(name))
    unpack = definitions("bitsandbytes", "bitsandbytes/utils.py", ["unpack_tensor_to_dict"])
    own = definitions(
        "bitsandbytes",
        "bitsandbytes/functional.py",
        ["QuantState", "dequantize_4bit", "dequantize_blockwise", "get_4bit_type"],
        torch=LongIndices(ops=ops),
        unpack_tensor_to_dict=unpack["unpack_tensor_to_dict"],
    )
    definitions(
        "bitsandbytes",
        "bitsandbytes/backends/default/ops.py",
        ["_", "_try_torch_compile", "_dequantize_blockwise_compute", "_dequantize_4bit_compute"],
        torch=LongIndices(),
        register_kernel=register_kernel,
        _get_4bit_code=lambda kind, device: own["get_4bit_type"](kind, device),
        cache=functools.cache,
        wraps=functools.wraps,
        prod=math.prod,
        Sequence=collections.abc.Sequence,
    )
    parts = {name: tensor for name, tensor in tensors.items() if name != "weight"}
    state = own["QuantState"].from_dict(parts, torch.device("cpu"))
    state.dtype = torch.float32
    return own["dequantize_4bit"](tensors["weight"], state)


def aqlm(tensors, settings, rows, columns):
    os.environ["AQ_USE_JIT"] = "0"
    names = ["unpack_int_data", "maybe_script", "_dequantize_weight"]
    own = definitions("AQLM", "inference_lib/src/aqlm/utils.py", names)
    codes = own["unpack_int_data"](tensors["codes"], settings["nbits_per_codebook"])
    return own["_dequantize_weight"](codes, tensors["codebooks"].float(), tensors["scales"].float())


class Strategy(Enum):
    TENSOR, CHANNEL, GROUP, BLOCK, TENSOR_GROUP = range(5)


def compressed(tensors, settings, rows, columns):
    scheme = settings["config_groups"]["group_0"]["weights"]
    bits = scheme["num_bits"]
    path = "src/compressed_tensors/compressors/quantized_compressors/pack_quantized.py"
    unpack = definitions("compressed-tensors", path, ["unpack_from_int32"], Literal=typing.Literal)["unpack_from_int32"]
    own = definitions(
        "compressed-tensors",
        "src/compressed_tensors/quantization/lifecycle/forward.py",
        ["_process_quantization", "_dequantize"],
        QuantizationStrategy=Strategy,
        calculate_range=lambda args, device: (None, None),
        ceil=math.ceil,
    )
    scale = tensors["weight_scale"].float()
    zero = tensors.get("weight_zero_point")
    if zero is not None:
        zero = unpack(zero, bits, scale.shape, packed_dim=0)
    return own["_process_quantization"](
        unpack(tensors["weight_packed"], bits, tensors["weight_shape"]),
        scale,
        zero,
        types.SimpleNamespace(strategy=Strategy.GROUP, group_size=scheme["group_size"]),
        tensors.get("weight_g_idx"),
        dtype=torch.float32,
        do_quantize=False,
    )


def torchao(tensors, settings, rows, columns):
    names = ["_get_reduction_params", "_dequantize_affine_no_dtype_check"]
    own = definitions("torchao", "torchao/quantization/quant_primitives.py", names)
    scale = tensors["_weight_scale"].float()
    return own["_dequantize_affine_no_dtype_check"](
        tensors["_weight_qdata"],
        [1, columns // scale.shape[1]],
        scale,
        tensors.get("_weight_zero_point"),
        -128,
        127,
        torch.float32,
    )


# By the start of a case's name: the decoder, and what the note says of it.
DECODERS = {
    "GPTQ v1, as GPTQModel reads it": (
        gptq_model,
        "GPTQModel",
        "convert_gptq_v1_to_v2_format_module (utils/model.py) and PackableQuantLinear.dequantize_weight "
        "(nn_modules/qlinear/__init__.py), in f16",
    ),
    "GPTQ v1": (
        gptq_v1,
        "AutoGPTQ",
        "QuantLinear.forward of the identity (nn_modules/qlinear/qlinear_cuda.py), f16 scales widened to f32",
    ),
    "GPTQ v2": (
        gptq_model,
        "GPTQModel",
        "PackableQuantLinear.dequantize_weight (nn_modules/qlinear/__init__.py), in f16",
    ),
    "AWQ": (awq, "AutoAWQ", "dequantize_gemm (awq/utils/packing_utils.py), in f16, with 64-bit indices"),
    "HQQ": (
        hqq,
        "hqq",
        "decode_safetensor_type (core/utils.py) and Quantizer.dequantize (core/quantize.py), compute_dtype float32",
    ),
    "NF4": (
        bitsandbytes,
        "bitsandbytes",
        "QuantState.from_dict, dequantize_4bit and dequantize_blockwise (functional.py) with the default kernels "
        "(backends/default/ops.py), dtype float32, with 64-bit indices",
    ),
    "AQLM": (
        aqlm,
        "AQLM",
        "unpack_int_data and _dequantize_weight (inference_lib/src/aqlm/utils.py), codebooks and scales widened to f32",
    ),
    "compressed-tensors": (
        compressed,
        "compressed-tensors",
        "unpack_from_int32 (pack_quantized.py) and _process_quantization (lifecycle/forward.py), scales widened to f32",
    ),
    "torchao": (
        torchao,
        "torchao",
        "_dequantize_affine_no_dtype_check (quantization/quant_primitives.py), scales widened to f32",
    ),
}
DECODERS["FP4"] = DECODERS["NF4"]

DTYPES = {
    "U8": torch.uint8,
    "I8": torch.int8,
    "I16": torch.int16,
    "I32": torch.int32,
    "I64": torch.int64,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "F32": torch.float32,
}


def tensor_of(stored):
    data = bytearray(base64.b64decode(stored["base64"]))
    return torch.frombuffer(data, dtype=DTYPES[stored["dtype"]]).reshape(stored["shape"])


def kept(stored):
    """A tensor as the fixture has it: one that is large by its hash alone."""
    data = base64.b64decode(stored["base64"])
    if len(data) <= LARGE:
        return stored
    return {"dtype": stored["dtype"], "shape": stored["shape"], "sha256": hashlib.sha256(data).hexdigest()}


def main():
    with open(sys.argv[2]) as file:
        packed = json.load(file)
    cases = []
    for case in packed:
        start = next(start for start in DECODERS if case["name"].startswith(start))
        tensors = {name: tensor_of(stored) for name, stored in case["tensors"].items()}
        rows, columns = case["rows"], case["columns"]
        weights = DECODERS[start][0](tensors, case["settings"], rows, columns).contiguous()
        assert weights.shape == (rows, columns) and weights.dtype in (torch.float16, torch.float32), case["name"]
        own = np.frombuffer(base64.b64decode(case["own"]), np.float32).reshape(rows, columns)
        far = np.abs(own - weights.float().numpy()).max() / np.abs(own).max()
        print(f"{case['name']}: {weights.dtype}, largest difference {far:.3g} of the largest weight", file=sys.stderr)
        cases.append(
            {
                "name": case["name"],
                "tensors": {name: kept(stored) for name, stored in case["tensors"].items()},
                "dtype": "F16" if weights.dtype == torch.float16 else "F32",
                "weights": base64.b64encode(zlib.compress(weights.numpy().tobytes(), 9)).decode(),
            }
        )
    commits = {name: f"{path} at {git(name, 'rev-parse', '--short=8', 'HEAD').strip()}" for name, path in SOURCES.items()}
    made = {start: f"{commits[source]}: {how}" for start, (_, source, how) in DECODERS.items()}
    note = (
        "tests/support/vectors/packed_cases.ts packed these tensors with the tests' own packers (packed_vectors.ts, all from fixed seeds); "
        "tests/support/vectors/packed_vectors.py, which says how to run both, had the formats' own code decode them, with torch "
        f"{torch.__version__}. By the start of a name, what decoded. Little endian bytes; weights are row-major, deflated (zlib); "
        "tensors above 64 KiB are kept as their SHA-256. Left out is int4 of torchao, whose forms only kernels of its devices unpack."
    )
    lines = ",\n".join("  " + json.dumps(case, separators=(",", ":")) for case in cases)
    head = json.dumps({"made": note, "decoders": made}, indent=1)
    print(f'{head[:-2]},\n "cases": [\n{lines}\n ]\n}}')


main()
