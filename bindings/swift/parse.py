"""Parses Swift: whole files, and the examples of Markdown. Prints what does not parse, and ends with 1."""

import pathlib
import re
import sys

import tree_sitter
import tree_sitter_swift

# Valid Swift that the grammar does not know, and what stands in for it: an attribute that hides an item
# from documentation, and a closure that answers nothing.
UNKNOWN = {"@_documentation(visibility: private)": "", "{ () }": "{ 0 }"}

parser = tree_sitter.Parser(tree_sitter.Language(tree_sitter_swift.language()))
failed = False
for name in sys.argv[1:]:
    faults = 0
    text = pathlib.Path(name).read_text("utf-8")
    parts = re.findall(r"```swift\n(.*?)```", text, re.S) if name.endswith(".md") else [text]
    lines = 0
    for part in parts:
        for unknown, known in UNKNOWN.items():
            part = part.replace(unknown, known)
        source = part.encode()
        lines += source.count(b"\n")
        look = [parser.parse(source).root_node]
        while look:
            node = look.pop()
            if node.is_error or node.is_missing:
                said = source[node.start_byte : node.end_byte][:80].decode(errors="replace")
                print(f"{name}: line {node.start_point[0] + 1} of an example or file: {said}")
                faults += 1
            elif node.has_error:
                look.extend(node.children)
    if lines < 10:
        print(f"{name} has next to no Swift")
        faults += 1
    print(f"{'ok' if faults == 0 else 'FAILED'} {name} parses: {lines} lines")
    failed = failed or faults > 0
sys.exit(1 if failed else 0)
