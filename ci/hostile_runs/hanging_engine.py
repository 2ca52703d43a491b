"""A container engine that hangs, for ci/hostile-runs."""
import socket
import threading
import time


class HangingEngine:
    """A proxy of the engine's socket that stops to answer when it is told to."""

    def __init__(self, path):
        self.path, self.hanging, self.closing = path, threading.Event(), False
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen(64)
        self.server = threading.Thread(target=self.serve, daemon=True)
        self.server.start()

    def serve(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            engine = socket.socket(socket.AF_UNIX)
            engine.connect("/var/run/docker.sock")
            for one, other in ((client, engine), (engine, client)):
                threading.Thread(target=self.pass_on, args=(one, other), daemon=True).start()

    def pass_on(self, one, other):
        try:
            while True:
                data = one.recv(65536)
                while self.hanging.is_set() and not self.closing:
                    time.sleep(0.05)
                if not data:
                    break
                other.sendall(data)
            other.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def close(self):
        self.closing = True
        self.hanging.clear()
        self.listener.shutdown(socket.SHUT_RDWR)  # ends the accept, which would keep it open
        self.server.join()
        self.listener.close()
