"""Draws what the comparison measured: for each query, what dframe costs over the best of the other engines."""

from measure import PAGE, median

WHAT = {"cpu": "CPU time", "wall": "wall time", "resident": "peak resident memory"}
COLORS = {"ahead": "#2a7f9e", "behind": "#c8643c"}


def draw(cases):
    """An SVG beside the page for each measure, of the queries that some other engine answered."""
    import matplotlib
    matplotlib.use("svg")
    # Text stays text, and the same numbers give the same file.
    matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "dframe", "font.family": "sans-serif"})
    for what, words in WHAT.items():
        bars = list(ratios(cases, what))
        if bars:
            chart(bars, words).savefig(PAGE.parent / f"benchmarks-{what}.svg", metadata={"Date": None})


def ratios(cases, what):
    """Each query, and dframe's cost over that of the best other engine."""
    for own in cases:
        others = [case for case in cases if case.own is own and case.runs and not case.failure]
        if case_is_own(own) and others:
            best = min(median(case.runs, what) for case in others)
            name = own.query["name"] if own.on == own.query["on"][0] else f"{own.query['name']} {own.on}"
            yield name, median(own.runs, what) / best


def case_is_own(case):
    return case.engine == "dframe" and case.runs and not case.failure


def chart(bars, words):
    import matplotlib.pyplot as plot
    figure, axes = plot.subplots(figsize=(7, 0.8 + 0.22 * len(bars)), layout="constrained")
    names, values = zip(*reversed(bars))
    colors = [COLORS["ahead" if value <= 1 else "behind"] for value in values]
    drawn = axes.barh(names, [value - 1 for value in values], left=1, color=colors)
    axes.bar_label(drawn, [f"{value:.2f}" for value in values], padding=3, fontsize=8)
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_xscale("log", base=2)
    axes.set_xticks([0.25, 0.5, 1, 2], ["¼", "½", "the best other engine", "2"])
    axes.set_xlim(min(0.2, *values) * 0.9, max(2.5, *values) * 1.1)
    axes.set_title(f"dframe's {words}, over that of the best other engine (less is better)", fontsize=9)
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right", "left"]].set_visible(False)
    return figure
