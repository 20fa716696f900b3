"""What Alembic runs around every upgrade; the connection is given by `running`."""

from alembic import context

context.configure(connection=context.config.attributes["connection"], **context.config.attributes["options"])
with context.begin_transaction():
    context.run_migrations()
