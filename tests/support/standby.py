"""A deployment on PostgreSQL with a synchronous standby: what is committed stands on both."""
import contextlib

from children import free_port, stop, write_atomically
from private_postgres import Postgres
from running_deployment import running

DATABASES = ("vault", "auth", "core")


class Standby(Postgres):
    """A streaming replica of another Postgres, which waits for it with each commit."""

    def __init__(self, directory, primary):
        super().__init__(directory)
        self._primary = primary
        self.process = None

    def create(self):
        """Copies the primary, which runs, and has it wait from its next start on."""
        primary = self._primary
        port = primary.port_file.read_text().strip()
        self.dir.mkdir(mode=0o711)
        self.make_data_folder()
        with open(primary.data / "pg_hba.conf", "a") as file:
            file.write("local replication postgres peer map=owner\n")
        self.psql(primary, "SELECT pg_reload_conf()")
        self._run(self.programs() / "pg_basebackup", "-D", self.data, "-h", primary.data, "-p",
                  port, "-U", "postgres", "--checkpoint=fast", "--write-recovery-conf")
        with open(self.data / "postgresql.conf", "a") as file:
            file.write(f"unix_socket_directories = '{self.data}'\n"
                       "wal_retrieve_retry_interval = '100ms'\n")
        with open(primary.data / "postgresql.conf", "a") as file:
            file.write("synchronous_standby_names = '*'\n")
        self.port_file.write_text(str(free_port()))

    def psql(self, server, sql):
        return self._run(self.programs() / "psql", "-qAt", "-v", "ON_ERROR_STOP=1", "-h",
                         server.data, "-p", server.port_file.read_text().strip(), "-U", "postgres",
                         "-d", "postgres", "-c", sql).strip()

    def is_synchronous(self):
        """Whether the primary, which runs, waits for it."""
        return self.psql(self._primary, "SELECT sync_state FROM pg_stat_replication") == "sync"

    def sender(self):
        """The primary's process that sends to it."""
        return int(self.psql(self._primary, "SELECT pid FROM pg_stat_replication"))

    def promote(self):
        assert self.psql(self, "SELECT pg_promote()") == "t"

    def know(self, deployment):
        """Who connects to the primary's address in `deployment` knows both servers."""
        first, second = (f"localhost:{server.port_file.read_text().strip()}"
                         for server in (self._primary, self))
        passwords = self._primary.passwords.read_text()
        write_atomically(self._primary.passwords, passwords + passwords.replace(first, second))
        text = deployment.config.read_text()
        assert text.count(f"@{first}/") == len(DATABASES)
        text = text.replace(f"@{first}/", f"@{first},{second}/")
        deployment.config.write_text(
            text.replace("?sslmode=", "?target_session_attrs=read-write&sslmode="))


@contextlib.contextmanager
def running_replicated():
    """(deployment, standby), both running."""
    @contextlib.contextmanager
    def replicated(deployment):
        standby = Standby(deployment.dir / "standby", deployment.postgres)
        with deployment.postgres.running():
            standby.create()
        standby.know(deployment)
        standby.process = standby.start()
        deployment.standby = standby
        try:
            yield
        finally:
            stop(standby.process)

    with running("postgres", replicated) as deployment:
        yield deployment, deployment.standby
