from tests.support.tables.fixtures import memory, store, stores, tenant  # noqa: F401
