"""Run the examples ``plot_*.py`` without a screen and save their figures as PNG files.

Usage: make_figures.py [FOLDER]

FOLDER is doc/_figures by default. The files are named after the example and
numbered.
"""

import runpy
import sys
from pathlib import Path
from time import perf_counter

import matplotlib

HERE = Path(__file__).resolve().parent


def main():
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    folder = (
        Path(sys.argv[1])
        if len(sys.argv) > 1
        else HERE.parent / "doc" / "_figures"
    )
    folder.mkdir(parents=True, exist_ok=True)
    for example in sorted(HERE.glob("plot_*.py")):
        begin = perf_counter()
        runpy.run_path(str(example), run_name="__main__")
        numbers = plt.get_fignums()
        for i, number in enumerate(numbers, start=1):
            plt.figure(number).savefig(
                folder / f"{example.stem}_{i}.png", dpi=100
            )
        plt.close("all")
        print(
            f"{example.name}: {len(numbers)} figures, {perf_counter() - begin:.1f} s",
            flush=True,
        )
    print(f"Figures: {folder}")


if __name__ == "__main__":
    main()
