//! The database: schema, migrations, writes, queries. SQLite embedded, Postgres for real.
