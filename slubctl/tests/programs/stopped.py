"""Stops `slubctl top` on a pseudo terminal by Ctrl-Z and by SIGTSTP, continues it, and ends it by Ctrl-\\: the terminal is as it was each time. Then takes its terminal away.
Arguments: slubctl, and the process to look at."""
import fcntl, os, pty, select, signal, struct, sys, termios, time

slubctl, pid = sys.argv[1:]
ENTER, LEAVE = b"\x1b[?1049h", b"\x1b[?1049l"


def until(words):
    """What is drawn until these words are there."""
    text, deadline = b"", time.monotonic() + 20
    while words not in text:
        assert time.monotonic() < deadline, (words, text)
        if select.select([terminal], [], [], 0.1)[0]:
            text += os.read(terminal, 65536)
    return text


def is_usual():
    return bool(termios.tcgetattr(terminal)[3] & termios.ICANON)


def start():
    child, terminal = pty.fork()
    if child == 0:
        while os.get_terminal_size(0).lines != 30:
            time.sleep(0.01)
        os.environ["TERM"] = "xterm"
        os.execv(slubctl, [slubctl, "top", "-d", "60", pid])
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 130, 0, 0))
    return child, terminal


child, terminal = start()
until(b"quit")
for stop in [lambda: os.write(terminal, b"\x1a"), lambda: os.kill(child, signal.SIGTSTP)]:
    assert not is_usual()
    stop()
    until(LEAVE)
    _, status = os.waitpid(child, os.WUNTRACED)
    assert os.WIFSTOPPED(status), status
    assert is_usual()
    os.kill(child, signal.SIGCONT)
    assert ENTER in until(b"quit")
os.write(terminal, b"\x1c")
until(LEAVE)
_, status = os.waitpid(child, 0)
assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGQUIT, status
assert is_usual()
# A terminal that goes away takes it along.
os.close(terminal)
child, terminal = start()
until(b"quit")
os.close(terminal)
deadline = time.monotonic() + 20
while (ended := os.waitpid(child, os.WNOHANG))[0] == 0:
    if time.monotonic() > deadline:
        os.kill(child, signal.SIGKILL)
    time.sleep(0.05)
assert os.WIFSIGNALED(ended[1]) and os.WTERMSIG(ended[1]) == signal.SIGHUP, ended
