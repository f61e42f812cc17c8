#!/usr/bin/env python3
"""Matrix and extensive games by the solvers there are in Python, beside nashguard.

    cargo build --release --no-default-features --bin nashguard --example poker
    python3 benches/peers.py

Installs the peers into target/peers/env (pip; each is optional, and pycddlib compiles only where the
system has libcdd-dev and libgmp-dev), writes the games to target/peers, solves each by every peer in a
process of its own, measures every answer's gap in exact arithmetic, and writes experiments/results/
peers.json and peers.md in the layout of the other results. `--limit` and `--sizes` change how far it goes.
"""

import argparse
import importlib.metadata
import json
import math
import os
import platform
import resource
import signal
import subprocess
import sys
import time
import venv
from fractions import Fraction
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WORK = ROOT / "target" / "peers"
BINARY = ROOT / "target" / "release" / "nashguard"
POKER = ROOT / "target" / "release" / "examples" / "poker"
BUILD = "cargo build --release --no-default-features --bin nashguard --example poker"
# OpenSpiel's linear programs need cvxpy and its default solver ECOS.
PACKAGES = [
    "numpy",
    "highspy",
    "quantecon",
    "nashpy",
    "pygambit",
    "pycddlib",
    "open_spiel",
    "cvxpy",
    "ecos",
]
ONE_THREAD = {
    name: "1"
    for name in ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"]
}
SEED = 1
UNIFORM = "uniform, 4 decimals"
# Work below this many seconds is repeated, and the fastest run counts, by the wall: systems count
# processor time in ticks of milliseconds.
SHORT = 1.0
REPEATS = 10

# ------------------------------------------------------------------------------------------------
# The peers. Each takes a file and does what need not be timed; what it returns is timed, and gives
# (what the peer says, row strategy, column strategy).


def fastest(run):
    """(seconds, result): the wall-clock of the fastest run, or the CPU seconds of one long one.

    `run` gives (CPU seconds, result).
    """
    best = math.inf
    for _ in range(REPEATS):
        start = time.perf_counter()
        busy, result = run()
        best = min(best, time.perf_counter() - start)
        if busy > SHORT or best > SHORT:
            return busy, result
    return best, result


def table(file, number):
    return [[number(entry) for entry in line.split(",")] for line in Path(file).read_text().split()]


def floats(file):
    import numpy

    return numpy.array(table(file, float))


def highs(file, solver):
    """max v with v <= (A'x)_j, sum x = 1, x >= 0; the prices are the column player's strategy."""
    import highspy
    import numpy

    a = floats(file)
    m, n = a.shape
    program = highspy.HighsLp()
    program.num_col_, program.num_row_ = m + 1, n + 1
    program.col_cost_ = numpy.append(numpy.zeros(m), 1.0)
    program.sense_ = highspy.ObjSense.kMaximize
    program.col_lower_ = numpy.append(numpy.zeros(m), -highspy.kHighsInf)
    program.col_upper_ = numpy.full(m + 1, highspy.kHighsInf)
    program.row_lower_ = numpy.append(numpy.full(n, -highspy.kHighsInf), 1.0)
    program.row_upper_ = numpy.append(numpy.zeros(n), 1.0)
    rows = numpy.vstack(
        [numpy.hstack([-a.T, numpy.ones((n, 1))]), numpy.append(numpy.ones(m), 0.0)]
    )
    full = rows != 0.0
    program.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    program.a_matrix_.start_ = numpy.append(0, full.sum(axis=1).cumsum())
    program.a_matrix_.index_ = numpy.nonzero(full)[1]
    program.a_matrix_.value_ = rows[full]
    model = highspy.Highs()
    for option, value in [("output_flag", False), ("threads", 1), ("solver", solver)]:
        model.setOptionValue(option, value)
    model.passModel(program)

    def solve():
        model.clearSolver()
        model.run()
        found = model.getSolution()
        says = model.modelStatusToString(model.getModelStatus())
        return says, found.col_value[:m], [abs(v) for v in found.row_dual[:n]]

    return solve


def quantecon(file):
    from quantecon.optimize.minmax import minmax

    a = floats(file)
    return lambda: ("answer", *minmax(a)[1:])


def nashpy(file):
    import nashpy as peer

    game = peer.Game(floats(file))
    return lambda: ("answer", *game.linear_program())


def gambit_game(file):
    import numpy
    import pygambit

    entry = lambda text: pygambit.Rational(*Fraction(text).as_integer_ratio())
    a = numpy.array(table(file, entry))
    return pygambit.Game.from_arrays(a, -a)


def gambit(file, method, **options):
    import pygambit

    game = gambit_game(file)

    def solve():
        found = getattr(pygambit.nash, method)(game, **options).equilibria
        if not found:
            return "no equilibrium", None, None
        strategies = [[found[0][s] for s in player.strategies] for player in game.players]
        return "equilibrium", *strategies

    return solve


def cddlib(file):
    """As for HiGHS, over the rationals."""
    import cdd.gmp

    a = table(file, Fraction)
    m, n = len(a), len(a[0])
    unit = lambda i: [int(k == i) for k in range(m)]
    rows = [[0] + [a[i][j] for i in range(m)] + [-1] for j in range(n)]
    rows += [[0] + unit(i) + [0] for i in range(m)]
    rows += [[-1] + [1] * m + [0], [1] + [-1] * m + [0], [0] * (m + 1) + [1]]

    def solve():
        program = cdd.gmp.linprog_from_array(rows, cdd.LPObjType.MAX)
        cdd.gmp.linprog_solve(program)
        prices = dict(program.dual_solution)
        says = program.status.name.capitalize()
        return says, program.primal_solution[:m], [abs(prices.get(j, 0)) for j in range(n)]

    return solve


def open_spiel(file):
    import pyspiel
    from open_spiel.python.algorithms import lp_solver

    a = floats(file)
    game = pyspiel.create_matrix_game(a, -a)

    def solve():
        x, y, *_ = lp_solver.solve_zero_sum_matrix_game(game)
        return "answer", x.flatten(), y.flatten()

    return solve


# name: (package, whether it is exact, what it does)
MATRIX_PEERS = {
    "HiGHS simplex": ("highspy", False, lambda file: highs(file, "simplex")),
    "HiGHS IPM, crossover": ("highspy", False, lambda file: highs(file, "ipm")),
    "HiGHS PDLP": ("highspy", False, lambda file: highs(file, "pdlp")),
    "QuantEcon minmax": ("quantecon", False, quantecon),
    "nashpy linear_program": ("nashpy", False, nashpy),
    "Gambit lp_solve": ("pygambit", False, lambda file: gambit(file, "lp_solve", rational=False)),
    "Gambit lcp_solve": (
        "pygambit",
        False,
        lambda file: gambit(file, "lcp_solve", rational=False, stop_after=1),
    ),
    "Gambit gnm_solve": (
        "pygambit",
        False,
        lambda file: gambit(file, "gnm_solve"),
    ),
    "OpenSpiel LP (ECOS)": ("open_spiel", False, open_spiel),
    "cddlib LP, GMP": ("pycddlib", True, cddlib),
    "Gambit lp_solve, rational": (
        "pygambit",
        True,
        lambda file: gambit(file, "lp_solve", rational=True),
    ),
    "Gambit lcp_solve, rational": (
        "pygambit",
        True,
        lambda file: gambit(file, "lcp_solve", rational=True, stop_after=1),
    ),
}


def gambit_tree(file, rational):
    import pygambit

    game = pygambit.read_efg(file)

    def solve():
        found = pygambit.nash.lp_solve(game, rational=rational).equilibria[0]
        player = list(game.players)[0]
        return {"value": str(found.payoff(player)), "gap": str(found.max_regret())}

    return solve


def open_spiel_program(file):
    import pyspiel
    from open_spiel.python import policy
    from open_spiel.python.algorithms import exploitability, sequence_form_lp

    game = pyspiel.load_game(Path(file).stem + "_poker")

    def solve():
        value, _, *plans = sequence_form_lp.solve_zero_sum_game(game)

        def gap():
            return exploitability.nash_conv(game, policy.merge_tabular_policies(plans, game))

        return {"value": repr(float(value)), "gap": gap}

    return solve


def open_spiel_cfr(file):
    import pyspiel

    game = pyspiel.load_game(Path(file).stem + "_poker")

    def solve():
        iterations, solver = 200, pyspiel.CFRPlusSolver(game)
        for _ in range(iterations):
            solver.evaluate_and_update_policy()
        gap = lambda: pyspiel.nash_conv(game, solver.average_policy())
        return {"iterations": iterations, "gap": gap}

    return solve


TREE_PEERS = {
    "OpenSpiel sequence-form LP (ECOS)": ("open_spiel", False, open_spiel_program),
    "OpenSpiel CFR+ (C++)": ("open_spiel", False, open_spiel_cfr),
    "Gambit lp_solve": ("pygambit", False, lambda file: gambit_tree(file, False)),
    "Gambit lp_solve, rational": ("pygambit", True, lambda file: gambit_tree(file, True)),
}

# ------------------------------------------------------------------------------------------------
# Running one peer on one file in a process of its own.


def worker(peer, file, limit):
    """The child: prints one line of JSON."""
    is_matrix = file.endswith(".csv")
    _, exact, prepare = (MATRIX_PEERS if is_matrix else TREE_PEERS)[peer]
    # What is compiled or loaded at the first call is no solver's time.
    prepare(str(WORK / ("warm.csv" if is_matrix else "kuhn.efg")))()
    solve = prepare(file)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(time.process_time() + limit), -1))

    def run():
        start = time.process_time()
        found = solve()
        return time.process_time() - start, found

    seconds, found = fastest(run)
    resource.setrlimit(resource.RLIMIT_CPU, (-1, -1))
    if is_matrix:
        says, *strategies = found
        text = lambda p: str(Fraction(str(p))) if exact else repr(float(p))
        row, column = (None if v is None else [text(p) for p in v] for v in strategies)
        found = {"says": says, "row": row, "column": column}
    else:
        found = {key: v() if callable(v) else v for key, v in found.items()}
    print(json.dumps({**found, "seconds": seconds}))


def run_peer(peer, file, limit):
    """The parent's side: what the child printed, or {"says": why not}."""
    command = [sys.executable, __file__, "--worker", peer, str(file), "--limit", str(limit)]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, env=os.environ | ONE_THREAD, timeout=4 * limit
        )
    except subprocess.TimeoutExpired:
        return {
            "says": f"stopped: not through with setup and solve in {4 * limit} s",
            "stopped": True,
        }
    if done.returncode in (-signal.SIGXCPU, -signal.SIGKILL):
        return {"says": f"stopped after {limit} s", "stopped": True}
    if done.returncode != 0:
        return {"says": "failed: " + (done.stderr.strip().splitlines() or ["no message"])[-1][:100]}
    return json.loads(done.stdout.splitlines()[-1])


def run_ours(file, *options):
    """The whole process: reading the file, solving, writing the answer."""
    out = WORK / "ours.json"
    command = [BINARY, "solve", file, "--out", out, *options]

    def run():
        child = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        message = child.stderr.read()
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        return usage.ru_utime + usage.ru_stime, (child.returncode, message)

    seconds, (code, message) = fastest(run)
    if code != 0:
        return {"seconds": seconds, "says": message.strip().removeprefix("error: ").split("; ")[0]}
    found = json.loads(out.read_text(), parse_float=lambda text: repr(float(text)))
    gap = str(found["gap"])
    says = "gap 0" if gap == "0" else f"gap at most {float(gap):.0e}"
    return {**found, "seconds": seconds, "says": says}


# ------------------------------------------------------------------------------------------------
# What an answer is worth.


def whole(numbers):
    """The numbers times their common denominator, negative ones as 0."""
    exact = [max(Fraction(v) if "/" in str(v) else Fraction(float(v)), 0) for v in numbers]
    common = math.lcm(*{v.denominator for v in exact})
    return [v.numerator * (common // v.denominator) for v in exact]


class Game:
    """A matrix game in whole numbers."""

    def __init__(self, file):
        entries = table(file, Fraction)
        self.unit = common = math.lcm(*{v.denominator for row in entries for v in row})
        self.rows = [[v.numerator * (common // v.denominator) for v in row] for row in entries]
        self.columns = list(zip(*self.rows))
        values = [v for row in self.rows for v in row]
        self.spread = max(values) - min(values)

    def relative_gap(self, row, column):
        """NashConv over the spread of the payoffs; None without two strategies."""
        x, y = whole(row or []), whole(column or [])
        if not sum(x) or not sum(y):
            return None
        dot = lambda a, b: sum(v * w for v, w in zip(a, b) if w)
        low = min(dot(column, x) for column in self.columns)
        high = max(dot(row, y) for row in self.rows)
        return (Fraction(high, sum(y)) - Fraction(low, sum(x))) / self.spread


# ------------------------------------------------------------------------------------------------
# The games.


def write_games(sizes):
    """[(family, size, file)]; every entry is written to its last digit."""
    import numpy
    from decimal import Decimal

    def save(name, rows, text=lambda v: format(Decimal(float(v)), "f")):
        file = WORK / f"{name}.csv"
        file.write_text("".join(",".join(text(v) for v in row) + "\n" for row in rows))
        return file

    save("warm", [[1, 0], [0, 1]])
    rng = numpy.random.default_rng(SEED)
    games = []
    for n in sizes:
        entries = rng.uniform(-1, 1, (n, n))
        file = save(f"uniform-{n}", entries, lambda v: f"{v:.4f}")
        games.append((UNIFORM, n, file))
    n = 20
    u = rng.uniform(-1, 1, (n, n))
    sign = lambda k: 1.0 if k % 2 == 0 else -1.0
    hilbert = [[sign(i + j) / (i + j + 1) for j in range(n)] for i in range(n)]
    games.append(("1 + 1e-9 U", n, save("near-one", 1 + 1e-9 * u)))
    games.append(("1e-9 U", n, save("tiny", 1e-9 * u)))
    diagonal = [[10.0**-i if i == j else 0.0 for j in range(8)] for i in range(8)]
    games.append(("diag(1, 1e-1, .., 1e-7)", 8, save("diagonal", diagonal)))
    games.append(("alternating Hilbert", n, save("hilbert", hilbert)))
    for name in ["kuhn", "leduc"]:
        text = subprocess.run([POKER, name], capture_output=True, text=True, check=True).stdout
        (WORK / f"{name}.efg").write_text(text)
    return games


# ------------------------------------------------------------------------------------------------
# The tables.

OURS = {False: "nashguard, f64", True: "nashguard, exact"}
OUR_CFR = "nashguard CFR+"


def solver_alone(device):
    """{(payoffs, size, method): seconds} of benches/games.rs, if it ran on this kind of machine."""
    file = ROOT / "experiments" / "results" / "bench-games.json"
    if not file.exists():
        return {}
    report = json.loads(file.read_text())
    if report["device"] != device:
        return {}
    matrix = next(t for t in report["tables"] if t["name"] == "matrix games")
    names = [column["name"] for column in matrix["columns"]]
    rows = [dict(zip(names, row)) for row in matrix["rows"]]
    return {(r["payoffs"], r["size"], r["method"]): r["time"] / 1e3 for r in rows}


def ratio(run, ours):
    """How many times as long as ours; for a stopped run at least so many."""
    if not ours:
        return ""
    if run.get("stopped"):
        return f"> {run['limit'] / ours:.4g}"
    return run["seconds"] / ours if "seconds" in run else ""


def matrix_table(games, peers, limit, alone):
    columns = [
        ("payoffs", None),
        ("size", None),
        ("method", None),
        ("says", None),
        ("time", "ms"),
        ("true gap / spread", None),
        ("true gap / value", None),
        ("times ours, whole process", None),
        ("times ours, solver alone", None),
        ("bar", None),
        ("met", None),
    ]
    rows, stopped = [], {}
    for family, size, file in games:
        game = Game(file)
        runs = {OURS[False]: run_ours(file), OURS[True]: run_ours(file, "--exact")}
        for name in peers:
            if name in stopped and family == UNIFORM:
                runs[name] = {"says": f"not run: stopped at {stopped[name]}"}
                continue
            runs[name] = run_peer(name, file, limit) | {"limit": limit}
            if runs[name].get("stopped"):
                stopped[name] = size
        value = abs(Fraction(runs[OURS[True]].get("value", 0)))
        for name, run in runs.items():
            exact = name == OURS[True] or name in peers and peers[name][1]
            ours = runs[OURS[exact]]
            gap = game.relative_gap(run.get("row"), run.get("column"))
            in_values = (
                "" if gap is None or not value else float(gap * game.spread / game.unit / value)
            )
            if gap is not None and not exact:
                least = min(float(v) for v in [*run["row"], *run["column"]])
                if least < -1e-9:
                    run["says"] += f", with a probability of {least:.2g}"
            bar, met = "", ""
            if name == OURS[True] and (family, size) == (UNIFORM, 100):
                theirs = runs.get("cddlib LP, GMP", {})
                seconds = theirs.get("seconds", limit if theirs.get("stopped") else None)
                if seconds:
                    # A stopped run shows that the bar is met, or nothing.
                    met = (
                        "yes" if run.get("seconds", math.inf) <= seconds / 10 and gap == 0 else "no"
                    )
                    bar = "a tenth of cddlib's time"
            elif name == OURS[True] and family != UNIFORM:
                bar, met = "gap 0", "yes" if gap == 0 else "no"
            rows.append(
                [
                    family,
                    size,
                    name,
                    run["says"],
                    1e3 * run["seconds"] if "seconds" in run else "",
                    "no answer" if gap is None else float(gap),
                    in_values,
                    ratio(run, ours.get("seconds") if "row" in ours else None),
                    ratio(run, alone.get((family, size, OURS[exact]))) if name in peers else "",
                    bar,
                    met,
                ]
            )
            print(" | ".join(map(str, rows[-1])), flush=True)
    caption = (
        "Square games, U uniform on [-1, 1]. Peers in f64 are compared with ours in f64, exact ones with "
        "ours exact: our whole process (start, reading the file, solving, writing the answer), and the "
        "solver alone as in bench-games.json, on another draw of the same family."
    )
    return {"name": "matrix games", "caption": caption, "columns": columns, "rows": rows}


def wrong_table(rows, peers):
    """How many of the peers in f64 gave strategies, and which of these are no equilibrium."""
    columns = [
        ("payoffs", None),
        ("answers", None),
        ("gap above 1 % of the spread", None),
        ("gap above 1 % of the value", None),
        ("whose gap is above 1 % of either", None),
    ]
    counted = []
    for family in dict.fromkeys(row[0] for row in rows):
        found = [
            (name, gap > 0.01, in_values != "" and in_values > 0.01)
            for payoffs, _, name, _, _, gap, in_values, *_ in rows
            if payoffs == family and name in peers and not peers[name][1] and gap != "no answer"
        ]
        names = dict.fromkeys(name for name, *wrong in found if any(wrong))
        spread, value = sum(row[1] for row in found), sum(row[2] for row in found)
        counted.append([family, len(found), spread, value, ", ".join(names)])
    caption = (
        "The peers in f64: how often they gave strategies, and how often these were no equilibrium."
    )
    return {"name": "wrong answers", "caption": caption, "columns": columns, "rows": counted}


def our_cfr(name):
    """The example prints a line when CFR+ reaches a gap of 1e-3, and its speed so far."""
    race = subprocess.Popen([POKER, name, "race"], stdout=subprocess.PIPE, text=True)
    line = race.stdout.readline()
    race.kill()
    race.wait()
    words = line.replace("(", "").replace(",", "").split()
    iterations, seconds = (
        int(words[words.index("after") + 1]),
        float(words[words.index("iterations") + 1]),
    )
    return {"says": "", "seconds": seconds, "iterations": iterations, "gap": 1e-3}


def tree_table(peers, limit):
    columns = [
        ("game", None),
        ("method", None),
        ("says", None),
        ("time", "ms"),
        ("times ours", None),
        ("iterations per second", None),
        ("value", None),
        ("gap", None),
    ]
    rows = []
    for name in ["kuhn", "leduc"]:
        file = WORK / f"{name}.efg"
        runs = {OURS[False]: run_ours(file), OURS[True]: run_ours(file, "--exact")}
        if name == "leduc":
            runs[OUR_CFR] = our_cfr(name)
        for peer in peers:
            runs[peer] = {"says": ""} | run_peer(peer, file, limit) | {"limit": limit}
        for method, run in runs.items():
            speed, times = "", ""
            if "iterations" not in run:
                exact = method == OURS[True] or method in peers and peers[method][1]
                times = ratio(run, runs[OURS[exact]].get("seconds"))
            elif "seconds" in run:
                speed = run["iterations"] / run["seconds"]
                times = (
                    runs[OUR_CFR]["iterations"] / runs[OUR_CFR]["seconds"] / speed
                    if OUR_CFR in runs
                    else ""
                )
            value = str(run.get("value", ""))
            rows.append(
                [
                    name,
                    method,
                    run["says"],
                    1e3 * run["seconds"] if "seconds" in run else "",
                    times,
                    speed,
                    value if len(value) < 25 else f"{float(Fraction(value)):.16g} (rounded)",
                    float(Fraction(run["gap"])) if "gap" in run else "",
                ]
            )
            print(" | ".join(map(str, rows[-1])), flush=True)
    caption = (
        "Our times are of the whole process (CFR+: of the iterations until the averages' gap is 1e-3, "
        "wall-clock), the peers' of the call; CFR+ is compared by its speed. Gaps: ours exactly, "
        "OpenSpiel's by its own nash_conv, "
        "Gambit's by its own max_regret."
    )
    return {"name": "extensive games", "caption": caption, "columns": columns, "rows": rows}


# ------------------------------------------------------------------------------------------------
# The report, in the layout of src/report.


def number(value):
    """As `report::format_number`: four digits."""
    if value == int(value) and abs(value) < 1e9:
        return str(int(value))
    if 1e-3 <= abs(value) < 1e6:
        text = f"{value:.{max(0, 3 - math.floor(math.log10(abs(value))))}f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    mantissa, exponent = f"{value:.2e}".split("e")
    return f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"


def markdown(report):
    blocks = [
        f"# {report['name']}",
        f"**Claim.** {report['claim']}",
        f"**Made by** `{report['command']}` at commit `{report['commit']}`, seed {report['seed']}, scale "
        f"{report['scale']}, on {report['device']}, in {number(report['minutes'])} minutes.",
        "\n".join(f"- {note}" for note in report["notes"]),
    ]
    for t in report["tables"]:
        head = [c["name"] + (f" ({c['unit']})" if "unit" in c else "") for c in t["columns"]]
        cells = [
            [v.replace("|", "\\|") if isinstance(v, str) else number(v) for v in row]
            for row in t["rows"]
        ]
        widths = [max(3, *(len(line[k]) for line in [head, *cells])) for k in range(len(head))]
        right = [any(not isinstance(row[k], str) for row in t["rows"]) for k in range(len(head))]
        pad = lambda line: (
            "".join(f"| {v.rjust(w) if r else v.ljust(w)} " for v, w, r in zip(line, widths, right))
            + "|"
        )
        rule = (
            "".join(f"| {'-' * (w - 1)}{':' if r else '-'} " for w, r in zip(widths, right)) + "|"
        )
        blocks += [f"## {t['name']}", t["caption"], "\n".join([pad(head), rule, *map(pad, cells)])]
    return "\n\n".join(blocks) + "\n"


def lines(value, depth=0):
    """JSON in lines down to the tables' rows."""
    pairs = value.items() if isinstance(value, dict) else value
    if depth == 4 or not isinstance(value, (dict, list)) or not pairs:
        return json.dumps(value, ensure_ascii=False)
    is_map = isinstance(value, dict)
    inner = (
        [f"{json.dumps(k)}: {lines(v, depth + 1)}" for k, v in pairs]
        if is_map
        else [lines(v, depth + 1) for v in value]
    )
    open_, close = "{}" if is_map else "[]"
    pad = "\n" + "  " * (depth + 1)
    return open_ + pad + ("," + pad).join(inner) + "\n" + "  " * depth + close


def commit():
    git = lambda *words: subprocess.run(
        ["git", *words], cwd=ROOT, capture_output=True, text=True
    ).stdout.strip()
    others = [":(top)", ":(top,exclude)experiments/results", ":(top,exclude,glob)**/figures/**"]
    changed = git("status", "--porcelain", "--untracked-files=no", "--", *others)
    return (git("rev-parse", "--short", "HEAD") or "unknown") + ("-dirty" if changed else "")


def device():
    info = Path("/proc/cpuinfo")
    names = (
        [line for line in info.read_text().splitlines() if line.startswith("model name")]
        if info.exists()
        else []
    )
    model = names[0].split(":", 1)[1].strip() if names else platform.machine()
    return f"CPU {model} ({len(os.sched_getaffinity(0))} threads)"


def install():
    """Makes the environment and installs what is missing, then goes on inside it."""
    python = WORK / "env" / "bin" / "python"
    if Path(sys.prefix).resolve() == (WORK / "env").resolve():
        return
    if not python.exists():
        venv.create(WORK / "env", with_pip=True)
    for package in PACKAGES:
        pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", package]
        if subprocess.run(pip, capture_output=True).returncode != 0:
            print(f"{package} does not install here: its peers are left out", file=sys.stderr)
    os.execv(python, [str(python), str(Path(__file__).resolve()), *sys.argv[1:]])


def version(package):
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def main():
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    arguments.add_argument("--limit", type=int, default=20, help="CPU seconds for a peer on a game")
    arguments.add_argument("--sizes", type=int, nargs="+", default=[50, 100, 200, 500, 1000])
    arguments.add_argument("--out", type=Path, default=ROOT / "experiments" / "results")
    arguments.add_argument("--worker", nargs=2, help=argparse.SUPPRESS)
    options = arguments.parse_args()
    if options.worker:
        return worker(*options.worker, options.limit)
    for program in [BINARY, POKER]:
        if not program.exists():
            sys.exit(f"{program} is missing; build it first: {BUILD}")
    started, load = time.time(), os.getloadavg()[0]
    WORK.mkdir(parents=True, exist_ok=True)
    install()

    games = write_games(options.sizes)
    versions = {package: version(package) for package in PACKAGES}
    present = lambda peers: {name: peer for name, peer in peers.items() if versions[peer[0]]}
    missing = [package for package, found in versions.items() if not found]
    here = device()
    peers = present(MATRIX_PEERS)
    matrix = matrix_table(games, peers, options.limit, solver_alone(here))
    tables = [
        matrix,
        wrong_table(matrix["rows"], peers),
        tree_table(present(TREE_PEERS), options.limit),
    ]
    for t in tables:
        t["columns"] = [
            {"name": name} | ({"unit": unit} if unit else {}) for name, unit in t["columns"]
        ]
    report = {
        "name": "peers",
        "paper_reference": "",
        "claim": "An exact solve of 100 x 100 takes less than a tenth of cddlib's time, and exact solves go on where exact peers stop; "
        "peers in f64 call wrong answers optimal, and this tool gives none.",
        "scale": "full",
        "seed": SEED,
        "commit": commit(),
        "device": here,
        "minutes": (time.time() - started) / 60,
        "command": "python3 benches/peers.py",
        "notes": [
            f"One thread. The wall-clock of the fastest of {REPEATS} runs, or the CPU seconds of a single run "
            f"above {SHORT:g} s; a peer may take {options.limit} s a game and is not run on larger ones of the "
            f"family once stopped. The machine's load at the start was {load:.1f}.",
            "Gaps are NashConv over the largest payoff less the smallest, in exact arithmetic, after negative "
            "probabilities are set to 0 and each strategy is divided by its sum. Every peer reads the same "
            "doubles or the same fractions. What our f64 solver says of its gap is in payoff units.",
            "Versions: "
            + ", ".join(f"{name} {found}" for name, found in versions.items() if found)
            + ".",
            *(["Not installed here: " + ", ".join(missing) + "."] if missing else []),
        ],
        "tables": tables,
        "series": [],
        "grids": [],
    }
    options.out.mkdir(parents=True, exist_ok=True)
    for ending, text in [("json", lines(report) + "\n"), ("md", markdown(report))]:
        temporary = options.out / f".peers.{ending}"
        temporary.write_text(text)
        temporary.replace(options.out / f"peers.{ending}")
    print("\n" + markdown(report))


if __name__ == "__main__":
    main()
