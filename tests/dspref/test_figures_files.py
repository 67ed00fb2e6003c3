"""Figures as files: artists that carry the data, provenance in the metadata, and what is refused."""

from __future__ import annotations

import logging
import resource
import shlex
import sys
from fractions import Fraction
from pathlib import Path
from xml.etree import ElementTree

import matplotlib as mpl
import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from dspref.cli import dspref
from dspref.figures import Wanted, maker, picture
from dspref.figures.draw import draw_side, draw_spectrogram, drawn
from dspref.figures.files import folder, palette, provenance, rendered, require_matplotlib, save
from dspref.figures.panels import Spectrogram, Tone
from dspref.figures.signals import SAMPLES, SR, recording
from dspref.figures.stacks import fed


def run(*words: str) -> Result:
    return CliRunner().invoke(dspref, ["figure", *words], prog_name="dspref")


def test_artists_carry_the_data() -> None:
    from matplotlib.figure import Figure

    panel = next(p for p in picture("fig7").panels if p.title.endswith("layer 3"))
    assert isinstance(panel, Spectrogram)
    ax, side = Figure().subplots(1, 2)
    draw_spectrogram(panel, ax)
    draw_side(panel, side)
    (image,) = ax.images
    assert np.array_equal(image.get_array(), panel.levels)
    assert image.get_clim() == (-100, 0)
    assert (ax.get_xlim(), ax.get_ylim()) == ((0, 3), (0, 16000))
    rings = [line for line in side.lines if line.get_marker() == "o"]
    seen = {(x, y) for ring in rings for x, y in zip(*ring.get_data(), strict=True)}
    assert seen == {(tone.level, float(tone.freq) * 32000) for tone in panel.tones}
    assert len({ring.get_color() for ring in rings}) == 4  # the offset, and three layers
    assert np.array_equal(side.lines[0].get_xdata(), np.maximum(panel.mean, -110))


def test_bands_are_drawn() -> None:
    from matplotlib.figure import Figure

    tone = Tone(Fraction(1, 2), 1, -9.0, -20.0, -5.0)
    flat = Spectrogram("any", np.zeros((9, 2)), np.full(33, -20.0), None, (tone,), (), 8, 1.0, 100.0)
    side = draw_side(flat, Figure().subplots())
    ends = [np.asarray(line.get_xdata()).tolist() for line in side.lines]
    assert [-20.0, -5.0] in ends
    assert [-9.0] in ends


@pytest.mark.parametrize("name", ["fig2", "fig5", "levels"])
def test_other_panels_are_drawn(name: str) -> None:
    whole = picture(name)
    top, foot = drawn(whole).subfigs
    assert len([ax for ax in top.axes if ax.get_label() != "<colorbar>"]) == len(whole.panels)
    assert " ".join(foot.texts[0].get_text().split()) == whole.text


def test_a_png_says_where_it_comes_from(tmp_path: Path) -> None:
    path = save(picture("fig3"), tmp_path)
    assert path == tmp_path / "fig3.png"
    with Image.open(path) as image:
        told = dict(image.text)  # type: ignore[attr-defined]
    assert told == provenance(picture("fig3"), Wanted())
    assert told["Command"] == "dspref figure fig3 --seed 0 -o ."
    assert {"python", "dspref", "numpy", "matplotlib"} <= {word.split()[0] for word in told["Versions"].split(", ")}
    assert told["Claims"] == "UA-T6, UA-T8"
    assert told["Commit"]


def test_an_svg_says_where_it_comes_from() -> None:
    root = ElementTree.fromstring(rendered(picture("fig4"), "svg", provenance(picture("fig4"), Wanted(), form="svg")))
    words = {node.tag.rpartition("}")[2]: node.text for node in root.iter() if node.text and node.text.strip()}
    assert words["source"] == "dspref figure fig4 --seed 0 --format svg -o ."
    assert [node.text for node in root.iter() if node.tag.endswith("}li")] == list(picture("fig4").claims)
    assert words["description"] == picture("fig4").text
    assert (words["identifier"] or "").endswith(", seed 0")


def test_bytes_do_not_depend_on_settings(caplog: pytest.LogCaptureFixture) -> None:
    """Nor on fonts that are not there: the one that comes with matplotlib is used."""
    whole = picture("fig4")
    origin = provenance(whole, Wanted())
    plain = {form: rendered(whole, form, origin) for form in ("png", "svg")}
    with mpl.rc_context({"font.family": "No Such Font", "lines.linewidth": 9, "axes.facecolor": "red"}):
        with caplog.at_level(logging.WARNING):
            assert {form: rendered(whole, form, origin) for form in plain} == plain
        assert caplog.records == []


def test_colours_of_spectrograms_survive_their_palette() -> None:
    shades = palette(picture("fig7"))
    assert len(shades) <= 256
    tab = mpl.colormaps["tab10"](np.arange(10))[:, :3]
    assert all(np.abs(shades - colour).max(axis=1).min() == 0 for colour in tab)


@pytest.mark.parametrize("form", ["png", "svg"])
def test_the_command_writes(tmp_path: Path, form: str) -> None:
    place = tmp_path / "new" / "figures"
    result = run("fig4", "fig4", "-o", str(place), "--format", form)
    assert (result.exit_code, result.stdout) == (0, "")
    assert sorted(path.name for path in place.iterdir()) == [f"fig4.{form}"]


def test_the_command_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    result = run("fig4", "--check")
    assert (result.exit_code, result.stdout) == (0, "fig4: 29 numbers agree\n")
    result = run("montecarlo", "--check")
    assert result.exit_code == 0
    assert "drawn from a record" in result.stdout
    monkeypatch.setattr("dspref.figures.numbers.stored", lambda name: {"ones": {"boxes": [], "predicted": ""}})
    result = run("fig4", "--check")
    assert result.exit_code == 1
    assert "fig4: 2 of 29 numbers differ" in result.stdout


def test_a_check_without_numbers_is_no_success(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dspref.figures.numbers.files", lambda _: tmp_path)
    result = run("fig4", "--check")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "numbers of fig4: got none stored" in result.stderr
    (tmp_path / "numbers").mkdir()
    (tmp_path / "numbers" / "fig4.json").write_text('{"ones": ')
    result = run("fig4", "--check")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "numbers of fig4: got fig4.json, which is broken" in result.stderr


def test_the_command_lists() -> None:
    assert {"fig2", "fig8", "levels"} <= set(run().stdout.split())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["fig22", "-o", "."], "Hint: did you mean 'fig2'?"),
        (["figure6", "-o", "."], "Hint: did you mean 'fig6'?"),
        (["fig2"], "output folder: got none"),
        (["fig2", "-o", ""], "output folder: got no name"),
        (["fig2", "-o", ".", "--seed", str(2**63)], "is not in the range"),
        (["fig2", "--check", "--seed", "3"], "--check: got --seed 3 too"),
        (["fig2", "-o", ".", "--wav", "x.wav"], "--wav: got it for fig2; allowed: fig6"),
        (["fig6", "-o", ".", "--wav", "nowhere.wav"], "recording: got nowhere.wav, which is no file"),
    ],
)
def test_bad_words_are_refused(words: list[str], said: str) -> None:
    result = run(*words)
    assert result.exit_code == 2
    assert said in result.stderr


@pytest.fixture
def wav(tmp_path: Path) -> Path:
    soundfile = pytest.importorskip("soundfile")
    path = tmp_path / "song.wav"
    t = np.arange(4 * 8000) / 8000
    soundfile.write(path, 0.5 * np.sin(2 * np.pi * 440 * t), 8000, subtype="FLOAT")
    return path


def test_a_recording_in_place_of_the_music(wav: Path) -> None:
    x = recording(wav)
    assert x.shape == (1, SAMPLES)
    turns = np.exp(-2j * np.pi * 440 * np.arange(4000, 8000) / SR)
    assert abs(x[0, 4000:8000] @ turns) / 4000 == pytest.approx(0.25, rel=0.01)
    name, fed_with = fed(Wanted(wav=wav))
    assert name == "song.wav"
    assert np.array_equal(fed_with, x)


def test_the_command_told_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it stands, in a shell: names with spaces are quoted, and the same bytes are made."""
    song = Wanted(wav=Path("elsewhere/my song.wav"))
    told = provenance(picture("fig2"), song, form="svg")["Command"]
    assert shlex.split(told)[:2] == ["dspref", "figure"]
    assert shlex.split(told)[2:] == ["fig2", "--seed", "0", "--wav", "my song.wav", "--format", "svg", "-o", "."]
    monkeypatch.chdir(tmp_path)
    first = save(picture("fig4"), tmp_path).read_bytes()
    (tmp_path / "fig4.png").unlink()
    command = provenance(picture("fig4"), Wanted())["Command"]
    assert run(*shlex.split(command)[2:]).exit_code == 0
    assert (tmp_path / "fig4.png").read_bytes() == first


def test_a_recording_that_is_too_short(tmp_path: Path, wav: Path) -> None:
    import soundfile

    for samples, said in ((4000, "1 s"), (SAMPLES - 1, "3.5118 s")):
        soundfile.write(wav, np.ones(samples) / 2, SR)
        result = run("fig6", "-o", str(tmp_path / "out"), "--wav", str(wav))
        assert result.exit_code == 2
        assert f"song.wav, {said}; allowed: at least 3.512 s" in result.stderr
        assert not (tmp_path / "out").exists()


def test_a_recording_of_silence(tmp_path: Path, wav: Path) -> None:
    import soundfile

    soundfile.write(wav, np.r_[np.zeros(SAMPLES), 0.5], SR)
    result = run("fig6", "-o", str(tmp_path / "out"), "--wav", str(wav))
    assert result.exit_code == 2
    assert "song.wav, silent; allowed: a sound within the first 3.512 s" in result.stderr


def test_a_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    for place in ("taken", "taken/below"):
        result = run("fig2", "-o", str(tmp_path / place))
        assert result.exit_code == 2
        assert "output folder: got" in result.stderr
    with pytest.raises(ValueError, match="one that can be made"):
        folder("/proc/nowhere")
    with pytest.raises(ValueError, match="a path that can be written"):
        folder("/proc")


def test_a_folder_behind_a_closed_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where even looking is refused."""

    def closed(self: Path) -> bool:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "exists", closed)
    with pytest.raises(ValueError, match="output folder: got /closed/x: Permission denied; allowed: one that"):
        folder("/closed/x")


def test_a_full_folder_holds_nothing_half_written(tmp_path: Path) -> None:
    """Files are limited to 40 kB: some figures fit whole, the first that does not leaves nothing."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, hard))
    try:
        result = run("fig4", "fig3", "fig2", "-o", str(tmp_path))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert result.exit_code == 2
    assert "fig3.png: File too large; allowed: a place that can hold it" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["fig4.png"]
    with Image.open(tmp_path / "fig4.png") as image:
        image.load()


def test_without_matplotlib(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.font_manager", None)
    result = run("fig2", "-o", str(tmp_path / "out"))
    assert result.exit_code == 2
    assert "Hint: pip install 'dspref[plot]'" in result.stderr
    assert not (tmp_path / "out").exists()
    assert run("fig2", "--check").exit_code == 0  # draws nothing, and needs nothing


def test_without_the_font(monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(*_args: object, **_kwargs: object) -> str:
        raise ValueError("Failed to find font")

    monkeypatch.setattr("matplotlib.font_manager.findfont", lost)
    with pytest.raises(ValueError, match="font: got no DejaVu Sans; allowed: the font that comes with matplotlib"):
        require_matplotlib()


def test_a_figure_whose_package_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, "tests.dspref.needs_torch", raising=False)
    monkeypatch.setattr("dspref.figures.places", lambda: {"fig1": "tests.dspref.needs_torch:figure"})
    with pytest.raises(ValueError, match=r"figure fig1: got no torch.*pip install 'dspref\[torch\]'"):
        maker("fig1")
