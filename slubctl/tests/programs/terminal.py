"""Runs `slubctl top` on a pseudo terminal, presses keys, makes the terminal larger and then smaller and smaller, and prints what was drawn after
each step, separated by the byte 1. Arguments: slubctl, and the process to look at."""
import fcntl, os, pty, select, signal, struct, sys, termios, time

slubctl, pid = sys.argv[1:]


def resize(lines, columns):
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))


def drawn(seconds):
    """What is drawn until nothing comes for so long."""
    text = b""
    while select.select([terminal], [], [], seconds)[0]:
        try:
            piece = os.read(terminal, 65536)
        except OSError:
            break
        if not piece:
            break
        text += piece
    return text


child, terminal = pty.fork()
if child == 0:
    # The size is there before the first look at it.
    while os.get_terminal_size(0).lines != 30:
        time.sleep(0.01)
    os.environ["TERM"] = "xterm"
    os.execv(slubctl, [slubctl, "top", "-d", "60", pid])
resize(30, 130)
pieces = [drawn(1)]
for key in [b"s", b"\t", b"\t", b"\t", b"\t"]:
    os.write(terminal, key)
    pieces.append(drawn(0.5))
for size in [(45, 130), (24, 80), (12, 40), (5, 40), (1, 1)]:
    resize(*size)
    os.kill(child, signal.SIGWINCH)
    pieces.append(drawn(0.5))
os.write(terminal, b"q")
pieces.append(drawn(0.5))
sys.stdout.buffer.write(b"\x01".join(pieces))
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
