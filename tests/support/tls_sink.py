"""A syslog server over TLS (RFC 5425), as an exporter's destination: it keeps what it is sent, and
dies and comes back when told."""
import re
import socket
import ssl
import threading

OCTETS = re.compile(rb"(\d+) ")


class TlsSink:
    """Listens from the start to close(), so that its port stays its own; while it is dead it ends
    every connection at once. Asks for a client certificate of `ca`."""

    def __init__(self, files, ca):
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(files.certificate, files.key)
        self._context.load_verify_locations(ca)
        self._context.verify_mode = ssl.CERT_REQUIRED
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.records = []
        self._lock = threading.Lock()
        self._alive = True
        self._connections = set()
        threading.Thread(target=self._accept, daemon=True).start()

    def die(self):
        """Ends the connections, and loses what it had."""
        with self._lock:
            self._alive = False
            for connection in self._connections:
                connection.shutdown(socket.SHUT_RDWR)
            self.records.clear()

    def revive(self):
        with self._lock:
            self._alive = True

    def taken(self):
        with self._lock:
            return list(self.records)

    def close(self):
        self._listener.close()
        self.die()

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        try:
            with self._lock:
                if not self._alive:
                    connection.close()
                    return
            with self._context.wrap_socket(connection, server_side=True) as stream:
                with self._lock:
                    self._connections.add(stream)
                try:
                    self._read(stream)
                finally:
                    with self._lock:
                        self._connections.discard(stream)
        except OSError:
            pass  # who dies does not say goodbye

    def _read(self, stream):
        waiting = b""
        while data := stream.recv(65536):
            waiting += data
            while (head := OCTETS.match(waiting)) and len(waiting) >= head.end() + int(head[1]):
                end = head.end() + int(head[1])
                with self._lock:
                    if self._alive:
                        self.records.append(waiting[head.end():end])
                waiting = waiting[end:]
