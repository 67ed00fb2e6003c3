"""``dspref expect``: words become networks, forecasts text and plain data, and wrong words end before any work."""

from __future__ import annotations

import json
import math
import re
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
from click.testing import CliRunner, Result

from dspref import Linear, TransposedConv, parse, preset
from dspref.chain import Chain, Pointwise
from dspref.cli import dspref
from dspref.commands.expect import INITS
from dspref.expected import Drawn, Expected, Source, Step, Unknown, expected_spectrum, fixed
from dspref.expected.forecast import forecast
from dspref.expected.graph import Network, Node
from dspref.expected.inputs import Input, read_input
from dspref.expected.laws import LAWS
from dspref.expected.outlined import default_channels, network_of
from dspref.expected.pictures import plot_expected, power_spectrum, spectrum_size
from dspref.expected.report import Report
from dspref.expected.visible import HANN, SAMPLES, over_floor, own_lines, seen_floor

MELGAN = "80,512,256,128,64,32,1"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(dspref, ["expect", *arguments])


def answer(*arguments: str, code: int = 0) -> dict[str, Any]:
    result = run(*arguments, "--format", "json")
    assert result.exit_code == code, result.output
    return json.loads(result.stdout)  # type: ignore[no-any-return]


def test_words_are_the_network_that_is_written_by_hand() -> None:
    chain = parse("conv k7 p3 d2 | glu | convt k16 s8 p4 | leaky 0.2 | shuffle x2 k3 g2 | linear x2 | conv k4 s2 p1")
    assert [node.op for node in network_of(chain, [80, 64, 32, 16, 1])] == [
        Drawn("conv", 80, 128, 7, dilation=2, padding=3),
        Pointwise("glu"),
        Drawn("convt", 64, 32, 16, 8, padding=4),
        Pointwise("leaky", (0.2,)),
        Drawn("shuffle", 32, 16, 3, 2, groups=2),
        fixed(Linear(2)),
        Drawn("conv", 16, 1, 4, 2, padding=1),
    ]


def test_places_are_chained_by_names_with_their_number_and_word() -> None:
    net = network_of(parse("nearest x2 | relu | nearest x2"), [3])
    assert [(node.name, node.inputs) for node in net] == [
        ("1 nearest", ("input",)),
        ("2 relu", ("1 nearest",)),
        ("3 nearest", ("2 relu",)),
    ]


def test_of_layers_with_weights_only_the_shape_counts() -> None:
    layer = TransposedConv(np.ones((4, 2, 6)), stride=3, padding=1)
    (node,) = network_of(Chain([layer]), [4, 2])
    assert node.op == Drawn("convt", 4, 2, 6, 3, padding=1)


@pytest.mark.parametrize("words", ["nearest x2", "nearest-exact x3", "linear x4", "cubic x2", "stretch x5"])
def test_interpolators_are_their_filters(words: str) -> None:
    """As many periods of the output as the spectrum says are what the chain does to a constant."""
    net, S = network_of(parse(words), [1]), parse(words).factor
    found = expected_spectrum(net, Source(1, 1.0))
    period = np.fft.fft(parse(words).offset_response(1)[0].astype(float)) / S
    assert found.lines is not None
    assert found.lines == pytest.approx(np.abs(period) ** 2, abs=1e-15)


@pytest.mark.parametrize(
    "words", ["unsqueeze x2", "lazy", "haar", "lifting k4", "istft x4 k16", "pqmf x4 k63", "linear x3 corners"]
)
def test_heads_and_other_grids_are_not_covered(words: str) -> None:
    (node,) = network_of(parse(words), [1])
    assert node.op == Unknown(words)


@pytest.mark.parametrize("words", ["nearest x3/2", "nearest size441"])
def test_so_is_interpolation_by_no_integer(words: str) -> None:
    assert isinstance(network_of(parse(words)).nodes[0].op, Unknown)


def test_channels_are_halved_by_what_raises_the_rate() -> None:
    assert default_channels(preset("melgan").chain) == (512, 512, 256, 128, 64, 32, 1)
    assert default_channels(preset("fig6-nearest").chain) == (512, 256, 128, 1)
    assert default_channels(preset("demucs").chain) == (512, 512, 256, 256, 128, 128, 64, 64, 32, 32, 16, 16, 1)
    assert default_channels(parse("relu")) == (1,)
    assert default_channels(parse(" | ".join(["convt k2 s2"] * 12)))[-3:] == (1, 1, 1)


@pytest.mark.parametrize("init", INITS)
def test_every_law_is_that_of_torch(init: str) -> None:
    """The variances by hand, for 4 channels to 6 with 5 taps: fan_in 20, fan_out 30."""
    (node,) = network_of(
        parse("conv k5"), [4, 6], init=init, scale=1.0 if init in ("default", "icnr") else 2.0, bias=0.25
    )
    due = {"default": 1 / 60, "icnr": 1 / 60, "kaiming": 4 / 20, "xavier": 8 / 50, "normal": 4.0, "uniform": 4 / 3}
    assert isinstance(node.op, Drawn)
    assert float(node.op.weight) == pytest.approx(due[init.removesuffix("_normal")], rel=1e-15)
    assert node.op.kurtosis == (3 if init.endswith("normal") else Fraction(9, 5))
    assert node.op.bias == 0.25
    assert {*INITS} == {*LAWS} - {"orthogonal"}


def test_icnr_concerns_shuffles() -> None:
    ops = [node.op for node in network_of(parse("conv k3 | shuffle x2 k3"), [2, 4, 1], init="icnr")]
    assert [isinstance(op, Drawn) and op.icnr for op in ops] == [False, True]


def test_inputs_add_up(tmp_path: Path) -> None:
    path = tmp_path / "r.txt"
    path.write_text("2, 1\n0.5", "utf-8")
    assert read_input("ones") == Input(("ones",))
    assert read_input(f"coloured:{path}+ones") == Input(("ones", "coloured"), (1.0, 0.5, 0.25))
    mixed = read_input(f"mono+coloured:{path}+white").source(3)
    assert mixed == Source(3, 0.0, (3.0, 0.5, 0.25), mono=True, private=(2.0, 0.5, 0.25))
    assert read_input("white").source(2) == Source(2, covariance=(1.0,))
    path.write_text(" ".join(str(3 + 2 * math.cos(math.pi * k / 8)) for k in range(9)), "utf-8")
    assert read_input(f"density:{path}").covariance == pytest.approx((1.0, 1 / 3), abs=1e-15)


@pytest.mark.parametrize(
    ("words", "match"),
    [
        ("wite", "did you mean 'white'"),
        ("", "input: got ''"),
        ("white+", "input: got"),
        ("white+white", "each once"),
        ("ones:3", "input: got 'ones:3'"),
        ("coloured", "name its file: coloured:FILE"),
        ("coloured:", "name its file"),
        ("coloured:nowhere.txt", "No such file"),
        ("coloured:letters.txt", "could not convert"),
        ("coloured:empty.txt", "which is empty"),
        ("coloured:zero.txt", "a variance > 0"),
        ("coloured:nan.txt", "a variance > 0"),
        ("coloured:zero.txt+density:zero.txt", "each once"),
        ("density:zero.txt+density:", "name its file: density:FILE"),
        ("density:negative.txt", "density: got -1"),
        ("density:one.txt", "two or more samples"),
        ("coloured:rough.txt", "an autocovariance, whose spectrum is >= 0"),
    ],
)
def test_other_inputs_are_refused_before_any_work(
    words: str, match: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {
        "letters": "1 a",
        "empty": "",
        "zero": "0 1",
        "nan": "nan",
        "rough": "1 0.6",
        "negative": "1 -1 1",
        "one": "1",
    }
    for name, content in files.items():
        (tmp_path / f"{name}.txt").write_text(content, "utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys.modules["dspref.expected.forecast"], "forecast", None)
    result = run("convt k4 s2", "--input", words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert match in result.stderr


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (["conv k3", "--init", "normal", "--scale", "0"], "a constant initialisation has no spectrum to expect"),
        (["conv k3", "--init", "normal", "--scale", "nan"], "scale: got nan"),
        (["conv k3", "--init", "uniform", "--scale", "inf"], "scale: got inf"),
        (["conv k3", "--init", "normal", "--scale=-1"], "scale: got -1.0"),
        (["conv k3", "--scale", "2"], "none for default"),
        (["conv k3", "--init", "orthogonal"], "--init"),
        (["conv k3", "--bias", "-1"], "variance of the bias: got -1.0"),
        (["conv k3", "--bias", "nan"], "variance of the bias"),
        (["conv k3 | rely"], "did you mean 'relu'"),
        (["conv k3", "--channels", "3"], "channels: got 1 numbers; allowed: 2"),
        (["conv k3", "--channels", "3,x"], "integers split by commas"),
        (["conv k3", "--channels", "3,0"], "channels"),
        (["conv k3 g2", "--channels", "3,4"], "groups: got 2"),
        (["conv k3", "-o", "nowhere/report.txt"], "in no directory"),
        (["conv k3", "--preset", "melgan"], "give exactly one"),
        ([], "no architecture"),
        (["--preset", "melgam"], "did you mean 'melgan'"),
        (["conv k3", "--sr", "0"], "frequency"),
    ],
    ids=lambda given: " ".join(given) if isinstance(given, list) else "",
)
def test_wrong_words_end_before_any_work(arguments: list[str], match: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["dspref.expected.forecast"], "forecast", None)
    result = run(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert match in result.stderr


def test_a_period_that_is_too_long_is_refused_with_its_size_and_the_way_out() -> None:
    result = run("linear x512 | linear x512 | conv k3", "--channels", "4,1")
    assert (result.exit_code, result.stdout) == (3, "")
    assert "period: got 262144 samples; allowed: at most 4096" in result.stderr
    assert "the recursion of combs takes any period" in result.stderr
    drawn = answer("convt k1024 s512 | convt k1024 s512 | conv k3", "--channels", "4,2,2,1")
    assert (drawn["period"], drawn["route"]) == (262144, "combs")


def test_skips_of_other_rates_are_refused() -> None:
    up = Drawn("convt", 2, 2, 4, 2)
    net = Network((Node("up", up, ("input",)), Node("join", "sum", ("up", "input"))))
    with pytest.raises(ValueError, match="rates of"):
        forecast(net, Source(2, 1.0))


@pytest.mark.parametrize(
    ("arguments", "finest_hz"),
    [
        (["--preset", "melgan", "--channels", MELGAN, "--input", "white"], 689.0625),
        (["--preset", "melgan", "--channels", MELGAN, "--input", "ones"], 86.1328125),
        (["--preset", "melgan", "--channels", MELGAN, "--input", "ones+white"], 86.1328125),
        (["--preset", "rvc-40k", "--channels", "192,512,256,128,64,32,1", "--input", "white"], 1000.0),
    ],
    ids=["MelGAN, no offset", "MelGAN, offset", "MelGAN, both", "RVC 40k"],
)
def test_the_finest_comb_over_the_floor_is_the_one_that_users_report(arguments: list[str], finest_hz: float) -> None:
    """Nothing is fitted: 1024 samples under a Hann window."""
    assert answer(*arguments)["over_floor"]["finest_hz"] == finest_hz
    assert f"that of {finest_hz:.10g} Hz" in " ".join(run(*arguments).stdout.split())


def test_data_are_the_forecast_exactly() -> None:
    data = answer("--preset", "melgan", "--channels", MELGAN, "--input", "ones+white")
    found = expected_spectrum(
        network_of(preset("melgan").chain, [80, 512, 256, 128, 64, 32, 1]), Source(80, 1.0, (1.0,))
    )
    assert [row["divisor"] for row in data["combs"]] == [1, 2, 4, 32, 256]
    assert [row["every_hz"] for row in data["combs"]] == [22050, 11025, 5512.5, 689.0625, 86.1328125]
    assert [row["db"] for row in data["combs"]] == pytest.approx([comb.db for comb in found.combs], abs=1e-6)
    for row in data["combs"]:
        assert row["low"] < row["db"] < row["high"]
    assert data["floor_db"] == pytest.approx(10 * math.log10(found.noise), abs=1e-6)
    assert (data["schema"], data["sr"], data["channels"], data["outputs"]) == ("torchparity.expect/1", 22050, 80, 1)
    assert (data["period"], data["exact"], data["route"], data["narrowest"]) == (256, False, "combs", 32)


def test_text_and_data_tell_the_same() -> None:
    arguments = ["convt k8 s4 | relu | convt k6 s3", "--channels", "16,16,2", "--input", "ones+white"]
    data, page = answer(*arguments, "--sr", "44100"), run(*arguments, "--sr", "44100").stdout
    rows = [line.split() for line in page.splitlines() if line.startswith(("offset", "sr/"))]
    assert [row[0] for row in rows] == ["offset", "sr/3", "sr/12"]
    assert [float(row[1]) for row in rows] == [row["every_hz"] for row in data["combs"]]
    for row, comb, height in zip(rows, data["combs"], data["over_floor"]["heights_db"], strict=True):
        assert [float(cell) for cell in row[3:]] == [
            round(v, 1) for v in (comb["db"], comb["low"], comb["high"], height)
        ]
    assert f"Floor: {data['floor_db']:.1f} dB" in page
    silent = run(*arguments).stdout
    assert "1/12" in silent
    assert "Hz" not in silent


def test_what_is_not_there_is_no_number() -> None:
    data = answer("conv k3 | convt k4 s2", "--channels", "4,4,1", "--bias", "0", "--input", "white")
    assert [row["db"] for row in data["combs"]] == [None, None]
    assert data["over_floor"]["finest_divisor"] is None
    page = run("conv k3 | convt k4 s2", "--channels", "4,4,1", "--bias", "0", "--input", "white").stdout
    assert page.count("none") == 8
    assert "No comb stands over the floor" in page
    assert "exact at any width" in page
    assert "Floor: none" in run("convt k4 s2", "--input", "ones").stdout
    assert "inf" not in page


def test_a_floor_that_is_rounding_has_nothing_over_it() -> None:
    found = expected_spectrum([Drawn("convt", 8, 8, 8, factor=4)], Source(8, 1.0, (1.0, 0.5)))
    assert found.lags.size > 1
    assert over_floor(found, found.combs[0]) is not None
    for floor in (-1e-17, 0.0):
        with mock.patch("dspref.expected.visible.seen_floor", return_value=np.full(4, floor)):
            assert over_floor(found, found.combs[0]) is None


def test_what_is_lost_in_rounding_is_said_and_never_the_finest() -> None:
    data = answer("--preset", "demucs", "--input", "ones")
    levels = {row["divisor"]: row["db"] for row in data["combs"]}
    lost = [M for M, dB in levels.items() if dB is not None and dB < levels[1] - 130]
    assert lost
    assert data["remarks"][-1].endswith(", ".join(f"sr/{M}" for M in lost))
    assert data["over_floor"]["finest_divisor"] < lost[0]


def test_a_refused_output_is_reported_with_what_is_predicted() -> None:
    words = "convt k4 s2 | relu | haar | conv k3"
    data = answer(words, "--channels", "8,8,1", "--input", "ones+white", code=3)
    assert (data["combs"], data["floor_db"], data["period"], data["over_floor"]) == ([], None, None, None)
    (part,) = data["partial"]
    before = expected_spectrum(network_of(parse("convt k4 s2 | relu"), [8, 8]), Source(8, 1.0, (1.0,)))
    assert part["where"] == "2 relu"
    assert [row["db"] for row in part["combs"]] == pytest.approx([comb.db for comb in before.combs], abs=1e-6)
    assert [(gap["what"], gap["where"]) for gap in data["not_predicted"]] == [("haar", "3 haar"), ("output", "4 conv")]
    result = run(words, "--channels", "8,8,1", "--input", "ones+white")
    assert result.exit_code == 3
    assert "The output is not predicted" in result.stdout
    assert "Behind 2 relu" in result.stdout
    assert "- haar, 3 haar" in result.stdout


def test_the_causes_of_each_comb_are_told_on_demand() -> None:
    arguments = ["--preset", "melgan", "--channels", MELGAN, "--input", "ones"]
    data = answer(*arguments, "--explain")
    assert [row["divisor"] for row in data["explain"]["combs"]] == [row["divisor"] for row in data["combs"]]
    assert answer(*arguments)["explain"] is None
    page = run(*arguments, "--explain").stdout
    assert page.startswith(run(*arguments).stdout)
    assert re.search(r"silencing .* lowers the 11025 Hz comb by \d+\.\d dB", page)
    assert re.search(r"^sr/2 comb: 3\.6 dB$", run("conv k3 | relu | convt k4 s2", "--explain").stdout, re.MULTILINE)
    rateless = answer("conv k3 | relu | convt k4 s2", "--explain")["explain"]["combs"]
    assert [(row["divisor"], row["every_hz"]) for row in rateless] == [(1, None), (2, None)]


def test_terms_of_finite_width_are_left_out_on_demand(monkeypatch: pytest.MonkeyPatch) -> None:
    told = []

    def noted(net: Network, source: Source, **options: Any) -> Any:
        told.append(options.get("width_terms", True))
        return forecast(net, source)

    monkeypatch.setattr(sys.modules["dspref.expected.forecast"], "forecast", noted)
    for arguments in ([], ["--no-width-terms"], ["--width-terms"]):
        assert run("convt k4 s2", *arguments).exit_code == 0
    assert told == [True, False, True]


def test_a_file_takes_the_report(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    result = run("convt k4 s2", "--format", "json", "-o", str(path))
    assert (result.exit_code, result.stdout) == (0, "")
    assert json.loads(path.read_text("utf-8")) == answer("convt k4 s2")


def toned() -> Expected:
    """Return the spectrum behind a network of three combs, with a floor that linear interpolation colours."""
    steps: list[Step] = [Drawn("convt", 2, 4, 6, 3), fixed(Linear(4)), Pointwise("relu"), Drawn("conv", 4, 1, 1)]
    return expected_spectrum(steps, Source(2, 1.0, (1.0,)))


def white() -> Expected:
    steps: list[Step] = [Drawn("convt", 2, 4, 8, 4), Pointwise("relu"), Drawn("convt", 4, 1, 4, 2)]
    return expected_spectrum(steps, Source(2, 1.0, (1.0,)))


def test_a_height_over_the_floor_is_that_of_the_spectrum_itself() -> None:
    """E abs(DFT(w (c + e)))² / (Σw)² by the covariance matrix of the noise, against 10 log₁₀(abs(c)² N/(1.5 S))."""
    N, n = SAMPLES, np.arange(SAMPLES)
    w = 1 - np.cos(2 * np.pi * n / N)
    assert (w @ w) / w.sum() ** 2 == pytest.approx(HANN / N, rel=1e-12)
    for found in (toned(), white()):
        r = np.zeros(N)
        r[found.lags] = found.covariance
        R = r[np.abs(np.subtract.outer(n, n))]
        for comb in found.combs:
            waves = [w * np.exp(2j * np.pi * k / found.period * n) for k in own_lines(found, comb)]
            floor = np.mean([(wave.conj() @ R @ wave).real for wave in waves]) / w.sum() ** 2
            assert over_floor(found, comb) == pytest.approx(10 * math.log10(comb.power / floor), abs=1e-9)
    assert [own_lines(toned(), comb).tolist() for comb in toned().combs] == [[0], [3, 6], [1, 2, 4, 5]]


def test_of_lines_on_a_white_floor_there_may_be_any_number() -> None:
    words = " | ".join(["convt k1024 s512"] * 4)
    data = answer(words, "--channels", "2,2,2,2,1", "--input", "ones+white")
    assert (data["period"], len(data["over_floor"]["heights_db"])) == (2**36, 5)
    found = expected_spectrum(network_of(parse(words), [2, 2, 2, 2, 1]), Source(2, 1.0))
    with pytest.raises(ValueError, match="period of lines to draw: got 68719476736"):
        spectrum_size(found)


def test_a_picture_shows_each_line_with_its_band_the_floor_and_one_network() -> None:
    from matplotlib.figure import Figure

    found, rng = toned(), np.random.default_rng(0)
    N = spectrum_size(found)
    y = rng.standard_normal(4 * N)
    ax = plot_expected(found, Fraction(44100), measured=y, ax=Figure().subplots(), title="three")
    drawn = {str(line.get_label()): np.asarray(line.get_xydata()) for line in ax.get_lines()}
    assert (ax.get_title(), N % found.period) == ("three", 0)
    assert drawn["one network"][:, 1] == pytest.approx(10 * np.log10(power_spectrum(y, N)))
    f, level = drawn["expected floor"].T
    assert level == pytest.approx(10 * np.log10(seen_floor(found, f / 44100, size=N) * HANN / N))
    bands = [np.array(bars.get_segments()) for bars in ax.collections]  # type: ignore[attr-defined]
    combs = [comb for comb in found.combs if comb.db is not None and comb.power > 1e-13 * found.line(0)]
    assert len(bands) == len(combs)
    for comb, bars in zip(combs, bands, strict=True):
        name = "offset" if comb.divisor == 1 else f"sr/{comb.divisor}: {44100 / comb.divisor:g} Hz"
        k = (drawn[name][:, 0] * found.period / 44100).round().astype(int)
        shown = 10 * np.log10([found.line(int(number)) for number in k])
        assert drawn[name][:, 1] == pytest.approx(shown)
        assert comb.db is not None
        low, high = ((comb.quantile_db(q) or 0.0) - comb.db for q in (0.05, 0.95))
        assert bars[:, 0, 1] == pytest.approx(shown + low)
        assert bars[:, 1, 1] == pytest.approx(shown + high)
        assert ax.get_ylim()[0] < bars[:, 1, 1].min()


def test_the_spectrum_of_a_tone_reads_its_power() -> None:
    n = np.arange(256)
    spectrum = power_spectrum(0.5 * np.cos(2 * np.pi * 16 * n / 64), 64)
    assert spectrum[16] == pytest.approx(0.25**2)
    with pytest.raises(ValueError, match="one channel of at least 512 samples"):
        power_spectrum(n, 512)


def test_a_report_of_a_network_by_hand() -> None:
    """A name may be anything, a line of power 1 has 0 dB, and its band is that of χ² of one degree of freedom."""
    made = Report("mine", "ones", None, 1, forecast([Drawn("conv", 1, 1, 1, weight=1, bias=0)], Source(1, 1.0)))
    (row,) = made.to_dict()["combs"]
    assert (row["divisor"], row["every_hz"], row["db"]) == (1, None, 0.0)
    assert row["high"] == pytest.approx(10 * math.log10(1.959963984540054**2), abs=1e-6)


def test_a_report_says_where_there_is_no_band() -> None:
    net: list[Step] = [fixed(Linear(4)), Drawn("conv", 64, 64, 1), Pointwise("relu")]
    made = Report("mine", "ones", Fraction(16000), 64, forecast(net, Source(64, 1.0, (1.0,))))
    assert [(row["low"], row["high"]) for row in made.to_dict()["combs"]] == [(None, None)] * 2
    said = made.to_text()
    assert "no band" in said
    assert re.search(r"sr/4 +4000 Hz +-42\.8 +— +— ", said)


def test_a_report_names_the_strongest_line_of_unequal_ones() -> None:
    net: list[Step] = [
        fixed(Linear(4)),
        Drawn("conv", 512, 512, 1, bias=0),
        Pointwise("relu"),
        Drawn("conv", 512, 1, 2, bias=0),
    ]
    made = Report("mine", "white", Fraction(16000), 512, forecast(net, Source(512, covariance=(1.0,))))
    found = made.forecast.expected
    assert found is not None
    assert found.lines is not None
    row = made.to_dict()["combs"][1]
    assert row["strongest_db"] == pytest.approx(10 * math.log10(found.lines[1:].max()), abs=1e-6)
    assert row["strongest_db"] > row["db"] + 0.05
    assert f"strongest {row['strongest_db']:.1f} dB at 4000 Hz" in " ".join(made.to_text().split())
