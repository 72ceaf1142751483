"""Functions with the arguments of PyTorch's, which check shapes and dtypes."""

from .. import refuse, together
from . import attention


def linear(input, weight, bias=None):
    if input.dtype != weight.dtype or (bias is not None and bias.dtype != input.dtype):
        refuse(f"expected mat1 and mat2 to have the same dtype, but got: {input.dtype} != {weight.dtype}")
    if len(weight.shape) != 2 or input.shape[-1] != weight.shape[1] or (bias is not None and bias.shape != weight.shape[:1]):
        refuse(f"mat1 and mat2 shapes cannot be multiplied ({input.shape} and {weight.shape})")
    together(input.like(()), weight.like(()))
    return input.like(input.shape[:-1] + weight.shape[:1])


def normalised(input, normalized_shape, *weights):
    shape = tuple(normalized_shape)
    if input.shape[len(input.shape) - len(shape):] != shape or any(w is not None and w.shape != shape for w in weights):
        refuse(f"Given normalized_shape={shape}, got input of size {input.shape}")
    return input


def rms_norm(input, normalized_shape, weight=None, eps=None):
    return normalised(input, normalized_shape, weight)


def layer_norm(input, normalized_shape, weight=None, bias=None, eps=1e-05):
    return normalised(input, normalized_shape, weight, bias)


def silu(input, inplace=False):
    return input


def gelu(input, approximate="none"):
    return input if approximate in ("none", "tanh") else refuse("approximate argument must be either none or tanh.")


def scaled_dot_product_attention(query, key, value, attn_mask=None, dropout_p=0.0, is_causal=False, scale=None,
                                 enable_gqa=False):
    if not query.dtype == key.dtype == value.dtype:
        refuse("Expected query, key, and value to have the same dtype")
    (b, heads, t, dim), (kb, kv, keys, kdim) = query.shape, key.shape
    if (kb, kdim) != (b, dim) or value.shape[:3] != key.shape[:3] or (heads % kv if enable_gqa else heads != kv):
        refuse(f"attention of {query.shape} over {key.shape} and {value.shape}")
    fused = [x for x in attention.allowed if not (enable_gqa and x is attention.SDPBackend.EFFICIENT_ATTENTION)]
    return query.like((b, heads, t, value.shape[-1])) if fused else refuse("No available kernel. Aborting execution.")
