"""The words of the page on the eight networks."""

HEAD = """\
# The article's eight networks, fed with white noise

Made by `python -m torchparity.models eight -o docs --beside FOLDER`, FOLDER with the article's own figures. Networks
are those of `torchparity.known.EIGHT` at reduced width: 16 channels in the first of six layers in place of 100;
MelGAN is as large as the article's. Weights are as before training, inputs are white noise of power 1 in each channel.

![spectrograms of the eight networks](figures/eight.png)

First channel of the first draw; 0 dB is the strongest cell; Hann frames of 2048 samples, four bins to a row. At the
right edge, ticks stand where lines are expected that can be seen (those of combs up to sr/32), and triangles at nulls
of the last interpolation, all proved (`dspref.spectrum.nulls`).

## Tones

Levels are in dB re the input; "over floor" is by how much a spectrum of 2048 samples under a Hann window shows the tone
over the floor beside it, floor included. Expected: `dspref.expected` of the network without its LSTM, averaged over
draws. Drawn: {draws} networks with LSTM, eight channels each (MelGAN: one), ± standard error of the mean. One draw lies
−12.9 to +4.8 dB off the mean in 90 % of cases (at half the rate −24.1 to +5.8). The last column is one draw, too: it
is read off the article's picture by its colour bar, where rows of pixels leave bins out; a tone of it is up to 6 dB too
low.
"""

DROPS = """
## What modification does to the tone at 11 025 Hz

In dB over the floor, Fig. 1 less Fig. 9: no biases, and no ReLUs in the first layer.
"""

FAINTER = """
## Fainter lines at multiples of 2756.25 Hz

In dB over the floor: the mean power of the six that are no multiples of 11 025 Hz.
"""

VALLEYS = """
## Valleys

Level of the floor at the null re the mean of the floor, in dB, as the same spectrum shows it: the window fills a null
from beside. Draws are in double precision. Theory is of four levels: with 16 channels the two innermost add less than
0.01 dB there, and its digits end 130 dB under the mean. Of the article's picture this is the lowest row at the place;
its frame covers half the rate.
"""

DIFFERS = """
## What differs from the article's figures, and why

- **Width.** Tones of our narrow networks stand higher over the floor than those of the article's size: biases make the
  offset, and in a wide network the floor that comes of the inner layers is stronger. The columns "at the article's
  size" are theory. Three draws of that size each showed 23.2 ± 0.6 dB (demucs-like-transposed), 11.1 ± 1.0
  (modified-transposed) and 13.4 ± 1.2 (modified-subpixel): `torchparity.models.eight.seen(name, draws=3,
  channels=100)`, about a minute each; this page's command does not do that.
- **The pictures look as those of networks without rescaling.** With weights rescaled, as Demucs's are and as section 6
  says of those that were trained, inner layers amplify, and gates make offsets of strong signals without any bias: at
  the article's size the modified tones are expected 13 and 17 dB over the floor. Fig. 9 has none; of lines expected so
  high, {rare[0]} and {rare[1]} of draws are weak enough to be overlooked. Without rescaling none is expected, and
  fainter lines at multiples of 2756.25 Hz fit, too. This is inferred from pictures: the article does not say.
- **MelGAN's floor** lies 15 dB lower in the article. Ours is fed with 80 channels of white noise of power 1. Among the
  article's files there is its input, noise at 22.05 kHz, of which MelGAN must have got the spectrogram in mel bands, as
  is usual in decibels or logarithms: nearly a constant. An input of constant 1 and noise of power 0.02 is expected to
  have {mel[0]} dB at 5512.5 Hz, {mel[1]} at multiples of 689 Hz, and {mel[2]} at multiples of 86 Hz, where noise alone
  has {noise[0]} and {noise[1]}: the article's picture has lines 86 Hz apart, by about 10 to 20 dB, and ours has none.
- **Linear interpolation.** The article's picture is darkest near half the rate at 1, 3 and 5 seconds. That is
  `align_corners=True`: T samples become 4T at n (T − 1)/(4T − 1) in place of n/4, so that in six seconds the phase
  drifts by three output samples; three times it stands half a sample from the grid, where the filter has one null more
  at half the rate. With corners aligned our picture has three such places, too (figures/eight-beside.png, made with
  `--beside`; a little farther apart, since ends are cut off). Torch's default, which the table is of, stands there all
  the time. Between its nulls the article's valley at
  11 025 Hz is as deep as float32 and a drifting filter leave it.
- **0 dB.** The article's colour bars have another reference than the strongest cell: no cell of its Fig. 9 reaches
  −10 dB. Here all levels are differences.
- **Demucs.** Fig. 1, b is called Demucs there and Demucs-like in Table 1. Both are shown; they differ by two taps in
  the encoder's second convolutions. Linear interpolation has a picture among the article's files, but not in Fig. 1.
- **LSTM.** Theory leaves it out. The same draws of Demucs-like and modified networks without it have the same tones to
  0.01 dB.
"""
