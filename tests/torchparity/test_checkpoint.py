"""Weights from files: all of them or none, whatever they are wrapped in; and no code is run."""

import pickle
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, weight_norm
from torch.nn.utils.parametrize import register_parametrization

from torchparity.checkpoint import load_checkpoint
from torchparity.nn.utils import tone_free_
from torchparity.weightfiles import read


def net() -> nn.Sequential:
    return nn.Sequential(nn.Conv1d(2, 3, 3), nn.ReLU(), nn.ConvTranspose1d(3, 1, 4, 2))


def other(module: nn.Module) -> dict[str, torch.Tensor]:
    """Return weights of the module's shapes, with other values."""
    return {key: v + 1 for key, v in module.state_dict().items()}


def same(module: nn.Module, weights: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(v, weights[key]) for key, v in module.state_dict().items())


def prefixed(weights: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {prefix + key: v for key, v in weights.items()}


@pytest.mark.parametrize("name", ["a.pt", "a.pth", "a.bin", "a.ckpt", "a.safetensors"])
def test_plain_weights_are_loaded_without_a_remark(tmp_path: Path, name: str) -> None:
    module, weights = net(), other(net())
    if name.endswith("safetensors"):
        pytest.importorskip("safetensors.torch").save_file(weights, tmp_path / name)
    else:
        torch.save(weights, tmp_path / name)
    assert load_checkpoint(module, tmp_path / name) == ()
    assert same(module, weights)


@pytest.mark.parametrize(
    ("wrap", "remarks"),
    [
        (lambda w: {"state_dict": w, "epoch": 3}, ("weights found under state_dict",)),
        (lambda w: {"a": {"generator": w}, "optimizer": {"m": torch.ones(3)}}, ("weights found under a / generator",)),
        (lambda w: prefixed(w, "module."), ("prefix 'module.' of the checkpoint's keys is stripped",)),
        (
            lambda w: {**prefixed(w, "net.up."), "critic.weight": torch.ones(2), "step": torch.tensor(1)},
            ("prefix 'net.up.' of the checkpoint's keys is stripped; 2 keys without it are left out",),
        ),
        (
            lambda w: {"model": prefixed(w, "decoder.")},
            ("weights found under model", "prefix 'decoder.' of the checkpoint's keys is stripped"),
        ),
    ],
)
def test_the_table_that_fits_best_is_found(tmp_path: Path, wrap: Any, remarks: tuple[str, ...]) -> None:
    module, weights = net(), other(net())
    torch.save(wrap(weights), tmp_path / "a.pt")
    assert load_checkpoint(module, tmp_path / "a.pt") == remarks
    assert same(module, weights)


def test_a_prefix_that_the_module_has_is_put_before(tmp_path: Path) -> None:
    module, weights = nn.ModuleDict({"decoder": net()}), other(net())
    torch.save(weights, tmp_path / "a.pt")
    assert load_checkpoint(module, tmp_path / "a.pt") == ("prefix 'decoder.' is put before the checkpoint's keys",)
    assert same(module, prefixed(weights, "decoder."))


@pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning")
@pytest.mark.parametrize("newer_file", [False, True])
def test_weight_norm_of_the_other_interface_is_understood(tmp_path: Path, newer_file: bool) -> None:
    old, new = weight_norm(nn.Conv1d(2, 3, 3)), parametrizations.weight_norm(nn.Conv1d(2, 3, 3))
    saved, loaded = (new, old) if newer_file else (old, new)
    torch.save({"0." + key: v for key, v in saved.state_dict().items()}, tmp_path / "a.pt")
    remarks = load_checkpoint(nn.Sequential(loaded), tmp_path / "a.pt")
    assert any("weight_g and weight_v are original0 and original1" in remark for remark in remarks)
    x = torch.randn(1, 2, 9)
    with torch.no_grad():
        assert torch.equal(saved(x), loaded(x))


def normed(module: nn.Sequential) -> nn.Sequential:
    parametrizations.weight_norm(module[2])
    return module


def cured(make: Any, order: int = 1) -> nn.Sequential:
    module: nn.Sequential = make()
    tone_free_(module, order)
    return module


NETS: dict[str, Any] = {
    "plain": net,
    "normed": lambda: normed(net()),
    "without biases": lambda: nn.Sequential(nn.ConvTranspose1d(2, 1, 4, 2, bias=False)),
}


@pytest.mark.parametrize("make", NETS.values(), ids=NETS)
def test_weights_of_before_the_cure_are_those_that_the_module_itself_would_take(tmp_path: Path, make: Any) -> None:
    """As `load_state_dict` does, under a prefix and all; so those of the cured module are."""
    source, loaded, expected = make(), cured(make), cured(make)
    expected.load_state_dict(source.state_dict())
    torch.save({"g": prefixed(source.state_dict(), "net.")}, tmp_path / "a.pt")
    remarks = load_checkpoint(loaded, tmp_path / "a.pt")
    assert remarks == (
        "weights found under g",
        "prefix 'net.' of the checkpoint's keys is stripped",
        "weights of layers that are not tone-free: they are projected, as any that training finds",
    )
    assert same(loaded, expected.state_dict())
    torch.save(expected.state_dict(), tmp_path / "b.pt")
    assert load_checkpoint(loaded, tmp_path / "b.pt") == ()


@pytest.mark.parametrize("make", NETS.values(), ids=NETS)
def test_weights_of_another_cure_are_refused_and_what_helps_is_said(tmp_path: Path, make: Any) -> None:
    torch.save(cured(make).state_dict(), tmp_path / "a.pt")
    module = make()
    before = {key: v.clone() for key, v in module.state_dict().items()}
    with pytest.raises(ValueError, match="tone_free_ this one with the same order, then load"):
        load_checkpoint(module, tmp_path / "a.pt")
    assert same(module, before)
    module = cured(make, 2)
    before = {key: v.clone() for key, v in module.state_dict().items()}
    with pytest.raises(ValueError, match=r"tone_free_order of .*: got 1; allowed: 2, .*order of the checkpoint, then"):
        load_checkpoint(module, tmp_path / "a.pt")
    assert same(module, before)


@pytest.mark.parametrize("make", [NETS["plain"], NETS["normed"]])
@pytest.mark.parametrize(
    "odd", [torch.ones(7), torch.ones(3, 1, 4).to_sparse(), torch.ones(3, 1, 4, dtype=torch.complex64)]
)
def test_what_no_layer_takes_none_that_is_tone_free_does(tmp_path: Path, make: Any, odd: torch.Tensor) -> None:
    module = cured(make)
    before = {key: v.clone() for key, v in module.state_dict().items()}
    torch.save({**net().state_dict(), "2.weight": odd}, tmp_path / "a.pt")
    with pytest.raises(ValueError, match=r"of another shape|unexpected: 2\.weight|sparse|complex"):
        load_checkpoint(module, tmp_path / "a.pt")
    assert same(module, before)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda w: w.pop("2.bias"), r"3 of 4 keys fit; 1 missing: 2\.bias"),
        (lambda w: w.update({"3.weight": torch.ones(1)}), r"4 of 4 keys fit; 1 unexpected: 3\.weight"),
        (lambda w: w.update({"0.bias": torch.ones(7)}), r"1 of another shape: 0\.bias \(7,\) for \(3,\)"),
        (lambda w: w.update({"2.bais": w.pop("2.bias")}), r"missing: 2\.bias; 1 unexpected: 2\.bais; .*mean '2\.bais'"),
    ],
)
def test_wrong_keys_are_listed_and_nothing_is_loaded(tmp_path: Path, change: Any, words: str) -> None:
    module, weights = net(), other(net())
    before = {key: v.clone() for key, v in module.state_dict().items()}
    change(weights)
    torch.save(weights, tmp_path / "a.pt")
    with pytest.raises(ValueError, match=words):
        load_checkpoint(module, tmp_path / "a.pt")
    assert same(module, before)


class Trap:
    """Runs something when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_pickle_with_code_is_refused_with_what_it_asks_for_and_not_run(tmp_path: Path, zipped: bool) -> None:
    content = {"weights": net().state_dict(), "trap": Trap(tmp_path / "ran")}
    torch.save(content, tmp_path / "a.pt", _use_new_zipfile_serialization=zipped)
    asked = "pathlib" if zipped else "asks for"
    with pytest.raises(ValueError, match=f"{asked}.*allowed: a file of plain weights"):
        load_checkpoint(net(), tmp_path / "a.pt")
    assert not (tmp_path / "ran").exists()


def test_a_whole_module_is_refused_by_the_names_of_its_classes(tmp_path: Path) -> None:
    torch.save(net(), tmp_path / "a.pt")
    with pytest.raises(ValueError, match=r"a pickle that asks for .*torch\.nn\.modules\.conv\.Conv1d"):
        load_checkpoint(net(), tmp_path / "a.pt")


def test_other_files_are_refused_with_words(tmp_path: Path) -> None:
    (tmp_path / "text.pt").write_text("weights")
    (tmp_path / "empty.pth").write_bytes(b"")
    (tmp_path / "plain.bin").write_bytes(pickle.dumps({"a": 1}))
    (tmp_path / "short.safetensors").write_bytes(b"\x08\0\0\0\0\0\0\0{")
    torch.save({"epoch": 3}, tmp_path / "none.pt")
    torch.save([torch.ones(3)], tmp_path / "list.pt")
    for name in ("text.pt", "empty.pth", "plain.bin", "none.pt", "list.pt", "missing.pt", "weights.npz"):
        with pytest.raises(ValueError, match="allowed: "):
            load_checkpoint(net(), tmp_path / name)
    pytest.importorskip("safetensors")
    with pytest.raises(ValueError, match="a file in safetensors' format"):
        read(tmp_path / "short.safetensors")


def test_a_program_of_torchscript_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.pt", "w") as archive:
        for name in ("a/data.pkl", "a/code/__torch__.py", "a/constants.pkl"):
            archive.writestr(name, b"")
    with pytest.raises(ValueError, match="a TorchScript program"):
        load_checkpoint(net(), tmp_path / "a.pt")


def test_without_safetensors_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.safetensors").write_bytes(b"")
    monkeypatch.setattr("torchparity.weightfiles.find_spec", lambda name: None)
    with pytest.raises(ValueError, match="pip install safetensors"):
        read(tmp_path / "a.safetensors")


def test_a_module_without_weights_takes_none(tmp_path: Path) -> None:
    torch.save(net().state_dict(), tmp_path / "a.pt")
    with pytest.raises(ValueError, match="weights of ReLU: got none"):
        load_checkpoint(nn.ReLU(), tmp_path / "a.pt")


def test_of_two_sets_that_fit_none_is_taken_unless_it_is_named(tmp_path: Path) -> None:
    """As of a generator and its moving average: by prefixes, by tables, and by both."""
    module, first, second = net(), other(net()), other(net())
    flat = {**prefixed(first, "net_g."), **prefixed(second, "net_e.")}
    for content, names in (
        (flat, ("net_g", "net_e")),
        ({"a": first, "b": {"c": prefixed(second, "d.")}}, ("a", "b.c.d")),
    ):
        torch.save(content, tmp_path / "a.pt")
        before = {key: v.clone() for key, v in module.state_dict().items()}
        with pytest.raises(ValueError, match="2 sets of weights that all fit") as caught:
            load_checkpoint(module, tmp_path / "a.pt")
        assert same(module, before)
        for name, weights in zip(names, (first, second), strict=True):
            assert f"--checkpoint '{tmp_path}/a.pt:{name}'" in str(caught.value)
            load_checkpoint(module, f"{tmp_path}/a.pt:{name}")
            assert same(module, weights)
    with pytest.raises(ValueError, match=r"prefix in .*got 'net_x'; allowed: 'a', 'b\.c\.d'"):
        load_checkpoint(module, f"{tmp_path}/a.pt:net_x")


def test_two_sets_of_the_same_weights_are_one(tmp_path: Path) -> None:
    module, weights = net(), other(net())
    torch.save({"a": weights, "b": {key: v.clone() for key, v in weights.items()}}, tmp_path / "a.pt")
    assert load_checkpoint(module, tmp_path / "a.pt") == ("weights found under a",)


@pytest.mark.filterwarnings("ignore:.*quantize.*", "ignore:.*sparse.*", "ignore:.*deprecated.*")
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda v: v.to_sparse(), "sparse"),
        (lambda v: v.to("meta"), "on the meta device, without values"),
        (lambda v: torch.quantize_per_tensor(v, 0.1, 0, torch.qint8), "quantized"),
        (lambda v: v * (1 + 1j), "complex, for real ones"),
    ],
)
def test_weights_that_are_no_real_numbers_are_refused(tmp_path: Path, change: Any, words: str) -> None:
    module, weights = net(), other(net())
    before = {key: v.clone() for key, v in module.state_dict().items()}
    torch.save({key: change(v) for key, v in weights.items()}, tmp_path / "a.pt")
    with pytest.raises(ValueError, match=rf"weights 0\.weight of .*got {words}; allowed: dense numbers"):
        load_checkpoint(module, tmp_path / "a.pt")
    assert same(module, before)


def test_integers_are_converted_with_a_remark(tmp_path: Path) -> None:
    module, weights = net(), {key: v.round().int() for key, v in other(net()).items()}
    torch.save(weights, tmp_path / "a.pt")
    told = "int32 converted to float32: 0.weight, 0.bias, 2.weight, 2.bias"
    assert load_checkpoint(module, tmp_path / "a.pt") == (told,)
    assert same(module, {key: v.float() for key, v in weights.items()})


def test_a_table_that_holds_itself_is_read_once(tmp_path: Path) -> None:
    weights: dict[str, Any] = dict(other(net()))
    weights["self"] = weights
    torch.save(weights, tmp_path / "a.pt")
    assert load_checkpoint(net(), tmp_path / "a.pt") == ()


def test_a_broken_zip_file_is_refused_in_words(tmp_path: Path) -> None:
    torch.save(other(net()), tmp_path / "a.pt")
    content = (tmp_path / "a.pt").read_bytes()
    (tmp_path / "a.pt").write_bytes(content.replace(b"PK\x01\x02", b"XXXX"))
    with pytest.raises(ValueError, match="a broken zip file"):
        load_checkpoint(net(), tmp_path / "a.pt")


def test_weights_from_before_a_parametrization_was_registered_are_told_as_that(tmp_path: Path) -> None:
    plain, parametrized = nn.Conv1d(1, 1, 3), nn.Conv1d(1, 1, 3)
    register_parametrization(parametrized, "weight", nn.Identity())
    for saved, loaded, hint in (
        (plain, parametrized, "without parametrizations: load them before these are registered"),
        (parametrized, plain, "with parametrizations: register the same ones, and then load"),
    ):
        torch.save(saved.state_dict(), tmp_path / "a.pt")
        with pytest.raises(ValueError, match=f"Hint: the weights are of a module {hint}"):
            load_checkpoint(loaded, tmp_path / "a.pt")
