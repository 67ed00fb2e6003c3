"""Tone-free layers: by the gains of their phases, against the response to a constant; and what reports say of them."""

from __future__ import annotations

import copy
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import register_parametrization

from dspref import SubpixelConv, TransposedConv, parse
from torchparity import report
from torchparity.audit import Audit, audit
from torchparity.equalgains import _stage, equal_gains, tone_free_layers
from torchparity.initial_laws import COMPUTED
from torchparity.nn.utils import remove_tone_free, tone_free, tone_free_
from torchparity.report.words import can_be
from torchparity.spine import spine


def net() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv1d(2, 24, 3, padding=1),
        nn.ConvTranspose1d(24, 24, 8, 4),
        nn.LeakyReLU(0.2),
        nn.ConvTranspose1d(24, 1, 4, 2),
    )


def mended(*places: int) -> nn.Sequential:
    module = net()
    for place in places:
        tone_free(module.get_submodule(str(place)))
    return module


class Hidden(nn.Module):
    """The same, in a forward of its own: its chain is known in outline alone."""

    def __init__(self, inner: nn.Sequential) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.inner(x) * 2
        return y


@cache
def audited(*places: int) -> Audit:
    return audit(lambda: mended(*places), sr=16000)


@pytest.mark.parametrize("places", [(), (1,), (3,), (1, 3)])
@pytest.mark.parametrize("baked", [False, True], ids=["parametrized", "removed"])
def test_they_are_those_that_answer_a_constant_by_a_constant(places: tuple[int, ...], baked: bool) -> None:
    torch.manual_seed(0)
    module = mended(*places).eval()
    for place in places if baked else ():
        remove_tone_free(module.get_submodule(str(place)))
    keeping = []
    for owner, place in ((1, 1), (2, 3)):
        layer = module.get_submodule(str(place))
        with torch.no_grad():
            y = layer(torch.ones(1, 24, 64))[..., 16:-16]
        keeping += [owner] if torch.allclose(y, y[..., :1]) else []
    assert keeping == [{1: 1, 3: 2}[place] for place in places]
    for each in (module, Hidden(module)):
        found = spine(each, 2)
        assert found.whole is (each is module)
        assert tone_free_layers(each, found) == tuple(keeping)


def test_a_module_of_another_factor_is_not_what_a_layer_inside_it_is() -> None:
    """As a call in its forward may have: its own weights say nothing of that."""
    module = nn.Sequential(tone_free(nn.ConvTranspose1d(1, 1, 8, 4)))
    (layer,) = spine(module, 1).layers
    outline = replace(layer, name="0.interpolate", stage=None)
    assert _stage(module, outline) is not None
    assert _stage(module, replace(outline, factor=layer.factor / 2)) is None


def test_one_unit_more_than_rounding_is_not_equal() -> None:
    u = 2.0**-24
    gains = {
        d: equal_gains(TransposedConv(np.array([[[1.0, 1.0, 1.0, 1.0 + d]]]), stride=2), u) for d in (0, u, 256 * u)
    }
    assert gains == {0: True, u: True, 256 * u: False}
    assert not equal_gains(parse("convt k4 s2").stages[0], u)
    rows = np.array([[[1.0]], [[1.0]]])
    assert [equal_gains(SubpixelConv(rows, 2, bias=np.array(b)), u) for b in ([1, 1], [1, 2])] == [True, False]


def test_a_report_says_that_a_constant_makes_no_line() -> None:
    documents = {places: report.to_dict(audited(*places)) for places in ((), (1,), (1, 3))}
    assert [d["tone_free"] for d in documents.values()] == [[], [1], [1, 2]]
    everywhere = "possible: lines at multiples of 2000 Hz and nowhere else"
    assert [can_be(d) for d in documents.values()] == [
        everywhere,
        everywhere,
        "possible: of a constant no line (all layers are tone-free), of noise lines at multiples of 2000 Hz",
    ]
    older = copy.deepcopy(documents[1, 3])
    del older["tone_free"]
    assert can_be(older) == everywhere


def test_the_severity_of_a_tone_comes_from_its_level() -> None:
    """Lines of noise stand at layer 1 of the tone-free net: those are UA106's, and no reason for a warning of UA101."""
    severities = {
        places: {c["severity"] for c in report.to_dict(audited(*places))["cards"] if c["rule"] == "UA101"}
        for places in ((), (1, 3))
    }
    assert severities == {(): {"error"}, (1, 3): {"note"}}
    (noise,) = (r for r in audited(1, 3).runs if r.input == "noise")
    standing = {m.freq for m in noise.standing}
    assert any(line.freq in standing for line in audited(1, 3).lines if line.owner == 1)


class Cubed(nn.Module):
    """Weights of a law that nobody knows."""

    def forward(self, w: torch.Tensor) -> torch.Tensor:
        return w**3


def cubed() -> nn.Sequential:
    module = net()
    register_parametrization(module[1], "weight", Cubed())
    return module


def test_where_theory_ends_the_module_is_named_and_what_helps() -> None:
    text = " ".join(report.to_text(audit(cubed, sr=16000)).split())
    assert f"not predicted before training, from 1 on: {COMPUTED}" in text
    assert "(parametrized)" in COMPUTED


def test_of_tone_free_layers_what_is_left_of_noise_is_expected() -> None:
    """Weaker by 10 dB and more than before, of 24 channels; of a constant and silence no line is."""
    text = " ".join(report.to_text(audited(1, 3)).split())
    assert "not predicted before training" not in text
    assert "1 peak, 1 on the grid" in text
    before, after = ({e.input: e.expected for e in audited(*places).expected} for places in ((), (1, 3)))
    for k in range(1, 5):
        raw, cured = before["noise"], after["noise"]
        assert raw is not None
        assert cured is not None
        assert cured.line(k) < 0.1 * raw.line(k)
        for name in ("silence", "constant"):
            quiet = after[name]
            assert quiet is not None
            assert abs(quiet.line(k)) <= 1e-13 * quiet.line(0)


def test_bands_stand_beside_expected_levels() -> None:
    document = report.to_dict(audited())
    text = " ".join(report.to_text(audited()).split())
    assert "nine of ten networks, silence: layer 1 " in text
    for e in document["expected"]:
        combs = next(made.expected for made in audited().expected if made.input == e["input"])
        assert combs is not None
        assert [(row["divisor"], row["low_db"]) for row in e["bands"]] == [(c.divisor, c.low) for c in combs.combs]
        (row,) = (row for row in e["bands"] if row["divisor"] == 2)
        assert f"layer 2 {row['low_db']:.1f} … {row['high_db']:.1f} dB" in text


def test_a_cure_of_its_own_kind_keeps_length_and_padding_and_names_all_layers() -> None:
    words = [c.words for c in audited().cures if c.owner == 2 and c.promise == "any weights"]
    assert words[0].startswith(
        "transposed, tone-free: layers 2 (convt k4 s2) and 1 (convt k8 s4), lengths and padding as they are: "
    )
    assert words[1].startswith("nearest + conv in place of layers 2 (convt k4 s2) and 1 (convt k8 s4): nearest x2 | ")


class Behind(nn.Module):
    """A cured decoder, and something that is done to its signal besides."""

    def __init__(self, halved: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        layers = [
            nn.ConvTranspose1d(8, 8, 16, 8, padding=4),
            nn.LeakyReLU(0.2),
            nn.ConvTranspose1d(8, 1, 4, 2, padding=1),
        ]
        self.net, self.halved = nn.Sequential(*layers), halved
        tone_free_(self.net)

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16, enabled=self.halved):
            y: Tensor = self.net(x)
        return y.float() if self.halved else y * torch.tensor([1.01, 1.0]).repeat(y.shape[-1] // 2).to(y)


@pytest.mark.parametrize("halved", [False, True], ids=["a gain that repeats", "autocast"])
def test_lines_of_a_constant_that_no_tone_free_layer_makes_contradict(halved: bool) -> None:
    """And none of the decoder itself, without that."""
    module = Behind(halved)
    for target, due in ((module, ["error"]), (module.net, [])):
        told = [f for f in audit(target, sr=16000, measured_only=True).findings if "constant" in f.text]
        assert [f.level for f in told] == due
        assert all("all layers are tone-free, and make none: half precision (autocast), or" in f.text for f in told)
