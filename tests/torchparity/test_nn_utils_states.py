"""State dicts say of which order a layer is tone-free; those of layers that are not are taken, and projected."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations as norms
from torch.nn.utils import weight_norm
from torch.nn.utils.parametrize import remove_parametrizations

from torchparity.nn import PixelShuffle1d, SubpixelConv1d
from torchparity.nn.utils import project_, remove_tone_free, tone_free, tone_free_
from torchparity.nn.utils.states import _named

pytestmark = pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning")

X = torch.linspace(-1, 1, 40).reshape(1, 4, 10)

NORMS: dict[str, Callable[[Any], Any]] = {
    "plain": lambda layer: layer,
    "weight norm": norms.weight_norm,
    "older weight norm": weight_norm,
}


def made(norm: str, seed: int, order: int = 0) -> nn.Sequential:
    """Return a transposed convolution, a sub-pixel one, and one whose channels are interleaved."""
    torch.manual_seed(seed)
    up, conv = NORMS[norm](nn.ConvTranspose1d(4, 4, 8, 4)), NORMS[norm](nn.Conv1d(4, 8, 3))
    net = nn.Sequential(up, SubpixelConv1d(4, 4, 3, 2), conv, PixelShuffle1d(2))
    if order:
        tone_free_(net, order)
    return net


@pytest.mark.parametrize("norm", NORMS)
def test_of_layers_without_the_cure_they_are_loaded_as_if_before_it(norm: str) -> None:
    plain, kept = made(norm, 0), made(norm, 1, 1)
    state = copy.deepcopy(plain.state_dict())
    assert str(kept.load_state_dict(state)) == "<All keys matched successfully>"
    assert state.keys() == plain.state_dict().keys()
    tone_free_(plain)
    assert torch.equal(kept(X), plain(X))


@pytest.mark.parametrize("norm", ["weight norm", "older weight norm"])
def test_weights_without_their_norm_are_loaded_into_it(norm: str) -> None:
    """As those of a published decoder: its g and v become the norms of the weight, and itself."""
    plain = made(norm, 0)
    kept = made(norm, 1, 1)
    for layer in (plain[0], plain[2]):
        if norm == "weight norm":
            remove_parametrizations(layer, "weight")
        else:
            nn.utils.remove_weight_norm(layer)
    kept.load_state_dict(plain.state_dict())
    g, v = kept[0].parametrizations.weight.original0, kept[0].parametrizations.weight.original1  # type: ignore[union-attr]
    assert torch.equal(v, plain[0].weight)  # type: ignore[arg-type]
    assert torch.equal(g, torch.norm_except_dim(v, 2, 0))  # type: ignore[arg-type]


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("order", [0, 2])
def test_those_of_a_tone_free_layer_are_refused_by_any_other(norm: str, order: int) -> None:
    """By name: where the keys of weights are the same, a weight norm without the cure would make tones of them."""
    state = made(norm, 0, 1).state_dict()
    words = "tone_free_order: got 1; allowed: 2, the order of the model" if order else "tone_free_order"
    with pytest.raises(RuntimeError, match=words):
        made(norm, 1, order).load_state_dict(state)
    again = made(norm, 1, 1)
    again.load_state_dict(state)
    assert torch.equal(again(X), made(norm, 0, 1)(X))


def test_another_order_is_refused_where_keys_may_be_missing() -> None:
    """As another shape is: and what the model says of itself stays true."""
    kept = made("plain", 0, 2)
    with pytest.raises(RuntimeError, match="got 1; allowed: 2"):
        kept.load_state_dict(made("plain", 0, 1).state_dict(), strict=False)
    assert {int(v) for key, v in kept.state_dict().items() if key.endswith("tone_free_order")} == {2}


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("given", ["plain", "without marks", "first layer alone", "nothing", "other names"])
def test_what_is_loaded_where_keys_may_be_missing_is_projected(norm: str, given: str) -> None:
    """Plain and older state dicts as in strict loads; and what is not in them stays as it was, tone-free."""
    source, kept = made(norm, 0), made(norm, 1, 2)
    states: dict[str, Callable[[], dict[str, Any]]] = {
        "plain": source.state_dict,
        "without marks": lambda: {k: v for k, v in made(norm, 0, 2).state_dict().items() if "tone_free" not in k},
        "first layer alone": lambda: {k: v for k, v in source.state_dict().items() if k.startswith("0.")},
        "nothing": lambda: {},
        "other names": lambda: {f"module.{k}": v for k, v in source.state_dict().items()},
    }
    state, due = states[given](), made(norm, 1)
    due.load_state_dict(state if given != "without marks" else source.state_dict(), strict=False)
    result = kept.load_state_dict(state, strict=False)
    tone_free_(due, 2)
    assert torch.equal(kept(X), due(X))
    assert {int(v) for key, v in kept.state_dict().items() if key.endswith("tone_free_order")} == {2}
    assert bool(result.missing_keys) == (given not in ("plain", "without marks"))


@pytest.mark.parametrize("count", range(2, 20))
def test_means_of_checkpoints_are_of_their_order(count: int) -> None:
    """To rounding: a sum of twelfths is less than one. A mean over two orders is of neither."""
    mean = {key: sum(v / count for _ in range(count)) for key, v in made("plain", 0, 2).state_dict().items()}
    made("plain", 1, 2).load_state_dict(mean)
    halfway = {key: (v + 1 if key.endswith("order") else v) / 2 for key, v in made("plain", 0, 2).state_dict().items()}
    with pytest.raises(RuntimeError, match=r"got 1.5; allowed: 2"):
        made("plain", 0, 2).load_state_dict(halfway)
    nothing = {key: v * float("nan") for key, v in halfway.items()}
    with pytest.raises(RuntimeError, match=r"got nan; allowed: 2"):
        made("plain", 0, 2).load_state_dict(nothing)


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("moved", [False, True])
def test_what_an_inference_cured_or_moved_is_loaded(order: int, moved: bool) -> None:
    net = made("plain", 0, order if moved else 0)
    with torch.inference_mode():
        if moved:
            net.to("cpu")
        else:
            tone_free_(net, order)
    state = made("plain", 1, order).state_dict()
    net.load_state_dict(state)
    net(X).sum().backward()
    assert torch.equal(net(X), made("plain", 1, order)(X))


@pytest.mark.parametrize("order", [1, 2])
def test_the_order_survives_moves_and_the_meta_device(order: int) -> None:
    with torch.device("meta"):
        ghost = made("plain", 0, order)
    ghost.to_empty(device="cpu").half().float()
    assert {int(v) for key, v in ghost.state_dict().items() if key.endswith("tone_free_order")} == {order}
    with torch.device("meta"):
        ghost = made("plain", 0, order)
    ghost.load_state_dict(made("plain", 0).state_dict(), assign=True)
    assert {v.device.type for v in ghost.state_dict().values()} == {"cpu"}


@pytest.mark.parametrize("looked_at", [False, True])
@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("norm", NORMS)
def test_weights_assigned_to_a_model_of_the_meta_device_are_projected(norm: str, order: int, looked_at: bool) -> None:
    """Of kept and of plain state dicts, and where the model was run on that device before."""
    due = made(norm, 0, order)
    for state in (due.state_dict(), made(norm, 0).state_dict()):
        with torch.device("meta"):
            ghost = made(norm, 1, order)
        if looked_at:
            assert ghost(X.to("meta")).shape == due(X).shape
        ghost.load_state_dict(state, assign=True)
        assert torch.equal(ghost(X), due(X))


@pytest.mark.parametrize("K", [8, 64])
def test_a_kernel_assigned_from_the_meta_device(K: int) -> None:
    """Short ones are projected by a matrix, and long ones are not."""
    layer = tone_free(nn.ConvTranspose1d(4, 2, K, 4))
    with torch.device("meta"):
        ghost = tone_free(nn.ConvTranspose1d(4, 2, K, 4))
    ghost.load_state_dict(layer.state_dict(), assign=True)
    assert torch.equal(ghost.weight, layer.weight)
    assert {each.device.type for each in ghost.buffers()} == {"cpu"}


def hooks(net: nn.Module) -> int:
    """Return how many tensors of a net are taken from plain state dicts."""
    found: list[Any] = [h for part in net.modules() for h in part._load_state_dict_pre_hooks.values()]
    return sum(getattr(h.hook, "func", None) is _named for h in found)


@pytest.mark.parametrize("norm", NORMS)
def test_a_baked_layer_knows_nothing_of_it(norm: str) -> None:
    """Its state dict is that of the layer that it is, and it takes no other."""
    baked = made(norm, 0, 1)
    fresh = copy.deepcopy(baked)
    remove_tone_free(baked)
    assert not any("tone_free" in key for key in baked.state_dict())
    assert hooks(fresh) == 5  # of three weights, and the biases of phases
    assert hooks(baked) == 0
    fresh.load_state_dict(baked.state_dict())
    again = copy.deepcopy(baked)
    project_(again, inputs=X)
    assert torch.equal(fresh[1](X), tone_free(again[1])(X))
