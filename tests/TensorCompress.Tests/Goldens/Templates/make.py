"""Renders the templates of constructs.txt (one a line) with Jinja2 as Hugging Face's transformers sets it up, and writes constructs.jsonl.

python3 make.py    (Python 3.11.7, Jinja2 3.1.6)
"""
import copy
import datetime
import json
import pathlib

import jinja2
from jinja2.ext import Extension
from jinja2.sandbox import ImmutableSandboxedEnvironment

FOLDER = pathlib.Path(__file__).parent
CLOCK = datetime.datetime(2025, 7, 4, 15, 8, 9)
VARIABLES = {
    "messages": [
        {"role": "system", "content": "Sys"},
        {"role": "user", "content": "hello there\n second line ", "name": "Ann"},
        {"role": "assistant", "content": "answer", "tool_calls": []},
        {"role": "user", "content": "bye é😀"},
    ],
    "tools": None,
    "documents": None,
    "add_generation_prompt": True,
    "eos_token": "</s>",
    "cfg": {"a": {"b": "deep"}, "n": None},
    "tree": [
        {"name": "a", "kids": [{"name": "b", "kids": []}, {"name": "c", "kids": [{"name": "d", "kids": []}]}]},
        {"name": "e", "kids": []},
    ],
}


class Generation(Extension):
    """A block whose body is printed as it is; a scope of its own, like the body of a call."""

    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("print_body"), [], [], body).set_lineno(line)

    def print_body(self, caller):
        return caller()


def to_json(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def raise_exception(message):
    raise RuntimeError(message)


environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[Generation, "jinja2.ext.loopcontrols"])
environment.filters["tojson"] = to_json
environment.globals["raise_exception"] = raise_exception
environment.globals["strftime_now"] = CLOCK.strftime

with open(FOLDER / "constructs.jsonl", "w", encoding="utf-8", newline="\n") as out:
    out.write(json.dumps({"variables": VARIABLES}) + "\n")
    for line in (FOLDER / "constructs.txt").read_text(encoding="utf-8").split("\n"):
        if not line:
            continue
        # ¶ stands for a newline.
        source = line.replace("¶", "\n")
        row = {"source": source}
        try:
            row["text"] = environment.from_string(source).render(**copy.deepcopy(VARIABLES))
        except Exception as failure:
            row["error"] = type(failure).__name__
        out.write(json.dumps(row) + "\n")
