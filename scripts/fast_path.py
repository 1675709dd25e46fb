"""Extract the fast paths of malloc and free from the shared library, through binutils.

The fast path is the walk from the entry to the first `ret` that takes no conditional jump, except those in TAKEN,
and follows unconditional jumps inside the function. Anything that changes when the library is merely laid out
differently is normalised, so that the table changes only with the code.

Called by scripts/fast-path.sh: fast_path.py print|check|write LIBRARY TABLES COMPILER
"""

import pathlib
import re
import subprocess
import sys

# The most instructions a path may have, the `ret` included.
LIMITS = {"malloc": 17, "free": 29}

# Conditional jumps that the fast path takes, by their number on the path, from 1. Empty as long as the compiler lays
# the fast path out as the fall-through; an entry is better undone by a #[cold] in the source.
TAKEN = {"malloc": set(), "free": set()}


class Broken(Exception):
    """The library does not have a fast path as described."""


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def function_range(library, name):
    for line in run("nm", "--dynamic", "--defined-only", "--print-size", library).splitlines():
        fields = line.split()
        if len(fields) == 4 and fields[3].split("@")[0] == name:
            start = int(fields[0], 16)
            return start, start + int(fields[1], 16)
    raise Broken(f"{library} exports no sized function {name}")


def sections(library):
    """[(start, end, name)] of everything that is loaded."""
    found = []
    for line in run("readelf", "--section-headers", "--wide", library).splitlines():
        fields = re.sub(r"^\s*\[\s*\d+\]\s*", "", line).split()
        if len(fields) > 4 and re.fullmatch(r"[0-9a-f]{16}", fields[2]) and int(fields[2], 16):
            start = int(fields[2], 16)
            found.append((start, start + int(fields[4], 16), fields[0].lstrip(".")))
    return found


def disassemble(library, start, end):
    """{address: text}, in order; comments are kept."""
    text = run("objdump", "-d", "--no-show-raw-insn", f"--start-address={start}", f"--stop-address={end}", library)
    instructions = {}
    for line in text.splitlines():
        match = re.match(r"\s*([0-9a-f]+):\s+(\S.*)", line)
        if match:
            instructions[int(match[1], 16)] = match[2].strip()
    return instructions


def jump_target(text):
    match = re.search(r"\s([0-9a-f]+)\b(?: <|$)", text)
    if not match:
        raise Broken(f"jump to nowhere known: {text}")
    return int(match[1], 16)


def section_of(address, table):
    return next((name for start, end, name in table if start <= address < end), "nowhere")


def normalise(text, table):
    code, _, comment = text.partition("#")
    code = " ".join(code.split())
    if "(%rip)" in code:
        place = section_of(int(comment.split()[0], 16), table)
        code = re.sub(r"-?(?:0x)?[0-9a-f]+\(%rip\)", f"{place}(%rip)", code)
    code = re.sub(r"\s*<[^>]*>", "", code)
    mnemonic, _, operands = code.partition(" ")
    return f"{mnemonic:<8}{operands}".rstrip()


def forbidden(text):
    words = text.split("#")[0].split()
    mnemonic = next(word for word in words if word not in ("notrack", "bnd", "data16", "rex.W"))
    operands = words[-1]
    if "lock" in words:
        return "a locked instruction"
    if mnemonic.startswith("xchg") and ("(" in operands or ":" in operands):
        return "an exchange with memory, which is locked"
    if mnemonic.startswith(("call", "syscall", "int")):
        return "a call"
    return None


def fast_path(library, name):
    """The normalised instructions from the entry to `ret`."""
    start, end = function_range(library, name)
    instructions = disassemble(library, start, end)
    addresses = list(instructions)
    following = dict(zip(addresses, addresses[1:]))
    table = sections(library)
    path, seen, conditional, at = [], set(), 0, start
    while True:
        if at not in instructions:
            raise Broken(f"{name}: the path leaves the function after: {path[-1] if path else 'its entry'}")
        if at in seen:
            raise Broken(f"{name}: the path is a loop")
        seen.add(at)
        text = instructions[at]
        reason = forbidden(text)
        if reason:
            raise Broken(f"{name}: {reason}: {normalise(text, table)}\n" + "\n".join(path))
        mnemonic = text.split()[0]
        if mnemonic in ("ret", "retq", "repz"):
            path.append("ret")
            return path
        step = following.get(at, end)
        if mnemonic in ("jmp", "jmpq"):
            path.append("jmp     onwards")
            step = jump_target(text)
        elif mnemonic.startswith("j"):
            conditional += 1
            taken = conditional in TAKEN[name]
            path.append(f"{mnemonic:<8}{'onwards' if taken else 'slow'}")
            if taken:
                step = jump_target(text)
        else:
            path.append(normalise(text, table))
        at = step


def render(name, path, compiler):
    return f"{name}: {len(path)} instructions ({compiler})\n" + "".join(f"    {line}\n" for line in path)


def differs(stored, fresh, compiler):
    """Why the stored table is not the fresh one, or None."""
    head, _, body = stored.partition("\n")
    if body == fresh.partition("\n")[2]:
        return None
    if f"({compiler})" in head:
        return "the instructions are not the stored ones; if this is meant: scripts/fast-path.sh --write"
    print(f"note: the stored table is from another compiler, so only the limits count: {head}")
    return None


def main(mode, library, tables, compiler):
    tables = pathlib.Path(tables)
    broken = []
    for name, limit in LIMITS.items():
        try:
            path = fast_path(library, name)
        except Broken as reason:
            broken.append(str(reason))
            continue
        fresh = render(name, path, compiler)
        stored = tables / f"{name}.txt"
        if mode == "write":
            tables.mkdir(parents=True, exist_ok=True)
            stored.write_text(fresh)
        print(fresh)
        if mode != "check":
            continue
        if len(path) > limit:
            broken.append(f"{name}: {len(path)} instructions, at most {limit} are allowed")
        if not stored.exists():
            broken.append(f"{name}: no stored table {stored}: scripts/fast-path.sh --write")
            continue
        reason = differs(stored.read_text(), fresh, compiler)
        if reason:
            broken.append(f"{name}: {reason}\nstored:\n{stored.read_text()}")
    for reason in broken:
        print(f"fast path broken: {reason}", file=sys.stderr)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
