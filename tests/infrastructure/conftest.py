import pytest

from tests.infrastructure.stack import Stack


@pytest.fixture(scope="session")
def deployed() -> Stack:
    """The stack as it is; nobody changes it."""
    return Stack.read()


@pytest.fixture
def stack(deployed: Stack) -> Stack:
    """A copy of the stack, to be spoilt."""
    return deployed.copy()
