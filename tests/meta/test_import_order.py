"""Who may import whom, as data; and that this check can fail."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

Tiers = Sequence[Sequence[str]]

# "operators" and "stretchfilter" share a tier: that they do not know each other makes "native == normal" a test.
ORDER: dict[str, Tiers] = {
    "dspref": (
        ("arrays", "commands", "expected.folding", "symbolic.proofs", "tables"),
        (
            "artifacts.rules",
            "claims",
            "claims.curves",
            "console",
            "designs.notchbases",
            "designs.projection",
            "designs.windows",
            "expected.bands",
            "expected.blocks",
            "expected.density",
            "expected.filters",
            "expected.offsets",
            "multirate",
            "recording",
            "sounds",
            "strata",
            "texwords",
            "trilinear",
        ),
        (
            "artifacts.finding",
            "citation",
            "commands.rules",
            "cyclotomic",
            "designs.notch",
            "expected.mehler",
            "expected.source",
            "figures.panels",
            "figures.signals",
            "kernels",
            "operators",
            "spectrum.measure",
            "spectrum.shorttime",
            "stretchfilter",
        ),  # operators and stretchfilter do not know each other: that makes "==" a test
        (
            "cite",
            "expected.inputs",
            "figures.picture",
            "gradients.decimators",
            "heads.istft",
            "heads.squeeze",
            "interpolators",
            "layers",
            "leaks.responses",
            "outline",
            "resize",
            "symbolic.rootsums",
        ),
        (
            "advice.plans",
            "chain",
            "commands.cite",
            "corners",
            "figures",
            "figures.draw",
            "figures.numbers",
            "figures.record",
            "heads.pqmf",
            "heads.wavelets",
            "initial.defaults",
            "interpolate",
            "symbolic.amplitude",
            "symbolic.conditions",
        ),
        (
            "adjoints",
            "advice.choices",
            "advice.combs",
            "designs",
            "drawing",
            "expected.network",
            "figures.__main__",
            "gains",
            "heads.lifting",
            "initial.activations",
            "initial.lines",
            "nulls",
            "settling",
            "spectrum.operand",
            "streaming",
            "symbolic.closedforms",
            "symbolic.lines",
            "words",
        ),
        (
            "artifacts.prospect",
            "boundary",
            "expected.graph",
            "expected.kernelmaps",
            "expected.laws",
            "expected.uneven",
            "expected.width",
            "gradients.windows",
            "heads",
            "initial",
            "leaks.lines",
            "lines",
            "spec",
            "spectrum.filtering",
            "spectrum.lptv",
            "spectrum.noise",
            "spectrum.zeros",
            "strategies",
            "symbolic.chain",
            "symbolic.layertheorems",
        ),
        (
            "architecture_words",
            "artifacts.bands",
            "artifacts.noise",
            "artifacts.tones",
            "expected.architectures",
            "expected.outlined",
            "expected.reach",
            "expected.rare",
            "expected.remaining",
            "expected.tonefree",
            "figures.extras",
            "figures.spectra",
            "figures.stamps",
            "gradients.adjointchain",
            "gradients.discriminators",
            "gradients.stftloss",
            "leaks",
            "spectrum.replica",
            "symbolic.theorems",
        ),
        (
            "advice.fromnoise",
            "artifacts",
            "claims.cured",
            "expected.borders",
            "expected.extent",
            "expected.lagged",
            "expected.walk",
            "figures.stacks",
            "gradients.lines",
            "leaks.known",
            "spectrum",
            "symbolic",
            "systems",
        ),
        ("advice.ways", "expected.dense", "expected.roots", "gradients", "plot", "presets"),
        ("advice", "config", "expected.paths"),
        ("", "commands.advise", "commands.architecture", "expected.inherited"),
        ("commands.leakage", "commands.symbolic", "documents", "expected.spread", "provenance", "sphinxext"),
        ("commands.findings", "expected.combs", "expected.moments", "figures.files", "gradients.documents", "pages"),
        ("commands.figure", "commands.gradient", "commands.response", "expected.spectrum"),
        ("claims.expectations", "expected.forecast", "expected.known", "expected.silencing", "expected.visible"),
        ("claims.drawings", "expected.explain", "expected.pictures", "expected.report"),
        ("claims.figures", "commands.expect", "expected"),
        ("commands.claims",),
        ("cli",),
    ),
    "torchparity": (
        (
            "arithmetic",
            "comblines",
            "compiled",
            "contexts",
            "corners",
            "cuts",
            "devices",
            "drafts",
            "evidence",
            "examples",
            "expected_record",
            "figures",
            "findings",
            "followed",
            "graphs",
            "interruption",
            "isolation",
            "known",
            "ledger",
            "mapnames",
            "memory",
            "mistakes.kernels",
            "models.eight.read",
            "models.eight.spectra",
            "models.eight.words",
            "models.generators",
            "mutants.correct",
            "mutants.registry",
            "nn.basic",
            "nn.canonical",
            "nn.handover",
            "nn.modes",
            "nn.parting",
            "nn.shuffle",
            "nn.taps",
            "nn.utils.examples",
            "nn.utils.grid",
            "nn.utils.moments",
            "nn.utils.report",
            "nn.utils.states",
            "onnx_file",
            "outputs",
            "report.words",
            "saved",
            "signals",
            "sweep_words",
            "target",
            "uncovered",
            "verdict",
            "weightfiles",
            "writes",
        ),
        (
            "against",
            "calls",
            "cases",
            "checkpoint",
            "findings_command",
            "formats",
            "grown",
            "lengths",
            "mistakes.borders",
            "mistakes.phases",
            "movements",
            "mutants.likes",
            "nn.geometry",
            "nn.links",
            "nn.subpixel",
            "nn.wavelet",
            "onnx_graph",
            "pieces",
            "positions",
            "report.markdown",
            "report.thrift",
            "sweep_grid",
            "tally",
            "walking",
        ),
        (
            "adapt",
            "apart",
            "binding",
            "box",
            "dispatch",
            "interpolation",
            "mistakes.interpolation",
            "mutants.behaviour",
            "mutants.channels",
            "mutants.interpolation",
            "mutants.kernels",
            "mutants.samples",
            "mutants.stacks",
            "nn.banks",
            "nn.products",
            "nn.twolayer",
            "onnx_laws",
            "readings",
            "report.scanned",
            "report.text",
            "sweep_file",
            "takes",
            "upstream",
            "ways",
        ),
        (
            "campaign_report",
            "mutants.backward",
            "mutants.streaming",
            "nn.polyphase",
            "probe",
            "roundoff",
            "validation_record",
        ),
        (
            "draws",
            "job",
            "mistakes.evidence",
            "mutants",
            "mutants.baselines",
            "nn.choice",
            "nn.composite",
            "nn.running",
            "nn.utils.gains",
            "promises",
            "weigh",
        ),
        ("compare", "mistakes.outputs", "nn.fusing", "nn.utils.projection", "seams"),
        ("autograd", "forms", "mistakes.forward", "nn.fused", "nn.utils.kernels", "rig"),
        (
            "beside",
            "gradients",
            "mistakes.backward",
            "nn.added",
            "nn.extents",
            "nn.init",
            "nn.kinds",
            "nn.utils.construction",
            "nn.utils.parametrize",
            "twins",
        ),
        ("chunked", "examine", "mistakes", "nn.streaming"),
        ("nn", "shrink"),
        ("conclude", "copies", "heads", "initial_laws", "models.unet", "nn_designs"),
        ("laws", "leaks", "models.demucs", "models.waveunet", "projected", "trace"),
        ("describe", "finished", "kernel_rules", "models.fitted"),
        ("build", "models.article", "models.eight.drawn", "nn.sites", "resamplers", "rules"),
        (
            "models.chains",
            "models.eight.pictures",
            "models.table1",
            "nn.rehearsal",
            "nn.twin",
            "nn.utils.functional",
            "rates",
            "subjects",
            "sweep_networks",
            "trials",
            "walked",
        ),
        (
            "campaign",
            "figures.sizes",
            "models",
            "models.eight.theory",
            "nn.replace",
            "nn.utils.reached",
            "plan",
            "remarks",
            "spine",
            "sweep_expected",
            "validation",
        ),
        (
            "bench",
            "equalgains",
            "expected_rows",
            "models.eight.subject",
            "nn.utils.whole",
            "parity",
            "reach",
            "resolving",
            "scaffold",
            "streams",
        ),
        ("asserts", "experiment", "figures.networks", "measure", "models.eight.page", "mutants.score", "nn.utils"),
        ("advised", "flow", "judged", "models.__main__", "models.eight", "mutants.page", "pytest_plugin", "sampled"),
        ("", "audited", "expect_check", "expected_table"),
        ("actual", "expecting"),
        ("cures",),
        ("audit",),
        ("report.cards", "report.pictures", "report.sounds", "sweep_row"),
        ("report.document", "sweep"),
        ("report.html", "sweep_tables"),
        ("report",),
        ("ordering",),
        ("audit_command",),
        ("campaign_command", "expect_command", "leakage_command", "mutants_command", "verify_command"),
        ("sweep_command",),
        ("cli",),
    ),
}
"""A module may import from tiers before its own, never from its own or a later one."""

NEVER = {"dspref": ("torch", "torchparity")}


def sources(package: str) -> dict[str, str]:
    """Return the text of every module of a package, by its name within the package."""
    folder = ROOT / package
    names = {path: ".".join(path.relative_to(folder).with_suffix("").parts) for path in folder.rglob("*.py")}
    return {name.removesuffix("__init__").rstrip("."): path.read_text("utf-8") for path, name in names.items()}


def imports(text: str) -> set[str]:
    """Return the dotted names that a module imports, at its head or inside functions.

    ``from a import b`` counts as a.b, which may be a module or a name in one.
    """
    found: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative import"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Call) and "import" in ast.unparse(node.func):
            found |= {arg.value for arg in node.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)}
    return found


def within(package: str, name: str, modules: set[str]) -> str | None:
    """Return the module of the package that an imported name lies in; None for other packages."""
    first, *rest = name.split(".")
    if first != package:
        return None
    return next((known for n in range(len(rest), 0, -1) if (known := ".".join(rest[:n])) in modules), "")


def violations(package: str, texts: Mapping[str, str], order: Tiers) -> list[str]:
    """Return what breaks the order: imports from no earlier tier, modules without a row, rows without a module."""
    tier = {name: place for place, names in enumerate(order) for name in names}
    found = [f"{package}.{name} has no row in the order" for name in sorted(set(texts) - set(tier))]
    found += [f"the order names {package}.{name}, which does not exist" for name in sorted(set(tier) - set(texts))]
    for name in sorted(set(texts) & set(tier)):
        targets = {within(package, imported, set(texts)) for imported in imports(texts[name])} - {None, name}
        late = [target for target in targets if target is not None and tier.get(target, -1) >= tier[name]]
        found += [f"{package}.{name} imports {package}.{target}" for target in sorted(late)]
    return found


def strangers(texts: Mapping[str, str], forbidden: Sequence[str]) -> list[str]:
    """Return the imports of forbidden packages."""
    found = ((name, imported) for name, text in texts.items() for imported in imports(text))
    return sorted(f"{name} imports {imported}" for name, imported in found if imported.split(".")[0] in forbidden)


@pytest.mark.parametrize("package", ORDER)
def test_modules_import_from_earlier_tiers_only(package: str) -> None:
    assert violations(package, sources(package), ORDER[package]) == []


@pytest.mark.parametrize("package", NEVER)
def test_the_reference_never_imports_torch(package: str) -> None:
    assert strangers(sources(package), NEVER[package]) == []


PLANTED = {
    "a later module": ("a", "from dspref import b\n", ["dspref.a imports dspref.b"]),
    "a later module's name": ("a", "from dspref.b import thing\n", ["dspref.a imports dspref.b"]),
    "inside a function": ("a", "def f():\n    import dspref.b as b\n", ["dspref.a imports dspref.b"]),
    "a module of the same tier": ("b", "import dspref.c\n", ["dspref.b imports dspref.c"]),
    "the package itself": ("a", "import dspref\n", ["dspref.a imports dspref."]),
    "a name of the package": ("a", "from dspref import thing\n", ["dspref.a imports dspref."]),
    "by a string": ("a", "importlib.import_module('dspref.b')\n", ["dspref.a imports dspref.b"]),
}


@pytest.mark.parametrize("name", PLANTED)
def test_the_order_can_be_broken(name: str) -> None:
    module, text, expected = PLANTED[name]
    clean = {
        "a": "import numpy\n",
        "b": "from dspref.a import x\n",
        "c": "from dspref import a\n",
        "": "import dspref.b",
    }
    order = (("a",), ("b", "c"), ("",))
    assert violations("dspref", clean, order) == []
    assert violations("dspref", clean | {module: text}, order) == expected


def test_modules_without_rows_and_rows_without_modules_are_found() -> None:
    assert violations("dspref", {"a": "", "z": ""}, (("a",), ("b",))) == [
        "dspref.z has no row in the order",
        "the order names dspref.b, which does not exist",
    ]


@pytest.mark.parametrize(
    "text", ["import torch", "from torch.nn import functional", "def f():\n    import torch.nn", "__import__('torch')"]
)
def test_an_import_of_torch_is_found(text: str) -> None:
    assert strangers({"arrays": text}, NEVER["dspref"]) != []
    assert strangers({"arrays": "import torchvision_like_name"}, NEVER["dspref"]) == []
