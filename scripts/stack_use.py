"""Find the deepest chains of calls in the shared library, in bytes of stack, through binutils.

The frames come from `.eh_frame`, which says for every instruction how far the stack has grown, and the calls from the
disassembly. What libc's functions take is a table, LIBC, and OTHER for those that are not in it. A call through a register or memory goes to what the function
has loaded from the global offset table or as an address; where it has not, INDIRECT says where it goes, and a call that
is not found there fails the check. A chain that comes back to itself is followed once and reported.

Called by scripts/stack-use.sh: stack_use.py print|check LIBRARY SCOPE
"""

import re
import subprocess
import sys

# The most bytes that a call from outside, or of a handler, may need in the default modes.
LIMIT = 4096
# The same with the modes that find misuse, where reports are printed and stacks kept.
MODES_LIMIT = 8192
# The most of a stack of our own that may be in use; see src/sys/own_stack.rs.
OWN_LIMIT = 128 << 10

# Only the modes that find misuse call these.
MODES = r"slubmalloc::(modes|report::symbol|global::debugged|global::debugged_kmem)::"

# An internal error ends the process after a line of its own; no program gets that far.
INTERNAL = r"report::internal_error$|rust_begin_unwind$"

# Bytes of stack that libc's functions take, rounded up. What they allocate in there comes from objects at hand.
LIBC = {
    "memset": 64, "memcpy": 64, "memmove": 64, "bcmp": 64, "memcmp": 64, "strlen": 64,
    "__errno_location": 16, "getauxval": 64, "sched_getcpu": 128, "clock_gettime": 256,
    "abort": 512, "raise": 512, "sigaction": 512, "sigfillset": 64, "pthread_sigmask": 256,
    "pthread_attr_init": 128, "pthread_attr_setdetachstate": 64, "pthread_attr_setstacksize": 64,
    "pthread_attr_destroy": 64, "pthread_create": 2048, "pthread_setspecific": 256, "pthread_key_create": 64,
    "__register_atfork": 256, "__cxa_thread_atexit_impl": 512, "posix_spawn": 1024, "waitpid": 128,
    "_IO_list_lock": 64, "_IO_list_unlock": 64, "_IO_list_resetlock": 64, "fwrite": 1024,
}
OTHER = 512

# Functions that call what they are given, and what that is; nothing of ours for an empty list.
INDIRECT = [
    # The program's function that statistics are written by.
    (r"stats_json::Output::put$", []),
    # The program's shrinkers.
    (r"shrinkers::run$|Shrinker>?::run$", []),
    # The program's constructors and destructors of objects; the C library's memcpy.
    (r"kmem::hooks::|kmem::take::.*::make_place$", []),
    # The program's new handler and the C++ runtime; the compiler's own; the loader; a handler that was there before ours.
    (r"^__slubmalloc_new_|cxx::throw::|@plt|_init$|tm_clones$|^dlm?open$|sys::signal::handle$", []),
    (r"ThreadCache>::(recheck_cluster|begin_in_cluster)$|Clusters::current$|Registry::birth$", [r"machine::current_cluster"]),
    (r"(ThreadCache>::move_home|uncached::home|malloc::take\w*|birth::birth|debugged::attempt|pool::pool_create::\{\{closure\}\}|Heap>::(count_spread|count_pages|take_mapping))$",
     [r"sys::policy::current_node"]),
    (r"unwind::find::object$", []),  # glibc's _dl_find_object, which calls nothing
    # What more is known of a misuse; the C library's memset.
    (r"report::report_violation_with$", [r"modes::report::owners$", r"Guard>?::.*\{\{closure"]),
    (r"report::Context::describe$|report::naming::name$", [r"global::naming::name_object$"]),
    (r"zone::paint$", []),
    (r"Heap::new$", [r"sys::policy::current_node"]),
    (r"NamedBins>::(collect|take_and_detach)$", [r"kmem::idle::.*(take_in$|\{\{closure)"]),
    (r"Config::apply$", [r"^core::ops::function::FnOnce::call_once$"]),
    (r"Directory::show$", [r"^slubmalloc::limit::read_file"]),
    (r"profile::dump::", [r"global::profile_out::.*\{\{closure"]),
    (r"linux::show_file$", [r"profile::dump::.*\{\{closure", r"^slubmalloc::limit::read_file", r"each_line::\{\{closure", r"directory::beginning::\{\{closure"]),
    (r"symbol::each_line$|symbol::each_line::\{\{closure", [r"symbol::.*\{\{closure"]),
    (r"limit::read_file$", [r"Directory::each_line::\{\{closure", r"directory::beginning::\{\{closure"]),
    (r"Directory::each_line::\{\{closure|\{\{vtable\.shim", [r"group::used::\{\{closure"]),
]

# Where the stack is changed, and what runs on the other one.
SWITCH = r"own_stack::switch$"
ON_OWN_STACK = r"own_stack::.*::enter$"


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


class Library:
    def __init__(self, path):
        self.path = path
        self.frames = {}      # start of a function -> [(address, bytes)], bytes with the return address
        self.names = {}       # start -> name
        self.bodies = {}      # start -> [(address, text)]
        self.slots = {}       # address of a word -> name of libc's function
        self.taken = set()    # functions whose address is stored or loaded
        self.read_frames()
        self.read_slots()
        self.read_code()

    def read_frames(self):
        current = None
        for line in run("readelf", "--debug-dump=frames-interp", self.path).splitlines():
            head = re.search(r" FDE .*pc=([0-9a-f]+)\.\.([0-9a-f]+)", line)
            if head:
                current = self.frames.setdefault(int(head[1], 16), [])
                continue
            row = re.match(r"([0-9a-f]{16}) (\S+?)([+-]\d+) ", line)
            if row and current is not None:
                current.append((int(row[1], 16), int(row[3]) if row[2] == "rsp" else None))
            elif " CIE" in line:
                current = None

    def read_slots(self):
        for line in run("readelf", "--relocs", "--wide", self.path).splitlines():
            fields = line.split()
            if len(fields) < 4 or not fields[2].startswith("R_X86_64_"):
                continue
            slot = int(fields[0], 16)
            if fields[2] == "R_X86_64_RELATIVE":
                self.slots[slot] = int(fields[3], 16)
            elif len(fields) > 4:
                self.slots[slot] = fields[4].split("@")[0]

    def read_code(self):
        body = None
        for line in run("objdump", "-d", "--no-show-raw-insn", "-C", self.path).splitlines():
            head = re.match(r"([0-9a-f]{16}) <(.*)>:$", line)
            if head:
                start = int(head[1], 16)
                body = self.bodies.setdefault(start, [])
                self.names[start] = re.sub(r"::h[0-9a-f]{16}$", "", head[2])
                continue
            code = re.match(r"\s*([0-9a-f]+):\s+(\S.*)", line)
            if code and body is not None:
                body.append((int(code[1], 16), code[2].strip()))
        for target in self.slots.values():
            if target in self.bodies:
                self.taken.add(target)
        for body in self.bodies.values():
            for _, text in body:
                if text.startswith("lea"):
                    target = address_of(text)
                    if target in self.bodies:
                        self.taken.add(target)

    def depth_at(self, start, address):
        """Bytes of stack in use at an instruction of the function, the return address among them."""
        rows = self.frames.get(start)
        if not rows:
            return 8
        known = [depth for at, depth in rows if at <= address]
        depth = known[-1] if known else 8
        return depth if depth is not None and depth >= 8 else self.own(start)

    def own(self, start):
        """Bytes of the whole frame."""
        rows = self.frames.get(start, [])
        if all(depth is not None for _, depth in rows):
            return max((depth for _, depth in rows), default=8)
        # By its frame pointer, as where a frame is aligned: what the instructions take.
        pushed = sum(8 for _, text in self.bodies[start] if text.startswith("push"))
        taken = [int(match[1], 16) for _, text in self.bodies[start]
                 if (match := re.match(r"(?:sub\s+\$|lea\s+-)0x([0-9a-f]+)(?:,|\()%rsp", text))]
        return 8 + pushed + max(taken, default=0) + 64


def address_of(text):
    match = re.search(r"#\s*([0-9a-f]+)", text)
    return int(match[1], 16) if match else None


def callees(library, start):
    """[(depth at the call, target or name, text)]; the depth is 0 for a jump that leaves the function's frame."""
    body = library.bodies[start]
    inside = {address for address, _ in body}
    loads = {}
    for _, text in body:
        match = re.match(r"(?:mov|lea)\s+.*\(%rip\),(%\w+)", text)
        if match:
            target = address_of(text)
            if text.startswith("lea"):
                found = target if target in library.bodies else None
            else:
                found = library.slots.get(target)
            if found is not None:
                loads.setdefault(match[1], set()).add(found)
    found = []
    previous = ""
    for address, text in body:
        words = text.split()
        mnemonic = words[0] if words[0] not in ("notrack", "bnd") else words[1]
        is_call, is_jump = mnemonic.startswith("call"), mnemonic.startswith("j")
        if is_call or is_jump:
            depth = library.depth_at(start, address) if is_call else library.depth_at(start, address) - 8
            operand = text.split(mnemonic, 1)[1].strip()
            if operand.startswith("*"):
                if "(%rip)" in operand:
                    target = library.slots.get(address_of(text), "?")
                    found.append((depth, target, text))
                elif is_jump and (depth > 0 or previous.startswith("add")):
                    pass  # a switch
                else:
                    register = operand.lstrip("*")
                    targets = loads.get(register)
                    if targets:
                        found.extend((depth, target, text) for target in targets)
                    else:
                        found.append((depth, "?", text))
            else:
                target = int(operand.split()[0], 16)
                if target not in inside:
                    found.append((depth, target, text))
        previous = text
    return found


class Depths:
    def __init__(self, library, without):
        self.library, self.without = library, re.compile(without) if without else None
        self.known, self.open = {}, []
        self.unknown, self.loops, self.reached = set(), set(), set()

    def targets(self, name, target, text):
        """Addresses of functions, or names of libc's."""
        if target in self.library.bodies:
            return [target]
        if re.search(SWITCH, name):
            return []
        for caller, callees_of in INDIRECT:
            if re.search(caller, name) and (target == "?" or not callees_of):
                return [start for start, it in self.library.names.items()
                        if any(re.search(callee, it) for callee in callees_of)]
        if target == "?":
            self.unknown.add((name, text))
            return []
        return [target]

    def of(self, start):
        """(bytes, chain) of the deepest way from the entry of a function on."""
        if start in self.known:
            return self.known[start]
        name = self.library.names.get(start, "?")
        if start in self.open:
            self.loops.add(name)
            return 0, []
        self.reached.add(start)
        if self.without and self.without.search(name):
            return 0, []
        self.open.append(start)
        own = self.library.own(start)
        best = (own, [(own, name)])
        for depth, called, text in callees(self.library, start):
            for target in self.targets(name, called, text):
                if target in self.library.bodies:
                    below = self.of(target)
                else:
                    size = LIBC.get(target, OTHER)
                    below = (size, [(size, target)])
                if depth + below[0] > best[0]:
                    best = (depth + below[0], [(depth, name)] + below[1])
        self.open.pop()
        self.known[start] = best
        return best


def exported(library):
    """{address: name} of the functions that the library offers, one name each."""
    entries = {}
    for line in run("nm", "--dynamic", "--defined-only", library.path).splitlines():
        fields = line.split()
        if fields[1] in "TW" and int(fields[0], 16) in library.bodies:
            entries.setdefault(int(fields[0], 16), fields[2].split("@")[0])
    return entries


def show(rows, limit):
    """Prints what each entry needs, with the chain of the deepest and of all above the limit."""
    rows.sort(key=lambda row: -row[0])
    for place, (size, chain, name) in enumerate(rows):
        print(f"{size:7} {name}")
        if place == 0 or size > limit:
            for bytes, step in chain:
                print(f"          {bytes:7} {step}")


def main(mode, path, scope):
    library = Library(path)
    depths = Depths(library, f"{MODES}|{INTERNAL}" if scope == "default" else INTERNAL)
    own = [start for start in library.taken if re.search(ON_OWN_STACK, library.names[start])]
    below = [(*depths.of(start), library.names[start]) for start in own]
    entries = exported(library)
    rows = [(*depths.of(start), name) for start, name in entries.items()]
    # Handlers, hooks and threads: their addresses are stored, and nobody calls them.
    for start in sorted(library.taken - set(own) - set(entries)):
        if start not in depths.reached:
            rows.append((*depths.of(start), library.names[start]))
    print("bytes of stack, and whose")
    show(rows, LIMIT if scope == "default" else MODES_LIMIT)
    print("on stacks of our own")
    show(below, OWN_LIMIT)
    limit = LIMIT if scope == "default" else MODES_LIMIT
    broken = [f"{name} needs {size} bytes of stack, at most {limit} are allowed" for size, _, name in rows if size > limit]
    broken += [f"{name} needs {size} bytes of its own stack" for size, _, name in below if size > OWN_LIMIT]
    broken += [f"{name} calls what is not known: {text}" for name, text in sorted(depths.unknown)]
    if not below:
        broken.append("nothing runs on a stack of its own")
    for name in sorted(depths.loops):
        print("note: recursion, followed once:", name)
    for reason in broken if mode == "check" else []:
        print(f"stack broken: {reason}", file=sys.stderr)
    return 1 if broken and mode == "check" else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
