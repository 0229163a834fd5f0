"""Measures the structure of the code: modules, functions, docstrings, comments, and misleading names.

    python scripts/structure.py [--json | --check] [--root FOLDER]

It counts the files in `service/` and `clients/python/`; a file without code is not counted as a module. The length of
a function is counted from `def` to its end without its docstring, so that a better description does not make it
longer. Parameters are counted without `self`. A comment line is any line with a comment that is not a linter's
pragma.
"""

from __future__ import annotations

import argparse
import ast
import io
import json
import re
import statistics
import sys
import tokenize
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ("service", "clients/python")
FORBIDDEN = ("shadow_the_standard_library", "participle_modules", "repeated_classes")
MAX_MEMBERS = 6  # of a port
# Nouns that end like a participle, but are the usual names of these things.
NOUNS = (
    "batching binding decoding embedding encoding feed labelling listing logging mapping masking need "
    "padding pruning ring seed setting speed string thing timing tracing training warning"
)
LAYOUT = {tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
PRAGMA = re.compile(r"#\s*(noqa|type:|pragma|fmt:)")
Defined = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@dataclass(frozen=True, slots=True)
class Definition:
    """A function or class, named with those around it, as `Outer.inner`."""

    name: str
    node: Defined
    public: bool
    method: bool

    @property
    def lines(self) -> int:
        """The number of lines from `def` or `class` to the end, without the docstring."""
        return (self.node.end_lineno or 0) - self.node.lineno + 1 - len(docstring_lines(self.node))

    @property
    def parameters(self) -> int:
        """The number of parameters that a caller of the function can pass."""
        bound = self.method and "staticmethod" not in map(ast.unparse, self.node.decorator_list)
        return (
            sum(isinstance(n, ast.arg) for n in ast.iter_child_nodes(getattr(self.node, "args", self.node)))
            - bound
        )

    @property
    def port_members(self) -> int:
        """The number of public methods and attributes of a Protocol; 0 for anything else."""
        is_port = "Protocol" in map(ast.unparse, getattr(self.node, "bases", []))
        named: set[str] = {
            getattr(n, "name", "") or ast.unparse(getattr(n, "target", n)) for n in self.node.body
        }
        return is_port * sum(name.isidentifier() and not name.startswith("_") for name in named)


@dataclass(frozen=True, slots=True)
class Module:
    """A file: `sequela.main`, or the name of its package for an `__init__.py`."""

    name: str
    package: str  # the two outermost packages around it
    lines: int
    code_lines: int
    comment_lines: int
    functions: Mapping[str, Definition]  # methods and nested functions too; by full name
    classes: Mapping[str, Definition]


def docstring_lines(node: ast.AST) -> range:
    """Returns the line numbers of the docstring; an empty range if there is none."""
    if not isinstance(node, Defined | ast.Module) or ast.get_docstring(node) is None:
        return range(0)
    return range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1)


def definitions(node: ast.AST, outer: str = "", public: bool = True) -> Iterator[Definition]:
    """Yields all functions and classes. Those inside a function, or inside something private, are private."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Defined):
            seen = public and not child.name.startswith("_")
            yield Definition(f"{outer}{child.name}", child, seen, isinstance(node, ast.ClassDef))
            yield from definitions(child, f"{outer}{child.name}.", seen and isinstance(child, ast.ClassDef))
        else:
            yield from definitions(child, outer, public)


def line_counts(text: str, tree: ast.AST) -> tuple[int, int]:
    """Returns how many lines have code, and how many have a comment."""
    code, comments = set[int](), set[int]()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in LAYOUT | {tokenize.COMMENT}:
            code |= set(range(token.start[0], token.end[0] + 1))
        elif token.type == tokenize.COMMENT and not PRAGMA.match(token.string):
            comments.add(token.start[0])
    return len(code.difference(*map(docstring_lines, ast.walk(tree)))), len(comments)


def read(root: Path) -> Iterator[Module]:
    """Yields all modules of a checkout."""
    for source, path in ((root / s, p) for s in SOURCES for p in sorted((root / s).rglob("*.py"))):
        text, parts = path.read_text(), path.relative_to(source).with_suffix("").parts
        tree = ast.parse(text)
        name, package = ".".join(p for p in parts if p != "__init__"), ".".join(parts[:-1][:2])
        named = {f"{name}:{d.name}": d for d in definitions(tree)}
        classes = {key: d for key, d in named.items() if isinstance(d.node, ast.ClassDef)}
        functions = {key: d for key, d in named.items() if key not in classes}
        yield Module(name, package, len(text.splitlines()), *line_counts(text, tree), functions, classes)


def spread(values: Sequence[int]) -> dict[str, int]:
    """Returns the median (the higher one of two), the 90th percentile by nearest rank, and the maximum."""
    v = sorted(values) or [0]
    return {"median": statistics.median_high(v), "p90": v[(9 * len(v) - 1) // 10], "max": v[-1]}


def measures(modules: Sequence[Module]) -> dict[str, object]:
    """Returns the measures of a package, or of all modules."""
    counted = [m for m in modules if m.code_lines]
    functions = [f for m in counted for f in m.functions.values()]
    public = [d for d in (*functions, *(c for m in counted for c in m.classes.values())) if d.public]
    words = [len(text.split()) for d in public if (text := ast.get_docstring(d.node))]
    comments, code = sum(m.comment_lines for m in counted), sum(m.code_lines for m in counted)
    return {
        "modules": len(counted),
        "lines": sum(m.lines for m in counted),
        "module_lines": spread([m.lines for m in counted]),
        "functions": len(functions),
        "function_lines": spread([f.lines for f in functions]),
        "parameters": spread([f.parameters for f in functions]),
        "docstring_words": spread(words),
        "documented_percent": round(100 * len(words) / max(len(public), 1), 1),
        "comment_percent": round(100 * comments / max(code, 1), 1),
    }


def longest(modules: Sequence[Module]) -> dict[str, list[str]]:
    """Returns the ten longest modules and functions, and the ten functions with the most parameters."""
    sizes = {
        "longest_modules": {m.name: m.lines for m in modules},
        "longest_functions": {name: f.lines for m in modules for name, f in m.functions.items()},
        "most_parameters": {name: f.parameters for m in modules for name, f in m.functions.items()},
    }
    return {k: [f"{n} {v[n]}" for n in sorted(v, key=lambda n: -v[n])[:10]] for k, v in sizes.items()}


def is_participle(name: str) -> bool:
    """Returns whether the last word is not a noun and ends in -ing or -ed: `configured`, not `configured_models`."""
    last = re.split(r"_|(?<=[a-zA-Z])(?=[A-Z][a-z])", name)[-1].lower()
    return last.endswith(("ing", "ed")) and last not in NOUNS.split()


def misleading(modules: Sequence[Module]) -> dict[str, list[str]]:
    """Returns misleading names: of standard modules, participles, and names of several classes. Also returns ports with
    many members, and modules with a single function.
    """
    last = {m.name: m.name.split(".")[-1] for m in modules}
    classes = {name: c for m in modules for name, c in m.classes.items()}
    places = defaultdict[tuple[str, str], list[str]](list)
    for name, found in classes.items():
        places[name.split(".")[0], found.node.name].append(name.split(":")[0])
    return {
        "shadow_the_standard_library": [n for n in last if "." in n and last[n] in sys.stdlib_module_names],
        "participle_modules": [name for name in last if is_participle(last[name])],
        "participle_classes": [name for name, c in classes.items() if is_participle(c.node.name)],
        "repeated_classes": [f"{name}: {', '.join(at)}" for (_, name), at in places.items() if len(at) > 1],
        "large_ports": [f"{n} {c.port_members}" for n, c in classes.items() if c.port_members > MAX_MEMBERS],
        "one_function": [m.name for m in modules if len(m.functions) == 1 and not m.classes],
    }


def table(rows: Mapping[str, Mapping[str, object]]) -> Iterator[str]:
    """Yields lines of a table; three numbers in one column are median / 90th percentile / maximum."""
    width = max(map(len, rows))
    yield " " * width + "".join(f"{title:>20}" for title in rows["total"])
    for name, row in rows.items():
        cells = ("/".join(map(str, v.values())) if isinstance(v, dict) else str(v) for v in row.values())
        yield f"{name:{width}}" + "".join(f"{cell:>20}" for cell in cells)


def main() -> None:
    """Prints the counts of one checkout."""
    parser = argparse.ArgumentParser(description="Measures the structure of the code.")
    parser.add_argument("--root", type=Path, default=ROOT, help="folder of the checkout")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    parser.add_argument(
        "--check", action="store_true", help="print forbidden names, and fail if there is one"
    )
    asked = parser.parse_args()
    modules = list(read(asked.root))
    names = sorted({m.package for m in modules if m.code_lines})
    rows = {name: measures([m for m in modules if m.package == name]) for name in names}
    rows["total"] = measures(modules)
    lists = longest(modules) | misleading(modules)
    if asked.check:
        sys.exit("\n".join(f"{rule}: {name}" for rule in FORBIDDEN for name in lists[rule]) or None)
    if asked.json:
        print(json.dumps({"packages": rows, **lists}, indent=1))
    else:
        print(*table(rows), sep="\n")
        print(*(f"\n{t} ({len(found)})\n  " + "\n  ".join(found) for t, found in lists.items()), sep="\n")


if __name__ == "__main__":
    main()
