import sqlalchemy as sa

from endcap.testing.postgres import PASSWORD


def test_the_server_answers_whoever_has_its_password(postgres_server):
    engine = sa.create_engine(sa.make_url(postgres_server).set(password=PASSWORD))
    with engine.connect() as connection:
        assert connection.execute(sa.text("SELECT 1")).scalar_one() == 1
    engine.dispose()
