import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import sqlalchemy as sa

from endcap.testing.postgres import PASSWORD


def test_the_server_answers_whoever_has_its_password(postgres_server):
    engine = sa.create_engine(sa.make_url(postgres_server).set(password=PASSWORD))
    with engine.connect() as connection:
        assert connection.execute(sa.text("SELECT 1")).scalar_one() == 1
    engine.dispose()


KILLED = """
import os, signal
from endcap.testing.postgres import own_server
with own_server() as server:
    print(server.place, server.url, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.slow
@pytest.mark.usefixtures("postgres_server")
def test_the_server_ends_with_a_process_that_is_killed():
    ended = subprocess.run([sys.executable, "-c", KILLED], capture_output=True, text=True, check=False)
    assert ended.returncode == -signal.SIGKILL
    place, url = ended.stdout.split()
    for _ in range(200):
        if not Path(place).exists():
            break
        time.sleep(0.05)
    assert not Path(place).exists()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", sa.make_url(url).port)).close()
