import socket

import pytest

from endcap.testing.spark import is_installed, standalone

pytestmark = pytest.mark.slow

if not is_installed():
    pytest.skip("Spark is not installed", allow_module_level=True)


def test_a_cluster_is_there_in_the_block_and_gone_after_it(tmp_path):
    with standalone(tmp_path, workers=1) as cluster:
        host, port = cluster.url.removeprefix("spark://").split(":")
        socket.create_connection((host, int(port)), timeout=5).close()
        assert len(cluster.workers) == 1
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, int(port)), timeout=5)
