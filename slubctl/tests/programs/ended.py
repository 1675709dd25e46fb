"""Ends `slubctl top` on a pseudo terminal by signals, and fails unless each leaves the terminal as it was. Arguments: slubctl, and the process
to look at."""
import fcntl, os, pty, select, signal, struct, subprocess, sys, termios

slubctl, pid = sys.argv[1:]
terminal, inside = pty.openpty()
fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 130, 0, 0))
before = termios.tcgetattr(inside)


def drawn_until(mark):
    text = b""
    while mark not in text and select.select([terminal], [], [], 10)[0]:
        text += os.read(terminal, 65536)
    return text


for number in [signal.SIGTERM, signal.SIGHUP, signal.SIGINT]:
    top = subprocess.Popen(
        [slubctl, "top", "-d", "60", pid], stdin=inside, stdout=inside, env={**os.environ, "TERM": "xterm"}, start_new_session=True
    )
    assert b"quit" in drawn_until(b"quit")
    assert termios.tcgetattr(inside) != before, "the terminal is not raw"
    top.send_signal(number)
    assert top.wait(20) == -number, top.returncode
    assert b"\x1b[?1049l" in drawn_until(b"\x1b[?1049l"), "the alternate screen stays"
    assert termios.tcgetattr(inside) == before, "the terminal stays raw"
